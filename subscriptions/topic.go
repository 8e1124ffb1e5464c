package subscriptions

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A topic is what is listened to of one entity.
type topic struct {
	hub     *Hub
	members struct {
		sync.Mutex
		count   int
		joining []*Subscription
		views   []*view
	}
}

// A view is a way to look at a topic that several subscriptions share, and with it the bytes.
type view struct {
	key    viewKey
	keys   []string
	groups []*group // sorted by id
}

// A viewKey is what has to be equal for two subscriptions to share bytes.
type viewKey struct {
	scopes     Scopes
	newestOnly bool
	positions  bool
	window     *model.Window
	keys       string // joined; "" means all
	encoder    Encoder
}

// A group is the subscriptions of a view with one id: their frames are equal to the last byte.
type group struct {
	view *view
	id   int64
	subs []*Subscription
}

func newTopic(h *Hub) *topic { return &topic{hub: h} }

// A batch is the reusable memory of one delivery.
type batch struct {
	of      *model.Change // the change at hand, and
	all     []Point       // all its points
	points  []Point       // of the view at hand, all updates one after the other
	updates []Update
	// unsettled is what the updates are.
	unsettled bool
	bodies    []byte
	ends      []int // of each body in bodies
	frames    []byte
}

// deliver tells the members of t what changes did, in order.
func (t *topic) deliver(changes []*model.Change, b *batch) {
	m := &t.members
	m.Lock()
	defer m.Unlock()
	var n int64
	for _, s := range m.joining {
		n += t.deliverJoiningLocked(s, changes, b)
	}
	m.joining = slices.DeleteFunc(m.joining, func(s *Subscription) bool { return s.join == nil })
	for _, v := range m.views {
		for rest := changes; len(rest) > 0; {
			rest = rest[b.fill(rest, v):]
			if len(b.updates) == 0 {
				continue
			}
			for _, g := range v.groups {
				b.frame(v.key.encoder, g.id)
				for _, s := range g.subs {
					s.sink.Update(s, b.frames, b.updates)
					n += int64(len(b.updates))
				}
			}
		}
	}
	b.of = nil
	t.endJoinsLocked(changes[len(changes)-1].Position)
	t.hub.delivered.Add(n)
}

// deliverJoiningLocked collects changes for a subscription whose first frame is being read,
// or tells it those that are not part of its first frame.
func (t *topic) deliverJoiningLocked(s *Subscription, changes []*model.Change, b *batch) int64 {
	j := s.join
	if s.lost {
		return 0
	}
	if !j.open {
		if len(j.collected)+len(changes) > t.hub.options.JoinChanges {
			j.overrun, j.collected = true, nil
		}
		if !j.overrun {
			j.collected = append(j.collected, changes...)
		}
		return 0
	}
	if changes[0].Position > j.last {
		t.settleLocked(s) // and told with the others
		return 0
	}
	return t.tellLocked(s, changes, b)
}

// tellLocked sends one joining subscription the changes that are not part of its first frame.
func (t *topic) tellLocked(s *Subscription, changes []*model.Change, b *batch) int64 {
	var n int64
	for _, c := range changes {
		if int(c.Scope) < len(s.join.after) && c.Position <= s.join.after[c.Scope] {
			continue
		}
		b.unsettled = Place{c.Position, c.Scope}.misses(&s.join.after)
		b.fill([]*model.Change{c}, &view{key: s.spec.viewKey(), keys: s.spec.Keys})
		b.unsettled = false
		if len(b.updates) > 0 {
			b.frame(s.spec.Encoder, s.spec.ID)
			s.sink.Update(s, b.frames, b.updates)
			n++
		}
	}
	return n
}

// endJoinsLocked lets those join their views whose first frame lies before position p. At p
// itself there may be another change, of another scope.
func (t *topic) endJoinsLocked(p model.Position) {
	m := &t.members
	for _, s := range m.joining {
		if s.join != nil && s.join.open && !s.lost && p > s.join.last {
			t.settleLocked(s)
		}
	}
	m.joining = slices.DeleteFunc(m.joining, func(s *Subscription) bool { return s.join == nil })
}

// mark tells those who want to know that they have heard everything up to at.
func (t *topic) mark(at Place, b *batch) {
	m := &t.members
	m.Lock()
	defer m.Unlock()
	for _, s := range m.joining {
		if j := s.join; s.spec.Positions && j.open && !s.lost && at.Position > j.last {
			b.mark(at, s.spec.Encoder)
			b.frame(s.spec.Encoder, s.spec.ID)
			s.sink.Update(s, b.frames, b.updates)
		}
	}
	for _, v := range m.views {
		if !v.key.positions {
			continue
		}
		b.mark(at, v.key.encoder)
		for _, g := range v.groups {
			b.frame(v.key.encoder, g.id)
			for _, s := range g.subs {
				s.sink.Update(s, b.frames, b.updates)
			}
		}
	}
}

// mark makes an update without points.
func (b *batch) mark(at Place, e Encoder) {
	b.updates = append(b.updates[:0], Update{Position: at.Position, Scope: at.Scope})
	b.bodies = b.bodies[:0]
	if e != nil {
		b.bodies = e.Body(b.bodies, &b.updates[0])
	}
	b.ends = append(b.ends[:0], len(b.bodies))
}

