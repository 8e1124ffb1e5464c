package subscriptions

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// Scopes is a set of scopes.
type Scopes uint8

// ScopesOf returns the set of the given scopes.
func ScopesOf(scopes ...model.Scope) Scopes {
	var set Scopes
	for _, s := range scopes {
		set |= 1 << s
	}
	return set
}

// Has reports whether s is in the set.
func (set Scopes) Has(s model.Scope) bool { return set&(1<<s) != 0 }

// A Spec says what a subscription wants and in what form.
type Spec struct {
	Tenant model.TenantID
	Entity model.EntityID
	Scopes Scopes
	Keys   []string // sorted and distinct; nil means every key
	// Window leaves out what it does not show of the entity's time series; nil shows all.
	Window *model.Window
	// NewestOnly leaves out points that did not become the latest of their key.
	NewestOnly bool
	// ID is the client's name for the subscription; it is the only thing in which the
	// frames of one view differ.
	ID int64
	// Encoder makes the frames; nil where the sink makes its own of the updates.
	Encoder Encoder
	// Positions asks to be told from time to time where the subscription is, in an update
	// without points, when nothing changes for it.
	Positions bool
	// Ordered asks that its changes and those of all other ordered subscriptions come in the order
	// of the log: a sink of several of them is told one change after the other, whatever entities
	// they are of. One goroutine delivers to all that are ordered.
	Ordered bool
}

// An Encoder makes the bytes of one wire form. Encoders are compared with ==: subscriptions
// share bytes only when theirs are equal.
type Encoder interface {
	// Body appends what the frames of all subscriptions have in common.
	Body(dst []byte, u *Update) []byte
	// Frame appends the whole frame of one subscription around a body.
	Frame(dst []byte, id int64, body []byte) []byte
}

// A Sink takes what a subscription is told. Its methods are called with a lock of the hub
// held: they must not block and must not call the hub. The bytes and updates belong to the
// hub again when they return; texts and values inside them may be kept.
type Sink interface {
	// Open takes the first frame of s. Of one that resumes it takes the frames of what was
	// missed, in one or more calls, and then the one that says that this was all. Of a union it
	// takes that one alone.
	Open(s *Subscription, frames []byte)
	// Update takes one or more frames that stand for updates, of which there is one a frame.
	Update(s *Subscription, frames []byte, updates []Update)
	// Lost says that changes cannot be told any more: the subscription has to start again. It is
	// told nothing after that, but for a first frame that is being read.
	Lost(s *Subscription)
}

// An Opening is the first frame of a subscription and where it was read.
type Opening struct {
	Frame []byte
	after lasts
	base  model.Position // visible before anything was read
	reads int
}

// Read notes that the frame holds every change of scope up to position p.
func (o *Opening) Read(scope model.Scope, p model.Position) {
	o.after[scope] = p
	o.reads++
}

// Place returns where what was read stands: everything up to there is in it and nothing behind
// it. It is none when there were changes between the reading of several scopes.
func (o *Opening) Place() Place {
	switch last := slices.Max(o.after[:]); {
	case last <= o.base:
		return through(o.base)
	case o.reads == 1:
		return through(last)
	}
	return Place{}
}

// An Opener reads the first frame into an empty opening. It may be called more than once, and
// must call Opening.Read for each scope of the subscription, after reading it.
type Opener func(ctx context.Context, r Snapshots, o *Opening) error

// A Subscription is one client's interest in one entity. Its fields are guarded by the lock
// of its topic.
type Subscription struct {
	spec  Spec
	sink  Sink
	topic *topic

	lost  bool  // what it should have heard cannot be told: it hears nothing more
	join  *join // until it is one of its view
	group *group
	index int // in the subscriptions of group
}

// ID returns the client's name of the subscription.
func (s *Subscription) ID() int64 { return s.spec.ID }

// Encoder returns the form of its frames.
func (s *Subscription) Encoder() Encoder { return s.spec.Encoder }

// A join is the state of a subscription that is not yet one of its view.
type join struct {
	// collected holds what was published while the first frame is read; overrun says that
	// it was too much.
	collected []*model.Change
	overrun   bool
	// open is set once the first frame was delivered: changes up to after are part of it.
	open  bool
	after lasts
	last  model.Position // the greatest of after, and what was visible before
}

// Subscribe registers, reads the first frame with open, hands it to the sink and then every
// change after it. It returns when the first frame was handed over. An error of open is
// returned as it is; nothing was handed over then.
func (h *Hub) Subscribe(ctx context.Context, spec Spec, sink Sink, open Opener) (*Subscription, error) {
	r, err := h.Reader()
	if err != nil {
		return nil, err
	}
	s := &Subscription{spec: spec, sink: sink, join: new(join)}
	h.enter(s)
	for range 4 {
		o := Opening{base: r.Position()}
		if err := open(ctx, r, &o); err != nil {
			h.Unsubscribe(s)
			return nil, err
		}
		if s.topic.open(s, &o) {
			return s, nil
		}
	}
	h.Unsubscribe(s)
	return nil, errBusy
}

// Unsubscribe ends a subscription. It may be called again.
func (h *Hub) Unsubscribe(s *Subscription) {
	if h.shardOf(&s.spec).leave(s) {
		h.count.Add(-1)
		if s.spec.Ordered {
			h.orders.Add(-1)
		}
	}
}
