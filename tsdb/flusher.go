package tsdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A flusher turns the head into row groups. It owns one goroutine, from startFlusher until
// close returns, which flushes when it is woken and there is enough.
type flusher struct {
	db   *DB
	wake chan struct{} // capacity 1: a wake-up is never lost, never queued twice
	stop context.CancelFunc
	done sync.WaitGroup

	// run is held while a head is frozen and written.
	run struct {
		sync.Mutex
		state  flushState
		frozen *frozenHead // not written yet; kept when writing failed
	}
	owed    owed
	mending mending // guarded by run

	// Of the goroutine: the partition Events.DiskCeiling was last told of, when to look at the
	// disk again, and when to tell again that nothing is left to drop.
	warned    *int64
	lookAgain time.Time
	tellAgain time.Time
}

// A frozenHead is what one flush writes.
type frozenHead struct {
	records  []*head.Record
	gen      uint64 // the generation that began with the freeze
	state    flushState
	series   map[model.TenantID]int64 // counts that have changed
	bytes    int64
	logBytes int64
}

func startFlusher(db *DB, state flushState, groups map[uint64]int64) *flusher {
	ctx, stop := context.WithCancel(context.Background())
	f := &flusher{db: db, wake: make(chan struct{}, 1), stop: stop}
	f.owed.mu.groups = groups
	f.run.state = state
	f.done.Go(func() { f.loop(ctx) })
	return f
}

func (f *flusher) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// retryAfter is how long the flusher waits when a flush failed: what failed once may fail
// again at once, and what it has to write is kept.
const retryAfter = time.Second

func (f *flusher) loop(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	<-retry.C
	expire := time.NewTicker(f.db.options.ExpireEvery)
	defer expire.Stop()
	expiring := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-f.db.told.written:
			f.db.relieve()
		case torn := <-f.db.told.torn:
			if err := f.mendTorn(torn); err != nil {
				f.db.failures.failed("mend", err)
			}
		case <-retry.C:
		case <-expire.C:
			expiring = true
		}
		err := f.work(ctx)
		if err == nil && expiring {
			if err = f.keep(ctx); err == nil {
				expiring = false
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if f.db.failure() != nil {
			return // Fatal has been told
		}
		f.db.failures.failed("background work", err)
		f.db.told.tear(err)
		retry.Reset(retryAfter)
		select { // deaf to wake-ups, which would make it try in a circle
		case <-ctx.Done():
			return
		case <-retry.C:
			retry.Reset(0)
		}
	}
}

