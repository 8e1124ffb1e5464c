package thingsboard

import (
	"slices"
	"strconv"
)

// A stamp holds the text ,{"ts":1700000000000,"value":" of the point before. Neighbors
// share all but the last digits of their time, so mostly six digits are written anew.
type stamp struct {
	text  [64]byte
	n     int
	high  int64 // the time without its last six digits; -1 when the text is of no use
	last  int   // where the last six digits begin
	quote bool  // the text ends with the quote of a value that is no typed one
}

const stampHead, stampTail = `,{"ts":`, `,"value":"`

func (s *stamp) reset(strict bool) {
	s.high = -1
	s.quote = !strict
	copy(s.text[:], stampHead)
}

// at returns the text for ts; it is valid until the next call.
func (s *stamp) at(ts int64) []byte {
	const low = 1_000_000
	if high := ts / low; high != s.high || ts < 0 {
		s.rewrite(ts)
		s.high = high
		if high <= 0 {
			s.high = -1 // fewer than seven digits, or a sign: always written anew
		}
		return s.text[:s.n]
	}
	rest := uint32(ts - s.high*low)
	d := s.text[s.last : s.last+6 : s.last+6]
	putPair(d[0:2], rest/10000)
	putPair(d[2:4], rest/100%100)
	putPair(d[4:6], rest%100)
	return s.text[:s.n]
}

func (s *stamp) rewrite(ts int64) {
	b := appendTime(s.text[:len(stampHead)], ts)
	s.last = len(b) - 6
	b = append(b, stampTail...)
	if !s.quote {
		b = b[:len(b)-1]
	}
	s.n = len(b)
}

// appendTime adds ts, which mostly has thirteen digits: those of the years 2001 to 2286.
func appendTime(dst []byte, ts int64) []byte {
	const digits = 13
	if ts < 1e12 || ts >= 1e13 {
		return strconv.AppendInt(dst, ts, 10)
	}
	n := len(dst)
	dst = slices.Grow(dst, digits)[:n+digits]
	putDigits(dst[n:], uint64(ts))
	return dst
}

const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// putPair writes v, 0 to 99, as two digits.
func putPair(b []byte, v uint32) {
	p := pairs[2*v : 2*v+2]
	b[1], b[0] = p[1], p[0]
}
