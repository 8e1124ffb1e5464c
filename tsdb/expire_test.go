package tsdb

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
)

// expire does to the twin what retention does to a DB.
func (w *twin) expire(retention model.Retention, now int64) (points int64) {
	for k, s := range w.series {
		keep := retention(k.tenant, k.entity, k.scope, k.key)
		cut := cutoffOf(keep, now)
		if keep.Versions > 0 && len(s.points) > keep.Versions {
			var times []int64
			for ts := range s.points {
				times = append(times, ts)
			}
			slices.Sort(times)
			cut = max(cut, times[len(times)-keep.Versions])
		}
		for ts := range s.points {
			if ts < cut {
				delete(s.points, ts)
				points++
			}
		}
		for ts := range s.revisions {
			if ts < cut {
				delete(s.revisions, ts)
			}
		}
	}
	return points
}

// someRetention is a policy in which lives differ by tenant, key and scope.
func someRetention(seed uint64) model.Retention {
	return func(t model.TenantID, _ model.EntityID, s model.Scope, key string) model.Keep {
		h := fnv.New64a()
		_, _ = h.Write([]byte{byte(seed), t[0], byte(s)})
		if seed%2 == 0 { // else all keys live as long
			_, _ = h.Write([]byte(key))
		}
		n := h.Sum64()
		k := model.Keep{Time: []int64{0, 1, 20, 70, 150}[n%5] * dayMillis}
		if s != model.Timeseries {
			k.Versions = []int{0, 1, 5, 40}[n/5%4]
		}
		return k
	}
}

var _ = operations.add(operation{"expire", 2, func(h *harness) {
	seed, now := h.rng.Uint64(), h.script.now
	points := h.twin.expire(someRetention(seed), now)
	h.note("expire by policy %d, %d points", seed, points)
	var forecast model.Forecast
	for tenant := range 2 {
		f := forecaster{ctx: h.Context(), store: h.db.store, retention: someRetention(seed), now: now}
		h.flush()
		if err := f.entities(model.TenantID{byte(tenant + 1)}, func(_ model.EntityID, one model.Forecast) error {
			forecast.Add(one)
			return nil
		}); err != nil {
			h.Fatalf("forecast: %v", err)
		}
	}
	if forecast.Points != points {
		h.Fatalf("forecast of %d points, %d expire", forecast.Points, points)
	}
	if _, err := h.db.flusher.expire(h.Context(), someRetention(seed), now); err != nil {
		h.Fatalf("expire: %v", err)
	}
	h.compareHistory(h.script.scope(), h.script.key())
}})

// expire adds a round of retention that is one batch: a cut between two of them leaves what
// the next round completes, and which is not in the list of states.
func (w *workload) expire(days int64) {
	retention := func(_ model.TenantID, _ model.EntityID, _ model.Scope, key string) model.Keep {
		return map[string]model.Keep{"a": {Time: 10 * dayMillis}, "b": {Time: 3 * dayMillis}}[key]
	}
	now := workloadStart + days*dayMillis
	w.acts = append(w.acts, act{
		name:     "expire",
		physical: true,
		do:       func(ctx context.Context, db *DB) error { _, err := db.flusher.expire(ctx, retention, now); return err },
		change:   func(t *twin) { t.expire(retention, now) },
	})
}

func smallAndManual(o *Options) {
	o.manual = true
	o.tuning.rules = blocks.Rules{JoinCount: 2, JoinRows: 8, MergeRows: 8, SealRows: 8, PageCount: 2}
}

var _ = workloads.add("expire", func(w *workload) {
	w.options = smallAndManual
	w.append("days", rows(workloadStart, dayMillis/4, 60, 3, "a", "b"))
	w.append("forever", rows(workloadStart, dayMillis, 10, 3, "other"))
	w.flush()
	for _, days := range []int64{5, 9, 12} {
		w.expire(days)
		w.append("late, and of today", rows(workloadStart+days*dayMillis/2, days*dayMillis/2, 2, days, "a", "b"))
		w.flush()
	}
})

