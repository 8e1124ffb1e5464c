package codec

import (
	"encoding/binary"
	"math/bits"
)

// MaxRun is the number of values of the longest run the codecs take: a step.
const MaxRun = 128

// Width returns the number of bits u needs.
func Width(u uint64) uint8 { return uint8(bits.Len64(u)) }

// PackedLen returns the bytes n values of width bits take.
func PackedLen(n int, width uint8) int { return (n*int(width) + 7) / 8 }

// Pack adds the low width bits of every value of u to dst, the first value lowest.
func Pack(dst []byte, u []uint64, width uint8) []byte {
	if width == 0 {
		return dst
	}
	var acc uint64
	var have uint8 // bits in acc
	for _, v := range u {
		acc |= v << have
		have += width
		if have >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have -= 64
			acc = v >> (width - have)
		}
	}
	for ; have > 0 && have < 64; have -= min(have, 8) {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// Unpack fills dst with values of width bits from the front of src, which must hold
// PackedLen bytes or more: bytes behind them are read over, which is what makes it fast.
func Unpack(dst []uint64, src []byte, width uint8) {
	w := uint(width)
	mask := uint64(1)<<w - 1
	i := 0
	switch {
	case width == 0:
		clear(dst)
		return
	case width <= 8: // eight values in width bytes, in one word
		for ; i+8 <= len(dst) && len(src) >= 8; i += 8 {
			x := binary.LittleEndian.Uint64(src)
			d := dst[i : i+8 : i+8]
			d[0] = x & mask
			d[1] = x >> w & mask
			d[2] = x >> (2 * w & 63) & mask
			d[3] = x >> (3 * w & 63) & mask
			d[4] = x >> (4 * w & 63) & mask
			d[5] = x >> (5 * w & 63) & mask
			d[6] = x >> (6 * w & 63) & mask
			d[7] = x >> (7 * w & 63) & mask
			src = src[w:]
		}
	case width <= 16: // eight values in width bytes, in two words
		half, odd := w/2, w%2*4
		for ; i+8 <= len(dst) && len(src) >= 16; i += 8 {
			x := binary.LittleEndian.Uint64(src)
			y := binary.LittleEndian.Uint64(src[half:]) >> odd
			d := dst[i : i+8 : i+8]
			d[0] = x & mask
			d[1] = x >> (w & 63) & mask
			d[2] = x >> (2 * w & 63) & mask
			d[3] = x >> (3 * w & 63) & mask
			d[4] = y & mask
			d[5] = y >> (w & 63) & mask
			d[6] = y >> (2 * w & 63) & mask
			d[7] = y >> (3 * w & 63) & mask
			src = src[w:]
		}
	case width <= 56:
		bit := uint(0)
		for ; i < len(dst) && int(bit>>3)+8 <= len(src); i++ {
			dst[i] = binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask
			bit += w
		}
		src = src[bit>>3:]
		unpackTail(dst[i:], src, bit&7, width)
		return
	}
	unpackTail(dst[i:], src, 0, width)
}

// unpackTail is Unpack for any width and without reading over the end.
func unpackTail(dst []uint64, src []byte, bit uint, width uint8) {
	for i := range dst {
		dst[i] = extract(src, bit, width)
		bit += uint(width)
	}
}

// At returns value i of those Unpack would give.
func At(src []byte, i int, width uint8) uint64 {
	return extract(src, uint(i)*uint(width), width)
}

// extract returns width bits of src from position bit on; bits behind the end are zero.
func extract(src []byte, bit uint, width uint8) uint64 {
	if width == 0 {
		return 0
	}
	var b [16]byte
	if int(bit>>3) < len(src) {
		copy(b[:9], src[bit>>3:])
	}
	v := binary.LittleEndian.Uint64(b[:]) >> (bit & 7)
	if rest := 64 - bit&7; uint(width) > rest {
		v |= uint64(b[8]) << rest
	}
	return v & (^uint64(0) >> (64 - width))
}
