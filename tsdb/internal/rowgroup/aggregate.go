package rowgroup

import (
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// What of a summary costs something to work out, by the aggregates that need it. Counts are
// always right.
const (
	boundsFor = model.Min | model.Max
	sumFor    = model.Sum | model.Avg
	endsFor   = model.First | model.Last
	// typesFor need to know which of the numbers are ints; an average is a float.
	typesFor = model.Min | model.Max | model.Sum
)

// aggregate adds rows [lo, hi) to acc, as far as want needs it.
func (c *columnReader) aggregate(lo, hi int, want model.Aggregates, acc *summary.Summary) error {
	if err := c.open(); err != nil {
		return err
	}
	if !c.full {
		lo = codec.NextBit(c.present[:], lo, hi)
		hi = codec.LastBit(c.present[:], lo, hi) + 1
	}
	if lo >= hi {
		return nil
	}
	if c.rule == ruleMixed {
		return c.aggregateMixed(lo, hi, acc)
	}
	var s summary.Summary
	ends := want.Any(endsFor)
	if ends {
		s.First = c.regularCell(lo)
	}
	last := hi - 1
	sums := scaledSums{want: want}
	for lo < hi {
		k := lo / StepRows
		end := min(hi, c.stepEnd(k))
		if n := c.cellsIn(lo, end); n == int(c.cells[k]) {
			c.addStep(k, &sums)
		} else {
			from := c.cellsIn(k*StepRows, lo)
			c.addValues(k, from, from+n, &sums)
		}
		lo = end
	}
	if ends {
		s.Last = c.regularCell(last)
	}
	if c.rule == ruleBool {
		s.Bools = sums.cells
	} else {
		sums.finish(c.digits, &s)
	}
	acc.Merge(&s)
	return nil
}

// cellsIn counts the cells of rows [lo, hi).
func (c *columnReader) cellsIn(lo, hi int) int {
	if c.full {
		return hi - lo
	}
	return codec.CountBits(c.present[:], lo, hi)
}

// regularCell returns the cell of a row that has one.
func (c *columnReader) regularCell(row int) summary.Cell {
	k := row / StepRows
	v := c.regularStep(k)[c.cellsIn(k*StepRows, row)]
	t, b := c.cell(v)
	return summary.Cell{TS: c.times.at(row), Type: t, Bits: b}
}

// scaledSums aggregates scaled values; they become a summary once, at the end.
type scaledSums struct {
	want        model.Aggregates
	cells, ints int64
	min, max    int64
	sum         summary.Int128
}

// addStep adds all of step k, from its head.
func (c *columnReader) addStep(k int, s *scaledSums) {
	n := int(c.cells[k])
	if n == 0 {
		return
	}
	lo := c.heads.min[k]
	s.bound(lo, int64(uint64(lo)+uint64(c.heads.spread[k])))
	s.cells += int64(n)
	switch c.rule {
	case ruleInt:
		s.ints += int64(n)
	case ruleWhenIntegral:
		s.ints += c.heads.ints[k]
	}
	s.sum.Add(summary.FromInt64(int64(uint64(c.heads.sum[k]) + uint64(middle(n, lo, c.heads.spread[k])))))
}

// addValues adds values [from, to) of step k.
func (c *columnReader) addValues(k, from, to int, s *scaledSums) {
	n := to - from
	if n == 0 {
		return
	}
	ints := 0
	if c.rule == ruleInt {
		ints = n
	}
	if s.want.Any(sumFor | boundsFor) {
		v := c.regularStep(k)[from:to]
		var sum uint64
		if s.want.Any(boundsFor) {
			var lo, hi int64
			lo, hi, sum = spanAndSum(v)
			s.bound(lo, hi)
		} else {
			sum = sumOf(v)
		}
		s.sum.Add(summary.FromInt64(int64(sum)))
		if c.rule == ruleWhenIntegral && c.heads.ints[k] != 0 && s.want.Any(typesFor) {
			ints = codec.CountMultiples(v, c.digits)
		}
	}
	s.ints += int64(ints)
	s.cells += int64(n)
}

// sumOf returns the sum of v, in four that do not wait for each other.
func sumOf(v []int64) uint64 {
	var a, b, c, d uint64
	for ; len(v) >= 4; v = v[4:] {
		a += uint64(v[0])
		b += uint64(v[1])
		c += uint64(v[2])
		d += uint64(v[3])
	}
	for _, x := range v {
		a += uint64(x)
	}
	return a + b + c + d
}

// spanAndSum returns the least and the greatest value of v, which is not empty, and the sum of
// all. Even and odd places have their own bounds: a step then waits for one comparison and
// not for two.
func spanAndSum(v []int64) (lo, hi int64, sum uint64) {
	lo, hi = v[0], v[0]
	lo2, hi2 := lo, hi
	for ; len(v) >= 2; v = v[2:] {
		a, b := v[0], v[1]
		lo, hi = min(lo, a), max(hi, a)
		lo2, hi2 = min(lo2, b), max(hi2, b)
		sum += uint64(a) + uint64(b)
	}
	for _, a := range v {
		lo, hi = min(lo, a), max(hi, a)
		sum += uint64(a)
	}
	return min(lo, lo2), max(hi, hi2), sum
}

// bound widens the bounds; it comes before the cells are counted.
func (s *scaledSums) bound(lo, hi int64) {
	if s.cells == 0 {
		s.min, s.max = lo, hi
		return
	}
	s.min, s.max = min(s.min, lo), max(s.max, hi)
}

// finish turns scaled sums of numbers into a summary.
func (s *scaledSums) finish(digits uint8, to *summary.Summary) {
	pow := codec.Pow10(digits)
	if s.ints == s.cells {
		to.Ints, to.IntSum = s.cells, s.sum.Div(pow)
		to.Min, to.Max = uint64(s.min/int64(pow)), uint64(s.max/int64(pow))
		return
	}
	to.Ints, to.Floats = s.ints, s.cells-s.ints
	to.DecimalSum = s.sum.Times(codec.Pow10(codec.DecimalDigits - digits))
	to.Min = math.Float64bits(float64(s.min) / float64(pow))
	to.Max = math.Float64bits(float64(s.max) / float64(pow))
}

// aggregateMixed is aggregate for a column without regular form.
func (c *columnReader) aggregateMixed(lo, hi int, acc *summary.Summary) error {
	var s summary.Summary // its instants are row numbers
	for lo < hi {
		k := lo / StepRows
		end := min(hi, c.stepEnd(k))
		if n := c.cellsIn(lo, end); n > 0 && n == int(c.cells[k]) {
			r := codec.NewCursor(c.body[c.start[k]:])
			var step summary.Summary
			step.Read(&r, int64(k*StepRows), int64((k+1)*StepRows-1))
			if err := r.Err(); err != nil {
				return corrupt("summary", err)
			}
			s.Merge(&step)
		} else if n > 0 {
			types, bits, err := c.mixedStep(k)
			if err != nil {
				return err
			}
			from := c.cellsIn(k*StepRows, lo)
			row := lo
			for i := from; i < from+n; i++ {
				row = codec.NextBit(c.present[:], row, c.rows)
				s.AddCell(int64(row), types[i], bits[i])
				row++
			}
		}
		lo = end
	}
	for _, cell := range [...]*summary.Cell{&s.First, &s.Last} {
		if cell.Type == model.TypeNone {
			continue
		}
		if cell.TS < 0 || cell.TS >= int64(c.rows) {
			return corruptf("row %d of %d", cell.TS, c.rows)
		}
		cell.TS = c.times.at(int(cell.TS))
	}
	acc.Merge(&s)
	return nil
}
