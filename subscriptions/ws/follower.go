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
	query *query
	// Not changed any more once the query has it:
	permits   []*permit // of all it follows
	followers []*follower
	order     *order // in place of followers, where the client asked for positions

	mu struct {
		sync.Mutex
		open, ended bool
	}
}

// A permit is what may be seen of an entity: its latest values of one kind or, of kind 0, its
// series.
type permit struct {
	kind   model.KeyKind
	ref    model.EntityRef
	access Access
	window *model.Window
	dead   atomic.Bool // not allowed any more
}

// A follower is the subscription to what one permit allows.
type follower struct {
	*permit
	generation *generation
	hub        *subscriptions.Subscription // once Open was called

	// Guarded by the generation's lock, once Open was called:
	last joined // the newest known of each key
	backlog
}

// A backlog keeps updates while an answer is read.
type backlog struct {
	pending []subscriptions.Update
	waiting int // points in pending
	merged  bool
}

// heldPoints bounds a backlog; beyond it only the newest of each key remains, as for a slow
// reader.
const heldPoints = 4096

// begin sends the answer, then what was told meanwhile.
func (g *generation) begin(frame []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.query.session.conn.send(frame)
	g.mu.open = true
	if g.order != nil && !g.mu.ended {
		g.order.begin()
	}
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
	if g.order != nil {
		g.order.end()
	}
	s.followed.Add(-int64(len(g.permits)))
}

// permit notes what is followed from now on.
func (g *generation) permit(p *permit) {
	g.permits = append(g.permits, p)
	g.query.session.followed.Add(1)
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
func (b *backlog) hold(updates []subscriptions.Update) {
	for _, u := range updates {
		u.Points = slices.Clone(u.Points)
		b.pending = append(b.pending, u)
		b.waiting += len(u.Points)
	}
	if b.waiting <= heldPoints {
		return
	}
	b.pending, b.waiting, b.merged = mergedByScope(b.pending), 0, true
	for i := range b.pending {
		b.waiting += len(b.pending[i].Points)
	}
}

// mergedByScope merges updates: what a scope holds of a key says nothing of another one's.
func mergedByScope(updates []subscriptions.Update) (merged []subscriptions.Update) {
	for i := range updates {
		u := &updates[i]
		at := slices.IndexFunc(merged, func(m subscriptions.Update) bool { return m.Scope == u.Scope })
		if at < 0 {
			at = len(merged)
			merged = append(merged, subscriptions.Update{})
		}
		merged[at].Merge(u)
	}
	return merged
}

// tell sends what the client does not know yet. frames are those of updates, or nil.
func (f *follower) tell(s *subscriptions.Subscription, frames []byte, updates []subscriptions.Update) {
	kept, all := sift(updates, f.isNews)
	if len(kept) == 0 {
		return
	}
	if !all || frames == nil {
		frames = framesOf(s, kept)
	}
	f.generation.query.session.conn.update(s, frames, kept)
}

// isNews notes a point of a scope and reports whether the client is to be told (contract 11.8).
// Of attributes of any scope it is told the newest.
func (f *follower) isNews(scope model.Scope, p *subscriptions.Point) bool {
	if f.kind == model.AttributeKey {
		shown, changed := f.last.note(scope, p)
		*p = shown
		return changed
	}
	last, known := f.last[scope][p.Key]
	point := model.Point{TS: p.TS, Value: p.Value}
	switch {
	case p.Value.Type() == model.TypeNone:
		f.last.put(scope, p.Key, point)
		return f.kind != 0 // no point of a series
	case known && point == last:
		return false
	case f.kind == 0:
		if !known || p.TS >= last.TS {
			f.last.put(scope, p.Key, point)
		}
		return true
	case known && p.TS < last.TS && (p.Late || f.kind != model.SeriesKey):
		return false // a series goes back where its newest points were deleted
	}
	f.last.put(scope, p.Key, point)
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
