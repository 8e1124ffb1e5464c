package ws

import (
	"time"

	"github.com/tidewire/tidewire/subscriptions"
)

// An outbox is what waits for a reader: frames in their order and, once those are too many,
// one merged update for each origin, which goes out after them. It is guarded by the
// lock of its conn.
type outbox struct {
	queue  []byte
	merged map[origin]*subscriptions.Update
	order  []origin  // in which merging began
	pong   []byte    // the last one that found no room in queue
	until  time.Time // when the socket is closed even if this is not empty; zero means never
}

// An origin is what updates come of that may be merged: a subscription, or all that a query with
// positions follows.
type origin interface {
	ID() int64
	Encoder() subscriptions.Encoder
}

// merge adds updates to what waits for s. Its frames still in the queue are older.
func (o *outbox) merge(s origin, updates []subscriptions.Update) {
	u := o.merged[s]
	if u == nil {
		if o.merged == nil {
			o.merged = make(map[origin]*subscriptions.Update)
		}
		u = new(subscriptions.Update)
		o.merged[s] = u
		o.order = append(o.order, s)
	}
	for i := range updates {
		u.Merge(&updates[i])
	}
}

// take removes and returns all that waits: the frames, then the merged updates as frames. It
// returns nil when nothing waits. Both go together, so that no subscription waits for the
// others to calm down.
func (o *outbox) take(form func([]byte) []byte) []byte {
	for _, s := range o.order {
		if u := o.merged[s]; u != nil {
			o.queue = append(o.queue, form(s.Encoder().Frame(nil, s.ID(), s.Encoder().Body(nil, u)))...)
		}
	}
	o.queue = append(o.queue, o.pong...)
	o.merged, o.order, o.pong = nil, nil, nil
	chunk := o.queue
	o.queue = nil
	if len(chunk) == 0 {
		return nil
	}
	return chunk
}
