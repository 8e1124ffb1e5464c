package tsdb_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A longRun is a device with a long history, in the engine and in its naive twin.
type longRun struct {
	*testing.T
	rng    *rand.Rand
	disk   vfs.FS
	db     *tsdb.DB
	truth  map[string]twin.Series
	sorted map[string][]model.Point // of truth; dropped at every change
	from   int64
	to     int64
}

var (
	runTenant = model.TenantID{7}
	runDevice = model.EntityID{7}
	runKeys   = []string{"temperature", "count", "mode"}
)

func newLongRun(t *testing.T, seed uint64) *longRun {
	r := &longRun{
		T: t, rng: rand.New(rand.NewPCG(seed, 6)), disk: vfs.NewMem(),
		truth: map[string]twin.Series{},
	}
	for _, k := range runKeys {
		r.truth[k] = twin.Series{}
	}
	r.open()
	t.Cleanup(func() {
		if _, err := r.db.Check(context.Background()); err != nil {
			t.Errorf("check: %v", err)
		}
		if err := r.db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func (r *longRun) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *longRun) open() {
	r.Helper()
	db, err := tsdb.Open("db", tsdb.Options{FS: r.disk, HeadBytes: 4 << 20})
	r.must(err)
	r.db = db
}

func (r *longRun) value(key string) model.Value {
	switch n := r.rng.Int64N(4000); {
	case key == "temperature" && n%100 == 0: // 21 between 20.99 and 21.01
		return model.Int(n / 100)
	case key == "temperature":
		return model.Float(float64(n) / 100)
	case key == "count":
		return model.Int(n * 1_000_000_007)
	case n%50 == 0:
		return model.Null()
	case n%7 == 0:
		return model.Int(n)
	default:
		return model.String(fmt.Sprint("mode ", n%40))
	}
}

// write appends one set with rows at the given instants, each of some of the keys.
func (r *longRun) write(times []int64) {
	r.Helper()
	s := &model.WriteSet{Tenant: runTenant, Entity: runDevice, Scope: model.Timeseries, Keys: runKeys}
	for _, ts := range times {
		n := 0
		for i, k := range runKeys {
			if n > 0 && r.rng.IntN(20) == 0 {
				continue
			}
			v := r.value(k)
			s.Cells = append(s.Cells, model.Cell{Key: i, Value: v})
			r.truth[k][ts] = v
			n++
		}
		s.Rows = append(s.Rows, model.Row{TS: ts, Cells: n})
	}
	_, err := r.db.Append(r.Context(), s)
	r.must(err)
	r.sorted = nil
}

func (r *longRun) delete(keys []string, from, to int64) {
	r.Helper()
	_, err := r.db.Delete(r.Context(), model.DeleteRange{
		Tenant: runTenant, Entity: runDevice, Scope: model.Timeseries, Keys: keys, From: from, To: to, KeepLatest: true,
	})
	r.must(err)
	for _, k := range keys {
		for ts := range r.truth[k] {
			if from <= ts && ts < to {
				delete(r.truth[k], ts)
			}
		}
	}
	r.sorted = nil
}

// points returns what a key holds in a range.
func (r *longRun) points(key string, from, to int64) []model.Point {
	if r.sorted == nil {
		r.sorted = map[string][]model.Point{}
		for k, s := range r.truth {
			r.sorted[k] = s.Points(math.MinInt64, math.MaxInt64)
		}
	}
	all := r.sorted[key]
	at := func(ts int64) int { return sort.Search(len(all), func(i int) bool { return all[i].TS >= ts }) }
	return all[at(from):at(to)]
}

func (r *longRun) somewhere() int64 { return r.from + r.rng.Int64N(r.to-r.from) }

// compare asks for history in many ways.
func (r *longRun) compare(when string) {
	r.Helper()
	zone, err := time.LoadLocation("America/New_York")
	r.must(err)
	const day = 24 * 3600 * 1000
	span := r.to - r.from
	intervals := []model.Interval{
		{Width: span + 1}, {Width: span / 7}, {Width: 36 * 3600_000}, {Unit: model.Aligned, Width: 7 * day},
		{Unit: model.Aligned, Width: 3600_000}, {Unit: model.Day, Zone: zone}, {Unit: model.ISOWeek}, {Unit: model.Month, Zone: zone},
	}
	for range 3 / twin.Thin(3) {
		every := intervals[r.rng.IntN(len(intervals))]
		q := &model.RangeQuery{
			Tenant: runTenant, Entity: runDevice, Scope: model.Timeseries, Keys: runKeys, Every: every,
			From: r.from, To: r.to, Aggregates: 1 + model.Aggregates(r.rng.IntN(int(model.AllAggregates))),
		}
		if r.rng.IntN(3) > 0 {
			q.From, q.To = r.somewhere(), r.somewhere()
			q.From, q.To = min(q.From, q.To), max(q.From, q.To)+1
		}
		got := map[string][]model.Bucket{}
		_, err := r.db.Aggregate(r.Context(), q, func(key string, buckets []model.Bucket) error {
			got[key] = slices.Clone(buckets)
			return nil
		})
		r.must(err)
		for _, k := range q.Keys {
			want, err := twin.Aggregate(r.points(k, q.From, q.To), q)
			r.must(err)
			for i := range want {
				want[i] = twin.Only(want[i], q.Aggregates)
			}
			if i := firstDifference(got[k], want); i >= 0 {
				r.Fatalf("%s: %q by %+v over [%d,%d), bucket %d:\ngot  %+v\nwant %+v", when, k, every, q.From, q.To, i, at(got[k], i), at(want, i))
			}
		}
		raw := *q
		raw.Limit, raw.Descending = 1+r.rng.IntN(3000), r.rng.IntN(2) == 0
		points := map[string][]model.Point{}
		_, err = r.db.Raw(r.Context(), &raw, func(key string, p []model.Point) error {
			points[key] = append(points[key], p...)
			return nil
		})
		r.must(err)
		for _, k := range q.Keys {
			want := twin.Raw(r.points(k, q.From, q.To), &raw)
			if i := firstDifference(points[k], want); i >= 0 {
				r.Fatalf("%s: raw %q over [%d,%d), limit %d, descending %v, point %d:\ngot  %+v\nwant %+v",
					when, k, q.From, q.To, raw.Limit, raw.Descending, i, at(points[k], i), at(want, i))
			}
		}
	}
	r.compareLatest(when)
}

// compareLatest holds because the deletes keep the latest and touch no newest point.
func (r *longRun) compareLatest(when string) {
	r.Helper()
	snapshot, err := r.db.Latest(r.Context(), runTenant, runDevice, model.Timeseries, nil)
	r.must(err)
	var want []model.KeyPoint
	for _, k := range []string{"count", "mode", "temperature"} {
		p := r.points(k, r.from, math.MaxInt64)
		newest := int64(math.MinInt64)
		for ts := range r.truth[k] {
			newest = max(newest, ts)
		}
		if last := p[len(p)-1]; last.TS == newest { // else it is null
			want = append(want, model.KeyPoint{Key: k, Point: last})
		}
	}
	if !slices.Equal(snapshot.Points, want) {
		r.Fatalf("%s: latest is %+v, want %+v", when, snapshot.Points, want)
	}
}

func firstDifference[T comparable](got, want []T) int {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return i
		}
	}
	return -1
}

