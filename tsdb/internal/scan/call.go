package scan

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A Call is what the queries of one call have in common: a budget, which they spend
// together, and how many goroutines each of them may use. It is safe for concurrent use. A
// nil Call bounds nothing.
type Call struct {
	budget model.Budget
	now    func() time.Time
	shares int

	scanned, points, bytes, spent atomic.Int64
}

// NewCall returns a Call with a budget whose zero fields bound nothing. A query of it is
// shared by at most shares goroutines; zero means as many as do good.
func NewCall(b model.Budget, now func() time.Time, shares int) *Call {
	return &Call{budget: b, now: now, shares: shares}
}

// scan spends n points looked at.
func (c *Call) scan(n int) error {
	if c == nil || c.budget.Scanned <= 0 || c.scanned.Add(int64(n)) <= c.budget.Scanned {
		return nil
	}
	return model.Exceeded(model.BudgetScanned, c.budget.Scanned)
}

// deliver spends n points or buckets of the answer.
func (c *Call) deliver(n int) error {
	if c == nil || c.budget.Points <= 0 || c.points.Add(int64(n)) <= c.budget.Points {
		return nil
	}
	return model.Exceeded(model.BudgetPoints, c.budget.Points)
}

// hold takes n bytes of memory until letGo.
func (c *Call) hold(n int64) error {
	if c == nil || c.budget.Bytes <= 0 || c.bytes.Add(n) <= c.budget.Bytes {
		return nil
	}
	return model.Exceeded(model.BudgetBytes, c.budget.Bytes)
}

// letGo returns n bytes.
func (c *Call) letGo(n int64) {
	if c != nil && c.budget.Bytes > 0 {
		c.bytes.Add(-n)
	}
}

// most returns how many goroutines a query may use.
func (c *Call) most() int {
	if c == nil || c.shares <= 0 {
		return maxShares
	}
	return min(c.shares, maxShares)
}

// A watch tells how long one goroutine reads.
type watch struct {
	call *Call
	last time.Time // when reading began, or was last accounted for
}

// start begins to count.
func (w *watch) start(c *Call) {
	w.call = c
	if c != nil && c.budget.Time > 0 {
		w.last = c.now()
	}
}

// check accounts for the time since the last call, and reports whether reading may go on.
func (w *watch) check(ctx context.Context) error {
	if err := stopped(ctx); err != nil {
		return err
	}
	if c := w.call; c != nil && c.budget.Time > 0 && w.pause() > c.budget.Time {
		return model.Exceeded(model.BudgetTime, int64(c.budget.Time))
	}
	return nil
}

// pause accounts for the time since the last call, before the caller has its turn, and
// returns how long the call has read so far.
func (w *watch) pause() time.Duration {
	c := w.call
	if c == nil || c.budget.Time <= 0 {
		return 0
	}
	now := c.now()
	took := now.Sub(w.last)
	w.last = now
	return time.Duration(c.spent.Add(int64(took)))
}

// resume begins to count anew: the caller had its turn.
func (w *watch) resume() { w.start(w.call) }

// A Meter spends the budget of a call for one goroutine that reads without the scan.
type Meter struct {
	watch watch
	read  int
}

// NewMeter begins to count the time.
func NewMeter(c *Call) *Meter {
	m := &Meter{}
	m.watch.start(c)
	return m
}

// timeEvery is how many points are read between two looks at the clock.
const timeEvery = 256

// Read spends n points looked at, and reports whether reading may go on.
func (m *Meter) Read(ctx context.Context, n int) error {
	if err := m.watch.call.scan(n); err != nil {
		return err
	}
	if m.read += n; m.read < timeEvery {
		return nil
	}
	m.read = 0
	return m.watch.check(ctx)
}

// Deliver spends n points of the answer and hands them over, on the caller's time.
func (m *Meter) Deliver(n int, yield func() error) error {
	if err := m.watch.call.deliver(n); err != nil {
		return err
	}
	m.watch.pause()
	err := yield()
	m.watch.resume()
	return err
}
