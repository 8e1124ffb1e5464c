package scan

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
)

const (
	// shareCut and shareWhole are from how many row groups times columns on a query is
	// shared out: some hundred microseconds of work, against some ten for goroutines and
	// cursors. Whole row groups cost no more than the merge of a summary.
	shareCut   = 64
	shareWhole = 4096
	// maxShares bounds the goroutines, hence the cursors, of one query.
	maxShares = 4
	// sharesEach is into how many parts each goroutine's work is cut, so that a dense part
	// does not leave the others idle.
	sharesEach = 2
)

// A work is one aggregate query. It keeps its memory from one query to the next.
type work struct {
	call    *Call
	cut     *bucket.Cutter
	want    model.Aggregates
	tasks   []task
	results []*fold // by series; nil where there is none
	folds   pool[fold]
	passes  pool[pass]
	bounds  []int64
	apart   bool // folds keep parts
	always  bool // share whatever it is
}

// A task is a part of the time of one group.
type task struct {
	series   Series // its column does not matter
	from, to int64
	folds    []*fold

	estimated bool // it is known whether pages are worth reading
	paged     bool // they are
}

// run fills results.
func (w *work) run(ctx context.Context, series []Series, cut *bucket.Cutter, want model.Aggregates) (err error) {
	w.plan(series, cut, want)
	if len(w.tasks) == 0 {
		return nil
	}
	lo, hi, share, err := w.try(ctx)
	if err != nil {
		return err
	}
	if share > 1 {
		return w.share(ctx, share, lo, hi)
	}
	p := w.pass()
	for i := range w.tasks[1:] {
		if err := p.run(ctx, &w.tasks[1+i], cut); err != nil {
			return err
		}
	}
	return nil
}

// try does the first task, unless there is so much to do that several goroutines should:
// then it returns how many, and between when the points are.
func (w *work) try(ctx context.Context) (lo, hi int64, share int, err error) {
	p := w.pass()
	defer closing(&err, p.walk.close)
	if err := p.start(&w.tasks[0], w.cut); err != nil {
		return 0, 0, 0, err
	}
	n, whole, err := p.estimate()
	if err != nil {
		return 0, 0, 0, err
	}
	w.tasks[0].estimated, w.tasks[0].paged = true, p.paged
	enough := int64(shareCut)
	if whole {
		enough = shareWhole
	}
	switch {
	case w.always:
		return p.first, p.last, 2, nil
	case n*int64(len(w.results)) >= enough:
		if share = min(runtime.GOMAXPROCS(0), w.call.most()); share > 1 {
			return p.first, p.last, share, nil
		}
	}
	return 0, 0, 1, p.finish(ctx)
}

func (w *work) pass() *pass {
	p := w.passes.take()
	p.always = w.always
	p.watch.start(w.call)
	return p
}

// plan makes a task of each group, and a fold of each of its series.
func (w *work) plan(series []Series, cut *bucket.Cutter, want model.Aggregates) {
	w.cut, w.want, w.tasks = cut, want, w.tasks[:0]
	w.results = slices.Grow(w.results[:0], len(series))[:len(series)]
	clear(w.results)
	from, to := cut.Range()
	for i, s := range series {
		if s.Source == nil || w.results[i] != nil {
			continue
		}
		t := w.add(s, from, to)
		for j, other := range series[i:] {
			if other.Source == s.Source {
				f := w.folds.take()
				f.reset(w.call, other, cut, want, from, to)
				f.apart = w.apart
				w.results[i+j] = f
				t.folds = append(t.folds, f)
			}
		}
	}
}

// add adds a task; what it returns is to be filled before the next one is added.
func (w *work) add(s Series, from, to int64) *task {
	if len(w.tasks) < cap(w.tasks) {
		w.tasks = w.tasks[:len(w.tasks)+1]
	} else {
		w.tasks = append(w.tasks, task{})
	}
	t := &w.tasks[len(w.tasks)-1]
	*t = task{series: s, from: from, to: to, folds: t.folds[:0]}
	return t
}

// share works on the tasks with n goroutines. Are there few of them, each is cut into
// parts where a bucket begins between lo and hi, and the parts' buckets are put together.
func (w *work) share(ctx context.Context, n int, lo, hi int64) error {
	w.cutTasks(max(1, n*sharesEach/len(w.tasks)), lo, hi)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range n {
		p := w.pass()
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(w.tasks) {
					return nil
				}
				if err := p.run(ctx, &w.tasks[i], w.cut); err != nil {
					return err
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, f := range w.results {
		if f == nil {
			continue
		}
		for part := f.part; part != nil; part = part.part {
			f.buckets = append(f.buckets, part.buckets...)
			f.parts = append(f.parts, part.parts...)
			f.held = f.held || part.held
		}
	}
	return nil
}

func (w *work) cutTasks(parts int, lo, hi int64) {
	from, to := w.cut.Range()
	w.bounds = append(w.bounds[:0], from)
	for j := 1; j < parts; j++ {
		middle := lo + int64(apart(lo, hi)/uint64(parts)*uint64(j))
		if at, _ := w.cut.Find(middle); at > w.bounds[len(w.bounds)-1] {
			w.bounds = append(w.bounds, at)
		}
	}
	w.bounds = append(w.bounds, to)
	for i := range w.tasks {
		w.tasks[i].to = w.bounds[1]
		before := i
		for j := 1; j < len(w.bounds)-1; j++ {
			t := w.add(w.tasks[i].series, w.bounds[j], w.bounds[j+1])
			t.estimated, t.paged = w.tasks[i].estimated, w.tasks[i].paged
			for _, f := range w.tasks[before].folds {
				s := t.series
				s.Column = f.column
				f.part = w.folds.take()
				f.part.reset(w.call, s, w.cut, w.want, t.from, t.to)
				f.part.apart = w.apart
				t.folds = append(t.folds, f.part)
			}
			before = len(w.tasks) - 1
		}
	}
}

// takeDamage returns what the passes have noted, which they forget.
func (w *work) takeDamage() (all []Damage) {
	for _, p := range w.passes.taken() {
		all = p.walk.takeDamage(all)
	}
	return all
}

// release forgets what belongs to the caller and takes everything back.
func (w *work) release() {
	for _, f := range w.folds.taken() {
		f.release()
	}
	for i := range w.tasks {
		w.tasks[i].series = Series{}
		clear(w.tasks[i].folds)
	}
	for _, p := range w.passes.taken() {
		p.watch = watch{}
	}
	clear(w.results)
	w.cut, w.call, w.apart = nil, nil, false
	w.takeDamage()
	w.folds.giveBack()
	w.passes.giveBack()
}

// A pool lends values that keep their memory; all of them are given back at once.
type pool[T any] struct {
	all  []*T
	lent int
}

func (p *pool[T]) take() *T {
	if p.lent == len(p.all) {
		p.all = append(p.all, new(T))
	}
	p.lent++
	return p.all[p.lent-1]
}

func (p *pool[T]) taken() []*T { return p.all[:p.lent] }
func (p *pool[T]) giveBack()   { p.lent = 0 }
