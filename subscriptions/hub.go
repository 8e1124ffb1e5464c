package subscriptions

import (
	"cmp"
	"context"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A Reader is the engine as the hub sees it: snapshots that know their position, and the log.
type Reader interface {
	Snapshots
	// FollowSome calls fn with every change after from, up to now, of the entities that want
	// says yes to, in order. Its error means that the log cannot be read from there (any more).
	FollowSome(ctx context.Context, from model.Position, want func(model.TenantID, model.EntityID) bool, fn func(*model.Change) error) (model.Position, error)
	// Position is that of the last visible change: everything up to it was published.
	Position() model.Position
	// Epoch names the history that positions belong to.
	Epoch() uint64
}

// Snapshots answers what a first frame shows. Each answer carries the position of the entity
// it was read at: it holds every change up to there and none after.
type Snapshots interface {
	Latest(ctx context.Context, t model.TenantID, e model.EntityID, s model.Scope, keys []string) (model.Snapshot, error)
	Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error)
	Aggregate(ctx context.Context, q *model.RangeQuery, yield func(key string, buckets []model.Bucket) error) (model.Position, error)
}

// Options tunes a Hub. Each field says what its zero means.
type Options struct {
	// Shards is how many goroutines encode and deliver; an entity belongs to one of them. What is
	// ordered has one more, for all entities. Zero means one for each core, at most eight.
	Shards int
	// QueueChanges and QueueBytes bound what waits for one shard. Beyond them the shard
	// reads the log instead. Zero means 4,096 changes and 16 MiB.
	QueueChanges int
	QueueBytes   int
	// JoinChanges bounds what one subscription collects while its first frame is read;
	// beyond it the first frame is read again. Zero means 8,192.
	JoinChanges int
	// Page and Pass bound, in bytes of frames, what one subscription that resumes is told at
	// once and what one reading of the log gathers for all that do. Zero means 256 KiB and
	// 32 MiB.
	Page, Pass int
	// Mark is how often those who want to know where they are, are told when nothing has
	// changed for them. Zero means a minute: less than the log is kept.
	Mark time.Duration
}

func (o Options) withDefaults() Options {
	o.Shards = cmp.Or(o.Shards, min(runtime.GOMAXPROCS(0), 8))
	o.QueueChanges = cmp.Or(o.QueueChanges, 4096)
	o.QueueBytes = cmp.Or(o.QueueBytes, 16<<20)
	o.JoinChanges = cmp.Or(o.JoinChanges, 8192)
	o.Page = cmp.Or(o.Page, 256<<10)
	o.Pass = cmp.Or(o.Pass, 32<<20)
	o.Mark = cmp.Or(o.Mark, time.Minute)
	return o
}

// A Hub connects the changes of the engine with the subscriptions to them. It owns one
// goroutine for each shard and, while somebody resumes, one that reads the log for them, from
// Start until Close returns.
type Hub struct {
	options Options
	shards  []*shard
	ordered *shard       // of what is ordered, whatever its entity
	orders  atomic.Int64 // subscriptions there
	reader  Reader
	ctx     context.Context // ends with Close; bounds Follow
	stop    context.CancelFunc
	done    sync.WaitGroup
	started atomic.Bool

	count     atomic.Int64
	delivered atomic.Int64
	overflows atomic.Int64
	lost      atomic.Int64
	resumed   atomic.Int64
	passes    atomic.Int64

	replays replays
}

// New returns a hub that takes changes into its queues. Nothing is delivered, and Subscribe
// is refused, until Start.
func New(o Options) *Hub {
	h := &Hub{options: o.withDefaults()}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.shards = make([]*shard, h.options.Shards)
	for i := range h.shards {
		h.shards[i] = newShard(h)
	}
	h.ordered = newShard(h)
	return h
}

// Start begins delivery. The hub is made before the engine, which needs it as its sink of
// changes, and started after it with the engine as reader. It must be called once.
func (h *Hub) Start(r Reader) {
	h.reader = r
	for _, s := range h.shards {
		h.done.Go(func() { s.loop(h.ctx) })
	}
	h.done.Go(func() { h.ordered.loop(h.ctx) })
	h.started.Store(true)
}

// Close stops delivery and waits for the goroutines. Subscriptions are not told: close the
// sinks first.
func (h *Hub) Close() {
	h.started.Store(false)
	h.stop()
	h.replays.end()
	h.done.Wait()
}

// Reader returns the engine given to Start, for answers that start no subscription.
func (h *Hub) Reader() (Reader, error) {
	if !h.started.Load() {
		return nil, errNotStarted
	}
	return h.reader, nil
}

var errNotStarted = model.Errorf(model.Overload, "The server is starting or stopping!")

// Wants reports whether anybody listens to the entity. The engine must ask after the change
// is visible to its readers: who registers between the question and the visibility would
// neither read the change nor hear of it.
func (h *Hub) Wants(t model.TenantID, e model.EntityID) bool {
	return h.shard(e).topic(t, e) != nil || h.wantsInOrder(t, e)
}

// wantsInOrder reports whether an ordered subscription listens to the entity.
func (h *Hub) wantsInOrder(t model.TenantID, e model.EntityID) bool {
	return h.orders.Load() > 0 && h.ordered.topic(t, e) != nil
}

// Publish takes a committed change that is visible to readers. Changes must come in the order
// of their positions. It never blocks; the change must not be modified any more.
func (h *Hub) Publish(c *model.Change) {
	h.shard(c.Entity).publish(c)
	if h.wantsInOrder(c.Tenant, c.Entity) {
		h.ordered.publish(c)
	}
}

// shard returns the shard of an entity. The second half of an id is random in every version
// of UUID we meet.
func (h *Hub) shard(e model.EntityID) *shard {
	return h.shards[binary.LittleEndian.Uint64(e[8:])%uint64(len(h.shards))]
}

// shardOf returns the shard a subscription belongs to.
func (h *Hub) shardOf(spec *Spec) *shard {
	if spec.Ordered {
		return h.ordered
	}
	return h.shard(spec.Entity)
}

// enter registers a subscription, which collects what is published from now on.
func (h *Hub) enter(s *Subscription) {
	h.count.Add(1)
	if s.spec.Ordered {
		h.orders.Add(1)
	}
	h.shardOf(&s.spec).enter(s)
}

// Stats is what a hub has to say about itself.
type Stats struct {
	Subscriptions int64 // now
	Topics        int64 // entities somebody listens to now
	Delivered     int64 // updates handed to sinks
	Overflows     int64 // times a shard fell back to the log
	Lost          int64 // subscriptions that had to start again
	Resumed       int64 // subscriptions that went on from an old place
	Passes        int64 // times the log was read for those
}

// Stats returns the counters.
func (h *Hub) Stats() Stats {
	s := Stats{
		Subscriptions: h.count.Load(),
		Delivered:     h.delivered.Load(),
		Overflows:     h.overflows.Load(),
		Lost:          h.lost.Load(),
		Resumed:       h.resumed.Load(),
		Passes:        h.passes.Load(),
	}
	for _, sh := range slices.Concat(h.shards, []*shard{h.ordered}) {
		sh.topics.RLock()
		s.Topics += int64(len(sh.topics.m))
		sh.topics.RUnlock()
	}
	return s
}

// errBusy answers a subscription whose entity changes faster than its first frame is read.
var errBusy = model.Errorf(model.Overload, "The entity changes faster than it can be read, please try again!")
