package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

var _ = operations.add(operation{"latest columns", 3, (*harness).compareColumns})

// compareColumns asks for the latest values of a tenant, column by column. What was asked for
// before is kept current by everything the script does in between.
func (h *harness) compareColumns() {
	h.Helper()
	tenant, _ := h.script.entity()
	var of []model.ScopeKey
	for range 1 + h.rng.IntN(5) {
		scope := model.Timeseries
		if h.rng.IntN(3) == 0 {
			scope = model.Scope(2 + h.rng.IntN(4))
		}
		of = append(of, model.ScopeKey{Scope: scope, Key: fmt.Sprintf("key%02d", h.rng.IntN(12))})
	}
	if h.rng.IntN(6) == 0 {
		h.db.columns.shrink(h.db.options.Now().Add(time.Hour), model.TenantID{}, nil) // drop them all
	}
	v, err := h.db.LatestColumns(h.Context(), tenant, of)
	if err != nil {
		h.Fatalf("latest columns: %v", err)
	}
	h.compareView(v, tenant, of)
}

func (h *harness) compareView(v model.LatestView, tenant model.TenantID, of []model.ScopeKey) {
	h.Helper()
	for i, k := range of {
		rows := 0
		for id, s := range h.twin.series {
			if id.tenant != tenant || id.scope != k.Scope || id.key != k.Key {
				continue
			}
			want := s.latest
			if want.Value.Type() <= model.TypeNull {
				want = model.Point{}
			}
			var got model.Point
			if row, ok := rowOf(v, id.entity); ok {
				if got = v.Point(i, row); v.Entity(row) != id.entity {
					h.Fatalf("row %d of %v is %v", row, id.entity, v.Entity(row))
				}
			}
			if got != want {
				h.Fatalf("column %v of %v: %+v, want %+v", k, id.entity, got, want)
			}
			if !want.Value.IsNone() {
				rows++
			}
		}
		if got := len(v.Filter(nil, i, func(p model.Point) bool { return !p.Value.IsNone() })); got != rows {
			h.Fatalf("column %v has %d values, want %d", k, got, rows)
		}
	}
}

// A view is whole sets of one position, whatever is written, flushed, deleted and dropped
// beside it; and it does not change any more.
func TestLatestColumnsAreOfOnePositionBesideWrites(t *testing.T) {
	db := openTest(t, Options{HeadBytes: 64 << 10, CatalogBytes: 1, memTable: 256 << 10})
	const entities, sets = 150, 600
	of := []model.ScopeKey{{Scope: model.Timeseries, Key: "a"}, {Scope: model.Timeseries, Key: "b"}}
	entity := func(n int) model.EntityID { return model.EntityID{byte(n), byte(n >> 8), 9} }
	write := func(n int, value int64, names ...string) {
		s := rows(value, 1, 1, value, names...)
		s.Entity = entity(n)
		mustAppend(t, db, s)
	}
	for n := range entities {
		write(n, 0, "a") // so the keys live in two groups, which a set spans
		write(n, 0, "b")
	}
	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() {
		for ctx.Err() == nil {
			if err := db.Flush(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("flush: %v", err)
			}
		}
	})
	var views, builds atomic.Int64
	viewed := make(chan struct{})
	background.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		var last model.Position
		var kept model.LatestView
		var was []model.Point
		for ctx.Err() == nil {
			if rng.IntN(3) == 0 {
				db.columns.shrink(time.Now().Add(time.Hour), model.TenantID{}, nil)
				builds.Add(1)
			}
			v, err := db.LatestColumns(ctx, aTenant, of)
			if ctx.Err() != nil {
				return
			}
			if err != nil || v.Position() < last {
				t.Errorf("position %v after %d, %v", v, last, err)
				return
			}
			last = v.Position()
			points := make([]model.Point, 0, v.Len())
			for row := range int32(v.Len()) {
				a, b := v.Point(0, row), v.Point(1, row)
				if a != b {
					t.Errorf("position %d, entity %v: a %+v, b %+v", last, v.Entity(row), a, b)
					return
				}
				points = append(points, a)
			}
			if kept != nil {
				for row := range was {
					if kept.Point(1, int32(row)) != was[row] {
						t.Errorf("row %d of an old view changed", row)
						return
					}
				}
			}
			kept, was = v, points
			views.Add(1)
			select {
			case viewed <- struct{}{}:
			default:
			}
		}
	})
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			for i := range sets {
				n := rng.IntN(entities/3)*3 + w
				if i%100 == 99 {
					<-viewed // so that views meet many positions
				}
				switch rng.IntN(40) {
				case 0:
					if _, err := db.DeleteEntity(t.Context(), aTenant, entity(n)); err != nil {
						t.Error(err)
					}
				case 1:
					d := model.DeleteRange{Tenant: aTenant, Entity: entity(n), Scope: model.Timeseries, Keys: []string{"a", "b"}, To: 1 << 40, RewriteLatest: rng.IntN(2) == 0}
					if _, err := db.Delete(t.Context(), d); err != nil {
						t.Error(err)
					}
				default:
					write(n, int64(1+i), "a", "b")
				}
			}
		})
	}
	writers.Wait()
	stop()
	background.Wait()
	v, err := db.LatestColumns(t.Context(), aTenant, of)
	if err != nil {
		t.Fatal(err)
	}
	for n := range entities {
		snap, err := db.Latest(t.Context(), aTenant, entity(n), model.Timeseries, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		var got []model.KeyPoint
		if row, ok := rowOf(v, entity(n)); ok {
			for i, k := range of {
				if p := v.Point(i, row); !p.Value.IsNone() {
					got = append(got, model.KeyPoint{Key: k.Key, Point: p})
				}
			}
		}
		if !slices.Equal(got, snap.Points) {
			t.Errorf("entity %d: %+v, want %+v", n, got, snap.Points)
		}
	}
	t.Logf("%d views, %d builds", views.Load(), builds.Load())
}

