package tsdb

import (
	"cmp"
	"math"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// stateAt is the naive StateAt: the newest point at or before an instant, or the latest where
// history no longer reaches it.
func (w *twin) stateAt(scope twinScope, at int64) []model.KeyPoint {
	state := []model.KeyPoint{}
	for k, s := range w.series {
		if k.twinScope != scope {
			continue
		}
		var newest model.Point
		for ts, v := range s.points {
			if ts <= at && (newest.Value.IsNone() || ts > newest.TS) {
				newest = model.Point{TS: ts, Value: v}
			}
		}
		if l := s.latest; !l.Value.IsNone() && l.TS <= at && (newest.Value.IsNone() || l.TS >= newest.TS) {
			newest = l
		}
		if newest.Value.Type() > model.TypeNull {
			state = append(state, model.KeyPoint{Key: k.key, Point: newest})
		}
	}
	slices.SortFunc(state, func(a, b model.KeyPoint) int { return cmp.Compare(a.Key, b.Key) })
	return state
}

// compareState asks for the state of an entity at some instant, of all keys and of a few.
func (h *harness) compareState(s twinScope) {
	h.Helper()
	from, to := h.script.span()
	at := from + h.script.rng.Int64N(to-from)
	if h.script.rng.IntN(5) == 0 {
		at = math.MaxInt64
	}
	want := h.twin.stateAt(s, at)
	names := []string{h.script.key(), "never", h.script.key()}
	for _, asked := range [][]string{nil, names} {
		if asked != nil {
			want = slices.DeleteFunc(want, func(p model.KeyPoint) bool { return !slices.Contains(asked, p.Key) })
		}
		got, err := h.db.StateAt(h.Context(), s.tenant, s.entity, s.scope, asked, at)
		if err != nil {
			h.Fatalf("state: %v", err)
		}
		if diff := gocmp.Diff(want, got.Points, compareValues); diff != "" {
			h.Fatalf("state of %v at %d, keys %q (-twin +db):\n%s", s, at, asked, diff)
		}
	}
}

// comparePages reads a range page by page, with a limit that changes.
func (h *harness) comparePages(s twinScope) {
	h.Helper()
	rng := h.script.rng
	from, to := h.script.span()
	q := &model.RangeQuery{
		Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: []string{"key00", h.script.key() + "x", "key02", "key01"},
		From: from, To: to, Descending: rng.IntN(2) == 0,
	}
	got := map[string][]model.Point{}
	for pages := 0; ; pages++ {
		q.Limit = 1 + rng.IntN(300)
		if pages > 20 {
			q.Limit = 0
		}
		on := map[string]int{}
		page, err := h.db.RawPage(h.Context(), q, func(key string, points []model.Point) error {
			got[key] = append(got[key], points...)
			on[key] += len(points)
			return nil
		})
		if err != nil {
			h.Fatalf("page %d: %v", pages, err)
		}
		for key, n := range on {
			if n != q.Limit && slices.Contains(page.Truncated, key) || q.Limit > 0 && n > q.Limit {
				h.Fatalf("page %d of %q: %d points, limit %d, truncated %q", pages, key, n, q.Limit, page.Truncated)
			}
		}
		if page.Cursor == "" {
			if len(page.Truncated) > 0 {
				h.Fatalf("no cursor, truncated %q", page.Truncated)
			}
			break
		}
		q.Cursor = page.Cursor
	}
	for _, key := range q.Keys {
		if want := h.twin.raw(s, key, from, to, 0, q.Descending); !slices.Equal(want, got[key]) {
			h.Fatalf("pages %+v of %q (-twin +db):\n%s", q, key, gocmp.Diff(want, got[key], compareValues))
		}
	}
}

// compareMany asks for many series of all entities in one call.
func (h *harness) compareMany() {
	h.Helper()
	rng := h.script.rng
	qs := make([]model.RangeQuery, 1+rng.IntN(8))
	for i := range qs {
		s := h.script.scope()
		from, to := h.script.span()
		qs[i] = model.RangeQuery{
			Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: []string{"key00", "key03", "never"}, From: from, To: to,
			Limit: rng.IntN(200), Every: model.Interval{Width: 1 + (to-from)/int64(1+rng.IntN(50))}, Aggregates: model.AllAggregates,
		}
	}
	type at struct {
		i   int
		key string
	}
	raw := map[at][]model.Point{}
	var order []int
	if _, err := h.db.RawMany(h.Context(), model.Budget{}, qs, func(i int, key string, points []model.Point) error {
		raw[at{i, key}] = append(raw[at{i, key}], points...)
		order = append(order, i)
		return nil
	}); err != nil {
		h.Fatalf("raw of many: %v", err)
	}
	if !slices.IsSorted(order) {
		h.Fatalf("queries yield in this order: %v", order)
	}
	buckets := map[at][]string{}
	positions, err := h.db.AggregateMany(h.Context(), model.Budget{}, qs, func(i int, key string, bs []model.Bucket) error {
		for k := range bs {
			buckets[at{i, key}] = append(buckets[at{i, key}], describe(&bs[k]))
		}
		return nil
	})
	if err != nil || len(positions) != len(qs) {
		h.Fatalf("aggregates of many: %d positions, %v", len(positions), err)
	}
	for i := range qs {
		q := &qs[i]
		s := twinScope{q.Tenant, q.Entity, q.Scope}
		for _, key := range q.Keys {
			if want := h.twin.raw(s, key, q.From, q.To, q.Limit, false); !slices.Equal(want, raw[at{i, key}]) {
				h.Fatalf("raw %+v of %q (-twin +db):\n%s", q, key, gocmp.Diff(want, raw[at{i, key}], compareValues))
			}
			if want := h.twin.aggregate(s, key, q); !slices.Equal(want, buckets[at{i, key}]) {
				h.Fatalf("aggregate %+v of %q (-twin +db):\n%s", q, key, gocmp.Diff(want, buckets[at{i, key}], compareValues))
			}
		}
	}
}

// aggregateTogether returns the buckets of several series as if they were one; of points of one
// instant those of the series that stands first come first.
func (w *twin) aggregateTogether(series []twinQuery, over *model.RangeQuery) []string {
	cut, err := bucket.New(over.From, over.To, over.Every)
	if err != nil {
		panic(err)
	}
	var points []model.Point
	for _, s := range series {
		points = append(points, w.raw(s.scope, s.key, max(s.from, over.From), min(s.to, over.To), 0, false)...)
	}
	slices.SortStableFunc(points, func(a, b model.Point) int { return cmp.Compare(a.TS, b.TS) })
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

type twinQuery struct {
	scope    twinScope
	key      string
	from, to int64
}

// compareGroups adds up series of several entities, some of which show a part of the range
// only, as a view does.
func (h *harness) compareGroups() {
	h.Helper()
	rng := h.script.rng
	from, to := h.script.span()
	over := &model.RangeQuery{From: from, To: to, Aggregates: model.AllAggregates}
	width := 1 + (to-from)/int64(1+rng.IntN(50))
	switch rng.IntN(3) {
	case 0:
		over.Every = model.Interval{Width: width}
	case 1:
		over.Every = model.Interval{Unit: model.Aligned, Width: width, Offset: rng.Int64N(2*width) - width}
	default:
		over.Every = calendar(rng, from, to)
	}
	n := 1 + rng.IntN(4)
	qs := make([]model.RangeQuery, 1+rng.IntN(8))
	groups, of := make([][]twinQuery, n), make([][]int, len(qs))
	for i := range qs {
		s := h.script.scope()
		q := model.RangeQuery{Tenant: s.tenant, Entity: s.entity, Scope: s.scope, From: from, To: to}
		if rng.IntN(3) == 0 {
			q.From, q.To = h.script.span()
		}
		for range rng.IntN(4) {
			q.Keys = append(q.Keys, h.script.key())
			g := rng.IntN(n)
			of[i] = append(of[i], g)
			groups[g] = append(groups[g], twinQuery{s, q.Keys[len(q.Keys)-1], q.From, q.To})
		}
		qs[i] = q
	}
	got := make([][]string, n)
	positions, err := h.db.AggregateGroups(h.Context(), model.Budget{}, over, qs, n, func(i, key int) int { return of[i][key] },
		func(g int, buckets []model.Bucket) error {
			if got[g] != nil {
				h.Fatalf("group %d twice", g)
			}
			for i := range buckets {
				got[g] = append(got[g], describe(&buckets[i]))
			}
			return nil
		})
	if err != nil || len(positions) != len(qs) {
		h.Fatalf("groups: %d positions, %v", len(positions), err)
	}
	for g := range groups {
		if want := h.twin.aggregateTogether(groups[g], over); !slices.Equal(want, got[g]) {
			h.Fatalf("group %d of %v over %+v (-twin +db):\n%s", g, groups[g], over, gocmp.Diff(want, got[g]))
		}
	}
}

// compareSubset asks for some of the aggregates: they are what they are among all of them, and
// the others are empty.
func (h *harness) compareSubset(q *model.RangeQuery) {
	h.Helper()
	read := func(want model.Aggregates) (out []model.Bucket) {
		q.Aggregates = want
		if _, err := h.db.Aggregate(h.Context(), q, func(_ string, bs []model.Bucket) error {
			out = append(out, bs...)
			return nil
		}); err != nil {
			h.Fatalf("aggregate: %v", err)
		}
		return out
	}
	want := model.Aggregates(1 + h.script.rng.IntN(int(model.AllAggregates)))
	all, some := read(model.AllAggregates), read(want)
	for i := range all {
		all[i] = twins.Only(all[i], want)
	}
	if !slices.Equal(all, some) {
		h.Fatalf("aggregates %b of %+v (-among all +alone):\n%s", want, q, gocmp.Diff(all, some, compareValues))
	}
}

var (
	_ = operations.add(operation{"state", 2, func(h *harness) { h.compareState(h.script.scope()) }})
	_ = operations.add(operation{"pages", 2, func(h *harness) { h.comparePages(h.script.scope()) }})
	_ = operations.add(operation{"many", 1, (*harness).compareMany})
	_ = operations.add(operation{"groups", 1, (*harness).compareGroups})
)
