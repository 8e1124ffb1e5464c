package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A set may bring a time to live, which its points carry as the instant at which it ends. Who
// wrote a point last decides. When that instant is over nothing happens at once: the tail of
// a group knows the least one of the group, which makes the group due, and the flusher then
// drops what has ended, physically and without an entry of the log. Latest values stay.
//
// ttlSlack is how much later than its time to live a point may be dropped in the background:
// a group that gets such points all the time is gone through once in it, not for every point.
const ttlSlack = time.Hour

// outliveStep drops what has ended of the groups that are due at due, ms, and carries out
// what else they owe. What was written to a point before its time ended must count, so it
// flushes first; what is written after finds nothing.
func (f *flusher) outliveStep(ctx context.Context, due int64) (left bool, err error) {
	now := f.db.options.Now().UnixMilli()
	if f.owed.ends(due) || f.db.ends(due) {
		if err := f.flush(ctx); err != nil {
			return false, err
		}
	}
	return f.reclaimStep(ctx, reclaimBudget, due, now)
}

// mortal takes in an expiry of a set that was applied, unless it is 0. The commit lock must be
// held, or nobody else be there yet.
func (db *DB) mortal(at int64) { db.commit.expires = catalog.Sooner(db.commit.expires, at) }

// ends reports whether a time to live in the active head has ended at due.
func (db *DB) ends(due int64) bool {
	db.commit.Lock()
	defer db.commit.Unlock()
	return db.commit.expires != 0 && db.commit.expires <= due
}

// ends reports whether a time to live in the store has ended at due.
func (o *owed) ends(due int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, at := range o.mu.groups {
		if at > math.MinInt64 && at <= due {
			return true
		}
	}
	return false
}

// outlive drops the points of a group whose time to live has ended at now, and their revisions.
func (w *flushWriter) outlive(p *blocks.Placer, group uint64, now int64) (n int, err error) {
	var dropped [catalog.MaxColumns][]int64
	n, err = p.Outlive(now, func(column int, ts int64) { dropped[column] = append(dropped[column], ts) })
	if err != nil || !p.Tail.Kept {
		return n, err
	}
	for c := range dropped {
		slices.Sort(dropped[c])
	}
	return n, w.outliveRevisions(group, &p.Tail, now, &dropped)
}

// outliveRevisions removes the revisions of instants that were dropped, and the bad ones whose
// own time has ended.
func (w *flushWriter) outliveRevisions(group uint64, tail *catalog.Tail, now int64, dropped *[catalog.MaxColumns][]int64) (err error) {
	iter, err := w.db.store.NewIter(revisionRange(group))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		k, err := keys.ParseRevision(iter.Key())
		if err != nil || k.Column >= catalog.MaxColumns {
			return fmt.Errorf("%w: revision %x", ErrCorrupt, iter.Key())
		}
		_, gone := slices.BinarySearch(dropped[k.Column], k.TS)
		if !gone {
			r, err := parseRevision(k, iter)
			if err != nil {
				return err
			}
			if gone = r.Expires != 0 && r.Expires <= now; !gone {
				tail.Expire(r.Expires)
			}
		}
		if gone {
			if err := w.batch.Delete(iter.Key(), nil); err != nil {
				return err
			}
		}
	}
	return iter.Error()
}
