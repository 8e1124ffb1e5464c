package catalog

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/tidewire/tidewire/tsdb/internal/codec"
)

// A Tomb hides the cells of some columns with From <= ts < To in the sealed row groups of a
// group. It stands in the state row until what it hides is gone.
type Tomb struct {
	Columns  uint32 // a bit a column
	From, To int64  // ms
	// Expired says that retention made it: it waits until whatever else stands in these row
	// groups goes as well. What a delete hides is rewritten in the background.
	Expired bool
}

// appendTombs adds: count uvarint | per tomb: columns <4> | expired <1> | from varint | length uvarint.
func appendTombs(dst []byte, tombs []Tomb) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(tombs)))
	for _, t := range tombs {
		dst = binary.LittleEndian.AppendUint32(dst, t.Columns)
		expired := byte(0)
		if t.Expired {
			expired = 1
		}
		dst = append(dst, expired)
		dst = binary.AppendVarint(dst, t.From)
		dst = binary.AppendUvarint(dst, uint64(t.To)-uint64(t.From))
	}
	return dst
}

// tombLen is the least length of a tomb.
const tombLen = 4 + 1 + 1 + 1

func (t *Tail) parseTombs(d *codec.Cursor) error {
	n := d.Uvarint()
	if d.Err() != nil || n > uint64(d.Len()/tombLen) {
		return ErrRow
	}
	t.Hidden = nil
	if n > 0 {
		t.Hidden = make([]Tomb, n)
	}
	for i := range t.Hidden {
		h := &t.Hidden[i]
		h.Columns, h.Expired, h.From = d.Uint32(), d.Byte() == 1, d.Varint()
		h.To = int64(uint64(h.From) + d.Uvarint())
		if h.Columns == 0 || h.To <= h.From {
			return ErrRow
		}
	}
	return nil
}

// Hides reports whether a tomb hides the cell of a column at an instant.
func Hides(tombs []Tomb, column int, ts int64) bool {
	for i := range tombs {
		if t := &tombs[i]; t.Columns&(1<<column) != 0 && t.From <= ts && ts < t.To {
			return true
		}
	}
	return false
}

// Cut returns tombs without [from, to) in the columns of mask. The result shares no memory
// with tombs unless nothing changed.
func Cut(tombs []Tomb, mask uint32, from, to int64) []Tomb {
	if !slices.ContainsFunc(tombs, func(t Tomb) bool { return t.Columns&mask != 0 && t.From < to && from < t.To }) {
		return tombs
	}
	out := make([]Tomb, 0, len(tombs)+2)
	for _, t := range tombs {
		if t.Columns&mask == 0 || t.From >= to || from >= t.To {
			out = append(out, t)
			continue
		}
		if rest := t.Columns &^ mask; rest != 0 {
			out = append(out, Tomb{rest, t.From, t.To, t.Expired})
		}
		if t.From < from {
			out = append(out, Tomb{t.Columns & mask, t.From, from, t.Expired})
		}
		if to < t.To {
			out = append(out, Tomb{t.Columns & mask, to, t.To, t.Expired})
		}
	}
	return out
}

// Add returns tombs with t added, merged with those it touches and without those of its
// kind, or of deletes if it expires, that it covers.
func Add(tombs []Tomb, t Tomb) []Tomb {
	out := make([]Tomb, 0, len(tombs)+1)
	for _, o := range tombs {
		switch {
		case o.Columns == t.Columns && o.Expired == t.Expired && o.From <= t.To && t.From <= o.To:
			t.From, t.To = min(t.From, o.From), max(t.To, o.To)
		case o.Expired && !t.Expired || t.From > o.From || o.To > t.To:
			out = append(out, o)
		case o.Columns&^t.Columns != 0:
			o.Columns &^= t.Columns
			out = append(out, o)
		}
	}
	out = append(out, t)
	slices.SortFunc(out, func(a, b Tomb) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Columns, b.Columns)) })
	return out
}

// A Span is a range of time, [From, To).
type Span struct{ From, To int64 }

// Spans returns when any of the columns in mask is hidden, ascending and apart.
func Spans(tombs []Tomb, mask uint32) []Span {
	var out []Span
	for _, t := range tombs {
		if t.Columns&mask != 0 {
			out = append(out, Span{t.From, t.To})
		}
	}
	slices.SortFunc(out, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	n := 0
	for _, s := range out {
		if n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out[n] = s
		n++
	}
	return out[:n]
}

// Whole returns when every one of columns columns is hidden, ascending and apart.
func Whole(tombs []Tomb, columns int) []Span {
	all := []Span{{math.MinInt64, math.MaxInt64}}
	for c := 0; c < columns && len(all) > 0; c++ {
		var both []Span
		for _, b := range Spans(tombs, 1<<c) {
			for _, a := range all {
				if from, to := max(a.From, b.From), min(a.To, b.To); from < to {
					both = append(both, Span{from, to})
				}
			}
		}
		all = both
	}
	return all
}
