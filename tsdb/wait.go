package tsdb

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tidewire/tidewire/model"
)

// A bell is rung when the last visible position has moved. Where nobody waits, ringing it
// costs the committer one load.
type bell struct {
	waiting atomic.Int32
	mu      struct {
		sync.Mutex
		rung chan struct{} // closed and replaced by ring; nil when nobody waits for it
	}
}

// ring wakes everybody. The position must have moved before.
func (b *bell) ring() {
	if b.waiting.Load() == 0 {
		return
	}
	b.mu.Lock()
	if b.mu.rung != nil {
		close(b.mu.rung)
		b.mu.rung = nil
	}
	b.mu.Unlock()
}

// next returns what is closed by the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.rung == nil {
		b.mu.rung = make(chan struct{})
	}
	return b.mu.rung
}

// Wait returns nil as soon as something behind p is visible. Else it returns the error of
// ctx, the failure of the store, or ErrClosed; Close does not wait for it.
func (db *DB) Wait(ctx context.Context, p model.Position) error {
	db.bell.waiting.Add(1) // before looking: who moves the position afterwards sees it
	defer db.bell.waiting.Add(-1)
	for {
		rung := db.bell.next()
		if db.Position() > p {
			return nil
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return ctx.Err()
		case <-db.closing:
			return ErrClosed
		case <-db.failed:
			return db.failure()
		}
	}
}
