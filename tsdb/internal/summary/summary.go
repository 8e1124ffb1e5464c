// Package summary keeps exact aggregates of a run of cells, so that a query over a span of
// time costs the spans' ends and not their points.
//
// A Summary has a fixed size, holds no text and no pointer, and merges: the summary of a
// day is that of its steps. What comes out of [Summary.Bucket] does not depend on how the
// cells were cut into summaries:
//
//   - Counts, first, last, MIN and MAX are exact. Numbers are compared as integers while
//     there are only integers, else as floats (the result is DOUBLE then; converting keeps
//     the order), and −0.0 stands before 0.0.
//   - Integers are summed in 128 bits.
//   - A float that is a decimal of at most 15 digits, 12 of them behind the point, is summed
//     as the integer it is in units of 10⁻¹², in 128 bits. Whether a float is such a decimal
//     is a property of its bits, not of its neighbors, so the sum is one number however
//     the data lie; SUM and AVG are that number and its quotient, rounded once.
//   - Only what is left, floats with more digits, goes to an error-compensated pair, which
//     is good to about 10⁻¹⁵ of the sum of magnitudes.
//
// A null is counted and otherwise ignored: COUNT, first and last pass over it.
//
// A Summary is a value; its methods may be called concurrently only as for any value.
package summary

