package ws

import (
	"context"
	"errors"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// Why a client that wanted to go on has to begin anew.
const (
	resyncTooOld   = "TOO_OLD"  // the log does not reach back that far
	resyncRestored = "RESTORED" // the position is of another history: a backup was restored
	resyncChanged  = "CHANGED"  // the position is of a query that followed something else
)

// encoder returns what makes the frames of a command's subscription.
func (s *session) encoder(c *thingsboard.WSCommand) (encoder, error) {
	if !c.Positions {
		return encoder{strict: c.Strict}, nil
	}
	r, err := s.hub().Reader()
	if err != nil {
		return encoder{}, err
	}
	return encoder{epoch: r.Epoch(), strict: c.Strict}, nil
}

// resumption reads where a command wants to go on: none where it does not, or cannot for the
// reason returned.
func (s *session) resumption(c *thingsboard.WSCommand) (from subscriptions.Place, resync string, err error) {
	if c.Resume == "" {
		return from, "", nil
	}
	r, err := s.hub().Reader()
	if err != nil {
		return from, "", err
	}
	p, err := parsePosition(c.Resume)
	switch {
	case err != nil:
		return from, "", err
	case p.query:
		return from, "", model.Invalidf("resume is a position of a query: %.64q", c.Resume)
	case p.epoch != r.Epoch():
		return from, resyncRestored, nil
	}
	return p.at, "", nil
}

// resume goes on from a place. What was missed is sent unmerged, as fast as the client reads.
func (s *session) resume(ctx context.Context, spec subscriptions.Spec, sink subscriptions.Sink, enc encoder, x *subscription, from subscriptions.Place) (*subscriptions.Subscription, error) {
	done := func(at subscriptions.Place, n int) []byte {
		var w thingsboard.WSData
		w.Begin(nil, enc.strict)
		return enc.Frame(nil, spec.ID, w.End(&thingsboard.WSNote{Resumed: true, Missed: n, Position: enc.position(at)}))
	}
	how := subscriptions.Resumption{
		From: from,
		Pace: func(ctx context.Context) error {
			if err := s.pace(ctx); err != nil {
				return err
			}
			return s.still(s.principal(), x) // which may have changed while the client was waited for
		},
		Done: done,
	}
	of, _ := sink.(*anyScope)
	if of == nil {
		return s.hub().Resume(ctx, spec, sink, how)
	}
	if err := of.recall(ctx, &spec, from); err != nil {
		return nil, err
	}
	how.Tell = func(_ subscriptions.Sink, u *subscriptions.Update) { of.tellMissed(&spec, u) }
	how.Done = func(at subscriptions.Place, _ int) []byte {
		if of.known.settle(); of.unknown {
			return nil
		}
		return done(at, of.told)
	}
	h, err := s.hub().Resume(ctx, spec, of, how)
	if err == nil && of.unknown {
		s.hub().Unsubscribe(h)
		err = errChanged
	}
	if err != nil { // nobody tells it anything now
		of.unknown = false
	}
	return h, err
}

// errChanged: what was missed says too little.
var errChanged = errors.New("ws: what was missed cannot be told")

// resyncOf is why somebody who could not go on has to begin anew; nothing where err is something
// else.
func resyncOf(err error) (why string) {
	switch {
	case errors.Is(err, errChanged):
		return resyncChanged
	case errors.Is(err, subscriptions.ErrBehind):
		return resyncTooOld
	case errors.Is(err, subscriptions.ErrAhead):
		return resyncRestored
	}
	return ""
}

// pace waits until the client has room for more.
func (s *session) pace(ctx context.Context) error {
	for room := s.conn.room(); room != nil; room = s.conn.room() {
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}
