package tsdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// tearFrame flips a byte of something around the data of every table.
func tearFrame(t *testing.T, fs *vfs.MemFS, what string) { tearParts(t, fs, []string{what}) }

// tableParts are the kinds of parts a table has.
var tableParts = []string{"a block", "blocks", "the index", "range deletions", "properties", "meta", "footer"}

// tearParts flips a byte of each of some parts of every table that has them.
func tearParts(t *testing.T, fs *vfs.MemFS, parts []string) {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	torn := map[string]bool{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		name = path.Join("db", name)
		f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		r, err := openTable(fs, name)
		if err != nil { // a compaction is writing it, or has taken it away
			continue
		}
		l, err := r.Layout()
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			var handles []block.Handle
			switch n := len(l.Data); part {
			case "a block":
				handles = []block.Handle{l.Data[n/2].Handle}
			case "blocks": // two that touch, and the last one
				handles = []block.Handle{l.Data[n/3].Handle, l.Data[min(n/3+1, n-1)].Handle, l.Data[n-1].Handle}
				handles = slices.CompactFunc(handles, func(a, b block.Handle) bool { return a == b })
			case "the index":
				handles = l.Index
			case "range deletions":
				handles = []block.Handle{l.RangeDel}
			case "properties":
				handles = []block.Handle{l.Properties}
			case "meta":
				handles = []block.Handle{l.MetaIndex}
			case "footer":
				handles = []block.Handle{l.Footer}
			}
			for i, h := range handles {
				if h.Length > 0 {
					flipIn(t, f, int64(h.Offset+h.Length/2)+int64(i))
					torn[part] = true
				}
			}
		}
	}
	for _, part := range parts {
		if !torn[part] {
			t.Fatalf("no table has a part %s", part)
		}
	}
}

// Something of every table is torn under a running store: whatever keyspace is in it, flushes,
// compactions and writes of every device go on, what is lost is told, and the store is whole
// afterwards, also for the next start.
func TestARunningStoreMendsWhateverIsTorn(t *testing.T) {
	block := func(space byte, choose func(n, of int) bool) func(*testing.T, *vfs.MemFS) {
		return func(t *testing.T, fs *vfs.MemFS) {
			if tear(t, fs, space, choose) == 0 {
				t.Fatal("no block was struck")
			}
		}
	}
	frame := func(what string) func(*testing.T, *vfs.MemFS) {
		return func(t *testing.T, fs *vfs.MemFS) { tearFrame(t, fs, what) }
	}
	last := func(n, of int) bool { return n == of-1 }
	every := func(int, int) bool { return true }
	for name, c := range map[string]struct {
		tear func(*testing.T, *vfs.MemFS)
		most int // devices that may lack something
	}{
		"the index":                        {frame("the index"), 0},
		"the footer":                       {frame("footer"), 0},
		"the list of meta blocks":          {frame("meta"), 0},
		"the properties":                   {frame("properties"), 0},
		"a block of row groups":            {block(keys.RowGroups, func(n, of int) bool { return n == of/2 }), 3},
		"row groups and catalog":           {block(keys.RowGroups, last), tornDevices},
		"the catalog":                      {block(keys.Catalog, every), tornDevices},
		"names":                            {block(keys.Names, every), tornDevices},
		"a block of the log":               {block(keys.Log, func(n, of int) bool { return n == of/2 }), 0},
		"meta rows":                        {block(keys.Meta, every), 3},
		"states":                           {block(keys.States, every), 3},
		"index and footer and a block":     {func(t *testing.T, fs *vfs.MemFS) { block(keys.Pages, last)(t, fs); frame("footer")(t, fs) }, tornDevices},
		"every second block of row groups": {block(keys.RowGroups, func(n, _ int) bool { return n%2 == 0 }), tornDevices},
	} {
		t.Run(name, func(t *testing.T) {
			goOn(t, tornStore(t), 1, nil, c.tear, c.most)
		})
	}
}

