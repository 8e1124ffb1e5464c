package rowgroup

import (
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
)

// A cutStep is a step whose values the edge of a bucket cuts in two. Only the smaller side is
// summed up: the other one is what the head of the step says, less that. Bounds cannot be told
// so where the smaller side takes part in one, and are looked for.
//
//	values of the step  0 ……… at ……………………… n
//	                    smaller    the rest
type cutStep struct {
	step, at int              // no step is cut before its first value: 0 says that nothing is known
	want     model.Aggregates // for which smaller is right
	smaller  runSums
}

// side sums up values [0, at) of step k if left, else those from at on: there are some of
// each. Of what want does not need nothing is worked out but the count.
func (c *columnReader) side(k, at int, left bool, want model.Aggregates) runSums {
	n := int(c.cells[k])
	smallerIsLeft := 2*at <= n
	cut := &c.cut
	if cut.step != k || cut.at != at || cut.want != want {
		cut.step, cut.at, cut.want = k, at, want
		var v []int64
		switch {
		case want.Any(boundsFor): // those of the other side may be needed, too
			v = c.regularStep(k)
			if smallerIsLeft {
				v = v[:at]
			} else {
				v = v[at:]
			}
		case smallerIsLeft:
			v = c.valuesOf(k, 0, at)
		default:
			v = c.valuesOf(k, at, n)
		}
		cut.smaller = c.sumUp(k, v, want)
	}
	if left == smallerIsLeft {
		return cut.smaller
	}
	rest := c.whole(k)
	if rest.ints -= cut.smaller.ints; c.rule == ruleWhenIntegral && !want.Any(typesFor) {
		rest.ints = 0 // those of the smaller side were not counted
	}
	rest.sum = int64(uint64(rest.sum) - uint64(cut.smaller.sum))
	if want.Any(boundsFor) && (cut.smaller.min == rest.min || cut.smaller.max == rest.max) {
		v := c.regularStep(k)[at:]
		if left {
			v = c.regularStep(k)[:at]
		}
		rest.min, rest.max = span(v)
	}
	return rest
}

// whole returns what the head of step k, which has cells, says of all its values.
func (c *columnReader) whole(k int) runSums {
	n, ints := int(c.cells[k]), int64(0)
	switch c.rule {
	case ruleInt:
		ints = int64(n)
	case ruleWhenIntegral:
		ints = c.heads.ints[k]
	}
	return runOf(n, ints, c.heads.min[k], c.heads.spread[k], c.heads.sum[k])
}

// runOf returns what is written of n values, of which so many are ints.
func runOf(n int, ints, least, spread, sum int64) runSums {
	return runSums{
		ints: ints, min: least, max: int64(uint64(least) + uint64(spread)),
		sum: int64(uint64(sum) + uint64(middle(n, least, spread))),
	}
}

// sumUp sums up v, some values of step k, as far as want needs it.
func (c *columnReader) sumUp(k int, v []int64, want model.Aggregates) (r runSums) {
	var sum uint64
	if want.Any(boundsFor) {
		r.min, r.max, sum = spanAndSum(v)
	} else {
		sum = sumOf(v)
	}
	r.sum = int64(sum)
	switch {
	case c.rule == ruleInt:
		r.ints = int64(len(v))
	case c.rule == ruleWhenIntegral && c.heads.ints[k] != 0 && want.Any(typesFor):
		r.ints = int64(codec.CountMultiples(v, c.digits))
	}
	return r
}

// valuesOf returns scaled values [from, to) of step k, and unpacks no others where it can: those
// behind them, and of distances those before.
func (c *columnReader) valuesOf(k, from, to int) []int64 {
	differences := c.heads.packing[k]%2 != 0
	if c.cached == k || from > 0 && differences {
		return c.regularStep(k)[from:to]
	}
	c.cached = -1
	start := from &^ 7 // eight values fill whole bytes
	v, width := c.values[start:to], uint8(c.heads.packing[k]/2)
	src := c.body[c.start[k]+start/8*int(width):]
	if differences {
		codec.UnpackLast(v, src, int64(uint64(c.heads.min[k])+uint64(c.heads.first[k])), c.heads.step[k], width)
	} else {
		codec.UnpackBase(v, src, c.heads.min[k], width)
	}
	return v[from-start:]
}
