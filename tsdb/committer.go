package tsdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// maxGroup bounds a commit group: a giant import must not add its sync to everyone's.
const maxGroup = 1 << 20

// A committer orders what callers want and makes it durable, then visible. It owns one
// goroutine, from startCommitter until close returns. There is no timer: what arrives while
// one group is synced makes up the next.
type committer struct {
	db       *DB
	requests sync.Pool // of *request
	mu       struct {
		sync.Mutex
		queue  []*request
		closed bool
	}
	wake chan struct{} // capacity 1
	done sync.WaitGroup

	// Below: of the goroutine alone.
	group  []*request // in the log batch being built
	first  model.Position
	next   model.Position
	flight uint64 // number of the commit group
	buf    []byte
	times  []int64
	spare  []*request
}

func startCommitter(db *DB) *committer {
	c := &committer{db: db, wake: make(chan struct{}, 1)}
	c.done.Go(c.loop)
	return c
}

// put queues r; its done channel is sent to when it is over.
func (c *committer) put(r *request) {
	c.mu.Lock()
	c.mu.queue = append(c.mu.queue, r)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close waits until what is queued is committed. Nobody may put any more.
func (c *committer) close() {
	c.mu.Lock()
	c.mu.closed = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	c.done.Wait()
}

func (c *committer) loop() {
	for {
		c.mu.Lock()
		queue, closed := c.mu.queue, c.mu.closed
		c.mu.queue = c.spare[:0]
		c.mu.Unlock()
		c.spare = queue
		if len(queue) == 0 {
			if closed {
				return
			}
			<-c.wake
			continue
		}
		for rest := queue; len(rest) > 0; {
			rest = rest[c.commit(rest):]
		}
		clear(queue)
	}
}

// commit makes one group of the first requests and reports how many it took.
func (c *committer) commit(queue []*request) int {
	db := c.db
	db.commit.Lock()
	defer db.commit.Unlock()
	if err := db.failure(); err != nil {
		for _, r := range queue {
			r.err = err
			r.done <- struct{}{}
		}
		return len(queue)
	}
	c.begin()
	taken := 0
	for taken < len(queue) && len(c.buf) < db.options.tuning.commitGroup {
		r := queue[taken]
		alone := r.kind != entry.KindSet
		if alone && len(c.group) > 0 {
			break
		}
		ok, err := c.add(r)
		if err != nil {
			r.err = err
			r.done <- struct{}{}
			taken++
			continue
		}
		if !ok {
			break
		}
		taken++
		c.group = append(c.group, r)
		if alone {
			break
		}
	}
	if c.next > c.first {
		db.at(AtAppend)
		err := c.write()
		if err == nil {
			db.at(c.written())
			c.apply()
		}
		c.end(err)
		db.at(AtApply)
	}
	for _, r := range c.group {
		r.done <- struct{}{}
	}
	clear(c.group)
	return taken
}

func (c *committer) begin() {
	c.group = c.group[:0]
	c.first = model.Position(c.db.applied.Load()) + 1
	c.next = c.first
	c.flight++
	c.buf = append(c.buf[:0], entry.GroupVersion)
}

// add appends the entry of r, and those it needs before it, to the group. ok false means
// that the group has to be applied first.
func (c *committer) add(r *request) (ok bool, err error) {
	switch r.kind {
	case entry.KindSet:
		return c.addSet(r)
	case entry.KindDelete:
		return c.addDelete(r)
	}
	for _, id := range r.entities {
		e, err := c.db.eraseEntry(r.tenant, id)
		if err != nil {
			return false, err
		}
		c.addEntry(e.Append(nil), nil)
	}
	r.position = c.next - 1
	return true, nil
}

// addEntry appends an entry made of two pieces.
func (c *committer) addEntry(b, outcome []byte) {
	c.buf = binary.AppendUvarint(c.buf, uint64(len(b)+len(outcome)))
	c.buf = append(append(c.buf, b...), outcome...)
	c.next++
}

func (c *committer) addSet(r *request) (ok bool, err error) {
	if !r.complete || r.version != r.record.Version() {
		if err := c.define(r); err != nil {
			return false, err
		}
	}
	base, inOrder, ok := r.record.Fits(&r.view, c.flight)
	if !ok {
		return false, nil
	}
	var outcome []byte
	r.newest = r.newest[:0]
	switch {
	case r.view.Flags&entry.Arrival != 0:
		outcome = entry.AppendBase(nil, base)
		r.view.SetOutcome(base, nil)
	case inOrder:
		entry.SetFlags(r.entry, entry.InOrder)
		r.view.SetOutcome(0, nil)
	default:
		r.newest = r.view.AppendNewest(r.newest, func(section, column int) (int64, bool) {
			s := &r.view.Sections[section]
			g := r.record.Group(s.Group)
			if g == nil {
				return 0, false
			}
			l := g.Latest(int(s.Numbers[column]))
			return l.TS, l.Type != model.TypeNone
		})
		outcome = r.newest
		r.view.SetOutcome(0, r.newest)
	}
	c.addEntry(r.entry, outcome)
	r.position = c.next - 1
	return true, nil
}

// define encodes the set and makes groups for those of its keys that have no place: keys
// that first arrive together share a group. What is refused defines nothing.
func (c *committer) define(r *request) error {
	rec := r.record
	var fresh []string
	next := catalog.Ref{Group: c.db.commit.nextGroup}
	r.refs = r.refs[:0]
	for _, name := range r.set.Keys {
		ref, ok := rec.Find(name)
		if !ok {
			fresh = append(fresh, name)
			ref = next
			if next.Column++; next.Column == maxColumns {
				next = catalog.Ref{Group: next.Group + 1}
			}
		}
		r.refs = append(r.refs, ref)
	}
	if err := checkTwice(fresh); err != nil {
		return err
	}
	if err := c.db.admit(rec, fresh); err != nil {
		return err
	}
	if err := r.encode(c.db.options.Limits.SetBytes); err != nil {
		return err
	}
	if len(fresh) > 0 {
		c.db.nearKeys(r.set, fresh)
	}
	for names := range slices.Chunk(fresh, maxColumns) {
		d := entry.Define{Series: rec.Series, Group: c.db.commit.nextGroup, Names: names}
		c.addEntry(d.Append(nil), nil)
		c.db.applyDefine(rec, &d)
	}
	r.version, r.complete = rec.Version(), true
	return nil
}

func checkTwice(names []string) error {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return model.Invalidf("Key %.64q stands twice", name)
		}
		seen[name] = true
	}
	return nil
}

