package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt marks bytes no encoder of this package wrote.
var ErrCorrupt = errors.New("codec: corrupt")

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// A Cursor reads fields off the front of bytes nobody vouches for. After the first failure
// it returns zeros, so callers read several fields and test Err once.
type Cursor struct {
	b   []byte
	err error
}

// NewCursor returns a Cursor over b, which it never writes to.
func NewCursor(b []byte) Cursor { return Cursor{b: b} }

// Err returns the first failure.
func (c *Cursor) Err() error { return c.err }

// Len reports the bytes left.
func (c *Cursor) Len() int { return len(c.b) }

// Rest returns the bytes left.
func (c *Cursor) Rest() []byte { return c.b }

// Fail records a failure the caller found.
func (c *Cursor) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

// Bytes returns the next n bytes, a view.
func (c *Cursor) Bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.Fail(corruptf("%d bytes wanted, %d left", n, len(c.b)))
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// Byte returns the next byte.
func (c *Cursor) Byte() byte {
	if len(c.b) == 0 {
		c.Fail(corruptf("a byte wanted, none left"))
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

// Uint32 returns the next four bytes as a little-endian number.
func (c *Cursor) Uint32() uint32 {
	if b := c.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 returns the next eight bytes as a little-endian number.
func (c *Cursor) Uint64() uint64 {
	if b := c.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uvarint returns the next unsigned varint.
func (c *Cursor) Uvarint() uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.Fail(corruptf("bad varint"))
		return 0
	}
	c.b = c.b[n:]
	return v
}

// Varint returns the next signed varint.
func (c *Cursor) Varint() int64 {
	u := c.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Int returns the next unsigned varint, which must not be above limit.
func (c *Cursor) Int(limit int) int {
	v := c.Uvarint()
	if v > uint64(limit) {
		c.Fail(corruptf("number %d above %d", v, limit))
		return 0
	}
	return int(v)
}
