package subscriptions

import (
	"context"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A topicKey names an entity.
type topicKey struct {
	tenant model.TenantID
	entity model.EntityID
}

// A shard delivers the changes of its entities in the order of their positions. Its goroutine
// is owned by the hub.
type shard struct {
	hub  *Hub
	wake chan struct{} // capacity 1: a wake-up is never lost, never queued twice

	topics struct {
		sync.RWMutex
		m map[topicKey]*topic
	}
	queue struct {
		sync.Mutex
		changes []*model.Change
		bytes   int
		// overflow says that the changes of positions from to to are in the log only.
		overflow bool
		from, to model.Position
	}

	// turn is held while changes are delivered one after the other, and by who opens several
	// subscriptions at once.
	turn sync.Mutex

	due bool // those who want to know are to be told where they are

	// Of the goroutine alone:
	work   []*model.Change
	last   model.Position // of the last change processed
	at     []changeKey    // what was processed at that position
	groups map[topicKey][]*model.Change
	order  []topicKey
	batch  batch
}

// A changeKey tells the changes of one position apart.
type changeKey struct {
	topicKey
	scope model.Scope
}

func newShard(h *Hub) *shard {
	s := &shard{hub: h, wake: make(chan struct{}, 1), groups: make(map[topicKey][]*model.Change)}
	s.topics.m = make(map[topicKey]*topic)
	return s
}

// topic returns the topic of an entity, or nil when nobody listens.
func (s *shard) topic(t model.TenantID, e model.EntityID) *topic {
	s.topics.RLock()
	defer s.topics.RUnlock()
	return s.topics.m[topicKey{t, e}]
}

// enter registers sub with the topic of its entity.
func (s *shard) enter(sub *Subscription) {
	k := topicKey{sub.spec.Tenant, sub.spec.Entity}
	s.topics.Lock()
	defer s.topics.Unlock()
	t := s.topics.m[k]
	if t == nil {
		t = newTopic(s.hub)
		s.topics.m[k] = t
	}
	sub.topic = t
	t.members.Lock()
	t.members.joining = append(t.members.joining, sub)
	t.members.count++
	t.members.Unlock()
}

// leave removes sub, and its topic with the last subscription. It reports whether sub was
// still there.
func (s *shard) leave(sub *Subscription) bool {
	k := topicKey{sub.spec.Tenant, sub.spec.Entity}
	s.topics.Lock()
	defer s.topics.Unlock()
	t := sub.topic
	t.members.Lock()
	defer t.members.Unlock()
	if !t.removeLocked(sub) {
		return false
	}
	if t.members.count == 0 {
		delete(s.topics.m, k)
	}
	return true
}

// publish queues a change, or notes that the log has to be read for it.
func (s *shard) publish(c *model.Change) {
	size := 128 + 64*(len(c.Cells)+len(c.Deleted))
	for i := range c.Cells {
		size += len(c.Cells[i].Value.Text())
	}
	q := &s.queue
	q.Lock()
	switch {
	case q.overflow:
		q.to = c.Position
	case len(q.changes) >= s.hub.options.QueueChanges || q.bytes+size > s.hub.options.QueueBytes:
		q.overflow, q.from, q.to = true, c.Position, c.Position
		s.hub.overflows.Add(1)
	default:
		q.changes = append(q.changes, c)
		q.bytes += size
	}
	q.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take empties the queue into s.work. Once it is empty and had overflowed, publish queues
// again and take returns the positions that have to be read from the log first.
func (s *shard) take() (from, to model.Position, overflow bool) {
	q := &s.queue
	q.Lock()
	defer q.Unlock()
	s.work, q.changes = q.changes, s.work[:0]
	q.bytes = 0
	if len(s.work) == 0 && q.overflow {
		q.overflow = false
		return q.from, q.to, true
	}
	return 0, 0, false
}

// loop is the goroutine of the shard.
func (s *shard) loop(ctx context.Context) {
	marks := time.NewTicker(s.hub.options.Mark)
	defer marks.Stop()
	for {
		// What was visible before the queue is emptied was published, so it is in the queue or,
		// when that has overflowed, in the log.
		visible := s.hub.reader.Position()
		from, to, overflow := s.take()
		told := true
		switch {
		case overflow:
			told = s.follow(ctx, from, to)
		case len(s.work) > 0:
			s.deliver(s.work)
			clear(s.work) // the changes are free again, whenever the queue is used next
			told = !s.behind()
		case !s.due:
			select {
			case <-s.wake:
			case <-marks.C:
				s.due = true
			case <-ctx.Done():
				return
			}
			told = false
		}
		if ctx.Err() != nil {
			return
		}
		if s.due && told {
			s.due = false
			s.mark(visible)
		}
	}
}

// behind reports whether there are changes that are in the log only.
func (s *shard) behind() bool {
	s.queue.Lock()
	defer s.queue.Unlock()
	return s.queue.overflow
}

// mark tells those who want to know that everything up to visible was told.
func (s *shard) mark(visible model.Position) {
	at := through(visible)
	if n := len(s.at); n > 0 { // more may have been told than was visible then
		at = later(at, Place{s.last, s.at[n-1].scope})
	}
	for _, t := range s.allTopics() {
		t.mark(at, &s.batch)
	}
}

func (s *shard) allTopics() []*topic {
	s.topics.RLock()
	defer s.topics.RUnlock()
	topics := make([]*topic, 0, len(s.topics.m))
	for _, t := range s.topics.m {
		topics = append(topics, t)
	}
	return topics
}

// followPause is how long follow waits for a log that does not show yet what was published:
// the engine shows a group of entries when it has told all of them.
const followPause = time.Millisecond

// follow reads from the log what the queue had no room for: the positions from to to, and
// whatever else is there. What is published meanwhile is queued again, so at its end some of
// it comes twice and is skipped by position. It reports whether all of it was told.
func (s *shard) follow(ctx context.Context, from, to model.Position) bool {
	var one [1]*model.Change
	for reached := max(from, 1) - 1; reached < to; {
		var err error
		reached, err = s.hub.reader.FollowSome(ctx, reached, s.wants, func(c *model.Change) error {
			one[0] = c
			s.deliver(one[:])
			return ctx.Err()
		})
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			s.loseAll()
			return false
		}
		if reached < to {
			select {
			case <-time.After(followPause):
			case <-ctx.Done():
				return false
			}
		}
	}
	return true
}

// wants reports whether the entity is of this shard and somebody listens to it.
func (s *shard) wants(t model.TenantID, e model.EntityID) bool {
	return (s == s.hub.ordered || s.hub.shard(e) == s) && s.topic(t, e) != nil
}

// loseAll tells every subscription of the shard that it has to start again, because changes
// it should have heard of cannot be read any more.
func (s *shard) loseAll() {
	for _, t := range s.allTopics() {
		t.lose()
	}
}

// isNew notes that c is being processed and reports whether it was not before.
func (s *shard) isNew(c *model.Change) bool {
	if c.Position < s.last {
		return false
	}
	k := changeKey{topicKey{c.Tenant, c.Entity}, c.Scope}
	if c.Position > s.last {
		s.last, s.at = c.Position, append(s.at[:0], k)
		return true
	}
	for _, seen := range s.at {
		if seen == k {
			return false
		}
	}
	s.at = append(s.at, k)
	return true
}

// deliver hands changes to their topics: those of one topic together, so that what waited is
// one write for each reader, unless they are to be in order.
func (s *shard) deliver(changes []*model.Change) {
	if len(changes) == 1 || s == s.hub.ordered {
		s.deliverInOrder(changes)
		return
	}
	s.order = s.order[:0]
	for _, c := range changes {
		if !s.isNew(c) {
			continue
		}
		k := topicKey{c.Tenant, c.Entity}
		g := s.groups[k]
		if len(g) == 0 {
			s.order = append(s.order, k)
		}
		s.groups[k] = append(g, c)
	}
	for _, k := range s.order {
		if t := s.topic(k.tenant, k.entity); t != nil {
			t.deliver(s.groups[k], &s.batch)
		}
		delete(s.groups, k)
	}
}

// deliverInOrder hands changes to their topics one after the other.
func (s *shard) deliverInOrder(changes []*model.Change) {
	s.turn.Lock()
	defer s.turn.Unlock()
	for i, c := range changes {
		if !s.isNew(c) {
			continue
		}
		if t := s.topic(c.Tenant, c.Entity); t != nil {
			t.deliver(changes[i:i+1], &s.batch)
		}
	}
}
