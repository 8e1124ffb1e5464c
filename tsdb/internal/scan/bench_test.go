package scan

import (
	"syscall"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

func TestSmallQueriesAllocateNextToNothing(t *testing.T) {
	src := regular(t, 3, rowgroup.MaxRows, 2, 10_000)
	var s Scanner
	raw := &model.RangeQuery{From: 50_000_000, To: 53_600_000, Descending: true}
	agg := &model.RangeQuery{From: 1_000_000, To: 87_400_000, Every: model.Interval{Width: 60_000}, Aggregates: model.Avg | model.Max}
	series := []Series{{src, 7, 0}, {src, 7, 1}}
	points, buckets := 0, 0
	const limit = 40 // under the race detector pools forget now and then
	if n := testing.AllocsPerRun(20, func() {
		points = 0
		if err := s.Raw(t.Context(), nil, raw, series[:1], func(_ int, p []model.Point) error { points += len(p); return nil }); err != nil {
			t.Fatal(err)
		}
	}); n > limit || points != 360 {
		t.Errorf("raw: %v allocations for %d points", n, points)
	}
	if n := testing.AllocsPerRun(20, func() {
		buckets = 0
		if err := s.Aggregate(t.Context(), nil, agg, series, func(_ int, b []model.Bucket) error { buckets += len(b); return nil }); err != nil {
			t.Fatal(err)
		}
	}); n > limit || buckets != 2*1440 {
		t.Errorf("aggregate: %v allocations for %d buckets", n, buckets)
	}
}

// cpu returns the processor time used so far, ns: on a busy machine it says more than the
// clock.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// bench runs q over the columns of src until b has enough.
func bench(b *testing.B, src Source, columns int, q *model.RangeQuery, want int) {
	var s Scanner
	series := make([]Series, columns)
	for i := range series {
		series[i] = Series{src, 7, i}
	}
	n := 0
	b.ReportAllocs()
	before := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") }()
	for b.Loop() {
		n = 0
		var err error
		if q.Aggregates == 0 {
			err = s.Raw(b.Context(), nil, q, series, func(_ int, p []model.Point) error { n += len(p); return nil })
		} else {
			err = s.Aggregate(b.Context(), nil, q, series, func(_ int, p []model.Bucket) error { n += len(p); return nil })
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if n != want {
		b.Fatalf("%d results, want %d", n, want)
	}
}

const (
	hour = 3600_000
	day  = 24 * hour
)

func BenchmarkRawHour(b *testing.B) {
	src := regular(b, 3, rowgroup.MaxRows, 10, 10_000)
	bench(b, src, 1, &model.RangeQuery{From: 11*hour + 7, To: 12*hour + 7, Descending: true}, 360)
}

func BenchmarkDayByMinute(b *testing.B) {
	src := regular(b, 8, rowgroup.MaxRows, 10, 10_000)
	bench(b, src, 1, &model.RangeQuery{
		From: day/3 + 4321, To: day/3 + 4321 + day, Every: model.Interval{Width: 60_000}, Aggregates: model.Avg,
	}, 1440)
}

func BenchmarkMonthByHour(b *testing.B) {
	src := regular(b, 66, rowgroup.MaxRows, 10, 10_000)
	src.page(b, rowgroup.PageRowGroups, 0)
	bench(b, src, 10, &model.RangeQuery{
		From: 4321, To: 4321 + 30*day, Every: model.Interval{Width: hour}, Aggregates: model.Avg | model.Min | model.Max,
	}, 7200)
}

// A year of one point a second: 31.5 million, in row groups that end at midnight.
func BenchmarkYearByDay(b *testing.B) {
	src := regular(b, 365*24, 3600, 1, 1000)
	src.page(b, rowgroup.PageRowGroups, 0)
	last := src.rows[len(src.rows)-1].first
	days := int(last / day)
	for name, offset := range map[string]int64{"aligned": 0, "offset": 4321_000} {
		b.Run(name, func(b *testing.B) {
			bench(b, src, 1, &model.RangeQuery{
				From: offset, To: offset + int64(days-1)*day, Every: model.Interval{Width: day}, Aggregates: model.Avg | model.Max,
			}, days-1)
		})
	}
}
