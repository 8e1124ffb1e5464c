package ingest

import (
	"cmp"
	"context"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// The attributes of scope Server that tell of a device's activity (contract thingsboard 3.6).
const (
	attrActive         = "active"
	attrLastActivity   = "lastActivityTime"
	attrLastConnect    = "lastConnectTime"
	attrLastDisconnect = "lastDisconnectTime"
	attrInactivity     = "inactivityAlarmTime"
	attrTimeout        = "inactivityTimeout"
)

const shards = 256

// A tracker knows of each device when it was heard. The hot path is one lookup in a shard
// and atomic stores; everything that reads or writes the store is the sweeper's.
type tracker struct {
	p     *Pipeline
	seed  maphash.Seed
	shard [shards]struct {
		sync.RWMutex
		devices map[model.EntityID]*device
	}

	// due are devices the sweeper has to look at now.
	due struct {
		sync.Mutex
		list []*device
	}
	wake chan struct{} // capacity 1: a wake-up is never lost, never queued twice

	stop context.CancelFunc
	done sync.WaitGroup
}

// A device is the activity of one device. The atomics belong to everyone, the rest to the
// sweeper.
type device struct {
	tenant model.TenantID
	id     model.EntityID

	active         atomic.Bool
	lastActivity   atomic.Int64 // ms, as all times
	lastConnect    atomic.Int64
	lastDisconnect atomic.Int64
	inactivity     atomic.Int64
	timeout        atomic.Int64 // ms; zero means the default
	since          atomic.Int64 // when it was made, or somebody last said whether it is active
	changed        atomic.Bool  // somebody else wrote what the sweeper has saved
	gone           atomic.Bool  // forgotten

	loaded  bool
	queued  bool           // in the batch
	next    int64          // second of the next visit; others in the schedule are stale
	saved   model.Activity // what the store holds
	told    bool           // the store holds active
	savedAt int64
}

func (t *tracker) init(p *Pipeline) {
	t.p = p
	t.seed = maphash.MakeSeed()
	t.wake = make(chan struct{}, 1)
	for i := range t.shard {
		t.shard[i].devices = make(map[model.EntityID]*device)
	}
}

// Activity returns what is known in memory of a device; false when it was not heard since
// the start and not loaded yet.
func (p *Pipeline) Activity(id model.EntityID) (model.Activity, bool) {
	if d := p.activity.find(id); d != nil {
		return d.activity(), true
	}
	return model.Activity{}, false
}

// Heard notes a message of a device that writes nothing.
func (p *Pipeline) Heard(e *model.Entity) {
	p.activity.heard(e, p.o.Now().UnixMilli())
	if p.gone(e) { // its deletion may have looked before this
		p.Forget(e.ID)
	}
}

// Connected notes that a device opened a session.
func (p *Pipeline) Connected(e *model.Entity) {
	now := p.o.Now().UnixMilli()
	d := p.activity.get(e)
	raise(&d.lastConnect, now)
	p.activity.note(d, now)
}

// Disconnected notes that the last session of a device ended.
func (p *Pipeline) Disconnected(e *model.Entity) {
	now := p.o.Now().UnixMilli()
	d := p.activity.get(e)
	raise(&d.lastDisconnect, now)
	p.activity.note(d, now)
}

// Forget drops the activity of a deleted device.
func (p *Pipeline) Forget(id model.EntityID) {
	s := p.activity.shardOf(id)
	s.Lock()
	defer s.Unlock()
	if d := s.devices[id]; d != nil {
		d.gone.Store(true)
		delete(s.devices, id)
		p.count.known.Add(^uint64(0))
	}
}

// Start begins to write activity. known yields the devices that exist, each time it is asked, so
// that those which fell silent before the start, or were never heard, are found; nil means they
// are looked at when they are heard.
func (p *Pipeline) Start(known iter.Seq[*model.Entity]) {
	ctx, stop := context.WithCancel(context.Background())
	p.activity.stop = stop
	p.activity.done.Go(func() { newSweeper(&p.activity).run(ctx, known) })
}

// Close writes what was heard since the last time and ends the goroutine of Start. Writers
// must have stopped.
func (p *Pipeline) Close() error {
	if p.activity.stop == nil {
		return nil
	}
	p.activity.stop()
	p.activity.done.Wait()
	p.activity.stop = nil
	return nil
}

func (t *tracker) shardOf(id model.EntityID) *struct {
	sync.RWMutex
	devices map[model.EntityID]*device
} {
	return &t.shard[maphash.Bytes(t.seed, id[:])%shards]
}

func (t *tracker) find(id model.EntityID) *device {
	s := t.shardOf(id)
	s.RLock()
	defer s.RUnlock()
	return s.devices[id]
}

func (t *tracker) get(e *model.Entity) *device {
	if d := t.find(e.ID); d != nil {
		return d
	}
	s := t.shardOf(e.ID)
	s.Lock()
	defer s.Unlock()
	if d := s.devices[e.ID]; d != nil {
		return d
	}
	d := &device{tenant: e.Tenant, id: e.ID}
	d.since.Store(cmp.Or(e.Created, t.p.o.Now().UnixMilli()))
	s.devices[e.ID] = d
	t.p.count.known.Add(1)
	return d
}

// heard notes a message of a device at now.
func (t *tracker) heard(e *model.Entity, now int64) { t.note(t.get(e), now) }

// note makes d active at now. The sweeper stores active and then looks at lastActivity
// again, this stores lastActivity and then looks at active: one of the two sees the other.
func (t *tracker) note(d *device, now int64) {
	raise(&d.lastActivity, now)
	if !d.active.Load() && d.active.CompareAndSwap(false, true) {
		t.visit(d)
	}
}

// configure takes over a new inactivityTimeout, and what somebody says of active, among the
// attributes just written. That counts until the device is heard or its timeout has passed.
func (t *tracker) configure(e *model.Entity, s *model.WriteSet) {
	if e.Type != model.EntityDevice {
		return
	}
	for i := range s.Cells {
		v := s.Cells[i].Value
		switch s.Keys[s.Cells[i].Key] {
		case attrTimeout:
			d := t.get(e)
			d.timeout.Store(timeoutOf(v))
			t.visit(d)
		case attrActive:
			d := t.get(e)
			if v.Type() == model.TypeBool {
				raise(&d.since, t.p.o.Now().UnixMilli())
				d.active.Store(v.Bool())
			}
			d.changed.Store(true)
			t.visit(d)
		}
	}
}

// timeoutOf reads a timeout in ms; what is no positive number means the default.
func timeoutOf(v model.Value) int64 {
	if n, ok := v.Number(); ok && n >= 1 && n < float64(100*365*24*time.Hour/time.Millisecond) {
		return int64(n)
	}
	return 0
}

// visit asks the sweeper to look at d now.
func (t *tracker) visit(d *device) {
	t.due.Lock()
	t.due.list = append(t.due.list, d)
	t.due.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (d *device) activity() model.Activity {
	return model.Activity{
		Active:         d.active.Load(),
		LastActivity:   d.lastActivity.Load(),
		LastConnect:    d.lastConnect.Load(),
		LastDisconnect: d.lastDisconnect.Load(),
		Inactivity:     d.inactivity.Load(),
	}
}

// raise sets a to at least v.
func raise(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if old >= v || a.CompareAndSwap(old, v) {
			return
		}
	}
}
