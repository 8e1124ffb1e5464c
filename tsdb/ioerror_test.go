package tsdb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
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
	opening atomic.Bool // nothing fails then: Pebble leaves a goroutine behind
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

// run fails call number n and reports what was wrong.
func (w *workload) runFailing(ctx context.Context, n int64) (struck bool, calls int64, err error) {
	r := &failingRun{workload: w, disk: vfs.NewCrashableMem()}
	var seen atomic.Int64
	fs := errorfs.Wrap(r.disk, errorfs.InjectorFunc(func(errorfs.Op) error {
		if !r.opening.Load() && seen.Add(1) == n {
			r.struck.Store(true)
			return syscall.EIO
		}
		return nil
	}))
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
			r.hi = int64(i)
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

// A call of the file system that fails once costs an error at most: no acknowledged set, no
// wrong answer, and afterwards everything works.
func TestAFailedCallCostsAnErrorAtMost(t *testing.T) {
	struck, there := 0, int64(0)
	for _, w := range *workloads.list {
		_, calls, err := w.runFailing(t.Context(), 0)
		if err != nil {
			t.Fatalf("workload %q: %v", w.name, err)
		}
		there += calls
		step := calls/20 + 1
		if all() {
			step = 1
		}
		hits := 0
		for n := int64(1); n <= calls; n += step {
			hit, _, err := w.runFailing(t.Context(), n)
			if hit {
				hits++
			}
			if err != nil {
				t.Errorf("workload %q, call %d of %d: %v", w.name, n, calls, err)
			}
		}
		if hits == 0 {
			t.Errorf("workload %q: no call failed", w.name)
		}
		struck += hits
	}
	t.Logf("%d failing calls struck in %d workloads, of %d there are", struck, len(*workloads.list), there)
}
