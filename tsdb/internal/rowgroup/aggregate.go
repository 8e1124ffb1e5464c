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
	if acc.IsEmpty() { // as it is in small buckets
		c.aggregateRegular(lo, hi, want, acc)
		return nil
	}
	var s summary.Summary
	c.aggregateRegular(lo, hi, want, &s)
	acc.Merge(&s)
	return nil
}

// aggregateRegular sets to, which is empty, to the summary of rows [lo, hi) of a column of
// regular form. The first and the last of them have a cell.
func (c *columnReader) aggregateRegular(lo, hi int, want model.Aggregates, to *summary.Summary) {
	ends, last := want.Any(endsFor), hi-1
	if ends {
		to.First = c.regularCell(lo)
	}
	sums := scaledSums{want: want}
	for lo < hi {
		k := lo / StepRows
		if lo%StepRows == 0 {
			next := hi / StepRows
			if hi == c.rows {
				next = stepsOf(hi)
			}
			if next > k {
				c.addSteps(k, next, &sums)
				lo = next * StepRows
				continue
			}
		}
		end := min(hi, c.stepEnd(k))
		switch n := c.cellsIn(lo, end); n {
		case 0:
		case int(c.cells[k]):
			c.addSteps(k, k+1, &sums)
		default:
			from := c.cellsIn(k*StepRows, lo)
			c.addValues(k, from, from+n, &sums)
		}
		lo = end
	}
	if ends {
		to.Last = c.regularCell(last)
	}
	if c.rule == ruleBool {
		to.Bools = sums.cells
	} else {
		sums.finish(c.digits, to)
	}
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

// runSums are what some values of one step come to. How many there are is left to those who
// know anyway: structs of five fields do not travel in registers.
type runSums struct{ ints, min, max, sum int64 }

// scaledSums aggregates scaled values; they become a summary once, at the end.
type scaledSums struct {
	want        model.Aggregates
	cells, ints int64
	min, max    int64
	sum         summary.Int128
}

// add adds what n values come to.
func (s *scaledSums) add(n int, r runSums) {
	if s.cells == 0 {
		s.min, s.max = r.min, r.max
	} else {
		s.min, s.max = min(s.min, r.min), max(s.max, r.max)
	}
	s.cells += int64(n)
	s.ints += r.ints
	s.sum.Add(summary.FromInt64(r.sum))
}

// addSteps adds all of steps [from, to), from their heads.
func (c *columnReader) addSteps(from, to int, s *scaledSums) {
	least, most := s.min, s.max
	cells, ints, sum := s.cells, s.ints, s.sum
	for k := from; k < to; k++ {
		n := int64(c.cells[k])
		if n == 0 {
			continue
		}
		r := c.whole(k)
		if cells == 0 {
			least, most = r.min, r.max
		}
		least, most = min(least, r.min), max(most, r.max)
		cells += n
		ints += r.ints
		sum.Add(summary.FromInt64(r.sum))
	}
	s.min, s.max = least, most
	s.cells, s.ints, s.sum = cells, ints, sum
}

// addValues adds values [from, to) of step k: some, and not all there are.
func (c *columnReader) addValues(k, from, to int, s *scaledSums) {
	if c.rule == ruleBool || !s.want.Any(sumFor|boundsFor) {
		var r runSums
		if c.rule == ruleInt {
			r.ints = int64(to - from)
		}
		s.add(to-from, r)
		return
	}
	switch {
	case from == 0:
		s.add(to, c.side(k, to, true, s.want))
	case to == int(c.cells[k]):
		s.add(to-from, c.side(k, from, false, s.want))
	default:
		s.add(to-from, c.sumUp(k, c.regularStep(k)[from:to], s.want))
	}
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

// span returns the least and the greatest value of v, which is not empty. Even and odd places
// have their own bounds: a step then waits for one comparison and not for two.
func span(v []int64) (lo, hi int64) {
	lo, hi = v[0], v[0]
	lo2, hi2 := lo, hi
	for ; len(v) >= 2; v = v[2:] {
		a, b := v[0], v[1]
		lo, hi = min(lo, a), max(hi, a)
		lo2, hi2 = min(lo2, b), max(hi2, b)
	}
	for _, a := range v {
		lo, hi = min(lo, a), max(hi, a)
	}
	return min(lo, lo2), max(hi, hi2)
}

// spanAndSum returns the least and the greatest value of v, which is not empty, and the sum of
// all.
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

// finish turns scaled sums of numbers into a summary, as far as it is wanted.
func (s *scaledSums) finish(digits uint8, to *summary.Summary) {
	if s.ints == s.cells {
		s.finishInts(digits, to)
		return
	}
	to.Ints, to.Floats = s.ints, s.cells-s.ints
	if s.want.Any(sumFor) {
		to.DecimalSum = s.sum.Times(codec.Pow10(codec.DecimalDigits - digits))
	}
	if s.want.Any(boundsFor) {
		pow := float64(codec.Pow10(digits))
		to.Min, to.Max = math.Float64bits(float64(s.min)/pow), math.Float64bits(float64(s.max)/pow)
	}
}

func (s *scaledSums) finishInts(digits uint8, to *summary.Summary) {
	to.Ints = s.cells
	if digits == 0 {
		to.IntSum, to.Min, to.Max = s.sum, uint64(s.min), uint64(s.max)
		return
	}
	pow := codec.Pow10(digits)
	to.IntSum = s.sum.Div(pow)
	to.Min, to.Max = uint64(s.min/int64(pow)), uint64(s.max/int64(pow))
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
