package ingest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

const (
	// saveEvery is how often at most the times of a device are written, ms.
	saveEvery = 60_000
	// discoverEvery is how often devices are looked for that nobody has heard yet.
	discoverEvery = time.Minute
	// saveTogether is how many sets are appended at once, so that they share syncs.
	saveTogether = 32
	// saveBatch is how many devices wait before they are written together.
	saveBatch = 1024
	// closeTimeout bounds the last write of Close.
	closeTimeout = 10 * time.Second
	// maxCatchUp is how many seconds of the schedule are worked off one by one, s; after a
	// longer jump of the clock whatever is due is taken in any order.
	maxCatchUp = 3600
)

// A sweeper loads and writes activity. It runs in one goroutine, plus up to saveTogether
// short ones while it appends, and looks at a device when it becomes active, then about
// once a minute, and at the second its timeout passes.
type sweeper struct {
	*tracker
	schedule map[int64][]*device // by second
	last     int64               // second up to which the schedule was worked off
	batch    []*device           // to be written
}

func newSweeper(t *tracker) *sweeper {
	return &sweeper{tracker: t, schedule: make(map[int64][]*device), last: t.p.o.Now().Unix()}
}

func (s *sweeper) run(ctx context.Context, known iter.Seq[*model.Entity]) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	if known == nil {
		known = func(func(*model.Entity) bool) {}
	}
	s.discover(ctx, known)
	for discovered := s.p.o.Now(); ; {
		select {
		case <-ctx.Done():
			s.saveAll(context.WithoutCancel(ctx))
			return
		case <-s.wake:
		case <-ticker.C:
		}
		if now := s.p.o.Now(); now.Sub(discovered) >= min(discoverEvery, s.p.o.InactivityTimeout) {
			discovered = now
			s.discover(ctx, known)
		}
		s.sweep(ctx)
	}
}

// discover takes up the devices that exist and were not heard since the start: those that were
// active, or that nobody has ever heard, to be watched.
func (s *sweeper) discover(ctx context.Context, known iter.Seq[*model.Entity]) {
	for e := range known {
		if ctx.Err() != nil {
			return
		}
		if e.Type == model.EntityDevice && s.find(e.ID) == nil {
			s.look(ctx, s.get(e))
		}
	}
	s.flush(ctx)
}

// sweep looks at every device that is due.
func (s *sweeper) sweep(ctx context.Context) {
	s.due.Lock()
	due := s.due.list
	s.due.list = nil
	s.due.Unlock()
	for _, d := range due {
		s.look(ctx, d)
	}
	for now := s.p.o.Now().Unix(); s.last < now; {
		if now-s.last > maxCatchUp {
			s.jump(ctx, now)
			break
		}
		s.last++
		s.lookAt(ctx, s.last)
	}
	s.flush(ctx)
}

func (s *sweeper) jump(ctx context.Context, now int64) {
	s.last = now
	for second := range s.schedule {
		if second <= now {
			s.lookAt(ctx, second)
		}
	}
}

func (s *sweeper) lookAt(ctx context.Context, second int64) {
	list := s.schedule[second]
	delete(s.schedule, second)
	for _, d := range list {
		if d.next == second {
			s.look(ctx, d)
		}
	}
}

// look decides whether d is still active, whether it is to be written, and when to look
// again.
func (s *sweeper) look(ctx context.Context, d *device) {
	d.next = 0
	if d.gone.Load() {
		return
	}
	if s.p.o.Lookup != nil {
		if _, ok := s.p.o.Lookup(d.id); !ok {
			s.p.Forget(d.id)
			return
		}
	}
	now := s.p.o.Now().UnixMilli()
	if d.changed.Swap(false) {
		d.loaded = false
	}
	if !d.loaded && !s.load(ctx, d) {
		s.again(d, now+saveEvery)
		return
	}
	timeout := d.timeout.Load()
	if timeout == 0 {
		timeout = s.p.o.InactivityTimeout.Milliseconds()
	}
	seen := d.lastActivity.Load()
	end := max(seen, d.since.Load()) + timeout
	switch {
	case now < end:
	case d.active.Load():
		d.active.Store(false)
		if d.lastActivity.Load() > seen { // heard meanwhile: see note
			d.active.Store(true)
		} else {
			d.inactivity.Store(now)
		}
	case !d.told && seen == 0: // never heard, which was not said yet
		d.inactivity.CompareAndSwap(0, now)
	}
	state := d.activity()
	dirty := state != d.saved
	switch {
	case state.Active:
		s.again(d, min(now+saveEvery, end))
	case dirty:
		s.again(d, now+saveEvery)
	case !d.told:
		s.again(d, end)
	}
	if d.untold(state) || dirty && now-d.savedAt >= saveEvery {
		s.enqueue(ctx, d)
	}
}

// untold reports whether the store says otherwise about active, or nothing although the
// device was heard once, or not within its timeout since it was made.
func (d *device) untold(state model.Activity) bool {
	return state.Active != d.saved.Active || !d.told && (state.LastActivity != 0 || state.Inactivity != 0)
}

