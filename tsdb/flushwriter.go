package tsdb

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A flushWriter gathers the batch of a flush.
type flushWriter struct {
	db    *DB
	batch *pebble.Batch
	began time.Time
	info  FlushInfo
	tails []newTail
	owing map[uint64]int64 // what becomes that of the groups when the batch is committed
	pins  []*head.Record
	key   []byte
	value []byte
}

// A newTail becomes that of its group when the batch is committed.
type newTail struct {
	record *head.Record
	group  *head.Group
	tail   catalog.Tail
}

func newFlushWriter(db *DB) *flushWriter {
	return &flushWriter{db: db, batch: db.store.NewBatch(), began: db.options.Now()}
}

// commit commits what was gathered with state as the meta row, which it makes the next one,
// and begins anew. Readers are told before the store has it, and again when it has.
func (w *flushWriter) commit(state *flushState, o *pebble.WriteOptions) error {
	state.batch++
	if err := w.batch.Set(metaFlushKey, state.append(nil), nil); err != nil {
		return err
	}
	w.announce(state.batch)
	batch := w.batch
	w.batch = w.db.store.NewBatch()
	if err := w.db.mark.change(state, func() error { return w.db.commitBatch(batch, o) }); err != nil {
		return err
	}
	w.committed()
	return nil
}

// announce tells readers which tombs come with the batch.
func (w *flushWriter) announce(batch uint64) {
	for _, t := range w.tails {
		if len(t.tail.Hidden)+len(t.group.State.Tail.Hidden) == 0 {
			continue
		}
		t.record.Lock()
		t.group.Coming = &head.Coming{Batch: batch, Hidden: t.tail.Hidden}
		t.record.Unlock()
	}
}

func (w *flushWriter) close() error {
	w.unpin()
	return w.batch.Close()
}

// committed makes the new tails known.
func (w *flushWriter) committed() {
	for _, t := range w.tails {
		t.record.Lock()
		t.group.State.Tail, t.group.Coming = t.tail, nil
		t.record.Unlock()
	}
	w.tails = w.tails[:0]
	w.db.flusher.owed.set(w.owing)
	clear(w.owing)
	w.unpin()
}

func (w *flushWriter) unpin() {
	for _, r := range w.pins {
		r.Unpin()
	}
	w.pins = w.pins[:0]
}

// record writes what was frozen of a record. What is gone goes first: a newer group may have
// its keys again.
func (w *flushWriter) record(r *head.Record, f *head.Frozen) error {
	for _, g := range f.Gone {
		if err := w.erase(f.Series, g); err != nil {
			return fmt.Errorf("erase group %d of entity %s: %w", g.ID, f.Series.Entity, err)
		}
	}
	for i := range f.Groups {
		if err := w.group(r, f, &f.Groups[i]); err != nil {
			return &groupError{f.Groups[i].Group.ID, f.Series, err}
		}
	}
	return nil
}

func (w *flushWriter) group(r *head.Record, f *head.Frozen, fg *head.FrozenGroup) error {
	g := fg.Group
	w.info.Groups++
	if fg.Define {
		if err := w.define(f.Series, g); err != nil {
			return err
		}
	}
	tail := g.State.Tail
	changed, err := w.revisions(fg, &tail)
	if err != nil {
		return err
	}
	rows, tombs := fg.Table(), fg.Tombstones()
	if rows != nil && rows.Len() > 0 || len(tombs) > 0 {
		p := w.placer(g)
		p.Tail = tail
		err := p.Rows(rows, tombs)
		if err == nil {
			err = w.put(p, g.ID)
		}
		if err = errors.Join(err, p.Close()); err != nil {
			return err
		}
		w.passed(tail, p)
		tail, changed = p.Tail, true
		if rows != nil {
			tail.Expire(rows.Expires())
		}
		if rows != nil {
			w.info.Rows += int64(rows.Len())
		}
	}
	if changed {
		if tail, err = w.newTail(r, g, tail); err != nil {
			return err
		}
	}
	if g.Mended != 0 {
		catalog.Touch(fg.Latest, g.Mended)
	}
	w.key = keys.AppendState(w.key[:0], g.ID)
	w.value = tail.Append(w.value[:0], fg.Latest)
	return w.batch.Set(w.key, w.value, nil)
}

// passed tells what was made of the row groups of a group whose tail was tail.
func (w *flushWriter) passed(tail catalog.Tail, p *blocks.Placer) {
	if tail.Small > 1 && p.Tail.Small <= 1 {
		w.db.at(AtJoin)
	}
	if tail.Sealed != p.Tail.Sealed {
		w.db.at(AtSeal)
	}
	if len(p.Pages.Put()) > 0 {
		w.db.at(AtPage)
	}
}

