package codec

import (
	"encoding/binary"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/encoding"
)

// MaxText bounds the texts of one run, before compression.
const MaxText = 64 << 20

// zstdLevel is that of VictoriaMetrics for its larger blocks: higher ones take twice the
// time for a few percent.
const zstdLevel = 3

// minZstd is the length below which a frame's head outweighs what it saves.
const minZstd = 64

// AppendTexts adds texts, which lie in all one behind the other and have the given lengths.
// All of it must not exceed MaxText.
//
//	count <uvarint> | lengths, MaxRun at a time, as ints | size <uvarint> | packed size, 0: not packed <uvarint> | bytes
func AppendTexts(dst []byte, all []byte, lengths []int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(lengths)))
	for lo := 0; lo < len(lengths); lo += MaxRun {
		dst = AppendInts(dst, lengths[lo:min(lo+MaxRun, len(lengths))])
	}
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	if len(all) >= minZstd {
		packed := encoding.CompressZSTDLevel(nil, all, zstdLevel)
		if len(packed) < len(all)-len(all)/16 {
			dst = binary.AppendUvarint(dst, uint64(len(packed)))
			return append(dst, packed...)
		}
	}
	return append(append(dst, 0), all...)
}

// Texts is what AppendTexts wrote, decoded. It keeps its memory.
type Texts struct {
	all  []byte
	ends []uint32
}

// Len reports the number of texts.
func (t *Texts) Len() int { return len(t.ends) }

// Reset empties t.
func (t *Texts) Reset() { t.all, t.ends = t.all[:0], t.ends[:0] }

// At returns text i, a view, or nil if there is none.
func (t *Texts) At(i uint64) []byte {
	if i >= uint64(len(t.ends)) {
		return nil
	}
	var from uint32
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.all[from:t.ends[i]:t.ends[i]]
}

// Read sets t to the texts at c, at most limit of them.
func (t *Texts) Read(c *Cursor, limit int) {
	t.Reset()
	n := c.Int(limit)
	var lengths [MaxRun]int64
	var end uint64
	for lo := 0; lo < n && c.Err() == nil; lo += MaxRun {
		run := lengths[:min(MaxRun, n-lo)]
		ReadInts(c, run)
		for _, l := range run {
			end += uint64(l)
			if l < 0 || end > MaxText {
				c.Fail(corruptf("text of %d bytes", l))
				break
			}
			t.ends = append(t.ends, uint32(end))
		}
	}
	size, packed := c.Int(MaxText), c.Int(MaxText)
	if packed == 0 {
		t.all = append(t.all, c.Bytes(size)...)
	} else if b := c.Bytes(packed); c.Err() == nil {
		all, err := encoding.DecompressZSTDLimited(t.all, b, MaxText)
		if err != nil {
			c.Fail(corruptf("texts: %v", err))
		} else {
			t.all = all
		}
	}
	if c.Err() == nil && (len(t.all) != size || uint64(size) != end) {
		c.Fail(corruptf("texts of %d bytes, lengths of %d", len(t.all), end))
	}
	if c.Err() != nil {
		t.Reset()
	}
}

// SkipTexts moves c behind texts without unfolding them.
func SkipTexts(c *Cursor, limit int) {
	n := c.Int(limit)
	var lengths [MaxRun]int64
	for lo := 0; lo < n && c.Err() == nil; lo += MaxRun {
		ReadInts(c, lengths[:min(MaxRun, n-lo)])
	}
	size, packed := c.Int(MaxText), c.Int(MaxText)
	if packed > 0 {
		size = packed
	}
	c.Bytes(size)
}
