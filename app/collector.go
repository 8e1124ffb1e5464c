package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// heapFloor is how much is allocated between two collections at least. The live heap of a small
// store is some ten megabytes: collected whenever it has doubled, a few busy clients had that
// done many times a second, which took a fifth of the time of a small query and most of what
// its slowest ones waited.
const heapFloor = 64 << 20

// leastHeap is below what Go does not collect, times the percentage.
const leastHeap = 4 << 20

// defaultPercent is Go's own: a heap is collected when it has doubled.
const defaultPercent = 100

// percentFor returns at which growth of a live heap of so many bytes to collect.
func percentFor(live uint64) int {
	return int(max(defaultPercent, defaultPercent*heapFloor/max(live, leastHeap)))
}

// A pacer sets after every collection when the next one is due. It has no goroutine: the runtime
// tells it by the end of an object that nobody holds.
type pacer struct {
	set func(percent int)

	mu struct {
		sync.Mutex
		percent int
		stopped bool
	}
}

// paceCollector sees that the collector waits for heapFloor. GOGC, set by the operator, wins, and
// a limit of memory is heeded as before. stop makes the setting Go's own again.
func paceCollector() (stop func()) {
	if _, set := os.LookupEnv("GOGC"); set {
		return func() {}
	}
	p := &pacer{set: func(percent int) { debug.SetGCPercent(percent) }}
	p.collected()
	return p.stop
}

// collected sets what follows from the heap that the last collection left.
func (p *pacer) collected() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.stopped {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if percent := percentFor(live[0].Value.Uint64()); percent != p.mu.percent {
		p.mu.percent = percent
		p.set(percent)
	}
	runtime.AddCleanup(&struct{ of *pacer }{p}, func(p *pacer) { p.collected() }, p)
}

func (p *pacer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.stopped = true
	p.set(defaultPercent)
}
