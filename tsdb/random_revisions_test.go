package tsdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

// keeping makes set one that keeps originals, at times with values that are bad, said again,
// or said twice at one instant.
func (s *script) keeping(set *model.WriteSet) *model.WriteSet {
	set.KeepOriginals = true
	if set.Scope.Arrival() {
		return set
	}
	if s.again != nil && s.rng.IntN(4) == 0 { // the same values again, or other ones at the same instants
		again := *s.again
		again.Cells = slices.Clone(again.Cells)
		again.Received = s.now
		if s.rng.IntN(2) == 0 {
			for i := range again.Cells {
				if s.rng.IntN(3) == 0 {
					again.Cells[i].Value = s.value()
				}
			}
		}
		set = &again
	}
	set.Qualities = nil
	if s.rng.IntN(2) == 0 {
		set.Qualities = make([]uint8, len(set.Cells))
		odds := 1 + s.rng.IntN(6)
		for i := range set.Qualities {
			if s.rng.IntN(odds) == 0 {
				set.Qualities[i] = uint8(s.rng.IntN(3))
			}
		}
	}
	if s.rng.IntN(3) == 0 { // instants stand twice
		for i := 1; i < len(set.Rows); i++ {
			if s.rng.IntN(3) == 0 {
				set.Rows[i].TS = set.Rows[i-1].TS
			}
		}
	}
	s.again = set
	return set
}

// mortal makes a set whose points have a time to live.
func (s *script) mortal() *model.WriteSet {
	set := s.set()
	if s.rng.IntN(3) == 0 {
		set = s.keeping(set)
	}
	mortal := *set
	mortal.TTL = 1 + s.rng.Int64N(600_000)
	return &mortal
}

// outlive lets the points go that have outlived their time at some moment, a few groups at a
// time.
func (h *harness) outlive() {
	h.Helper()
	now := h.script.now - h.rng.Int64N(400_000)
	h.note("outlive at %d", now)
	h.flush()
	for left := true; left; {
		var err error
		if left, err = h.db.flusher.reclaimStep(h.Context(), 1+h.rng.IntN(5), now, now); err != nil {
			h.Fatalf("outlive: %v", err)
		}
	}
	h.twin.outlive(now)
}

func (h *harness) compareRevisions(s twinScope, key string) {
	h.Helper()
	from, to := h.script.span()
	q := &model.RangeQuery{
		Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: []string{"never", key}, From: from, To: to,
		Limit: h.script.rng.IntN(3) * h.script.rng.IntN(100),
	}
	var got []model.Revision
	if _, err := h.db.Revisions(h.Context(), q, func(k string, revisions []model.Revision) error {
		if k != key {
			h.Fatalf("revisions of %q, asked for %q", k, key)
		}
		got = append(got, revisions...)
		return nil
	}); err != nil {
		h.Fatalf("revisions: %v", err)
	}
	want := h.twin.revisions(s, key, from, to, q.Limit)
	if diff := cmp.Diff(want, got, compareValues); diff != "" {
		h.Fatalf("revisions %+v of %q (-twin +db):\n%s", q, key, diff)
	}
}

