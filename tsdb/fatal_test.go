package tsdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidewire/tidewire/model"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// When the log cannot be written the engine says so once, acknowledges nothing more, lets
// everybody go, and the next start finds all that was acknowledged.
func TestAFailedLogIsToldOnceAndLosesNothing(t *testing.T) {
	var struck int
	for seed := range twins.Seeds(40) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			if failLog(t, seed) {
				struck++
			}
		})
	}
	t.Logf("%d failures of the log struck", struck)
	if struck == 0 {
		t.Error("no failure struck")
	}
}

func failLog(t *testing.T, seed uint64) (struck bool) {
	rng := rand.New(rand.NewPCG(seed, 2))
	disk := vfs.NewCrashableMem()
	cause := []error{syscall.EIO, syscall.ENOSPC}[rng.IntN(2)]
	forGood := rng.IntN(2) == 0
	kind := rng.IntN(4)
	left := int64(rng.IntN([]int{200, 200, 12, 30}[kind]))
	var armed atomic.Bool
	var countdown atomic.Int64
	countdown.Store(left)
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !armed.Load() {
			return nil
		}
		of := false
		switch op.Kind {
		case errorfs.OpFileWrite:
			of = kind == 0 && isLog(op.Path)
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			of = kind == 1 && isLog(op.Path)
		case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpFilePreallocate:
			of = kind == 2 && isLog(op.Path)
		}
		if op.Kind == errorfs.OpFileSync && kind == 3 {
			of = op.Path == "db"
		}
		if !of {
			return nil
		}
		if n := countdown.Add(-1); n == -1 || n < 0 && forGood {
			return cause
		}
		return nil
	}))
	var told atomic.Int64
	db, err := Open("db", Options{
		FS: fs, HeadBytes: 64 << 10, memTable: 32 << 10,
		Events: Events{Fatal: func(error) { told.Add(1) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	armed.Store(true)

	const writers, most = 4, 400
	var acknowledged [writers]int
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range most {
				after := told.Load() > 0
				_, err := db.Append(t.Context(), writerSet(w, i))
				if err == nil && after {
					t.Errorf("writer %d: set %d was acknowledged after Fatal", w, i)
				}
				if err != nil {
					if !errors.Is(err, cause) {
						t.Errorf("writer %d: %v does not tell the cause", w, err)
					}
					break
				}
				acknowledged[w] = i + 1
				if i%100 == 99 {
					_ = db.Flush(t.Context()) // may fail, and is how the log gets new files
				}
			}
		})
	}
	wait.Wait()
	struck = told.Load() > 0
	if told.Load() > 1 {
		t.Errorf("Fatal was told %d times", told.Load())
	}
	if struck {
		if _, err := db.Append(t.Context(), writerSet(0, most)); !errors.Is(err, cause) {
			t.Errorf("append after the failure: %v", err)
		}
		if _, err := db.Latest(t.Context(), aTenant, writerSet(0, 0).Entity, model.Timeseries, nil); !errors.Is(err, cause) {
			t.Errorf("read after the failure: %v", err)
		}
	}
	if err := db.Close(); struck && !errors.Is(err, cause) {
		t.Errorf("close after the failure: %v", err)
	}
	for _, disk := range []*vfs.MemFS{disk, disk.CrashClone(vfs.CrashCloneCfg{}), disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})} {
		db := openTest(t, Options{FS: disk})
		for w, n := range acknowledged {
			found := countSets(t, db, w)
			if found != n && found != n+1 {
				t.Errorf("writer %d: %d sets found, %d were acknowledged", w, found, n)
			}
		}
	}
	return struck
}

// writerSet is set i of writer w, long enough for the log to need many files.
func writerSet(w, i int) *model.WriteSet {
	s := rows(int64(i)*10, 1, 10, int64(i)*10, "a", "b")
	s.Entity = model.EntityID{byte(w + 1)}
	s.Keys = append(s.Keys, "text")
	s.Rows[9].Cells++
	s.Cells = append(s.Cells, model.Cell{Key: 2, Value: model.String(strings.Repeat("x", 500))})
	return s
}

// countSets returns how many sets of a writer there are, and fails when one is not whole.
func countSets(t *testing.T, db *DB, w int) int {
	t.Helper()
	points := map[string]int{}
	q := &model.RangeQuery{Tenant: aTenant, Entity: writerSet(w, 0).Entity, Scope: model.Timeseries, Keys: []string{"a", "b", "text"}, From: 0, To: 1 << 40}
	if _, err := db.Raw(t.Context(), q, func(key string, ps []model.Point) error {
		points[key] += len(ps)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	n := points["text"]
	if points["a"] != 10*n || points["b"] != 10*n {
		t.Errorf("writer %d: %d sets, but %d and %d points", w, n, points["a"], points["b"])
	}
	return n
}
