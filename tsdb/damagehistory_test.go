package tsdb

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
)

// damagesStruck counts those of all histories.
var damagesStruck atomic.Int64

// damage flips bits in tables of a copy of the store, before it is opened or while it runs: the
// twin knows the copy as well, and the history goes on as if nothing had been. What
// it answers then, after everything that is met was mended, and after a restart, is right, or
// says where it is not; or the store says that nothing can be made of it.
func (h *harness) damage() {
	h.Helper()
	o := h.options
	disk := h.disk.CrashClone(vfs.CrashCloneCfg{})
	o.FS, o.Events = disk, Events{}
	o.tuning.retry = 1 // whose clock stands
	d := damagedStore{harness: h}
	running := h.rng.IntN(2) == 0
	open := func() bool {
		var err error
		if d.db, err = Open("db", o); err != nil && !isDamage(err) && !errors.Is(err, ErrBeyondRepair) {
			h.Fatalf("open a damaged store: %v", err)
		}
		return err == nil
	}
	if running {
		if !open() {
			h.Fatalf("a store that is whole cannot be opened")
		}
		if err := errors.Join(d.db.Flush(h.Context()), d.db.store.Flush()); err != nil {
			h.Fatalf("flush: %v", err)
		}
	}
	if !h.flipSome(disk) {
		if running {
			d.close()
		}
		return
	}
	damagesStruck.Add(1)
	if !running && !open() {
		return
	}
	d.judge("at once")
	if d.mend() {
		d.judge("mended")
	}
	if d.close(); open() {
		d.judge("after a restart")
		d.close()
	}
}

// flipSome flips up to three bits of what the tables of a store are, if there are any.
func (h *harness) flipSome(disk *vfs.MemFS) bool {
	h.Helper()
	names, err := disk.List("db")
	if err != nil {
		h.Fatalf("list: %v", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".sst") && !strings.HasSuffix(n, ".frame") })
	slices.Sort(names)
	if len(names) == 0 {
		return false
	}
	for range 1 + h.rng.IntN(3) {
		name := path.Join("db", names[h.rng.IntN(len(names))])
		f, err := disk.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			h.Fatalf("open %s: %v", name, err)
		}
		info, err := f.Stat()
		if err != nil {
			h.Fatalf("stat %s: %v", name, err)
		}
		if info.Size() > 0 { // else a compaction has taken it away
			var b [1]byte
			at, bit := h.rng.Int64N(info.Size()), h.rng.IntN(8)
			_, err = f.ReadAt(b[:], at)
			b[0] ^= 1 << bit
			h.note("flip bit %d of byte %d of %s", bit, at, name)
			_, failed := f.WriteAt(b[:], at)
			err = errors.Join(err, failed)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			h.Fatalf("flip: %v", err)
		}
	}
	return true
}

// A damagedStore is a copy of a harness's store in which bits were flipped.
type damagedStore struct {
	*harness
	db *DB
}

func (d *damagedStore) close() {
	d.Helper()
	if err := d.db.Close(); err != nil && !isDamage(err) {
		d.Fatalf("close a damaged store: %v", err)
	}
}

// mend has the store meet everything and mend it; false when it cannot.
func (d *damagedStore) mend() bool {
	d.Helper()
	for range 20 {
		_, err := d.db.Check(d.Context())
		err = errors.Join(err, d.db.Flush(d.Context()), d.db.store.Compact(d.Context(), []byte{0}, []byte{255}, false))
		if err == nil {
			return true
		}
		if !isDamage(err) {
			d.Fatalf("a damaged store fails: %v", err)
		}
		if err = d.db.flusher.mendTorn(err); err != nil && !isDamage(err) {
			d.Fatalf("mend: %v", err)
		}
	}
	return false
}

