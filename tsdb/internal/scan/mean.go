package scan

import (
	"math"
	"math/bits"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// mean returns the mean of the numbers of s, rounded once, if all of them are ints and
// decimals. A sum that is rounded before it is divided, as Summary.Bucket has to do with
// other floats, may be off by the last bit, and 20.5 turn into 20.499999999999996.
func mean(s *summary.Summary) (model.Value, bool) {
	n := uint64(s.Numbers())
	if n == 0 || s.Hi != 0 || s.Lo != 0 || s.Huge != 0 {
		return model.Value{}, false
	}
	const exact = 1 << 53 // integers up to here are floats, whose quotient is rounded once
	unit := codec.Pow10(codec.DecimalDigits)
	none := summary.Int128{}
	switch {
	case s.DecimalSum == none:
		if v, ok := s.IntSum.Int64(); ok && v > -exact && v < exact && n < exact {
			return model.Float(float64(v) / float64(n)), true
		}
	case s.IntSum == none && n < exact/unit:
		if v, ok := s.DecimalSum.Int64(); ok && v > -exact && v < exact {
			return model.Float(float64(v) / float64(n*unit)), true
		}
	}
	return model.Float(quotient(s.IntSum, s.DecimalSum, unit, n)), true
}

// quotient returns (ints + decimals/unit) / n, rounded to nearest, ties to even.
func quotient(ints, decimals summary.Int128, unit, n uint64) float64 {
	// w is ints*unit + decimals in three words, lowest first, and three behind the point.
	var w [6]uint64
	var carry uint64
	hi1, lo1 := bits.Mul64(uint64(ints.Hi), unit)
	hi0, lo0 := bits.Mul64(ints.Lo, unit)
	w[4], carry = bits.Add64(hi0, lo1, 0)
	w[5] = hi1 + carry
	if ints.Hi < 0 {
		w[5] -= unit
	}
	w[3], carry = bits.Add64(lo0, decimals.Lo, 0)
	w[4], carry = bits.Add64(w[4], uint64(decimals.Hi), carry)
	w[5] += uint64(decimals.Hi>>63) + carry

	negative := int64(w[5]) < 0
	if negative {
		var borrow uint64
		w[3], borrow = bits.Sub64(0, w[3], 0)
		w[4], borrow = bits.Sub64(0, w[4], borrow)
		w[5], _ = bits.Sub64(0, w[5], borrow)
	}
	sticky := false // something was cut off
	for _, d := range [...]uint64{unit, n} {
		var rest uint64
		for i := len(w) - 1; i >= 0; i-- {
			w[i], rest = bits.Div64(rest, w[i], d)
		}
		sticky = sticky || rest != 0
	}
	top := len(w) - 1
	for top > 0 && w[top] == 0 {
		top--
	}
	if w[top] == 0 {
		return 0 // not more than 1e-12 of 2^63 numbers can be, which is above 2^-104
	}
	shift := bits.LeadingZeros64(w[top])
	m := w[top] << shift
	if top > 0 {
		m |= w[top-1] >> (64 - shift)
		sticky = sticky || w[top-1]<<shift != 0
		for _, below := range w[:top-1] {
			sticky = sticky || below != 0
		}
	}
	if sticky {
		m |= 1 // 64 bits are rounded to 53: the lowest one only breaks ties
	}
	f := math.Ldexp(float64(m), 64*(top-3)-shift)
	if negative {
		return -f
	}
	return f
}