// work flushes when there is enough, or when an earlier flush failed, and goes on with what
// waits in the background.
func (f *flusher) work(ctx context.Context) error {
	if err := f.endMending(); err != nil {
		return fmt.Errorf("mend: %w", err)
	}
	if f.due() {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	if f.db.trimDue() {
		if err := f.trimNow(); err != nil {
			return err
		}
	}
	if f.db.options.manual {
		return nil
	}
	if err := f.heedCeiling(ctx); err != nil {
		return fmt.Errorf("disk ceiling: %w", err)
	}
	left, err := f.outliveStep(ctx, f.db.options.Now().Add(-ttlSlack).UnixMilli())
	if err == nil && left {
		f.wakeUp()
	}
	return err
}

// keep takes what retention does not keep, when its time has come.
func (f *flusher) keep(ctx context.Context) error {
	db := f.db
	if db.options.Retention == nil || db.options.manual {
		return nil
	}
	r, err := f.expire(ctx, db.options.Retention, db.options.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	if r.Dropped+r.Trimmed > 0 && db.options.Events.Expired != nil {
		db.options.Events.Expired(r)
	}
	return nil
}

// due reports whether the head has enough for a flush.
func (f *flusher) due() bool {
	db := f.db
	f.run.Lock()
	behind := f.run.frozen != nil
	f.run.Unlock()
	if behind {
		return true
	}
	db.commit.Lock()
	defer db.commit.Unlock()
	return db.commit.bytes >= db.options.HeadBytes/2 || db.commit.tombs >= db.options.tuning.tombs || db.commit.logBytes >= db.options.behindFlush()
}

// recheck lets writers in again, or wakes the flusher once more.
func (db *DB) recheck() {
	db.commit.Lock()
	defer db.commit.Unlock()
	db.checkHead()
}

// close stops the goroutine, flushes what is left and joins what is small. The store is not
// touched after it returns.
func (f *flusher) close() error {
	f.stop()
	f.done.Wait()
	err := f.flush(context.Background())
	if err == nil {
		err = f.tidyUp()
	}
	if err != nil {
		return fmt.Errorf("flush on close: %w", err)
	}
	return nil
}

// tidyUp is tidy, which begins again where damage was in its way.
func (f *flusher) tidyUp() error {
	f.run.Lock()
	defer f.run.Unlock()
	for mends := 0; ; mends++ {
		err := f.tidy()
		if err == nil || mends == maxMends || f.db.failure() != nil {
			return err
		}
		if mended, failed := f.mend(err); !mended || failed != nil {
			return errors.Join(err, failed)
		}
	}
}

// flush freezes the head and writes it. When an earlier flush failed it is finished first.
func (f *flusher) flush(ctx context.Context) error {
	f.run.Lock()
	defer f.run.Unlock()
	if err := f.db.failure(); err != nil {
		return err
	}
	defer f.db.recheck()
	if f.run.frozen != nil {
		if err := f.write(ctx, f.run.frozen); err != nil {
			return err
		}
	}
	f.run.frozen = f.db.freeze(f.run.state)
	if f.run.frozen != nil {
		if err := f.write(ctx, f.run.frozen); err != nil {
			return err
		}
	}
	if f.owed.any(f.db.options.Now().Add(-ttlSlack).UnixMilli()) {
		f.wakeUp()
	}
	return f.trim()
}

// trimNow cuts the log without a flush.
func (f *flusher) trimNow() error {
	f.run.Lock()
	defer f.run.Unlock()
	if err := f.db.failure(); err != nil {
		return err
	}
	return f.trim()
}

// freeze begins a new generation of the head and returns the one before, or nil when
// nothing has happened since the last flush.
func (db *DB) freeze(state flushState) *frozenHead {
	db.commit.Lock()
	defer db.commit.Unlock()
	if len(db.commit.dirty) == 0 && model.Position(db.applied.Load()) == state.position {
		return nil
	}
	state.position = model.Position(db.applied.Load())
	state.nextGroup = db.commit.nextGroup
	db.commit.log.markFlush(state.position, db.options.spacing(), db.options.Now().UnixMilli())
	f := &frozenHead{
		records: db.commit.dirty, gen: db.commit.gen + 1, state: state,
		series: db.series.freeze(), bytes: db.commit.bytes, logBytes: db.commit.logBytes,
	}
	db.commit.gen++
	db.commit.frozen = db.commit.dirty
	db.commit.dirty, db.commit.bytes, db.commit.logBytes, db.commit.tombs, db.commit.expires = nil, 0, 0, 0, 0
	db.at(AtFreeze)
	return f
}

// write writes a frozen head. Where damage is in its way, that is mended first.
func (f *flusher) write(ctx context.Context, h *frozenHead) error {
	for mends := 0; ; mends++ {
		err := f.writeOnce(ctx, h)
		if err == nil || mends == maxMends || ctx.Err() != nil || f.db.failure() != nil {
			return err
		}
		if mended, failed := f.mend(err); !mended || failed != nil {
			return errors.Join(err, failed)
		}
	}
}

// maxMends bounds how often one flush begins again.
const maxMends = 1000

// writeOnce writes a frozen head in one batch and forgets it.
func (f *flusher) writeOnce(ctx context.Context, h *frozenHead) (err error) {
	db := f.db
	w := newFlushWriter(db)
	defer func() { err = errors.Join(err, w.close()) }()
	for _, r := range h.records {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Lock()
		r.Roll(h.gen)
		frozen := r.Frozen()
		r.Unlock()
		if err := w.record(r, frozen); err != nil {
			return err
		}
	}
	state := h.state
	state.batch, state.logFirst = f.run.state.batch, f.run.state.logFirst
	if err := errors.Join(w.batch.Set(keys.AppendMeta(nil, metaLog), db.logRow(state.position), nil), putSeries(w.batch, h.series)); err != nil {
		return err
	}
	if canary.Planted(canary.EarlyPosition) {
		err = db.store.Set(metaFlushKey, state.append(nil), pebble.Sync)
	}
	db.at(AtFlushBatch)
	// What the batch says is in the log already, and whatever is written behind it syncs it.
	if err := w.commit(&state, pebble.NoSync); err != nil {
		return fmt.Errorf("commit flush at position %d: %w", h.state.position, err)
	}
	db.at(AtFlushCommitted)
	for _, r := range h.records {
		r.Lock()
		r.Thaw()
		r.Unlock()
	}
	db.commit.Lock()
	db.commit.frozen = nil
	db.commit.Unlock()
	f.run.state, f.run.frozen = state, nil
	db.flushed.Store(uint64(h.state.position))
	if isFar(db.stats.head.Add(-h.bytes), db.options.HeadBytes) {
		db.warnings.head.Store(false)
	}
	db.stats.flushes.Add(1)
	db.records.makeRoom()
	if db.options.Events.Flushed != nil {
		w.info.Position = h.state.position
		w.info.Took = db.options.Now().Sub(w.began)
		db.options.Events.Flushed(w.info)
	}
	return nil
}
