package thingsboard

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// appendDecimal adds f, 1e-3 <= |f| < 1e7, without exponent. Telemetry mostly has few
// decimals: a decimal of at most 15 significant digits that rounds to f is the only one
// and therefore the shortest, which one multiplication and one division find.
func appendDecimal(dst []byte, f float64) []byte {
	if f < 0 {
		dst = append(dst, '-')
		f = -f
	}
	const scale = 10000
	n := uint64(f*scale + 0.5)
	if float64(n)/scale != f {
		return appendShortest(dst, f)
	}
	dst = appendWhole(dst, n/scale)
	r := uint32(n % scale)
	high, low := r/100, r%100
	switch {
	case low != 0:
		dst = append(dst, '.', pairs[2*high], pairs[2*high+1], pairs[2*low], pairs[2*low+1])
		if pairs[2*low+1] == '0' {
			dst = dst[:len(dst)-1]
		}
	case pairs[2*high+1] != '0':
		dst = append(dst, '.', pairs[2*high], pairs[2*high+1])
	default:
		dst = append(dst, '.', pairs[2*high])
	}
	return dst
}

// appendShortest adds f, 1e-3 <= f < 1e7 and no integer, with the fewest digits that read
// back as f: averages and other numbers nobody rounded. It is the Schubfach algorithm
// (Raffaello Giulietti, "The Schubfach way to render doubles"), which in this range needs
// no table: its powers of ten are 10^9 to 10^19 and exact in 64 bits. strconv takes about
// twice as long. TestFloatTextRoundTrips compares them.
func appendShortest(dst []byte, f float64) []byte {
	ieee := math.Float64bits(f)
	c := ieee&(1<<52-1) | 1<<52
	q := int(ieee>>52) - 1075 // f = c * 2^q, -62 <= q <= -29

	// The decimals that round to f lie between vbl/4 and vbr/4, in units of 10^k; a power
	// of two has its lower neighbor at half the distance.
	cbl, k := 4*c-2, q*1262611>>22
	if c == 1<<52 {
		cbl, k = 4*c-1, (q*1262611-524031)>>22
	}
	power := tens[-k]
	shift := q + (-k*1741647)>>19 + 1
	power <<= bits.LeadingZeros64(power)
	vbl := roundToOdd(power, cbl<<shift)
	vb := roundToOdd(power, 4*c<<shift)
	vbr := roundToOdd(power, (4*c+2)<<shift)
	if c&1 != 0 { // the ends belong to even neighbors only
		vbl++
		vbr--
	}
	digits := vb / 4
	shorter := digits / 10
	below, above := vbl <= 40*shorter, 40*shorter+40 <= vbr
	switch {
	case below != above:
		digits = shorter
		if above {
			digits++
		}
		k++
	default:
		below, above = vbl <= 4*digits, 4*digits+4 <= vbr
		if below != above {
			if above {
				digits++
			}
		} else if mid := 4*digits + 2; vb > mid || vb == mid && digits&1 != 0 {
			digits++
		}
	}
	for digits%10 == 0 {
		digits /= 10
		k++
	}
	whole := digits / tens[-k]
	fraction := digits - whole*tens[-k]
	dst = appendWhole(dst, whole)
	dst = append(dst, '.')
	start := len(dst)
	dst = slices.Grow(dst, -k)[:start-k]
	putDigits(dst[start:], fraction)
	return dst
}

// appendWhole adds v, which mostly has few digits.
func appendWhole(dst []byte, v uint64) []byte {
	switch {
	case v < 10:
		return append(dst, byte('0'+v))
	case v < 100:
		return append(dst, pairs[2*v], pairs[2*v+1])
	case v < 1000:
		low := v % 100
		return append(dst, byte('0'+v/100), pairs[2*low], pairs[2*low+1])
	}
	return strconv.AppendUint(dst, v, 10)
}

// putDigits fills b with v, zeros before it. Eight digits at a time do not wait for each other.
func putDigits(b []byte, v uint64) {
	for ; len(b) >= 8; b = b[:len(b)-8] {
		rest := v / 1e8
		eight := uint32(v - rest*1e8)
		d, high, low := b[len(b)-8:], eight/10000, eight%10000
		putPair(d[0:2], high/100)
		putPair(d[2:4], high%100)
		putPair(d[4:6], low/100)
		putPair(d[6:8], low%100)
		v = rest
	}
	few := uint32(v)
	for ; len(b) >= 2; b = b[:len(b)-2] {
		putPair(b[len(b)-2:], few%100)
		few /= 100
	}
	if len(b) > 0 {
		b[0] = byte('0' + few)
	}
}

// roundToOdd returns the upper 64 bits of g*c with the lowest bit set when something was
// cut off.
func roundToOdd(g, c uint64) uint64 {
	high, low := bits.Mul64(g, c)
	if low > 1 {
		high |= 1
	}
	return high
}

var tens = [...]uint64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}
