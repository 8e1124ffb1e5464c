package codec

import "encoding/binary"

// A floatRun is a run of floats on its way into bytes.
type floatRun struct {
	zeros   uint8         // that all of them end in
	v       [MaxRun]int64 // without these zeros
	n       int
	span    Span
	changed [MaxRun / 64]uint64 // a bit for each that is not the one before
	xor     [MaxRun]uint64      // of these with the one before
	changes int
	width   uint8 // of xor
}

func (r *floatRun) measure(f []uint64) {
	var all uint64
	for _, x := range f {
		all |= x
	}
	r.n, r.zeros = len(f), trailingZeros(all)
	r.v[0] = int64(f[0] >> r.zeros)
	var wide uint64
	for i := 1; i < len(f); i++ {
		r.v[i] = int64(f[i] >> r.zeros)
		if x := uint64(r.v[i] ^ r.v[i-1]); x != 0 {
			r.changed[i/64] |= 1 << (i % 64)
			r.xor[r.changes] = x
			r.changes++
			wide |= x
		}
	}
	r.width = Width(wide)
	r.span = SpanOf(r.v[:r.n])
}

// AppendFloats adds the bits of floats, at most MaxRun, as they are: for those that are no
// decimals of one scale. Zeros all of them end in (float32s do) are left out. A value that
// stays the same for a while costs a bit, or a run of a bitmap, each time it is sent.
//
//	mode <1> | width <1> | zeros <1> | base or first <varint>
//	| mode FromLast: least step <varint>; mode FromSame: which ones changed, a bitmap | packed
func AppendFloats(dst []byte, f []uint64) []byte {
	if len(f) == 0 {
		return dst
	}
	var r floatRun
	r.measure(f)
	base, last := r.span.BaseWidth(), r.span.LastWidth()
	plain := PackedLen(r.n, min(base, last))
	if PackedLen(r.changes, r.width) < plain {
		start := len(dst)
		dst = binary.AppendVarint(append(dst, byte(FromSame), r.width, r.zeros), r.v[0])
		head := len(dst)
		dst = AppendBitmap(dst, r.changed[:], r.n)
		dst = Pack(dst, r.xor[:r.changes], r.width)
		if len(dst)-head < plain {
			return dst
		}
		dst = dst[:start]
	}
	if last < base {
		dst = binary.AppendVarint(append(dst, byte(FromLast), last, r.zeros), r.v[0])
		dst = binary.AppendVarint(dst, r.span.MinStep)
		return PackLast(dst, r.v[:r.n], r.span.MinStep, last)
	}
	dst = binary.AppendVarint(append(dst, byte(FromBase), base, r.zeros), r.span.Min)
	return PackBase(dst, r.v[:r.n], r.span.Min, base)
}

// ReadFloats fills f with what AppendFloats wrote. What is wrong with it is c's error.
func ReadFloats(c *Cursor, f []uint64) {
	if len(f) == 0 {
		return
	}
	if len(f) > MaxRun {
		c.Fail(corruptf("%d floats", len(f)))
		clear(f)
		return
	}
	mode, width, zeros := Mode(c.Byte()), c.Byte(), c.Byte()
	first := c.Varint()
	packed := len(f)
	var step int64
	var changed [MaxRun / 64]uint64
	switch mode {
	case FromLast:
		step = c.Varint()
	case FromSame:
		ReadBitmap(c, changed[:], len(f))
		packed = CountBits(changed[:], 0, len(f))
	}
	src := c.Rest()
	c.Bytes(PackedLen(packed, width))
	if c.Err() != nil || width > 64 || zeros > 63 {
		c.Fail(corruptf("floats of width %d", width))
		clear(f)
		return
	}
	var v [MaxRun]int64
	run := v[:len(f)]
	switch mode {
	case FromBase:
		UnpackBase(run, src, first, width)
	case FromLast:
		UnpackLast(run, src, first, step, width)
	case FromSame:
		var xor [MaxRun]uint64
		Unpack(xor[:packed], src, width)
		last, next := first, 0
		for i := range run {
			if changed[i/64]>>(i%64)&1 != 0 {
				last ^= int64(xor[next])
				next++
			}
			run[i] = last
		}
	default:
		c.Fail(corruptf("floats of mode %d", mode))
	}
	for i := range f {
		f[i] = uint64(v[i]) << zeros
	}
}

func trailingZeros(all uint64) uint8 {
	var n uint8
	for ; n < 63 && all>>n&1 == 0; n++ {
	}
	return n
}