// Any two parts of every table are torn at once, and all of them, while Pebble has the tables
// open, with some of what it read in its cache or nothing.
func TestARunningStoreMendsPartsTornTogether(t *testing.T) {
	sound := vfs.NewCrashableMem()
	fillTorn(t, sound)
	together := [][]string{tableParts}
	for i, a := range tableParts {
		for _, b := range tableParts[i+1:] {
			together = append(together, []string{a, b})
		}
	}
	for i, parts := range together {
		if i%twins.Thin(4) != 0 {
			continue
		}
		t.Run(strings.Join(parts, " and "), func(t *testing.T) {
			caches := []int64{1, 64 << 20}
			if !all() {
				caches = caches[i%2 : i%2+1]
			}
			for _, cache := range caches {
				fs := sound.CrashClone(vfs.CrashCloneCfg{})
				goOn(t, fs, cache, deleteSome, func(t *testing.T, fs *vfs.MemFS) { tearParts(t, fs, parts) }, tornDevices)
			}
		})
	}
}

// Range deletions that are torn come back from the copy beside their table, in a running store
// and in one that starts: nothing that was deleted is there again, and nothing is lost.
func TestTornRangeDeletionsComeBack(t *testing.T) {
	sound := vfs.NewCrashableMem()
	fillTorn(t, sound)
	for _, running := range []bool{true, false} {
		for _, parts := range [][]string{{"range deletions"}, {"range deletions", "properties"}, {"range deletions", "the index", "meta", "footer"}} {
			t.Run(fmt.Sprintf("%v %s", running, strings.Join(parts, " and ")), func(t *testing.T) {
				fs := sound.CrashClone(vfs.CrashCloneCfg{})
				o := Options{FS: fs, LogBytes: 1, LogAge: -1, CacheBytes: 1}
				db, err := Open("db", o)
				if err != nil {
					t.Fatal(err)
				}
				after := deleteSome(t, db)
				was := db
				if running {
					tearParts(t, fs, parts)
				} else { // as the power leaves it
					fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
					tearParts(t, fs, parts)
					o.FS = fs
				}
				if err := after(); err != nil {
					t.Fatal(err)
				}
				if !running {
					if err := was.Close(); err != nil {
						t.Fatal(err)
					}
					if db, err = Open("db", o); err != nil {
						t.Fatal(err)
					}
				}
				for tries := 0; ; tries++ {
					_, err := db.Check(t.Context())
					if err = errors.Join(err, db.store.Compact(t.Context(), []byte{0}, []byte{255}, false)); err == nil {
						break
					}
					if tries == 20 {
						t.Fatal(err)
					}
					if err := db.flusher.mendTorn(err); err != nil {
						t.Fatal(err)
					}
				}
				if lost := db.Losses(); len(lost) > 0 {
					t.Errorf("lost: %v", lost)
				}
				q := &model.RangeQuery{Tenant: aTenant, Entity: model.EntityID{5}, Scope: model.Timeseries, Keys: []string{"a"}, To: 1 << 50}
				n := 0
				if _, err := db.Raw(t.Context(), q, func(_ string, p []model.Point) error { n += len(p); return nil }); err != nil || n != 100 {
					t.Errorf("%d points are left of 100, %v", n, err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// deleteSome deletes of a key nobody looks at. Until after is called there is a table that
// deletes ranges.
func deleteSome(t *testing.T, db *DB) (after func() error) {
	t.Helper()
	snapshot := db.store.NewSnapshot()
	for device := range tornDevices {
		if _, err := db.Delete(t.Context(), model.DeleteRange{
			Tenant: aTenant, Entity: model.EntityID{byte(device + 1)}, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1_700_000_700_000,
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Flush(t.Context()), db.store.Flush()); err != nil {
		t.Fatal(err)
	}
	for m := db.store.Metrics(); m.Compact.NumInProgress+m.Flush.NumInProgress > 0; m = db.store.Metrics() {
		runtime.Gosched()
	}
	return snapshot.Close
}

// goOn does something before, tears something under a running store, writes to every device and compacts everything:
// that goes on, and the store is whole afterwards, also for the next start. At most so many
// devices lack something.
func goOn(t *testing.T, fs *vfs.MemFS, cache int64, before func(*testing.T, *DB) (after func() error), tear func(*testing.T, *vfs.MemFS), most int) {
	t.Helper()
	var failed error
	o := Options{FS: fs, memTable: 64 << 10, CacheBytes: cache, LogBytes: 1, LogAge: -1, Events: Events{Failed: func(err error) { failed = err }}}
	o.tuning.retry = 1
	db, err := Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	after := func() error { return nil }
	if before != nil {
		after = before(t, db)
	}
	if cache > 1 {
		lackingOf(t, db, "before") // and read it into the cache
	}
	tear(t, fs)
	if err := after(); err != nil {
		t.Fatal(err)
	}
	// Every device writes, late and in order, until everything has been met.
	for round := range int64(3) {
		for device := range tornDevices {
			s := rows(1_700_000_000_500+round*3_000, 1000, 3, round, "a", "c")
			s.Entity = model.EntityID{byte(device + 1)}
			for tries := 0; ; tries++ {
				_, err := db.Append(t.Context(), s)
				if err == nil {
					break
				}
				if tries == 20 || model.KindOf(err) != model.Damaged {
					t.Fatalf("round %d, device %d: %v; %v", round, device, err, failed)
				}
				if err := db.flusher.mendTorn(err); err != nil { // as the flusher is asked to
					t.Fatalf("mend: %v", err)
				}
			}
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatalf("flush %d: %v", round, err)
		}
	}
	for tries := 0; ; tries++ { // the whole store, which mends what compactions meet
		err := db.store.Compact(t.Context(), []byte{0}, []byte{255}, false)
		if err == nil {
			break
		}
		if tries == 20 {
			t.Fatalf("the store cannot be compacted: %v", err)
		}
		if err := db.flusher.mendTorn(err); err != nil {
			t.Fatalf("mend: %v", err)
		}
	}
	judge := func(when string) {
		t.Helper()
		mustCheck(t, db)
		if lacking := lackingOf(t, db, when); lacking > most {
			t.Errorf("%s: %d devices lack something, %d may: %v", when, lacking, most, db.Losses())
		}
	}
	judge("afterwards")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("db", o); err != nil {
		t.Fatal(err)
	}
	judge("after a restart")
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := CheckDir(t.Context(), "db", Options{FS: fs}, nil); err != nil {
		t.Error(err)
	}
}

// lackingOf counts the devices of a torn store that lack something of key b. All that is
// missing must be told in losses, and nothing may be wrong.
func lackingOf(t *testing.T, db *DB, when string) (lacking int) {
	t.Helper()
	losses := db.Losses()
	for i := range tornDevices {
		want := tornSet(i)
		got := map[int64]model.Value{}
		q := &model.RangeQuery{Tenant: want.Tenant, Entity: want.Entity, Scope: model.Timeseries, Keys: []string{"b"}, From: 0, To: 1 << 50}
		if _, err := db.Raw(t.Context(), q, func(_ string, points []model.Point) error {
			for _, p := range points {
				got[p.TS] = p.Value
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: device %d: %v", when, i, err)
		}
		missing := 0
		for r, row := range want.Rows {
			if v, ok := got[row.TS]; ok && v != want.Cells[2*r+1].Value {
				t.Fatalf("%s: device %d at %d: %#v", when, i, row.TS, v)
			} else if !ok {
				missing++
				if !told(losses, want.Tenant, want.Entity, "b", row.TS) {
					t.Fatalf("%s: device %d at %d is missing and not told: %v", when, i, row.TS, losses)
				}
			}
		}
		if missing > 0 {
			lacking++
		}
		if latest, err := db.Latest(t.Context(), want.Tenant, want.Entity, model.Timeseries, []string{"a"}); err != nil || len(latest.Points) != 1 {
			t.Errorf("%s: device %d: latest %v, %v", when, i, latest, err)
		}
	}
	return lacking
}

// told reports whether losses say that a point may be missing.
func told(losses []model.Loss, tenant model.TenantID, entity model.EntityID, key string, ts int64) bool {
	for _, l := range losses {
		if l.Entity == (model.EntityID{}) && strings.Contains(l.Cause, "everything of group") {
			return true
		}
		if l.Tenant == tenant && l.Entity == entity && l.From <= ts && ts < l.To && strings.Contains(fmt.Sprint(l.Keys), key) {
			return true
		}
	}
	return false
}
