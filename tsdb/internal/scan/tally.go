package scan

import (
	"bytes"
	"context"
	"slices"
	"unsafe"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A part is what a series, or several, have in one bucket.
type part struct {
	start, end int64
	sum        summary.Summary
	texts      *texts // nil where no text counts
}

const partBytes = int64(unsafe.Sizeof(part{}))

// closePart keeps the current bucket as a part if there is something in it.
func (f *fold) closePart() {
	if f.sum.Count() > 0 {
		p := part{start: f.start, end: f.end, sum: f.sum}
		f.pending += partBytes
		if f.text && f.sum.Texts() > 0 {
			p.texts = f.texts.clone(&f.sum)
			f.pending += p.texts.size()
			f.held = true
		}
		f.parts = append(f.parts, p)
		if f.pending >= holdBytes {
			f.take()
		}
	}
}

// clone returns the texts that s, of the same bucket, leaves out.
func (t *texts) clone(s *summary.Summary) *texts {
	c := &texts{any: t.any}
	if t.any {
		c.min, c.max = bytes.Clone(t.min), bytes.Clone(t.max)
	}
	if s.First.Type.IsText() {
		c.first = bytes.Clone(t.first)
	}
	if s.Last.Type.IsText() {
		c.last = bytes.Clone(t.last)
	}
	return c
}

func (t *texts) size() int64 {
	return int64(unsafe.Sizeof(*t)) + int64(len(t.min)+len(t.max)+len(t.first)+len(t.last))
}

// A Tally adds series up, bucket by bucket, as if their points were those of one: exactly,
// for it adds summaries. It belongs to one goroutine. What it holds is taken of the memory
// of a call, until Yield.
type Tally struct {
	call  *Call
	cut   *bucket.Cutter
	want  model.Aggregates
	parts []part // ascending
	spare []part
	taken int64
}

// NewTally returns a Tally of the buckets of q.
func NewTally(c *Call, q *model.RangeQuery) (*Tally, error) {
	cut, err := bucket.New(q.From, q.To, q.Every)
	return &Tally{call: c, cut: cut, want: q.Aggregates}, err
}

// Tally adds series i to into[i], which is not nil, for each that has points in [q.From, q.To).
// The range of q may be a part of that of the tallies, as long as both cut at the same
// instants. turn is called before the first is added to, when all is read. Errors are as with
// Aggregate; with one but a *DamageError nothing was added.
func (s *Scanner) Tally(ctx context.Context, c *Call, q *model.RangeQuery, series []Series, into []*Tally, turn func() error) error {
	w := s.work(c)
	defer s.giveBack(w)
	w.apart = true
	if err := w.answer(ctx, q, series); err != nil {
		return err
	}
	if err := turn(); err != nil {
		return err
	}
	for i, f := range w.results[:len(series)] {
		if f != nil && len(f.parts) > 0 {
			if err := into[i].add(f.parts); err != nil {
				return err
			}
		}
	}
	return damageError(w.takeDamage())
}

// add adds the parts of one more series.
func (t *Tally) add(parts []part) error {
	fresh, at := 0, 0
	for i := range parts { // as a rule every bucket is there already
		if at = t.find(at, parts[i].start); at == len(t.parts) || parts[i].start < t.parts[at].start {
			fresh++
		}
	}
	if fresh > 0 {
		if err := t.hold(int64(fresh) * partBytes); err != nil {
			return err
		}
		t.makeRoom(parts, fresh)
	}
	at = 0
	for i := range parts {
		at = t.find(at, parts[i].start)
		if err := t.merge(&t.parts[at], &parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// find returns the first part from at on that does not end before ts.
func (t *Tally) find(at int, ts int64) int {
	for at < len(t.parts) && t.parts[at].end <= ts {
		at++
	}
	return at
}

// makeRoom puts empty parts where those of parts have no other yet.
func (t *Tally) makeRoom(parts []part, fresh int) {
	all := slices.Grow(t.spare[:0], len(t.parts)+fresh)
	have := t.parts
	for i := range parts {
		n := 0
		for n < len(have) && have[n].end <= parts[i].start {
			n++
		}
		all, have = append(all, have[:n]...), have[n:]
		if len(have) == 0 || parts[i].start < have[0].start {
			start, end := t.cut.Find(parts[i].start)
			all = append(all, part{start: start, end: end})
		}
	}
	all = append(all, have...)
	clear(t.parts)
	t.parts, t.spare = all, t.parts[:0]
}

// merge adds o to p. At equal instants what p has comes first.
func (t *Tally) merge(p, o *part) error {
	if o.texts != nil {
		if p.texts == nil {
			p.texts = &texts{}
		}
		before := p.texts.size()
		p.texts.beside(o.texts, &p.sum, &o.sum)
		if err := t.hold(p.texts.size() - before); err != nil {
			return err
		}
	}
	p.sum.MergeBeside(&o.sum)
	return nil
}

// beside takes in the texts of the same bucket of another series; s and o are the summaries
// of both.
func (t *texts) beside(other *texts, s, o *summary.Summary) {
	if other.any && (!t.any || bytes.Compare(other.min, t.min) < 0) {
		t.min = append(t.min[:0], other.min...)
	}
	if other.any && (!t.any || bytes.Compare(other.max, t.max) > 0) {
		t.max = append(t.max[:0], other.max...)
	}
	t.any = t.any || other.any
	if o.First.Type.IsText() && (s.First.Type == model.TypeNone || o.First.TS < s.First.TS) {
		t.first = append(t.first[:0], other.first...)
	}
	if o.Last.Type.IsText() && (s.Last.Type == model.TypeNone || o.Last.TS >= s.Last.TS) {
		t.last = append(t.last[:0], other.last...)
	}
}

func (t *Tally) hold(n int64) error {
	t.taken += n
	return t.call.hold(n)
}

// Yield calls yield with the buckets if there are any, and empties t.
func (t *Tally) Yield(yield func([]model.Bucket) error) error {
	defer t.Release()
	if len(t.parts) == 0 {
		return nil
	}
	size := int64(len(t.parts)) * bucketBytes
	if err := t.hold(size); err != nil {
		return err
	}
	if err := t.call.deliver(len(t.parts)); err != nil {
		return err
	}
	buckets := make([]model.Bucket, len(t.parts))
	for i := range t.parts {
		p, b := &t.parts[i], &buckets[i]
		b.From, b.To = p.start, p.end
		p.sum.Bucket(b, t.want)
		if p.texts != nil {
			p.texts.fill(b, &p.sum, t.want)
		}
	}
	return yield(buckets)
}

// Release gives the memory back.
func (t *Tally) Release() {
	t.call.letGo(t.taken)
	t.parts, t.spare, t.taken = nil, nil, 0
}
