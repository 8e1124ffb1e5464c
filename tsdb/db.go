package tsdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A DB is an open store.
//
// It owns two goroutines, from Open to Close: the committer, which alone changes what is
// active in the head, and the flusher, which alone changes row groups.
type DB struct {
	options Options
	dir     string
	store   *pebble.DB
	unlock  func() error
	epoch   uint64
	records *records
	columns *columns
	scanner scan.Scanner
	damage  *damages

	applied atomic.Uint64 // position of the last visible entry
	flushed atomic.Uint64 // position of the last entry in row groups
	mark    flushMark
	fatal   atomic.Pointer[error]
	failed  chan struct{} // closed by fail
	closing chan struct{} // closed when Close begins
	told    signals
	serving atomic.Bool // Open is through: a failure has to be told, not returned
	stats   counters

	// held: a consumer keeps the log longer than it would be.
	held atomic.Bool

	gate      *gate
	bell      bell
	cursors   cursors
	series    census
	losses    losses
	floor     *floor
	failures  *failures
	warnings  warnings
	committer *committer
	flusher   *flusher

	// commit is held while a commit group is built, written and applied, and while the
	// head is frozen: a flush position is always the end of a commit group.
	commit struct {
		sync.Mutex
		gen       uint64 // of the head
		dirty     []*head.Record
		frozen    []*head.Record // of the generation before, while it is not written
		bytes     int64          // memory of the active head
		logBytes  int64          // of the log since the head was frozen
		tombs     int64          // deletes since then
		expires   int64          // least expiry of a set since then; 0: none has one
		nextGroup uint64
		log       keeper
		behind    bool // too much waits to be written as tables
		full      bool // the gate is shut: see checkHead
	}

	// calls counts the callers inside, so that Close can wait for them. A lock would
	// forbid a callback to call the DB again.
	calls struct {
		sync.Mutex
		inside int
		closed bool
		empty  chan struct{} // closed when closed and nobody is inside
	}
	closeOnce sync.Once
	closeErr  error
	backing   sync.Mutex // held while a backup runs
}

type counters struct {
	sets, points, syncs, flushes atomic.Int64
	head                         atomic.Int64 // memory of rows, active and frozen
	aboveCeiling                 atomic.Bool  // and nothing is left to drop
}

// Open opens the store in dir, makes it when there is none, and replays what the log has
// beyond the flush position. It fails with ErrLocked when another process has it open, and
// with ErrVersion when a newer program wrote it. Damage that keeps it from opening is told and
// repaired first, as [Repair] does, and so is what a crash left of a repair, unless Options say not to.
func Open(dir string, o Options) (*DB, error) {
	db, err := open(dir, o)
	if err = corrupt(err); !errors.Is(err, ErrCorrupt) || o.NoRepair {
		return db, err
	}
	tell := func(err error) {
		if o.Events.Damaged != nil {
			o.Events.Damaged(err)
		}
	}
	tell(err)
	r, failed := Repair(context.Background(), dir, o)
	if failed != nil {
		return nil, fmt.Errorf("%w; it cannot be repaired: %w", err, failed)
	}
	for _, l := range r.Lost {
		tell(fmt.Errorf("%w: %s", ErrCorrupt, l))
	}
	return open(dir, o)
}

func open(dir string, o Options) (_ *DB, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	db := &DB{options: o, dir: dir, gate: newGate(o.PendingBytes, o.HeadBytes), failed: make(chan struct{}), closing: make(chan struct{}),
		told: signals{written: make(chan struct{}, 1), torn: make(chan error, 1)}}
	db.gate.near = func(pending int64) {
		db.warnings.tell(db, LimitInfo{Limit: LimitPendingBytes, Value: pending, Max: o.PendingBytes})
	}
	db.floor, db.failures = newFloor(&o, dir), newFailures(&o)
	o.FS = &logFS{FS: o.FS, dir: dir, failed: db.fail, table: func() { db.failures.wait(db.closing) }, dead: func() bool { return db.failure() != nil }}
	if err := o.FS.RemoveAll(o.FS.PathJoin(dir, stagingDir)); err != nil { // of a backup that did not end
		return nil, fmt.Errorf("clear %s: %w", stagingDir, err)
	}
	if err := unfinished(o.FS, dir); err != nil {
		return nil, err
	}
	db.damage = newDamages(o.FS, o.Events)
	db.damage.torn = db.told.tear
	db.store, db.unlock, err = openStore(dir, o, &db.serving, db.told, db.fail, db.damage, db.failures)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.store.Close(), db.unlock())
		}
	}()
	random := o.Random
	if random == nil {
		random = rand.Reader
	}
	var flush flushState
	db.epoch, flush, err = loadMeta(db.store, random, db.commitBatch)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	db.applied.Store(uint64(flush.position))
	db.flushed.Store(uint64(flush.position))
	db.mark.set(&flush)
	db.options.LogMax = logMax(db.options, dir)
	db.commit.gen, db.commit.nextGroup = 1, flush.nextGroup
	if err := errors.Join(db.commit.log.load(db.store), db.cursors.load(db.store, flush.logFirst), db.series.load(db), db.losses.load(db.store)); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	db.columns = newColumns(db)
	db.records = newRecords(db.store, &db.applied, db.options.CatalogBytes)
	if err := db.replay(flush); err != nil {
		return nil, fmt.Errorf("replay the log of %s: %w", dir, err)
	}
	db.floor.look(0)
	db.serving.Store(true)
	db.records.crowded.Store(max(1, db.options.CatalogBytes))
	if err := db.failure(); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	owing, err := readOwed(db.store)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	db.flusher = startFlusher(db, flush, owing)
	db.committer = startCommitter(db)
	db.wakeFlusher()
	return db, nil
}