func TestLatestColumnsSortAndFilter(t *testing.T) {
	db := openTest(t, Options{})
	values := []model.Value{
		model.Float(2.5), model.Int(-3), model.String("b"), model.Int(7), model.Float(-0.5), model.Bool(true), model.String("a"), model.Int(7), model.JSON("{}"),
	}
	for i, v := range values {
		s := rows(int64(i), 1, 1, 0, "k")
		s.Entity, s.Cells[0].Value = model.EntityID{byte(i)}, v
		mustAppend(t, db, s)
	}
	v, err := db.LatestColumns(t.Context(), aTenant, []model.ScopeKey{{Scope: model.Timeseries, Key: "k"}, {Scope: model.Server, Key: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	order := func(sort func([]int32, int, bool), column int, down bool) (out string) {
		rows := make([]int32, v.Len())
		for i := range rows {
			rows[i] = int32(i)
		}
		sort(rows, column, down)
		for _, row := range rows {
			out += fmt.Sprint(v.Entity(row)[0])
		}
		return out
	}
	for _, one := range [][2]string{
		{order(v.SortNumbers, 0, false), "140372568"},
		{order(v.SortNumbers, 0, true), "370412568"},
		{order(v.SortTexts, 0, false), "620134578"},
		{order(v.SortTexts, 0, true), "260134578"},
		{order(v.SortNumbers, 1, true), "012345678"},
	} {
		if one[0] != one[1] {
			t.Errorf("order %s, want %s", one[0], one[1])
		}
	}
	some := v.Filter(nil, 0, func(p model.Point) bool { n, ok := p.Value.Number(); return ok && n > 0 })
	if more := v.Filter(some, 0, func(p model.Point) bool { return p.TS > 0 }); len(some) != 3 || len(more) != 2 {
		t.Errorf("filtered %v, then %v", some, more)
	}
	if none := v.Filter(nil, 1, func(p model.Point) bool { return p.Value.IsNone() }); len(none) != len(values) {
		t.Errorf("%d rows without a value", len(none))
	}
	if _, err := db.LatestColumns(t.Context(), aTenant, []model.ScopeKey{{Scope: 9, Key: "k"}}); model.KindOf(err) != model.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestLatestColumnsGoWhenIdleOrTooLarge(t *testing.T) {
	var clock atomic.Int64
	db := openTest(t, Options{ColumnsBytes: 1 << 20, Now: func() time.Time { return time.UnixMilli(clock.Load()) }})
	names := []string{"a", "b", "c", "d"}
	for i := range 9 {
		s := rows(0, 1, 1, 0, names...)
		s.Entity = model.EntityID{byte(i)}
		for k := range s.Cells {
			s.Cells[k].Value = model.String(strings.Repeat("x", 32<<10))
		}
		mustAppend(t, db, s)
	}
	ask := func(names ...string) error {
		var of []model.ScopeKey
		for _, name := range names {
			of = append(of, model.ScopeKey{Scope: model.Timeseries, Key: name})
		}
		_, err := db.LatestColumns(t.Context(), aTenant, of)
		return err
	}
	kept := func() (out string) {
		if table := db.columns.table(aTenant); table != nil {
			for _, c := range table.Columns() {
				out += c.Key.Key
			}
		}
		return sorted(out)
	}
	for i, name := range names { // three of them fit beside each other
		clock.Store(int64(i) * 1000)
		if err := ask(name); err != nil {
			t.Fatal(err)
		}
	}
	if got := kept(); strings.Contains(got, "a") || !strings.Contains(got, "d") || db.columns.bytes.Load() > 1<<20 {
		t.Errorf("kept %q, %d bytes", got, db.columns.bytes.Load())
	}
	if err := ask(names...); model.KindOf(err) != model.TooLarge {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.LatestColumns(ctx, aTenant, []model.ScopeKey{{Scope: model.Shared, Key: "a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := ask("b"); err != nil {
		t.Error(err)
	}
	clock.Store(int64(11 * time.Minute / time.Millisecond))
	mustAppend(t, db, rows(0, 1, 1, 0, "x"))
	if got := kept(); got != "" || db.columns.tables.Load() != nil || db.columns.bytes.Load() != 0 {
		t.Errorf("kept %q, %d bytes", got, db.columns.bytes.Load())
	}
}

func sorted(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(b)
}

// rowOf returns the row of an entity; false when it has none.
func rowOf(v model.LatestView, e model.EntityID) (int32, bool) {
	var row [1]int32
	v.Rows([]*model.Entity{{ID: e}}, row[:])
	return row[0], row[0] >= 0
}
