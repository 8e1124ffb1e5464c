package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// An ExpireReport counts what retention took.
type ExpireReport struct {
	Partitions int // dropped whole, for every group
	Dropped    int // groups of a partition dropped without being read, those among them
	Trimmed    int // groups of which a part went or was hidden
	Took       time.Duration
	Before     int64 // no cutoff lies behind this instant, ms
}

// Expire flushes, then deletes what Options.Retention does not keep: what is older than the
// last midnight UTC before now less the time kept, and all but the newest versions. Groups
// whose life ended with a partition are dropped from it without being read; row groups that
// are too old as a whole go; the rest of what is too old is hidden, by tombs that expire,
// until it goes too. Latest values stay. The flusher calls it every hour.
//
// It is no entry of the log: like a join it follows from what is stored. So a follower sees
// nothing of it, and a replay needs nothing of it.
func (db *DB) Expire(ctx context.Context) (ExpireReport, error) {
	if err := db.enter(); err != nil {
		return ExpireReport{}, err
	}
	defer db.leave()
	if db.options.Retention == nil {
		return ExpireReport{}, nil
	}
	return db.flusher.expire(ctx, db.options.Retention, db.options.Now().UnixMilli())
}

// lives is what retention says of the groups there are; those without an end are left out.
type lives struct {
	groups map[uint64]life
	last   int64 // no end lies behind it
}

// A life says when points of a group are too old.
type life struct {
	first, last int64 // of the columns' cutoffs, ms
	columns     int
	versions    int // the least a column keeps; 0: all do
}

const noCutoff = math.MinInt64

// cutoffOf returns before when points are too old, or noCutoff.
func cutoffOf(keep model.Keep, now int64) int64 {
	if keep.Time <= 0 {
		return noCutoff
	}
	at := now - keep.Time
	return at - (at%dayLength+dayLength)%dayLength
}

const dayLength = int64(24 * time.Hour / time.Millisecond)

func lifeOf(n *catalog.Names, retention model.Retention, now int64) life {
	l := life{first: math.MaxInt64, last: noCutoff, columns: len(n.Columns)}
	for _, name := range n.Columns {
		keep := retention(n.Series.Tenant, n.Series.Entity, n.Series.Scope, name)
		cut := cutoffOf(keep, now)
		l.first, l.last = min(l.first, cut), max(l.last, cut)
		if keep.Versions > 0 && (l.versions == 0 || keep.Versions < l.versions) {
			l.versions = keep.Versions
		}
	}
	return l
}

// readLives asks retention for every group of the store.
func readLives(ctx context.Context, store pebble.Reader, retention model.Retention, now int64) (l lives, err error) {
	l = lives{groups: map[uint64]life{}, last: noCutoff}
	err = eachNames(ctx, store, func(group uint64, n *catalog.Names) error {
		if one := lifeOf(n, retention, now); one.last > noCutoff || one.versions > 0 {
			l.groups[group] = one
			l.last = max(l.last, one.last)
		}
		return nil
	})
	return l, err
}

// eachNames calls fn with the names of every group.
func eachNames(ctx context.Context, store pebble.Reader, fn func(uint64, *catalog.Names) error) (err error) {
	iter, err := store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.Names}, UpperBound: []byte{keys.Names + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		group, err := keys.ParseGroup(iter.Key())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		names, err := catalog.ParseNames(value)
		if err != nil {
			return fmt.Errorf("%w: names of group %d: %w", ErrCorrupt, group, err)
		}
		if err := fn(group, &names); err != nil {
			return err
		}
	}
	return iter.Error()
}

// expire does what Expire says. It holds the flusher for a batch at a time.
func (f *flusher) expire(ctx context.Context, retention model.Retention, now int64) (r ExpireReport, err error) {
	began := f.db.options.Now()
	if err := f.flush(ctx); err != nil {
		return r, err
	}
	l, err := readLives(ctx, f.db.store, retention, now)
	if err != nil {
		return r, fmt.Errorf("ask for the life of series: %w", err)
	}
	r.Before = l.last
	trim, err := f.dropPartitions(ctx, &r, l.last, func(group uint64, part int64) verdict {
		one, ok := l.groups[group]
		switch start := part * rowgroup.PartitionMillis; {
		case ok && one.first >= start+rowgroup.PartitionMillis:
			return dropIt
		case ok && one.last > start:
			return trimIt
		}
		return keepIt
	}, func(group uint64, first int64) bool { return first < l.groups[group].last })
	if err != nil {
		return r, err
	}
	if err := f.eachKept(func(group uint64) { // may have revisions where it has no points
		if _, ok := l.groups[group]; ok {
			trim[group] = struct{}{}
		}
	}); err != nil {
		return r, err
	}
	for group, one := range l.groups {
		if one.versions > 0 {
			trim[group] = struct{}{}
		}
	}
	t := trimmer{f: f, retention: retention, now: now, lives: &l}
	for group := range trim {
		t.groups = append(t.groups, group)
	}
	if r.Trimmed, err = t.run(ctx); err != nil {
		return r, err
	}
	r.Took = f.db.options.Now().Sub(began)
	if r.Dropped+r.Trimmed == 0 {
		return r, nil
	}
	return r, f.sync()
}

// eachKept calls fn with the groups that have revisions.
func (f *flusher) eachKept(fn func(group uint64)) (err error) {
	iter, err := f.db.store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.Revisions}, UpperBound: []byte{keys.Revisions + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; {
		k, err := keys.ParseRevision(iter.Key())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		fn(k.Group)
		ok = iter.SeekGE(keys.AppendRevisionsEnd(nil, k.Group, catalog.MaxColumns))
	}
	return iter.Error()
}

// sync makes durable what was committed before it.
func (f *flusher) sync() (err error) {
	f.run.Lock()
	defer f.run.Unlock()
	w := newFlushWriter(f.db)
	defer func() { err = errors.Join(err, w.close()) }()
	return w.commit(&f.run.state, pebble.Sync)
}
