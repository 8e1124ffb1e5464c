package rowgroup

import (
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A pageNumberColumn is the summaries of numbers that are decimals of one scale, kind by
// kind, so that each kind packs well and adding many is a loop over integers.
type pageNumberColumn struct {
	digits uint8

	cells, ints         [PageRowGroups]int64
	min, spread, sum    [PageRowGroups]int64 // scaled; sum less cells*(min+max)/2
	firstTS, lastTS     [PageRowGroups]int64 // distance from the row group's first and last row
	first, last         [PageRowGroups]int64 // scaled
	firstType, lastType [PageRowGroups]int64
}

// pageSums is how many kinds stand before those that only first and last values need.
const pageSums = 5

// runs returns the kinds in the order they are written.
func (p *pageNumberColumn) runs() [11]*[PageRowGroups]int64 {
	return [...]*[PageRowGroups]int64{&p.cells, &p.ints, &p.min, &p.spread, &p.sum,
		&p.firstTS, &p.lastTS, &p.first, &p.last, &p.firstType, &p.lastType}
}

// gather takes the summaries of column c, if this form holds them all exactly.
func (p *pageNumberColumn) gather(c int, groups []PageEntry) (digits uint8, ok bool) {
	for i := range groups {
		if c >= len(groups[i].Summaries) {
			continue
		}
		s := &groups[i].Summaries[c]
		if s.Nulls+s.Bools+s.Strings+s.JSONs != 0 || s.Hi != 0 || s.Lo != 0 || s.Huge != 0 {
			return 0, false
		}
		if s.Floats == 0 {
			continue
		}
		for _, bits := range [...]uint64{s.Min, s.Max} {
			d, ok := digitsOf(bits)
			if !ok {
				return 0, false
			}
			digits = max(digits, d)
		}
		for _, cell := range [...]summary.Cell{s.First, s.Last} {
			if d, ok := digitsOf(cell.Bits); cell.Type == model.TypeFloat {
				if !ok {
					return 0, false
				}
				digits = max(digits, d)
			}
		}
		for s.DecimalSum.Rem(codec.Pow10(codec.DecimalDigits-digits)) != 0 {
			digits++
		}
	}
	for i := range groups {
		if c < len(groups[i].Summaries) && !p.take(i, &groups[i], &groups[i].Summaries[c], digits) {
			return 0, false
		}
	}
	return digits, true
}

func digitsOf(bits uint64) (uint8, bool) {
	n, scale, ok := codec.Decimal(math.Float64frombits(bits))
	return codec.Digits(n, scale), ok && bits != 1<<63
}

// take puts summary s of row group i in, if it can.
func (p *pageNumberColumn) take(i int, g *PageEntry, s *summary.Summary, digits uint8) bool {
	if s.Numbers() == 0 {
		return true
	}
	pow := codec.Pow10(digits)
	number := model.TypeFloat
	if s.Floats == 0 {
		number = model.TypeInt
	}
	least, ok1 := scaleCell(number, s.Min, digits)
	most, ok2 := scaleCell(number, s.Max, digits)
	first, ok3 := scaleCell(s.First.Type, s.First.Bits, digits)
	last, ok4 := scaleCell(s.Last.Type, s.Last.Bits, digits)
	total := s.DecimalSum.Div(codec.Pow10(codec.DecimalDigits - digits))
	total.Add(s.IntSum.Times(pow))
	sum, ok5 := total.Int64()
	if !(ok1 && ok2 && ok3 && ok4 && ok5) {
		return false
	}
	p.cells[i], p.ints[i] = s.Numbers(), s.Ints
	p.min[i], p.spread[i] = least, most-least
	p.sum[i] = sum - middle(int(s.Numbers()), least, most-least)
	p.firstTS[i], p.lastTS[i] = s.First.TS-g.First, g.Last-s.Last.TS
	p.first[i], p.last[i] = first, last
	p.firstType[i], p.lastType[i] = int64(s.First.Type), int64(s.Last.Type)
	return true
}

// scaleCell returns a number as an integer of a scale, if it is one of at most 15 digits.
func scaleCell(t model.Type, bits uint64, digits uint8) (int64, bool) {
	var v [1]int64
	n := scaleCells(v[:], []model.Type{t}, []uint64{bits}, digits)
	return v[0], n == 1
}

// aggregate adds row groups [lo, hi) to acc.
func (p *pageNumberColumn) aggregate(page *PageReader, lo, hi int, want model.Aggregates, acc *summary.Summary) {
	for lo < hi && p.cells[lo] == 0 {
		lo++
	}
	for lo < hi && p.cells[hi-1] == 0 {
		hi--
	}
	if lo == hi {
		return
	}
	sums := scaledSums{want: want}
	for i := lo; i < hi; i++ {
		if n := p.cells[i]; n > 0 {
			sums.add(int(n), runOf(int(n), p.ints[i], p.min[i], p.spread[i], p.sum[i]))
		}
	}
	var s summary.Summary
	sums.finish(p.digits, &s)
	if want.Any(endsFor) {
		s.First = p.cell(p.first[lo], p.firstType[lo], page.first[lo]+p.firstTS[lo])
		s.Last = p.cell(p.last[hi-1], p.lastType[hi-1], page.last[hi-1]-p.lastTS[hi-1])
	}
	acc.Merge(&s)
}

func (p *pageNumberColumn) cell(v, typ, ts int64) summary.Cell {
	pow := codec.Pow10(p.digits)
	if model.Type(typ) == model.TypeInt {
		return summary.Cell{TS: ts, Type: model.TypeInt, Bits: uint64(v / int64(pow))}
	}
	return summary.Cell{TS: ts, Type: model.TypeFloat, Bits: math.Float64bits(float64(v) / float64(pow))}
}
