package codec

import "math/bits"

// fives holds the inverse of 5^n modulo 2^64, and the greatest quotient by 10^n.
var fives = func() (f [DecimalDigits + 1]struct{ inverse, most uint64 }) {
	five := uint64(1)
	for n := range f {
		x := five // right in three bits; each round doubles them
		for range 5 {
			x *= 2 - five*x
		}
		f[n].inverse, f[n].most = x, ^uint64(0)/pow10[n]
		five *= 5
	}
	return f
}()

// CountMultiples counts the multiples of 10^digits in v without dividing: multiplied by the
// inverse of the odd part and turned by the power of two, a multiple becomes its quotient and
// anything else a number above every quotient (Hacker's Delight 10-17).
func CountMultiples(v []int64, digits uint8) (n int) {
	f, turn := fives[digits], -int(digits)
	for _, x := range v {
		sign := x >> 63
		if bits.RotateLeft64(uint64((x^sign)-sign)*f.inverse, turn) <= f.most {
			n++
		}
	}
	return n
}