// enqueue puts d into the batch, once.
func (s *sweeper) enqueue(ctx context.Context, d *device) {
	if d.queued {
		return
	}
	d.queued = true
	s.batch = append(s.batch, d)
	if len(s.batch) >= saveBatch {
		s.flush(ctx)
	}
}

// again schedules the next look at d for the first second not before at, ms.
func (s *sweeper) again(d *device, at int64) {
	d.next = max((at+999)/1000, s.last+1)
	s.schedule[d.next] = append(s.schedule[d.next], d)
}

// load reads what the store knows of d. What was heard since the start is newer and stays.
func (s *sweeper) load(ctx context.Context, d *device) bool {
	snapshot, err := s.p.o.Store.Latest(ctx, d.tenant, d.id, model.Server, []string{
		attrActive, attrInactivity, attrTimeout, attrLastActivity, attrLastConnect, attrLastDisconnect})
	if err != nil {
		s.fail(ctx, fmt.Errorf("load activity of device %s: %w", d.id, err))
		return false
	}
	d.saved, d.told = model.Activity{}, false
	for _, point := range snapshot.Points {
		n, _ := point.Value.Number()
		ms := int64(n)
		switch point.Key {
		case attrActive:
			d.told = true
			d.saved.Active = point.Value.Type() == model.TypeBool && point.Value.Bool()
		case attrLastActivity:
			d.saved.LastActivity = ms
			raise(&d.lastActivity, ms)
		case attrLastConnect:
			d.saved.LastConnect = ms
			raise(&d.lastConnect, ms)
		case attrLastDisconnect:
			d.saved.LastDisconnect = ms
			raise(&d.lastDisconnect, ms)
		case attrInactivity:
			d.saved.Inactivity = ms
			raise(&d.inactivity, ms)
		case attrTimeout:
			d.timeout.CompareAndSwap(0, timeoutOf(point.Value))
		}
	}
	if d.saved.Active {
		d.active.Store(true) // until the timeout says otherwise
	}
	d.loaded = true
	return true
}

// flush writes the batch, several sets at once.
func (s *sweeper) flush(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, saveTogether)
	for _, d := range s.batch {
		slots <- struct{}{}
		wg.Go(func() {
			s.save(ctx, d)
			<-slots
		})
	}
	wg.Wait()
	for _, d := range s.batch {
		d.queued = false
	}
	clear(s.batch)
	s.batch = s.batch[:0]
}

// save writes what of d differs from what the store holds, in one set.
func (s *sweeper) save(ctx context.Context, d *device) {
	now := s.p.o.Now().UnixMilli()
	state := d.activity()
	set := &model.WriteSet{Tenant: d.tenant, Entity: d.id, Scope: model.Server, Received: now}
	put := func(key string, v, old model.Value) {
		if v != old {
			set.Cells = append(set.Cells, model.Cell{Key: len(set.Keys), Value: v})
			set.Keys = append(set.Keys, key)
		}
	}
	if d.untold(state) {
		put(attrActive, model.Bool(state.Active), model.Value{})
	}
	put(attrLastActivity, model.Int(state.LastActivity), model.Int(d.saved.LastActivity))
	put(attrLastConnect, model.Int(state.LastConnect), model.Int(d.saved.LastConnect))
	put(attrLastDisconnect, model.Int(state.LastDisconnect), model.Int(d.saved.LastDisconnect))
	put(attrInactivity, model.Int(state.Inactivity), model.Int(d.saved.Inactivity))
	d.savedAt = now
	if len(set.Cells) == 0 {
		return
	}
	set.Rows = []model.Row{{TS: now, Cells: len(set.Cells)}}
	if _, err := s.p.o.Store.Append(ctx, set); err != nil {
		s.fail(ctx, fmt.Errorf("write activity of device %s: %w", d.id, err))
		return
	}
	s.p.count.activityWrites.Add(1)
	if e := (&model.Entity{Tenant: d.tenant, Type: model.EntityDevice, ID: d.id}); s.p.gone(e) {
		s.p.Forget(d.id)
		if err := s.p.erase(ctx, e); err != nil {
			s.fail(ctx, err)
		}
		return
	}
	d.saved = state
	d.told = d.told || set.Keys[0] == attrActive
}

// fail reports an error, unless it is only that the work was called off.
func (s *sweeper) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.p.count.activityErrors.Add(1)
	s.p.o.OnError(err)
}

// saveAll writes every device heard since it was last written.
func (s *sweeper) saveAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	var all []*device
	for i := range s.shard {
		s.shard[i].RLock()
		for _, d := range s.shard[i].devices {
			all = append(all, d)
		}
		s.shard[i].RUnlock()
	}
	for _, d := range all {
		if (d.loaded || s.load(ctx, d)) && d.activity() != d.saved {
			s.enqueue(ctx, d)
		}
	}
	s.flush(ctx)
}
