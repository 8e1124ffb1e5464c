package scan

import (
	"context"

	"github.com/tidewire/tidewire/tsdb/internal/bucket"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

const (
	// denseRows is how many rows a bucket must have on average to be worth a summary of its
	// own: fewer are decoded and added one by one.
	denseRows = 4
	// fewCuts is up to how many edges are searched for one by one, which costs up to a
	// decoded step of timestamps each, before all timestamps are decoded.
	fewCuts = 16
	// fewCells is up to how many cells of the heads are woven into a row group that is not
	// decoded: each cuts a step in two.
	fewCells = 8
	// fewRowGroups is up to how many row groups no thought is given to reading less.
	fewRowGroups = 16
)

// A pass goes once through a part of the time of one group, for all columns wanted of it.
type pass struct {
	walk   rowWalk
	watch  watch
	series Series // with the group; its column does not matter
	cut    bucket.Cutter
	folds  []*fold

	more        bool  // the walk has a current row group
	first, last int64 // about between when the row groups lie
	paged       bool  // pages are worth reading
	page        rowgroup.PageReader
	rest        []*fold // which a page's summaries do not serve
	always      bool    // use pages whatever it is

	// Of the current row group:
	cutUp    bool          // lo, hi and segments are known
	lo, hi   int           // the rows in the range
	segments []segment     // these rows by bucket
	cells    column.Column // some of its rows
	looked   int           // points looked at, or summaries in their place
}

// A segment is the rows of the current row group in one bucket.
type segment struct {
	lo, hi     int
	start, end int64 // the bucket
}

// start opens the group of t and moves to its first row group. The walk is to be closed,
// whatever comes of it.
func (p *pass) start(t *task, cut *bucket.Cutter) (err error) {
	p.cut, p.folds, p.series = *cut, t.folds, t.series
	p.paged = false
	if err = p.walk.open(t.series.Source, t.series.Group, t.from, t.to, false); err != nil {
		return err
	}
	p.more, err = p.walk.first()
	return err
}

// estimate reports about how many row groups lie before the pass, sets first and last to
// between when, and whether most of them will fit into one bucket whole.
func (p *pass) estimate() (n int64, whole bool, err error) {
	w := &p.walk
	if !p.more {
		p.first, p.last = w.from, w.to-1
		return 0, false, nil
	}
	p.first, p.last = max(w.reader.First(), w.from), w.reader.Last()
	length := uint64(w.reader.Last() - w.reader.First() + 1)
	start, end := p.cut.Find(p.first)
	width := apart(start, end)
	if end < w.to { // the first bucket may be cut short
		width = max(width, apart(p.cut.Find(end)))
	}
	whole = width/2 > length
	if n := apart(p.first, w.to) / length; n < fewRowGroups && !p.always {
		p.last = w.to - 1
		return int64(n + 1), whole, nil
	}
	// The range may end long after the points do.
	first := w.reader.First()
	last, b, err := w.cursor.SeekLE(w.to - 1)
	if _, ok := asGap(err); ok {
		last, b, err = w.to-1, []byte{}, nil // as far as anybody knows
	}
	if err != nil {
		return 0, false, err
	}
	if b != nil {
		p.last = min(max(p.last, last), w.to-1)
	}
	if p.more, err = w.upper(first); err != nil {
		return 0, false, err
	}
	p.paged = whole || p.always
	return int64(apart(p.first, p.last)/length + 1), whole, nil
}

// apart returns to - from, which may be more than an int64 holds.
func apart(from, to int64) uint64 { return uint64(to) - uint64(from) }

// finish adds up what start began.
func (p *pass) finish(ctx context.Context) (err error) {
	if p.more && p.paged {
		err = p.finishPaged(ctx)
	} else {
		err = p.finishRows(ctx)
	}
	if err != nil {
		return err
	}
	for _, f := range p.folds {
		f.before(p.walk.to)
		f.close()
		if f.take(); f.err != nil {
			return f.err
		}
	}
	return p.watch.check(ctx)
}

func (p *pass) finishRows(ctx context.Context) (err error) {
	for ; p.more && err == nil; p.more, err = p.walk.next() {
		if err := p.watch.check(ctx); err != nil {
			return err
		}
		if err := p.rowGroup(); err != nil {
			return err
		}
	}
	return err
}

// run adds up the part of t, which begins and ends with a bucket of cut or with its range.
func (p *pass) run(ctx context.Context, t *task, cut *bucket.Cutter) (err error) {
	defer closing(&err, p.walk.close)
	if err := p.start(t, cut); err != nil {
		return err
	}
	if t.estimated {
		p.paged = t.paged
	} else if _, _, err := p.estimate(); err != nil {
		return err
	}
	return p.finish(ctx)
}

// rowGroup adds the current row group to all columns.
func (p *pass) rowGroup() error {
	p.fresh()
	for _, f := range p.folds {
		if err := p.foldGroup(f); err != nil {
			return err
		}
	}
	return nil
}

// fresh forgets what was worked out about the row group before.
func (p *pass) fresh() { p.cutUp = false }

// foldGroup adds the current row group to one column, as cheaply as what touches it and the
// edges of buckets allow.
func (p *pass) foldGroup(f *fold) error {
	r := &p.walk.reader
	if f.column >= r.Columns() {
		return nil
	}
	first, last := r.First(), r.Last()
	f.before(first)
	p.looked = 1
	var err error
	switch {
	case f.gone(max(first, p.walk.from), min(last, p.walk.to-1)):
	case f.touched(max(first, p.walk.from), min(last, p.walk.to-1)):
		err = p.foldTouched(f)
	case first >= p.walk.from && last < p.walk.to && f.fits(first, last):
		err = p.foldWhole(f)
	default:
		err = p.foldCut(f)
	}
	switch {
	case err != nil:
		return p.walk.wrap(err)
	case f.err != nil:
		return f.err
	}
	return p.watch.call.scan(p.looked)
}

// foldWhole adds the row group by its summary.
func (p *pass) foldWhole(f *fold) error {
	return p.addRows(f, 0, p.walk.reader.Rows())
}

// foldCut adds the row group bucket by bucket.
func (p *pass) foldCut(f *fold) error {
	if err := p.cutRows(); err != nil {
		return err
	}
	p.looked = p.hi - p.lo
	r := &p.walk.reader
	if p.hi-p.lo < denseRows*len(p.segments) {
		if err := p.decode(f, p.lo, p.hi); err != nil {
			return err
		}
		times, err := r.Times()
		if err != nil {
			return err
		}
		for _, s := range p.segments {
			f.enterBucket(s.start, s.end)
			f.addColumn(times[p.lo:], &p.cells, s.lo-p.lo, s.hi-p.lo)
		}
		return nil
	}
	for _, s := range p.segments {
		f.enterBucket(s.start, s.end)
		if err := p.addRows(f, s.lo, s.hi); err != nil {
			return err
		}
	}
	return nil
}

// foldTouched adds the row group's rows woven with the heads' and without what is deleted.
func (p *pass) foldTouched(f *fold) error {
	if err := p.cutRows(); err != nil || p.lo == p.hi {
		return err
	}
	p.looked = p.hi - p.lo
	times, err := p.walk.reader.Times()
	if err != nil {
		return err
	}
	decoded := f.memory.count(p.walk.reader.Last()+1) > fewCells
	if decoded {
		if err := p.decode(f, p.lo, p.hi); err != nil {
			return err
		}
	}
	return f.weave(times, p.lo, p.hi, func(lo, hi int) error {
		if decoded {
			f.addCells(times[p.lo:], &p.cells, lo-p.lo, hi-p.lo)
			return nil
		}
		for lo < hi {
			next := f.bucketEnd(times, lo, hi)
			if err := p.addRows(f, lo, next); err != nil {
				return err
			}
			lo = next
		}
		return nil
	})
}

// addRows adds rows [lo, hi) as they are; they lie in f's current bucket.
func (p *pass) addRows(f *fold, lo, hi int) error {
	fresh, texts := f.sum.Count() == 0, f.sum.Texts()
	if err := p.walk.reader.Aggregate(f.column, lo, hi, f.want, &f.sum); err != nil {
		return err
	}
	if !f.text || f.sum.Texts() == texts {
		return nil
	}
	if err := p.decode(f, lo, hi); err != nil {
		return err
	}
	f.texts.add(&p.cells, 0, hi-lo, fresh)
	return nil
}

// decode fills cells with rows [lo, hi).
func (p *pass) decode(f *fold, lo, hi int) error {
	p.cells.Reset()
	return p.walk.reader.Decode(f.column, lo, hi, &p.cells)
}

// cutRows finds the current row group's rows in the range and cuts them by bucket, once for
// all columns.
func (p *pass) cutRows() (err error) {
	if p.cutUp {
		return nil
	}
	r := &p.walk.reader
	if p.lo, p.hi, err = p.walk.clip(); err != nil {
		return err
	}
	p.cutUp, p.segments = true, p.segments[:0]
	if p.lo >= p.hi {
		p.lo = p.hi
		return nil
	}
	from, last := max(r.First(), p.walk.from), min(r.Last(), p.walk.to-1)
	start, end := p.cut.Find(from)
	if apart(from, last)/fewCuts < apart(start, end) {
		return p.searchCuts(start, end)
	}
	times, err := r.Times()
	if err != nil {
		return err
	}
	for lo := p.lo; lo < p.hi; {
		start, end := p.cut.Find(times[lo])
		hi := p.hi
		if times[hi-1] >= end {
			hi = lo + gallop(times[lo:hi], end)
		}
		p.segments = append(p.segments, segment{lo, hi, start, end})
		lo = hi
	}
	return nil
}

// searchCuts cuts the rows without decoding all their timestamps; [start, end) is the
// bucket in which they begin or a gap before them does.
func (p *pass) searchCuts(start, end int64) error {
	r := &p.walk.reader
	for lo := p.lo; lo < p.hi; {
		hi := p.hi
		if end <= r.Last() && end < p.walk.to {
			var err error
			if hi, err = r.Search(end); err != nil {
				return err
			}
		}
		if hi > lo {
			p.segments = append(p.segments, segment{lo, hi, start, end})
			lo = hi
		}
		if lo < p.hi {
			start, end = p.cut.Find(end)
		}
	}
	return nil
}
