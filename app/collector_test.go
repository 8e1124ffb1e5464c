package app

import (
	"runtime"
	"testing"
)

func TestSmallHeapsAreCollectedLessOften(t *testing.T) {
	for live, want := range map[uint64]int{0: 1600, 16 << 20: 400, 64 << 20: 100, 1 << 30: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes live: %d, want %d", live, got, want)
		}
	}
}

// The percentage follows the heap from collection to collection, and is Go's own at the end.
func TestThePacerHearsOfCollections(t *testing.T) {
	set := make(chan int, 1000)
	p := &pacer{set: func(percent int) { set <- percent }}
	p.collected()
	<-set
	for range 2 {
		p.mu.Lock()
		p.mu.percent = 0 // so that it is set again
		p.mu.Unlock()
		runtime.GC()
		if got := <-set; got < defaultPercent {
			t.Errorf("set to %d", got)
		}
	}
	p.stop()
	last := 0
	for len(set) > 0 {
		last = <-set
	}
	runtime.GC()
	if last != defaultPercent || len(set) > 0 {
		t.Errorf("left at %d, then set %d times", last, len(set))
	}
}
