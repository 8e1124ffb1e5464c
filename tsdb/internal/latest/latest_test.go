package latest

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
)

var (
	key   = model.ScopeKey{Scope: model.Timeseries, Key: "k"}
	shape = &catalog.Shape{Names: []string{"k"}}
)

func number(f float64, ts int64) []catalog.Latest {
	return []catalog.Latest{{TS: ts, Type: model.TypeFloat, Bits: math.Float64bits(f)}}
}

func entity(n int) model.EntityID { return model.EntityID{byte(n), byte(n >> 8), byte(n >> 16)} }

func view(t *testing.T, table *Table) *View {
	t.Helper()
	v, ok := table.View([]model.ScopeKey{key}, time.Time{})
	if !ok {
		t.Fatal("no view")
	}
	return v
}

// While a column is built, of two values of a row the one of the later position counts, in
// whatever order they come.
func TestOfTwoValuesTheLaterPositionCounts(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}} {
		var total atomic.Int64
		table := New(&total)
		table.Register([]model.ScopeKey{key}, 10)
		for _, what := range order {
			switch what {
			case 0: // from the store
				table.Load([]Loaded{{entity(1), key, 0, number(1, 1)[0]}, {entity(2), key, 0, number(1, 1)[0]}, {entity(3), key, 0, number(1, 1)[0]}})
			case 1: // from a record ahead of it, which has lost entity 3
				table.Load([]Loaded{{entity(2), key, 9, number(2, 2)[0]}, {entity(3), key, 10, catalog.Latest{}}})
			case 2: // from entries
				table.Put(entity(2), model.Timeseries, 11, []Group{{shape, number(3, 3), 1}})
			}
		}
		if _, ok := table.View([]model.ScopeKey{key}, time.Time{}); ok {
			t.Error("a view of a column that is not built")
		}
		table.Finish([]model.ScopeKey{key}, time.Time{})
		v := view(t, table)
		var got [4]float64
		for n := 1; n < len(got); n++ {
			if row, ok := rowOf(v, entity(n)); ok {
				got[n] = v.Point(0, row).Value.Float()
			}
		}
		if got != [4]float64{0, 1, 3, 0} || v.Position() != 11 {
			t.Errorf("order %v: %v at position %d", order, got, v.Position())
		}
	}
}

// A view is what a map was when it was taken, over any number of chunks.
func TestAViewStaysWhatItWas(t *testing.T) {
	var total atomic.Int64
	table := New(&total)
	table.Register([]model.ScopeKey{key}, 0)
	table.Finish([]model.ScopeKey{key}, time.Time{})
	rng := rand.New(rand.NewPCG(1, 1))
	truth := map[int]float64{}
	type kept struct {
		v     *View
		truth map[int]float64
	}
	var views []kept
	const entities = 3 * chunkRows
	for i := range 30_000 {
		n := rng.IntN(entities)
		if rng.IntN(10) == 0 {
			table.Erase(entity(n), model.Timeseries, model.Position(i))
			delete(truth, n)
		} else {
			f := rng.Float64()
			table.Put(entity(n), model.Timeseries, model.Position(i), []Group{{shape, number(f, int64(i)), 1}})
			truth[n] = f
		}
		if i%3000 == 0 {
			was := map[int]float64{}
			for k, f := range truth {
				was[k] = f
			}
			views = append(views, kept{view(t, table), was})
		}
	}
	for i, k := range views {
		rows := k.v.Filter(nil, 0, func(p model.Point) bool { return !p.Value.IsNone() })
		if len(rows) != len(k.truth) {
			t.Fatalf("view %d: %d values, want %d", i, len(rows), len(k.truth))
		}
		for n, want := range k.truth {
			if row, ok := rowOf(k.v, entity(n)); !ok || k.v.Point(0, row).Value.Float() != want {
				t.Fatalf("view %d: entity %d differs", i, n)
			}
		}
		k.v.SortNumbers(rows, 0, i%2 == 0)
		if !slices.IsSortedFunc(rows, func(a, b int32) int {
			x, y := k.v.Point(0, a).Value.Float(), k.v.Point(0, b).Value.Float()
			if i%2 == 0 {
				x, y = y, x
			}
			return int(math.Copysign(1, x-y))
		}) {
			t.Errorf("view %d is not sorted", i)
		}
	}
	if table.Drop([]model.ScopeKey{key}); total.Load() != 0 {
		t.Errorf("%d bytes left", total.Load())
	}
}

// When most entities are gone the table is given up: their rows would stay for ever.
func TestATableOfErasedEntitiesIsGivenUp(t *testing.T) {
	var total atomic.Int64
	table := New(&total)
	table.Register([]model.ScopeKey{key}, 0)
	table.Finish([]model.ScopeKey{key}, time.Time{})
	for n := range 2 * chunkRows {
		table.Put(entity(n), model.Timeseries, 1, []Group{{shape, number(1, 1), 1}})
	}
	erased := 0
	for erased < 2*chunkRows && !table.Erase(entity(erased), model.Timeseries, 2) {
		erased++
	}
	if _, ok := table.View([]model.ScopeKey{key}, time.Time{}); ok || total.Load() != 0 || erased > chunkRows {
		t.Errorf("%d erased, %d bytes", erased, total.Load())
	}
}

// rowOf returns the row of an entity; false when it has none.
func rowOf(v *View, e model.EntityID) (int32, bool) {
	var row [1]int32
	v.Rows([]*model.Entity{{ID: e}}, row[:])
	return row[0], row[0] >= 0
}
