package entry

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
)

// An Aside is a cell of a set that keeps originals which does not become a point: a bad one,
// or a good one that a later row of the set replaces.
type Aside struct {
	Ref     catalog.Ref
	TS      int64 // ms
	Quality uint8 // 0: good
	// After says that it stands behind the cell of the set which does become the point.
	After bool
	Value model.Value
}

// ErrCrowded says that a set has more values of one key at one instant than can be told
// apart.
var ErrCrowded = errors.New("entry: too many values of one key at one instant")

// maxAsides is the most values of one key at one instant: their numbers take two bytes.
const maxAsides = 60_000

const asideAfter = 1 << 7 // beside the type

// An instant is that of a key.
type instant struct {
	key int
	ts  int64
}

// setAside returns s without the cells that do not become points, and leaves these in
// e.asides, in the order of the set.
func (e *Encoder) setAside(s *model.WriteSet, refs []catalog.Ref) (*model.WriteSet, error) {
	e.asides = e.asides[:0]
	if s.Scope.Arrival() || allPoints(s) {
		return s, nil
	}
	points := map[instant]int{} // index of the cell that becomes the point
	each(s, func(cell int, at instant) {
		if quality(s, cell) == 0 {
			points[at] = cell
		}
	})
	crowd := map[instant]int{}
	out := *s
	out.Rows, out.Cells, out.Qualities = nil, nil, nil
	cell := 0
	for _, row := range s.Rows {
		kept := 0
		for range row.Cells {
			c := &s.Cells[cell]
			at := instant{c.Key, row.TS}
			point, any := points[at]
			if any && point == cell {
				out.Cells = append(out.Cells, *c)
				kept++
			} else {
				if crowd[at]++; crowd[at] > maxAsides {
					return nil, ErrCrowded
				}
				e.asides = append(e.asides, Aside{
					Ref: refs[c.Key], TS: row.TS, Quality: quality(s, cell), After: any && point < cell, Value: c.Value,
				})
			}
			cell++
		}
		out.Rows = append(out.Rows, model.Row{TS: row.TS, Cells: kept})
	}
	return &out, nil
}

// allPoints reports whether every cell of s becomes a point, as far as that is told easily:
// all are good, instants ascend, and so do the keys of each row.
func allPoints(s *model.WriteSet) bool {
	cell := 0
	for i, row := range s.Rows {
		if i > 0 && row.TS <= s.Rows[i-1].TS {
			return false
		}
		for k := cell + 1; k < cell+row.Cells; k++ {
			if s.Cells[k].Key <= s.Cells[k-1].Key {
				return false
			}
		}
		cell += row.Cells
	}
	return !slices.ContainsFunc(s.Qualities, func(q uint8) bool { return q != 0 })
}

// each calls fn with every cell of s.
func each(s *model.WriteSet, fn func(cell int, at instant)) {
	cell := 0
	for _, row := range s.Rows {
		for range row.Cells {
			fn(cell, instant{s.Cells[cell].Key, row.TS})
			cell++
		}
	}
}

func quality(s *model.WriteSet, cell int) uint8 {
	if s.Qualities == nil {
		return 0
	}
	return s.Qualities[cell]
}

// appendAsides adds the cells set aside: count uvarint | per cell: group uvarint, column <1>,
// ts varint, type <1> with 128 for After, quality <1>, then <8> or of text: length uvarint, bytes.
func (e *Encoder) appendAsides(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.asides)))
	for i := range e.asides {
		a := &e.asides[i]
		t := byte(a.Value.Type())
		if a.After {
			t |= asideAfter
		}
		dst = append(binary.AppendUvarint(dst, a.Ref.Group), a.Ref.Column)
		dst = append(binary.AppendVarint(dst, a.TS), t, a.Quality)
		if a.Value.Type().IsText() {
			dst = binary.AppendUvarint(dst, uint64(len(a.Value.Text())))
			dst = append(dst, a.Value.Text()...)
		} else {
			dst = binary.LittleEndian.AppendUint64(dst, a.Value.Bits())
		}
	}
	clear(e.asides) // they hold texts of the caller
	return dst
}

// parseAsides reads what appendAsides wrote; the texts are copies.
func (s *Set) parseAsides(d *decoder) bool {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		return false
	}
	for range n {
		a := Aside{Ref: catalog.Ref{Group: d.uvarint(), Column: d.byte()}, TS: d.varint()}
		t := d.byte()
		a.Quality, a.After = d.byte(), t&asideAfter != 0
		switch t := model.Type(t &^ asideAfter); {
		case a.Ref.Column >= catalog.MaxColumns || t == model.TypeNone || t > model.TypeJSON:
			return false
		case t == model.TypeString:
			a.Value = model.String(string(d.bytes(d.uvarint())))
		case t == model.TypeJSON:
			a.Value = model.JSON(string(d.bytes(d.uvarint())))
		default:
			a.Value = model.FromBits(t, d.u64())
		}
		s.Asides = append(s.Asides, a)
	}
	return !d.bad
}
