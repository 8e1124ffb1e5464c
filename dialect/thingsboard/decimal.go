package thingsboard

import (
	"math"
	"math/bits"
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
	dst = strconv.AppendUint(dst, n/scale, 10)
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
	dst = strconv.AppendUint(dst, whole, 10)
	dst = append(dst, '.')
	start := len(dst)
	dst = append(dst, "00000000000000000000"[:-k]...)
	for at := len(dst); at > start; {
		if at -= 2; at < start {
			dst[start] = byte('0' + fraction)
			break
		}
		rest := fraction / 100
		putPair(dst[at:at+2], uint32(fraction-rest*100))
		fraction = rest
	}
	return dst
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
