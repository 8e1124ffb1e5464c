package tsdb

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// failures stand between background work that fails and who hears of it: the store below
// tries again without a pause, thousands of times a second when the disk is full. Events.Failed
// is called once a kind and second, with how many there were meanwhile, and new tables wait
// as long.
type failures struct {
	tell  func(error)
	now   func() time.Time
	pause time.Duration
	mu    struct {
		sync.Mutex
		kinds map[string]*failing
		last  time.Time // of any of the store
		count int64
		more  chan struct{} // closed and replaced by each
	}
}

type failing struct {
	told   time.Time
	silent int
}

const failurePause = time.Second

func newFailures(o *Options) *failures {
	f := &failures{tell: o.Events.Failed, now: o.Now, pause: o.tuning.retry}
	f.mu.kinds, f.mu.more = map[string]*failing{}, make(chan struct{})
	return f
}

// failed reports a failure of a kind of work.
func (f *failures) failed(kind string, err error) {
	now := f.now()
	f.mu.Lock()
	f.mu.count++
	f.mu.last = now
	close(f.mu.more)
	f.mu.more = make(chan struct{})
	k := f.mu.kinds[kind]
	if k == nil {
		k = &failing{}
		f.mu.kinds[kind] = k
	} else if now.Sub(k.told).Abs() < failurePause {
		k.silent++
		f.mu.Unlock()
		return
	}
	silent := k.silent
	k.told, k.silent = now, 0
	f.mu.Unlock()
	if f.tell == nil {
		return
	}
	err = fmt.Errorf("tsdb: %s: %w", kind, err)
	if silent > 0 {
		err = fmt.Errorf("%w (and %d failures before that were not told)", err, silent)
	}
	f.tell(err)
}

// store is failed for background work of the store below.
func (f *failures) store(err error) { f.failed("background work of the store", err) }

// so returns how many failures there were, and what is closed by the next.
func (f *failures) so() (count int64, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.count, f.mu.more
}

// wait holds up work that follows a failure, until closing.
func (f *failures) wait(closing <-chan struct{}) {
	f.mu.Lock()
	last := f.mu.last
	f.mu.Unlock()
	if last.IsZero() {
		return
	}
	left := f.pause - f.now().Sub(last).Abs()
	if left <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-closing:
	}
}
