package codec

import (
	"encoding/binary"
	"math"
)

// A Mode says what the packed numbers of a run are.
type Mode uint8

// The modes. Runs of ints use the first three.
const (
	FromBase Mode = iota // distances from the least value
	FromLast             // differences from the value before, less the least difference
	FromLine             // distances from a line through the first value
	FromSame             // floats: exclusive or with the value before, where that is not the same
)

// lineShift is the number of binary digits behind the point of a slope.
const lineShift = 16

// widths is the number of widths, 0 to 64.
const widths = 65

// A Span is what the packing of a run of ints needs to know about it. Arithmetic wraps, so
// runs over the whole int64 range are runs like others.
type Span struct {
	Min, Max         int64
	MinStep, MaxStep int64 // of the differences from the value before, wrapped
}

// SpanOf measures v, which is not empty.
func SpanOf(v []int64) Span {
	s, _ := Measure(v)
	return s
}

// Measure measures v, which is not empty, and sums it, wrapping.
func Measure(v []int64) (s Span, sum int64) {
	last := v[0]
	least, most := last, last
	sum = last
	if len(v) == 1 {
		return Span{Min: least, Max: most}, sum
	}
	leastStep, mostStep := int64(math.MaxInt64), int64(math.MinInt64)
	for _, x := range v[1:] {
		least, most = min(least, x), max(most, x)
		d := x - last
		leastStep, mostStep = min(leastStep, d), max(mostStep, d)
		sum += x
		last = x
	}
	return Span{least, most, leastStep, mostStep}, sum
}

// BaseWidth returns the bits a value takes in mode FromBase.
func (s Span) BaseWidth() uint8 { return Width(uint64(s.Max) - uint64(s.Min)) }

// LastWidth returns the bits a value takes in mode FromLast.
func (s Span) LastWidth() uint8 { return Width(uint64(s.MaxStep) - uint64(s.MinStep)) }

// PackBase adds v as distances from base.
func PackBase(dst []byte, v []int64, base int64, width uint8) []byte {
	if width == 0 {
		return dst
	}
	p := packer{dst: dst}
	for _, x := range v {
		p.add(uint64(x)-uint64(base), width)
	}
	return p.end()
}

// PackLast adds the differences of v, less step; the first value's is written as zero.
func PackLast(dst []byte, v []int64, step int64, width uint8) []byte {
	if width == 0 || len(v) == 0 {
		return dst
	}
	p := packer{dst: dst}
	last := v[0] - step
	for _, x := range v {
		p.add(uint64(x)-uint64(last)-uint64(step), width)
		last = x
	}
	return p.end()
}

// UnpackBase undoes PackBase; src holds PackedLen bytes or more.
func UnpackBase(v []int64, src []byte, base int64, width uint8) {
	unpack(v, src, width, base)
}

// UnpackLast undoes PackLast; src holds PackedLen bytes or more.
func UnpackLast(v []int64, src []byte, first, step int64, width uint8) {
	Unpack(v, src, width)
	last := first - step
	for i, u := range v {
		last += u + step
		v[i] = last
	}
}

// Line returns the point i of a line of the slope, in 1/65536 of a unit a step.
func Line(slope int64, i int) int64 { return int64(uint64(slope)*uint64(i)) >> lineShift }

// slopeOf returns the slope of a line from the first to the last value, if it has one.
func slopeOf(v []int64) (slope int64, ok bool) {
	rise := v[len(v)-1] - v[0]
	if rise > math.MaxInt64>>lineShift || rise < -math.MaxInt64>>lineShift || len(v) < 2 {
		return 0, false
	}
	return (rise<<lineShift + int64(len(v)/2)) / int64(len(v)-1), true
}

// AppendInts adds v, at most MaxRun values, in the narrowest mode. How many there are is
// for the reader to know.
//
//	n = 1   value <varint>
//	else    mode*65 + width <1> | least or first value <varint> | least step or slope, least distance <varint> | packed
func AppendInts(dst []byte, v []int64) []byte {
	if len(v) < 2 {
		for _, x := range v {
			dst = binary.AppendVarint(dst, x)
		}
		return dst
	}
	s := SpanOf(v)
	n := len(v)
	base, last := s.BaseWidth(), s.LastWidth()
	baseLen := PackedLen(n, base)
	lastLen := PackedLen(n, last) + 1
	if slope, ok := slopeOf(v); ok && min(baseLen, lastLen) > 3 {
		var u [MaxRun]int64
		for i, x := range v {
			u[i] = x - v[0] - Line(slope, i)
		}
		d := SpanOf(u[:n])
		if w := d.BaseWidth(); PackedLen(n, w)+3 < min(baseLen, lastLen) {
			dst = binary.AppendVarint(append(dst, byte(FromLine)*widths+w), v[0])
			dst = binary.AppendVarint(dst, slope)
			dst = binary.AppendVarint(dst, d.Min)
			return PackBase(dst, u[:n], d.Min, w)
		}
	}
	if lastLen < baseLen {
		dst = binary.AppendVarint(append(dst, byte(FromLast)*widths+last), v[0])
		dst = binary.AppendVarint(dst, s.MinStep)
		return PackLast(dst, v, s.MinStep, last)
	}
	dst = binary.AppendVarint(append(dst, byte(FromBase)*widths+base), s.Min)
	return PackBase(dst, v, s.Min, base)
}

// ReadInts fills v with what AppendInts wrote. What is wrong with it is c's error.
func ReadInts(c *Cursor, v []int64) {
	if len(v) < 2 {
		for i := range v {
			v[i] = c.Varint()
		}
		return
	}
	head := c.Byte()
	mode, width := Mode(head/widths), head%widths
	first := c.Varint()
	var step, least int64
	if mode == FromLast || mode == FromLine {
		step = c.Varint()
	}
	if mode == FromLine {
		least = c.Varint()
	}
	src := c.Rest()
	c.Bytes(PackedLen(len(v), width))
	if c.Err() != nil || mode > FromLine {
		c.Fail(corruptf("ints of mode %d", mode))
		clear(v)
		return
	}
	switch mode {
	case FromBase:
		UnpackBase(v, src, first, width)
	case FromLast:
		UnpackLast(v, src, first, step, width)
	case FromLine:
		UnpackBase(v, src, int64(uint64(first)+uint64(least)), width)
		for i := range v {
			v[i] = int64(uint64(v[i]) + uint64(Line(step, i)))
		}
	}
}

// SkipInts passes over n values that AppendInts wrote.
func SkipInts(c *Cursor, n int) {
	if n < 2 {
		for range n {
			c.Varint()
		}
		return
	}
	head := c.Byte()
	mode, width := Mode(head/widths), head%widths
	c.Varint()
	if mode == FromLast || mode == FromLine {
		c.Varint()
	}
	if mode == FromLine {
		c.Varint()
	}
	if mode > FromLine {
		c.Fail(corruptf("ints of mode %d", mode))
	}
	c.Bytes(PackedLen(n, width))
}

// Slope returns the slope of a line that rises by units a step.
func Slope(units int64) int64 { return int64(uint64(units) << lineShift) }
