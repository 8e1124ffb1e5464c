package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// trimGroups is how many groups one batch trims.
const trimGroups = 64

// A trimmer takes from groups what retention does not keep where no partition goes whole.
type trimmer struct {
	f         *flusher
	retention model.Retention
	now       int64
	lives     *lives
	groups    []uint64
}

// run trims the groups and reports how many changed. Damage in some does not keep the others.
func (t *trimmer) run(ctx context.Context) (changed int, err error) {
	slices.Sort(t.groups)
	for groups := range slices.Chunk(t.groups, trimGroups) {
		n, one := t.batch(ctx, groups)
		changed += n
		err = errors.Join(err, one)
		if ctx.Err() != nil || t.f.db.failure() != nil {
			break
		}
	}
	return changed, err
}

func (t *trimmer) batch(ctx context.Context, groups []uint64) (changed int, err error) {
	f := t.f
	f.run.Lock()
	defer f.run.Unlock()
	if err := f.settle(ctx); err != nil {
		return 0, err
	}
	w := newFlushWriter(f.db)
	defer func() { err = errors.Join(err, w.close()) }()
	var failures error // of one group, which must not hold up the others
	for _, group := range groups {
		did, err := t.group(w, group)
		if errors.Is(err, ErrCorrupt) || errors.Is(err, rowgroup.ErrCorrupt) {
			failures = errors.Join(failures, fmt.Errorf("trim group %d: %w", group, err))
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("trim group %d: %w", group, err)
		}
		if did {
			changed++
		}
	}
	if changed == 0 {
		return 0, failures
	}
	return changed, errors.Join(w.commit(&f.run.state, pebble.NoSync), failures)
}

func (t *trimmer) group(w *flushWriter, group uint64) (changed bool, err error) {
	var names catalog.Names
	found, err := get(w.db.store, keys.AppendNames(nil, group), func(b []byte) (err error) {
		names, err = catalog.ParseNames(b)
		return err
	})
	if err != nil || !found {
		return false, err
	}
	var s catalog.State
	if found, err = get(w.db.store, keys.AppendState(nil, group), s.Parse); err != nil || !found {
		return false, err
	}
	cuts, err := cutsOf(w.db.store, group, &names, &s, t.retention, t.now)
	if err != nil {
		return false, err
	}
	tombs := tombsOf(cuts)
	if len(tombs) == 0 {
		return false, nil
	}
	rec, g, err := w.hold(group)
	if err != nil || g == nil {
		return false, err
	}
	p := w.placer(g)
	if err := p.Expire(tombs); err != nil {
		return false, errors.Join(err, p.Close())
	}
	for c := range s.Latest {
		if l := &s.Latest[c]; l.Type != model.TypeNone && c < len(cuts) && l.TS < cuts[c] {
			p.Tail.Outlived |= 1 << c
		}
	}
	was := &g.State.Tail
	for _, t := range tombs {
		did, err := w.expireRevisions(group, was, t)
		if err != nil {
			return false, errors.Join(err, p.Close())
		}
		changed = changed || did
	}
	if p.RowGroups.Changed() || p.Tail.Outlived != was.Outlived || !slices.Equal(p.Tail.Hidden, was.Hidden) {
		changed = true
		err = w.put(p, group)
		if err == nil {
			err = w.setState(rec, g, p.Tail, &s)
		}
	}
	return changed, errors.Join(err, p.Close())
}

// expireRevisions removes the revisions that t covers, if there are any.
func (w *flushWriter) expireRevisions(group uint64, tail *catalog.Tail, t catalog.Tomb) (any bool, err error) {
	if !tail.Kept {
		return false, nil
	}
	for c := range uint8(catalog.MaxColumns) {
		if t.Columns&(1<<c) == 0 {
			continue
		}
		iter, err := w.db.store.NewIter(&pebble.IterOptions{
			LowerBound: keys.AppendRevisions(nil, group, c, t.From), UpperBound: keys.AppendRevisions(nil, group, c, t.To),
		})
		if err != nil {
			return false, err
		}
		found := iter.First()
		if err := errors.Join(iter.Error(), iter.Close()); err != nil {
			return false, err
		}
		if found {
			any = true
			if err := w.dropRevisions(group, tail, 1<<c, t.From, t.To); err != nil {
				return false, err
			}
		}
	}
	return any, nil
}