var _ = workloads.add("partition drop", func(w *workload) {
	w.options = smallAndManual
	w.append("of one partition", rows(workloadStart, 1000, 60, 3, "a", "b"))
	w.append("forever", rows(workloadStart, dayMillis, 2, 3, "other"))
	w.flush()
	w.expire(100)
	w.append("late", rows(workloadStart, 500, 4, 9, "a"))
	w.flush()
	w.expire(100)
})

// A partition whose time is over goes without being read, for all groups at once; what is
// newer stays, and so does the newest value of a device that fell silent.
func TestAPartitionIsDroppedWhole(t *testing.T) {
	db := openTest(t, Options{manual: true})
	const devices = 50
	device := func(i int) model.EntityID { return model.EntityID{1, byte(i)} }
	for i := range devices {
		s := rows(0, dayMillis/10, 1200, 0, "a", "b") // 120 days: four partitions
		s.Entity = device(i)
		if i == 7 {
			s = rows(0, dayMillis/10, 100, 0, "a", "b")
			s.Entity = device(i)
		}
		mustAppend(t, db, s)
	}
	mustFlush(t, db)
	keep := func(model.TenantID, model.EntityID, model.Scope, string) model.Keep {
		return model.Keep{Time: 50 * dayMillis}
	}
	r, err := db.flusher.expire(t.Context(), keep, 115*dayMillis) // all before day 65
	if err != nil {
		t.Fatal(err)
	}
	if r.Partitions != 2 || r.Dropped != 2*devices-1 {
		t.Errorf("%d partitions, %d groups dropped", r.Partitions, r.Dropped)
	}
	if c := mustCheck(t, db); c.Points != 2*(devices-1)*(120-65)*10 {
		t.Errorf("%d points are left", c.Points)
	}
	s, err := db.Latest(t.Context(), aTenant, device(7), model.Timeseries, []string{"a"})
	if err != nil || len(s.Points) != 1 || s.Points[0].TS != 99*dayMillis/10 {
		t.Errorf("latest of a silent device: %v, %v", s.Points, err)
	}
	again, err := db.flusher.expire(t.Context(), keep, 115*dayMillis)
	if err != nil || again.Dropped+again.Trimmed > 0 {
		t.Errorf("%+v the second time: %v", again, err)
	}
	late := rows(0, 1000, 3, 5, "a")
	late.Entity = device(7)
	mustAppend(t, db, late)
	mustFlush(t, db)
	mustCheck(t, db)
}

// An attribute keeps as many versions as it may have, however they came.
func TestAttributesKeepTheirNewestVersions(t *testing.T) {
	db := openTest(t, Options{manual: true, Retention: func(_ model.TenantID, _ model.EntityID, s model.Scope, _ string) model.Keep {
		if s == model.Timeseries {
			return model.Keep{}
		}
		return model.Keep{Versions: 10}
	}})
	for i := range int64(35) {
		s := &model.WriteSet{Tenant: aTenant, Entity: aDevice, Scope: model.Server, Received: 1000 * (i + 1), Keys: []string{"often", "rare"}}
		s.Rows = []model.Row{{Cells: 1}}
		s.Cells = []model.Cell{{Key: 0, Value: model.Int(i)}}
		if i%7 == 0 {
			s.Rows[0].Cells++
			s.Cells = append(s.Cells, model.Cell{Key: 1, Value: model.Int(i)})
		}
		mustAppend(t, db, s)
	}
	if _, err := db.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"often": 10, "rare": 5} {
		got := 0
		q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Server, Keys: []string{key}, To: 1 << 40}
		if _, err := db.Raw(t.Context(), q, func(_ string, p []model.Point) error {
			got += len(p)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q has %d versions, want %d", key, got, want)
		}
	}
}

