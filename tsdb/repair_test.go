package tsdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// mustRepair repairs the store in fs, and again: the second time there is nothing to do.
func mustRepair(t *testing.T, fs vfs.FS) RepairReport {
	t.Helper()
	r, err := Repair(t.Context(), "db", Options{FS: fs})
	if err != nil {
		t.Fatalf("repair: %v\nlost %v\nrebuilt %q", err, r.Lost, r.Rebuilt)
	}
	if _, err := CheckDir(t.Context(), "db", Options{FS: fs}, nil); err != nil {
		t.Fatalf("check after the repair: %v\nlost %v\nrebuilt %q", err, r.Lost, r.Rebuilt)
	}
	if again, err := Repair(t.Context(), "db", Options{FS: fs}); err != nil || len(again.Lost)+len(again.Rebuilt) > 0 {
		t.Errorf("repaired again: %v, %q, %v", again.Lost, again.Rebuilt, err)
	}
	return r
}

// survivors reads every device of a torn store and returns how many points are missing. None
// may be wrong, and none may be missing that is not told in losses.
func survivors(t *testing.T, db *DB, losses []model.Loss) (missing int) {
	t.Helper()
	for i := range tornDevices {
		want := tornSet(i)
		q := &model.RangeQuery{Tenant: want.Tenant, Entity: want.Entity, Scope: model.Timeseries, Keys: []string{"b"}, From: 0, To: 1 << 50}
		got := map[int64]model.Value{}
		if _, err := db.Raw(t.Context(), q, func(_ string, points []model.Point) error {
			for _, p := range points {
				got[p.TS] = p.Value
			}
			return nil
		}); err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
		for r, row := range want.Rows {
			v, ok := got[row.TS]
			if ok && v != want.Cells[2*r+1].Value {
				t.Fatalf("device %d at %d: %#v", i, row.TS, v)
			}
			if ok {
				continue
			}
			missing++
			if !slices.ContainsFunc(losses, func(l model.Loss) bool {
				return l.Entity == want.Entity && l.From <= row.TS && row.TS < l.To && slices.Contains(l.Keys, "b") ||
					strings.Contains(l.Cause, "everything of groups") // its names and its keys are lost
			}) {
				t.Fatalf("device %d at %d is missing and not told: %v", i, row.TS, losses)
			}
		}
	}
	return missing
}

