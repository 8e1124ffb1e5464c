package tsdb

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
)

const dayMillis = int64(24 * 3600 * 1000)

// countOf returns what an aggregate and a raw read count of a key.
func countOf(t *testing.T, db *DB, key string, from, to int64) (count, raw int64) {
	t.Helper()
	q := &model.RangeQuery{
		Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{key}, From: from, To: to,
		Every: model.Interval{Width: to - from}, Aggregates: model.Count,
	}
	if _, err := db.Aggregate(context.Background(), q, func(_ string, b []model.Bucket) error {
		count += b[0].Count
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Raw(context.Background(), q, func(_ string, p []model.Point) error {
		raw += int64(len(p))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return count, raw
}

func mustFlush(t *testing.T, db *DB) {
	t.Helper()
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustDelete(t *testing.T, db *DB, d model.DeleteRange) {
	t.Helper()
	d.Tenant, d.Entity = aTenant, aDevice
	d.Scope = max(d.Scope, model.Timeseries)
	if _, err := db.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func mustCheck(t *testing.T, db *DB) Report {
	t.Helper()
	r, err := db.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A large delete is visible at once, costs the flush no rewriting, hides no row that is
// written after it, survives a restart, and leaves nothing behind when it was carried out.
func TestALargeDeleteIsHiddenFirstAndReclaimedLater(t *testing.T) {
	const n = 200_000
	disk := vfs.NewMem()
	var flushed []FlushInfo
	o := Options{FS: disk, Rewrites: 8, manual: true, Events: Events{Flushed: func(i FlushInfo) { flushed = append(flushed, i) }}}
	db := openTest(t, o)
	for from := range int64(8) {
		mustAppend(t, db, rows(scriptStart+from*n/8*1000, 1000, n/8, 0, "a", "b", "c"))
	}
	mustFlush(t, db)
	before := mustCheck(t, db)

	mustDelete(t, db, model.DeleteRange{Keys: []string{"a"}, From: scriptStart + 1000, To: scriptStart + (n-10)*1000})
	same := func(when string, want int64) {
		t.Helper()
		if count, raw := countOf(t, db, "a", scriptStart, scriptStart+n*1000); count != want || raw != want {
			t.Errorf("%s: %d counted, %d read, want %d", when, count, raw, want)
		}
		if count, _ := countOf(t, db, "b", scriptStart, scriptStart+n*1000); count != n {
			t.Errorf("%s: %d of another key", when, count)
		}
	}
	same("in the head", 11)
	mustFlush(t, db)
	if i := flushed[len(flushed)-1]; i.RowGroups > 0 {
		t.Errorf("the flush of the delete wrote %d row groups", i.RowGroups)
	}
	same("hidden", 11)
	r := mustCheck(t, db)
	if r.Hidden != n-11 || r.Points != before.Points-(n-11) {
		t.Errorf("%d hidden, %d points", r.Hidden, r.Points)
	}
	mustAppend(t, db, rows(scriptStart+50_000_000, 1000, 5, 7, "a")) // late, into what is hidden
	same("late rows in the head", 16)
	mustFlush(t, db)
	same("late rows flushed", 16)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, o)
	same("after a restart", 16)
	if left, err := db.flusher.reclaimStep(t.Context(), 3, 0, 0); err != nil || !left {
		t.Fatalf("one step left %t: %v", left, err)
	}
	same("half reclaimed", 16)
	if err := db.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	same("reclaimed", 16)
	if r := mustCheck(t, db); r.Hidden > 0 || r.Tombs > 0 || r.Points != 2*n+16 {
		t.Errorf("%d points, %d hidden by %d", r.Points, r.Hidden, r.Tombs)
	}
}

// What a delete covers whole goes without being read or rewritten.
func TestADeleteOfAllKeysDropsRowGroupsWhole(t *testing.T) {
	const n = 200_000
	var flushed []FlushInfo
	db := openTest(t, Options{manual: true, Events: Events{Flushed: func(i FlushInfo) { flushed = append(flushed, i) }}})
	for from := range int64(8) {
		mustAppend(t, db, rows(scriptStart+from*n/8*100_000, 100_000, n/8, 0, "a", "b")) // eight partitions
	}
	mustFlush(t, db)
	mustDelete(t, db, model.DeleteRange{Keys: []string{"a"}, From: scriptStart, To: scriptStart + n*100_000})
	mustFlush(t, db)
	mustDelete(t, db, model.DeleteRange{Keys: []string{"b"}, From: scriptStart + 50, To: scriptStart + (n-1)*100_000})
	mustFlush(t, db)
	if i := flushed[len(flushed)-1]; i.RowGroups > 2 {
		t.Errorf("the flush of the delete wrote %d row groups", i.RowGroups)
	}
	r := mustCheck(t, db)
	if r.RowGroups > 2 || r.Points != 2 || r.Pages != 0 {
		t.Errorf("%d points in %d row groups and %d pages are left", r.Points, r.RowGroups, r.Pages)
	}
}

// Readers beside flushes, deletes and reclaims see every point exactly as often as it is.
func TestReadersSeeOneStateBesideReclaiming(t *testing.T) {
	db := openTest(t, Options{Rewrites: -1, manual: true})
	const n = 40_000
	mustAppend(t, db, rows(scriptStart, 1000, n, 0, "a", "b"))
	mustFlush(t, db)
	var readers sync.WaitGroup
	done := make(chan struct{})
	reads := make([]int, 3)
	for i := range reads {
		readers.Go(func() {
			last := int64(n)
			for {
				select {
				case <-done:
					return
				default:
				}
				count, raw := countOf(t, db, "a", scriptStart, scriptStart+n*1000)
				if raw > count || count > last {
					t.Errorf("%d counted, %d read, %d before", count, raw, last)
				}
				if count, _ := countOf(t, db, "b", scriptStart, scriptStart+n*1000); count != n {
					t.Errorf("%d of another key", count)
				}
				last = count
				reads[i]++
			}
		})
	}
	want := int64(n)
	for i := range int64(40) {
		mustDelete(t, db, model.DeleteRange{Keys: []string{"a"}, From: scriptStart + i*1_000_000, To: scriptStart + i*1_000_000 + 900_000})
		want -= 900
		mustFlush(t, db)
		for left := i%3 > 0; left; {
			var err error
			if left, err = db.flusher.reclaimStep(t.Context(), 1, 0, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if count, raw := countOf(t, db, "a", scriptStart, scriptStart+n*1000); count != want || raw != want {
		t.Errorf("%d counted, %d read, want %d", count, raw, want)
	}
	t.Logf("%d reads beside 40 deletes", reads[0]+reads[1]+reads[2])
}

// The rules of contract thingsboard 8.6 for the latest value of a key whose history is
// deleted. The points are at 1000, 2000 and 3000, the last two of them in sealed row groups
// where sealed is set.
func TestADeleteTreatsTheLatestAsAsked(t *testing.T) {
	point := func(ts, v int64) model.Point { return model.Point{TS: ts, Value: model.Int(v)} }
	for _, c := range []struct {
		name    string
		delete  model.DeleteRange
		latest  []model.Point
		history []model.Point
	}{
		{"latest in the range is dropped", model.DeleteRange{From: 2500, To: 4000}, nil, []model.Point{point(1000, 0), point(2000, 1)}},
		{"the end is exclusive", model.DeleteRange{From: 0, To: 3000}, []model.Point{point(3000, 2)}, []model.Point{point(3000, 2)}},
		{"the start is inclusive", model.DeleteRange{From: 3000, To: 3001}, nil, []model.Point{point(1000, 0), point(2000, 1)}},
		{"outside the range it stays", model.DeleteRange{From: 500, To: 2500}, []model.Point{point(3000, 2)}, []model.Point{point(3000, 2)}},
		{"kept although its history goes", model.DeleteRange{From: 0, To: 4000, KeepLatest: true}, []model.Point{point(3000, 2)}, nil},
		{"kept wins over rewritten", model.DeleteRange{From: 2500, To: 4000, KeepLatest: true, RewriteLatest: true}, []model.Point{point(3000, 2)}, []model.Point{point(1000, 0), point(2000, 1)}},
		{"rewritten by the newest before the start", model.DeleteRange{From: 2500, To: 4000, RewriteLatest: true}, []model.Point{point(2000, 1)}, []model.Point{point(1000, 0), point(2000, 1)}},
		{"nothing before the start, nothing to rewrite with", model.DeleteRange{From: 0, To: 4000, RewriteLatest: true}, nil, nil},
		{"points in the future survive", model.DeleteRange{From: 0, To: 2500}, []model.Point{point(3000, 2)}, []model.Point{point(3000, 2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, o := range []Options{{}, {Rewrites: -1, manual: true}} {
				db := openTest(t, o)
				mustAppend(t, db, rows(1000, 1000, 3, 0, "a", "other"))
				if o.manual { // the rows are sealed by those of later partitions
					mustAppend(t, db, rows(60*dayMillis, 1000, 1, 0, "other"))
					mustFlush(t, db)
				}
				d := c.delete
				d.Keys = []string{"a"}
				mustDelete(t, db, d)
				for range 2 {
					s, err := db.Latest(t.Context(), aTenant, aDevice, model.Timeseries, []string{"a"})
					if err != nil {
						t.Fatal(err)
					}
					var latest, history []model.Point
					for _, p := range s.Points {
						latest = append(latest, p.Point)
					}
					q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, To: 10_000}
					if _, err := db.Raw(t.Context(), q, func(_ string, p []model.Point) error {
						history = append(history, p...)
						return nil
					}); err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(latest, c.latest) || !slices.Equal(history, c.history) {
						t.Errorf("latest %v of %v, want %v of %v", latest, history, c.latest, c.history)
					}
					mustFlush(t, db)
				}
				if r := mustCheck(t, db); o.manual && len(c.history) < 3 && r.Hidden == 0 {
					t.Error("nothing is hidden")
				}
			}
		})
	}
}

var _ = operations.add(operation{"reclaim", 2, func(h *harness) {
	budget := 1 + h.rng.IntN(20)
	h.note("reclaim %d row groups", budget)
	if _, err := h.db.flusher.reclaimStep(h.Context(), budget, 0, 0); err != nil {
		h.Fatalf("reclaim: %v", err)
	}
}})

func (w *workload) reclaim() {
	w.acts = append(w.acts, act{name: "reclaim", do: func(ctx context.Context, db *DB) error {
		_, err := db.flusher.reclaimStep(ctx, 1, 0, 0)
		return err
	}})
}

var _ = workloads.add("hidden deletes", func(w *workload) {
	w.options = func(o *Options) {
		o.Rewrites, o.manual = -1, true
		o.tuning.rules = blocks.Rules{JoinCount: 2, JoinRows: 8, MergeRows: 8, SealRows: 8, PageCount: 2}
	}
	w.append("in order", rows(workloadStart, 1000, 40, 3, "a", "b"))
	w.flush()
	w.delete("delete of a key", model.DeleteRange{Keys: []string{"a"}, From: workloadStart + 3000, To: workloadStart + 30_000, KeepLatest: true})
	w.flush()
	w.append("late into what is hidden", rows(workloadStart+12_000, 500, 6, -9, "a"))
	w.flush()
	w.reopen()
	w.reclaim()
	w.delete("delete of the other key", model.DeleteRange{Keys: []string{"b"}, From: workloadStart + 1, To: workloadStart + 35_000})
	w.append("of the next partition", rows(workloadStart+40*dayMillis, 1000, 20, 3, "a", "b"))
	w.flush()
	for range 4 {
		w.reclaim()
	}
})

var _ = operations.add(operation{"delete tenant", 1, func(h *harness) {
	tenant, _ := h.script.entity()
	h.note("delete tenant %v", tenant[:1])
	if err := h.db.DeleteTenant(h.Context(), tenant); err != nil {
		h.Fatalf("delete tenant: %v", err)
	}
	for e := range 3 {
		h.twin.erase(tenant, model.EntityID{byte(1 + e)})
	}
	h.compareLatest(h.script.scope())
}})

// Nothing of a deleted tenant is left, in memory or on disk, before and after a replay; the
// other tenant does not notice.
func TestADeletedTenantDoesNotComeBack(t *testing.T) {
	disk := vfs.NewCrashableMem()
	db := openTest(t, Options{FS: disk})
	const devices = 2*eraseAtOnce + 5
	put := func(tenant model.TenantID, n int) {
		for i := range n {
			s := rows(1000, 1000, 2, 1, "a", "b")
			s.Tenant, s.Entity = tenant, model.EntityID{byte(i), byte(i >> 8), 1}
			mustAppend(t, db, s)
		}
	}
	gone, stays := model.TenantID{7}, model.TenantID{8}
	put(gone, devices)
	put(stays, 3)
	mustFlush(t, db)
	put(gone, 10) // in the head
	if err := db.DeleteTenant(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i := range devices {
			s, err := db.Latest(t.Context(), gone, model.EntityID{byte(i), byte(i >> 8), 1}, model.Timeseries, nil)
			if err != nil || len(s.Points) > 0 {
				t.Fatalf("device %d has %v, %v", i, s.Points, err)
			}
		}
		if s, err := db.Latest(t.Context(), stays, model.EntityID{0, 0, 1}, model.Timeseries, nil); err != nil || len(s.Points) != 2 {
			t.Errorf("the other tenant has %v, %v", s.Points, err)
		}
		if err := db.flushStore(); err != nil {
			t.Fatal(err)
		}
		clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		db = openTest(t, Options{FS: clone})
	}
	r := mustCheck(t, db)
	if r.Groups != 3 || r.Points != 3*4 {
		t.Errorf("%d groups, %d points are left", r.Groups, r.Points)
	}
}

var _ = workloads.add("delete tenant", func(w *workload) {
	w.append("in order", rows(workloadStart, 1000, 20, 4, "a", "b"))
	w.append("of another", ofAnother())
	w.flush()
	w.append("in the head", rows(workloadStart+20_000, 1000, 5, 4, "a", "text"))
	w.acts = append(w.acts, act{
		name: "delete tenant",
		do:   func(ctx context.Context, db *DB) error { return db.DeleteTenant(ctx, aTenant) },
		change: func(t *twin) {
			t.erase(aTenant, aDevice)
			t.erase(aTenant, anotherDevice)
		},
	})
	w.append("of the next owner", rows(workloadStart, 1000, 3, 4, "a", "b"))
	w.flush()
})