import (
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// A Summary aggregates the cells of one column over consecutive rows. The zero Summary is
// that of no rows. The fields are for the packages that write them to disk.
type Summary struct {
	Nulls, Bools, Ints, Floats, Strings, JSONs int64

	// Min and Max are the bounds of all numbers: int64s while Floats is zero, else the bits
	// of float64s. Without numbers they mean nothing.
	Min, Max uint64

	IntSum     Int128  // of the ints
	DecimalSum Int128  // of the floats that are decimals, in units of 10^-codec.DecimalDigits
	Hi, Lo     float64 // of the other floats, the value and its error
	Huge       float64 // of those beyond 2^900, times 2^-64, so that nothing overflows

	First, Last Cell
}

// A Cell is the first or last point of a summary. The Bits of a text are zero: the scan
// fetches it.
type Cell struct {
	TS   int64 // ms
	Type model.Type
	Bits uint64
}

// Count reports the points, nulls left out.
func (s *Summary) Count() int64 { return s.Bools + s.Ints + s.Floats + s.Strings + s.JSONs }

// IsEmpty reports that no cell was added.
func (s *Summary) IsEmpty() bool { return s.Nulls+s.Count() == 0 }

// Numbers reports the ints and floats.
func (s *Summary) Numbers() int64 { return s.Ints + s.Floats }

// Texts reports the strings and JSON documents.
func (s *Summary) Texts() int64 { return s.Strings + s.JSONs }

// NeedsText reports that MIN and MAX are those of strings, which a Summary does not hold:
// there are strings and no number (contract thingsboard 9.2).
func (s *Summary) NeedsText() bool { return s.Numbers() == 0 && s.Strings > 0 }

// AddCell adds a cell behind all cells added before. A cell of TypeNone is nothing.
func (s *Summary) AddCell(ts int64, t model.Type, bits uint64) {
	switch t {
	case model.TypeInt:
		s.addInt(int64(bits))
	case model.TypeFloat:
		s.addFloat(math.Float64frombits(bits))
	case model.TypeBool:
		s.Bools++
	case model.TypeString:
		s.Strings++
		bits = 0
	case model.TypeJSON:
		s.JSONs++
		bits = 0
	case model.TypeNull:
		s.Nulls++
		return
	default:
		return
	}
	s.Last = Cell{TS: ts, Type: t, Bits: bits}
	if s.First.Type == model.TypeNone {
		s.First = s.Last
	}
}

// AddColumn adds rows [lo, hi) of c, whose instants are those of times. It is faster than
// AddCell where types do not change from row to row.
func (s *Summary) AddColumn(times []int64, c *column.Column, lo, hi int) {
	for lo < hi {
		t := c.Types[lo]
		end := lo + 1
		if !t.IsNumber() {
			s.AddCell(times[lo], t, c.Bits[lo])
			lo = end
			continue
		}
		for end < hi && c.Types[end] == t {
			end++
		}
		if t == model.TypeFloat {
			s.addFloats(c.Bits[lo:end])
		} else {
			for _, b := range c.Bits[lo:end] {
				s.addInt(int64(b))
			}
		}
		if s.First.Type == model.TypeNone {
			s.First = Cell{TS: times[lo], Type: t, Bits: c.Bits[lo]}
		}
		s.Last = Cell{TS: times[end-1], Type: t, Bits: c.Bits[end-1]}
		lo = end
	}
}

// addFloats adds floats most of which have as many digits as the first one.
func (s *Summary) addFloats(run []uint64) {
	s.toFloats()
	s.Floats += int64(len(run))
	least, most := math.Float64frombits(s.Min), math.Float64frombits(s.Max)
	for _, b := range run {
		f := math.Float64frombits(b)
		if f <= least && Less(f, least) {
			least = f
		}
		if f >= most && Less(most, f) {
			most = f
		}
	}
	s.Min, s.Max = math.Float64bits(least), math.Float64bits(most)

	digits := uint8(0)
	for len(run) > 0 {
		sum, n := codec.SumScaled(run, digits)
		s.DecimalSum.Add(Mul(sum, codec.Pow10(codec.DecimalDigits-digits)))
		if run = run[n:]; len(run) == 0 || n == codec.MaxSummed {
			continue
		}
		digits = max(digits, s.addToSum(math.Float64frombits(run[0])))
		run = run[1:]
	}
}

func (s *Summary) addInt(v int64) {
	if s.Floats > 0 {
		s.addBounds(float64(v), float64(v))
	} else if s.Ints == 0 {
		s.Min, s.Max = uint64(v), uint64(v)
	} else {
		s.Min = uint64(min(int64(s.Min), v))
		s.Max = uint64(max(int64(s.Max), v))
	}
	s.Ints++
	s.IntSum.Add(Int128{Hi: v >> 63, Lo: uint64(v)})
}

func (s *Summary) addFloat(f float64) {
	s.toFloats()
	s.addBounds(f, f)
	s.Floats++
	s.addToSum(f)
}

// addToSum adds f to the sum it belongs to, and returns its digits behind the point if it is
// a decimal.
func (s *Summary) addToSum(f float64) (digits uint8) {
	if n, scale, ok := codec.Decimal(f); ok {
		s.DecimalSum.Add(Mul(n, codec.Pow10(codec.DecimalDigits-scale)))
		return codec.Digits(n, scale)
	}
	if math.Abs(f) >= hugeFloat {
		s.Huge += f * 0x1p-64
		return 0
	}
	hi, err := twoSum(s.Hi, f)
	s.Hi, s.Lo = hi, s.Lo+err
	return 0
}

const hugeFloat = 0x1p900

// toFloats makes Min and Max floats, before the first float is added.
func (s *Summary) toFloats() {
	switch {
	case s.Floats > 0:
	case s.Ints > 0:
		s.Min = math.Float64bits(float64(int64(s.Min)))
		s.Max = math.Float64bits(float64(int64(s.Max)))
	default:
		s.Min, s.Max = math.Float64bits(math.Inf(1)), math.Float64bits(math.Inf(-1))
	}
}

func (s *Summary) addBounds(lo, hi float64) {
	if Less(lo, math.Float64frombits(s.Min)) {
		s.Min = math.Float64bits(lo)
	}
	if Less(math.Float64frombits(s.Max), hi) {
		s.Max = math.Float64bits(hi)
	}
}

// Less orders floats with −0.0 before 0.0, so that a minimum is the same bits in whatever
// order its values are met.
func Less(a, b float64) bool {
	return a < b || a == 0 && b == 0 && math.Signbit(a) && !math.Signbit(b)
}

// Merge adds o, whose cells are behind those of s.
func (s *Summary) Merge(o *Summary) {
	switch {
	case o.Numbers() == 0:
	case s.Numbers() == 0:
		s.Min, s.Max = o.Min, o.Max
	case s.Floats == 0 && o.Floats == 0:
		s.Min = uint64(min(int64(s.Min), int64(o.Min)))
		s.Max = uint64(max(int64(s.Max), int64(o.Max)))
	default:
		s.toFloats()
		lo, hi := o.Bounds()
		s.addBounds(lo, hi)
	}
	s.Nulls += o.Nulls
	s.Bools += o.Bools
	s.Ints += o.Ints
	s.Floats += o.Floats
	s.Strings += o.Strings
	s.JSONs += o.JSONs
	s.IntSum.Add(o.IntSum)
	s.DecimalSum.Add(o.DecimalSum)
	hi, err := twoSum(s.Hi, o.Hi)
	s.Hi, s.Lo = hi, s.Lo+o.Lo+err
	s.Huge += o.Huge
	if s.First.Type == model.TypeNone {
		s.First = o.First
	}
	if o.Last.Type != model.TypeNone {
		s.Last = o.Last
	}
}

// MergeBeside adds o, whose cells lie in the same time as those of s. The first and the last
// are then the first and the last of both; of one instant those of s come before those of o.
func (s *Summary) MergeBeside(o *Summary) {
	first, last := s.First, s.Last
	if first.Type == model.TypeNone || o.First.Type != model.TypeNone && o.First.TS < first.TS {
		first = o.First
	}
	if last.Type == model.TypeNone || o.Last.Type != model.TypeNone && o.Last.TS >= last.TS {
		last = o.Last
	}
	s.Merge(o)
	s.First, s.Last = first, last
}

// Bounds returns the least and the greatest number as floats; there must be one.
func (s *Summary) Bounds() (lo, hi float64) {
	if s.Floats == 0 {
		return float64(int64(s.Min)), float64(int64(s.Max))
	}
	return math.Float64frombits(s.Min), math.Float64frombits(s.Max)
}

// Bucket fills Count and what want has of Sum, Avg, Min, Max, First and Last of b by contract
// thingsboard 9.2; the others are left alone. The value of a First or Last that is text, and
// Min and Max where [Summary.NeedsText], become of TypeNone for the scan to fill.
func (s *Summary) Bucket(b *model.Bucket, want model.Aggregates) {
	b.Count = s.Count()
	if want.Has(model.First) {
		b.First = s.First.point()
	}
	if want.Has(model.Last) {
		b.Last = s.Last.point()
	}
	if s.Numbers() == 0 {
		b.Sum, b.Avg, b.Min, b.Max = model.Value{}, model.Value{}, model.Value{}, model.Value{}
		return
	}
	if want.Any(model.Min | model.Max) {
		s.fillBounds(b, want)
	}
	if want.Any(model.Sum | model.Avg) {
		s.fillSums(b, want)
	}
}

func (s *Summary) fillBounds(b *model.Bucket, want model.Aggregates) {
	var least, most model.Value
	if s.Floats == 0 {
		least, most = model.Int(int64(s.Min)), model.Int(int64(s.Max))
	} else {
		lo, hi := s.Bounds()
		least, most = model.Float(lo), model.Float(hi)
	}
	if want.Has(model.Min) {
		b.Min = least
	}
	if want.Has(model.Max) {
		b.Max = most
	}
}

func (s *Summary) fillSums(b *model.Bucket, want model.Aggregates) {
	if want.Has(model.Avg) {
		b.Avg = model.Float(s.sumOver(s.Numbers()))
	}
	if !want.Has(model.Sum) {
		return
	}
	if v, ok := s.IntSum.Int64(); ok && s.Floats == 0 {
		b.Sum = model.Int(v)
	} else {
		b.Sum = model.Float(s.sumOver(1))
	}
}

// sumOver returns the sum of all numbers divided by n.
func (s *Summary) sumOver(n int64) float64 {
	f := quotient(s.IntSum, s.DecimalSum, uint64(n))
	if s.Hi == 0 && s.Lo == 0 && s.Huge == 0 {
		return f
	}
	return finite(f + (s.Hi+s.Lo)/float64(n) + s.Huge/float64(n)*0x1p64)
}

func (c Cell) point() model.Point {
	if c.Type.IsText() || c.Type == model.TypeNone {
		return model.Point{TS: c.TS}
	}
	return model.Point{TS: c.TS, Value: model.FromBits(c.Type, c.Bits)}
}

// finite bounds a sum that no float64 can hold: an answer has no infinities.
func finite(f float64) float64 {
	return max(-math.MaxFloat64, min(math.MaxFloat64, f))
}

// twoSum returns a+b and the error of that addition.
func twoSum(a, b float64) (sum, err float64) {
	sum = a + b
	t := sum - a
	return sum, (a - (sum - t)) + (b - t)
}
