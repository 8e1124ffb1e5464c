package ws

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// A generation is what one answer to a query follows. Until the answer was sent it keeps what
// it is told.
type generation struct {
	query     *query
	followers []*follower // not changed any more once the query has it

	mu struct {
		sync.Mutex
		open, ended bool
	}
}

// A follower is one subscription of a generation: to the latest values of one kind or, of
// kind 0, to the series of one entity.
type follower struct {
	generation *generation
	kind       model.KeyKind
	ref        model.EntityRef
	access     Access
	window     *model.Window
	hub        *subscriptions.Subscription // once Open was called
	dead       atomic.Bool                 // not allowed any more

	// Guarded by the generation's lock, once Open was called:
	last    map[string]model.Point // the newest known of each key
	pending []subscriptions.Update
	waiting int // points in pending
}

// heldPoints bounds what one follower keeps while the answer is read; beyond it only the
// newest of each key remains, as for a slow reader.
const heldPoints = 4096

// begin sends the answer, then what was told meanwhile.
func (g *generation) begin(frame []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.query.session.conn.send(frame)
	g.mu.open = true
	for _, f := range g.followers {
		for i := range f.pending {
			f.tell(f.hub, nil, f.pending[i:i+1])
		}
		f.pending = nil
	}
}

// end lets nothing more of g reach the client.
func (g *generation) end() {
	g.mu.Lock()
	g.mu.ended = true
	g.mu.Unlock()
	s := g.query.session
	for _, f := range g.followers {
		s.hub().Unsubscribe(f.hub)
		s.conn.forget(f.hub)
	}
	s.followed.Add(-int64(len(g.followers)))
}

// Open implements subscriptions.Sink.
func (f *follower) Open(s *subscriptions.Subscription, _ []byte) { f.hub = s }

// Lost implements subscriptions.Sink.
func (f *follower) Lost(s *subscriptions.Subscription) { f.generation.query.session.Lost(s) }

// Update implements subscriptions.Sink.
func (f *follower) Update(s *subscriptions.Subscription, frames []byte, updates []subscriptions.Update) {
	g := f.generation
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.mu.ended || f.dead.Load():
	case g.mu.open:
		f.tell(s, frames, updates)
	default:
		f.hold(updates)
	}
}

// hold keeps updates for later.
func (f *follower) hold(updates []subscriptions.Update) {
	for _, u := range updates {
		u.Points = slices.Clone(u.Points)
		f.pending = append(f.pending, u)
		f.waiting += len(u.Points)
	}
	if f.waiting <= heldPoints {
		return
	}
	merged := new(subscriptions.Update)
	for i := range f.pending {
		merged.Merge(&f.pending[i])
	}
	f.pending, f.waiting = append(f.pending[:0], *merged), len(merged.Points)
}

// tell sends what the client does not know yet. frames are those of updates, or nil.
func (f *follower) tell(s *subscriptions.Subscription, frames []byte, updates []subscriptions.Update) {
	kept, all := f.news(updates)
	if len(kept) == 0 {
		return
	}
	if !all || frames == nil {
		frames = nil
		for i := range kept {
			frames = s.Encoder().Frame(frames, s.ID(), s.Encoder().Body(nil, &kept[i]))
		}
	}
	f.generation.query.session.conn.update(s, frames, kept)
}

// news returns what of updates is to be sent, and whether that is all of them.
func (f *follower) news(updates []subscriptions.Update) (kept []subscriptions.Update, all bool) {
	for i := range updates {
		u := &updates[i]
		for k := range u.Points {
			if f.isNews(&u.Points[k]) {
				if kept != nil {
					last := &kept[len(kept)-1]
					last.Points = append(last.Points, u.Points[k])
				}
				continue
			}
			if kept == nil { // the first one that is none: all before it are
				kept = slices.Clone(updates[:i+1])
				kept[i].Points = slices.Clone(u.Points[:k])
			}
		}
		if kept != nil && i+1 < len(updates) {
			next := updates[i+1]
			next.Points = nil
			kept = append(kept, next)
		}
	}
	if kept == nil {
		return updates, true
	}
	return slices.DeleteFunc(kept, func(u subscriptions.Update) bool { return len(u.Points) == 0 }), false
}

// isNews notes a point and reports whether the client is to be told (contract 11.8).
func (f *follower) isNews(p *subscriptions.Point) bool {
	last, known := f.last[p.Key]
	removed := p.Value.Type() == model.TypeNone
	same := known && p.TS == last.TS && p.Value == last.Value
	switch {
	case removed:
		delete(f.last, p.Key)
		return f.kind != 0 // no point of a series
	case same:
		return false
	case f.kind == 0:
		if !known || p.TS >= last.TS {
			f.last[p.Key] = model.Point{TS: p.TS, Value: p.Value}
		}
		return true
	case known && p.TS < last.TS && (p.Late || f.kind != model.SeriesKey):
		return false // a series goes back where its newest points were deleted
	}
	f.last[p.Key] = model.Point{TS: p.TS, Value: p.Value}
	return true
}

// An entityEncoder makes the frames of live updates. Those of one entity, kind and keys are
// equal to the last byte but for the id.
type entityEncoder struct {
	ref  model.EntityRef
	kind model.KeyKind
}

// Body implements subscriptions.Encoder.
func (e entityEncoder) Body(dst []byte, u *subscriptions.Update) []byte {
	dst = thingsboard.BeginWSUpdate(dst, e.ref, e.kind)
	for i := range u.Points {
		p := &u.Points[i]
		first := i == 0 || p.Key != u.Points[i-1].Key
		last := i+1 == len(u.Points) || p.Key != u.Points[i+1].Key
		if e.kind != 0 {
			if !last {
				continue // the newest of its key counts
			}
			first = true
		}
		if i > 0 && dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		if first {
			dst = append(thingsboard.AppendString(dst, p.Key), ':')
			if e.kind == 0 {
				dst = append(dst, '[')
			}
		}
		dst = thingsboard.AppendShown(dst, model.Point{TS: p.TS, Value: p.Value})
		if e.kind == 0 && last {
			dst = append(dst, ']')
		}
	}
	return thingsboard.EndWSUpdate(dst, e.kind, &thingsboard.WSNote{Coalesced: u.Coalesced})
}

// Frame implements subscriptions.Encoder.
func (entityEncoder) Frame(dst []byte, id int64, body []byte) []byte {
	var scratch [48]byte
	prefix := thingsboard.AppendWSCommandID(scratch[:0], id)
	dst = appendHeader(dst, len(prefix)+len(body))
	dst = append(dst, prefix...)
	return append(dst, body...)
}
