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
	p := packer{dst: dst}
	for _, v := range u {
		p.add(v, width)
	}
	return p.end()
}

// A packer gathers values in a word and adds the full ones to dst.
type packer struct {
	dst  []byte
	acc  uint64
	have uint8 // bits in acc
}

func (p *packer) add(v uint64, width uint8) {
	p.acc |= v << (p.have & 63)
	p.have += width
	if p.have >= 64 {
		p.dst = binary.LittleEndian.AppendUint64(p.dst, p.acc)
		p.have -= 64
		p.acc = v >> (width - p.have)
	}
}

func (p *packer) end() []byte {
	for ; p.have > 0; p.have -= min(p.have, 8) {
		p.dst = append(p.dst, byte(p.acc))
		p.acc >>= 8
	}
	return p.dst
}

// Unpack fills dst with values of width bits from the front of src, which must hold
// PackedLen bytes or more: bytes behind them are read over, which is what makes it fast.
func Unpack[T int64 | uint64](dst []T, src []byte, width uint8) {
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
			d[0] = T(x & mask)
			d[1] = T(x >> w & mask)
			d[2] = T(x >> (2 * w & 63) & mask)
			d[3] = T(x >> (3 * w & 63) & mask)
			d[4] = T(x >> (4 * w & 63) & mask)
			d[5] = T(x >> (5 * w & 63) & mask)
			d[6] = T(x >> (6 * w & 63) & mask)
			d[7] = T(x >> (7 * w & 63) & mask)
			src = src[w:]
		}
	case width <= 16: // eight values in width bytes, in two words
		half, odd := w/2, w%2*4
		for ; i+8 <= len(dst) && len(src) >= 16; i += 8 {
			x := binary.LittleEndian.Uint64(src)
			y := binary.LittleEndian.Uint64(src[half:]) >> odd
			d := dst[i : i+8 : i+8]
			d[0] = T(x & mask)
			d[1] = T(x >> (w & 63) & mask)
			d[2] = T(x >> (2 * w & 63) & mask)
			d[3] = T(x >> (3 * w & 63) & mask)
			d[4] = T(y & mask)
			d[5] = T(y >> (w & 63) & mask)
			d[6] = T(y >> (2 * w & 63) & mask)
			d[7] = T(y >> (3 * w & 63) & mask)
			src = src[w:]
		}
	case width <= 56:
		bit := uint(0)
		for ; i < len(dst) && int(bit>>3)+8 <= len(src); i++ {
			dst[i] = T(binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask)
			bit += w
		}
		src = src[bit>>3:]
		unpackTail(dst[i:], src, bit&7, width)
		return
	}
	unpackTail(dst[i:], src, 0, width)
}

// unpackTail is Unpack for any width and without reading over the end.
func unpackTail[T int64 | uint64](dst []T, src []byte, bit uint, width uint8) {
	for i := range dst {
		dst[i] = T(extract(src, bit, width))
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
	if at := int(bit >> 3); at+8 <= len(src) && uint(width)+bit&7 <= 64 {
		return binary.LittleEndian.Uint64(src[at:]) >> (bit & 7) & (^uint64(0) >> (64 - width))
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
