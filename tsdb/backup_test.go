package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidewire/tidewire/model"
)

var _ = operations.add(operation{"backup", 2, (*harness).backup})

// backup backs up, and goes on with what was restored every other time. Two backups stand in
// the way of each other's files: the later one shares the earlier one's.
func (h *harness) backup() {
	h.Helper()
	next := fmt.Sprintf("backup%d", h.backups.n)
	h.backups.n++
	info, err := h.db.Backup(h.Context(), next, h.backups.last)
	if err != nil {
		h.Fatalf("backup: %v", err)
	}
	h.backups.last = &BackupBase{Dir: next, Files: info.Files}
	swap := h.rng.IntN(2) == 0
	h.note("backup of position %d, restored: %v", info.Position, swap)
	if !swap {
		return
	}
	h.close()
	if err := h.disk.RemoveAll("db"); err != nil {
		h.Fatalf("remove: %v", err)
	}
	h.restore(next)
	before := info.Epoch
	h.open()
	if h.db.Epoch() == before || h.db.Position() < info.Position {
		h.Fatalf("restored: epoch %d after %d, position %d after %d", h.db.Epoch(), before, h.db.Position(), info.Position)
	}
	h.backups.last = nil // of another epoch
}

// restore makes the store of a copy of a backup.
func (h *harness) restore(from string) {
	h.Helper()
	if ok, err := vfs.Clone(h.disk, h.disk, from, "db", vfs.CloneSync); err != nil || !ok {
		h.Fatalf("copy: %v, %v", ok, err)
	}
	if err := Restored("db", Options{FS: h.disk}); err != nil {
		h.Fatalf("restored: %v", err)
	}
}

// What was acknowledged before a backup began is in it; sets are in it whole or not at all.
func TestABackupHoldsWhatWasAcknowledgedBefore(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("db", Options{FS: fs, HeadBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, stop := context.WithCancel(t.Context())
	var acked [4]struct {
		sync.Mutex
		n int
	}
	var writers sync.WaitGroup
	for w := range acked {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				s := rows(int64(i)*1000, 1, 5, int64(i), "a", "b")
				s.Entity = model.EntityID{byte(w + 1)}
				if _, err := db.Append(context.Background(), s); err != nil {
					t.Error(err)
					return
				}
				acked[w].Lock()
				acked[w].n = i + 1
				acked[w].Unlock()
			}
		})
	}
	for n := range 4 {
		var before [len(acked)]int
		for w := range acked {
			acked[w].Lock()
			before[w] = acked[w].n
			acked[w].Unlock()
		}
		dir := fmt.Sprint("backup", n)
		if _, err := db.Backup(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
		copied, err := Open(dir, Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		for w := range before {
			points := 0
			q := &model.RangeQuery{Tenant: aTenant, Entity: model.EntityID{byte(w + 1)}, Scope: model.Timeseries, Keys: []string{"b"}, From: 0, To: 1 << 40}
			if _, err := copied.Raw(t.Context(), q, func(_ string, p []model.Point) error { points += len(p); return nil }); err != nil {
				t.Fatal(err)
			}
			if points < 5*before[w] || points%5 != 0 {
				t.Errorf("backup %d has %d points of writer %d, acknowledged were %d", n, points, w, 5*before[w])
			}
		}
		if _, err := copied.Check(t.Context()); err != nil {
			t.Errorf("backup %d: %v", n, err)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	writers.Wait()
}

func TestALaterBackupSharesTables(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	backup := func(dir string, base *BackupBase) BackupInfo {
		t.Helper()
		info, err := db.Backup(t.Context(), dir, base)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	for i := range 20 {
		s := rows(0, 1000, 500, 1, "a")
		s.Entity = model.EntityID{byte(i + 1)}
		mustAppend(t, db, s)
	}
	if err := errors.Join(db.Flush(t.Context()), db.store.Flush()); err != nil {
		t.Fatal(err)
	}
	first := backup("one", nil)
	second := backup("two", &BackupBase{Dir: "one", Files: first.Files})
	if second.Shared == 0 || second.Copied >= first.Copied {
		t.Errorf("first %d bytes; second %d, and %d shared", first.Copied, second.Copied, second.Shared)
	}
	if err := fs.RemoveAll("one"); err != nil { // pruning one is no harm to the other
		t.Fatal(err)
	}
	if err := Restored("two", Options{FS: fs}); err != nil {
		t.Fatal(err)
	}
	restored, err := Open("two", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if restored.Epoch() == db.Epoch() {
		t.Error("the epoch is that of the store")
	}
	if _, err := restored.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := restored.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.Backup(t.Context(), "two", nil); model.KindOf(err) != model.Conflict {
		t.Errorf("over another backup: %v", err)
	}
}

// Whatever moment of a backup the power is cut at, the store and the backups before it are
// whole, and the next backup succeeds.
func TestAPowerCutInABackupHarmsNothing(t *testing.T) {
	cuts := 0
	for n := 1; ; n++ {
		disk := vfs.NewCrashableMem()
		var cutting bool
		var ops int
		var after *vfs.MemFS
		fs := onWrite(disk, func() {
			if !cutting {
				return
			}
			if ops++; ops == n {
				after = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: n * 37 % 101, RNG: rand.New(rand.NewPCG(uint64(n), 5))})
			}
		})
		db, err := Open("db", Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, db, rows(0, 1000, 100, 1, "a"))
		if err := errors.Join(db.Flush(t.Context()), db.store.Flush()); err != nil {
			t.Fatal(err)
		}
		first, err := db.Backup(t.Context(), "one", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := syncDir(disk, ""); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, db, rows(100_000, 1000, 100, 1, "a"))
		cutting = true
		_, err = db.Backup(t.Context(), "two", &BackupBase{Dir: "one", Files: first.Files})
		cutting = false
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if after == nil {
			break // there were not as many operations
		}
		cuts++
		for dir, want := range map[string]int{"db": 200, "one": 100} {
			again, err := Open(dir, Options{FS: after})
			if err != nil {
				t.Fatalf("cut before operation %d: open %s: %v", n, dir, err)
			}
			points := 0
			q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1 << 40}
			if _, err := again.Raw(t.Context(), q, func(_ string, p []model.Point) error { points += len(p); return nil }); err != nil || points != want {
				t.Errorf("cut before operation %d: %s has %d points, %v", n, dir, points, err)
			}
			if _, err := again.Check(t.Context()); err != nil {
				t.Errorf("cut before operation %d: %s: %v", n, dir, err)
			}
			if dir == "db" {
				if _, err := again.Backup(t.Context(), "three", nil); err != nil {
					t.Errorf("cut before operation %d: the next backup: %v", n, err)
				}
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d power cuts struck", cuts)
	if cuts == 0 {
		t.Error("no cut struck")
	}
}

// onWrite calls fn before every operation that changes fs.
func onWrite(fs vfs.FS, fn func()) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			fn()
		}
		return nil
	}))
}
