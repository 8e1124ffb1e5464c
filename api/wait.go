package api

import (
	"context"
	"sync"
	"time"
)

// A wait bounds how long the parts below may take over a request. It begins when somebody
// waits for it, or asks a second time whether it is up: the time a body takes to arrive does
// not count. Who asks is told by the clock, so that only a call that waits pays for a timer.
type wait struct {
	sync.Mutex
	asked bool
	late  bool      // somebody was told so
	since time.Time // when it began or went on; zero before that, and while it is the client's turn
	turn  bool      // of the client
	ctx   context.Context
	stop  context.CancelCauseFunc
	timer *time.Timer
}

// over is what remains of the wait of a request that ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// bounded returns the context that ends with parent, or when the time is up.
func (w *wait) bounded(parent context.Context, limit time.Duration) context.Context {
	w.Lock()
	defer w.Unlock()
	if w.ctx == nil {
		w.ctx, w.stop = context.WithCancelCause(parent)
		stop := w.stop
		w.timer = time.AfterFunc(limit-w.taken(), func() { stop(context.DeadlineExceeded) })
		if w.turn {
			w.timer.Stop()
		}
	}
	return w.ctx
}

// taken returns how long the wait has lasted. It begins if it has not.
func (w *wait) taken() time.Duration {
	if w.turn {
		return 0
	}
	now := time.Now()
	if w.since.IsZero() {
		w.since = now
	}
	return now.Sub(w.since)
}

// err is Err of what bounded returns, without making it. Who asks once, on the way in, does not
// wait.
func (w *wait) err(parent context.Context, limit time.Duration) error {
	w.Lock()
	defer w.Unlock()
	if w.ctx != nil {
		if cause := context.Cause(w.ctx); cause == context.DeadlineExceeded { //nolint:errorlint // it is ours, set above
			return cause
		}
		return w.ctx.Err()
	}
	if err := parent.Err(); err != nil || !w.asked {
		w.asked = true
		return err
	}
	if w.late = w.late || w.taken() >= limit; w.late { // for good, as contexts are
		return context.DeadlineExceeded
	}
	return nil
}

// pause stops the time: it is the client's turn. more goes on.
func (w *wait) pause() {
	w.Lock()
	defer w.Unlock()
	w.since, w.turn = time.Time{}, true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// more begins the wait anew: part of the answer has left.
func (w *wait) more(limit time.Duration) {
	w.Lock()
	defer w.Unlock()
	w.turn = false
	if w.timer != nil {
		w.timer.Reset(limit)
	}
}

// end frees what the wait holds. Who still waits is told to stop.
func (w *wait) end() {
	w.Lock()
	defer w.Unlock()
	if w.ctx == nil {
		w.ctx = over
		return
	}
	if w.timer != nil {
		w.timer.Stop()
		w.stop(nil)
	}
}

// Done implements context.Context.
func (r *request) Done() <-chan struct{} {
	return r.wait.bounded(r.Context, r.server.Limits.Timeout).Done()
}

// Err implements context.Context.
func (r *request) Err() error { return r.wait.err(r.Context, r.server.Limits.Timeout) }
