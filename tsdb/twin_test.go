package tsdb

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
)

// A twin is the naive picture of what a DB holds: maps, and the rules of the contract.
type twin struct {
	series map[twinKey]*twinSeries
	// last is the greatest instant ever given in an arrival-ordered scope.
	last map[twinScope]int64
}

type twinScope struct {
	tenant model.TenantID
	entity model.EntityID
	scope  model.Scope
}

type twinKey struct {
	twinScope
	key string
}

type twinSeries struct {
	points map[int64]model.Value
	latest model.Point // of TypeNone: none
	// revisions are what writes that keep originals left of each instant.
	revisions map[int64][]model.Revision
	// ends are the instants at which points outlive their time, and of bad revisions when.
	ends    map[int64]int64
	badEnds map[model.Revision]int64
}

func newTwin() *twin {
	return &twin{series: map[twinKey]*twinSeries{}, last: map[twinScope]int64{}}
}

// append applies s and returns the change a follower must see.
func (w *twin) append(s *model.WriteSet) []twinCell {
	scope := twinScope{s.Tenant, s.Entity, s.Scope}
	rows := make([]int, len(s.Rows))
	times := make([]int64, len(s.Rows))
	base := s.Received
	if last, ok := w.last[scope]; ok {
		base = max(base, last+1)
	}
	for i := range rows {
		rows[i], times[i] = i, s.Rows[i].TS
		if s.Scope.Arrival() {
			times[i] = base + int64(i)
			if s.Rows[i].Cells > 0 {
				w.last[scope] = times[i]
			}
		}
	}
	starts := make([]int, len(s.Rows))
	for i, r := range s.Rows[:len(s.Rows)-1] {
		starts[i+1] = starts[i] + r.Cells
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
	var cells []twinCell
	type at struct {
		key string
		ts  int64
	}
	index := map[at]int{}
	for _, i := range rows {
		for n, c := range s.Cells[starts[i] : starts[i]+s.Rows[i].Cells] {
			k := twinKey{scope, s.Keys[c.Key]}
			one := w.series[k]
			if one == nil {
				one = &twinSeries{points: map[int64]model.Value{}, revisions: map[int64][]model.Revision{}, ends: map[int64]int64{}, badEnds: map[model.Revision]int64{}}
				w.series[k] = one
			}
			if !one.keep(s, starts[i]+n, times[i]) {
				continue
			}
			one.points[times[i]] = c.Value
			one.ends[times[i]] = endOf(s)
			newest := one.latest.Value.IsNone() || times[i] >= one.latest.TS
			if newest {
				one.latest = model.Point{TS: times[i], Value: c.Value}
			}
			cell := twinCell{k.key, model.Point{TS: times[i], Value: c.Value}, newest}
			if n, ok := index[at{k.key, times[i]}]; ok {
				cells[n] = cell
			} else {
				index[at{k.key, times[i]}] = len(cells)
				cells = append(cells, cell)
			}
		}
	}
	return cells
}

type twinCell struct {
	key string
	model.Point
	newest bool
}

func (w *twin) delete(d *model.DeleteRange) {
	for k, s := range w.series {
		if k.twinScope != (twinScope{d.Tenant, d.Entity, d.Scope}) || len(d.Keys) > 0 && !slices.Contains(d.Keys, k.key) {
			continue
		}
		var before model.Point
		for ts, v := range s.points {
			if ts >= d.From && ts < d.To {
				delete(s.points, ts)
			} else if ts < d.From && v.Type() != model.TypeNull && (before.Value.IsNone() || ts > before.TS) {
				before = model.Point{TS: ts, Value: v}
			}
		}
		for ts := range s.revisions {
			if ts >= d.From && ts < d.To {
				delete(s.revisions, ts)
			}
		}
		if !d.KeepLatest && !s.latest.Value.IsNone() && s.latest.TS >= d.From && s.latest.TS < d.To {
			s.latest = model.Point{}
			if d.RewriteLatest {
				s.latest = before
			}
		}
	}
}

func (w *twin) erase(tenant model.TenantID, entity model.EntityID) {
	for k := range w.series {
		if k.tenant == tenant && k.entity == entity {
			delete(w.series, k)
		}
	}
	for k := range w.last {
		if k.tenant == tenant && k.entity == entity {
			delete(w.last, k)
		}
	}
}

func (w *twin) latest(scope twinScope) []model.KeyPoint {
	points := []model.KeyPoint{}
	for k, s := range w.series {
		if t := s.latest.Value.Type(); k.twinScope == scope && t != model.TypeNone && t != model.TypeNull {
			points = append(points, model.KeyPoint{Key: k.key, Point: s.latest})
		}
	}
	slices.SortFunc(points, func(a, b model.KeyPoint) int { return cmp.Compare(a.Key, b.Key) })
	return points
}

func (w *twin) raw(scope twinScope, key string, from, to int64, limit int, down bool) []model.Point {
	s := w.series[twinKey{scope, key}]
	if s == nil {
		return nil
	}
	var points []model.Point
	for ts, v := range s.points {
		if ts >= from && ts < to && v.Type() != model.TypeNull {
			points = append(points, model.Point{TS: ts, Value: v})
		}
	}
	slices.SortFunc(points, func(a, b model.Point) int {
		if down {
			a, b = b, a
		}
		return cmp.Compare(a.TS, b.TS)
	})
	if limit > 0 && len(points) > limit {
		points = points[:limit]
	}
	return points
}

// aggregate returns count, min, max, first and last of each bucket, and the plain sum.
func (w *twin) aggregate(scope twinScope, key string, q *model.RangeQuery) []string {
	cut, err := bucket.New(q.From, q.To, q.Every)
	if err != nil {
		panic(err)
	}
	points := w.raw(scope, key, q.From, q.To, 0, false)
	var out []string
	for len(points) > 0 {
		start, end := cut.Find(points[0].TS)
		n := 0
		for n < len(points) && points[n].TS < end {
			n++
		}
		out = append(out, describe(bucketOf(start, end, points[:n])))
		points = points[n:]
	}
	return out
}

func bucketOf(start, end int64, points []model.Point) *model.Bucket {
	b := &model.Bucket{From: start, To: end, Count: int64(len(points)), First: points[0], Last: points[len(points)-1]}
	var sum float64
	var ints, numbers int64
	onlyInts := true
	var lo, hi, slo, shi model.Value
	for _, p := range points {
		if f, ok := p.Value.Number(); ok {
			numbers++
			sum += f
			ints += p.Value.Int()
			onlyInts = onlyInts && p.Value.Type() == model.TypeInt
			if l, _ := lo.Number(); lo.IsNone() || f < l {
				lo = p.Value
			}
			if h, _ := hi.Number(); hi.IsNone() || f > h {
				hi = p.Value
			}
		}
		if p.Value.Type() == model.TypeString {
			if slo.IsNone() || p.Value.Text() < slo.Text() {
				slo = p.Value
			}
			if shi.IsNone() || p.Value.Text() > shi.Text() {
				shi = p.Value
			}
		}
	}
	switch {
	case numbers > 0 && onlyInts:
		b.Sum, b.Avg, b.Min, b.Max = model.Int(ints), model.Float(sum/float64(numbers)), lo, hi
	case numbers > 0:
		l, _ := lo.Number()
		h, _ := hi.Number()
		b.Sum, b.Avg, b.Min, b.Max = model.Float(sum), model.Float(sum/float64(numbers)), model.Float(l), model.Float(h)
	default:
		b.Min, b.Max = slo, shi
	}
	return b
}

// describe makes buckets comparable: sums of floats to nine digits.
func describe(b *model.Bucket) string {
	number := func(v model.Value) string {
		if f, ok := v.Number(); ok {
			return fmt.Sprintf("%v %.9g", v.Type(), f)
		}
		return fmt.Sprintf("%#v", v)
	}
	return fmt.Sprintf("[%d,%d) n=%d sum=%s avg=%s min=%s max=%s first=%d %#v last=%d %#v", b.From, b.To, b.Count,
		number(b.Sum), number(b.Avg), number(b.Min), number(b.Max), b.First.TS, b.First.Value, b.Last.TS, b.Last.Value)
}
