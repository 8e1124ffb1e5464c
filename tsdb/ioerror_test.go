package tsdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A failingRun is the workload with one call of the file system that fails.
type failingRun struct {
	*workload
	options Options
	disk    *vfs.MemFS
	db      *DB
	lo, hi  int64 // acts that must and may be there
	fatal   atomic.Int64
	struck  atomic.Bool
	opening atomic.Bool // nothing fails then: that has a test of its own
	wrong   []error
}

func (r *failingRun) open() {
	r.opening.Store(true)
	defer r.opening.Store(false)
	var err error
	if r.db, err = Open("db", r.options); err != nil {
		r.wrong = append(r.wrong, fmt.Errorf("open: %w", err))
	}
}

// compare verifies what the DB answers; an error is no answer and not wrong.
func (r *failingRun) compare(ctx context.Context, when string) error {
	contents, err := r.contentsOf(ctx, r.db)
	if err != nil {
		return err
	}
	if err := r.holds(contents, r.lo, r.hi); err != nil {
		r.wrong = append(r.wrong, fmt.Errorf("%s: %w", when, err))
	}
	return nil
}

// restart closes and opens again.
func (r *failingRun) restart(ctx context.Context) {
	_ = r.db.Close()
	r.fatal.Store(0)
	r.open()
	if r.db == nil {
		return
	}
	if err := r.compare(ctx, "after a restart"); err != nil {
		if err = r.compare(ctx, "after a restart"); err != nil {
			r.wrong = append(r.wrong, fmt.Errorf("reads fail twice: %w", err))
		}
	}
}

// A fault is what a call does that fails.
type fault struct {
	name  string
	cause error
	short bool // a write does half of it first
}

var faults = []fault{{"EIO", syscall.EIO, false}, {"ENOSPC", syscall.ENOSPC, false}, {"half a write, then ENOSPC", syscall.ENOSPC, true}}

// injector fails call number n, and with it all later ones while ever is set.
func (r *failingRun) injector(fs *countedFS, seen *atomic.Int64, n int64, f fault, ever *atomic.Bool) errorfs.InjectorFunc {
	return func(op errorfs.Op) error {
		if r.opening.Load() {
			return nil
		}
		at := seen.Add(1)
		if at != n && !(ever.Load() && n > 0 && at > n) {
			return nil
		}
		r.struck.Store(true)
		if f.short && op.Kind == errorfs.OpFileWrite {
			fs.short.Store(&f.cause)
			return nil
		}
		if op.Kind == errorfs.OpFileClose {
			fs.close.Store(&f.cause)
			return nil
		}
		return f.cause
	}
}

// runFailing fails call number n and reports what was wrong.
func (w *workload) runFailing(ctx context.Context, n int64, f fault) (struck bool, calls int64, err error) {
	r := &failingRun{workload: w, disk: vfs.NewCrashableMem()}
	var seen atomic.Int64
	counted := newCountedFS(r.disk)
	fs := errorfs.Wrap(counted, r.injector(counted, &seen, n, f, &atomic.Bool{}))
	r.options = w.tune(Options{
		FS: fs, memTable: 32 << 10, LogBytes: 1, LogAge: -1, CacheBytes: 1 << 10, CatalogBytes: 1,
		Events: Events{Fatal: func(error) { r.fatal.Add(1) }},
	})
	r.open()
	for i, a := range w.acts {
		if r.db == nil {
			break
		}
		if a.do == nil {
			r.restart(ctx)
			r.lo, r.hi = int64(i+1), int64(i+1)
			continue
		}
		r.hi = int64(i + 1)
		err := a.do(ctx, r.db)
		if err != nil && r.db.failure() == nil { // nothing was done: it works the second time
			if !a.physical {
				r.hi = int64(i)
			}
			_ = r.compare(ctx, a.name+" that failed")
			r.hi = int64(i + 1)
			err = a.do(ctx, r.db)
			if err != nil && r.db.failure() == nil {
				r.wrong = append(r.wrong, fmt.Errorf("%s failed twice: %w", a.name, err))
				break
			}
		}
		if r.db.failure() != nil { // what was being done may be there, whole
			if r.fatal.Load() != 1 {
				r.wrong = append(r.wrong, fmt.Errorf("fatal %d times", r.fatal.Load()))
			}
			if err == nil {
				r.lo = r.hi
			}
			r.restart(ctx)
			if r.db == nil {
				break
			}
			contents, err := r.contentsOf(ctx, r.db)
			if err == nil && r.holds(contents, r.hi, r.hi) != nil {
				if err = a.do(ctx, r.db); err != nil {
					r.wrong = append(r.wrong, fmt.Errorf("%s after a restart: %w", a.name, err))
				}
			}
		}
		r.lo = r.hi
		_ = r.compare(ctx, a.name)
	}
	if r.db != nil {
		if _, err := r.db.Check(ctx); err != nil && r.db.failure() == nil {
			if _, err = r.db.Check(ctx); err != nil {
				r.wrong = append(r.wrong, fmt.Errorf("check: %w", err))
			}
		}
		_ = r.db.Close()
	}
	if left := counted.left(); len(left) != 0 {
		r.wrong = append(r.wrong, fmt.Errorf("still open: %q", left))
	}
	r.options.FS = r.disk.CrashClone(vfs.CrashCloneCfg{})
	if r.open(); r.db != nil {
		if err := r.compare(ctx, "at last"); err != nil {
			r.wrong = append(r.wrong, err)
		}
		_, err := r.db.Check(ctx)
		r.wrong = append(r.wrong, err, r.db.Close())
	}
	return r.struck.Load(), seen.Load(), errors.Join(r.wrong...)
}

