package scan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// counted counts what a read asks for, on any number of goroutines.
type counted struct {
	*fakeSource
	seeks, open, pages atomic.Int64
}

func (c *counted) Cursor(s Space) (Cursor, error) {
	inner, err := c.fakeSource.Cursor(s)
	c.open.Add(1)
	if s == Pages {
		c.pages.Add(1)
	}
	return &countedCursor{inner, c}, err
}

type countedCursor struct {
	Cursor
	c *counted
}

func (c *countedCursor) SeekGE(ts int64) (int64, []byte, error) {
	c.c.seeks.Add(1)
	return c.Cursor.SeekGE(ts)
}

func (c *countedCursor) SeekLE(ts int64) (int64, []byte, error) {
	c.c.seeks.Add(1)
	return c.Cursor.SeekLE(ts)
}

func (c *countedCursor) Close() error {
	c.c.open.Add(-1)
	return c.Cursor.Close()
}

// regular returns groups row groups of rows rows, one a second from 0, of columns columns
// that hold random-looking two-decimal values.
func regular(tb testing.TB, groups, rows, columns int, step int64) *fakeSource {
	tb.Helper()
	s := &fakeSource{group: 7, plain: true}
	var t column.Table
	ts := int64(0)
	for range groups {
		t.Reset(columns)
		for range rows {
			if t.Len() > 0 && rowgroup.PartitionOf(ts) != rowgroup.PartitionOf(t.Times[0]) {
				break
			}
			t.Times = append(t.Times, ts)
			for c := range t.Columns {
				walk := 20 + 5*math.Sin(float64(ts)/3e6+float64(c))
				t.Columns[c].Append(model.Float(math.Round(walk*100) / 100))
			}
			ts += step
		}
		s.put(tb, &t)
	}
	return s
}

func collect(got *[]model.Point) func(int, []model.Point) error {
	return func(_ int, p []model.Point) error { *got = append(*got, p...); return nil }
}

func TestANewestFirstReadStopsAtItsLimit(t *testing.T) {
	src := &counted{fakeSource: regular(t, 100, 50, 1, 1000)}
	var got []model.Point
	q := &model.RangeQuery{From: 0, To: math.MaxInt64, Limit: 70, Descending: true}
	if err := new(Scanner).Raw(t.Context(), nil, q, []Series{{src, 7, 0}}, collect(&got)); err != nil {
		t.Fatal(err)
	}
	if len(got) != 70 || got[0].TS != 4999_000 || got[69].TS != 4930_000 {
		t.Errorf("%d points from %v", len(got), got[0])
	}
	if src.seeks.Load() > 2 || src.open.Load() != 0 {
		t.Errorf("%d seeks for two row groups, %d cursors left open", src.seeks.Load(), src.open.Load())
	}
}

