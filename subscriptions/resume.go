package subscriptions

import (
	"context"
	"errors"
	"time"

	"github.com/tidewire/tidewire/model"
)

// The reasons why nobody can go on from a place. Whoever meets one has to subscribe anew.
var (
	// ErrBehind: the log does not reach back that far, or cannot be read there.
	ErrBehind = errors.New("subscriptions: the log does not reach back that far")
	// ErrAhead: the log has not come that far; the place is of another history of it.
	ErrAhead = errors.New("subscriptions: the log has not come that far")
)

// A Resumption says where a subscription goes on and how.
type Resumption struct {
	From Place
	// Pace waits until the reader has room for more. It is called without locks.
	Pace func(context.Context) error
	// Done makes the frame that follows the last of n updates that were missed: from there on,
	// which is at, the subscription is like any other.
	Done func(at Place, n int) []byte
	// Tell takes an update that a sink missed, from the goroutine that resumes. Nil means that the
	// sink is given frames with Open; a union needs it.
	Tell func(sink Sink, u *Update)
}

// Resume is Subscribe for somebody who has heard everything up to a place. In place of a first
// frame the sink is given what was missed, in order, read from the log: no update comes before
// all of it. Nothing of it is merged; a reader that takes it slowly is waited for by the caller.
//
// It fails with [ErrBehind] or [ErrAhead] where the log does not hold all that was missed. The
// sink may have been given a part by then, which is right as far as it goes.
func (h *Hub) Resume(ctx context.Context, spec Spec, sink Sink, how Resumption) (*Subscription, error) {
	if _, err := h.Reader(); err != nil {
		return nil, err
	}
	s := &Subscription{spec: spec, sink: sink, join: new(join)}
	h.enter(s)
	r := resuming{hub: h, subs: []*Subscription{s}, how: how, at: how.From}
	if err := r.resume(ctx); err != nil {
		h.Unsubscribe(s)
		return nil, err
	}
	h.resumed.Add(1)
	return s, nil
}

// A resuming is a subscription, or a union, on its way from its place into the stream.
type resuming struct {
	hub  *Hub
	subs []*Subscription
	how  Resumption
	at   Place
	n    int // updates told
}

// resume tells what was missed until nothing is missing.
func (r *resuming) resume(ctx context.Context) error {
	if err := r.hub.reach(ctx, r.at.Position); err != nil {
		return err
	}
	for range 4 {
		if err := r.catchUp(ctx); err != nil {
			return err
		}
		o := Opening{base: r.at.Position, Frame: r.how.Done(r.at, r.n)}
		for scope := range o.after {
			o.after[scope] = r.at.Position
			if r.at.Before(r.at.Position, model.Scope(scope)) {
				o.after[scope]-- // there may be more at that position
			}
		}
		if r.open(&o) {
			return nil
		}
	}
	return errBusy
}

// catchUp tells what was missed up to what is visible when it begins.
func (r *resuming) catchUp(ctx context.Context) error {
	visible := r.hub.reader.Position()
	for _, s := range r.subs {
		last, err := r.hub.lastOf(ctx, &s.spec)
		if err != nil {
			return err
		}
		// The engine may have asked whether anybody wants a change before s was registered, and
		// show it in its log only later: what is read has to reach what the entity shows.
		for r.at.misses(&last) {
			page, err := r.hub.replays.read(ctx, r.hub, r.subs, r.how.Tell != nil, r.at)
			if err != nil {
				return err
			}
			r.at, r.n = page.at, r.n+page.updates
			if page.updates > 0 {
				r.tell(page)
				err = r.how.Pace(ctx)
			} else if r.at.misses(&last) {
				err = pause(ctx)
			}
			if err != nil {
				return err
			}
		}
	}
	r.at = later(r.at, through(visible))
	return nil
}

func (r *resuming) tell(p *page) {
	if len(p.frames) > 0 {
		r.subs[0].sink.Open(r.subs[0], p.frames)
	}
	for i := range p.missed {
		m := &p.missed[i]
		r.how.Tell(m.sub.sink, &m.update)
	}
}

// open lets all hear what is new at one moment. It reports false when some have not collected
// all that was published.
func (r *resuming) open(o *Opening) bool {
	if len(r.subs) > 1 {
		ordered := r.hub.ordered
		ordered.turn.Lock()
		defer ordered.turn.Unlock()
		whole := true
		for _, s := range r.subs {
			whole = s.topic.collectsAll(s) && whole
		}
		if !whole {
			return false
		}
	}
	for _, s := range r.subs {
		if !s.topic.open(s, o) { // one alone: all of several have collected everything
			return false
		}
	}
	return true
}

// reach waits until the log shows position p. Who was told of it may be back before it does,
// but hardly: it shows a group of entries when it has told all of them.
func (h *Hub) reach(ctx context.Context, p model.Position) error {
	for range 100 {
		if h.reader.Position() >= p {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return ErrAhead
}

// lasts are positions up to which the scopes of an entity show everything; zero for those
// nobody asks for.
type lasts [model.State + 1]model.Position

// lastOf returns what the entity of a subscription shows now.
func (h *Hub) lastOf(ctx context.Context, spec *Spec) (l lasts, err error) {
	for scope := range l {
		if !spec.Scopes.Has(model.Scope(scope)) {
			continue
		}
		snap, err := h.reader.Latest(ctx, spec.Tenant, spec.Entity, model.Scope(scope), []string{})
		if err != nil {
			return l, err
		}
		l[scope] = snap.Position
	}
	return l, nil
}

// misses reports whether something the entity shows may lie behind the place.
func (x Place) misses(l *lasts) bool {
	for scope, p := range l {
		if p > 0 && x.Before(p, model.Scope(scope)) {
			return true
		}
	}
	return false
}

// pause waits for what the engine will show in a moment.
func pause(ctx context.Context) error {
	select {
	case <-time.After(followPause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
