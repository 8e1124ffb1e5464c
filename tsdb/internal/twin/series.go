// Package twin is a naive copy of what the engine promises: a map of points and loops that
// look at every one of them. Tests hold the engine, and the scan, against it.
//
// Sums are made with rational numbers, so it knows the one right answer. It shares nothing
// with what it judges but the cutting of buckets, which has a slow calendar of its own.
package twin

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
)

// A Series is the points of one key by their instant, nulls included.
type Series map[int64]model.Value

// Points returns the points of [from, to) in ascending order, nulls left out.
func (s Series) Points(from, to int64) []model.Point {
	if to <= from {
		to = from + 1
	}
	var out []model.Point
	for ts, v := range s {
		if from <= ts && ts < to && v.Type() > model.TypeNull {
			out = append(out, model.Point{TS: ts, Value: v})
		}
	}
	slices.SortFunc(out, func(a, b model.Point) int {
		if a.TS < b.TS {
			return -1
		}
		return 1
	})
	return out
}

// Raw answers a raw query.
func (s Series) Raw(q *model.RangeQuery) []model.Point { return Raw(s.Points(q.From, q.To), q) }

// Raw answers a raw query with the points of its range in ascending order.
func Raw(points []model.Point, q *model.RangeQuery) []model.Point {
	out := slices.Clone(points)
	if q.Descending {
		slices.Reverse(out)
	}
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out
}

// Only returns b as a query for some aggregates has it.
func Only(b model.Bucket, want model.Aggregates) model.Bucket {
	for _, f := range []struct {
		of model.Aggregates
		v  *model.Value
	}{{model.Sum, &b.Sum}, {model.Avg, &b.Avg}, {model.Min, &b.Min}, {model.Max, &b.Max}} {
		if !want.Has(f.of) {
			*f.v = model.Value{}
		}
	}
	if !want.Has(model.First) {
		b.First = model.Point{}
	}
	if !want.Has(model.Last) {
		b.Last = model.Point{}
	}
	return b
}

// Aggregate answers an aggregate query; every aggregate is filled.
func (s Series) Aggregate(q *model.RangeQuery) ([]model.Bucket, error) {
	return Aggregate(s.Points(q.From, q.To), q)
}

// Aggregate answers an aggregate query with the points of its range in ascending order.
func Aggregate(points []model.Point, q *model.RangeQuery) ([]model.Bucket, error) {
	cut, err := bucket.New(q.From, q.To, q.Every)
	if err != nil {
		return nil, err
	}
	var out []model.Bucket
	for len(points) > 0 {
		start, end := cut.Find(points[0].TS)
		n := 0
		for n < len(points) && points[n].TS < end {
			n++
		}
		out = append(out, Fold(start, end, points[:n]))
		points = points[n:]
	}
	return out, nil
}

// Fold makes the bucket of points, by contract thingsboard 9.2. There must be one.
func Fold(start, end int64, points []model.Point) model.Bucket {
	b := model.Bucket{From: start, To: end, Count: int64(len(points)), First: points[0], Last: points[len(points)-1]}
	var numbers, floats int64
	var sum total
	var lo, hi, min, max model.Value
	for _, p := range points {
		v := p.Value
		if v.Type() == model.TypeString {
			if lo.IsNone() || v.Text() < lo.Text() {
				lo = v
			}
			if hi.IsNone() || v.Text() > hi.Text() {
				hi = v
			}
		}
		if !v.Type().IsNumber() {
			continue
		}
		numbers++
		if v.Type() == model.TypeFloat {
			floats++
		}
		sum.add(v)
		if min.IsNone() || less(v, min) {
			min = v
		}
		if max.IsNone() || less(max, v) {
			max = v
		}
	}
	if numbers == 0 {
		b.Min, b.Max = lo, hi
		return b
	}
	b.Min, b.Max = min, max
	exact := sum.rat()
	if floats > 0 {
		b.Min, b.Max = toFloat(min), toFloat(max)
		b.Sum = model.Float(round(exact))
	} else if exact.Num().IsInt64() {
		b.Sum = model.Int(exact.Num().Int64())
	} else {
		b.Sum = model.Float(round(exact))
	}
	b.Avg = model.Float(round(new(big.Rat).Quo(exact, new(big.Rat).SetInt64(numbers))))
	return b
}

// A total is an exact sum. A million fractions are added faster as integers of a unit.
type total struct {
	units, term big.Int // in 10^-12
	rest        big.Rat
}

var unit = big.NewInt(1e12)

func (t *total) add(v model.Value) {
	switch {
	case v.Type() == model.TypeInt:
		t.units.Add(&t.units, t.term.Mul(t.term.SetInt64(v.Int()), unit))
	case IsDecimal(v):
		whole, fraction, _ := strings.Cut(strconv.FormatFloat(v.Float(), 'f', -1, 64), ".")
		t.term.SetString(whole+fraction+strings.Repeat("0", 12-len(fraction)), 10)
		t.units.Add(&t.units, &t.term)
	default:
		t.rest.Add(&t.rest, new(big.Rat).SetFloat64(v.Float()))
	}
}

func (t *total) rat() *big.Rat {
	r := new(big.Rat).SetFrac(&t.units, unit)
	return r.Add(r, &t.rest)
}

// IsDecimal reports whether a number counts as a decimal, of which SUM and AVG are exact:
// an int, or a float of at most 15 digits with at most 12 behind the point. Such a float
// stands for that decimal, because that is what was sent; any other one for itself.
func IsDecimal(v model.Value) bool {
	if v.Type() == model.TypeInt {
		return true
	}
	text := strings.TrimPrefix(strconv.FormatFloat(v.Float(), 'f', -1, 64), "-")
	whole, fraction, _ := strings.Cut(text, ".")
	digits := len(strings.TrimLeft(whole+fraction, "0"))
	return digits <= 15 && len(fraction) <= 12
}

func round(r *big.Rat) float64 {
	f, _ := r.Float64()
	return math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, f))
}

// less orders numbers by value, ints among themselves exactly, and -0.0 before 0.0.
func less(a, b model.Value) bool {
	if a.Type() == model.TypeInt && b.Type() == model.TypeInt {
		return a.Int() < b.Int()
	}
	x, _ := a.Number()
	y, _ := b.Number()
	return x < y || x == y && math.Signbit(x) && !math.Signbit(y)
}

func toFloat(v model.Value) model.Value {
	f, _ := v.Number()
	return model.Float(f)
}
