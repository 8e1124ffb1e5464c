package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidewire/tidewire/model"
)

// A harness runs operations against a DB and its twin.
type harness struct {
	*testing.T
	options  Options
	disk     *vfs.MemFS
	db       *DB
	twin     *twin
	rng      *rand.Rand // also the script's
	script   *script
	changes  [][]twinCell                // by position-1; nil where the entry was no set
	erasures map[model.Position][]string // scope and key that lost a latest with their entity
	scripted bool                        // failures end the history, not the test
	step     string
	trace    *strings.Builder // nil: nobody reads it
	reader   readerTwin
	backups  struct {
		n    int
		last *BackupBase
	}
}

var compareValues = cmp.Options{cmp.Comparer(func(a, b model.Value) bool { return a == b }), cmpopts.EquateEmpty()}

// newHarness is for tests that do what they like; histories are run by runHistory.
func newHarness(t *testing.T, o Options, seed uint64) *harness {
	h := emptyHarness(t, o)
	h.seed(seed, 1)
	h.open()
	t.Cleanup(func() {
		h.check()
		h.close()
	})
	return h
}

func emptyHarness(t *testing.T, o Options) *harness {
	if o.Now == nil {
		o.Now = longAgo()
	}
	return &harness{T: t, options: o, disk: vfs.NewCrashableMem(), twin: newTwin(), script: &script{now: scriptStart}, erasures: map[model.Position][]string{}}
}

// seed makes what is drawn from here on a function of two numbers.
func (h *harness) seed(seed, step uint64) {
	h.rng = rand.New(rand.NewPCG(seed, step))
	h.script.rng = h.rng
}

// note says what a step does, for whoever reads why a history failed.
func (h *harness) note(format string, args ...any) {
	if h.trace != nil {
		fmt.Fprintf(h.trace, "%s: %s\n", h.step, fmt.Sprintf(format, args...))
	}
}

// Fatalf ends the history, or the test where there is none.
func (h *harness) Fatalf(format string, args ...any) {
	h.Helper()
	if h.scripted {
		panic(&failedHistory{fmt.Sprintf(format, args...)})
	}
	h.T.Fatalf(format, args...)
}

// Fatal is Fatalf for who has nothing to add.
func (h *harness) Fatal(args ...any) { h.Helper(); h.Fatalf("%s", fmt.Sprint(args...)) }

func (h *harness) open() {
	h.Helper()
	h.options.FS = h.disk
	db, err := Open("db", h.options)
	if err != nil {
		h.Fatalf("open: %v", err)
	}
	h.db = db
}

func (h *harness) close() {
	h.Helper()
	if h.db == nil {
		return
	}
	if err := h.db.Close(); err != nil {
		h.Fatalf("close: %v", err)
	}
	h.db = nil
}

func (h *harness) check() Report {
	h.Helper()
	r, err := h.db.Check(context.Background())
	if err != nil {
		h.Fatalf("check: %v", err)
	}
	return r
}

func (h *harness) append(s *model.WriteSet) {
	h.Helper()
	h.note("append to %v, %v: %d rows at %d..., %d cells of %q", s.Entity[:1], s.Scope, len(s.Rows), s.Rows[0].TS, len(s.Cells), s.Keys)
	p, err := h.db.Append(h.Context(), s)
	if err != nil {
		h.Fatalf("append: %v", err)
	}
	cells := h.twin.append(s)
	for len(h.changes) < int(p) {
		h.changes = append(h.changes, nil)
	}
	h.changes[p-1] = cells
}

// crash cuts the power: what was not synced may be lost.
func (h *harness) crash() {
	h.Helper()
	percent := h.rng.IntN(101)
	h.note("crash, %d %% of what is not synced survives", percent)
	after := h.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: h.rng})
	h.close() // the process that is gone, for the sake of its goroutines
	h.disk = after
	h.open()
	h.readerCrashed()
}

func (h *harness) compareLatest(s twinScope) {
	h.Helper()
	got, err := h.db.Latest(h.Context(), s.tenant, s.entity, s.scope, nil)
	if err != nil {
		h.Fatalf("latest: %v", err)
	}
	want := h.twin.latest(s)
	if diff := cmp.Diff(want, got.Points, compareValues); diff != "" {
		h.Fatalf("latest of %v (-twin +db):\n%s", s, diff)
	}
	names, err := h.db.Keys(h.Context(), s.tenant, s.entity, s.scope)
	if err != nil {
		h.Fatalf("keys: %v", err)
	}
	if !slices.EqualFunc(names, want, func(n string, p model.KeyPoint) bool { return n == p.Key }) {
		h.Fatalf("keys of %v: %q, want those of %v", s, names, want)
	}
}

