package registry

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// The process dies without Close: its files, as they stand at any moment between two writes,
// hold every change that returned and no half of one.
func TestKilledProcessKeepsWhatWasSaved(t *testing.T) {
	f := open(t)
	var kept, gone []*model.Device
	for _, name := range []string{"a", "b", "c", "d"} {
		d := f.addDevice(t, name)
		if kept = append(kept, d); len(kept)%2 == 0 {
			check(t, f.DeleteDevice(t.Context(), f.tenant, d.ID))
			kept, gone = kept[:len(kept)-1], append(gone, d)
		}
		left := f.opts
		left.Dir = t.TempDir()
		for _, file := range []string{databaseFile, databaseFile + "-wal"} {
			b, err := os.ReadFile(filepath.Join(f.opts.Dir, file))
			check(t, err)
			check(t, os.WriteFile(filepath.Join(left.Dir, file), b, 0o600))
		}
		r, err := Open(t.Context(), left)
		check(t, err)
		for _, d := range kept {
			if e, ok := r.DeviceByToken("token of " + d.Name); !ok || e.ID != d.ID {
				t.Errorf("%s is lost", d.Name)
			}
		}
		for _, d := range gone {
			if _, ok := r.Lookup(d.ID); ok {
				t.Errorf("%s came back", d.Name)
			}
		}
		if n := outboxRows(t, r); n != len(gone) {
			t.Errorf("%d erasures are due, want %d", n, len(gone))
		}
		check(t, r.Close())
	}
}