// open delivers the first frame of s and what was collected since. It reports false when
// that was too much: the first frame has to be read again.
func (t *topic) open(s *Subscription, o *Opening) bool {
	m := &t.members
	m.Lock()
	defer m.Unlock()
	j := s.join
	if j.overrun {
		j.overrun = false
		return false
	}
	j.open, j.after = true, o.after
	j.last = max(o.base, slices.Max(o.after[:]))
	s.sink.Open(s, o.Frame)
	if len(j.collected) > 0 {
		var b batch
		t.hub.delivered.Add(t.tellLocked(s, j.collected, &b))
		last := j.collected[len(j.collected)-1].Position
		j.collected = nil
		t.endJoinsLocked(last)
	}
	return true
}

// collectsAll reports whether s has collected all that was published since it registered, or was
// asked this.
func (t *topic) collectsAll(s *Subscription) bool {
	t.members.Lock()
	defer t.members.Unlock()
	overrun := s.join.overrun
	s.join.overrun = false
	return !overrun
}

// settleLocked makes s one of its view. The caller removes it from joining.
func (t *topic) settleLocked(s *Subscription) {
	m := &t.members
	s.join = nil
	key := s.spec.viewKey()
	i := slices.IndexFunc(m.views, func(v *view) bool { return v.key == key })
	if i < 0 {
		i = len(m.views)
		m.views = append(m.views, &view{key: key, keys: s.spec.Keys})
	}
	v := m.views[i]
	at, found := slices.BinarySearchFunc(v.groups, s.spec.ID, func(g *group, id int64) int { return int(min(1, max(-1, g.id-id))) })
	if !found {
		v.groups = slices.Insert(v.groups, at, &group{view: v, id: s.spec.ID})
	}
	s.group = v.groups[at]
	s.index = len(s.group.subs)
	s.group.subs = append(s.group.subs, s)
}

// removeLocked takes s out and reports whether it was there.
func (t *topic) removeLocked(s *Subscription) bool {
	m := &t.members
	if s.join != nil {
		i := slices.Index(m.joining, s)
		if i < 0 {
			return false
		}
		m.joining = slices.Delete(m.joining, i, i+1)
		m.count--
		return true
	}
	if s.lost { // and in no view any more
		s.lost = false
		m.count--
		return true
	}
	g := s.group
	if g == nil {
		return false
	}
	last := len(g.subs) - 1
	g.subs[s.index] = g.subs[last]
	g.subs[s.index].index = s.index
	g.subs[last] = nil
	g.subs, s.group = g.subs[:last], nil
	m.count--
	if last == 0 {
		v := g.view
		v.groups = slices.DeleteFunc(v.groups, func(x *group) bool { return x == g })
		if len(v.groups) == 0 {
			m.views = slices.DeleteFunc(m.views, func(x *view) bool { return x == v })
		}
	}
	return true
}

// lose tells every member that it has to start again, and nothing after that: whoever heard what
// comes behind a hole would take it for the next there is. Each is counted before it is told, so
// that whoever was told finds itself in the hub's counts.
func (t *topic) lose() {
	m := &t.members
	m.Lock()
	defer m.Unlock()
	lose := func(s *Subscription) {
		if !s.lost {
			s.lost = true
			t.hub.lost.Add(1)
			s.sink.Lost(s)
		}
	}
	for _, s := range m.joining {
		lose(s)
		s.join.collected = nil
	}
	for _, v := range m.views {
		for _, g := range v.groups {
			for _, s := range g.subs {
				s.group = nil
				lose(s)
			}
		}
	}
	m.views = nil
}

func (s *Spec) viewKey() viewKey {
	var keys []byte // each behind its length: a key may hold any character
	for _, k := range s.Keys {
		keys = append(binary.AppendUvarint(keys, uint64(len(k))), k...)
	}
	return viewKey{
		scopes:     s.Scopes,
		newestOnly: s.NewestOnly,
		positions:  s.Positions,
		window:     s.Window,
		keys:       string(keys),
		encoder:    s.Encoder,
	}
}

// batchBytes bounds what is handed to a sink at once, but for one change that is larger: what
// waits in a sink has to stay bounded whatever waits here.
const batchBytes = 16 << 10

// fill makes the updates and bodies of what v sees of changes, and returns how many of them
// it got through.
func (b *batch) fill(changes []*model.Change, v *view) int {
	b.updates, b.points, b.bodies, b.ends = b.updates[:0], b.points[:0], b.bodies[:0], b.ends[:0]
	encoder := v.key.encoder
	for i, c := range changes {
		if !v.key.scopes.Has(c.Scope) {
			continue
		}
		if b.of != c { // several views look at it one after the other
			b.of, b.all = c, appendPoints(b.all[:0], c)
		}
		start := len(b.points)
		b.points = filter(b.points, b.all, v.keys, v.key.newestOnly, v.key.window)
		if len(b.points) == start {
			continue
		}
		// A later append may move points; the updates made so far keep the old array, whose
		// content stays what it is until the next fill.
		b.updates = append(b.updates, Update{Position: c.Position, Scope: c.Scope, Points: b.points[start:len(b.points):len(b.points)], Unsettled: b.unsettled})
		if encoder != nil {
			b.bodies = encoder.Body(b.bodies, &b.updates[len(b.updates)-1])
		}
		b.ends = append(b.ends, len(b.bodies))
		if len(b.bodies) >= batchBytes {
			return i + 1
		}
	}
	return len(changes)
}

// frame makes the frames of one subscription id around the bodies.
func (b *batch) frame(e Encoder, id int64) {
	b.frames = b.frames[:0]
	if e == nil {
		return
	}
	start := 0
	for _, end := range b.ends {
		b.frames = e.Frame(b.frames, id, b.bodies[start:end])
		start = end
	}
}
