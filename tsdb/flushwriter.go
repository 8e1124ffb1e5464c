package tsdb

import (
	"errors"
	"fmt"
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
	key   []byte
	value []byte
}

// A newTail becomes that of its group when the batch is committed.
type newTail struct {
	group *head.Group
	tail  catalog.Tail
}

func newFlushWriter(db *DB) *flushWriter {
	return &flushWriter{db: db, batch: db.store.NewBatch(), began: db.options.Now()}
}

// commit commits what was gathered and begins anew.
func (w *flushWriter) commit(o *pebble.WriteOptions) error {
	batch := w.batch
	w.batch = w.db.store.NewBatch()
	return w.db.commitBatch(batch, o)
}

func (w *flushWriter) close() error { return w.batch.Close() }

// committed makes the new tails known.
func (w *flushWriter) committed() {
	for _, t := range w.tails {
		t.group.State.Tail = t.tail
	}
}

// record writes what was frozen of a record. What is gone goes first: a newer group may have
// its keys again.
func (w *flushWriter) record(f *head.Frozen) error {
	for _, g := range f.Gone {
		if err := w.erase(f.Series, g); err != nil {
			return fmt.Errorf("erase group %d of entity %s: %w", g.ID, f.Series.Entity, err)
		}
	}
	for i := range f.Groups {
		if err := w.group(f, &f.Groups[i]); err != nil {
			return fmt.Errorf("group %d of entity %s: %w", f.Groups[i].Group.ID, f.Series.Entity, err)
		}
	}
	return nil
}

func (w *flushWriter) group(f *head.Frozen, fg *head.FrozenGroup) error {
	g := fg.Group
	w.info.Groups++
	if fg.Define {
		if err := w.define(f.Series, g); err != nil {
			return err
		}
	}
	tail := g.State.Tail
	rows, tombs := fg.Table(), fg.Tombstones()
	if rows != nil && rows.Len() > 0 || len(tombs) > 0 {
		p := blocks.New(stored{w.db.store, g.ID}, g.ID, len(g.Shape.Names), tail, w.db.options.tuning.rules)
		err := p.Rows(rows, tombs)
		if err == nil {
			err = w.put(p, g.ID)
		}
		if err = errors.Join(err, p.Close()); err != nil {
			return err
		}
		w.passed(tail, p)
		tail = p.Tail
		w.tails = append(w.tails, newTail{g, tail})
		if rows != nil {
			w.info.Rows += int64(rows.Len())
		}
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
	for _, space := range []scan.Space{scan.RowGroups, scan.Pages} {
		if err := w.eraseSpace(space, g.ID); err != nil {
			return err
		}
	}
	return nil
}

func (w *flushWriter) eraseSpace(space scan.Space, group uint64) (err error) {
	c, err := newCursor(w.db.store, space, group)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for from := int64(minInstant); ; {
		first, value, err := c.SeekGE(from)
		if value == nil || err != nil {
			return err
		}
		b := keys.Block{Partition: rowgroup.PartitionOf(first), Group: group, First: minInstant}
		if err := w.batch.DeleteRange(b.Append(nil, c.space), b.AppendEnd(nil, c.space), nil); err != nil {
			return err
		}
		from = (b.Partition + 1) * rowgroup.PartitionMillis
	}
}

// stored is a group as the store has it now.
type stored struct {
	store *pebble.DB
	group uint64
}

// Cursor implements blocks.Reader.
func (s stored) Cursor(space scan.Space) (scan.Cursor, error) {
	return newCursor(s.store, space, s.group)
}
