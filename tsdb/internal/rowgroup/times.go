package rowgroup

import (
	"math"
	"slices"

	"github.com/tidewire/tidewire/tsdb/internal/codec"
)

// The forms of timestamps.
const (
	timesSteps = iota // a line and packed distances from it, step by step
	timesClock        // all at once, by codec.AppendClock
)

// timeHeads are the heads of the steps, side by side. Row i of a step is at
//
//	row group's first + base + Line(slope, i) + least + packed distance
//
// and base is row 0 exactly, so that a search needs no step but one.
type timeHeads struct {
	base, slope, least, width [maxSteps]int64
}

// minClockWidth is the width of distances from which on the clock codec is worth a try where
// most intervals repeat, a regular clock with gaps, and maxClockWidth that from which on it
// is anyway.
const (
	minClockWidth = 7
	maxClockWidth = 12
)

// appendTimes adds the instants of all rows: nothing for a single one.
//
//	form <1> | base, slope, least, width: ints a step | packed
func appendTimes(dst []byte, times []int64) []byte {
	n := len(times)
	if n == 1 {
		return dst
	}
	var h timeHeads
	steps := stepsOf(n)
	slopes := commonSlopes(times)
	size := 0
	for k := range steps {
		run := times[k*StepRows : min((k+1)*StepRows, n)]
		h.base[k] = run[0] - times[0]
		h.slope[k], h.least[k], h.width[k] = bestLine(run, slopes)
		size += codec.PackedLen(len(run), uint8(h.width[k]))
	}
	start := len(dst)
	if n >= 3 && (size > n*maxClockWidth/8 || size > n*minClockWidth/8 && repeats(times)) {
		dst = codec.AppendClock(append(dst, timesClock), times)
		if len(dst)-start < size*3/4 {
			return dst
		}
		dst = dst[:start]
	}
	dst = append(dst, timesSteps)
	dst = codec.AppendInts(dst, h.base[:steps])
	dst = codec.AppendInts(dst, h.slope[:steps])
	dst = codec.AppendInts(dst, h.least[:steps])
	dst = codec.AppendInts(dst, h.width[:steps])
	for k := range steps {
		run := times[k*StepRows : min((k+1)*StepRows, n)]
		var u [StepRows]int64
		distances(u[:len(run)], run, h.slope[k])
		dst = codec.PackBase(dst, u[:len(run)], h.least[k], uint8(h.width[k]))
	}
	return dst
}

// repeats reports whether most intervals are as long as the one before.
func repeats(times []int64) bool {
	same := 0
	for i := 2; i < len(times); i++ {
		if times[i]-times[i-1] == times[i-1]-times[i-2] {
			same++
		}
	}
	return same > len(times)/2
}

// commonSlopes returns the slopes to try for every step: the mean interval, exactly and
// rounded to what people choose. A jittered clock has no other slope than its device's
// timer, and one slope for all steps costs nothing.
func commonSlopes(times []int64) (slopes [5]int64) {
	n := int64(len(times) - 1)
	span := times[n] - times[0]
	mean := (span + n/2) / n
	for i, unit := range [...]int64{1000, 100, 10, 1} {
		slopes[i] = codec.Slope((mean + unit/2) / unit * unit)
	}
	slopes[4] = codec.Slope(span) / n
	return slopes
}

// bestLine returns the slope that packs a step best.
func bestLine(run []int64, slopes [5]int64) (slope, least, width int64) {
	width = math.MaxInt64
	own := slopes[0]
	if n := int64(len(run) - 1); n > 0 {
		own = codec.Slope(run[n]-run[0]) / n
	}
	for _, s := range [...]int64{slopes[0], slopes[1], slopes[2], slopes[3], slopes[4], own} {
		var u [StepRows]int64
		distances(u[:len(run)], run, s)
		span := codec.SpanOf(u[:len(run)])
		if w := int64(span.BaseWidth()); w < width {
			slope, least, width = s, span.Min, w
		}
		if width == 0 {
			break
		}
	}
	return slope, least, width
}

func distances(u, run []int64, slope int64) {
	for i, ts := range run {
		u[i] = ts - run[0] - codec.Line(slope, i)
	}
}

