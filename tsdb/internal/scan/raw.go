package scan

import (
	"context"
	"errors"
	"math"
	"slices"
	"unsafe"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// Raw calls yield with the points of each series in [q.From, q.To), one series after the
// other, i being its index; a series may need several calls or none. Points ascend in time,
// or descend when q.Descending; there are at most q.Limit of a series, and at most
// [PagePoints] and about [pageText] bytes of text in a call. Nulls are left out. The slice is
// reused when yield returns, the text in it is not. An error of yield, of ctx or of c's budget
// ends the read; what is damaged is stepped over and told at the end by a *DamageError.
func (s *Scanner) Raw(ctx context.Context, c *Call, q *model.RangeQuery, series []Series, yield func(i int, points []model.Point) error) error {
	r, ok := s.raws.Get().(*rawScan)
	if !ok {
		r = &rawScan{points: make([]model.Point, 0, PagePoints)}
	}
	defer func() {
		r.release()
		s.raws.Put(r)
	}()
	from, to := Range(q)
	r.watch.start(c)
	for i, one := range series {
		if one.Source == nil {
			continue
		}
		r.limit = q.Limit
		if q.Limit <= 0 {
			r.limit = math.MaxInt
		}
		r.index, r.yield = i, yield
		if err := r.read(ctx, one, from, to, q.Descending); err != nil {
			return err
		}
	}
	return damageError(r.walk.takeDamage(nil))
}

// pageText is from how much text on a call of Raw's yield is made: a value may have a
// mebibyte, and a page a thousand values.
const pageText = 256 << 10

// A rawScan reads one series at a time.
type rawScan struct {
	walk   rowWalk
	watch  watch
	memory memory
	hidden []span
	cells  column.Column // decoded rows
	points []model.Point // the page being filled
	text   []byte        // holds the text of points; never written where it was filled
	kept   int           // bytes of text of points
	down   bool
	met    int // cells of the heads not accounted for

	index int
	limit int // points still wanted
	yield func(int, []model.Point) error
}

// errEnough ends a read whose limit is met.
var errEnough = errors.New("scan: limit met")

// release forgets what belongs to the caller.
func (r *rawScan) release() {
	if r.text != nil { // else no point has held any
		clear(r.points[:cap(r.points)])
	}
	r.points, r.text, r.kept, r.yield = r.points[:0], nil, 0, nil
	r.watch = watch{}
	r.memory.release()
	r.walk.takeDamage(nil)
}

func (r *rawScan) read(ctx context.Context, s Series, from, to int64, down bool) (err error) {
	r.down = down
	r.memory.reset(s.Source.Heads(), s.Column, from, to, down)
	r.hidden = hiddenSpans(r.hidden, s.Source.Deleted(), s.Column, from, to)
	if err := r.walk.open(s.Source, s.Group, from, to, down); err != nil {
		return err
	}
	defer closing(&err, r.walk.close)

	switch err := r.walkRows(ctx, s.Column); {
	case errors.Is(err, errEnough):
	case err != nil:
		return err
	}
	return r.flush()
}

func (r *rawScan) walkRows(ctx context.Context, c int) error {
	ok, err := r.walk.first()
	for ; ok && err == nil; ok, err = r.walk.next() {
		if err := r.watch.check(ctx); err != nil {
			return err
		}
		if err := r.rowGroup(c); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	for r.memory.ok {
		if err := r.addMemory(); err != nil {
			return err
		}
	}
	return nil
}

// rowGroup adds the current row group's rows, woven with the heads' up to its far end.
func (r *rawScan) rowGroup(c int) error {
	reader := &r.walk.reader
	if c >= reader.Columns() {
		return nil // the heads' rows within its span are met later, still in order
	}
	if within(r.hidden, max(reader.First(), r.walk.from), min(reader.Last(), r.walk.to-1)) {
		return nil // likewise
	}
	lo, hi, err := r.walk.clip()
	if err != nil || lo >= hi {
		return err
	}
	// What lies in memory before the row group may be all that is wanted.
	near := reader.First()
	if r.down {
		near = reader.Last()
	}
	if err := r.addMemoryBefore(near); err != nil {
		return err
	}
	for lo < hi {
		a, b := lo, hi
		if r.down {
			a = max(lo, (hi-1)/rowgroup.StepRows*rowgroup.StepRows-r.ahead())
		} else {
			b = min(hi, lo/rowgroup.StepRows*rowgroup.StepRows+rowgroup.StepRows+r.ahead())
		}
		if err := r.watch.call.scan(b - a); err != nil {
			return err
		}
		r.cells.Reset()
		if err := reader.Decode(c, a, b, &r.cells); err != nil {
			return r.walk.wrap(err)
		}
		if slices.Max(r.cells.Types) > model.TypeNull {
			times, err := reader.TimesOf(a, b)
			if err != nil {
				return r.walk.wrap(err)
			}
			if err := r.addRows(times); err != nil {
				return err
			}
		}
		if r.down {
			hi = a
		} else {
			lo = b
		}
	}
	return nil
}

// ahead returns how many rows beyond the next step to decode at once: whole steps, and no
// more than are wanted.
func (r *rawScan) ahead() int {
	return min(r.limit, PagePoints) / rowgroup.StepRows * rowgroup.StepRows
}

// addRows adds the decoded rows, which have times, woven with the heads'.
func (r *rawScan) addRows(times []int64) error {
	hidden := overlap(r.hidden, times[0], times[len(times)-1])
	for n := range times {
		i := n
		if r.down {
			i = len(times) - 1 - n
		}
		ts := times[i]
		if r.memory.ok && r.memory.ts != ts {
			if err := r.addMemoryBefore(ts); err != nil {
				return err
			}
		}
		if r.memory.ok && r.memory.ts == ts {
			if err := r.addMemory(); err != nil {
				return err
			}
			continue
		}
		if r.cells.Types[i] <= model.TypeNull || covers(hidden, ts) {
			continue
		}
		if err := r.add(ts, &r.cells, i); err != nil {
			return err
		}
	}
	return nil
}

// addMemoryBefore adds the heads' cells that are met before ts.
func (r *rawScan) addMemoryBefore(ts int64) error {
	for r.memory.ok && r.memory.ts != ts && (r.memory.ts < ts) != r.down {
		if err := r.addMemory(); err != nil {
			return err
		}
	}
	return nil
}

// addMemory adds the heads' current cell and moves on.
func (r *rawScan) addMemory() error {
	if r.met++; r.met == PagePoints {
		r.met = 0
		if err := r.watch.call.scan(PagePoints); err != nil {
			return err
		}
	}
	col, row := r.memory.cell()
	ts := r.memory.ts
	if col.Types[row] != model.TypeNull {
		if err := r.add(ts, col, row); err != nil {
			return err
		}
	}
	r.memory.next()
	return nil
}

// add adds one point and reports errEnough when it was the last one wanted.
func (r *rawScan) add(ts int64, col *column.Column, i int) error {
	v := col.View(i)
	if v.Type().IsText() {
		text := r.keep(col.TextAt(i))
		if v = model.String(text); col.Types[i] == model.TypeJSON {
			v = model.JSON(text)
		}
	}
	r.points = append(r.points, model.Point{TS: ts, Value: v})
	r.limit--
	if len(r.points) == PagePoints || r.kept >= pageText {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.limit == 0 {
		return errEnough
	}
	return nil
}

// keep copies text to where nobody writes again: into the free end of a buffer which is
// left to its readers when it is full.
func (r *rawScan) keep(text []byte) string {
	if cap(r.text)-len(r.text) < len(text) {
		r.text = make([]byte, 0, max(4096, len(text)))
	}
	r.kept += len(text)
	n := len(r.text)
	r.text = append(r.text, text...)
	kept := r.text[n:]
	return unsafe.String(unsafe.SliceData(kept), len(kept))
}

func (r *rawScan) flush() error {
	if len(r.points) == 0 {
		return nil
	}
	if err := r.watch.call.deliver(len(r.points)); err != nil {
		return err
	}
	r.watch.pause()
	err := r.yield(r.index, r.points)
	r.points, r.kept = r.points[:0], 0
	r.watch.resume()
	return err
}

// covers reports whether ts lies in one of spans.
func covers(spans []span, ts int64) bool {
	for _, s := range spans {
		if s.from <= ts && ts < s.to {
			return true
		}
	}
	return false
}