// runBroken fails call number n and all that follow, until the disk is mended and the store
// opened again: what was acknowledged is there, and what was not whole or not at all.
func (w *workload) runBroken(ctx context.Context, n int64, f fault) (struck bool, err error) {
	r := &failingRun{workload: w, disk: vfs.NewCrashableMem()}
	var seen atomic.Int64
	var ever atomic.Bool
	ever.Store(true)
	counted := newCountedFS(r.disk)
	fs := errorfs.Wrap(counted, r.injector(counted, &seen, n, f, &ever))
	r.options = w.tune(Options{
		FS: fs, memTable: 32 << 10, LogBytes: 1, CacheBytes: 1 << 10, CatalogBytes: 1,
		Events: Events{Fatal: func(error) { r.fatal.Add(1) }},
	})
	r.open()
	for i, a := range w.acts {
		if r.db == nil {
			break
		}
		r.hi = int64(i + 1)
		var err error
		if a.do != nil {
			err = a.do(ctx, r.db)
		} else {
			err = r.db.Close()
			r.fatal.Store(0)
			r.open()
		}
		if err == nil && a.do != nil && r.fatal.Load() > 0 && a.change != nil {
			err = r.db.failure() // it may have been acknowledged just before
		}
		if err == nil {
			r.lo = r.hi
			_ = r.compare(ctx, a.name)
			continue
		}
		_ = r.compare(ctx, a.name+" that failed")
		break
	}
	if r.fatal.Load() > 1 {
		r.wrong = append(r.wrong, fmt.Errorf("fatal %d times", r.fatal.Load()))
	}
	if r.db != nil {
		_ = r.db.Close()
	}
	// Pebble does not close the table that it was writing when nothing works any more.
	left := slices.DeleteFunc(counted.left(), func(name string) bool { return strings.HasSuffix(name, ".sst") })
	if len(left) != 0 {
		r.wrong = append(r.wrong, fmt.Errorf("still open: %q", left))
	}
	ever.Store(false)
	for _, disk := range []*vfs.MemFS{r.disk, r.disk.CrashClone(vfs.CrashCloneCfg{})} {
		r.options.FS = disk
		if r.open(); r.db == nil {
			continue
		}
		if err := r.compare(ctx, "with the disk mended"); err != nil {
			r.wrong = append(r.wrong, err)
		}
		_, err := r.db.Check(ctx)
		r.wrong = append(r.wrong, err, r.db.Close())
	}
	return r.struck.Load(), errors.Join(r.wrong...)
}

// A call of the file system that fails, once or for ever, costs an error at most: no
// acknowledged set, no wrong answer, no goroutine, no open file; afterwards everything works.
func TestAFailedCallCostsAnErrorAtMost(t *testing.T) {
	struck, there := map[string]int{}, int64(0)
	for _, w := range *workloads.list {
		_, calls, err := w.runFailing(t.Context(), 0, faults[0])
		if err != nil {
			t.Fatalf("workload %q: %v", w.name, err)
		}
		there += calls
		step := int(calls)*twins.Thin(4)/6 + 1
		if all() {
			step = 1
		}
		for i, f := range faults {
			for n := int64(1 + i*step/len(faults)); n <= calls; n += int64(step) {
				if hit, _, err := w.runFailing(t.Context(), n, f); err != nil {
					t.Errorf("workload %q, call %d of %d, %s once: %v", w.name, n, calls, f.name, err)
				} else if hit {
					struck[f.name+" once"]++
				}
				if hit, err := w.runBroken(t.Context(), n, f); err != nil {
					t.Errorf("workload %q, call %d of %d, %s for ever: %v", w.name, n, calls, f.name, err)
				} else if hit {
					struck[f.name+" for ever"]++
				}
			}
		}
	}
	for _, f := range faults {
		for _, often := range []string{" once", " for ever"} {
			if struck[f.name+often] == 0 {
				t.Errorf("%s%s: no call failed", f.name, often)
			}
		}
	}
	t.Logf("failing calls struck in %d workloads, of %d calls there are: %v", len(*workloads.list), there, struck)
}
