package tsdb

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// tearFrame flips a byte of something around the data of every table.
func tearFrame(t *testing.T, fs *vfs.MemFS, what string) {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	torn := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		name = path.Join("db", name)
		r, err := openTable(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Layout()
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		h := map[string]block.Handle{"index": l.Index[0], "range deletions": l.RangeDel, "properties": l.Properties, "meta": l.MetaIndex, "footer": l.Footer}[what]
		if h.Length > 0 {
			flip(t, fs, name, int64(h.Offset+h.Length/2))
			torn++
		}
	}
	if torn == 0 {
		t.Fatalf("no table has a %s", what)
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
		"the index":                        {frame("index"), 0},
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
			fs := tornStore(t)
			var failed error
			o := Options{FS: fs, memTable: 64 << 10, CacheBytes: 1, LogBytes: 1, LogAge: -1, Events: Events{Failed: func(err error) { failed = err }}}
			o.tuning.retry = 1
			db, err := Open("db", o)
			if err != nil {
				t.Fatal(err)
			}
			c.tear(t, fs)
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
				if lacking := lackingOf(t, db, when); lacking > c.most {
					t.Errorf("%s: %d devices lack something, %d may: %v", when, lacking, c.most, db.Losses())
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
		})
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
