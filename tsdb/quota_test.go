package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// named makes a set of one row with n keys called prefix0 and so on.
func named(prefix string, n int) *model.WriteSet {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	return rows(1000, 1, 1, 7, names...)
}

// refused appends what has to fail, and says how.
func refused(t *testing.T, db *DB, s *model.WriteSet, kind model.Kind, texts ...string) {
	t.Helper()
	_, err := db.Append(t.Context(), s)
	if err == nil || model.KindOf(err) != kind {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(model.MessageOf(err, ""), text) {
			t.Errorf("%q does not tell %q", model.MessageOf(err, ""), text)
		}
	}
}

func TestEachLimitHoldsAtItsValue(t *testing.T) {
	db := openTest(t, Options{Limits: Limits{Keys: 4, Points: 6, KeyBytes: 5, SetBytes: 600, TextBytes: 8, DeviceSeries: 10, TenantSeries: 12}})
	mustAppend(t, db, named("k", 4))
	refused(t, db, named("k", 5), model.TooLarge, "5 keys", "limit of 4")
	mustAppend(t, db, rows(1000, 1, 6, 1, "k0"))
	refused(t, db, rows(1000, 1, 7, 1, "k0"), model.TooLarge, "7 points", "limit of 6")
	mustAppend(t, db, named("four", 1))
	refused(t, db, named("fives", 1), model.Invalid, "6 bytes", "limit of 5")
	mustAppend(t, db, named("x", 4)) // 9
	refused(t, db, named("y", 2), model.Quota, "2 more keys", "9 that there are", "limit of 10", "device")
	mustAppend(t, db, named("y", 1))
	refused(t, db, named("z", 1), model.Quota, "limit of 10")
	mustAppend(t, db, named("k", 4)) // known keys go on
	other := named("k", 2)
	other.Scope = model.Server // another scope counts by itself
	mustAppend(t, db, other)
	other = named("z", 1)
	other.Entity = model.EntityID{9}
	refused(t, db, other, model.Quota, "1 more keys", "12 that there are", "limit of 12", "tenant")
	other.Tenant = model.TenantID{9}
	mustAppend(t, db, other)
	if n := db.Stats().Series; n != 13 {
		t.Errorf("%d series", n)
	}
	names, err := db.Keys(t.Context(), aTenant, aDevice, model.Timeseries)
	if err != nil || len(names) != 10 {
		t.Errorf("%q, %v: what was refused left keys", names, err)
	}
}

// What is too long is refused before it takes its room, and defines nothing.
func TestASetThatGrowsBeyondItsLimitIsRefusedFirst(t *testing.T) {
	db := openTest(t, Options{Limits: Limits{SetBytes: 1 << 20, Points: 200_000}})
	s := &model.WriteSet{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: named("k", 32).Keys}
	for i := range 100_000 { // a cell a row costs 32 places
		s.Rows = append(s.Rows, model.Row{TS: int64(i), Cells: 1})
		s.Cells = append(s.Cells, model.Cell{Key: i % 32, Value: model.Int(1)})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	refused(t, db, s, model.TooLarge, "limit of 1048576")
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("%d bytes were taken to refuse a set of 25 MiB", grown)
	}
	if names, err := db.Keys(t.Context(), aTenant, aDevice, model.Timeseries); err != nil || len(names) > 0 || db.Stats().Series > 0 {
		t.Errorf("%q are defined, %v", names, err)
	}
}

