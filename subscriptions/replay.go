package subscriptions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A replay is the wish to hear what lies behind a place: of a subscription or of a union.
type replay struct {
	subs []*Subscription
	keep bool // updates in place of frames
	page
	bytes int
	full  bool // there is more behind at
	err   error
	ended chan struct{}
}

// A page is what somebody is told at once of what was missed.
type page struct {
	at      Place
	frames  []byte
	updates int
	missed  []missed // in place of frames
}

// A missed update is one that a subscription did not hear.
type missed struct {
	sub    *Subscription
	update Update
}

// replays reads the log for those who resume. All that wait are served by one reading of it, a
// pass, and those that come meanwhile by the next: after an outage thousands come at once, and
// the log is not read for each of them. Its goroutine exists while somebody waits.
type replays struct {
	mu struct {
		sync.Mutex
		waiting []*replay
		running bool
		ended   bool
	}
	done sync.WaitGroup
}

// read returns what subs are to be told of what lies behind the place at. It is all there is,
// up to what is visible now, unless it has filled a page or a pass.
func (x *replays) read(ctx context.Context, h *Hub, subs []*Subscription, keep bool, at Place) (*page, error) {
	r := &replay{subs: subs, keep: keep, page: page{at: at}, ended: make(chan struct{})}
	if !x.enqueue(h, r) {
		return nil, errNotStarted
	}
	select {
	case <-r.ended:
		return &r.page, r.err
	case <-ctx.Done(): // nobody looks at r any more
		return nil, ctx.Err()
	}
}

func (x *replays) enqueue(h *Hub, r *replay) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mu.ended {
		return false
	}
	x.mu.waiting = append(x.mu.waiting, r)
	if !x.mu.running {
		x.mu.running = true
		x.done.Go(func() { x.run(h) })
	}
	return true
}

// end waits for the pass in progress, which the context of the hub has ended.
func (x *replays) end() {
	x.mu.Lock()
	x.mu.ended = true
	x.mu.Unlock()
	x.done.Wait()
}

// run is the goroutine: pass after pass, while somebody waits.
func (x *replays) run(h *Hub) {
	for {
		x.mu.Lock()
		waiting := x.mu.waiting
		x.mu.waiting = nil
		x.mu.running = len(waiting) > 0
		x.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		h.serve(waiting)
	}
}

// serve reads the log for all of waiting. Where it does not reach back far enough for some, the
// others are served without them.
func (h *Hub) serve(waiting []*replay) {
	h.passes.Add(1)
	p := pass{hub: h, views: make(map[topicKey][]*replayView)}
	err := p.run(waiting)
	if errors.Is(err, ErrBehind) {
		slices.SortFunc(waiting, func(a, b *replay) int { return cmp.Compare(a.at.log(), b.at.log()) })
		middle := waiting[len(waiting)/2].at.log()
		if middle == waiting[0].at.log() {
			middle++
		}
		n, _ := slices.BinarySearchFunc(waiting, middle, func(r *replay, p model.Position) int { return cmp.Compare(r.at.log(), p) })
		if n < len(waiting) {
			h.serve(waiting[:n])
			h.serve(waiting[n:])
			return
		}
	}
	for _, r := range waiting {
		r.err = err
		close(r.ended)
	}
}

// A pass is one reading of the log.
type pass struct {
	hub   *Hub
	views map[topicKey][]*replayView
	open  int // replays that take more
	bytes int
	batch batch
}

// A replayView is those of one view: their bodies are the same.
type replayView struct {
	view    view
	members []replayMember
}

type replayMember struct {
	*replay
	sub *Subscription
}

// errPassed ends a pass before the end of the log.
var errPassed = errors.New("subscriptions: enough was read")

// run fills the pages of waiting. They are as they were when it fails.
func (p *pass) run(waiting []*replay) error {
	from := waiting[0].at.log()
	begin := make([]Place, len(waiting))
	for i, r := range waiting {
		begin[i] = r.at
		from = min(from, r.at.log())
		for _, s := range r.subs {
			p.add(replayMember{r, s})
		}
	}
	p.open = len(waiting)
	var last Place
	reached, err := p.hub.reader.FollowSome(p.hub.ctx, from, p.wants, func(c *model.Change) error {
		last = Place{c.Position, c.Scope}
		return p.change(c)
	})
	switch {
	case err == nil:
		last = later(last, through(reached))
	case p.hub.ctx.Err() != nil:
		return errNotStarted
	case !errors.Is(err, errPassed):
		for i, r := range waiting {
			r.page, r.bytes, r.full = page{at: begin[i]}, 0, false
		}
		return fmt.Errorf("%w: %w", ErrBehind, err)
	}
	for _, r := range waiting {
		if !r.full {
			r.at = later(r.at, last)
		}
	}
	return nil
}

// add sorts a subscription that resumes under its view.
func (p *pass) add(m replayMember) {
	spec := &m.sub.spec
	k := topicKey{spec.Tenant, spec.Entity}
	key := spec.viewKey()
	for _, v := range p.views[k] {
		if v.view.key == key {
			v.members = append(v.members, m)
			return
		}
	}
	p.views[k] = append(p.views[k], &replayView{view{key: key, keys: spec.Keys}, []replayMember{m}})
}

func (p *pass) wants(t model.TenantID, e model.EntityID) bool {
	return p.views[topicKey{t, e}] != nil
}

// change tells a change to those who have not heard it.
func (p *pass) change(c *model.Change) error {
	b := &p.batch
	for _, v := range p.views[topicKey{c.Tenant, c.Entity}] {
		b.fill([]*model.Change{c}, &v.view)
		for _, m := range v.members {
			r := m.replay
			if len(b.updates) == 0 || r.full || !r.at.Before(c.Position, c.Scope) {
				continue
			}
			n := r.add(m.sub, b)
			r.bytes += n
			p.bytes += n
			if r.bytes >= p.hub.options.Page {
				r.full, r.at = true, Place{c.Position, c.Scope}
				p.open--
			}
		}
	}
	b.of = nil
	if p.open == 0 || p.bytes >= p.hub.options.Pass {
		return errPassed
	}
	return p.hub.ctx.Err()
}

// add adds the update in b to what s is told and returns how many bytes that takes.
func (r *replay) add(s *Subscription, b *batch) int {
	r.updates++
	if !r.keep {
		before := len(r.frames)
		r.frames = s.spec.Encoder.Frame(r.frames, s.spec.ID, b.bodies)
		return len(r.frames) - before
	}
	u := b.updates[0]
	u.Points = slices.Clone(u.Points)
	r.missed = append(r.missed, missed{s, u})
	n := 128
	for i := range u.Points {
		n += 64 + len(u.Points[i].Value.Text())
	}
	return n
}