// placer returns a placer for a group as the store has it.
func (w *flushWriter) placer(g *head.Group) *blocks.Placer {
	p := blocks.New(stored{w.db.store, g.ID}, g.ID, len(g.Shape.Names), g.State.Tail, w.db.options.tuning.rules)
	p.Rewrites = w.db.options.Rewrites
	return p
}

// newTail gives a group a tail, whose row the caller writes, and notes what it owes.
func (w *flushWriter) newTail(r *head.Record, g *head.Group, tail catalog.Tail) (catalog.Tail, error) {
	w.tails = append(w.tails, newTail{r, g, tail})
	return tail, w.owe(g.ID, dueOf(&g.State.Tail), dueOf(&tail))
}

// define writes the catalog rows of a group.
func (w *flushWriter) define(s keys.Series, g *head.Group) error {
	for i, name := range g.Shape.Names {
		w.key = keys.AppendCatalog(w.key[:0], s, name)
		w.value = catalog.Ref{Group: g.ID, Column: uint8(i)}.Append(w.value[:0])
		if err := w.batch.Set(w.key, w.value, nil); err != nil {
			return err
		}
	}
	w.key = keys.AppendNames(w.key[:0], g.ID)
	names := catalog.Names{Series: s, Columns: g.Shape.Names}
	w.value = names.Append(w.value[:0])
	return w.batch.Set(w.key, w.value, nil)
}

// put writes the changes to the row groups and pages of a group.
func (w *flushWriter) put(p *blocks.Placer, group uint64) (err error) {
	for _, e := range []struct {
		space byte
		edit  *blocks.Edit
	}{{keys.RowGroups, &p.RowGroups}, {keys.Pages, &p.Pages}} {
		for _, span := range e.edit.Ranges() {
			err = errors.Join(err, w.deleteRange(e.space, group, span))
		}
		e.edit.Gone(func(first int64) {
			w.key = blockOf(group, first).Append(w.key[:0], e.space)
			err = errors.Join(err, w.batch.Delete(w.key, nil))
		})
		for _, item := range e.edit.Put() {
			w.key = blockOf(group, item.First).Append(w.key[:0], e.space)
			err = errors.Join(err, w.batch.Set(w.key, item.Value, nil))
			w.info.Bytes += int64(len(item.Value))
		}
	}
	w.info.RowGroups += len(p.RowGroups.Put())
	return err
}

// deleteRange deletes what starts in span, partition by partition of those there are.
func (w *flushWriter) deleteRange(space byte, group uint64, span catalog.Span) (err error) {
	c, err := newCursorIn(w.db.store, space, group, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for from := span.From; ; {
		first, value, err := c.SeekGE(from)
		if err != nil || value == nil || first >= span.To {
			return err
		}
		part := rowgroup.PartitionOf(first)
		end := (part + 1) * rowgroup.PartitionMillis
		lower := keys.Block{Partition: part, Group: group, First: first}.Append(nil, space)
		upper := keys.Block{Partition: part, Group: group, First: span.To}.Append(nil, space)
		if end <= span.To {
			upper = keys.Block{Partition: part, Group: group}.AppendEnd(nil, space)
		}
		if err := w.batch.DeleteRange(lower, upper, nil); err != nil {
			return err
		}
		if end >= span.To {
			return nil
		}
		from = end
	}
}

func blockOf(group uint64, first int64) keys.Block {
	return keys.Block{Partition: rowgroup.PartitionOf(first), Group: group, First: first}
}

// erase removes everything of a group.
func (w *flushWriter) erase(s keys.Series, g *head.Group) error {
	for _, name := range g.Shape.Names {
		if err := w.batch.Delete(keys.AppendCatalog(nil, s, name), nil); err != nil {
			return err
		}
	}
	if err := errors.Join(w.batch.Delete(keys.AppendNames(nil, g.ID), nil), w.batch.Delete(keys.AppendState(nil, g.ID), nil)); err != nil {
		return err
	}
	if err := w.eraseRevisions(g.ID, &g.State.Tail); err != nil {
		return err
	}
	for _, space := range []byte{keys.RowGroups, keys.Pages} {
		if err := w.deleteRange(space, g.ID, everything); err != nil {
			return err
		}
	}
	return w.owe(g.ID, dueOf(&g.State.Tail), never)
}

// everything is all of time.
var everything = catalog.Span{From: minInstant, To: math.MaxInt64}

// stored is a group as the store has it now.
type stored struct {
	store *pebble.DB
	group uint64
}

// Cursor implements blocks.Reader.
func (s stored) Cursor(space scan.Space) (scan.Cursor, error) {
	return newCursor(s.store, space, s.group, nil)
}
