package summary

import (
	"encoding/binary"
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
)

// The parts of an encoded summary; a part without its bit is zero.
const (
	hasNulls = 1 << iota
	hasBools
	hasInts
	hasFloats
	hasStrings
	hasJSONs
	hasInexact // Hi and Lo
	hasHuge
)

// Append adds s to dst. Instants are written as distances from the instants from and to,
// which the reader must know; they may be any, near ones are short.
func (s *Summary) Append(dst []byte, from, to int64) []byte {
	var flags byte
	for i, n := range s.counts() {
		if *n != 0 {
			flags |= 1 << i
		}
	}
	if s.Hi != 0 || s.Lo != 0 {
		flags |= hasInexact
	}
	if s.Huge != 0 {
		flags |= hasHuge
	}
	dst = append(dst, flags)
	for _, n := range s.counts() {
		if *n != 0 {
			dst = binary.AppendUvarint(dst, uint64(*n))
		}
	}
	switch {
	case s.Floats > 0:
		dst = appendFloat(dst, math.Float64frombits(s.Min))
		dst = appendFloat(dst, math.Float64frombits(s.Max))
		dst = appendInt128(dst, s.DecimalSum)
	case s.Ints > 0:
		dst = binary.AppendVarint(dst, int64(s.Min))
		dst = binary.AppendVarint(dst, int64(s.Max))
	}
	if s.Ints > 0 {
		dst = appendInt128(dst, s.IntSum)
	}
	if flags&hasInexact != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.Hi))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.Lo))
	}
	if flags&hasHuge != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.Huge))
	}
	if s.Count() > 0 {
		dst = appendCell(dst, s.First, uint64(s.First.TS)-uint64(from))
		dst = appendCell(dst, s.Last, uint64(to)-uint64(s.Last.TS))
	}
	return dst
}

// Read sets s to the summary at c, which was written with the same from and to. What is
// wrong with it is c's error.
func (s *Summary) Read(c *codec.Cursor, from, to int64) {
	*s = Summary{}
	flags := c.Byte()
	for i, n := range s.counts() {
		if flags&(1<<i) != 0 {
			*n = int64(c.Uvarint() & math.MaxInt64)
		}
	}
	switch {
	case s.Floats > 0:
		s.Min, s.Max = readFloat(c), readFloat(c)
		s.DecimalSum = readInt128(c)
	case s.Ints > 0:
		s.Min, s.Max = uint64(c.Varint()), uint64(c.Varint())
	}
	if s.Ints > 0 {
		s.IntSum = readInt128(c)
	}
	if flags&hasInexact != 0 {
		s.Hi = math.Float64frombits(c.Uint64())
		s.Lo = math.Float64frombits(c.Uint64())
	}
	if flags&hasHuge != 0 {
		s.Huge = math.Float64frombits(c.Uint64())
	}
	if s.Count() > 0 {
		var distance uint64
		s.First, distance = readCell(c)
		s.First.TS = int64(uint64(from) + distance)
		s.Last, distance = readCell(c)
		s.Last.TS = int64(uint64(to) - distance)
	}
}

// counts returns the counters in the order of their bits.
func (s *Summary) counts() [6]*int64 {
	return [...]*int64{&s.Nulls, &s.Bools, &s.Ints, &s.Floats, &s.Strings, &s.JSONs}
}

func appendCell(dst []byte, c Cell, distance uint64) []byte {
	dst = binary.AppendUvarint(append(dst, byte(c.Type)), distance)
	switch c.Type {
	case model.TypeBool:
		return append(dst, byte(c.Bits))
	case model.TypeInt:
		return binary.AppendVarint(dst, int64(c.Bits))
	case model.TypeFloat:
		return appendFloat(dst, math.Float64frombits(c.Bits))
	}
	return dst
}

func readCell(r *codec.Cursor) (c Cell, distance uint64) {
	c.Type, distance = model.Type(r.Byte()), r.Uvarint()
	switch c.Type {
	case model.TypeBool:
		c.Bits = uint64(r.Byte())
	case model.TypeInt:
		c.Bits = uint64(r.Varint())
	case model.TypeFloat:
		c.Bits = readFloat(r)
	}
	return c, distance
}

// raw stands where a float's scale would, before its eight bytes.
const raw = 0xff

// appendFloat writes a decimal as scale and integer, any other float as its bits.
func appendFloat(dst []byte, f float64) []byte {
	n, scale, ok := codec.Decimal(f)
	if !ok || f == 0 && math.Signbit(f) {
		return binary.LittleEndian.AppendUint64(append(dst, raw), math.Float64bits(f))
	}
	for scale > 0 && n%10 == 0 {
		n, scale = n/10, scale-1
	}
	return binary.AppendVarint(append(dst, scale), n)
}

func readFloat(c *codec.Cursor) uint64 {
	scale := c.Byte()
	if scale == raw {
		return c.Uint64()
	}
	if scale > codec.DecimalDigits {
		c.Fail(codec.ErrCorrupt)
		return 0
	}
	return math.Float64bits(float64(c.Varint()) / float64(codec.Pow10(scale)))
}

// appendInt128 writes a sum without its trailing decimal zeros: sums of decimals, in units
// of 10^-12, mostly have ten of them.
func appendInt128(dst []byte, a Int128) []byte {
	negative := a.Hi < 0
	if negative {
		a = a.Neg()
	}
	zeros := byte(0)
	for zeros < codec.DecimalDigits && a != (Int128{}) {
		q, r := a.divide10()
		if r != 0 {
			break
		}
		a, zeros = q, zeros+1
	}
	head := zeros << 2
	if negative {
		head |= 1
	}
	if a.Hi != 0 {
		head |= 2
	}
	dst = binary.AppendUvarint(append(dst, head), a.Lo)
	if a.Hi != 0 {
		dst = binary.AppendUvarint(dst, uint64(a.Hi))
	}
	return dst
}

func readInt128(c *codec.Cursor) (a Int128) {
	head := c.Byte()
	a.Lo = c.Uvarint()
	if head&2 != 0 {
		a.Hi = int64(c.Uvarint())
	}
	if head>>2 > codec.DecimalDigits {
		c.Fail(codec.ErrCorrupt)
		return Int128{}
	}
	a = a.Times(codec.Pow10(head >> 2))
	if head&1 != 0 {
		a = a.Neg()
	}
	return a
}
