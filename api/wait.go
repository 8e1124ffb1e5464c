package api

import (
	"context"
	"sync"
	"time"
)

// A wait bounds how long the parts below may take over a request. It begins when somebody
// waits for it, or asks a second time whether it is up: the time a body takes to arrive does
// not count, and a call that need not wait pays for no timer.
type wait struct {
	sync.Mutex
	asked bool
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
		w.timer = time.AfterFunc(limit, func() { stop(context.DeadlineExceeded) })
	}
	return w.ctx
}

// first reports whether nobody asked before. Who asks once, on the way in, does not wait.
func (w *wait) first() bool {
	w.Lock()
	defer w.Unlock()
	first := !w.asked && w.ctx == nil
	w.asked = true
	return first
}

// pause stops the time: it is the client's turn. more goes on.
func (w *wait) pause() {
	w.Lock()
	defer w.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// more begins the wait anew: part of the answer has left.
func (w *wait) more(limit time.Duration) {
	w.Lock()
	defer w.Unlock()
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
func (r *request) Err() error {
	if r.wait.first() {
		return r.Context.Err()
	}
	ctx := r.wait.bounded(r.Context, r.server.Limits.Timeout)
	if cause := context.Cause(ctx); cause == context.DeadlineExceeded { //nolint:errorlint // it is ours, set above
		return cause
	}
	return ctx.Err()
}
