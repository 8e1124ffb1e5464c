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
func Unpack[T int64 | uint64](dst []T, src []byte, width uint8) { unpack(dst, src, width, 0) }

// unpack is Unpack of values that are told from base.
func unpack[T int64 | uint64](dst []T, src []byte, width uint8, base T) {
	w := uint(width)
	mask := uint64(1)<<w - 1
	i := 0
	switch {
	case width == 0:
		for i := range dst {
			dst[i] = base
		}
		return
	case width <= 8: // eight values in width bytes, in one word
		w &= 63 // as it is: the shifts then need no test for more
		for ; i+8 <= len(dst) && len(src) >= 8; i += 8 {
			x := binary.LittleEndian.Uint64(src)
			d := dst[i : i+8 : i+8]
			d[0] = base + T(x&mask)
			x >>= w
			d[1] = base + T(x&mask)
			x >>= w
			d[2] = base + T(x&mask)
			x >>= w
			d[3] = base + T(x&mask)
			x >>= w
			d[4] = base + T(x&mask)
			x >>= w
			d[5] = base + T(x&mask)
			x >>= w
			d[6] = base + T(x&mask)
			x >>= w
			d[7] = base + T(x&mask)
			src = src[w:]
		}
	case width <= 16: // eight values in width bytes, in two words
		w &= 63
		half, odd := w/2, w%2*4
		for ; i+8 <= len(dst) && len(src) >= 16; i += 8 {
			x := binary.LittleEndian.Uint64(src)
			y := binary.LittleEndian.Uint64(src[half:]) >> odd
			d := dst[i : i+8 : i+8]
			d[0], d[4] = base+T(x&mask), base+T(y&mask)
			x, y = x>>w, y>>w
			d[1], d[5] = base+T(x&mask), base+T(y&mask)
			x, y = x>>w, y>>w
			d[2], d[6] = base+T(x&mask), base+T(y&mask)
			x, y = x>>w, y>>w
			d[3], d[7] = base+T(x&mask), base+T(y&mask)
			src = src[w:]
		}
	case width <= 56:
		bit := uint(0)
		for ; i < len(dst) && int(bit>>3)+8 <= len(src); i++ {
			dst[i] = base + T(binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7)&mask)
			bit += w
		}
		src = src[bit>>3:]
		unpackTail(dst[i:], src, bit&7, width, base)
		return
	}
	unpackTail(dst[i:], src, 0, width, base)
}

// unpackTail is unpack for any width and without reading over the end.
func unpackTail[T int64 | uint64](dst []T, src []byte, bit uint, width uint8, base T) {
	for i := range dst {
		dst[i] = base + T(extract(src, bit, width))
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
