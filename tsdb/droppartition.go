package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// A verdict is what becomes of a group's part of a partition.
type verdict uint8

const (
	keepIt verdict = iota
	trimIt
	dropIt
)

// dropGroups is how many groups one batch looks at.
const dropGroups = 1024

// dropPartitions goes through the partitions that begin before an instant and drops from
// them the groups for which judge says so. It returns the groups that are to be trimmed,
// those whose first row group there passes touched.
func (f *flusher) dropPartitions(ctx context.Context, r *ExpireReport, before int64, judge func(group uint64, part int64) verdict,
	touched func(group uint64, first int64) bool,
) (trim map[uint64]struct{}, err error) {
	d := dropper{f: f, report: r, judge: judge, touched: touched, trim: map[uint64]struct{}{}}
	for part, ok, err := f.nextPartition(math.MinInt64); ok || err != nil; part, ok, err = f.nextPartition(part + 1) {
		if err != nil {
			return nil, err
		}
		if part*rowgroup.PartitionMillis >= before {
			break
		}
		if err := d.partition(ctx, part); err != nil {
			return nil, fmt.Errorf("drop from partition %d: %w", part, err)
		}
	}
	return d.trim, nil
}

// nextPartition returns the first partition with row groups at or behind part.
func (f *flusher) nextPartition(part int64) (_ int64, ok bool, err error) {
	iter, err := f.db.store.NewIter(&pebble.IterOptions{
		LowerBound: keys.Block{Partition: part, First: minInstant}.Append(nil, keys.RowGroups), UpperBound: []byte{keys.RowGroups + 1},
	})
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	if !iter.First() {
		return 0, false, iter.Error()
	}
	b, err := keys.ParseBlock(iter.Key())
	if err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return b.Partition, true, nil
}

// eachGroup calls fn with the first row group of each group in a partition, until it returns
// false.
func (f *flusher) eachGroup(part int64, fn func(keys.Block) bool) (err error) {
	lower, upper := partitionRange(keys.RowGroups, part)
	iter, err := f.db.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; {
		b, err := keys.ParseBlock(iter.Key())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if !fn(b) {
			return nil
		}
		ok = iter.SeekGE(keys.Block{Partition: part, Group: b.Group + 1, First: minInstant}.Append(nil, keys.RowGroups))
	}
	return iter.Error()
}

// A dropper drops groups from partitions.
type dropper struct {
	f       *flusher
	report  *ExpireReport
	judge   func(group uint64, part int64) verdict
	touched func(group uint64, first int64) bool
	trim    map[uint64]struct{}

	// Of the batch being made:
	w     *flushWriter
	part  int64
	from  uint64 // the groups from here to the current one all go
	open  bool   // there are such groups
	whole bool   // every group of the partition has gone so far
}

func (d *dropper) partition(ctx context.Context, part int64) error {
	d.part, d.whole = part, true
	for from, more := uint64(0), true; more; {
		var err error
		if from, more, err = d.batch(ctx, from); err != nil {
			return err
		}
	}
	if d.whole {
		d.report.Partitions++
	}
	return nil
}