// tombsOf makes tombs of cutoffs, one for the columns of each.
func tombsOf(cuts []int64) (tombs []catalog.Tomb) {
next:
	for c, cut := range cuts {
		if cut == noCutoff {
			continue
		}
		for i := range tombs {
			if tombs[i].To == cut {
				tombs[i].Columns |= 1 << c
				continue next
			}
		}
		tombs = append(tombs, catalog.Tomb{Columns: 1 << c, From: minInstant, To: cut, Expired: true})
	}
	return tombs
}

// setState writes the state of a group outside a flush, with a new tail: the latest values
// are those of s, which was read from the store and is of the flush position.
func (w *flushWriter) setState(rec *head.Record, g *head.Group, tail catalog.Tail, s *catalog.State) error {
	tail, err := w.newTail(rec, g, tail)
	if err != nil {
		return err
	}
	return w.batch.Set(keys.AppendState(nil, g.ID), tail.Append(nil, s.AppendLatest(nil)), nil)
}

// cutsOf returns, column by column, before when the points of a group are not kept.
func cutsOf(store pebble.Reader, group uint64, n *catalog.Names, s *catalog.State, retention model.Retention, now int64) ([]int64, error) {
	cuts := make([]int64, len(n.Columns))
	versions := make([]int, len(n.Columns))
	least := math.MaxInt
	for c, name := range n.Columns {
		keep := retention(n.Series.Tenant, n.Series.Entity, n.Series.Scope, name)
		cuts[c], versions[c] = cutoffOf(keep, now), keep.Versions
		if keep.Versions > 0 {
			least = min(least, keep.Versions)
		}
	}
	if least == math.MaxInt {
		return cuts, nil
	}
	v := versionCounter{group: group, hidden: s.Tail.Hidden, versions: versions, cuts: cuts}
	if few, err := v.few(store, least); err != nil || few {
		return cuts, err
	}
	return cuts, v.count(store)
}

// A versionCounter finds from which instant on a column has as many points as are kept.
type versionCounter struct {
	group    uint64
	hidden   []catalog.Tomb
	versions []int
	cuts     []int64
	reader   rowgroup.Reader
	cells    column.Column
}

func (v *versionCounter) open(first int64, value []byte) error {
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: v.group, First: first}
	if err := v.reader.Reset(k, value); err != nil {
		return &CorruptionError{Group: v.group, From: first, Check: err}
	}
	return nil
}

// few reports whether all row groups together have at most n rows: told by their heads.
func (v *versionCounter) few(store pebble.Reader, n int) (few bool, err error) {
	c, err := newCursor(store, scan.RowGroups, v.group, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for from := int64(minInstant); ; {
		first, value, err := c.SeekGE(from)
		if err != nil || value == nil {
			return true, err
		}
		if err := v.open(first, value); err != nil {
			return false, err
		}
		if n -= v.reader.Rows(); n < 0 {
			return false, nil
		}
		from = first + 1
	}
}

// count goes back from the newest row group until every column has its versions.
func (v *versionCounter) count(store pebble.Reader) (err error) {
	c, err := newCursor(store, scan.RowGroups, v.group, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	left := slices.Clone(v.versions)
	for from := int64(math.MaxInt64); ; {
		first, value, err := c.SeekLE(from)
		if err != nil || value == nil {
			return err
		}
		if err := v.open(first, value); err != nil {
			return err
		}
		times, err := v.reader.Times()
		if err != nil {
			return &CorruptionError{Group: v.group, From: first, Check: err}
		}
		wanted := false
		for col := range left {
			if left[col] <= 0 {
				continue
			}
			wanted = true
			if col >= v.reader.Columns() {
				continue
			}
			v.cells.Reset()
			if err := v.reader.Decode(col, 0, len(times), &v.cells); err != nil {
				return &CorruptionError{Group: v.group, From: first, Check: err}
			}
			for i := len(times) - 1; i >= 0 && left[col] > 0; i-- {
				if v.cells.Types[i] == model.TypeNone || catalog.Hides(v.hidden, col, times[i]) {
					continue
				}
				if left[col]--; left[col] == 0 {
					v.cuts[col] = max(v.cuts[col], times[i])
				}
			}
		}
		if !wanted {
			return nil
		}
		from = first - 1
	}
}
