package tsdb

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
)

// A floor keeps room on the disk for what has to be written whatever happens: a memtable, a
// flush, a compaction. Below it sets are refused; reads and deletes go on, and writes go on
// by themselves when there is room again. The disk is asked once a second at the most, by
// whoever comes by: a writer, the committer, Stats.
type floor struct {
	fs   vfs.FS
	dir  string
	min  int64 // 0: no floor
	now  func() time.Time
	tell func(SpaceInfo)

	low  atomic.Bool
	free atomic.Int64 // as last seen; 0 while unknown
	mu   struct {
		sync.Mutex
		asked time.Time
		known bool  // the file system answers
		bytes int64 // of log when it was asked
	}
}

// SpaceInfo tells that the disk is nearly full, or is no longer.
type SpaceInfo struct {
	Low  bool
	Free int64 // bytes a process may write
	Min  int64 // the floor
}

const (
	// askEvery is how often the disk is asked, and askBytes after how much log it is asked
	// whatever the clock says.
	askEvery = time.Second
	askBytes = 32 << 20
	// compactionBytes is what a compaction needs beside what it replaces.
	compactionBytes = 512 << 20
)

// defaultFloor is what Options.MinFree means by zero.
func (o *Options) defaultFloor() int64 { return 4*int64(o.memTable) + o.HeadBytes + compactionBytes }

func newFloor(o *Options, dir string) *floor {
	return &floor{fs: o.FS, dir: dir, min: max(o.MinFree, 0), now: o.Now, tell: o.Events.Space}
}

// look asks the disk unless it was asked just now. written is how much log there was ever.
func (f *floor) look(written int64) {
	now := f.now()
	f.mu.Lock()
	if now.Sub(f.mu.asked).Abs() < askEvery && written-f.mu.bytes < askBytes {
		f.mu.Unlock()
		return
	}
	f.mu.asked, f.mu.bytes = now, written
	usage, err := f.fs.GetDiskUsage(f.dir)
	if err != nil {
		f.mu.Unlock()
		return // as before: a disk that does not answer fails where it is written
	}
	free := int64(min(usage.AvailBytes, 1<<62))
	f.free.Store(free)
	was, is := f.low.Load(), free < f.min
	if was && free < f.min+f.min/8 {
		is = true // or it would come and go with every flush
	}
	f.low.Store(is)
	f.mu.Unlock()
	if was != is && f.tell != nil {
		f.tell(SpaceInfo{Low: is, Free: free, Min: f.min})
	}
}

// admit returns the error of a set while the disk is below the floor.
func (f *floor) admit() error {
	if !f.low.Load() {
		return nil
	}
	f.mu.Lock()
	written := f.mu.bytes
	f.mu.Unlock()
	if f.look(written); !f.low.Load() {
		return nil
	}
	return model.Errorf(model.NoSpace, "The disk has %d MiB left, writes need %d; reads and deletes go on", f.free.Load()>>20, f.min>>20)
}
