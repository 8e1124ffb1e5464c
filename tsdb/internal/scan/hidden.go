package scan

import (
	"cmp"
	"slices"
)

// A span is a range of time, [from, to).
type span struct{ from, to int64 }

// hiddenSpans returns what is deleted of column c within [from, to): ascending, apart from
// each other, in the memory of dst.
func hiddenSpans(dst []span, deleted []Tombstone, c int, from, to int64) []span {
	dst = dst[:0]
	for _, d := range deleted {
		if d.Column == c && d.From < to && d.To > from && d.From < d.To {
			dst = append(dst, span{d.From, d.To})
		}
	}
	if len(dst) < 2 {
		return dst
	}
	slices.SortFunc(dst, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, s := range dst[1:] {
		if s.from <= dst[n].to {
			dst[n].to = max(dst[n].to, s.to)
			continue
		}
		n++
		dst[n] = s
	}
	return dst[:n+1]
}

// overlap returns the part of spans that touches [first, last].
func overlap(spans []span, first, last int64) []span {
	for len(spans) > 0 && spans[0].to <= first {
		spans = spans[1:]
	}
	n := 0
	for n < len(spans) && spans[n].from <= last {
		n++
	}
	return spans[:n]
}

// within reports whether spans hide all of [first, last].
func within(spans []span, first, last int64) bool {
	for _, s := range spans {
		if s.from <= first && last < s.to {
			return true
		}
	}
	return false
}