// judge compares all answers with the twin's: what differs is told, with the answer or by Losses.
func (d *damagedStore) judge(when string) {
	d.Helper()
	series := slices.SortedFunc(maps.Keys(d.twin.series), func(a, b twinKey) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	for _, k := range series {
		q := &model.RangeQuery{Tenant: k.tenant, Entity: k.entity, Scope: k.scope, Keys: []string{k.key}, To: 1 << 50}
		got := map[int64]model.Value{}
		_, err := d.db.Raw(d.Context(), q, func(_ string, points []model.Point) error {
			for _, p := range points {
				got[p.TS] = p.Value
			}
			return nil
		})
		told := d.told(k, when, err)
		for _, p := range d.twin.raw(k.twinScope, k.key, 0, 1<<50, 0, false) {
			if v, ok := got[p.TS]; (!ok || v != p.Value) && !told(p.TS) {
				d.Fatalf("%s: %v at %d is %#v, want %#v, and nobody says so: %v, %v", when, k, p.TS, v, p.Value, err, d.db.Losses())
			}
			delete(got, p.TS)
		}
		for ts, v := range got {
			if !told(ts) {
				d.Fatalf("%s: %v at %d is %#v, which was deleted, and nobody says so: %v, %v", when, k, ts, v, err, d.db.Losses())
			}
		}
	}
	for _, k := range series {
		latest, err := d.db.Latest(d.Context(), k.tenant, k.entity, k.scope, []string{k.key})
		want := d.twin.series[k].latest
		if want.Value.Type() == model.TypeNull {
			want = model.Point{}
		}
		var point model.Point
		if len(latest.Points) > 0 {
			point = latest.Points[0].Point
		}
		if told := d.told(k, when, err); point != want && !told(point.TS) && !told(want.TS) {
			d.Fatalf("%s: the latest of %v is %#v, want %#v, and nobody says so: %v, %v", when, k, point, want, err, d.db.Losses())
		}
	}
}

// told returns what says of an instant of a series that it may be wrong: the error of an answer,
// which is nothing else, or a loss.
func (d *damagedStore) told(k twinKey, when string, err error) func(ts int64) bool {
	d.Helper()
	places, ok := errors.AsType[*model.DamageError](err)
	if err != nil && !isDamage(err) {
		d.Fatalf("%s: %v: %v", when, k, err)
	}
	lost := d.db.Losses()
	return func(ts int64) bool {
		return err != nil && !ok || ok && slices.ContainsFunc(places.Places, func(p model.Damage) bool {
			return p.Entity == k.entity && p.Scope == k.scope && p.From <= ts && ts < p.To && (p.Keys == nil || slices.Contains(p.Keys, k.key))
		}) || slices.ContainsFunc(lost, func(l model.Loss) bool {
			if l.Entity == (model.EntityID{}) { // of the log, or of whom nobody knows
				return !strings.HasPrefix(l.Cause, "rows of the store")
			}
			return l.Tenant == k.tenant && l.Entity == k.entity && l.Scope == k.scope && l.From <= ts && ts < l.To &&
				(len(l.Keys) == 0 || slices.Contains(l.Keys, k.key))
		})
	}
}

// Histories are damaged now and then.
func TestDamagedHistoriesAreRightOrSaySo(t *testing.T) {
	before := damagesStruck.Load()
	first, seeds := seedRange(1)
	for i, name := range slices.Sorted(maps.Keys(optionSets)) {
		if i%9 != 0 && !all() {
			continue
		}
		for seed := first; seed < first+seeds; seed++ {
			h := emptyHarness(t, optionSets[name])
			h.open()
			for step := range 80 {
				h.seed(seed, uint64(step))
				h.append(h.script.set())
				switch {
				case step%9 == 8:
					h.flush()
				case step%13 == 12:
					h.deleteSome()
				case step%20 == 19:
					h.damage()
				}
			}
			h.close()
		}
	}
	if struck := damagesStruck.Load() - before; struck == 0 {
		t.Error("no history was damaged")
	} else {
		t.Logf("%d damages struck", struck)
	}
}
