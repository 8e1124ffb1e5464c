package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A cutter cuts the power before operations on a file system that change it, and has what is
// left judged while the original goes on.
type cutter struct {
	workload  *workload
	acked     atomic.Int64 // acts
	begun     atomic.Int64
	every     int64 // 1: before every operation
	inRestart int64 // likewise for the restart after a cut; 0: never
	round     int64 // shifts how much of what was not synced survives
	cuts      atomic.Int64
	restarts  atomic.Int64 // cuts during a restart
	mu        struct {
		sync.Mutex
		losses []error
	}
}

// wrap makes a file system of fs, which stores on disk, that is cut each every operations.
func (c *cutter) wrap(fs vfs.FS, every int64, judge func(n int64)) vfs.FS {
	var n atomic.Int64
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			if at := n.Add(1); at%every == 0 {
				judge(at)
			}
		}
		return nil
	}))
}

// cut makes the disk as it might be after a power cut now.
func (c *cutter) cut(disk *vfs.MemFS, n int64) *vfs.MemFS {
	return disk.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: []int{0, 50, 100}[(n+c.round)%3],
		RNG:                 rand.New(rand.NewPCG(uint64(n), uint64(c.round))),
	})
}

func (c *cutter) lost(err error) {
	c.mu.Lock()
	c.mu.losses = append(c.mu.losses, err)
	c.mu.Unlock()
}

// run runs the workload on a disk whose file system is fs, and cuts.
func (c *cutter) run(disk *vfs.MemFS, fs vfs.FS) error {
	fs = c.wrap(fs, c.every, func(n int64) {
		lo := c.acked.Load()
		after := c.cut(disk, n)
		hi := c.begun.Load()
		c.cuts.Add(1)
		if err := c.judge(after, lo, hi, c.inRestart); err != nil {
			c.lost(fmt.Errorf("cut before operation %d: %w", n, err))
		}
	})
	return c.workload.run(context.Background(), c.workload.tune(Options{FS: fs, memTable: 32 << 10, LogBytes: 1, LogAge: -1}),
		func(i int) { c.begun.Store(int64(i + 1)) },
		func(i int) { c.acked.Store(int64(i + 1)) })
}

// judge starts on what a cut left and reports what is wrong with it.
func (c *cutter) judge(disk *vfs.MemFS, lo, hi, restart int64) (err error) {
	ctx := context.Background()
	var fs vfs.FS = disk
	if restart > 0 {
		fs = c.wrap(disk, restart, func(n int64) {
			c.restarts.Add(1)
			if err := c.judge(c.cut(disk, n), lo, hi, 0); err != nil {
				c.lost(fmt.Errorf("cut before operation %d of the restart: %w", n, err))
			}
		})
	}
	db, err := Open("db", c.workload.tune(Options{FS: fs, memTable: 32 << 10}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	contents, err := c.workload.contentsOf(ctx, db)
	if err != nil {
		return err
	}
	if err := c.workload.holds(contents, lo, hi); err != nil {
		return err
	}
	if _, err := db.Check(ctx); err != nil {
		return err
	}
	again, err := c.workload.contentsOf(ctx, db)
	if err == nil && again != contents {
		err = errors.New("a flush changed what is stored")
	}
	return err
}

// all reports whether the long campaigns are on, which leave nothing out.
func all() bool { return os.Getenv("TIDEWIRE_SEEDS") != "" }

// images is how many states of the disk a soak judges.
func images() int64 {
	if s := os.Getenv("TIDEWIRE_IMAGES"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			panic(fmt.Sprintf("TIDEWIRE_IMAGES=%q is not a number of images", s))
		}
		return n
	}
	return 1
}

// Whenever the power is cut, while the store works or while it recovers, what was
// acknowledged is there, and what was not is there whole or not at all. A soak goes on until
// it has judged TIDEWIRE_IMAGES states of the disk, each with another part of what was not
// synced.
func TestPowerCutBeforeEveryOperationLosesNothing(t *testing.T) {
	inRestart := int64(19 * twins.Thin(3))
	if all() {
		inRestart = 1
	}
	var cuts, restarts int64
	for round := int64(0); round == 0 || cuts+restarts < images() && !t.Failed(); round++ {
		for _, w := range *workloads.list {
			c := &cutter{workload: w, every: int64(twins.Thin(7)), inRestart: inRestart, round: round}
			disk := vfs.NewCrashableMem()
			if err := c.run(disk, disk); err != nil {
				t.Fatalf("workload %q: %v", w.name, err)
			}
			for _, err := range c.mu.losses {
				t.Errorf("workload %q, round %d: %v", w.name, round, err)
			}
			if c.cuts.Load() == 0 || c.restarts.Load() == 0 {
				t.Errorf("workload %q: %d cuts struck, %d in a restart", w.name, c.cuts.Load(), c.restarts.Load())
			}
			cuts, restarts = cuts+c.cuts.Load(), restarts+c.restarts.Load()
			if images() > 1 {
				t.Logf("round %d, workload %q: %d images struck so far", round, w.name, cuts+restarts)
			}
		}
	}
	t.Logf("%d power cuts struck in %d workloads, %d more in the restart after one: %d images", cuts, len(*workloads.list), restarts, cuts+restarts)
}

// A forgetful file system says that the log is synced, and does nothing.
type forgetful struct{ vfs.FS }

func (f forgetful) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return forget(name)(f.FS.Create(name, c))
}

func (f forgetful) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return forget(to)(f.FS.ReuseForWrite(from, to, c))
}

func forget(name string) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil || !isLog(name) {
			return file, err
		}
		return forgetfulFile{file}, nil
	}
}

type forgetfulFile struct{ vfs.File }

func (forgetfulFile) Sync() error     { return nil }
func (forgetfulFile) SyncData() error { return nil }

// The test above can fail: with a disk that forgets the log it reports losses.
func TestPowerCutJudgeSeesWhatADiskForgets(t *testing.T) {
	c := &cutter{workload: (*workloads.list)[0], every: 1}
	disk := vfs.NewCrashableMem()
	if err := c.run(disk, forgetful{disk}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d power cuts struck on a disk that forgets, %d losses reported", c.cuts.Load(), len(c.mu.losses))
	if len(c.mu.losses) == 0 {
		t.Error("nothing was reported")
	}
}
