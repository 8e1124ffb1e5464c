package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A cutImage is a disk as a power cut left it, and which acts of a workload must be on it.
type cutImage struct {
	*workload
	disk   *vfs.MemFS
	lo, hi int64
}

// cutImages runs a workload and cuts the power behind every so many acts.
func (w *workload) cutImages(ctx context.Context, every int) (images []cutImage, err error) {
	disk := vfs.NewCrashableMem()
	o := w.tune(Options{FS: disk, memTable: 32 << 10, LogBytes: 1, LogAge: -1, CacheBytes: 1 << 10, CatalogBytes: 1})
	err = w.run(ctx, o, func(int) {}, func(i int) {
		if i%every == every-1 {
			cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(i), 5))}
			images = append(images, cutImage{w, disk.CrashClone(cfg), int64(i + 1), int64(i + 1)})
		}
	})
	return images, err
}

// open opens a copy of the image with call number n failing, and then, on what that left, twice
// with none. It reports how many calls the first took.
func (i *cutImage) open(ctx context.Context, n int64, f fault) (calls int64, err error) {
	disk := i.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	counted := newCountedFS(disk)
	var seen atomic.Int64
	var armed atomic.Bool
	o := i.tune(Options{memTable: 32 << 10, CacheBytes: 1 << 10, Events: Events{Fatal: func(error) {}}})
	o.tuning.uncounted = true
	o.FS = errorfs.Wrap(counted, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !armed.Load() || op.Kind == errorfs.OpFileStat || seen.Add(1) != n {
			return nil
		}
		switch {
		case f.short && op.Kind == errorfs.OpFileWrite:
			counted.short.Store(&f.cause)
		case op.Kind == errorfs.OpFileClose:
			counted.close.Store(&f.cause)
		default:
			return f.cause
		}
		return nil
	}))
	armed.Store(true)
	db, err := Open("db", o)
	armed.Store(false)
	calls = seen.Load()
	if err == nil {
		if db.failure() == nil {
			err = i.judge(ctx, db)
		}
		if closed := db.Close(); db.failure() == nil {
			err = errors.Join(err, closed)
		}
		if err != nil {
			return calls, fmt.Errorf("it opened: %w", err)
		}
	}
	if n%2 == 0 { // the power goes, too
		disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(n) % 101, RNG: rand.New(rand.NewPCG(uint64(n), 9))})
	}
	// Pebble leaves the manifest open that it could not begin.
	if left := slices.DeleteFunc(counted.left(), isManifest); len(left) > 0 {
		return calls, fmt.Errorf("still open: %q", left)
	}
	o.FS = disk
	for _, when := range []string{"afterwards", "after that"} {
		db, err := Open("db", o)
		if err != nil {
			return calls, fmt.Errorf("%s: %w", when, err)
		}
		if err = errors.Join(i.judge(ctx, db), db.Close()); err != nil {
			return calls, fmt.Errorf("%s: %w", when, err)
		}
	}
	return calls, nil
}

// judge verifies what the store holds.
func (i *cutImage) judge(ctx context.Context, db *DB) error {
	contents, err := i.contentsOf(ctx, db)
	if err != nil {
		return err
	}
	if lost := db.Losses(); len(lost) > 0 {
		return fmt.Errorf("what a failing disk did not give counts as lost: %v", lost)
	}
	if _, err := db.Check(ctx); err != nil {
		return err
	}
	return i.holds(contents, i.lo, i.hi)
}

// A call of the file system fails while a store starts that was cut off: it starts, or fails
// with an error, and when the disk is well again everything acknowledged is there.
func TestAFailedCallWhileOpeningCostsAnErrorAtMost(t *testing.T) {
	every := 4 * twins.Thin(4)
	if all() {
		every = 4
	}
	struck, there := 0, int64(0)
	for number, w := range *workloads.list {
		images, err := w.cutImages(t.Context(), min(every, len(w.acts)))
		if err != nil {
			t.Fatalf("workload %q: %v", w.name, err)
		}
		for _, i := range images {
			calls, err := i.open(t.Context(), 0, faults[0])
			if err != nil {
				t.Fatalf("workload %q, after act %d: %v", w.name, i.lo, err)
			}
			there += calls
			step := calls*int64(twins.Thin(2))/8 + 1
			if all() {
				step = 1
			}
			for n := 1 + (int64(number)+i.lo)%step; n <= calls; n += step {
				f := faults[(n+i.lo)%int64(len(faults))]
				if _, err := i.open(t.Context(), n, f); err != nil {
					t.Errorf("workload %q, after act %d, call %d of %d, %s: %v", w.name, i.lo, n, calls, f.name, err)
				}
				struck++
			}
		}
	}
	if struck == 0 {
		t.Error("no call failed")
	}
	t.Logf("failing calls struck %d starts, of %d calls there are", struck, there)
}
