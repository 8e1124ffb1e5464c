package tsdb

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// A DiskCeilingInfo names a partition that goes next, or has gone, because of
// Options.MaxDiskBytes: its timeseries of all tenants, from From up to To, ms.
type DiskCeilingInfo struct {
	From, To   int64
	Dropped    bool  // it has gone
	Exceeded   bool  // the store is above Max, and this, the present partition, is not dropped
	Bytes, Max int64 // what the store takes now, and may take
}

// exceededPause is how long it takes until Events.DiskCeiling is told again that nothing is
// left to drop.
const exceededPause = time.Hour

// ceilingPause is how long the flusher looks away after it has dropped something: meanwhile
// files go and compactions end, and their bytes must not make another partition go.
const ceilingPause = time.Minute

// used returns the bytes of the store on disk, without those of files about to be removed
// or being made of others.
func (db *DB) used() int64 {
	m := db.store.Metrics()
	return int64(m.DiskSpaceUsage()-m.Table.Local.ObsoleteSize-m.Table.Local.ZombieSize-m.WAL.ObsoletePhysicalSize) - m.Compact.InProgressBytes
}

// heedCeiling warns when the store is near MaxDiskBytes, and drops the oldest partitions of
// timeseries when it is above, as many as make up for that.
func (f *flusher) heedCeiling(ctx context.Context) error {
	ceiling, now := f.db.options.MaxDiskBytes, f.db.options.Now()
	if ceiling <= 0 || now.Before(f.lookAgain) {
		return nil
	}
	used := f.db.used()
	if used <= ceiling {
		f.db.stats.aboveCeiling.Store(false)
	}
	if used < ceiling-ceiling/10 {
		return nil
	}
	return f.keepBelow(ctx, ceiling, used, now)
}

// keepBelow is heedCeiling of a store that takes used bytes.
func (f *flusher) keepBelow(ctx context.Context, ceiling, used int64, now time.Time) error {
	timeseries := map[uint64]bool{}
	if err := eachNames(ctx, f.db.store, func(group uint64, n *catalog.Names) error {
		timeseries[group] = n.Series.Scope == model.Timeseries
		return nil
	}); err != nil {
		return err
	}
	present := rowgroup.PartitionOf(now.UnixMilli())
	for part := int64(math.MinInt64); ; part++ {
		var ok bool
		var err error
		if part, ok, err = f.nextPartition(part); err != nil {
			return err
		}
		if !ok || part >= present {
			f.exceeded(now, used, ceiling, present)
			return nil
		}
		has, err := f.partitionHas(part, timeseries)
		if err != nil {
			return err
		}
		if !has {
			continue
		}
		info := DiskCeilingInfo{From: part * rowgroup.PartitionMillis, To: (part + 1) * rowgroup.PartitionMillis, Bytes: used, Max: ceiling}
		if tell := f.db.options.Events.DiskCeiling; tell != nil && (f.warned == nil || *f.warned != part) {
			f.warned = &part
			tell(info)
		}
		if info.Bytes <= ceiling {
			return nil
		}
		freed, err := f.sacrifice(ctx, part, timeseries)
		if err != nil {
			return err
		}
		used -= freed
		f.lookAgain = now.Add(ceilingPause)
		if info.Bytes, info.Dropped = used, true; f.db.options.Events.DiskCeiling != nil {
			f.db.options.Events.DiskCeiling(info)
		}
	}
}

// exceeded tells that the store is above its ceiling although nothing older than the present
// partition is left: what comes in now is what an operator wants least to lose, so it stays.
func (f *flusher) exceeded(now time.Time, used, ceiling, present int64) {
	f.db.stats.aboveCeiling.Store(used > ceiling)
	if used <= ceiling {
		return
	}
	f.lookAgain = now.Add(ceilingPause)
	if tell := f.db.options.Events.DiskCeiling; tell != nil && !now.Before(f.tellAgain) {
		f.tellAgain = now.Add(exceededPause)
		tell(DiskCeilingInfo{
			From: present * rowgroup.PartitionMillis, To: (present + 1) * rowgroup.PartitionMillis, Exceeded: true, Bytes: used, Max: ceiling,
		})
	}
}

// partitionHas reports whether one of groups has row groups in a partition.
func (f *flusher) partitionHas(part int64, groups map[uint64]bool) (has bool, err error) {
	err = f.eachGroup(part, func(b keys.Block) bool {
		has = groups[b.Group]
		return !has
	})
	return has, err
}

// sacrifice drops groups from a partition, gives their space back and returns about how much
// that is.
func (f *flusher) sacrifice(ctx context.Context, part int64, groups map[uint64]bool) (freed int64, err error) {
	if err := f.db.flushStore(); err != nil { // what is not in tables can not be estimated
		return 0, err
	}
	for _, space := range []byte{keys.RowGroups, keys.Pages} {
		n, err := f.db.store.EstimateDiskUsage(partitionRange(space, part))
		if err != nil {
			return 0, fmt.Errorf("size of partition %d: %w", part, err)
		}
		freed += int64(n)
	}
	d := dropper{f: f, report: &ExpireReport{}, trim: map[uint64]struct{}{}, judge: func(group uint64, _ int64) verdict {
		if groups[group] {
			return dropIt
		}
		return keepIt
	}}
	if err := d.partition(ctx, part); err != nil {
		return 0, fmt.Errorf("drop partition %d: %w", part, err)
	}
	for _, space := range []byte{keys.RowGroups, keys.Pages} {
		from, to := partitionRange(space, part)
		if err := f.db.store.Compact(ctx, from, to, false); err != nil {
			return 0, fmt.Errorf("compact partition %d: %w", part, err)
		}
	}
	return freed, f.db.failure()
}

// partitionRange returns the keys of a partition in a space.
func partitionRange(space byte, part int64) (from, to []byte) {
	return keys.Block{Partition: part, First: minInstant}.Append(nil, space), keys.Block{Partition: part + 1, First: minInstant}.Append(nil, space)
}