// batch looks at some of the groups of the partition, from one on, in one batch, and returns
// with which to go on.
func (d *dropper) batch(ctx context.Context, from uint64) (next uint64, more bool, err error) {
	f := d.f
	f.run.Lock()
	defer f.run.Unlock()
	if err := f.settle(ctx); err != nil {
		return 0, false, err
	}
	d.w = newFlushWriter(f.db)
	defer func() { err = errors.Join(err, d.w.close()) }()
	iter, err := f.db.store.NewIter(&pebble.IterOptions{
		LowerBound: keys.Block{Partition: d.part, Group: from, First: minInstant}.Append(nil, keys.RowGroups),
		UpperBound: keys.Block{Partition: d.part + 1, First: minInstant}.Append(nil, keys.RowGroups),
	})
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	dropped := d.report.Dropped
	d.open, d.from, next = false, from, from
	seen := 0
	for ok := iter.First(); ok && seen < dropGroups; seen++ {
		b, err := keys.ParseBlock(iter.Key())
		if err != nil {
			return 0, false, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if err := d.group(b); err != nil {
			return 0, false, fmt.Errorf("group %d: %w", b.Group, err)
		}
		next = b.Group + 1
		ok = iter.SeekGE(keys.Block{Partition: d.part, Group: next, First: minInstant}.Append(nil, keys.RowGroups))
		more = ok
	}
	if err := iter.Error(); err != nil {
		return 0, false, err
	}
	if !more {
		next = math.MaxUint64
	}
	if err := d.flush(next); err != nil {
		return 0, false, err
	}
	if d.report.Dropped == dropped {
		return next, more, nil
	}
	f.db.at(AtPartitionDrop)
	if err := d.w.commit(&f.run.state, pebble.NoSync); err != nil {
		return 0, false, err
	}
	return next, more, nil
}

// group takes one group on, whose first row group in the partition is b.
func (d *dropper) group(b keys.Block) error {
	switch d.judge(b.Group, d.part) {
	case dropIt:
		if !d.open {
			d.open = true
		}
		d.report.Dropped++
		return d.w.forgetPartition(b.Group, d.part)
	case trimIt:
		if d.touched(b.Group, b.First) {
			d.trim[b.Group] = struct{}{}
		}
	}
	d.whole = false
	if err := d.flush(b.Group); err != nil {
		return err
	}
	d.from = b.Group + 1
	return nil
}

// flush drops the groups that have gathered, all of those before one in the partition: one
// range, so that Pebble drops tables that lie in it whole.
func (d *dropper) flush(end uint64) error {
	if !d.open {
		return nil
	}
	d.open = false
	for _, space := range []byte{keys.RowGroups, keys.Pages} {
		from := keys.Block{Partition: d.part, Group: d.from, First: minInstant}.Append(nil, space)
		to := keys.Block{Partition: d.part, Group: end, First: minInstant}.Append(nil, space)
		if end == math.MaxUint64 {
			to = keys.Block{Partition: d.part + 1, First: minInstant}.Append(nil, space)
		}
		if err := d.w.batch.DeleteRange(from, to, nil); err != nil {
			return err
		}
	}
	return nil
}

// forgetPartition brings the state of a group up to date with the loss of a partition, if
// it says anything of it.
func (w *flushWriter) forgetPartition(group uint64, part int64) error {
	start, end := part*rowgroup.PartitionMillis, (part+1)*rowgroup.PartitionMillis
	var s catalog.State
	found, err := get(w.db.store, keys.AppendState(nil, group), s.Parse)
	if err != nil || !found {
		return fmt.Errorf("%w: state of group %d (%w)", ErrCorrupt, group, err)
	}
	if err := w.dropRevisions(group, &s.Tail, 1<<len(s.Latest)-1, start, end); err != nil {
		return err
	}
	outlived := s.Tail.Outlived
	for c := range s.Latest {
		if l := &s.Latest[c]; l.Type != model.TypeNone && l.TS < end {
			outlived |= 1 << c
		}
	}
	unsealed := s.Tail.Small > 0 && rowgroup.PartitionOf(s.Tail.Sealed) == part
	hidden := catalog.Cut(s.Tail.Hidden, math.MaxUint32, start, end)
	if outlived == s.Tail.Outlived && !unsealed && s.Tail.Partition != part && len(hidden) == len(s.Tail.Hidden) {
		return nil // a tomb that was cut short only is harmless
	}
	rec, g, err := w.hold(group)
	if err != nil || g == nil {
		return err // erased: the flush that is to come takes it away
	}
	tail := g.State.Tail
	tail.Outlived, tail.Hidden = outlived, hidden
	if unsealed {
		tail.Small, tail.SmallRows, tail.Sealed = 0, 0, max(tail.Sealed, end)
	}
	if tail.Partition == part {
		tail.Unpaged = 0
	}
	return w.setState(rec, g, tail, &s)
}

// settle finishes a flush that failed before. f.run must be held.
func (f *flusher) settle(ctx context.Context) error {
	if err := errors.Join(f.db.failure(), ctx.Err()); err != nil {
		return err
	}
	if f.run.frozen == nil {
		return nil
	}
	return f.write(ctx, f.run.frozen)
}
