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
	h.shard(spec.Entity).enter(s)
	h.count.Add(1)
	err := h.resume(ctx, s, how)
	if err != nil {
		h.Unsubscribe(s)
		return nil, err
	}
	h.resumed.Add(1)
	return s, nil
}

// resume tells s what was missed until nothing is missing.
func (h *Hub) resume(ctx context.Context, s *Subscription, how Resumption) error {
	at, n := how.From, 0
	if err := h.reach(ctx, at.Position); err != nil {
		return err
	}
	for range 4 {
		visible := h.reader.Position()
		last, err := h.lastOf(ctx, &s.spec)
		if err != nil {
			return err
		}
		// The engine may have asked whether anybody wants a change before s was registered, and
		// show it in its log only later: what is read has to reach what the entity shows.
		for at.misses(&last) {
			page, err := h.replays.read(ctx, h, &s.spec, at)
			if err != nil {
				return err
			}
			at, n = page.at, n+page.updates
			if len(page.frames) > 0 {
				s.sink.Open(s, page.frames)
				err = how.Pace(ctx)
			} else if at.misses(&last) {
				err = pause(ctx)
			}
			if err != nil {
				return err
			}
		}
		at = later(at, through(visible))
		o := Opening{base: at.Position, Frame: how.Done(at, n)}
		for scope := range o.after {
			o.after[scope] = at.Position
			if at.Before(at.Position, model.Scope(scope)) {
				o.after[scope]-- // there may be more at that position
			}
		}
		if s.topic.open(s, &o) {
			return nil
		}
	}
	return errBusy
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