// compareAllRevisions compares those of every series.
func (h *harness) compareAllRevisions() {
	h.Helper()
	all := slices.SortedFunc(maps.Keys(h.twin.series), func(a, b twinKey) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range all {
		h.compareRevisions(k.twinScope, k.key)
	}
}

// revisionsLook sees the revisions of all keys of a workload.
func revisionsLook(w *workload) look {
	return look{
		db: func(ctx context.Context, db *DB) (string, error) {
			var b strings.Builder
			for _, s := range w.scopes {
				q := &model.RangeQuery{Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: w.keys, From: 0, To: 1 << 50}
				if _, err := db.Revisions(ctx, q, func(key string, revisions []model.Revision) error {
					for _, r := range revisions {
						fmt.Fprintf(&b, "%s %v\n", key, r)
					}
					return nil
				}); err != nil {
					return "", err
				}
			}
			return b.String(), nil
		},
		twin: func(t *twin) string {
			var b strings.Builder
			for _, s := range w.scopes {
				for _, key := range w.keys {
					for _, r := range t.revisions(s, key, 0, 1<<50, 0) {
						fmt.Fprintf(&b, "%s %v\n", key, r)
					}
				}
			}
			return b.String()
		},
	}
}

var (
	_ = operations.add(operation{"append keeping originals", 25, func(h *harness) { h.append(h.script.keeping(h.script.set())) }})
	_ = operations.add(operation{"append with a time to live", 12, func(h *harness) { h.append(h.script.mortal()) }})
	_ = operations.add(operation{"outlive", 4, (*harness).outlive})
	_ = operations.add(operation{"revisions", 6, func(h *harness) { h.compareRevisions(h.script.scope(), h.script.key()) }})
	_ = addComparison((*harness).compareAllRevisions)
)

var _ = workloads.add("keep originals", func(w *workload) {
	const start = scriptStart
	keeping := func(ts int64, n int, value int64, quality uint8) *model.WriteSet {
		s := rows(ts, 1000, n, value, "a", "b")
		s.KeepOriginals, s.Received = true, start+value
		if quality != 0 {
			s.Qualities = make([]uint8, len(s.Cells))
			for i := range s.Qualities {
				s.Qualities[i] = quality * uint8(i%2)
			}
		}
		return s
	}
	w.looks = append(w.looks, revisionsLook(w))
	w.append("before", rows(start, 1000, 30, 1, "a", "b"))
	w.flush()
	w.append("originals of what is stored", keeping(start+10_000, 30, 40, 0))
	w.append("bad ones", keeping(start+10_000, 30, 41, 3))
	w.append("the same", keeping(start+10_000, 30, 41, 3))
	w.flush()
	w.append("replace what was kept", rows(start+15_000, 1000, 10, 77, "a", "b"))
	w.append("keep again", keeping(start, 40, 42, 0))
	w.delete("delete what was kept", model.DeleteRange{Keys: []string{"b"}, From: start + 20_000, To: start + 25_000})
	w.flush()
	w.reopen()
	w.append("only bad ones", keeping(start+100_000, 5, 43, 1))
})

var _ = workloads.add("time to live", func(w *workload) {
	const start = scriptStart
	mortal := func(ts int64, n int, value, received, ttl int64, keep bool) *model.WriteSet {
		s := rows(ts, 1000, n, value, "a", "b")
		s.Received, s.TTL, s.KeepOriginals = received, ttl, keep
		return s
	}
	outlive := func(now int64) {
		w.acts = append(w.acts, act{
			name: "outlive",
			do: func(ctx context.Context, db *DB) error {
				err := db.Flush(ctx)
				db.flusher.owed.retry()
				for left := true; left && err == nil; {
					left, err = db.flusher.reclaimStep(ctx, 1, now, now)
				}
				return err
			},
			change:   func(t *twin) { t.outlive(now) },
			physical: true,
		})
	}
	w.options = func(o *Options) { o.Now = longAgo() }
	w.looks = append(w.looks, revisionsLook(w))
	w.append("mortal", mortal(start, 200, 1, start, 50_000, true))
	w.append("immortal", rows(start+300_000, 1000, 1100, 2, "a"))
	w.flush()
	w.append("saved", rows(start+20_000, 1000, 5, 9, "a"))
	w.append("longer", mortal(start+30_000, 5, 3, start+10_000, 90_000, false))
	outlive(start + 50_000)
	w.append("late", mortal(start+1000, 3, 4, start+60_000, 10_000, true))
	w.append("in order", mortal(start+2_000_000, 3, 5, start+60_000, 20_000, true))
	w.reopen()
	outlive(start + 75_000)
	outlive(start + 1_000_000)
})

// longAgo is a clock at which nothing outlives its time by itself.
func longAgo() func() time.Time {
	began := time.Now()
	return func() time.Time { return time.Unix(0, 0).Add(time.Since(began)) }
}