// Near the ceiling the partition that goes next is named; above it the oldest ones go until
// the store is below. Attributes stay, and so does the newest value of a series.
func TestTheOldestPartitionGoesFirstWhenTheDiskIsFull(t *testing.T) {
	var told []DiskCeilingInfo
	db := openTest(t, Options{manual: true, Now: func() time.Time { return time.UnixMilli(6 * 30 * dayMillis) }, LogBytes: 1,
		Events: Events{DiskCeiling: func(i DiskCeilingInfo) { told = append(told, i) }}})
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(part int64, e model.EntityID, scope model.Scope) {
		s := rows(part*30*dayMillis, 20_000, 60_000, 0, "a")
		s.Entity, s.Scope, s.Received = e, scope, 1000
		for i := range s.Cells {
			s.Cells[i].Value = model.Float(rng.NormFloat64())
		}
		mustAppend(t, db, s)
		mustFlush(t, db)
	}
	fill(0, model.EntityID{77}, model.Timeseries) // silent since
	fill(0, aDevice, model.Server)
	for part := range int64(6) {
		fill(part, aDevice, model.Timeseries)
	}
	if err := errors.Join(db.flushStore(), db.flusher.heedCeiling(t.Context())); err != nil || len(told) > 0 {
		t.Fatalf("without a ceiling: %v, %v", told, err)
	}
	full := db.used()
	db.options.MaxDiskBytes = full + full/20
	for range 2 {
		if err := db.flusher.heedCeiling(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || told[0].Dropped || told[0].From != 0 || told[0].To != 30*dayMillis || told[0].Max != db.options.MaxDiskBytes {
		t.Errorf("near the ceiling: %+v", told)
	}
	told = nil
	db.options.MaxDiskBytes = full * 3 / 4
	if err := db.flusher.heedCeiling(t.Context()); err != nil {
		t.Fatal(err)
	}
	dropped := 0
	for _, i := range told {
		if i.Dropped {
			dropped++
		}
	}
	if dropped == 0 || dropped > 3 {
		t.Errorf("%d partitions dropped: %+v", dropped, told)
	}
	c := mustCheck(t, db)
	if want := int64(60_000 * (1 + 6 - dropped)); c.Points != want {
		t.Errorf("%d points after %d drops, want %d", c.Points, dropped, want)
	}
	s, err := db.Latest(t.Context(), aTenant, model.EntityID{77}, model.Timeseries, nil)
	if err != nil || len(s.Points) != 1 {
		t.Errorf("latest of a silent device: %v, %v", s.Points, err)
	}
	told = nil
	db.options.MaxDiskBytes = 1 // attributes alone take more
	for range 2 {
		db.flusher.lookAgain = time.Time{}
		if err := db.flusher.heedCeiling(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(told); n == 0 || !told[n-1].Exceeded || told[n-1].From != 6*30*dayMillis || told[n-1].Max != 1 || !db.Stats().AboveCeiling {
		t.Errorf("with nothing left to drop: %+v", told)
	}
	told = slices.DeleteFunc(told, func(i DiskCeilingInfo) bool { return !i.Exceeded })
	if len(told) != 1 {
		t.Errorf("told %d times that nothing is left", len(told))
	}
	if c := mustCheck(t, db); c.Points != 60_000 {
		t.Errorf("%d points are left, want the attributes", c.Points)
	}
	db.options.MaxDiskBytes = 2 * full
	db.flusher.lookAgain = time.Time{}
	if err := db.flusher.heedCeiling(t.Context()); err != nil || db.Stats().AboveCeiling {
		t.Errorf("below it again: %v, %v", db.Stats().AboveCeiling, err)
	}
}

// The flusher expires by the injected clock.
func TestPointsExpireByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expired := make(chan ExpireReport, 1)
		start := time.Now()
		db := openTest(t, Options{
			Retention: func(model.TenantID, model.EntityID, model.Scope, string) model.Keep {
				return model.Keep{Time: 2 * dayMillis}
			},
			Events: Events{Expired: func(r ExpireReport) { expired <- r }},
		})
		mustAppend(t, db, rows(start.UnixMilli(), 1000, 5, 1, "a"))
		<-expired
		if took := time.Since(start); took < 48*time.Hour || took > 74*time.Hour {
			t.Errorf("expired after %v", took)
		}
		if count, _ := countOf(t, db, "a", 0, 1<<50); count != 0 {
			t.Errorf("%d points are left", count)
		}
	})
}
