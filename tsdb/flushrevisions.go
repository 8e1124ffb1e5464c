package tsdb

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/revision"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// revisions writes what the frozen head has to be kept of a group, and removes what its
// deletes meet. It reads what is stored, so it comes before the rows are placed; instants
// behind everything stored read nothing. It reports whether it changed the tail.
func (w *flushWriter) revisions(fg *head.FrozenGroup, tail *catalog.Tail) (changed bool, err error) {
	group := fg.Group.ID
	for _, t := range fg.Tombstones() {
		if err := w.dropRevisions(group, tail, 1<<t.Column, t.From, t.To); err != nil {
			return false, err
		}
	}
	writes := fg.Writes()
	if writes == nil {
		return false, nil
	}
	w.db.at(AtRevisions)
	f := revisionFlush{w: w, group: group, tail: tail, before: *tail, writes: writes}
	return true, errors.Join(f.columns(len(fg.Group.Shape.Names)), f.close())
}

// columns writes the revisions of all columns.
func (f *revisionFlush) columns(n int) error {
	var instants []int64
	for column := range n {
		instants = f.writes.AppendInstants(instants[:0], column, math.MinInt64, math.MaxInt64)
		slices.Sort(instants)
		for _, ts := range slices.Compact(instants) {
			if err := f.instant(column, ts); err != nil {
				return fmt.Errorf("revisions of column %d at %d: %w", column, ts, err)
			}
		}
	}
	return nil
}

// dropRevisions removes the revisions of some columns of a group in [from, to). Whoever
// removes points calls it, in the batch that does.
func (w *flushWriter) dropRevisions(group uint64, tail *catalog.Tail, columns uint32, from, to int64) error {
	if !tail.Kept || from > tail.KeptTo {
		return nil
	}
	for column := uint8(0); columns != 0; column, columns = column+1, columns>>1 {
		if columns&1 == 0 {
			continue
		}
		end := keys.AppendRevisions(nil, group, column, to)
		if to == math.MaxInt64 {
			end = keys.AppendRevisionsEnd(nil, group, column)
		}
		if err := w.batch.DeleteRange(keys.AppendRevisions(nil, group, column, from), end, nil); err != nil {
			return err
		}
	}
	return nil
}

// eraseRevisions removes all revisions of a group.
func (w *flushWriter) eraseRevisions(group uint64, tail *catalog.Tail) error {
	if !tail.Kept {
		return nil
	}
	all := revisionRange(group)
	return w.batch.DeleteRange(all.LowerBound, all.UpperBound, nil)
}

// revisionRange is all revisions of a group.
func revisionRange(group uint64) *pebble.IterOptions {
	return &pebble.IterOptions{
		LowerBound: keys.AppendRevisions(nil, group, 0, math.MinInt64),
		UpperBound: keys.AppendRevisionsEnd(nil, group, catalog.MaxColumns),
	}
}

// A revisionFlush writes the revisions of one group.
type revisionFlush struct {
	w      *flushWriter
	group  uint64
	tail   *catalog.Tail
	before catalog.Tail // what is stored
	writes *head.Writes
	fold   revision.Fold
	iter   *pebble.Iterator // opened when first needed, as is cells
	cells  storedCells
}

func (f *revisionFlush) close() (err error) {
	if f.iter != nil {
		err = f.iter.Close()
		f.iter = nil
	}
	err = errors.Join(err, f.cells.close())
	f.cells.cursor = nil
	return err
}

func (f *revisionFlush) instant(column int, ts int64) error {
	f.fold.Reset()
	if !f.writes.Hides(column, ts) {
		if f.before.Kept && ts <= f.before.KeptTo {
			if err := f.stored(uint8(column), ts); err != nil {
				return err
			}
		}
		if f.before.Any && ts <= f.before.Last {
			if err := f.current(column, ts); err != nil {
				return err
			}
		}
	}
	f.writes.Fold(column, ts, &f.fold)
	k := keys.Revision{Group: f.group, Column: uint8(column), TS: ts}
	for i := range f.fold.Fresh {
		r := &f.fold.Fresh[i]
		k.Position, k.N = r.Position, r.N
		f.w.key, f.w.value = k.Append(f.w.key[:0]), r.Append(f.w.value[:0], ts)
		if err := f.w.batch.Set(f.w.key, f.w.value, nil); err != nil {
			return err
		}
		f.w.info.Revisions++
		f.tail.Keep(ts, r.Expires)
	}
	return nil
}

// current tells the fold the point that is stored.
func (f *revisionFlush) current(column int, ts int64) (err error) {
	if f.cells.cursor == nil {
		f.cells = storedCells{group: f.group, hidden: func(c int, ts int64) bool { return catalog.Hides(f.before.Hidden, c, ts) }}
		if f.cells.cursor, err = newCursor(f.w.db.store, scan.RowGroups, f.group, nil); err != nil {
			return err
		}
	}
	f.fold.Current, err = f.cells.at(column, ts)
	return err
}

// stored tells the fold the last revision that is stored, and the last good one.
func (f *revisionFlush) stored(column uint8, ts int64) (err error) {
	if f.iter == nil {
		if f.iter, err = f.w.db.store.NewIter(revisionRange(f.group)); err != nil {
			return err
		}
	}
	prefix := keys.AppendRevisions(nil, f.group, column, ts)
	end := append(slices.Clone(prefix), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	if !f.iter.SeekLT(end) {
		return f.iter.Error()
	}
	if !bytes.HasPrefix(f.iter.Key(), prefix) {
		return nil
	}
	last, err := f.row()
	if err != nil {
		return err
	}
	if last.HasGood {
		k := keys.Revision{Group: f.group, Column: column, TS: ts, Position: last.Good.Position, N: last.Good.N}
		f.w.key = k.Append(f.w.key[:0])
		if !f.iter.SeekGE(f.w.key) || !bytes.Equal(f.iter.Key(), f.w.key) {
			return errors.Join(fmt.Errorf("%w: no revision at position %d, %d", ErrCorrupt, k.Position, k.N), f.iter.Error())
		}
		good, err := f.row()
		if err != nil {
			return err
		}
		f.fold.Add(good)
	}
	f.fold.Add(last)
	return nil
}

func (f *revisionFlush) row() (revision.Row, error) {
	k, err := keys.ParseRevision(f.iter.Key())
	if err != nil {
		return revision.Row{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return parseRevision(k, f.iter)
}