// Position returns the position of the last visible entry.
func (db *DB) Position() model.Position { return model.Position(db.applied.Load()) }

// Epoch identifies this history of the log: positions of different epochs do not compare.
func (db *DB) Epoch() uint64 { return db.epoch }

// Flush writes the head as row groups. It is not needed for durability.
func (db *DB) Flush(ctx context.Context) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	return db.flusher.flush(ctx)
}

// enter keeps Close waiting until leave; it fails once the DB is closed.
func (db *DB) enter() error {
	db.calls.Lock()
	defer db.calls.Unlock()
	if db.calls.closed {
		return ErrClosed
	}
	if err := db.failure(); err != nil {
		return err
	}
	db.calls.inside++
	return nil
}

func (db *DB) leave() {
	db.calls.Lock()
	defer db.calls.Unlock()
	db.calls.inside--
	if db.calls.closed && db.calls.inside == 0 {
		close(db.calls.empty)
	}
}

// refuse turns new callers away and waits for those inside.
func (db *DB) refuse() {
	db.calls.Lock()
	db.calls.closed = true
	db.calls.empty = make(chan struct{})
	if db.calls.inside == 0 {
		close(db.calls.empty)
	}
	db.calls.Unlock()
	<-db.calls.empty
}

// fail is where a store that cannot be written any more ends: who waits is told, who comes
// is refused, and Events.Fatal ends the process. Only the first failure is told. It is called
// by Pebble too, from any goroutine and with locks of its own held.
func (db *DB) fail(err error) {
	if !db.fatal.CompareAndSwap(nil, &err) {
		return
	}
	close(db.failed)
	db.gate.close(err)
	switch {
	case !db.serving.Load():
	case db.options.Events.Fatal != nil:
		db.options.Events.Fatal(err)
	default:
		panic(err)
	}
}

// failure returns what fail was first called with, or nil.
func (db *DB) failure() error {
	if err := db.fatal.Load(); err != nil {
		return *err
	}
	return nil
}

// commitBatch commits and closes b. Every batch is committed here, because Pebble does not
// say that its log has failed.
func (db *DB) commitBatch(b *pebble.Batch, o *pebble.WriteOptions) error {
	err := b.Commit(o)
	return errors.Join(err, b.Close(), db.failure())
}

// Close waits for the calls that are running, refuses new ones, flushes, joins what is left
// small, and closes the store. It drains against the direction of the data: writers first,
// files last. After a failure of the log it writes nothing and returns the failure.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		close(db.closing)
		db.gate.close(ErrClosed)
		db.refuse()
		db.committer.close()
		db.at(AtClose)
		db.closeErr = errors.Join(db.flusher.close(), db.flushStore(), db.store.Close(), db.unlock())
	})
	return db.closeErr
}

// closeTries is how often background work may fail before Close does without it.
const closeTries = 3

// flushStore writes Pebble's memtables, so that the next Open replays nothing.
func (db *DB) flushStore() error {
	flushed, err := db.store.AsyncFlush()
	if err != nil {
		return fmt.Errorf("flush the store: %w", err)
	}
	before, more := db.failures.so()
	for {
		select {
		case <-flushed:
			return db.failure()
		case <-db.failed: // Pebble would try for ever
			return db.failure()
		case <-more: // likewise; what is not flushed is in the log, and the next start reads it
			var now int64
			if now, more = db.failures.so(); now-before >= closeTries {
				return errors.New("tsdb: the store cannot be flushed, the next start reads its log")
			}
		}
	}
}

// Stats returns counters and gauges.
func (db *DB) Stats() Stats {
	s := Stats{
		Position:     db.Position(),
		Flushed:      model.Position(db.flushed.Load()),
		Sets:         db.stats.sets.Load(),
		Points:       db.stats.points.Load(),
		Syncs:        db.stats.syncs.Load(),
		Flushes:      db.stats.flushes.Load(),
		HeadBytes:    db.stats.head.Load(),
		Entities:     db.records.count.Load(),
		CatalogBytes: db.records.bytes.Load(),
		ColumnsBytes: db.columns.bytes.Load(),
	}
	db.commit.Lock()
	written := db.commit.log.total
	db.commit.Unlock()
	db.floor.look(written)
	s.FreeBytes, s.NoSpace = db.floor.free.Load(), db.floor.low.Load()
	s.AboveCeiling = db.stats.aboveCeiling.Load()
	s.Failures, _ = db.failures.so()
	db.losses.mu.Lock()
	s.Losses = int64(len(db.losses.rows))
	db.losses.mu.Unlock()
	s.Series, s.Near = db.series.count(), db.warnings.counts()
	db.commit.Lock()
	s.LogBytes = db.commit.logBytes
	s.LogKept = db.commit.log.kept()
	s.Consumers = db.consumersLocked()
	db.commit.Unlock()
	if db.enter() == nil {
		s.DiskBytes = int64(db.store.Metrics().DiskSpaceUsage())
		db.leave()
	}
	return s
}
