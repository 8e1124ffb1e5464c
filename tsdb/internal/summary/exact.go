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

// quotient returns ints + decimals / 10^codec.DecimalDigits, divided by n and rounded once, to
// nearest.
func quotient(ints, decimals Int128, n uint64) float64 {
	if f, ok := smallQuotient(ints, decimals, n); ok {
		return f
	}
	return totalOf(ints, decimals).float(n)
}

// smallQuotient is quotient where one division of floats does it, since both of its numbers are
// exact: as a rule, for values of telemetry have few digits.
func smallQuotient(ints, decimals Int128, n uint64) (f float64, ok bool) {
	const most, exact = 4_000_000, 1 << 53
	const part = 1e8 // of the fourth decimal: a unit
	const longest = exact / uint64(unit/part)
	i, ok1 := ints.Int64()
	d, ok2 := decimals.Int64()
	if ok1 && decimals == (Int128{}) { // counters
		return float64(i) / float64(n), i >= -exact && i <= exact && n <= exact
	}
	if !ok1 || !ok2 || i < -most || i > most || d < -most*unit || d > most*unit || n > longest {
		return 0, false
	}
	t, by := i*unit+d, uint64(unit)
	if t%part == 0 {
		t, by = t/part, by/part
	} else if n > longest/part {
		return 0, false
	}
	return float64(t) / float64(n*by), t >= -exact && t <= exact
}

// A total is ints + decimals / 10^codec.DecimalDigits as one number of 10^-12: magnitude
// and sign.
type total struct {
	w        [3]uint64
	negative bool
}

const unit = 1e12 // 10^codec.DecimalDigits

func totalOf(ints, decimals Int128) (t total) {
	h1, l1 := bits.Mul64(uint64(ints.Hi), unit)
	h0, l0 := bits.Mul64(ints.Lo, unit)
	var c uint64
	t.w[0] = l0
	t.w[1], c = bits.Add64(h0, l1, 0)
	t.w[2] = h1 + c
	if ints.Hi < 0 {
		t.w[2] -= unit
	}
	t.w[0], c = bits.Add64(t.w[0], decimals.Lo, 0)
	t.w[1], c = bits.Add64(t.w[1], uint64(decimals.Hi), c)
	t.w[2], _ = bits.Add64(t.w[2], uint64(decimals.Hi>>63), c)
	if t.negative = int64(t.w[2]) < 0; t.negative {
		t.w[0], c = bits.Sub64(0, t.w[0], 0)
		t.w[1], c = bits.Sub64(0, t.w[1], c)
		t.w[2], _ = bits.Sub64(0, t.w[2], c)
	}
	return t
}

// maxParts bounds n of float(n), so that a divisor fits 64 bits.
const maxParts = math.MaxUint64 / uint64(unit)

// float returns t/n rounded once, to nearest. Beyond maxParts it is rounded twice.
func (t total) float(n uint64) float64 {
	rest := 1.0
	if n > maxParts {
		n, rest = 1, float64(n)
	}
	f := divide(t.w, n*unit) / rest
	if t.negative {
		return -f
	}
	return f
}

// divide returns w / d rounded to nearest, ties to even.
func divide(w [3]uint64, d uint64) float64 {
	if w == [3]uint64{} {
		return 0
	}
	if w[2]|w[1] == 0 && w[0] < 1<<53 && d < 1<<53 {
		return float64(w[0]) / float64(d) // both exact, so rounded once
	}
	// The quotient with 128 bits behind the point: at least 64 significant bits.
	var q [5]uint64
	var r uint64
	for i := range q {
		var next uint64
		if i < len(w) {
			next = w[len(w)-1-i]
		}
		q[len(q)-1-i], r = bits.Div64(r, next, d)
	}
	top := len(q) - 1
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
	return math.Ldexp(float64(m), 64*(top-2)-n)
}

// divide10 returns a/10 and the remainder; a is not negative.
func (a Int128) divide10() (q Int128, r uint64) {
	hi, r := bits.Div64(0, uint64(a.Hi), 10)
	lo, r := bits.Div64(r, a.Lo, 10)
	return Int128{int64(hi), lo}, r
}

// Times returns a*m, wrapping.
func (a Int128) Times(m uint64) Int128 {
	hi, lo := bits.Mul64(a.Lo, m)
	return Int128{int64(hi + uint64(a.Hi)*m), lo}
}

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
