package tsdb

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidewire/tidewire/model"
)

// A disk that takes the log and no tables must not hold anybody up for ever: writers are
// turned away when too much waits, reads go on, writes resume by themselves, and Close ends.
func TestTablesThatCannotBeWrittenHoldNobodyUp(t *testing.T) {
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			return syscall.EIO
		}
		return nil
	}))
	db, err := Open("db", Options{FS: fs, memTable: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel() // who does not wait at all
	next := int64(0)
	fill := func() error {
		for range 1000 { // 8 MB, eight times what may wait
			if _, err := db.Append(gone, rows(next*1000, 1, 1000, next, "a")); err != nil {
				return err
			}
			next++
		}
		return nil
	}
	broken.Store(true)
	err = fill()
	if model.KindOf(err) != model.Overload || !strings.Contains(model.MessageOf(err, ""), "waits in memory") {
		t.Fatalf("after %d sets: %v", next, err)
	}
	count := func() (n int64) {
		q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, To: 1 << 40}
		_, err := db.Raw(t.Context(), q, func(_ string, points []model.Point) error { n += int64(len(points)); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != next*1000 {
		t.Errorf("%d of %d points are there", n, next*1000)
	}
	broken.Store(false)
	mustAppend(t, db, rows(next*1000, 1, 1000, next, "a")) // waits until there is room
	next++

	broken.Store(true)
	if err := fill(); model.KindOf(err) != model.Overload {
		t.Fatalf("after %d sets: %v", next, err)
	}
	if err := db.Close(); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("closed: %v", err)
	}
	broken.Store(false)
	if db, err = Open("db", Options{FS: fs, memTable: 256 << 10}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != next*1000 {
		t.Errorf("after the next start %d of %d points are there", n, next*1000)
	}
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