func (h *harness) compareHistory(s twinScope, key string) {
	h.Helper()
	rng := h.script.rng
	from, to := h.script.span()
	q := &model.RangeQuery{
		Tenant: s.tenant, Entity: s.entity, Scope: s.scope, Keys: []string{key, "never", "key01"}, From: from, To: to,
		Limit: rng.IntN(3) * rng.IntN(100), Descending: rng.IntN(2) == 0,
	}
	if key == "key01" {
		q.Keys = q.Keys[:2]
	}
	got := map[string][]model.Point{}
	if _, err := h.db.Raw(h.Context(), q, func(key string, points []model.Point) error {
		got[key] = append(got[key], points...)
		return nil
	}); err != nil {
		h.Fatalf("raw: %v", err)
	}
	for _, k := range q.Keys {
		want := h.twin.raw(s, k, from, to, q.Limit, q.Descending)
		if !slices.Equal(want, got[k]) {
			diff := cmp.Diff(want, got[k], compareValues)
			h.Fatalf("raw %+v of %q (-twin +db):\n%s", q, k, diff)
		}
	}
	q.Every = model.Interval{Width: max(1, (to-from)/int64(1+rng.IntN(20)))}
	if rng.IntN(3) == 0 {
		q.Every = calendar(rng, from, to)
	}
	q.Aggregates = model.AllAggregates
	buckets := map[string][]string{}
	if _, err := h.db.Aggregate(h.Context(), q, func(key string, bs []model.Bucket) error {
		for i := range bs {
			buckets[key] = append(buckets[key], describe(&bs[i]))
		}
		return nil
	}); err != nil {
		h.Fatalf("aggregate: %v", err)
	}
	for _, k := range q.Keys {
		if want := h.twin.aggregate(s, k, q); !slices.Equal(want, buckets[k]) {
			diff := cmp.Diff(want, buckets[k], compareValues)
			h.Fatalf("aggregate %+v of %q (-twin +db):\n%s", q, k, diff)
		}
	}
	h.compareSubset(q)
}

// calendar draws a unit of the calendar that cuts [from, to) into not too many buckets, and a zone.
func calendar(rng *rand.Rand, from, to int64) model.Interval {
	unit := model.Hour + model.Unit(rng.IntN(int(model.Year-model.Hour)+1))
	if unit == model.Hour && (to-from)/3600_000 > 100_000 {
		unit = model.Day
	}
	name := calendarZones[rng.IntN(len(calendarZones))]
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return model.Interval{Unit: unit, Zone: zone}
}

// calendarZones are of both halves of the world, with days of 23 and 25 hours, of half an hour
// more, of a quarter beside the hour, and one that has left out a day.
var calendarZones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
}

// compareAll compares everything there is.
func (h *harness) compareAll() {
	h.Helper()
	for tenant := range 2 {
		for entity := range 3 {
			for _, scope := range scopes {
				s := twinScope{model.TenantID{byte(tenant + 1)}, model.EntityID{byte(entity + 1)}, scope}
				h.compareLatest(s)
				for i := range keyCount {
					key := fmt.Sprintf("key%02d", i)
					if h.twin.series[twinKey{s, key}] != nil {
						h.compareHistory(s, key)
					}
				}
			}
		}
	}
}

// compareLog compares what a follower sees with what was appended.
func (h *harness) compareLog() {
	h.Helper()
	var behind *BehindError
	from := model.Position(0)
	_, err := h.db.Follow(h.Context(), from, func(*model.Change) error { return nil })
	if errors.As(err, &behind) {
		from = model.Position(behind.First)
	}
	erased := map[model.Position][]string{}
	reached, err := h.db.Follow(h.Context(), from, func(c *model.Change) error {
		h.sameChange(c)
		if _, ok := h.erasures[c.Position]; ok {
			erased[c.Position] = append(erased[c.Position], lostKeys(c)...)
		}
		return nil
	})
	if err != nil || reached != h.db.Position() {
		h.Fatalf("follow from %d reached %d: %v", from, reached, err)
	}
	for p, want := range h.erasures {
		slices.Sort(erased[p])
		if p > from && !slices.Equal(erased[p], want) {
			h.Fatalf("the removal at position %d took the latest of %q, is followed as of %q", p, want, erased[p])
		}
	}
}

// lostKeys are the keys a change says are gone, each with its scope.
func lostKeys(c *model.Change) (lost []string) {
	for _, d := range c.Deleted {
		lost = append(lost, fmt.Sprint(c.Scope, " ", d.Key))
	}
	return lost
}
