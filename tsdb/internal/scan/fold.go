package scan

import (
	"bytes"
	"unsafe"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A fold adds up one column, in ascending order of time, and closes a bucket when the next
// one begins.
type fold struct {
	column int
	cut    bucket.Cutter
	memory memory
	hidden []span
	want   model.Aggregates
	text   bool // texts count: MIN, MAX, FIRST or LAST is wanted

	sum        summary.Summary
	start, end int64 // the bucket sum is of
	texts      texts
	buckets    []model.Bucket
	parts      []part           // in place of buckets, when the series is added to others
	apart      bool             // parts are asked for
	held       bool             // buckets or parts hold text
	filled     model.Aggregates // what buckets' memory may have of a query before

	call    *Call
	taken   int64 // bytes of memory the buckets have of the call's
	pending int64 // bytes not yet asked for
	err     error // the call has no more

	part *fold // goes on with the same series where this one's time ends
}

// texts is what summaries do not hold: the text of a bucket.
type texts struct {
	any         bool // min and max are set
	min, max    []byte
	first, last []byte
}

func (f *fold) reset(c *Call, s Series, cut *bucket.Cutter, want model.Aggregates, from, to int64) {
	f.column, f.cut, f.part = s.Column, *cut, nil
	f.call, f.taken, f.pending, f.err = c, 0, 0, nil
	f.memory.reset(s.Source.Heads(), s.Column, from, to, false)
	f.hidden = hiddenSpans(f.hidden, s.Source.Deleted(), s.Column, from, to)
	f.want = want
	f.text = want&(model.Min|model.Max|model.First|model.Last) != 0
	f.sum, f.start, f.end = summary.Summary{}, from, from
	f.texts.any = false
	f.buckets, f.parts, f.apart = f.buckets[:0], f.parts[:0], false
	if f.filled&^want != 0 { // what is not wanted is never written, so it stays empty
		clear(f.buckets[:cap(f.buckets)])
	}
	f.filled = want
}

// keptBuckets is up to how many buckets' memory is kept for the next query.
const keptBuckets = 16 << 10

// release forgets what belongs to the caller.
func (f *fold) release() {
	if cap(f.buckets) > keptBuckets {
		f.buckets = nil
	}
	if cap(f.parts) > keptBuckets {
		f.parts = nil
	}
	if f.held {
		clear(f.buckets[:cap(f.buckets)])
		clear(f.parts[:cap(f.parts)])
		f.held = false
	}
	f.call.letGo(f.taken)
	f.call, f.err = nil, nil
	f.memory.release()
	f.part = nil
}

// enter makes the bucket of ts the current one.
func (f *fold) enter(ts int64) {
	if ts >= f.end {
		f.close()
		f.start, f.end = f.cut.Find(ts)
	}
}

// enterBucket makes [start, end) the current bucket.
func (f *fold) enterBucket(start, end int64) {
	if start >= f.end {
		f.close()
		f.start, f.end = start, end
	}
}

// close delivers the current bucket if there is something in it.
func (f *fold) close() {
	if f.apart {
		f.closePart()
	} else if f.sum.Count() > 0 {
		if n := len(f.buckets); n < cap(f.buckets) {
			f.buckets = f.buckets[:n+1]
		} else {
			f.buckets = append(f.buckets, model.Bucket{})
		}
		b := &f.buckets[len(f.buckets)-1]
		b.From, b.To = f.start, f.end
		f.sum.Bucket(b, f.want) // sets all the rest
		f.pending += bucketBytes
		if f.text && f.sum.Texts() > 0 {
			f.pending += int64(f.texts.fill(b, &f.sum, f.want))
			f.held = true
		}
		if f.pending >= holdBytes {
			f.take()
		}
	}
	f.sum = summary.Summary{}
	f.texts.any = false
}

const (
	bucketBytes = int64(unsafe.Sizeof(model.Bucket{}))
	// holdBytes is how much memory a fold takes at a time.
	holdBytes = 64 << 10
)

// take takes what the buckets need of the call's memory.
func (f *fold) take() {
	if err := f.call.hold(f.pending); err != nil && f.err == nil {
		f.err = err
	}
	f.taken += f.pending
	f.pending = 0
}

// before adds what the heads have before ts. It stops when the call has no memory left.
func (f *fold) before(ts int64) {
	for f.memory.ok && f.memory.ts < ts && f.err == nil {
		if times, col, ok := f.memory.run(ts); ok {
			f.addCells(times, col, 0, len(times))
			if canary.Planted(canary.HeadTwice) {
				f.addCells(times, col, 0, len(times))
			}
			continue
		}
		f.addMemory()
	}
}

// addMemory adds the heads' current cell and moves on.
func (f *fold) addMemory() {
	col, row := f.memory.cell()
	if t := col.Types[row]; t != model.TypeNull {
		f.enter(f.memory.ts)
		if f.text && t.IsText() {
			f.texts.add(col, row, row+1, f.sum.Count() == 0)
		}
		f.sum.AddCell(f.memory.ts, t, col.Bits[row])
	}
	f.memory.next()
}

// addCells adds rows [lo, hi), which have times.
func (f *fold) addCells(times []int64, col *column.Column, lo, hi int) {
	for lo < hi && f.err == nil {
		next := f.bucketEnd(times, lo, hi)
		f.addColumn(times, col, lo, next)
		lo = next
	}
}

// bucketEnd makes the bucket of row lo the current one and returns where its rows end, at
// hi at the latest.
func (f *fold) bucketEnd(times []int64, lo, hi int) int {
	f.enter(times[lo])
	if times[hi-1] < f.end {
		return hi
	}
	return lo + gallop(times[lo:hi], f.end)
}

// addColumn adds rows [lo, hi), which have times and lie in the current bucket.
func (f *fold) addColumn(times []int64, col *column.Column, lo, hi int) {
	fresh, before := f.sum.Count() == 0, f.sum.Texts()
	f.sum.AddColumn(times, col, lo, hi)
	if f.text && f.sum.Texts() != before {
		f.texts.add(col, lo, hi, fresh)
	}
}

// touched reports whether something in the heads or a delete changes what a row group holds
// in [first, last]. What the heads have before must have been added.
func (f *fold) touched(first, last int64) bool {
	return f.memory.ok && f.memory.ts <= last || len(f.hidden) > 0 && len(overlap(f.hidden, first, last)) > 0
}

// gone reports whether a delete hides all that row groups hold in [first, last], and nothing
// in the heads lies there. What the heads have before must have been added.
func (f *fold) gone(first, last int64) bool {
	return len(f.hidden) > 0 && (!f.memory.ok || f.memory.ts > last) && within(f.hidden, first, last)
}

// fits reports whether [first, last] lies in one bucket, and makes that the current one.
func (f *fold) fits(first, last int64) bool {
	f.enter(first)
	return last < f.end
}

// weave calls add for those of rows [lo, hi), which have times, that are neither deleted
// nor replaced, and adds the heads' cells where they fall up to the last row.
func (f *fold) weave(times []int64, lo, hi int, add func(lo, hi int) error) error {
	hidden := overlap(f.hidden, times[lo], times[hi-1])
	for lo < hi {
		next := hi // of a run that is not deleted
		if len(hidden) > 0 {
			if h := hidden[0]; times[lo] >= h.from {
				lo += lowerBound(times[lo:hi], h.to)
				hidden = hidden[1:]
				continue
			}
			next = lo + lowerBound(times[lo:hi], hidden[0].from)
		}
		for lo < next {
			if !f.memory.ok || f.memory.ts > times[next-1] {
				if err := add(lo, next); err != nil {
					return err
				}
				lo = next
				break
			}
			at := lo + gallop(times[lo:next], f.memory.ts)
			if err := add(lo, at); err != nil {
				return err
			}
			if at < next && times[at] == f.memory.ts {
				at++ // the heads' cell is the one
			}
			f.addMemory()
			lo = at
		}
	}
	return nil
}

// add takes in the texts of rows [lo, hi); fresh says that the bucket was empty so far.
func (t *texts) add(col *column.Column, lo, hi int, fresh bool) {
	for i := lo; i < hi; i++ {
		typ := col.Types[i]
		if typ <= model.TypeNull {
			continue
		}
		if fresh && typ.IsText() {
			t.first = append(t.first[:0], col.TextAt(i)...)
		}
		fresh = false
		if typ != model.TypeString {
			continue
		}
		text := col.TextAt(i)
		switch {
		case !t.any:
			t.any = true
			t.min, t.max = append(t.min[:0], text...), append(t.max[:0], text...)
		case bytes.Compare(text, t.min) < 0:
			t.min = append(t.min[:0], text...)
		case bytes.Compare(text, t.max) > 0:
			t.max = append(t.max[:0], text...)
		}
	}
	for i := hi - 1; i >= lo; i-- {
		if typ := col.Types[i]; typ > model.TypeNull {
			if typ.IsText() {
				t.last = append(t.last[:0], col.TextAt(i)...)
			}
			return
		}
	}
}

// fill puts the texts that want has into b where its summary s leaves them out, and returns
// their bytes.
func (t *texts) fill(b *model.Bucket, s *summary.Summary, want model.Aggregates) (n int) {
	bounds := t.any && s.NeedsText()
	if bounds && want.Has(model.Min) {
		b.Min = model.String(string(t.min))
		n += len(t.min)
	}
	if bounds && want.Has(model.Max) {
		b.Max = model.String(string(t.max))
		n += len(t.max)
	}
	if want.Has(model.First) && s.First.Type.IsText() {
		b.First.Value = textOf(s.First.Type, t.first)
		n += len(t.first)
	}
	if want.Has(model.Last) && s.Last.Type.IsText() {
		b.Last.Value = textOf(s.Last.Type, t.last)
		n += len(t.last)
	}
	return n
}

func textOf(t model.Type, text []byte) model.Value {
	if t == model.TypeJSON {
		return model.JSON(string(text))
	}
	return model.String(string(text))
}
