package revision

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
)

// ErrCorrupt marks bytes that are no row.
var ErrCorrupt = errors.New("revision: corrupt")

// The flags, beside the type in the low three bits.
const (
	typeBits    = 0b111
	hasReceived = 1 << 3
	isBad       = 1 << 4
	hasGood     = 1 << 5 // bad rows only
	hasExpiry   = 1 << 6 // likewise
	allFlags    = typeBits | hasReceived | isBad | hasGood | hasExpiry
)

// rawFloat stands for the digits of a float that is no decimal.
const rawFloat = 0xff

// Append adds the row of an instant to dst:
//
//	flags <1> | received - ts varint | quality <1> | position - good's uvarint, good's n uvarint
//	| expiry - received varint | value by type
func (r *Row) Append(dst []byte, ts int64) []byte {
	at := len(dst)
	dst = append(dst, byte(r.Value.Type()))
	if r.Received != 0 {
		dst[at] |= hasReceived
		dst = binary.AppendVarint(dst, r.Received-ts)
	}
	if r.Quality != 0 {
		dst[at] |= isBad
		dst = append(dst, r.Quality)
		if r.HasGood {
			dst[at] |= hasGood
			dst = binary.AppendUvarint(dst, uint64(r.Position-r.Good.Position))
			dst = binary.AppendUvarint(dst, uint64(r.Good.N))
		}
		if r.Expires != 0 {
			dst[at] |= hasExpiry
			dst = binary.AppendVarint(dst, r.Expires-r.Received)
		}
	}
	switch v := r.Value; v.Type() {
	case model.TypeBool, model.TypeInt:
		dst = binary.AppendVarint(dst, v.Int())
	case model.TypeFloat:
		n, digits, ok := shortest(v.Float())
		if ok && math.Float64bits(float64(n)/float64(codec.Pow10(digits))) == v.Bits() {
			return binary.AppendVarint(append(dst, digits), n)
		}
		return binary.LittleEndian.AppendUint64(append(dst, rawFloat), v.Bits())
	case model.TypeString, model.TypeJSON:
		dst = append(dst, v.Text()...)
	}
	return dst
}

// Parse reads the row b of an instant into r, whose Position and N are set already.
func (r *Row) Parse(b []byte, ts int64) error {
	c := codec.NewCursor(b)
	flags := c.Byte()
	if flags&^allFlags != 0 || flags&isBad == 0 && flags&(hasGood|hasExpiry) != 0 {
		return ErrCorrupt
	}
	*r = Row{Position: r.Position, N: r.N}
	if flags&hasReceived != 0 {
		r.Received = ts + c.Varint()
	}
	if flags&isBad != 0 {
		if r.Quality = c.Byte(); r.Quality == 0 {
			return ErrCorrupt
		}
	}
	if flags&hasGood != 0 {
		back := c.Uvarint()
		n := c.Int(math.MaxUint16)
		if back > uint64(r.Position) {
			return ErrCorrupt
		}
		r.Good, r.HasGood = Place{r.Position - model.Position(back), uint16(n)}, true
	}
	if flags&hasExpiry != 0 {
		r.Expires = r.Received + c.Varint()
	}
	var ok bool
	if r.Value, ok = readValue(&c, model.Type(flags&typeBits)); !ok || c.Err() != nil || c.Len() > 0 {
		return ErrCorrupt
	}
	return nil
}

// shortest returns n and the least digits with f = n / 10^digits.
func shortest(f float64) (n int64, digits uint8, ok bool) {
	n, scale, ok := codec.Decimal(f)
	if !ok {
		return 0, 0, false
	}
	digits = codec.Digits(n, scale)
	n, ok = codec.AtScale(f, digits)
	return n, digits, ok
}

func readValue(c *codec.Cursor, t model.Type) (v model.Value, ok bool) {
	switch t {
	case model.TypeNull:
		return model.Null(), true
	case model.TypeBool:
		b := c.Varint()
		return model.Bool(b != 0), b&^1 == 0
	case model.TypeInt:
		return model.Int(c.Varint()), true
	case model.TypeFloat:
		digits := c.Byte()
		if digits == rawFloat {
			return model.FromBits(model.TypeFloat, c.Uint64()), true
		}
		if digits > codec.DecimalDigits {
			return v, false
		}
		return model.Float(float64(c.Varint()) / float64(codec.Pow10(digits))), true
	case model.TypeString:
		return model.String(string(c.Bytes(c.Len()))), true
	case model.TypeJSON:
		return model.JSON(string(c.Bytes(c.Len()))), true
	}
	return v, false
}
