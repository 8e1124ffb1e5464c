package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A replay is a subscription's wish to hear what lies behind a place.
type replay struct {
	spec *Spec
	page
	full  bool // there is more behind at
	err   error
	ended chan struct{}
}

// A page is what a subscription is told at once of what it missed.
type page struct {
	at      Place
	frames  []byte
	updates int
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

// read returns what spec is to be told of what lies behind the place at. It is all there is,
// up to what is visible now, unless it has filled a page or a pass.
func (x *replays) read(ctx context.Context, h *Hub, spec *Spec, at Place) (*page, error) {
	r := &replay{spec: spec, page: page{at: at}, ended: make(chan struct{})}
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
		h.passes.Add(1)
		p := pass{hub: h, views: make(map[topicKey][]*replayView)}
		p.run(waiting)
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
	replays []*replay
}

// errPassed ends a pass before the end of the log.
var errPassed = errors.New("subscriptions: enough was read")

func (p *pass) run(waiting []*replay) {
	from := waiting[0].at.log()
	for _, r := range waiting {
		from = min(from, r.at.log())
		p.add(r)
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
		err = errNotStarted
	case !errors.Is(err, errPassed):
		err = fmt.Errorf("%w: %w", ErrBehind, err)
	default:
		err = nil
	}
	for _, r := range waiting {
		if r.err = err; !r.full && err == nil {
			r.at = later(r.at, last)
		}
		close(r.ended)
	}
}

// add sorts a replay under its view.
func (p *pass) add(r *replay) {
	k := topicKey{r.spec.Tenant, r.spec.Entity}
	key := r.spec.viewKey()
	for _, v := range p.views[k] {
		if v.view.key == key {
			v.replays = append(v.replays, r)
			return
		}
	}
	p.views[k] = append(p.views[k], &replayView{view{key: key, keys: r.spec.Keys}, []*replay{r}})
}

func (p *pass) wants(t model.TenantID, e model.EntityID) bool {
	return p.views[topicKey{t, e}] != nil
}

// change tells a change to those who have not heard it.
func (p *pass) change(c *model.Change) error {
	b := &p.batch
	for _, v := range p.views[topicKey{c.Tenant, c.Entity}] {
		b.fill([]*model.Change{c}, &v.view)
		for _, r := range v.replays {
			if len(b.updates) == 0 || r.full || !r.at.Before(c.Position, c.Scope) {
				continue
			}
			before := len(r.frames)
			r.frames = r.spec.Encoder.Frame(r.frames, r.spec.ID, b.bodies)
			r.updates++
			p.bytes += len(r.frames) - before
			if len(r.frames) >= p.hub.options.Page {
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
