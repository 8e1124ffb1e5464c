package subscriptions

import "context"

// A Member is one subscription of a union: ordered, and the only one to its entity.
type Member struct {
	Spec Spec
	Sink Sink
}

// ResumeUnion is [Hub.Resume] for somebody whose place is one in all that several ordered
// subscriptions were told together. What was missed is told with how.Tell in the order of the log,
// whichever of them it is for. Done is called before the sinks are opened, from where on they hear
// what is new; when they cannot be, more is told and Done is called again. The subscriptions are
// returned in the order of their members.
func (h *Hub) ResumeUnion(ctx context.Context, members []Member, how Resumption) ([]*Subscription, error) {
	if _, err := h.Reader(); err != nil {
		return nil, err
	}
	r := resuming{hub: h, how: how, at: how.From, subs: make([]*Subscription, len(members))}
	for i, m := range members {
		r.subs[i] = &Subscription{spec: m.Spec, sink: m.Sink, join: new(join)}
	}
	// Most of what was missed is read before anybody collects what is new, of which there may be
	// much while a slow reader takes it.
	err := h.reach(ctx, r.at.Position)
	if err == nil {
		err = r.catchUp(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range r.subs {
		h.enter(s)
	}
	if err := r.resume(ctx); err != nil {
		for _, s := range r.subs {
			h.Unsubscribe(s)
		}
		return nil, err
	}
	h.resumed.Add(1)
	return r.subs, nil
}
