package tsdb

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// manyRowGroups gives a device n row groups of two keys, a row a second, the second key only
// in the first row.
func manyRowGroups(t *testing.T, db *DB, n, per int) (to int64) {
	t.Helper()
	mustAppend(t, db, rows(0, 1000, 1, 0, "often", "once"))
	for i := range n {
		mustAppend(t, db, rows(int64(1+i*per)*1000, 1000, per, int64(1+i*per), "often"))
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return int64(1+n*per) * 1000
}

func wantBudget(t *testing.T, err error, kind model.BudgetKind, of model.Kind, text string) {
	t.Helper()
	var b *model.BudgetError
	if !errors.As(err, &b) || b.Kind != kind || model.KindOf(err) != of || !strings.Contains(model.MessageOf(err, ""), text) {
		t.Errorf("got %v, want budget %d with %q", err, kind, text)
	}
}

func TestABudgetEndsAQueryWithItsName(t *testing.T) {
	var clock atomic.Int64 // every look at the clock takes a second
	now := func() time.Time { return time.Unix(clock.Add(1), 0) }
	db := openTest(t, Options{Now: now, Budget: model.Budget{Time: time.Hour}})
	to := manyRowGroups(t, db, 20, 1100)
	q := func(b model.Budget, every int64, keys ...string) *model.RangeQuery {
		return &model.RangeQuery{
			Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: keys, To: to,
			Every: model.Interval{Width: every}, Aggregates: model.AllAggregates, Budget: b,
		}
	}
	raw := func(q *model.RangeQuery) error {
		_, err := db.Raw(t.Context(), q, func(string, []model.Point) error { return nil })
		return err
	}
	aggregate := func(q *model.RangeQuery) error {
		_, err := db.Aggregate(t.Context(), q, func(string, []model.Bucket) error { return nil })
		return err
	}
	wantBudget(t, raw(q(model.Budget{Points: 5000}, 1, "often")), model.BudgetPoints, model.Invalid, "5000 points")
	wantBudget(t, aggregate(q(model.Budget{Points: 100}, 60_000, "often")), model.BudgetPoints, model.Invalid, "100 points")
	wantBudget(t, raw(q(model.Budget{Scanned: 6000}, 1, "once")), model.BudgetScanned, model.Invalid, "6000 points")
	wantBudget(t, aggregate(q(model.Budget{Scanned: 6000}, 7000, "often")), model.BudgetScanned, model.Invalid, "6000 points")
	wantBudget(t, aggregate(q(model.Budget{Bytes: 1 << 20}, 1000, "often")), model.BudgetBytes, model.Invalid, "1048576 bytes")
	wantBudget(t, raw(q(model.Budget{Time: 5 * time.Second}, 1, "often")), model.BudgetTime, model.Overload, "5s")
	wantBudget(t, aggregate(q(model.Budget{Time: 5 * time.Second}, 7000, "often")), model.BudgetTime, model.Overload, "5s")

	// A whole row group in one bucket is one look at its summary.
	if err := aggregate(q(model.Budget{Scanned: 100}, to, "often")); err != nil {
		t.Error(err)
	}
	if err := raw(q(model.Budget{Scanned: -1, Points: -1, Time: -1}, 1, "often")); err != nil {
		t.Error(err)
	}
	page := q(model.Budget{Points: 10}, 1, "often", "once")
	page.Limit = 9
	if p, err := db.RawPage(t.Context(), page, func(string, []model.Point) error { return nil }); err != nil || len(p.Truncated) != 1 {
		t.Errorf("a page as large as the budget: %+v, %v", p, err)
	}
}

// A range without end, cut as finely as it may be, must cost its error and no memory.
func TestAGiantRangeCostsNoMoreMemoryThanItsBudget(t *testing.T) {
	const points = 300_000
	db := openTest(t, Options{Budget: model.Budget{Bytes: 2 << 20}, Limits: Limits{Buckets: 1 << 60}})
	for i := range int64(points / 50_000) {
		mustAppend(t, db, rows(i*50_000, 1, 50_000, 0, "a", "b"))
	}
	for _, where := range []string{"in memory", "in row groups"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := db.Aggregate(t.Context(), &model.RangeQuery{
			Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a", "b"}, From: -1 << 50, To: 1 << 50,
			Every: model.Interval{Width: 1}, Aggregates: model.AllAggregates,
		}, func(string, []model.Bucket) error { return nil })
		runtime.ReadMemStats(&after)
		wantBudget(t, err, model.BudgetBytes, model.Invalid, "2097152 bytes")
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%s: %d bytes allocated", where, grown)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A page holds few values when they are long.
func TestPagesOfLongTextsAreShort(t *testing.T) {
	db := openTest(t, Options{})
	s := rows(0, 1, 40, 0, "a")
	for i := range s.Cells {
		s.Cells[i].Value = model.String(strings.Repeat(fmt.Sprint(i%10), 100<<10))
	}
	mustAppend(t, db, s)
	pages := 0
	if _, err := db.Raw(t.Context(), &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, To: 100},
		func(_ string, points []model.Point) error {
			if pages++; len(points) > 3 {
				t.Errorf("%d points in a page", len(points))
			}
			return nil
		}); err != nil || pages < 13 {
		t.Errorf("%d pages, %v", pages, err)
	}
}

func TestManyQueriesShareOneBudgetAndOneEnd(t *testing.T) {
	db := openTest(t, Options{})
	qs := make([]model.RangeQuery, 50)
	for i := range qs {
		s := rows(0, 1, 60, 0, "a")
		s.Entity = model.EntityID{byte(i)}
		mustAppend(t, db, s)
		qs[i] = model.RangeQuery{Tenant: aTenant, Entity: s.Entity, Scope: model.Timeseries, Keys: []string{"a"}, To: 100, Every: model.Interval{Width: 1}}
	}
	none := func(int, string, []model.Point) error { return nil }
	_, err := db.RawMany(t.Context(), model.Budget{Points: 1000}, qs, none)
	wantBudget(t, err, model.BudgetPoints, model.Invalid, "1000 points")
	_, err = db.AggregateMany(t.Context(), model.Budget{Points: 1000}, qs, func(int, string, []model.Bucket) error { return nil })
	wantBudget(t, err, model.BudgetPoints, model.Invalid, "1000 points")

	enough := errors.New("enough")
	if _, err := db.RawMany(t.Context(), model.Budget{}, qs, func(int, string, []model.Point) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	if _, err := db.RawMany(ctx, model.Budget{}, qs, func(int, string, []model.Point) error { calls++; cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if calls > 1 {
		t.Errorf("%d calls, the first of which canceled", calls)
	}
	qs[7].Keys = []string{""}
	if _, err := db.RawMany(t.Context(), model.Budget{}, qs, none); model.KindOf(err) != model.Invalid {
		t.Errorf("got %v", err)
	}
	if p, err := db.RawMany(t.Context(), model.Budget{}, nil, none); len(p) != 0 || err != nil {
		t.Errorf("no queries: %v, %v", p, err)
	}
}

func TestACursorOfAnotherQueryIsRefused(t *testing.T) {
	db := openTest(t, Options{})
	mustAppend(t, db, rows(0, 1, 60, 0, "a", "b"))
	none := func(string, []model.Point) error { return nil }
	q := model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a", "b"}, To: 100, Limit: 10}
	page, err := db.RawPage(t.Context(), &q, none)
	if err != nil || page.Cursor == "" || len(page.Truncated) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	f := func(change func(*model.RangeQuery)) {
		t.Helper()
		other := q
		other.Cursor = page.Cursor
		change(&other)
		if _, err := db.RawPage(t.Context(), &other, none); model.KindOf(err) != model.Invalid {
			t.Errorf("got %v", err)
		}
	}
	f(func(q *model.RangeQuery) { q.To++ })
	f(func(q *model.RangeQuery) { q.Keys = q.Keys[:1] })
	f(func(q *model.RangeQuery) { q.Descending = true })
	f(func(q *model.RangeQuery) { q.Entity[3]++ })
	f(func(q *model.RangeQuery) { q.Cursor = q.Cursor[:len(q.Cursor)-1] })
	f(func(q *model.RangeQuery) { q.Cursor += "A" })
	f(func(q *model.RangeQuery) { q.Cursor = "no cursor" })
	q.Cursor, q.Limit = page.Cursor, 50
	if page, err = db.RawPage(t.Context(), &q, none); err != nil || page.Cursor != "" {
		t.Errorf("%+v, %v", page, err)
	}
}

// Points written behind and before a cursor move nothing: what is read on is what stands
// there, once.
func TestACursorStandsStillUnderWrites(t *testing.T) {
	for _, down := range []bool{false, true} {
		db := openTest(t, Options{})
		mustAppend(t, db, rows(0, 10, 100, 0, "a"))
		q := model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, To: 1000, Limit: 30, Descending: down}
		seen := map[int64]int{}
		for pages := int64(0); ; pages++ {
			page, err := db.RawPage(t.Context(), &q, func(_ string, points []model.Point) error {
				for _, p := range points {
					seen[p.TS]++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if page.Cursor == "" {
				break
			}
			q.Cursor = page.Cursor
			mustAppend(t, db, rows(pages+1, 10, 100, 0, "a")) // between all others
			if _, err := db.Delete(t.Context(), model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, From: 400 + pages, To: 401 + pages}); err != nil {
				t.Fatal(err)
			}
		}
		for ts := int64(0); ts < 1000; ts += 10 {
			if n := seen[ts]; n != 1 && ts != 400 {
				t.Errorf("point at %d seen %d times", ts, n)
			}
		}
	}
}

// A key that was written once, long ago, is found by the pages and not by reading it all.
func TestStateLooksBackwardsOverPages(t *testing.T) {
	db := openTest(t, Options{Budget: model.Budget{Scanned: 20_000}})
	to := manyRowGroups(t, db, 70, 1100)
	if r, err := db.Check(t.Context()); err != nil || r.Pages == 0 {
		t.Fatalf("%d pages, %v: the test tests nothing", r.Pages, err)
	}
	// The delete drops the latest of both keys, so history has to tell.
	if _, err := db.Delete(t.Context(), model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, From: to - 1000, To: to}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Delete(t.Context(), model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"once"}, From: 1, To: to}); err != nil {
		t.Fatal(err)
	}
	s, err := db.StateAt(t.Context(), aTenant, aDevice, model.Timeseries, nil, to)
	if err != nil || len(s.Points) != 2 || s.Points[0].TS != to-2000 || s.Points[1].TS != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestABudgetEndsRevisionsToo(t *testing.T) {
	var clock atomic.Int64 // every look at the clock takes a second
	db := openTest(t, Options{Now: func() time.Time { return time.Unix(clock.Add(1), 0) }})
	s := rows(0, 1000, 5000, 0, "a")
	s.KeepOriginals = true
	mustAppend(t, db, s)
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func(b model.Budget) (n int, err error) {
		q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, To: 5000 * 1000, Budget: b}
		_, err = db.Revisions(t.Context(), q, func(_ string, r []model.Revision) error { n += len(r); return nil })
		return n, err
	}
	if n, err := read(model.Budget{Points: 5000, Scanned: 5000}); n != 5000 || err != nil {
		t.Errorf("%d revisions, %v", n, err)
	}
	n, err := read(model.Budget{Points: 4000})
	if wantBudget(t, err, model.BudgetPoints, model.Invalid, "4000 points"); n > 4000 {
		t.Errorf("%d revisions were delivered", n)
	}
	_, err = read(model.Budget{Scanned: 4999})
	wantBudget(t, err, model.BudgetScanned, model.Invalid, "4999 points")
	_, err = read(model.Budget{Time: 3 * time.Second})
	wantBudget(t, err, model.BudgetTime, model.Overload, "3s")
}
