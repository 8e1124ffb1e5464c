package tsdb

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A gate lets writers in while there is room: for bytes waiting to be committed, and in the
// head. It is where back-pressure becomes visible to a caller.
type gate struct {
	limit int64               // of bytes that wait
	head  int64               // limit of memory of rows, for those who are told of it
	near  func(pending int64) // is told when pending comes near its limit; may be nil
	mu    struct {
		sync.Mutex
		pending int64
		told    bool  // near was, and pending was not far below since
		full    bool  // the head has no room until the flush is through
		closed  error // what to turn away with
		waiting int
		changed chan struct{} // closed and replaced when there may be room for who waits
	}
}

func newGate(limit, head int64) *gate {
	g := &gate{limit: limit, head: head}
	g.mu.changed = make(chan struct{})
	return g
}

// enter waits for room for n bytes. An error means nothing was taken.
func (g *gate) enter(ctx context.Context, n int64) error {
	for {
		g.mu.Lock()
		if err := g.mu.closed; err != nil {
			g.mu.Unlock()
			return err
		}
		if !g.mu.full && (g.mu.pending == 0 || g.mu.pending+n <= g.limit) {
			g.mu.pending += n
			pending, tell := g.mu.pending, !g.mu.told && isNear(g.mu.pending, g.limit)
			g.mu.told = g.mu.told || tell
			g.mu.Unlock()
			if tell && g.near != nil {
				g.near(pending)
			}
			return nil
		}
		full, pending, changed := g.mu.full, g.mu.pending, g.mu.changed
		g.mu.waiting++
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			if full {
				return overload(ctx, "What waits in memory to be written out is at its limit of %d bytes; try again later", g.head)
			}
			return overload(ctx, "%d bytes more for %d that wait to be written exceed the limit of %d; try again later", n, pending, g.limit)
		}
	}
}

func overload(ctx context.Context, format string, args ...any) error {
	return &model.Error{Kind: model.Overload, Message: fmt.Sprintf(format, args...), Err: ctx.Err()}
}

// leave returns n bytes.
func (g *gate) leave(n int64) {
	g.mu.Lock()
	g.mu.pending -= n
	if isFar(g.mu.pending, g.limit) {
		g.mu.told = false
	}
	g.wakeLocked()
	g.mu.Unlock()
}

// setFull says whether the head has room.
func (g *gate) setFull(full bool) {
	g.mu.Lock()
	if g.mu.full != full {
		g.mu.full = full
		g.wakeLocked()
	}
	g.mu.Unlock()
}

// close turns everybody away with err, unless it was closed before.
func (g *gate) close(err error) {
	g.mu.Lock()
	if g.mu.closed == nil {
		g.mu.closed = err
	}
	g.wakeLocked()
	g.mu.Unlock()
}

func (g *gate) wakeLocked() {
	if g.mu.waiting == 0 {
		return
	}
	g.mu.waiting = 0
	close(g.mu.changed)
	g.mu.changed = make(chan struct{})
}
