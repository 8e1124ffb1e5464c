package tsdb

import (
	"errors"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// What keeps a check from looking is not damage: every call of the file system fails in turn.
func TestACheckTakesAFailedCallForNoDamage(t *testing.T) {
	disk := vfs.NewCrashableMem()
	fillMixed(t, disk)
	check := func(n int64) (calls int64) {
		fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpFileStat {
				return nil
			}
			if calls++; calls == n {
				return syscall.EIO
			}
			return nil
		}))
		o := Options{FS: fs}
		o.tuning.uncounted = true
		_, err := CheckDir(t.Context(), "db", o, nil)
		if (err != nil) != errors.Is(err, syscall.EIO) || errors.Is(err, ErrCorrupt) {
			t.Errorf("call %d failed: %v", n, err)
		}
		return calls
	}
	calls := check(0)
	step := int64(twins.Thin(5))
	struck := 0
	for n := int64(1); n <= calls; n += step {
		check(n)
		struck++
	}
	t.Logf("failing calls struck %d checks", struck)
	if struck == 0 {
		t.Error("no call failed")
	}
}

// A file of a store that is gone is damage, a directory without a store is none. Neither is
// taken for a new store.
func TestACheckOfAStoreThatLacksAFile(t *testing.T) {
	for _, c := range []struct {
		gone    string // begins or ends the names; all do with ""
		damaged bool
	}{
		{"", false},
		{"MANIFEST-", true},
		{"marker.manifest.", true},
		{".sst", true},
	} {
		disk := vfs.NewMem()
		fillTorn(t, disk)
		names, err := disk.List("db")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, c.gone) || strings.HasSuffix(name, c.gone) {
				if err := disk.Remove(path.Join("db", name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		o := Options{FS: disk}
		o.tuning.uncounted = true
		_, err = CheckDir(t.Context(), "db", o, nil)
		if err == nil || errors.Is(err, ErrCorrupt) != c.damaged || !c.damaged && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q is gone: %v", c.gone, err)
		}
		if !c.damaged {
			continue
		}
		if _, err := Repair(t.Context(), "db", o); !errors.Is(err, ErrBeyondRepair) {
			t.Errorf("%q is gone: repair: %v", c.gone, err)
		}
		if db, err := Open("db", o); err == nil {
			t.Errorf("%q is gone, and the store opens", c.gone)
			_ = db.Close()
		}
	}
}