func TestAShortReadAsksForNoPages(t *testing.T) {
	src := &counted{fakeSource: regular(t, 100, 50, 1, 1000)}
	q := &model.RangeQuery{From: 10_000, To: 400_000, Every: model.Interval{Width: 1000_000}, Aggregates: model.Avg}
	if err := new(Scanner).Aggregate(t.Context(), nil, q, []Series{{src, 7, 0}}, func(int, []model.Bucket) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if src.pages.Load() != 0 || src.open.Load() != 0 {
		t.Errorf("%d cursors over pages, %d left open", src.pages.Load(), src.open.Load())
	}
}

func TestALongReadSkipsWhatPagesList(t *testing.T) {
	src := &counted{fakeSource: regular(t, 1000, 60, 1, 1000)}
	src.page(t, 50, 0)
	q := &model.RangeQuery{From: 0, To: math.MaxInt64, Every: model.Interval{Width: 1e10}, Aggregates: model.Max}
	n := int64(0)
	if err := new(Scanner).Aggregate(t.Context(), nil, q, []Series{{src, 7, 0}}, func(_ int, b []model.Bucket) error {
		n = b[0].Count
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != 60_000 || src.seeks.Load() > 40 || src.open.Load() != 0 {
		t.Errorf("%d points with %d seeks; %d cursors left open", n, src.seeks.Load(), src.open.Load())
	}
}

// both runs a raw and an aggregate query over one column.
func both(ctx context.Context, src Source, s *Scanner) (raw, agg error) {
	q := &model.RangeQuery{From: 0, To: 1e9, Every: model.Interval{Width: 1000}, Aggregates: model.Avg}
	series := []Series{{src, 7, 0}}
	raw = s.Raw(ctx, nil, q, series, func(int, []model.Point) error { return nil })
	agg = s.Aggregate(ctx, nil, q, series, func(int, []model.Bucket) error { return nil })
	return raw, agg
}

func TestAContextThatEndsStopsTheRead(t *testing.T) {
	cause := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	src := &counted{fakeSource: regular(t, 100, 50, 1, 1000)}
	for _, s := range []*Scanner{{}, {always: true}} {
		raw, agg := both(ctx, src, s)
		if !errors.Is(raw, cause) || !errors.Is(agg, cause) || src.open.Load() != 0 {
			t.Errorf("raw: %v, aggregate: %v; %d cursors left open", raw, agg, src.open.Load())
		}
	}
}

func TestADamagedRowGroupIsAnErrorWithItsAddress(t *testing.T) {
	src := &counted{fakeSource: regular(t, 100, 50, 1, 1000)}
	b := src.rows[60].b
	b[len(b)/2] ^= 4
	for _, s := range []*Scanner{{}, {always: true}} {
		raw, agg := both(t.Context(), src, s)
		for _, err := range []error{raw, agg} {
			if !errors.Is(err, rowgroup.ErrCorrupt) || src.open.Load() != 0 {
				t.Errorf("%v; %d cursors left open", err, src.open.Load())
			}
			if err != nil && !strings.Contains(err.Error(), "group 7 from 3000000 to 3050000") {
				t.Errorf("%v has no address", err)
			}
		}
	}
}

func TestAPageThatListsWhatIsNotThereIsAnError(t *testing.T) {
	src := &counted{fakeSource: regular(t, 100, 50, 1, 1000)}
	src.page(t, 10, 0)
	src.rows = slices.Delete(src.rows, 57, 58)
	q := &model.RangeQuery{From: 0, To: 1e9, Every: model.Interval{Width: 70_000}, Aggregates: model.Avg}
	err := (&Scanner{always: true}).Aggregate(t.Context(), nil, q, []Series{{src, 7, 0}}, func(int, []model.Bucket) error { return nil })
	if !errors.Is(err, rowgroup.ErrCorrupt) || src.open.Load() != 0 {
		t.Errorf("%v; %d cursors left open", err, src.open.Load())
	}
}

func TestAnErrorOfYieldEndsTheRead(t *testing.T) {
	src := &counted{fakeSource: regular(t, 100, 50, 1, 1000)}
	enough := errors.New("enough")
	q := &model.RangeQuery{From: 0, To: 1e9, Every: model.Interval{Width: 1000}, Aggregates: model.Avg}
	series := []Series{{src, 7, 0}, {src, 7, 0}}
	calls := 0
	raw := new(Scanner).Raw(t.Context(), nil, q, series, func(int, []model.Point) error { calls++; return enough })
	agg := new(Scanner).Aggregate(t.Context(), nil, q, series, func(int, []model.Bucket) error { calls++; return enough })
	if !errors.Is(raw, enough) || !errors.Is(agg, enough) || calls != 2 || src.open.Load() != 0 {
		t.Errorf("raw: %v, aggregate: %v, %d calls; %d cursors left open", raw, agg, calls, src.open.Load())
	}
}

func TestUnknownSeriesYieldNothing(t *testing.T) {
	src := regular(t, 3, 50, 1, 1000)
	q := &model.RangeQuery{From: 0, To: 1e9, Every: model.Interval{Width: 1000}, Aggregates: model.Avg}
	series := []Series{{}, {src, 7, 0}, {src, 7, 31}, {}}
	var s Scanner
	for range 2 {
		if err := s.Raw(t.Context(), nil, q, series, func(i int, _ []model.Point) error {
			if i != 1 {
				t.Errorf("points of series %d", i)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.Aggregate(t.Context(), nil, q, series, func(i int, _ []model.Bucket) error {
			if i != 1 {
				t.Errorf("buckets of series %d", i)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWidthThatIsNotPositiveIsInvalid(t *testing.T) {
	err := new(Scanner).Aggregate(t.Context(), nil, &model.RangeQuery{To: 10}, nil, nil)
	if model.KindOf(err) != model.Invalid {
		t.Errorf("%v, want Invalid", err)
	}
}

// A page of points is written to a socket while the next query runs.
func TestTextOutlivesTheCall(t *testing.T) {
	src := &fakeSource{group: 7}
	var tab column.Table
	tab.Reset(1)
	for i := range 3000 {
		tab.Times = append(tab.Times, int64(i))
		tab.Columns[0].Append(model.String(fmt.Sprint("text ", i)))
	}
	src.put(t, &tab)
	src.heads = []Head{{Times: []int64{3000}, Columns: make([]column.Column, 1)}}
	src.heads[0].Columns[0].Append(model.JSON(`{"n":3000}`))

	var s Scanner
	var points []model.Point
	q := &model.RangeQuery{From: 0, To: 4000, Every: model.Interval{Width: 100}, Aggregates: model.Min | model.Last}
	var buckets []model.Bucket
	for range 2 {
		points, buckets = nil, nil
		if err := s.Raw(t.Context(), nil, q, []Series{{src, 7, 0}}, collect(&points)); err != nil {
			t.Fatal(err)
		}
		if err := s.Aggregate(t.Context(), nil, q, []Series{{src, 7, 0}}, func(_ int, b []model.Bucket) error {
			buckets = append(buckets, b...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range points[:3000] {
		if p.Value != model.String(fmt.Sprint("text ", i)) {
			t.Fatalf("point %d is %#v", i, p.Value)
		}
	}
	if points[3000].Value != model.JSON(`{"n":3000}`) || buckets[30].Last.Value != points[3000].Value {
		t.Errorf("last point is %#v, last of the last bucket %#v", points[3000].Value, buckets[30].Last.Value)
	}
	if buckets[0].Min != model.String("text 0") || buckets[29].Last.Value != model.String("text 2999") {
		t.Errorf("buckets: %#v … %#v", buckets[0], buckets[29])
	}
}
