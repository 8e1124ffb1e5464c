package ratelimit

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A Bucket counts one limit for one holder. The zero Bucket is full. It is safe for concurrent
// use.
type Bucket struct {
	mu    sync.Mutex
	rates []model.Rate
	// full is, of each of rates, when nothing will count any more: an instant, not a level, so
	// that nobody has to refill it. Below the fewest nanoseconds of one, counting is not exact.
	full []int64
}

// Take takes n from every window of rates at now, or from none: then it returns the window that
// has too few and how long until it has enough. It never has when n is more than its count: the
// time is negative then.
func (b *Bucket) Take(rates []model.Rate, now time.Time, n int64) (short model.Rate, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := now.UnixNano()
	b.adoptLocked(rates)
	ok = true
	for i, r := range b.rates {
		if n > r.Count {
			return r, -1, false
		}
		if w := time.Duration(b.usedLocked(i, at) + cost(r, n) - int64(r.Window)); w > wait {
			short, wait, ok = r, w, false
		}
	}
	if ok {
		for i, r := range b.rates {
			b.full[i] = at + b.usedLocked(i, at) + cost(r, n)
		}
	}
	return short, wait, ok
}

// Return gives back what Take took.
func (b *Bucket) Return(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range b.rates {
		b.full[i] -= cost(r, n)
	}
}

// Wait returns how long until n may be taken, without taking anything.
func (b *Bucket) Wait(rates []model.Rate, now time.Time, n int64) (short model.Rate, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.adoptLocked(rates)
	for i, r := range b.rates {
		if w := time.Duration(b.usedLocked(i, now.UnixNano()) + cost(r, n) - int64(r.Window)); w > wait {
			short, wait = r, w
		}
	}
	return short, wait
}

// standing appends how each window stands.
func (b *Bucket) standing(dst []model.LimitUse, l model.RateLimit, rates []model.Rate, now time.Time) []model.LimitUse {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.adoptLocked(rates)
	for i, r := range b.rates {
		used := b.usedLocked(i, now.UnixNano())
		dst = append(dst, use(l, r, portion(r, used), time.Duration(used)))
	}
	return dst
}

func use(l model.RateLimit, r model.Rate, used int64, reset time.Duration) model.LimitUse {
	return model.LimitUse{Name: l.String(), Scope: l.Scope(), Unit: l.Unit(), Limit: r.Count, Window: r.Window, Used: used, Reset: reset}
}

// idle reports whether the bucket is full, so that it may be forgotten.
func (b *Bucket) idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(b.full, func(full int64) bool { return full > now.UnixNano() })
}

// adoptLocked makes the bucket one of rates. When they changed, it begins anew.
func (b *Bucket) adoptLocked(rates []model.Rate) {
	if !slices.Equal(b.rates, rates) {
		b.rates, b.full = rates, make([]int64, len(rates))
	}
}

// usedLocked returns how long window i takes from at until nothing counts in it: never more than
// the window, even when the clock was set back.
func (b *Bucket) usedLocked(i int, at int64) int64 {
	return min(max(0, b.full[i]-at), int64(b.rates[i].Window))
}

// cost is the time in which n come back.
func cost(r model.Rate, n int64) int64 {
	high, low := bits.Mul64(uint64(r.Window), uint64(n))
	if high >= uint64(r.Count) {
		return math.MaxInt64 / 2
	}
	q, _ := bits.Div64(high, low, uint64(r.Count))
	return int64(min(q, math.MaxInt64/2))
}

// portion is how many cost at least used.
func portion(r model.Rate, used int64) int64 {
	high, low := bits.Mul64(uint64(used), uint64(r.Count))
	low, carry := bits.Add64(low, uint64(r.Window)-1, 0)
	q, _ := bits.Div64(high+carry, low, uint64(r.Window))
	return min(int64(min(q, math.MaxInt64)), r.Count)
}
