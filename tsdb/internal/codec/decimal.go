package codec

import "math"

// DecimalDigits is the number of digits behind the point that sums keep.
const DecimalDigits = 12

// MaxDecimal bounds the digits of a decimal: up to 15 of them survive the way to float64
// and back, so the decimal a float stands for is unique.
const MaxDecimal = 1e15

var pow10 = [DecimalDigits + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}

var floatPow10 = [DecimalDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}

// Pow10 returns 10^scale, for scales up to DecimalDigits.
func Pow10(scale uint8) uint64 { return pow10[scale] }

// Decimal reports whether f is the float nearest to a decimal of at most 15 digits, at most
// DecimalDigits of them behind the point, and returns that decimal as n / 10^scale.
//
// One scale has to be tried, the greatest that keeps n below 15 digits: a decimal of fewer
// digits behind the point is one of that scale as well.
func Decimal(f float64) (n int64, scale uint8, ok bool) {
	a := math.Abs(f)
	if !(a < MaxDecimal) {
		return 0, 0, false
	}
	scale = DecimalDigits
	for most := 1e3; a >= most; most *= 10 {
		scale--
	}
	n, ok = AtScale(f, scale)
	return n, scale, ok
}

// AtScale returns the n of at most 15 digits for which f is the float nearest to
// n / 10^scale, if there is one. −0.0 is 0.
func AtScale(f float64, scale uint8) (n int64, ok bool) {
	x := f * floatPow10[scale]
	if !(math.Abs(x) < MaxDecimal) {
		return 0, false
	}
	n = int64(x + math.Copysign(0.5, x))
	return n, float64(n)/floatPow10[scale] == f && n < MaxDecimal && n > -MaxDecimal
}

// IsDecimal reports whether a float, given by its bits, is one Decimal knows and no −0.0.
func IsDecimal(bits uint64) bool {
	_, _, ok := Decimal(math.Float64frombits(bits))
	return ok && bits != 1<<63
}

// Digits returns the digits behind the point of a decimal n / 10^scale.
func Digits(n int64, scale uint8) uint8 {
	for scale > 0 && n%10 == 0 {
		n, scale = n/10, scale-1
	}
	return scale
}

// rounder added to a float below 2^51 rounds it to an integer, which is then in the low bits.
const rounder = 3 << 51

var roundBits = math.Float64bits(rounder)

// Scale fills v with the integers n for which the floats are n / 10^scale bit for bit, and
// returns the first float that has none, or len(floats).
func Scale(v []int64, floats []uint64, scale uint8) int {
	p := floatPow10[scale]
	v = v[:len(floats)]
	for i, b := range floats {
		x := math.Float64frombits(b) * p
		if !(x > -MaxDecimal && x < MaxDecimal) {
			return i
		}
		y := x + rounder
		n := y - rounder
		if math.Float64bits(n/p) != b || n >= MaxDecimal || n <= -MaxDecimal {
			return i
		}
		v[i] = int64(math.Float64bits(y)) - int64(roundBits)
	}
	return len(floats)
}

// SumScaled sums the integers n for which the floats are n / 10^scale, −0.0 being 0, up to
// the first float that has none, and returns how many there were. At most MaxSummed floats
// are taken, whose sum fits int64.
func SumScaled(floats []uint64, scale uint8) (sum int64, count int) {
	p := floatPow10[scale]
	for i, b := range floats[:min(len(floats), MaxSummed)] {
		f := math.Float64frombits(b)
		x := f * p
		if !(x > -MaxDecimal && x < MaxDecimal) {
			return sum, i
		}
		y := x + rounder
		n := y - rounder
		if n/p != f || n >= MaxDecimal || n <= -MaxDecimal {
			return sum, i
		}
		sum += int64(math.Float64bits(y)) - int64(roundBits)
	}
	return sum, min(len(floats), MaxSummed)
}

// MaxSummed bounds the floats SumScaled takes at once.
const MaxSummed = 4096
