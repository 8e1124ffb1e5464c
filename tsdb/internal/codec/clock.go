package codec

import (
	"encoding/binary"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/encoding"
)

// AppendClock adds ascending instants in the way of VictoriaMetrics: differences of
// differences, then zstd. It has no random access and wins where a clock is irregular,
// bursts between long gaps. There must be three instants or more.
//
//	type <1> | first <varint> | length <uvarint> | bytes
func AppendClock(dst []byte, times []int64) []byte {
	b, kind, first := encoding.MarshalTimestamps(nil, times, 64)
	dst = binary.AppendVarint(append(dst, byte(kind)), first)
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// maxClockValue is more than the bytes of an instant before zstd: one varint.
const maxClockValue = binary.MaxVarintLen64

// maxClock bounds what zstd may unfold to. It is a constant because the pure-Go decoder
// keeps an instance per bound.
const maxClock = 1 << 20

// ReadClock fills times, three or more, with what AppendClock wrote.
func ReadClock(c *Cursor, times []int64) {
	kind := encoding.MarshalType(c.Byte())
	first := c.Varint()
	b := c.Bytes(c.Int(maxClock))
	if c.Err() != nil {
		return
	}
	if len(times) < 3 || len(times) > maxClock/maxClockValue {
		c.Fail(corruptf("clock of %d instants", len(times)))
		return
	}
	// The decoder would unfold zstd without a bound, so it gets the unfolded form.
	var err error
	switch kind {
	case encoding.MarshalTypeZSTDNearestDelta2:
		b, err = encoding.DecompressZSTDLimited(nil, b, maxClock)
		kind = encoding.MarshalTypeNearestDelta2
	case encoding.MarshalTypeZSTDNearestDelta:
		b, err = encoding.DecompressZSTDLimited(nil, b, maxClock)
		kind = encoding.MarshalTypeNearestDelta
	}
	var out []int64
	if err == nil {
		out, err = encoding.UnmarshalTimestamps(nil, b, kind, first, len(times))
	}
	if err != nil || len(out) != len(times) {
		c.Fail(corruptf("clock: %v", err))
		return
	}
	copy(times, out)
}
