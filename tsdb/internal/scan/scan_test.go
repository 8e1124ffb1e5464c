package scan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/twin"
)

// randomRange returns a range that touches h's time, often at the very instant of a row.
func (h *history) randomRange(rng *rand.Rand) (from, to int64) {
	pick := func() int64 {
		if rng.IntN(3) == 0 && len(h.rows) > 0 {
			return h.rows[rng.IntN(len(h.rows))].first + rng.Int64N(3) - 1
		}
		length := h.to - h.from
		return h.from - length/10 + rng.Int64N(length+length/5+1)
	}
	from, to = pick(), pick()
	switch rng.IntN(6) {
	case 0:
		return min(from, to), min(from, to) + rng.Int64N(3)
	case 1:
		return h.from - rng.Int64N(1000), h.to + rng.Int64N(100000)
	}
	return min(from, to), max(from, to)
}

func randomInterval(t testing.TB, rng *rand.Rand, length int64) model.Interval {
	length = max(length, 1)
	switch rng.IntN(5) {
	case 0:
		return model.Interval{Unit: model.Fixed, Width: length + rng.Int64N(100)}
	case 1:
		return model.Interval{Unit: model.Aligned, Width: 1 + length/(1+rng.Int64N(30))}
	case 2:
		names := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"}
		zone, err := time.LoadLocation(names[rng.IntN(len(names))])
		if err != nil {
			t.Fatal(err)
		}
		return model.Interval{Unit: model.Hour + model.Unit(rng.IntN(7)), Zone: zone}
	}
	return model.Interval{Unit: model.Fixed, Width: 1 + length/(1+rng.Int64N([]int64{4, 40, 2000}[rng.IntN(3)]))}
}

func (h *history) series(rng *rand.Rand) []Series {
	var out []Series
	for range 1 + rng.IntN(len(h.truth)) {
		out = append(out, Series{Source: h.fakeSource, Group: h.group, Column: rng.IntN(len(h.truth))})
	}
	return out
}

func TestRawEqualsTheTwin(t *testing.T) {
	var s Scanner
	seeds := twin.Seeds(300)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 2))
		h := randomHistory(t, rng, 0)
		for range 4 {
			q := &model.RangeQuery{Descending: rng.IntN(2) == 0}
			q.From, q.To = h.randomRange(rng)
			if rng.IntN(2) == 0 {
				q.Limit = 1 + rng.IntN([]int{1, 10, 300, 3000}[rng.IntN(4)])
			}
			series := h.series(rng)
			got := make([][]model.Point, len(series))
			last := 0
			err := s.Raw(t.Context(), nil, q, series, func(i int, points []model.Point) error {
				if len(points) == 0 || len(points) > PagePoints || i < last {
					t.Fatalf("seed %d: %d points of series %d", seed, len(points), i)
				}
				last = i
				got[i] = append(got[i], points...)
				return nil
			})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for i, one := range series {
				if want := h.truth[one.Column].Raw(q); !slices.Equal(got[i], want) {
					t.Fatalf("seed %d, column %d, %+v:\ngot  %s\nwant %s", seed, one.Column, q, brief(got[i]), brief(want))
				}
			}
		}
	}
}

func brief(p []model.Point) string {
	if len(p) > 12 {
		return fmt.Sprintf("%d points: %#v … %#v", len(p), p[:6], p[len(p)-6:])
	}
	return fmt.Sprintf("%d points: %#v", len(p), p)
}

func TestAggregatesEqualTheTwin(t *testing.T) {
	aggregatesEqualTheTwin(t, new(Scanner), 3)
}

func TestAggregatesEqualTheTwinWhenSharedAndPaged(t *testing.T) {
	aggregatesEqualTheTwin(t, &Scanner{always: true}, 4)
}

func aggregatesEqualTheTwin(t *testing.T, s *Scanner, stream uint64) {
	seeds := twin.Seeds(300)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, stream))
		h := randomHistory(t, rng, 0)
		for range 4 {
			q := &model.RangeQuery{Aggregates: model.Aggregates(1 + rng.IntN(127))}
			q.From, q.To = h.randomRange(rng)
			q.Every = randomInterval(t, rng, q.To-q.From)
			series, truths := h.series(rng), []twin.Series(nil)
			for _, one := range series {
				truths = append(truths, h.truth[one.Column])
			}
			if rng.IntN(3) == 0 { // columns of two groups, in any order
				other := randomHistory(t, rng, h.from)
				for _, one := range other.series(rng) {
					at := rng.IntN(len(series) + 1)
					series = slices.Insert(series, at, one)
					truths = slices.Insert(truths, at, other.truth[one.Column])
				}
			}
			got := make([][]model.Bucket, len(series))
			err := s.Aggregate(t.Context(), nil, q, series, func(i int, buckets []model.Bucket) error {
				if len(buckets) == 0 || got[i] != nil {
					t.Fatalf("seed %d: series %d has %d buckets", seed, i, len(buckets))
				}
				got[i] = slices.Clone(buckets)
				return nil
			})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for i, truth := range truths {
				want, err := truth.Aggregate(q)
				if err != nil {
					t.Fatal(err)
				}
				if err := sameBuckets(truth, got[i], want, q.Aggregates); err != nil {
					t.Fatalf("seed %d, series %d, %+v: %v", seed, i, q, err)
				}
			}
		}
	}
}

func sameBuckets(truth twin.Series, got, want []model.Bucket, asked model.Aggregates) error {
	for i := range max(len(got), len(want)) {
		if i >= len(got) {
			return fmt.Errorf("bucket %d is missing: %#v", i, want[i])
		}
		if i >= len(want) || got[i].From != want[i].From || got[i].To != want[i].To {
			return fmt.Errorf("bucket %d of %d is %#v, want %#v", i, len(got), got[i], want[min(i, len(want)-1)])
		}
		g, w := &got[i], &want[i]
		if g.Count != w.Count {
			return fmt.Errorf("bucket %d: count %d, want %d", i, g.Count, w.Count)
		}
		for f := model.Count; f <= model.Last; f <<= 1 {
			if !asked.Has(f) || g.Value(f) == w.Value(f) {
				continue
			}
			if (f == model.Sum || f == model.Avg) && near(truth.Points(g.From, g.To), g.Value(f), w.Value(f)) {
				continue
			}
			return fmt.Errorf("bucket %d of %d points: aggregate %#b is %#v, want %#v", i, g.Count, f, g.Value(f), w.Value(f))
		}
		if asked.Has(model.First) && g.First.TS != w.First.TS || asked.Has(model.Last) && g.Last.TS != w.Last.TS {
			return fmt.Errorf("bucket %d: first %d last %d, want %d %d", i, g.First.TS, g.Last.TS, w.First.TS, w.Last.TS)
		}
	}
	return nil
}

// near reports whether a sum or mean of points is as right as that of floats with many
// digits can be: they alone may be off, by 1e-15 of the sum of magnitudes.
func near(points []model.Point, got, want model.Value) bool {
	if got.Type() != want.Type() || got.Type() != model.TypeFloat {
		return false
	}
	exact, magnitude := true, 0.0
	for _, p := range points {
		if f, ok := p.Value.Number(); ok {
			exact = exact && twin.IsDecimal(p.Value)
			magnitude += math.Abs(f)
		}
	}
	return !exact && math.Abs(got.Float()-want.Float()) <= 4e-16*magnitude+1e-12*math.Abs(want.Float())*1e-3
}
