package tsdb

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// records is the memory of the catalog: the records of the entities written or read lately,
// loaded when first asked for. Whoever holds one has pinned it and unpins it when done; a
// record that is idle and unpinned may be dropped.
type records struct {
	store  *pebble.DB
	shapes *catalog.Shapes
	// applied is the position of the last entry applied: a record not in memory has all of
	// its entries up to it in the store.
	applied *atomic.Uint64
	// loading is held to read by who reads a record from the store.
	loading sync.RWMutex
	seed    maphash.Seed
	bytes   atomic.Int64
	count   atomic.Int64
	shards  [64]shard

	limit int64 // of bytes; what is idle goes beyond it
	// crowded is at how many bytes whoever loads a record makes room: zero, nobody does, while
	// the log is replayed. It is an eighth of the limit above what was left last time, so a look at all records is paid
	// for by what was loaded since.
	crowded  atomic.Int64
	evicting sync.Mutex
}

type shard struct {
	mu struct {
		sync.Mutex
		records map[keys.Series]*head.Record
	}
}

func newRecords(store *pebble.DB, applied *atomic.Uint64, limit int64) *records {
	t := &records{limit: limit, store: store, shapes: new(catalog.Shapes), applied: applied, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].mu.records = map[keys.Series]*head.Record{}
	}
	return t
}

func (t *records) shard(s keys.Series) *shard {
	h := maphash.Bytes(t.seed, s.Entity[:])
	return &t.shards[h%uint64(len(t.shards))]
}

// get returns the record of s, loading it if need be, pinned.
func (t *records) get(s keys.Series) (*head.Record, error) {
	sh := t.shard(s)
	sh.mu.Lock()
	r, ok := sh.mu.records[s]
	if ok {
		r.Pin()
		sh.mu.Unlock()
		<-r.Ready
	} else {
		r = head.NewRecord(s)
		r.Pin()
		r.Last = model.Position(t.applied.Load())
		sh.mu.records[s] = r
		sh.mu.Unlock()
		t.load(sh, r)
	}
	if r.Err != nil {
		r.Unpin()
		return nil, r.Err
	}
	return r, nil
}

// peek returns the record of s, pinned, if it is in memory.
func (t *records) peek(s keys.Series) *head.Record {
	sh := t.shard(s)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.mu.records[s]
	if r == nil || !isReady(r) || r.Err != nil {
		return nil
	}
	r.Pin()
	return r
}

// each calls fn with the records in memory, under their locks.
func (t *records) each(fn func(*head.Record)) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, r := range sh.mu.records {
			if isReady(r) && r.Err == nil {
				r.RLock()
				fn(r)
				r.RUnlock()
			}
		}
		sh.mu.Unlock()
	}
}

func (t *records) load(sh *shard, r *head.Record) {
	t.loading.RLock()
	groups, err := t.read(r.Series)
	t.loading.RUnlock()
	if err != nil {
		r.Err = fmt.Errorf("load %s series of entity %s: %w", r.Series.Scope, r.Series.Entity, err)
		sh.mu.Lock()
		delete(sh.mu.records, r.Series)
		sh.mu.Unlock()
	} else {
		r.Groups = groups
		r.Loaded()
		r.Size = r.Bytes()
		t.bytes.Add(r.Size)
		t.count.Add(1)
	}
	close(r.Ready)
	if at := t.crowded.Load(); at > 0 && t.bytes.Load() > at {
		t.makeRoom()
	}
}

// read reads the groups of s from the store.
func (t *records) read(s keys.Series) (groups []*head.Group, err error) {
	prefix := keys.AppendSeries(nil, s)
	upper := keys.AppendSeries(nil, keys.Series{Tenant: s.Tenant, Entity: s.Entity, Scope: s.Scope + 1})
	iter, err := t.store.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for iter.First(); iter.Valid(); iter.Next() {
		ref, perr := catalog.ParseRef(iter.Value())
		if perr != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrCorrupt, perr), iter.Close())
		}
		if !slices.Contains(numbers, ref.Group) {
			numbers = append(numbers, ref.Group)
		}
	}
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		return nil, err
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		g, err := t.readGroup(number)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func (t *records) readGroup(number uint64) (*head.Group, error) {
	var g *head.Group
	found, err := get(t.store, keys.AppendNames(nil, number), func(b []byte) error {
		names, err := catalog.ParseNames(b)
		if err == nil {
			g = head.NewGroup(number, t.shapes.Get(names.Columns))
		}
		return err
	})
	if err := groupRow("names", number, found, err); err != nil {
		return nil, err
	}
	found, err = get(t.store, keys.AppendState(nil, number), func(b []byte) error {
		return g.State.Parse(b)
	})
	if err == nil && found && len(g.State.Latest) != len(g.Shape.Names) {
		err = fmt.Errorf("%w: %d latest values of %d keys", catalog.ErrRow, len(g.State.Latest), len(g.Shape.Names))
	}
	if err := groupRow("state", number, found, err); err != nil {
		return nil, err
	}
	g.Restored()
	return g, nil
}

// groupRow words the failure to read a row of a group that the catalog names: it is damaged
// when it is not there or makes no sense, not when the disk did not answer.
func groupRow(what string, group uint64, found bool, err error) error {
	switch {
	case err == nil && found:
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s of group %d: there is none", ErrCorrupt, what, group)
	case errors.Is(err, catalog.ErrRow), pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %s of group %d: %w", ErrCorrupt, what, group, err)
	}
	return fmt.Errorf("%s of group %d: %w", what, group, err)
}

// grow accounts for a group of shape that a record got. Its lock must be held.
func (t *records) grow(r *head.Record, shape *catalog.Shape) {
	size := int64(260 + 96*len(shape.Names))
	t.bytes.Add(size)
	r.Size += size
}

// resize accounts for a record that got more groups. Its lock must be held.
func (t *records) resize(r *head.Record) {
	size := r.Bytes()
	t.bytes.Add(size - r.Size)
	r.Size = size
}

// makeRoom drops idle records until the rest takes less than the limit, an eighth less.
func (t *records) makeRoom() {
	if !t.evicting.TryLock() {
		return // somebody does
	}
	defer t.evicting.Unlock()
	t.evict(t.limit - t.limit/8)
	if t.crowded.Load() > 0 {
		t.crowded.Store(max(1, t.limit, t.bytes.Load()+t.limit/8))
	}
}

// evict drops idle records until the rest takes at most limit bytes.
func (t *records) evict(limit int64) {
	for round := 0; round < 2 && t.bytes.Load() > limit; round++ {
		for i := range t.shards {
			sh := &t.shards[i]
			sh.mu.Lock()
			for s, r := range sh.mu.records {
				if t.bytes.Load() <= limit {
					break
				}
				if !isReady(r) || !r.TryRLock() {
					continue
				}
				idle, size := r.Idle(), r.Size
				r.RUnlock()
				if idle {
					delete(sh.mu.records, s)
					t.bytes.Add(-size)
					t.count.Add(-1)
				}
			}
			sh.mu.Unlock()
		}
	}
}

func isReady(r *head.Record) bool {
	select {
	case <-r.Ready:
		return true
	default:
		return false
	}
}
