// Package bucket cuts a range of time into the buckets of an aggregate.
//
// Buckets tile the range: each begins where the one before ends, the first begins and the
// last ends with the range (contract thingsboard 9.1). Fixed buckets count from the start of
// the range, aligned ones from the epoch or another instant, calendar ones follow the clock
// of a zone:
//
//   - A day, week, month, quarter or year begins at the first instant at which the local
//     clock reads its midnight or has passed it. Where a transition skips midnight that is
//     the transition; where midnight happens twice it is the first one. A day that a zone
//     skipped altogether has no bucket.
//   - An hour begins when the local clock reads a full hour, and wherever the clock is
//     moved: the hour that an autumn night repeats is a bucket of its own.
//
// A [Cutter] allocates nothing after New. It belongs to one goroutine; a copy of it walks on
// its own.
package bucket

import (
	"math"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A Cutter cuts one range.
type Cutter struct {
	from, to int64 // ms; from < to
	pos      int64 // where the next bucket starts
	width    int64 // Fixed, Aligned
	offset   int64 // Aligned: in [0, width)
	unit     model.Unit
	clock    clock
}

// New returns a Cutter of [from, to), which is read as one millisecond when to <= from.
// It returns an Invalid [model.Error] for a width that is not positive and an unknown unit.
func New(from, to int64, every model.Interval) (*Cutter, error) {
	if to <= from {
		if from == math.MaxInt64 {
			from--
		}
		to = from + 1
	}
	c := &Cutter{from: from, to: to, pos: from, width: every.Width, unit: every.Unit}
	switch every.Unit {
	case model.Fixed, model.Aligned:
		if every.Width <= 0 {
			return nil, model.Invalidf("Invalid TsKvQuery: 'interval' must be greater than 0")
		}
		c.offset = modulo(every.Offset, every.Width)
	case model.Hour, model.Day, model.Week, model.ISOWeek, model.Month, model.Quarter, model.Year:
		zone := every.Zone
		if zone == nil {
			zone = time.UTC
		}
		c.clock = newClock(zone, from)
	default:
		return nil, model.Invalidf("unknown interval type %d", every.Unit)
	}
	return c, nil
}

// Range returns the range that is cut.
func (c *Cutter) Range() (from, to int64) { return c.from, c.to }

// Next returns the next bucket, [start, end), and false behind the last one.
func (c *Cutter) Next() (start, end int64, ok bool) {
	if c.pos >= c.to {
		return 0, 0, false
	}
	start, end = c.Find(c.pos)
	c.pos = end
	return start, end, true
}

// Skip makes Next return the bucket of ts, which must lie in the range.
func (c *Cutter) Skip(ts int64) { c.pos, _ = c.Find(ts) }

// Find returns the bucket of ts, which must lie in the range.
func (c *Cutter) Find(ts int64) (start, end int64) {
	switch c.unit {
	case model.Fixed:
		into := (uint64(ts) - uint64(c.from)) % uint64(c.width)
		start = int64(uint64(ts) - into)
		end = add(start, c.width)
	case model.Aligned:
		into := c.into(ts)
		start, end = add(ts, -into), add(ts, c.width-into)
	case model.Hour:
		start, end = c.clock.hour(ts)
	default:
		start, end = c.clock.dates(ts, c.unit)
	}
	if end <= ts { // the unit does not end before int64 does
		end = c.to
	}
	return max(start, c.from), min(end, c.to)
}

// Count reports how many buckets Next will return, counted from the first. It takes no
// longer for a long range than for a short one, so limits can be checked with it first; for
// that it counts a day that a zone skipped, and of hours over more than four centuries it
// misses those that a moved clock cut in two.
func (c *Cutter) Count() int64 {
	switch c.unit {
	case model.Fixed:
		span := uint64(c.to) - uint64(c.from)
		return clamp((span-1)/uint64(c.width) + 1)
	case model.Aligned:
		into := c.into(c.from)
		if span := uint64(c.to-1) - uint64(c.from); span <= math.MaxUint64-uint64(into) {
			return clamp((span+uint64(into))/uint64(c.width) + 1)
		}
		return math.MaxInt64
	case model.Hour:
		return c.countHours()
	}
	first := ordinal(c.clock.high(c.from), c.unit)
	last := ordinal(c.clock.high(c.to-1), c.unit)
	return last - first + 1
}

func (c *Cutter) countHours() int64 {
	const centuries = 400 * 366 * day
	span := uint64(c.to) - uint64(c.from)
	if span > centuries {
		return clamp(span/hour + 2)
	}
	n := int64(0)
	for ts := c.from; ts < c.to; {
		p := c.clock.period(ts)
		last := min(p.end, c.to) - 1
		n += (floor(add(last, p.offset), hour)-floor(add(ts, p.offset), hour))/hour + 1
		if p.end >= c.to {
			break
		}
		ts = p.end
	}
	return n
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// into returns how far ts lies in its bucket, of aligned ones.
func (c *Cutter) into(ts int64) int64 {
	into := modulo(ts, c.width) - c.offset
	if into < 0 {
		into += c.width
	}
	return into
}

// modulo returns ts modulo width, in [0, width).
func modulo(ts, width int64) int64 {
	m := ts % width
	if m < 0 {
		m += width
	}
	return m
}

// floor returns the greatest multiple of width at or before ts, or the least int64.
func floor(ts, width int64) int64 {
	return add(ts, -modulo(ts, width))
}

// add is a + b, held at the ends of int64: ranges may reach them.
func add(a, b int64) int64 {
	s := a + b
	if (s > a) == (b > 0) {
		return s
	}
	if b > 0 {
		return math.MaxInt64
	}
	return math.MinInt64
}
