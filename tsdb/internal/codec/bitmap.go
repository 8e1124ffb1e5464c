package codec

import (
	"encoding/binary"
	"math/bits"
)

// Bitmap words hold row i in bit i%64 of word i/64.

// The forms of a bitmap.
const (
	bitmapFull = iota // every bit of the run is set
	bitmapRuns        // lengths of runs, of zeros first, ones and zeros by turns <uvarint>
	bitmapRaw         // the words, cut to whole bytes
)

// AppendBitmap adds the first n bits of words, in the shortest form.
//
//	form <1> | runs or bytes
func AppendBitmap(dst []byte, words []uint64, n int) []byte {
	if runEnd(words, 0, n, true) == n {
		return append(dst, bitmapFull)
	}
	start := len(dst)
	dst = append(dst, bitmapRuns)
	value, from := false, 0
	for from < n && len(dst)-start <= (n+7)/8 {
		end := runEnd(words, from, n, value)
		dst = binary.AppendUvarint(dst, uint64(end-from))
		value, from = !value, end
	}
	if from == n && len(dst)-start <= (n+7)/8 {
		return dst
	}
	dst = append(dst[:start], bitmapRaw)
	for i := range (n + 7) / 8 {
		dst = append(dst, byte(words[i/8]>>(i%8*8)))
	}
	return dst
}

// runEnd returns the end of the run of value that begins at bit i.
func runEnd(words []uint64, i, n int, value bool) int {
	for i < n {
		w := words[i/64]
		if value {
			w = ^w
		}
		if w >>= i % 64; w != 0 {
			return min(n, i+bits.TrailingZeros64(w))
		}
		i = (i/64 + 1) * 64
	}
	return n
}

// ReadBitmap fills the first n bits of words with what AppendBitmap wrote, the rest of the
// words it touches with zeros, and reports whether all n are set.
func ReadBitmap(c *Cursor, words []uint64, n int) (full bool) {
	clear(words[:(n+63)/64])
	switch form := c.Byte(); form {
	case bitmapFull:
		SetBits(words, 0, n)
		return true
	case bitmapRuns:
		value := false
		for i := 0; i < n && c.Err() == nil; value = !value {
			run := c.Int(n - i)
			if value {
				SetBits(words, i, i+run)
			}
			i += run
			if run == 0 && i > 0 {
				c.Fail(corruptf("empty run"))
			}
		}
	case bitmapRaw:
		for i, b := range c.Bytes((n + 7) / 8) {
			words[i/8] |= uint64(b) << (i % 8 * 8)
		}
		if n%64 != 0 {
			words[n/64] &= 1<<(n%64) - 1
		}
	default:
		c.Fail(corruptf("bitmap of form %d", form))
	}
	return false
}

// SetBits sets bits [lo, hi) of words.
func SetBits(words []uint64, lo, hi int) {
	for lo < hi {
		if lo%64 == 0 && hi-lo >= 64 {
			words[lo/64] = ^uint64(0)
			lo += 64
			continue
		}
		end := min(hi, (lo/64+1)*64)
		words[lo/64] |= (^uint64(0) >> (64 - (end - lo))) << (lo % 64)
		lo = end
	}
}

// CountBits counts the set bits among [lo, hi) of words.
func CountBits(words []uint64, lo, hi int) (n int) {
	for lo < hi {
		end := min(hi, (lo/64+1)*64)
		n += bits.OnesCount64(words[lo/64] >> (lo % 64) << (64 - (end - lo)))
		lo = end
	}
	return n
}

// NextBit returns the first set bit among [lo, hi) of words, or hi.
func NextBit(words []uint64, lo, hi int) int {
	return runEnd(words, lo, hi, false)
}

// LastBit returns the last set bit among [lo, hi) of words, or -1.
func LastBit(words []uint64, lo, hi int) int {
	for i := hi - 1; i >= lo; i-- {
		if words[i/64]>>(i%64)&1 != 0 {
			return i
		}
	}
	return -1
}
