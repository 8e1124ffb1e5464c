package tsdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// Reclaiming makes physical what reads leave out already. What a group has to reclaim, and
// from when on, is told by its tail ([dueOf]). Whoever changes a tail, a flush or a reclaim,
// calls [flushWriter.newTail], which keeps the group's "owed" row in the same batch: so a
// start knows what there is to do without reading all states.
//
// The flusher does it in steps, each one batch of at most reclaimBudget row groups looked at,
// between flushes: [flusher.reclaimStep] takes the groups that are due, one after the other,
// and hands each to [flushWriter.reclaim], which asks [blocks.Placer.Reclaim] to go on where
// it stopped. A step moves the batch number and not the flush position.
const reclaimBudget = 64

// never is when a group is due that has nothing to reclaim.
const never = math.MaxInt64

// dueOf returns from when on, ms, a group has something to reclaim, or never.
func dueOf(t *catalog.Tail) int64 {
	switch {
	case blocks.Owes(t):
		return math.MinInt64
	case t.Expires != 0:
		return t.Expires
	}
	return never
}

// owed is when groups are due, those that ever are.
type owed struct {
	mu struct {
		sync.Mutex
		groups map[uint64]int64
		failed map[uint64]int64 // not tried again by itself
	}
}

// set takes over what a batch changed.
func (o *owed) set(changes map[uint64]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for group, due := range changes {
		delete(o.mu.failed, group)
		if due == never {
			delete(o.mu.groups, group)
		} else {
			o.mu.groups[group] = due
		}
	}
}

// take returns up to n groups that are due.
func (o *owed) take(now int64, n int) (groups []uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for group, due := range o.mu.groups {
		if due <= now && len(groups) < n {
			groups = append(groups, group)
		}
	}
	return groups
}

// of returns when a group is due.
func (o *owed) of(group uint64) int64 {
	due := int64(never)
	o.each(func(g uint64, at int64) {
		if g == group {
			due = at
		}
	})
	return due
}

// each calls fn with all groups there are rows of.
func (o *owed) each(fn func(group uint64, due int64)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for group, due := range o.mu.groups {
		fn(group, due)
	}
	for group, due := range o.mu.failed {
		fn(group, due)
	}
}

func (o *owed) any(now int64) bool { return len(o.take(now, 1)) > 0 }

// drop forgets a group until the next start.
func (o *owed) drop(group uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.mu.groups, group)
}

// fail leaves a group alone until retry.
func (o *owed) fail(group uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.failed == nil {
		o.mu.failed = map[uint64]int64{}
	}
	o.mu.failed[group] = o.mu.groups[group]
	delete(o.mu.groups, group)
}

// retry takes up again what has failed.
func (o *owed) retry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.Copy(o.mu.groups, o.mu.failed)
	clear(o.mu.failed)
}

// readOwed reads the rows of what is owed.
func readOwed(store pebble.Reader) (groups map[uint64]int64, err error) {
	groups = map[uint64]int64{}
	iter, err := store.NewIter(&pebble.IterOptions{
		LowerBound: keys.AppendOwed(nil, 0), UpperBound: append(keys.AppendOwed(nil, math.MaxUint64), 0),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		group, perr := keys.ParseOwed(iter.Key())
		due, n := binary.Varint(iter.Value())
		if perr != nil || n != len(iter.Value()) || n == 0 {
			return nil, fmt.Errorf("%w: what is to be reclaimed, %x", ErrCorrupt, iter.Key())
		}
		groups[group] = due
	}
	return groups, iter.Error()
}

// owe writes when a group is due, if that has changed.
func (w *flushWriter) owe(group uint64, before, after int64) error {
	if before == after {
		return nil
	}
	if w.owing == nil {
		w.owing = map[uint64]int64{}
	}
	w.owing[group] = after
	w.key = keys.AppendOwed(w.key[:0], group)
	if after == never {
		return w.batch.Delete(w.key, nil)
	}
	return w.batch.Set(w.key, binary.AppendVarint(nil, after), nil)
}

// Reclaim rewrites what holds deleted points, or points whose time to live has ended, all of
// it. The flusher does so in the background: it is not needed.
func (db *DB) Reclaim(ctx context.Context) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	db.flusher.owed.retry()
	for {
		left, err := db.flusher.outliveStep(ctx, db.options.Now().UnixMilli())
		if err != nil || !left {
			return err
		}
	}
}