// write makes the group durable.
func (c *committer) write() error {
	batch := c.db.store.NewBatchWithSize(len(c.buf)+64, pebble.WithMaxRetainedSizeBytes(4*maxGroup))
	err := batch.Set(keys.AppendLog(make([]byte, 0, 16), c.first), c.buf, nil)
	if err == nil && c.db.cursors.changed.Load() {
		c.db.at(AtCursor)
		err = c.db.cursors.put(batch)
	}
	if err != nil {
		err = errors.Join(err, batch.Close())
	} else {
		options := pebble.Sync
		if canary.Planted(canary.SkipSync) {
			options = pebble.NoSync
		}
		err = c.db.commitBatch(batch, options)
	}
	if err != nil {
		return fmt.Errorf("write the log at position %d: %w", c.first, err)
	}
	return nil
}

// written says what has just become durable.
func (c *committer) written() Moment {
	if len(c.group) == 0 {
		return AtSync
	}
	switch c.group[0].kind {
	case entry.KindDelete:
		return AtDelete
	case entry.KindErase:
		return AtErase
	}
	return AtSync
}

// apply makes the group visible, in order.
func (c *committer) apply() {
	db := c.db
	for _, r := range c.group {
		switch r.kind {
		case entry.KindSet:
			var first bool
			var grown int64
			r.record.Lock()
			grown, first, c.times = r.record.Apply(&r.view, r.position, db.commit.gen, c.times)
			r.record.Unlock()
			db.account(r.record, grown, first)
			db.mortal(r.view.Expires())
			db.stats.sets.Add(1)
			db.stats.points.Add(int64(len(r.set.Cells)))
			db.columns.applied(r.record, &r.view, r.position)
			db.publishSet(&r.view, r.position, r.record)
		default:
			r.err = c.applyRare()
		}
	}
	if n := len(c.buf); cap(c.buf) > 4*maxGroup {
		c.buf = make([]byte, 0, n)
	}
}

// applyRare applies the entries of a delete or of removals, which are alone in their group;
// there may be none.
func (c *committer) applyRare() error {
	if c.next == c.first {
		return nil
	}
	return entry.Each(c.first, c.buf, func(p model.Position, e []byte) error { return c.db.applyRare(p, e, true) })
}

// end moves the position, or gives up.
func (c *committer) end(err error) {
	db := c.db
	if err != nil {
		for _, r := range c.group {
			r.err = err
		}
		db.fail(err) // what is in the log now is unknown: nothing may be acknowledged after it
		return
	}
	db.applied.Store(uint64(c.next - 1))
	db.bell.ring()
	db.floor.look(db.commit.log.total)
	db.stats.syncs.Add(1)
	db.grow(c.next-1, int64(len(c.buf)))
	db.checkHead()
	db.columns.sweep()
}

// account adds memory of rows, and puts a record on the list of this generation.
func (db *DB) account(r *head.Record, grown int64, first bool) {
	db.commit.bytes += grown
	db.stats.head.Add(grown)
	if first {
		db.commit.dirty = append(db.commit.dirty, r)
	}
}

// checkHead wakes the flusher when the active head is half of what is allowed, and holds
// writers back when the frozen half is not gone by then, or too much waits for the disk.
func (db *DB) checkHead() {
	db.nearHead()
	half := db.options.HeadBytes / 2
	headFull := db.commit.bytes >= half && db.stats.head.Load() >= db.options.HeadBytes
	if full := headFull || db.commit.behind; full != db.commit.full {
		db.commit.full = full
		db.gate.setFull(full)
	}
	if db.commit.bytes >= half || db.commit.tombs >= db.options.tuning.tombs || db.commit.logBytes >= db.options.behindFlush() {
		db.wakeFlusher()
	} else if db.commit.log.kept() >= db.options.LogMax {
		db.wakeFlusher()
	}
}

const maxTombs = 4096 // deletes in the head: reads walk them

func (db *DB) wakeFlusher() { db.flusher.wakeUp() }
