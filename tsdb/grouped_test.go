package tsdb

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
)

func entityNumber(n int) model.EntityID { return model.EntityID{9, byte(n >> 8), byte(n)} }

// eachEntity gives n entities ten points of a text and of an int, one entity's all greater
// than those before.
func eachEntity(t *testing.T, db *DB, n int) (over *model.RangeQuery, qs []model.RangeQuery) {
	t.Helper()
	for e := range n {
		s := rows(0, 1000, 10, int64(e)<<40, "text", "number")
		s.Entity = entityNumber(e)
		for i := range s.Cells {
			if s.Cells[i].Key == 0 {
				s.Cells[i].Value = model.String(string(rune('a'+e%26)) + s.Cells[i].Value.Type().String())
			}
		}
		mustAppend(t, db, s)
		qs = append(qs, model.RangeQuery{Tenant: aTenant, Entity: s.Entity, Scope: model.Timeseries, Keys: []string{"text", "number"}, To: 10_000})
	}
	return &model.RangeQuery{To: 10_000, Every: model.Interval{Width: 100}, Aggregates: model.AllAggregates}, qs
}

// What has to be held until the last series was read is held within the budget, and given
// back whatever comes of the call.
func TestGroupsAreHeldWithinTheBudget(t *testing.T) {
	db := openTest(t, Options{})
	over, qs := eachEntity(t, db, 200)
	together := func(_, key int) int { return key }
	none := func(int, []model.Bucket) error { return nil }
	_, err := db.AggregateGroups(t.Context(), model.Budget{Bytes: 1000}, over, qs, 2, together, none)
	wantBudget(t, err, model.BudgetBytes, model.Invalid, "1000 bytes")
	_, err = db.AggregateGroups(t.Context(), model.Budget{Points: 19}, over, qs, 2, together, none)
	wantBudget(t, err, model.BudgetPoints, model.Invalid, "19 points")
	if _, err = db.AggregateGroups(t.Context(), model.Budget{Points: 20, Bytes: 1 << 20}, over, qs, 2, together, none); err != nil {
		t.Error(err)
	}

	stop := errors.New("enough")
	if _, err = db.AggregateGroups(t.Context(), model.Budget{}, over, qs, 2, together, func(int, []model.Bucket) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of yield", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = db.AggregateGroups(ctx, model.Budget{}, over, qs, 2, together, none); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if _, err = db.AggregateGroups(t.Context(), model.Budget{}, over, qs, 2, func(i, _ int) int { return i }, none); model.KindOf(err) != model.Invalid {
		t.Errorf("a group that is none: %v", err)
	}
	over.Every.Width = 0
	if _, err = db.AggregateGroups(t.Context(), model.Budget{}, over, qs, 2, together, none); model.KindOf(err) != model.Invalid {
		t.Errorf("no width: %v", err)
	}
}

// A group is told as soon as its last series was read, in the order of the queries.
func TestGroupsAreToldInTheOrderOfTheQueries(t *testing.T) {
	db := openTest(t, Options{})
	over, qs := eachEntity(t, db, 60)
	var order []int
	_, err := db.AggregateGroups(t.Context(), model.Budget{Bytes: 256 << 10}, over, qs, 30, func(i, _ int) int { return i / 2 },
		func(g int, buckets []model.Bucket) error {
			order = append(order, g)
			if buckets[0].Count != 4 || buckets[0].Max.Int() < int64(2*g+1)<<40 {
				t.Errorf("group %d: %+v", g, buckets[0])
			}
			return nil
		})
	if err != nil || len(order) != 30 || !slices.IsSorted(order) {
		t.Errorf("%v, %v", order, err)
	}
}

// Of several queries that are answered in one call, those over damage say where, and the rest
// is told. Who has enough is told the damage of what was read for it.
func TestManyQueriesTellTheDamageOfTheirs(t *testing.T) {
	db, key := openFlushed(t)
	sound := rows(1_700_000_000_000, 1000, 100, 1, "a", "b")
	sound.Entity = entityNumber(1)
	mustAppend(t, db, sound)
	var value []byte
	if _, err := get(db.store, key, func(b []byte) error { value = append(value, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	value[20] ^= 0x10
	if err := db.store.Set(key, value, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	q := model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 1_700_000_000_000, To: 1_700_000_100_000}
	other := q
	other.Entity = sound.Entity
	over := q
	over.Every, over.Aggregates = model.Interval{Width: 100_000}, model.Count

	told := func(err error) int {
		t.Helper()
		e, ok := errors.AsType[*model.DamageError](err)
		if err != nil && !ok {
			t.Fatalf("got %v", err)
		}
		if err == nil {
			return 0
		}
		return len(e.Places)
	}
	n := int64(0)
	_, err := db.AggregateGroups(t.Context(), model.Budget{}, &over, []model.RangeQuery{q, other}, 1, func(int, int) int { return 0 },
		func(_ int, buckets []model.Bucket) error { n += buckets[0].Count; return nil })
	if told(err) != 1 || n != 100 {
		t.Errorf("%d points, %v", n, err)
	}
	points := 0
	read := func(enough bool, qs ...model.RangeQuery) error {
		points = 0
		_, err := db.RawMany(t.Context(), model.Budget{}, qs, func(i int, _ string, p []model.Point) error {
			if enough && i == 1 {
				return model.ErrEnough
			}
			points += len(p)
			return nil
		})
		return err
	}
	if err := read(false, other, q, other); told(err) != 1 || points != 200 {
		t.Errorf("%d points, %v", points, err)
	}
	if err := read(true, q, other, other); told(err) != 1 || points != 0 {
		t.Errorf("damage before the end: %d points, %v", points, err)
	}
	if err := read(true, other, other, q); told(err) != 0 || points != 100 {
		t.Errorf("damage behind the end: %d points, %v", points, err)
	}
}
