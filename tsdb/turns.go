package tsdb

import (
	"context"
	"sync"
)

// A queue lets the queries of a call yield one after the other, in their order. Queries are
// begun in that order too, so the one whose turn it is always runs.
type queue struct {
	stop func() bool
	mu   struct {
		sync.Mutex
		next  int    // whose turn it is
		ended []bool // of those that have
	}
	moved *sync.Cond
}

// newQueue returns a queue of n queries; whoever waits in it is woken when ctx ends.
func newQueue(ctx context.Context, n int) *queue {
	q := &queue{}
	q.mu.ended = make([]bool, n)
	q.moved = sync.NewCond(&q.mu)
	q.stop = context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.moved.Broadcast()
	})
	return q
}

func (q *queue) close() { q.stop() }

// wait returns when it is the turn of query i, or with the cause when ctx has ended.
func (q *queue) wait(ctx context.Context, i int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.mu.next != i && ctx.Err() == nil {
		q.moved.Wait()
	}
	return context.Cause(ctx)
}

// done says that query i has ended, whether it had its turn or not.
func (q *queue) done(i int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.ended[i] = true
	for q.mu.next < len(q.mu.ended) && q.mu.ended[q.mu.next] {
		q.mu.next++
	}
	q.moved.Broadcast()
}

// A turn is one query's right to yield. It is taken with the first page and kept to the end
// of the query.
type turn struct {
	queue *queue
	i     int
	taken bool
}

func (t *turn) take(ctx context.Context) error {
	if t.taken {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	t.taken = true
	return t.queue.wait(ctx, t.i)
}
