package tsdb

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// replay applies what the log has behind the flush position, as the committer did. Entries
// of one entity are applied in order, by one of several workers; between entities the order
// changes nothing.
func (db *DB) replay(flush flushState) (err error) {
	iter, err := db.store.NewIter(logRange(flush.position + 1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	workers := make([]*replayer, min(runtime.GOMAXPROCS(0), 4))
	var running errgroup.Group
	var rare sync.Mutex
	for i := range workers {
		r := &replayer{db: db, rare: &rare, number: i, of: len(workers), groups: make(chan logGroup, 4)}
		workers[i] = r
		running.Go(r.run)
	}
	last := flush.position
	for iter.First(); iter.Valid() && err == nil; iter.Next() {
		var g logGroup
		if g, err = readGroup(iter); err != nil {
			break
		}
		db.at(AtRecovery)
		for _, r := range workers {
			r.groups <- g
		}
		last = g.last
		db.grow(last, int64(len(g.entries)))
	}
	for _, r := range workers {
		close(r.groups)
	}
	if err := errors.Join(err, iter.Error(), running.Wait()); err != nil {
		return err
	}
	for _, r := range workers {
		db.commit.bytes += r.grown
		db.stats.head.Add(r.grown)
		db.commit.dirty = append(db.commit.dirty, r.dirty...)
		db.mortal(r.expires)
	}
	db.applied.Store(uint64(last))
	return nil
}

// A logGroup is a commit group with bytes of its own.
type logGroup struct {
	first, last model.Position
	entries     []byte
}

func readGroup(iter *pebble.Iterator) (g logGroup, err error) {
	if g.first, err = keys.ParseLog(iter.Key()); err != nil {
		return g, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	value, err := iter.ValueAndErr()
	if err != nil {
		return g, err
	}
	g.entries = bytes.Clone(value)
	err = entry.Each(g.first, g.entries, func(p model.Position, _ []byte) error {
		g.last = p
		return nil
	})
	if err != nil {
		return g, fmt.Errorf("%w: log group at position %d: %w", ErrCorrupt, g.first, err)
	}
	return g, nil
}

// logRange begins at a position: before it lie range tombstones, which a walk from the
// beginning would have to cross.
func logRange(from model.Position) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: keys.AppendLog(nil, from), UpperBound: []byte{keys.Log + 1}}
}

// A replayer applies the entries of some of the entities. It keeps what is needed from one
// entry to the next.
type replayer struct {
	db         *DB
	rare       *sync.Mutex // held for entries that are not sets
	number, of int
	groups     chan logGroup
	set        entry.Set
	times      []int64
	rec        *head.Record // of the last set, pinned
	grown      int64
	expires    int64
	dirty      []*head.Record
}

// run applies groups until there are no more. After an error it only empties the channel, so
// that whoever fills it is not held up.
func (r *replayer) run() (err error) {
	defer r.hold(nil)
	for g := range r.groups {
		if err != nil {
			continue
		}
		err = entry.Each(g.first, g.entries, r.entry)
		if err != nil {
			err = fmt.Errorf("log group at position %d: %w", g.first, err)
		}
	}
	return err
}

// hold makes rec the one that is pinned.
func (r *replayer) hold(rec *head.Record) {
	if r.rec != nil {
		r.rec.Unpin()
	}
	r.rec = rec
}

// mine reports whether the entity's entries are this worker's.
func (r *replayer) mine(entity model.EntityID) bool {
	h := uint64(14695981039346656037) // FNV-1a: random ids or counted ones, the load is even
	for _, b := range entity {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return int(h>>32)%r.of == r.number
}

func (r *replayer) entry(p model.Position, b []byte) error {
	kind, series, err := entry.Head(b)
	if err != nil || !r.mine(series.Entity) {
		return err
	}
	if kind != entry.KindSet {
		r.rare.Lock()
		defer r.rare.Unlock()
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
	r.grown += grown
	r.expires = catalog.Sooner(r.expires, r.set.Expires())
	if first {
		r.dirty = append(r.dirty, r.rec)
	}
	return nil
}
