package summary

import (
	"math"
	"math/bits"
)

// An Int128 is a signed integer in two's complement.
type Int128 struct {
	Hi int64
	Lo uint64
}

// Add adds o, wrapping at 2^127, which no sum of a store reaches.
func (a *Int128) Add(o Int128) {
	lo, carry := bits.Add64(a.Lo, o.Lo, 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(o.Hi), carry)
	a.Hi, a.Lo = int64(hi), lo
}

// Neg returns -a.
func (a Int128) Neg() Int128 {
	lo, borrow := bits.Sub64(0, a.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.Hi), borrow)
	return Int128{int64(hi), lo}
}

// Int64 returns a when it fits.
func (a Int128) Int64() (int64, bool) { return int64(a.Lo), a.Hi == int64(a.Lo)>>63 }

// FromInt64 returns v.
func FromInt64(v int64) Int128 { return Int128{Hi: v >> 63, Lo: uint64(v)} }

// Mul returns v*m; m is below 2^63.
func Mul(v int64, m uint64) Int128 {
	hi, lo := bits.Mul64(uint64(v), m)
	if v < 0 {
		hi -= m
	}
	return Int128{int64(hi), lo}
}

// exactSum returns ints + decimals / 10^codec.DecimalDigits, rounded once.
func exactSum(ints, decimals Int128) float64 {
	// w is ints * 10^12 + decimals in 192 bits.
	const d = 1e12
	var w [3]uint64
	if decimals == (Int128{}) {
		if v, ok := ints.Int64(); ok {
			return float64(v)
		}
	}
	h1, l1 := bits.Mul64(uint64(ints.Hi), d)
	h0, l0 := bits.Mul64(ints.Lo, d)
	var c uint64
	w[0] = l0
	w[1], c = bits.Add64(h0, l1, 0)
	w[2] = h1 + c
	if ints.Hi < 0 {
		w[2] -= d
	}
	sign := uint64(decimals.Hi >> 63)
	w[0], c = bits.Add64(w[0], decimals.Lo, 0)
	w[1], c = bits.Add64(w[1], uint64(decimals.Hi), c)
	w[2], _ = bits.Add64(w[2], sign, c)

	negative := int64(w[2]) < 0
	if negative {
		var b uint64
		w[0], b = bits.Sub64(0, w[0], 0)
		w[1], b = bits.Sub64(0, w[1], b)
		w[2], _ = bits.Sub64(0, w[2], b)
	}
	f := divide(w, d)
	if negative {
		f = -f
	}
	return f
}

// divide returns w / d rounded to nearest, ties to even.
func divide(w [3]uint64, d uint64) float64 {
	if w[2] == 0 && w[1] == 0 && w[0] < 1<<53 {
		return float64(w[0]) / float64(d) // both exact, so rounded once
	}
	// The quotient with 64 bits behind the point: at least 77 significant bits.
	var q [4]uint64
	var r uint64
	q[3], r = bits.Div64(0, w[2], d)
	q[2], r = bits.Div64(r, w[1], d)
	q[1], r = bits.Div64(r, w[0], d)
	q[0], r = bits.Div64(r, 0, d)
	top := 3
	for q[top] == 0 {
		top--
	}
	n := bits.LeadingZeros64(q[top])
	m := q[top] << n
	sticky := r
	if top > 0 {
		m |= q[top-1] >> (64 - n)
		sticky |= q[top-1] << n
		for _, below := range q[:top-1] {
			sticky |= below
		}
	}
	if sticky != 0 {
		m |= 1 // 64 bits are rounded to 53, so the lowest one only breaks ties
	}
	return math.Ldexp(float64(m), 64*(top-1)-n)
}

// divide10 returns a/10 and the remainder; a is not negative.
func (a Int128) divide10() (q Int128, r uint64) {
	hi, r := bits.Div64(0, uint64(a.Hi), 10)
	lo, r := bits.Div64(r, a.Lo, 10)
	return Int128{int64(hi), lo}, r
}

// times returns a*m, wrapping.
func (a Int128) times(m uint64) Int128 {
	hi, lo := bits.Mul64(a.Lo, m)
	return Int128{int64(hi + uint64(a.Hi)*m), lo}
}

// Times returns a*m, wrapping.
func (a Int128) Times(m uint64) Int128 { return a.times(m) }

// Div returns a/d, which has no remainder.
func (a Int128) Div(d uint64) Int128 {
	negative := a.Hi < 0
	if negative {
		a = a.Neg()
	}
	hi, r := bits.Div64(0, uint64(a.Hi), d)
	lo, _ := bits.Div64(r, a.Lo, d)
	a = Int128{int64(hi), lo}
	if negative {
		a = a.Neg()
	}
	return a
}

// Rem returns the magnitude of the remainder of a/d.
func (a Int128) Rem(d uint64) uint64 {
	if a.Hi < 0 {
		a = a.Neg()
	}
	_, r := bits.Div64(0, uint64(a.Hi), d)
	_, r = bits.Div64(r, a.Lo, d)
	return r
}