// Blocks of tables are damaged: what is left is repaired, and what is lost is told.
func TestRepairOfTornBlocks(t *testing.T) {
	const points = tornDevices*800 + 8200 // of the first device
	for name, c := range map[string]struct {
		space  byte
		choose func(n, of int) bool
		most   int // points of one key that may be lost
	}{
		"a block of row groups":        {keys.RowGroups, func(n, of int) bool { return n == of/2 }, points / 4},
		"every third block":            {keys.RowGroups, func(n, of int) bool { return n%3 == 1 }, points * 2 / 3},
		"a block of states and beyond": {keys.States, func(n, of int) bool { return n == of-1 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fs := tornStore(t)
			if tear(t, fs, c.space, c.choose) == 0 {
				t.Fatal("no block was struck")
			}
			r, err := Repair(t.Context(), "db", Options{FS: fs})
			if errors.Is(err, ErrBeyondRepair) && c.most == 0 { // they stand beside the meta rows
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if again := mustRepair(t, fs); len(again.Lost) > 0 {
				t.Errorf("lost again: %v", again.Lost)
			}
			db, err := Open("db", Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			missing := survivors(t, db, r.Lost)
			if missing > c.most || (missing == 0) != (c.most == 0) {
				t.Errorf("%d points are missing, want at most %d", missing, c.most)
			}
			if losses := db.Losses(); len(losses) != len(r.Lost) {
				t.Errorf("%d losses are listed of %d", len(losses), len(r.Lost))
			}
			mustAppend(t, db, tornSet(3)) // everything of it again, late
			if err := db.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			if err := db.store.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
				t.Error(err)
			}
			if _, err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// editRow changes the n-th row of a keyspace of a store nobody has open; nil removes it.
func editRow(t *testing.T, fs vfs.FS, space byte, n int, edit func([]byte) []byte) {
	t.Helper()
	o, err := Options{FS: fs}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	store, unlock, err := openStore("db", o, new(atomic.Bool), signals{}, func(error) {}, newDamages(fs, Events{}), newFailures(&o))
	if err != nil {
		t.Fatal(err)
	}
	iter, err := store.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		t.Fatal(err)
	}
	ok := iter.First()
	for range n {
		ok = iter.Next()
	}
	if !ok {
		t.Fatalf("%c has no row %d", space, n)
	}
	key, value := slices.Clone(iter.Key()), slices.Clone(iter.Value())
	if edit == nil {
		err = store.Delete(key, pebble.Sync)
	} else {
		err = store.Set(key, edit(value), pebble.Sync)
	}
	if err := errors.Join(err, iter.Close(), store.Close(), unlock()); err != nil {
		t.Fatal(err)
	}
}

// mixedStore has a few of all rows: late points, originals of which some are bad, pages.
func mixedStore(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	fillMixed(t, fs)
	return fs
}

// fillMixed makes a mixed store on fs.
func fillMixed(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	o := Options{FS: fs}
	o.tuning.rules.JoinCount, o.tuning.rules.JoinRows, o.tuning.rules.SealRows, o.tuning.rules.PageCount = 3, 24, 24, 2
	db, err := Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(8) {
		mustAppend(t, db, rows(workloadStart+i*40_000, 1000, 40, i, "a", "b"))
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	kept := rows(workloadStart+5000, 1000, 3, 70, "a")
	kept.KeepOriginals = true
	mustAppend(t, db, kept)
	mustAppend(t, db, ofAnother())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// countMixed counts the points of a and b in a mixed store.
func countMixed(t *testing.T, db *DB) (n int) {
	t.Helper()
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a", "b"}, From: 0, To: 1 << 50}
	if _, err := db.Raw(t.Context(), q, func(_ string, p []model.Point) error { n += len(p); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// Rows of every keyspace are changed or removed: the rest survives.
func TestRepairOfRows(t *testing.T) {
	bit := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 0x10; return b }
	}
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	const all = 2 * 8 * 40
	for name, c := range map[string]struct {
		space byte
		row   int
		edit  func([]byte) []byte
		min   int // points that survive
		lost  string
	}{
		"row group, a bit":       {keys.RowGroups, 3, bit(9), all - 2*24, "row group"},
		"row group, half":        {keys.RowGroups, 0, cut, all - 2*24, "row group"},
		"row group, gone":        {keys.RowGroups, 2, nil, all - 2*24, ""}, // nobody can know
		"page, a bit":            {keys.Pages, 0, bit(5), all, ""},
		"page, gone":             {keys.Pages, 1, nil, all, ""},
		"names, a bit":           {keys.Names, 0, bit(0), all, ""},
		"names, gone":            {keys.Names, 0, nil, all, ""},
		"catalog, gone":          {keys.Catalog, 0, nil, all, ""},
		"catalog, another group": {keys.Catalog, 1, bit(0), all, ""},
		"state, a bit":           {keys.States, 0, bit(0), all, ""},
		"state, gone":            {keys.States, 0, nil, all, ""},
		"revision, cut":          {keys.Revisions, 0, func([]byte) []byte { return []byte{0xff} }, all, "revision"},
		"log, a bit":             {keys.Log, 0, bit(0), all, "commit group of the log"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := mixedStore(t)
			editRow(t, fs, c.space, c.row, c.edit)
			r := mustRepair(t, fs)
			if c.lost == "" && len(r.Lost) > 0 || c.lost != "" && !strings.Contains(fmt.Sprint(r.Lost), c.lost) {
				t.Errorf("lost %v, want %q", r.Lost, c.lost)
			}
			db, err := Open("db", Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			if n := countMixed(t, db); n < c.min || n > all {
				t.Errorf("%d points survive, want at least %d", n, c.min)
			}
			mustAppend(t, db, rows(workloadStart+1, 1000, 400, 9, "a", "b", "c"))
			if _, err := db.Check(t.Context()); err != nil {
				t.Errorf("written on: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A repair changes nothing while a server runs, and nothing where the meta rows are damaged.
func TestRepairRefuses(t *testing.T) {
	fs := mixedStore(t)
	db, err := Open("db", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Repair(t.Context(), "db", Options{FS: fs}); !errors.Is(err, ErrLocked) {
		t.Errorf("while a server runs: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if tear(t, fs, keys.Meta, func(int, int) bool { return true }) == 0 {
		t.Fatal("no block was struck")
	}
	if _, err := Repair(t.Context(), "db", Options{FS: fs}); !errors.Is(err, ErrBeyondRepair) || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("of meta rows: %v", err)
	}
}

// A repair that did not end is begun again, and tells what it had taken away.
func TestARepairThatDidNotEndIsBegunAgain(t *testing.T) {
	fs := tornStore(t)
	if tear(t, fs, keys.RowGroups, func(n, of int) bool { return n == of/2 }) == 0 {
		t.Fatal("no block was struck")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Repair(ctx, "db", Options{FS: fs}); !errors.Is(err, context.Canceled) {
		t.Fatalf("repair: %v", err)
	}
	if _, err := CheckDir(t.Context(), "db", Options{FS: fs}, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("check: %v", err)
	}
	if r := mustRepair(t, fs); len(r.Lost) == 0 {
		t.Error("nothing is lost")
	}
}
