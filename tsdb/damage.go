package tsdb

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// damages is what is known of damage on disk: which spans of keys the store cannot read, and
// what has been told. A read that meets damage in a table asks it where to go on.
type damages struct {
	fs     vfs.FS
	tell   func(error)
	torn   func(error)               // wants what is around the data of a table mended; may be nil
	known  atomic.Pointer[[]keySpan] // damaged spans
	frames frames                    // of the tables Pebble has opened
	last   atomic.Pointer[error]     // the error that was learned from last
	taken  atomic.Pointer[[]keySpan] // what was taken away of tables, from snapshots too, and is not settled
	mends  atomic.Int64              // how often taken has changed

	mu struct {
		sync.Mutex
		told map[string]bool // places and tables
	}
}

func newDamages(fs vfs.FS, e Events) *damages {
	d := &damages{fs: fs, tell: e.Damaged}
	d.mu.told = map[string]bool{}
	return d
}

// met is called by Pebble, with locks of its own held, when a block of a table does not verify:
// whoever reads next finds out what was in it, but a compaction has nobody else to tell.
func (d *damages) met(info pebble.DataCorruptionInfo) {
	if d.first(info.Path) {
		d.tell(fmt.Errorf("%w: %s", ErrCorrupt, info))
	}
}

// first reports whether somebody is to be told of what bears a name: nobody was yet.
func (d *damages) first(name string) bool {
	if d.tell == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	told := d.mu.told[name]
	if len(d.mu.told) < maxTold {
		d.mu.told[name] = true
	}
	return !told
}

// table tells of a damaged table, once.
func (d *damages) table(name string, damage error) {
	if d.first(name) {
		d.tell(fmt.Errorf("%w: table %s, of which a backup has a copy: %w", ErrCorrupt, name, damage))
	}
}

