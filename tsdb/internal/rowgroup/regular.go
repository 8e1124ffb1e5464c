package rowgroup

import (
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
)

// A rule says how the types of a column's cells are known. The numbers are part of the
// format: they are appended to, never reused.
type rule uint8

const (
	ruleMixed        rule = iota // one code a cell, step by step
	ruleInt                      // int64, below 2^53
	ruleFloat                    // float64 that is scaled / 10^digits
	ruleWhenIntegral             // as ruleFloat, but int64 where that is integral
	ruleBool                     // scaled is 0 or 1
	rules
)

// maxRegular bounds the ints of a regular column, so that the sum of a step fits int64.
const maxRegular = 1 << 53

// scale finds the regular form of the cells, if they have one: all bools, or numbers that
// are integers of one scale with a type that follows from the value.
func (r *cellRun) scale() bool {
	r.digits, r.hasInts = 0, false
	types, bits := r.cells(0, r.n)
	ints, floats := r.of[model.TypeInt], r.of[model.TypeFloat]
	switch {
	case r.of[model.TypeBool] == r.n:
		r.rule = ruleBool
		for i, b := range bits {
			if b > 1 {
				return false
			}
			r.scaled[i] = int64(b)
		}
		return true
	case ints == r.n:
		r.rule = ruleInt
		for i, b := range bits {
			if v := int64(b); v <= -maxRegular || v >= maxRegular {
				return false
			}
			r.scaled[i] = int64(b)
		}
		return true
	case floats == r.n:
		r.rule = ruleFloat
	case ints+floats == r.n:
		r.rule, r.hasInts = ruleWhenIntegral, true
	default:
		return false
	}
	for at := 0; ; {
		if r.hasInts {
			at = scaleCells(r.scaled[:], types, bits, r.digits)
		} else {
			at = codec.Scale(r.scaled[:], bits, r.digits)
		}
		if at == r.n {
			break
		}
		if types[at] == model.TypeInt {
			return false
		}
		n, scale, ok := codec.Decimal(math.Float64frombits(bits[at]))
		if !ok || codec.Digits(n, scale) <= r.digits {
			return false
		}
		r.digits = codec.Digits(n, scale)
	}
	return !r.hasInts || r.integralAreInts()
}

// scaleCells is codec.Scale for cells some of which are ints.
func scaleCells(v []int64, types []model.Type, bits []uint64, digits uint8) int {
	pow := int64(codec.Pow10(digits))
	most := codec.MaxDecimal / pow
	for i, b := range bits {
		if types[i] == model.TypeInt {
			if n := int64(b); n < most && n > -most {
				v[i] = n * pow
				continue
			}
			return i
		}
		if codec.Scale(v[i:i+1], bits[i:i+1], digits) == 0 {
			return i
		}
	}
	return len(bits)
}

// integralAreInts checks that no float is integral, and counts the ints of each step.
func (r *cellRun) integralAreInts() bool {
	pow := int64(codec.Pow10(r.digits))
	for k := range stepsOf(r.rows) {
		lo, hi := r.step(k)
		r.intsOf[k] = 0
		types, _ := r.cells(lo, hi)
		for i, t := range types {
			if t == model.TypeInt {
				r.intsOf[k]++
			} else if r.scaled[lo+i]%pow == 0 {
				return false
			}
		}
	}
	return true
}

// heads are the heads of the steps of a regular column, side by side, so that each kind of
// number packs well. A step's mode and width, its base and its summary are in them:
//
//	packing  width*2 + mode: 0 distances from min, 1 differences from the value before
//	min      least scaled value
//	spread   max - min                             but for bools
//	sum      sum - cells*(min+max)/2               but for bools
//	ints     cells that are ints                   of ints when integral
//	first    first - min                           if any step holds differences
//	step     least difference                      likewise
type heads struct {
	packing, min, spread, sum, ints, first, step [maxSteps]int64
}

// middle is what the sum of a step is told from.
func middle(n int, min, spread int64) int64 {
	return int64(uint64(n)*(2*uint64(min)+uint64(spread))) >> 1
}

// appendRegular adds rule, digits, heads and packed steps.
func (r *cellRun) appendRegular(dst []byte) []byte {
	dst = append(dst, byte(r.rule))
	if r.rule == ruleFloat || r.rule == ruleWhenIntegral {
		dst = append(dst, r.digits)
	}
	var h heads
	steps := stepsOf(r.rows)
	differences := false
	for k := range steps {
		lo, hi := r.step(k)
		if lo == hi { // no cells: repeat what packs into nothing
			if k > 0 {
				h.min[k] = h.min[k-1]
			}
			continue
		}
		run := r.scaled[lo:hi]
		s, sum := codec.Measure(run)
		h.packing[k] = int64(s.BaseWidth()) * 2
		if w := s.LastWidth(); w < s.BaseWidth() && r.rule != ruleBool {
			h.packing[k] = int64(w)*2 + 1
			h.first[k], h.step[k] = run[0]-s.Min, s.MinStep
			differences = true
		}
		h.min[k], h.spread[k] = s.Min, s.Max-s.Min
		h.sum[k] = sum - middle(hi-lo, s.Min, h.spread[k])
		if r.rule == ruleWhenIntegral {
			h.ints[k] = r.intsOf[k]
		}
	}
	dst = codec.AppendInts(dst, h.packing[:steps])
	dst = codec.AppendInts(dst, h.min[:steps])
	if r.rule != ruleBool {
		dst = codec.AppendInts(dst, h.spread[:steps])
		dst = codec.AppendInts(dst, h.sum[:steps])
	}
	if r.rule == ruleWhenIntegral {
		dst = codec.AppendInts(dst, h.ints[:steps])
	}
	if differences {
		dst = codec.AppendInts(dst, h.first[:steps])
		dst = codec.AppendInts(dst, h.step[:steps])
	}
	for k := range steps {
		lo, hi := r.step(k)
		width := uint8(h.packing[k] / 2)
		if h.packing[k]%2 == 0 {
			dst = codec.PackBase(dst, r.scaled[lo:hi], h.min[k], width)
		} else {
			dst = codec.PackLast(dst, r.scaled[lo:hi], h.step[k], width)
		}
	}
	return dst
}

// read fills h with the heads of steps.
func (h *heads) read(c *codec.Cursor, rule rule, steps int) {
	codec.ReadInts(c, h.packing[:steps])
	codec.ReadInts(c, h.min[:steps])
	if rule != ruleBool {
		codec.ReadInts(c, h.spread[:steps])
		codec.ReadInts(c, h.sum[:steps])
	}
	if rule == ruleWhenIntegral {
		codec.ReadInts(c, h.ints[:steps])
	}
	for _, p := range h.packing[:steps] {
		if p%2 != 0 {
			codec.ReadInts(c, h.first[:steps])
			codec.ReadInts(c, h.step[:steps])
			break
		}
	}
}
