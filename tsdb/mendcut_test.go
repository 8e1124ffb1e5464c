package tsdb

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// The power goes before every operation of the file system while damage is mended, by a running
// store or by a repair: the store opens, is whole, and has everything but what it tells.
func TestAPowerCutWhileMendingLosesNothingThatIsNotTold(t *testing.T) {
	var cuts int
	for name, tearIt := range map[string]func(*testing.T, *vfs.MemFS){
		"a block of row groups": func(t *testing.T, fs *vfs.MemFS) {
			tear(t, fs, keys.RowGroups, func(n, of int) bool { return n == of/2 })
		},
		"catalog and names": func(t *testing.T, fs *vfs.MemFS) { tear(t, fs, keys.Names, func(int, int) bool { return true }) },
		"the index":         func(t *testing.T, fs *vfs.MemFS) { tearFrame(t, fs, "the index") },
		"the properties":    func(t *testing.T, fs *vfs.MemFS) { tearFrame(t, fs, "properties") },
	} {
		for _, how := range []string{"running", "repaired"} {
			t.Run(name+", "+how, func(t *testing.T) {
				disk := vfs.NewCrashableMem()
				fillTorn(t, disk)
				tearIt(t, disk)
				c := &cutter{round: int64(len(name))}
				struck, every := 0, int64(23*twins.Thin(3))
				if how == "repaired" { // which does less
					every = int64(9 * twins.Thin(3))
				}
				if all() {
					every = 1
				}
				fs := c.wrap(disk, every, func(n int64) {
					struck++
					judgeMended(t, c.cut(disk, n), fmt.Sprintf("cut before operation %d", n))
				})
				if how == "repaired" {
					if _, err := Repair(t.Context(), "db", Options{FS: fs}); err != nil {
						t.Fatal(err)
					}
				} else {
					mendRunning(t, fs)
				}
				if struck == 0 {
					t.Error("no cut struck")
				}
				cuts += struck
			})
		}
	}
	t.Logf("%d power cuts struck while something was mended", cuts)
}

// mendRunning opens a store and has it mend what a compaction of all of it meets, with something
// new over everything.
func mendRunning(t *testing.T, fs vfs.FS) {
	t.Helper()
	db, err := Open("db", Options{FS: fs, CacheBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for device := range tornDevices {
		for tries := 0; ; tries++ {
			s := rows(1_700_000_000_500, 1000, 3, 7, "a", "c")
			s.Entity = model.EntityID{byte(device + 1)}
			_, err := db.Append(t.Context(), s)
			if err == nil {
				break
			}
			if tries == 20 {
				t.Fatal(err)
			}
			if err := db.flusher.mendTorn(err); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for tries := 0; ; tries++ {
		err := db.store.Compact(t.Context(), []byte{0}, []byte{255}, false)
		if err == nil {
			break
		}
		if tries == 20 {
			t.Fatal(err)
		}
		if err := db.flusher.mendTorn(err); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// judgeMended opens what a power cut left of a damaged store, and mends the rest.
func judgeMended(t *testing.T, fs *vfs.MemFS, when string) {
	t.Helper()
	mendRunning(t, fs)
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	lackingOf(t, db, when)
	if _, err := db.Check(t.Context()); err != nil {
		t.Errorf("%s: %v", when, err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}
