package ws

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// A joined is what is known of keys scope by scope. Where attributes of any scope are asked for,
// what is shown of a key is the newest over its scopes: what hides behind it comes forth when it
// is removed (contract 10.2).
type joined [model.State + 1]map[string]model.Point

// forget makes nothing known.
func (j *joined) forget() { *j = joined{} }

// put notes what a scope holds of a key; a value of TypeNone says nothing.
func (j *joined) put(scope model.Scope, key string, p model.Point) {
	switch {
	case p.Value.IsNone():
		delete(j[scope], key)
		return
	case j[scope] == nil:
		j[scope] = make(map[string]model.Point)
	}
	j[scope][key] = p
}

// newest returns what is shown of a key: a point of TypeNone where there is nothing. Of several
// of one instant it is that of the first scope, as in a query.
func (j *joined) newest(key string) (best model.Point) {
	found := false
	for scope := range j {
		if p, ok := j[scope][key]; ok && (!found || p.TS > best.TS) {
			best, found = p, true
		}
	}
	return best
}

// note puts a point and returns what is shown of its key from now on, and whether that was
// something else before.
func (j *joined) note(scope model.Scope, p *subscriptions.Point) (shown subscriptions.Point, changed bool) {
	before := j.newest(p.Key)
	j.put(scope, p.Key, model.Point{TS: p.TS, Value: p.Value})
	now := j.newest(p.Key)
	return subscriptions.Point{Key: p.Key, TS: now.TS, Value: now.Value}, now != before
}

// sift returns what of updates is to be told, and whether that is all of them as they are. told
// is asked for each point, which it may put another one in place of.
func sift(updates []subscriptions.Update, told func(model.Scope, *subscriptions.Point) bool) (kept []subscriptions.Update, all bool) {
	for i := range updates {
		u := &updates[i]
		if kept != nil {
			kept = append(kept, *u)
			kept[i].Points = nil
		}
		for k := range u.Points {
			p := u.Points[k]
			ok := told(u.Scope, &p)
			if kept == nil {
				if ok && p == u.Points[k] {
					continue
				}
				kept = slices.Clone(updates[:i+1])
				kept[i].Points = slices.Clone(u.Points[:k])
			}
			if ok {
				kept[i].Points = append(kept[i].Points, p)
			}
		}
	}
	if kept == nil {
		return updates, true
	}
	n := 0
	for i := range kept {
		if len(kept[i].Points) > 0 || len(updates[i].Points) == 0 { // one without points says where it is
			kept[n] = kept[i]
			n++
		}
	}
	return kept[:n], false
}

// An anyScope is the sink of a subscription to attributes of any scope: the client is told every
// write, and of a removal what is shown now, where that is something else.
type anyScope struct {
	*session
	known memory // guarded by the hub's lock, once Open was called

	// Of who resumes:
	told    int
	unknown bool // something was missed of which nobody can say what it uncovers
}

// Update implements subscriptions.Sink.
func (x *anyScope) Update(s *subscriptions.Subscription, frames []byte, updates []subscriptions.Update) {
	if x.unknown { // begun anew in a moment
		return
	}
	kept, all := sift(updates, x.tells)
	if len(kept) == 0 {
		return
	}
	if !all {
		frames = framesOf(s, kept)
	}
	x.session.Update(s, frames, kept)
}

// tells reports whether the client is told a point.
func (x *anyScope) tells(scope model.Scope, p *subscriptions.Point) bool {
	if p.Late {
		return true
	}
	shown, changed, unknown := x.known.shows(scope, model.AttributeScopes[:], p)
	if p.Value.IsNone() {
		if unknown { // only to who missed it
			x.unknown = true
		}
		*p = shown
		return changed && !unknown
	}
	p.Late = *p != shown // so that no merging puts it in place of what is shown
	return true
}

// recall begins with what is there now, for who has heard everything up to a place.
func (x *anyScope) recall(ctx context.Context, spec *subscriptions.Spec, at subscriptions.Place) error {
	r, err := x.hub().Reader()
	if err != nil {
		return err
	}
	positions := make(map[model.Scope]model.Position)
	x.known = memory{}
	for _, scope := range model.AttributeScopes {
		snap, err := r.Latest(ctx, spec.Tenant, spec.Entity, scope, spec.Keys)
		if err != nil {
			return err
		}
		positions[scope] = snap.Position
		for i := range snap.Points {
			x.known.base.put(scope, snap.Points[i].Key, snap.Points[i].Point)
		}
	}
	x.known.recall(at, positions)
	return nil
}

// tellMissed sends what an update is that was missed.
func (x *anyScope) tellMissed(spec *subscriptions.Spec, u *subscriptions.Update) {
	kept, _ := sift([]subscriptions.Update{*u}, x.tells)
	if len(kept) > 0 && !x.unknown {
		x.told++
		x.conn.send(spec.Encoder.Frame(nil, spec.ID, spec.Encoder.Body(nil, &kept[0])))
	}
}

// framesOf makes the frames of updates.
func framesOf(s *subscriptions.Subscription, updates []subscriptions.Update) (frames []byte) {
	for i := range updates {
		frames = s.Encoder().Frame(frames, s.ID(), s.Encoder().Body(nil, &updates[i]))
	}
	return frames
}