// reclaimStep does one batch of reclaiming and reports whether more is due. A group that
// fails is left alone until the next start or Reclaim, so that it does not hold up the others.
func (f *flusher) reclaimStep(ctx context.Context, budget int, due, now int64) (left bool, err error) {
	f.run.Lock()
	defer f.run.Unlock()
	if err := errors.Join(f.db.failure(), ctx.Err()); err != nil {
		return false, err
	}
	groups := f.owed.take(due, budget)
	if len(groups) == 0 || f.run.frozen != nil {
		return false, nil
	}
	w := newFlushWriter(f.db)
	defer func() { err = errors.Join(err, w.close()) }()
	var failures error
	durable := pebble.NoSync
	for _, group := range groups {
		if budget <= 0 {
			break
		}
		n, outlived, err := w.reclaim(group, budget, due, now)
		if outlived {
			durable = pebble.Sync // readers see that points went: they must not come back
		}
		if err != nil {
			f.owed.fail(group)
			failures = errors.Join(failures, fmt.Errorf("reclaim group %d: %w", group, err))
			continue
		}
		budget -= max(1, n)
	}
	f.db.at(AtReclaim)
	if err := w.commit(&f.run.state, durable); err != nil {
		return false, fmt.Errorf("commit what was reclaimed: %w", err)
	}
	return f.owed.any(due), failures
}

// reclaim looks at up to budget row groups of a group, and at all in which points outlive
// their time to live, if that has ended at due. It reports how many it has, and whether it has
// changed what a reader sees.
func (w *flushWriter) reclaim(group uint64, budget int, due, now int64) (n int, outlived bool, err error) {
	rec, g, err := w.hold(group)
	if err != nil {
		return 0, false, err
	}
	if g == nil { // erased; the flush that is to come takes it away
		w.db.flusher.owed.drop(group)
		return 0, false, nil
	}
	p := w.placer(g)
	n, err = p.Reclaim(budget)
	if e := p.Tail.Expires; err == nil && e != 0 && e <= due {
		var more int
		outlived = true
		more, err = w.outlive(p, group, now)
		n += more
	}
	if err == nil {
		err = w.restructure(rec, g, p)
	}
	return n, outlived, errors.Join(err, p.Close())
}

// hold returns a group of the store with its record, in memory until the batch is committed;
// nil when it is gone.
func (w *flushWriter) hold(group uint64) (*head.Record, *head.Group, error) {
	var names catalog.Names
	found, err := get(w.db.store, keys.AppendNames(nil, group), func(b []byte) (err error) {
		names, err = catalog.ParseNames(b)
		return err
	})
	if err != nil || !found {
		return nil, nil, err
	}
	rec, err := w.db.records.get(names.Series)
	if err != nil {
		return nil, nil, err
	}
	w.pins = append(w.pins, rec)
	rec.RLock()
	defer rec.RUnlock()
	return rec, rec.Group(group), nil
}

// restructure writes what p has changed of a group outside a flush: the latest values stay
// those of the flush position.
func (w *flushWriter) restructure(rec *head.Record, g *head.Group, p *blocks.Placer) error {
	if err := w.put(p, g.ID); err != nil {
		return err
	}
	var s catalog.State
	key := keys.AppendState(nil, g.ID)
	found, err := get(w.db.store, key, s.Parse)
	if err != nil || !found {
		return fmt.Errorf("%w: state of group %d (%w)", ErrCorrupt, g.ID, err)
	}
	return w.setState(rec, g, p.Tail, &s)
}