// learn finds out which spans of keys an error of Pebble is about; false when it is about no
// table, or nothing new came out.
func (d *damages) learn(err error) bool {
	info := pebble.ExtractDataCorruptionInfo(err)
	if info == nil {
		return false
	}
	d.last.Store(&err)
	spans, whole := d.spansIn(*info)
	if whole && d.torn != nil {
		d.torn(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.spans()
	all := mergeSpans(append(slices.Clone(old), spans...))
	d.known.Store(&all)
	return !slices.EqualFunc(old, all, func(a, b keySpan) bool { return bytes.Equal(a.start, b.start) && bytes.Equal(a.end, b.end) })
}

// spansIn returns the damaged spans of a table, which is the part of a file within bounds. Whole
// says that it cannot be told which they are. None are known of a table that the disk does not give.
func (d *damages) spansIn(info pebble.DataCorruptionInfo) (within []keySpan, whole bool) {
	bounds := keySpan{info.Bounds.Start, afterKey(info.Bounds.End.Key)}
	spans, _, err := damagedSpans(d.fs, info.Path)
	if errors.Is(err, errUnread) {
		return nil, false
	}
	if err != nil {
		return []keySpan{bounds}, true
	}
	for _, s := range spans {
		if bytes.Compare(s.start, bounds.start) < 0 {
			s.start = bounds.start
		}
		if bytes.Compare(s.end, bounds.end) > 0 {
			s.end = bounds.end
		}
		if bytes.Compare(s.start, s.end) < 0 {
			within = append(within, s)
		}
	}
	return within, false
}

// forget takes spans that are not damaged any more from those that are known.
func (d *damages) forget(mended []keySpan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(d.spans()), func(s keySpan) bool {
		return slices.ContainsFunc(mended, func(m keySpan) bool { _, ok := s.within(m); return ok })
	})
	d.known.Store(&left)
}

// takes says which spans are about to be taken away, for whoever reads them until they are settled.
func (d *damages) takes(spans []keySpan) {
	d.taken.Store(&spans)
	d.mends.Add(1)
}

// settled says that what was taken away is lost, and told, or there again.
func (d *damages) settled() {
	d.mends.Add(1)
	d.taken.Store(nil)
}

// mendedSince reports whether something was taken away in any moment since mends was what it
// was, and has not come to rest before, and what of it is not settled now.
func (d *damages) mendedSince(mends int64) (unsettled []keySpan, meanwhile bool) {
	if taken := d.taken.Load(); taken != nil { // before mends, which is raised before this is forgotten
		unsettled = *taken
	}
	return unsettled, d.mends.Load() != mends
}

// mergeSpans sorts spans and puts together those that touch.
func mergeSpans(spans []keySpan) []keySpan {
	slices.SortFunc(spans, func(a, b keySpan) int { return bytes.Compare(a.start, b.start) })
	var all []keySpan
	for _, s := range spans {
		if n := len(all); n > 0 && bytes.Compare(s.start, all[n-1].end) <= 0 {
			if bytes.Compare(s.end, all[n-1].end) > 0 {
				all[n-1].end = s.end
			}
			continue
		}
		all = append(all, s)
	}
	return all
}

// spans returns the damaged spans that are known, apart from each other and in order.
func (d *damages) spans() []keySpan {
	if known := d.known.Load(); known != nil {
		return *known
	}
	return nil
}

// cause returns an error of damage that is known, for whoever did not look again.
func (d *damages) cause() error {
	if last := d.last.Load(); last != nil {
		return *last
	}
	return ErrCorrupt
}

// island returns the damaged spans next to key, or the one it lies in.
func (d *damages) island(key []byte) (i island, in *keySpan) {
	known := d.spans()
	for k := range known {
		s := &known[k]
		switch {
		case s.holds(key):
			return i, s
		case bytes.Compare(s.end, key) <= 0:
			i.below = s
		case i.above == nil:
			i.above = s
		}
	}
	return i, nil
}

// once tells of a damaged place unless that has been done.
func (d *damages) once(place model.Damage) {
	if d.first(place.String()) {
		d.tell(&model.DamageError{Places: []model.Damage{place}})
	}
}

// maxTold bounds what is remembered of what has been told.
const maxTold = 100_000

// instants returns between which instants row groups or pages of group may stand in a span of
// keys of space; ok false when none may.
func (s keySpan) instants(space byte, group uint64) (from, to int64, ok bool) {
	lo, hi := blockAt(s.start, space), blockAt(s.end, space)
	from = lo.First
	switch {
	case lo.Group > group:
		lo.Partition = partitionAfter(lo.Partition)
		fallthrough
	case lo.Group < group:
		from = partitionStart(lo.Partition)
	}
	from = max(from, partitionStart(lo.Partition))
	to = max(hi.First, partitionStart(hi.Partition)) // a bound may end behind the group
	if len(s.end) > keys.BlockLen && s.end[0] == space {
		to = max(to, to+1) // and behind the key of a row group, which is in the span
	}
	switch {
	case hi.Group > group:
		to = partitionStart(partitionAfter(hi.Partition))
	case hi.Group < group:
		to = partitionStart(hi.Partition)
	}
	return from, to, from < to
}

// partitionAfter returns the partition behind one; behind the last there is none.
func partitionAfter(partition int64) int64 { return max(partition, partition+1) }

// partitionStart returns the first instant of a partition, or the end of time that is nearest.
func partitionStart(partition int64) int64 {
	const most = int64(1<<63-1) / rowgroup.PartitionMillis
	switch {
	case partition > most:
		return 1<<63 - 1
	case partition < -most:
		return minInstant
	}
	return partition * rowgroup.PartitionMillis
}

// blockAt reads the place a bound of a span stands for: it may be cut short, or be of another
// keyspace.
func blockAt(key []byte, space byte) keys.Block {
	switch {
	case len(key) == 0 || key[0] < space:
		return keys.Block{Partition: minInstant, First: minInstant}
	case key[0] > space:
		return keys.Block{Partition: 1<<63 - 1, Group: 1<<64 - 1, First: 1<<63 - 1}
	}
	full := make([]byte, keys.BlockLen)
	copy(full, key)
	b, err := keys.ParseBlock(full)
	if err != nil { // the keyspace is none of blocks: a bug
		panic(fmt.Sprintf("tsdb: bound %x in keyspace %c", key, space))
	}
	return b
}

// tellDamage turns what a scan of names noted into what the caller is told, and tells Events.
func (db *DB) tellDamage(rec *head.Record, names []string, err error) error {
	noted, ok := errors.AsType[*scan.DamageError](err)
	if !ok {
		return err
	}
	var told model.DamageError
	for i := range noted.Damage {
		n := &noted.Damage[i]
		place := model.Damage{
			Tenant: rec.Series.Tenant, Entity: rec.Series.Entity, Scope: rec.Series.Scope, From: n.From, To: n.To,
			Cause: fmt.Errorf("%w: %w", ErrCorrupt, n.Err),
		}
		rec.RLock()
		if g := rec.Group(n.Group); g != nil {
			place.Keys = slices.Sorted(slices.Values(g.Shape.Names))
		}
		rec.RUnlock()
		db.damage.once(place)
		if n.Page {
			continue
		}
		place.Keys = slices.DeleteFunc(slices.Clone(place.Keys), func(k string) bool { return !slices.Contains(names, k) })
		told.Places = append(told.Places, place)
	}
	if len(told.Places) == 0 {
		return nil
	}
	return &told
}