// One device that sends a million keys costs that device an error, not the process its
// memory, nor anybody else the time.
func TestAMillionKeysCostAnError(t *testing.T) {
	million := 1_000_000 / twins.Thin(5)
	db := openTest(t, Options{HeadBytes: 8 << 20})
	refused(t, db, named("k", million), model.TooLarge, fmt.Sprint(million, " keys"))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	taken, refusals := 0, 0
	s := rows(1000, 1, 1, 1, "k")
	for i := 0; i < million; i += 100 {
		s.Keys, s.Cells = s.Keys[:0], s.Cells[:0]
		for k := range 100 {
			s.Keys = append(s.Keys, fmt.Sprint("key", i+k))
			s.Cells = append(s.Cells, model.Cell{Key: k, Value: model.Int(1)})
		}
		s.Rows[0] = model.Row{TS: int64(i), Cells: 100}
		_, err := db.Append(t.Context(), s)
		switch {
		case err == nil:
			taken++
		case model.KindOf(err) == model.Quota:
			refusals++
		default:
			t.Fatal(err)
		}
	}
	for i := range 50 { // one key at a time is refused, too
		refused(t, db, named(fmt.Sprint("one", i), 1), model.Quota)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if taken != 100 || refusals != million/100-100 {
		t.Errorf("%d sets taken, %d refused", taken, refusals)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("%d bytes are held", grown)
	}
	other := rows(1, 1, 1, 1, "a")
	other.Entity = model.EntityID{77}
	mustAppend(t, db, other)
}

// Ten thousand keys, each in a group of its own, are as quick to take as to refuse.
func TestManyGroupsOfOneDeviceCostWhatTheyHold(t *testing.T) {
	db := openTest(t, Options{Limits: Limits{Keys: 3000, DeviceSeries: 3000}})
	for i := range 3000 {
		mustAppend(t, db, named(fmt.Sprint("key", i, "_"), 1))
	}
	refused(t, db, named("more", 1), model.Quota)
	flush(t, db)
	if db.series.of(aTenant) != 3000 {
		t.Errorf("%d series", db.series.of(aTenant))
	}
}

// Counts are there after a crash and a stop, without a look at the catalog, and what is
// erased is given back.
func TestCountsOfSeriesSurvive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	disk := vfs.NewCrashableMem()
	limits := Limits{TenantSeries: 1 << 40}
	db := openTest(t, Options{FS: disk, Limits: limits})
	want := map[model.TenantID]int64{}
	devices := map[model.EntityID]int64{}
	for i := range 200 {
		device := model.EntityID{byte(1 + rng.IntN(20))}
		tenant := model.TenantID{byte(1 + int(device[0])%3)}
		switch {
		case rng.IntN(6) == 0:
			if _, err := db.DeleteEntity(t.Context(), tenant, device); err != nil {
				t.Fatal(err)
			}
			want[tenant] -= devices[device]
			devices[device] = 0
		case rng.IntN(20) == 0:
			if err := db.DeleteTenant(t.Context(), tenant); err != nil {
				t.Fatal(err)
			}
			want[tenant] = 0
			for d := range devices {
				if byte(1+int(d[0])%3) == tenant[0] {
					devices[d] = 0
				}
			}
		case rng.IntN(10) == 0:
			flush(t, db)
		default:
			s := named(fmt.Sprint("k", i, "_"), 1+rng.IntN(70))
			s.Tenant, s.Entity = tenant, device
			mustAppend(t, db, s)
			want[tenant] += int64(len(s.Keys))
			devices[device] += int64(len(s.Keys))
		}
		if i%20 == 19 {
			if i%40 == 19 {
				disk = disk.CrashClone(vfs.CrashCloneCfg{})
			} else if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openTest(t, Options{FS: disk, Limits: limits})
		}
		for tenant, n := range want {
			if got := db.series.of(tenant); got != n {
				t.Fatalf("step %d: tenant %d has %d series, counted %d", i, tenant[0], n, got)
			}
		}
	}
	mustCheck(t, db)
}

