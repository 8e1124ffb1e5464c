package tsdb

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A failingMend is one mending during which call number n fails once, with EIO.
type failingMend struct {
	*testing.T
	disk  *vfs.MemFS // torn, and mended
	n     int64
	calls atomic.Int64
	armed atomic.Bool
}

func (m *failingMend) fs() vfs.FS {
	return errorfs.Wrap(m.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		// A close that fails has closed, and a lock is not of the disk.
		if m.armed.Load() && op.Kind != errorfs.OpFileClose && op.Kind != errorfs.OpFileStat && m.calls.Add(1) == m.n {
			return syscall.EIO
		}
		return nil
	}))
}

// lacking counts the points of key b that are missing. All of them must be told: in losses or,
// if torn says that nothing was mended yet, by the query.
func (m *failingMend) lacking(db *DB, torn bool) (missing int) {
	m.Helper()
	for i := range tornDevices {
		want := tornSet(i)
		q := &model.RangeQuery{Tenant: want.Tenant, Entity: want.Entity, Scope: model.Timeseries, Keys: []string{"b"}, From: 0, To: 1 << 50}
		got := map[int64]bool{}
		_, err := db.Raw(m.Context(), q, func(_ string, points []model.Point) error {
			for _, p := range points {
				got[p.TS] = true
			}
			return nil
		})
		if err != nil && (!torn || !errors.Is(err, ErrCorrupt)) {
			m.Fatalf("call %d fails: device %d: %v", m.n, i, err)
		}
		losses := db.Losses() // that the query has met damage may have had it mended
		for _, row := range want.Rows {
			if got[row.TS] {
				continue
			}
			missing++
			if err == nil && !told(losses, want.Tenant, want.Entity, "b", row.TS) {
				m.Fatalf("call %d fails: device %d at %d is missing and not told: %v", m.n, i, row.TS, losses)
			}
		}
	}
	return missing
}

// running mends what a compaction would meet, in a store that is open.
func (m *failingMend) running(tearIt func()) (missing int) {
	o := Options{FS: m.fs(), CacheBytes: 1, manual: true, MinFree: -1, Events: Events{Fatal: func(error) {}}}
	o.tuning.retry = 1
	db, err := Open("db", o)
	if err != nil {
		m.Fatal(err)
	}
	tearIt()
	met := meet(db)
	if pebble.ExtractDataCorruptionInfo(met) == nil {
		m.Fatalf("no damage was met: %v", met)
	}
	m.armed.Store(true)
	err = db.flusher.mendTorn(met)
	m.armed.Store(false)
	if m.n > 0 && m.calls.Load() >= m.n && db.failure() == nil {
		if err := db.flusher.work(m.Context()); err != nil { // what the flusher does next
			m.Errorf("call %d failed once, and what follows for ever: %v", m.n, err)
		}
		m.lacking(db, true)
		if err = db.flusher.mendTorn(met); err != nil {
			m.Errorf("call %d failed once, and mending fails for ever: %v", m.n, err)
		}
	} else if err != nil && db.failure() == nil {
		m.Fatal(err)
	}
	if db.failure() != nil { // the log of the store could not be written: the process ends
		_ = db.Close()
		if db, err = Open("db", o); err != nil {
			m.Fatalf("call %d failed once: %v", m.n, err)
		}
		if met := meet(db); met != nil {
			if err := db.flusher.mendTorn(met); err != nil {
				m.Fatalf("call %d failed once, and mending fails for ever: %v", m.n, err)
			}
		}
	}
	missing = m.lacking(db, false)
	if err := db.Close(); err != nil {
		m.Errorf("call %d failed once: close: %v", m.n, err)
	}
	return missing
}

// meet reads every table and returns the damage it met, like a compaction.
func meet(db *DB) (err error) {
	iter, err := db.store.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := iter.First(); ok; {
		ok = iter.Next()
	}
	return errors.Join(iter.Error(), iter.Close())
}

// repaired mends a store that nobody has open.
func (m *failingMend) repaired(tearIt func()) (missing int) {
	tearIt()
	o := Options{FS: m.fs(), MinFree: -1, Events: Events{Fatal: func(error) {}}}
	o.tuning.uncounted = true
	m.armed.Store(true)
	_, err := Repair(m.Context(), "db", o)
	m.armed.Store(false)
	if m.n == 0 && err != nil {
		m.Fatal(err)
	}
	if errors.Is(err, ErrBeyondRepair) {
		m.Errorf("call %d failed once: %v", m.n, err)
	}
	if _, err := Repair(m.Context(), "db", o); err != nil {
		m.Fatalf("call %d failed once, and a repair fails for ever: %v", m.n, err)
	}
	db, err := Open("db", o)
	if err != nil {
		m.Fatalf("call %d failed once: %v", m.n, err)
	}
	missing = m.lacking(db, false)
	if err := db.Close(); err != nil {
		m.Errorf("call %d failed once: close: %v", m.n, err)
	}
	return missing
}

