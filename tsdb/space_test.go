package tsdb

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidewire/tidewire/model"
)

// Below the floor sets are refused, everything else goes on, and sets go on by themselves
// when there is room again, with some to spare.
func TestBelowTheFloorWritesWaitForRoom(t *testing.T) {
	c := clockAt(1_700_000_000_000)
	disk := vfs.NewMem()
	free := func(mib uint64) {
		disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: mib << 20, TotalBytes: 1 << 40})
		c.ms.Add(1000)
	}
	free(1000)
	var told []SpaceInfo
	db := openTest(t, Options{FS: disk, Now: c.now, MinFree: 800 << 20, Events: Events{Space: func(i SpaceInfo) { told = append(told, i) }}})
	number(t, db, 1)
	free(800)
	number(t, db, 2)
	if s := db.Stats(); len(told) != 0 || s.FreeBytes != 800<<20 || s.NoSpace {
		t.Fatalf("at the floor: told %+v, %+v", told, s)
	}
	free(799)
	number(t, db, 3) // who finds out is still let through
	refused(t, db, rows(4000, 1, 1, 4, "a"), model.NoSpace, "799 MiB left", "need 800")
	if len(told) != 1 || !told[0].Low || told[0].Free != 799<<20 || told[0].Min != 800<<20 || !db.Stats().NoSpace {
		t.Errorf("told %+v", told)
	}
	if _, err := db.Latest(t.Context(), aTenant, aDevice, model.Timeseries, nil); err != nil {
		t.Error(err)
	}
	d := model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, From: 0, To: 1500}
	if _, err := db.Delete(t.Context(), d); err != nil {
		t.Error(err)
	}
	flush(t, db)
	follow(t, consumer(t, db, "reader"))
	free(899) // room, but not enough of it
	refused(t, db, rows(4000, 1, 1, 4, "a"), model.NoSpace, "899 MiB left")
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 900 << 20, TotalBytes: 1 << 40})
	refused(t, db, rows(4000, 1, 1, 4, "a"), model.NoSpace) // the disk was asked just now
	c.ms.Add(1000)
	number(t, db, 4)
	if len(told) != 2 || told[1].Low || told[1].Free != 900<<20 {
		t.Errorf("told %+v", told)
	}
	free(10)
	if s := db.Stats(); !s.NoSpace { // nobody has to write for it to be seen
		t.Errorf("%+v", s)
	}
	free(2000)
	number(t, db, 5)
	free(1)
	open := vfs.NewMem()
	open.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1, TotalBytes: 1 << 40})
	number(t, openTest(t, Options{FS: open, MinFree: -1}), 1)
}

// A full disk under the tables is told once a second and not as often as the store tries;
// nothing is lost, and it goes on when there is room.
func TestAFullDiskUnderTheTablesIsToldInMeasure(t *testing.T) {
	disk := vfs.NewMem()
	var full atomic.Bool
	var tries atomic.Int64
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && isTable(op.Path) {
			tries.Add(1)
			return syscall.ENOSPC
		}
		return nil
	}))
	told := make(chan error, 1000)
	db, err := Open("db", Options{
		FS: fs, memTable: 32 << 10, tuning: tuning{retry: time.Millisecond},
		Events: Events{Failed: func(err error) { told <- err }},
	})
	if err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	for i := range int64(20) { // more than a memtable, less than may wait
		mustAppend(t, db, rows(1000*i, 1, 300, i, "a"))
	}
	if err := <-told; !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	for tries.Load() < 20 {
		runtime.Gosched()
	}
	if n := len(told); n > 3 {
		t.Errorf("told %d times of %d failures", n, tries.Load())
	}
	if db.Stats().Failures < 10 {
		t.Errorf("%d failures counted", db.Stats().Failures)
	}
	if err := db.Close(); err == nil || !strings.Contains(err.Error(), "next start") {
		t.Errorf("close on a full disk: %v", err)
	}
	full.Store(false)
	db = openTest(t, Options{FS: disk, memTable: 32 << 10})
	n := 0
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1 << 40}
	if _, err := db.Raw(t.Context(), q, func(_ string, points []model.Point) error {
		n += len(points)
		return nil
	}); err != nil || n != 20*300 {
		t.Errorf("%d points, %v", n, err)
	}
}

func TestFailuresAreToldOnceAKindAndSecond(t *testing.T) {
	c := clockAt(1000)
	var told []string
	o := Options{Now: c.now, Events: Events{Failed: func(err error) { told = append(told, err.Error()) }}}
	f := newFailures(&o)
	for range 50 {
		f.failed("flush", syscall.EIO)
		f.store(syscall.ENOSPC)
	}
	c.ms.Add(1000)
	f.store(syscall.ENOSPC)
	if n, _ := f.so(); n != 101 || len(told) != 3 || !strings.Contains(told[2], "49 failures before") {
		t.Errorf("%d failures, told %q", n, told)
	}
}
