package tsdb

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// replay applies what the log has behind the flush position, as the committer did.
func (db *DB) replay(flush flushState) error {
	iter, err := db.store.NewIter(logRange(flush.position + 1))
	if err != nil {
		return err
	}
	r := replayer{db: db}
	for iter.First(); iter.Valid(); iter.Next() {
		if err := r.group(iter); err != nil {
			return errors.Join(err, iter.Close())
		}
	}
	r.hold(nil)
	return errors.Join(iter.Error(), iter.Close())
}

// logRange begins at a position: before it lie range tombstones, which a walk from the
// beginning would have to cross.
func logRange(from model.Position) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: keys.AppendLog(nil, from), UpperBound: []byte{keys.Log + 1}}
}

// A replayer keeps what is needed from one entry to the next.
type replayer struct {
	db    *DB
	set   entry.Set
	times []int64
	rec   *head.Record // of the last set, pinned
}

// hold makes rec the one that is pinned.
func (r *replayer) hold(rec *head.Record) {
	if r.rec != nil {
		r.rec.Unpin()
	}
	r.rec = rec
}

func (r *replayer) group(iter *pebble.Iterator) error {
	db := r.db
	first, err := keys.ParseLog(iter.Key())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	value, err := iter.ValueAndErr()
	if err != nil {
		return err
	}
	last := first
	err = entry.Each(first, value, func(p model.Position, b []byte) error {
		last = p
		return r.entry(p, b)
	})
	if err != nil {
		return fmt.Errorf("%w: log group at position %d: %w", ErrCorrupt, first, err)
	}
	db.applied.Store(uint64(last))
	db.commit.logBytes += int64(len(value))
	db.stats.log.Add(int64(len(value)))
	db.mark(last)
	return nil
}

func (r *replayer) entry(p model.Position, b []byte) error {
	kind, series, err := entry.Head(b)
	if err != nil {
		return err
	}
	if kind != entry.KindSet {
		return r.db.applyRare(p, b, false)
	}
	if err := r.set.Parse(b, true); err != nil {
		return err
	}
	if r.rec == nil || r.rec.Series != series {
		rec, err := r.db.records.get(series)
		if err != nil {
			return err
		}
		r.hold(rec)
	}
	var grown int64
	var first bool
	r.rec.Lock()
	grown, first, r.times = r.rec.Apply(&r.set, p, r.db.commit.gen, r.times)
	r.rec.Unlock()
	r.db.account(r.rec, grown, first)
	return nil
}