func at[T any](s []T, i int) any {
	if i < len(s) {
		return s[i]
	}
	return "nothing"
}

// The answers stay those of a map while three months of points are sealed, listed in pages,
// written late into, corrected and deleted from; in memory and after it was flushed.
func TestALongHistoryGivesTheAnswersOfAMap(t *testing.T) {
	r := newLongRun(t, 1)
	const step = 30_000
	r.from = 1_700_000_000_000 + r.rng.Int64N(step)
	r.to = r.from
	for range 230 { // 2.6 partitions, the middle one of which has a full page
		times := make([]int64, rowgroup.MaxRows/4)
		for i := range times {
			times[i] = r.to
			r.to += step
		}
		r.write(times)
		if r.rng.IntN(40) > 0 { // each becomes one sealed row group
			r.must(r.db.Flush(r.Context()))
		}
	}
	r.must(r.db.Flush(r.Context()))
	if report, err := r.db.Check(t.Context()); err != nil || report.Pages == 0 {
		t.Fatalf("%d pages: %v", report.Pages, err)
	}
	r.compare("sealed")

	for round := range 2 {
		var late []int64
		for range 40 { // corrections, and new rows between the old ones
			late = append(late, r.from+(r.somewhere()-r.from)/step*step, r.somewhere())
		}
		near := r.somewhere()
		for i := range int64(200) {
			late = append(late, near+i*step/3)
		}
		r.write(late)
		r.compare(fmt.Sprint("round ", round, ": late rows in memory"))
		deleted := r.somewhere()
		r.delete(runKeys[:1+r.rng.IntN(2)], deleted, min(deleted+r.rng.Int64N(20*24*3600_000), r.to-step))
		r.compare(fmt.Sprint("round ", round, ": deleted in memory"))
		r.write([]int64{deleted + 1, deleted + step, r.to})
		r.to += step
		r.compare(fmt.Sprint("round ", round, ": written into what was deleted"))
		r.must(r.db.Flush(r.Context()))
		r.compare(fmt.Sprint("round ", round, ": flushed"))
	}
	r.must(r.db.Close())
	r.open()
	r.compare("opened again")
}