// timesReader reads the instants of a row group's rows.
type timesReader struct {
	heads  timeHeads
	rows   int
	first  int64
	data   []byte          // packed steps
	start  [maxSteps]int   // of each in data
	ready  bool            // heads are read
	all    []int64         // all rows, if done; else of the steps known
	done   bool            //
	known  uint32          // a bit for each step in all
	step   [StepRows]int64 // rows of step cached
	cached int
}

func (t *timesReader) reset(first int64, rows int, b []byte) {
	t.first, t.rows, t.data = first, rows, b
	t.ready, t.done, t.known, t.cached = false, false, 0, -1
}

// open reads the heads.
func (t *timesReader) open() error {
	if t.ready {
		return nil
	}
	if t.rows == 1 {
		t.all = append(t.all[:0], t.first)
		t.ready, t.done = true, true
		return nil
	}
	c := codec.NewCursor(t.data)
	switch form := c.Byte(); form {
	case timesSteps:
		steps := stepsOf(t.rows)
		for _, head := range [...]*[maxSteps]int64{&t.heads.base, &t.heads.slope, &t.heads.least, &t.heads.width} {
			codec.ReadInts(&c, head[:steps])
		}
		rest := c.Rest()
		at := 0
		for k := range steps {
			w := t.heads.width[k]
			if w < 0 || w > 64 {
				return corruptf("times of width %d", w)
			}
			t.start[k] = at
			at += codec.PackedLen(min(StepRows, t.rows-k*StepRows), uint8(w))
		}
		if c.Err() == nil && at > len(rest) {
			return corruptf("times of %d bytes, %d there", at, len(rest))
		}
		t.data = rest
	case timesClock:
		t.all = slices.Grow(t.all[:0], t.rows)[:t.rows]
		codec.ReadClock(&c, t.all)
		t.done = true
	default:
		return corruptf("times of form %d", form)
	}
	if c.Err() != nil {
		t.done = false
		return corrupt("times", c.Err())
	}
	t.ready = true
	return nil
}

// at returns the instant of a row; open has succeeded.
func (t *timesReader) at(row int) int64 {
	if t.done {
		return t.all[row]
	}
	k, i := row/StepRows, row%StepRows
	u := codec.At(t.data[t.start[k]:], i, uint8(t.heads.width[k]))
	return t.origin(k) + codec.Line(t.heads.slope[k], i) + t.heads.least[k] + int64(u)
}

// origin returns the instant of row 0 of step k.
func (t *timesReader) origin(k int) int64 { return t.first + t.heads.base[k] }

// unpack fills dst with the instants of step k.
func (t *timesReader) unpack(k int, dst []int64) {
	codec.UnpackBase(dst, t.data[t.start[k]:], t.origin(k)+t.heads.least[k], uint8(t.heads.width[k]))
	slope := t.heads.slope[k]
	for i := range dst {
		dst[i] += codec.Line(slope, i)
	}
}

// times returns the instants of all rows.
func (t *timesReader) times() ([]int64, error) {
	_, err := t.timesOf(0, t.rows)
	t.done = err == nil
	return t.all, err
}

// timesOf returns the instants of rows [lo, hi).
func (t *timesReader) timesOf(lo, hi int) ([]int64, error) {
	if err := t.open(); err != nil {
		return nil, err
	}
	if t.done {
		return t.all[lo:hi], nil
	}
	if t.known == 0 {
		t.all = slices.Grow(t.all[:0], t.rows)[:t.rows]
	}
	for k := lo / StepRows; k*StepRows < hi; k++ {
		if t.known&(1<<k) == 0 {
			t.known |= 1 << k
			t.unpack(k, t.all[k*StepRows:min((k+1)*StepRows, t.rows)])
		}
	}
	return t.all[lo:hi], nil
}

// search returns the first row at or after ts.
func (t *timesReader) search(ts int64) (int, error) {
	if err := t.open(); err != nil {
		return 0, err
	}
	if t.done {
		i, _ := slices.BinarySearch(t.all, ts)
		return i, nil
	}
	k := 0 // the last step that begins before ts
	for lo, hi := 0, stepsOf(t.rows)-1; lo < hi; {
		mid := (lo + hi + 1) / 2
		if t.origin(mid) < ts {
			lo, k = mid, mid
		} else {
			hi = mid - 1
		}
	}
	run := t.step[:min(StepRows, t.rows-k*StepRows)]
	if t.cached != k {
		t.unpack(k, run)
		t.cached = k
	}
	i, _ := slices.BinarySearch(run, ts)
	return k*StepRows + i, nil
}