// A call of the file system fails while damage is mended, which says nothing of what is on the
// disk: not one point more is lost than without it, what is lost is told, and the mending is
// done afterwards.
func TestAFailedCallWhileMendingTakesNothingAway(t *testing.T) {
	sound := vfs.NewCrashableMem()
	fillTorn(t, sound)
	struck, there := 0, int64(0)
	for name, tearIt := range map[string]func(*testing.T, *vfs.MemFS){
		"a block of row groups": func(t *testing.T, fs *vfs.MemFS) {
			tear(t, fs, keys.RowGroups, func(n, of int) bool { return n == of/2 })
		},
		"catalog and names": func(t *testing.T, fs *vfs.MemFS) { tear(t, fs, keys.Names, func(int, int) bool { return true }) },
		"the index":         func(t *testing.T, fs *vfs.MemFS) { tearFrame(t, fs, "the index") },
	} {
		for how, mend := range map[string]func(*failingMend, func()) int{
			"running": (*failingMend).running, "repaired": (*failingMend).repaired,
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				run := func(n int64) (missing int, calls int64) {
					m := &failingMend{T: t, disk: sound.CrashClone(vfs.CrashCloneCfg{}), n: n}
					missing = mend(m, func() { tearIt(t, m.disk) })
					_, err := CheckDir(t.Context(), "db", Options{FS: m.disk}, nil)
					if err != nil {
						t.Errorf("call %d failed once: %v", n, err)
					}
					return missing, m.calls.Load()
				}
				most, calls := run(0)
				there += calls
				step := calls*int64(twins.Thin(4))/8 + 1
				if all() {
					step = 1
				}
				for n := 1 + int64(len(name))%step; n <= calls; n += step {
					if missing, now := run(n); missing > most {
						t.Errorf("call %d of %d failed once: %d points are missing, %d without it", n, calls, missing, most)
					} else if now >= n {
						struck++
					}
				}
			})
		}
	}
	if struck == 0 {
		t.Error("no call failed")
	}
	t.Logf("failing calls struck %d mendings, of %d calls there are", struck, there)
}

// Likewise while rows are repaired: what a step has removed is told, although a later one failed.
func TestAFailedCallWhileRowsAreRepairedForgetsNoLoss(t *testing.T) {
	torn := vfs.NewCrashableMem()
	fillMixed(t, torn)
	for _, space := range []byte{keys.Log, keys.Revisions, keys.RowGroups} {
		editRow(t, torn, space, 0, func(b []byte) []byte { return b[:len(b)/2] })
	}
	repair := func(n int64) (calls int64) {
		m := &failingMend{T: t, disk: torn.CrashClone(vfs.CrashCloneCfg{}), n: n}
		o := Options{FS: m.fs(), MinFree: -1, Events: Events{Fatal: func(error) {}}}
		o.tuning.uncounted = true
		m.armed.Store(true)
		_, err := Repair(t.Context(), "db", o)
		m.armed.Store(false)
		if err != nil {
			if _, err = Repair(t.Context(), "db", o); err != nil {
				t.Fatalf("call %d failed once, and a repair fails for ever: %v", n, err)
			}
		}
		r, err := CheckDir(t.Context(), "db", Options{FS: m.disk}, nil)
		if err != nil {
			t.Errorf("call %d failed once: %v", n, err)
		}
		for _, what := range []string{"commit group of the log", "a revision", "row group from"} {
			if told := fmt.Sprint(r.Losses); !strings.Contains(told, what) {
				t.Errorf("call %d failed once: %s is not told: %s", n, what, told)
			}
		}
		return m.calls.Load()
	}
	calls := repair(0)
	step := calls*int64(twins.Thin(3))/15 + 1
	if all() {
		step = 1
	}
	struck := 0
	for n := int64(1); n <= calls; n += step {
		if repair(n) >= n {
			struck++
		}
	}
	if struck == 0 {
		t.Error("no call failed")
	}
	t.Logf("failing calls struck %d repairs of rows, of %d calls there are", struck, calls)
}