// At 85 % somebody is told, once, and again only after it was below 75 %.
func TestWhatIsNearALimitIsTold(t *testing.T) {
	c := clockAt(1_700_000_000_000)
	var told []string
	db := openTest(t, Options{
		Now:    c.now,
		Limits: Limits{Keys: 40, Points: 100, KeyBytes: 100, SetBytes: 10_000, DeviceSeries: 50, TenantSeries: 200},
		Events: Events{Near: func(i LimitInfo) { told = append(told, i.String()) }},
	})
	f := func(want string, s *model.WriteSet) {
		t.Helper()
		told = nil
		if s != nil {
			mustAppend(t, db, s)
		}
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	device := func(n byte, s *model.WriteSet) *model.WriteSet { s.Entity[0] = n; return s }
	f("", named("k", 33))
	f("set_keys 34 of 40", named("k", 34))
	f("", named("k", 34)) // within the hour
	f("device_series 43 of 50", named("l", 9))
	f("", named("m", 7))
	f("set_points 85 of 100", rows(1, 1, 85, 1, "k0"))
	f("key_bytes 85 of 100", device(7, named(strings.Repeat("x", 84), 1)))
	c.ms.Add(3600_000)
	f("set_keys 34 of 40", named("k", 34))
	f("", device(3, named("k", 33)))
	f("", device(4, named("k", 33)))
	f("", device(5, named("k", 33)))
	f("tenant_series 170 of 200", device(6, named("k", 20)))
	f("", device(6, named("l", 1)))
	if _, err := db.DeleteEntity(t.Context(), aTenant, model.EntityID{3}); err != nil {
		t.Fatal(err)
	}
	f("tenant_series 170 of 200", device(3, named("k", 33)))
	refused(t, db, device(8, named("k", 33)), model.Quota, "limit of 200")
	s := device(9, named("k", 2))
	s.Tenant = model.TenantID{9} // has room of its own
	f("", s)
	if n := db.Stats().Near[LimitTenantSeries]; n != 2 {
		t.Errorf("told of the tenant %d times", n)
	}
}

// Who gave up waiting is told which limit it waited for.
func TestTheLimitOfMemoryIsNamed(t *testing.T) {
	db := openTest(t, Options{HeadBytes: 256 << 10, PendingBytes: 16 << 20})
	ended, end := context.WithCancel(t.Context())
	end()
	db.flusher.run.Lock() // the flush is behind
	var err error
	for i := int64(0); err == nil && i < 100; i++ {
		_, err = db.Append(ended, rows(1000*i, 1, 300, i, "a"))
	}
	db.flusher.run.Unlock()
	if model.KindOf(err) != model.Overload || !strings.Contains(err.Error(), "limit of 262144 bytes") || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	flush(t, db)
	if err := db.gate.enter(t.Context(), 16_777_000); err != nil {
		t.Fatal(err)
	}
	_, err = db.Append(ended, rows(1_000_000, 1, 1000, 1, "a"))
	db.gate.leave(16_777_000)
	if model.KindOf(err) != model.Overload || !strings.Contains(err.Error(), "for 16777000 that wait to be written exceed the limit of 16777216") {
		t.Errorf("got %v", err)
	}
}

func TestAFullHeadAndASlowConsumerAreTold(t *testing.T) {
	var told []LimitInfo
	db := openTest(t, Options{
		HeadBytes: 256 << 10,
		Events:    Events{Near: func(i LimitInfo) { told = append(told, i) }},
	})
	db.flusher.run.Lock() // the flush is behind
	for i := range int64(100) {
		if len(told) > 0 {
			break
		}
		mustAppend(t, db, rows(1000*i, 1, 300, i, "a"))
	}
	db.flusher.run.Unlock()
	if len(told) != 1 || told[0].Limit != LimitHeadBytes || told[0].Value < 217<<10 || told[0].Max != 256<<10 {
		t.Fatalf("told %v", told)
	}
	flush(t, db)
	told = nil
	db = openTest(t, Options{
		LogBytes: 1, LogAge: -1, LogMax: 400_000,
		Events: Events{Near: func(i LimitInfo) { told = append(told, i) }},
	})
	c := consumer(t, db, "slow")
	for i := range int64(200) {
		if len(told) > 0 {
			break
		}
		mustAppend(t, db, rows(1000*i, 1, 300, i, "a"))
	}
	if len(told) != 1 || told[0].Limit != LimitLogBytes || told[0].Value < 340_000 || told[0].Value > 400_000 {
		t.Fatalf("told %v", told)
	}
	follow(t, c)
}

// Who watches is told when writers are about to wait for the disk, and again when that was over.
func TestAWarningComesBeforeWritersWait(t *testing.T) {
	var told []int64
	g := newGate(1000, 1)
	g.near = func(pending int64) { told = append(told, pending) }
	for _, n := range []int64{800, 60, 40, -150, 50, -100, 200} {
		if n < 0 {
			g.leave(-n)
		} else if err := g.enter(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(told, []int64{860, 900}) {
		t.Errorf("told at %v", told)
	}
}
