package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Store is what the pipeline needs from the engine. A set and the text in it are the
// caller's again when Append returns.
type Store interface {
	Append(ctx context.Context, s *model.WriteSet) (model.Position, error)
	Latest(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error)
}

// Limits bound one write set. A zero field means its default, which is the engine's own.
type Limits struct {
	Keys   int // distinct keys; zero means 1,024
	Points int // cells; zero means 100,000
	Bytes  int // estimated size: names, texts, and 8 bytes a row and a value; zero means 16 MiB
}

// Options tunes a Pipeline. Each field says what its zero means.
type Options struct {
	// Store is required.
	Store Store
	// Limits bound each set.
	Limits Limits
	// Admit says whether a device may send a message of so many points now, and counts it. Nil
	// means that every device always may.
	Admit func(e *model.Entity, points int) error
	// InactivityTimeout is how long a device is active after it was last heard, unless its
	// attribute inactivityTimeout says otherwise. Zero means 600 s.
	InactivityTimeout time.Duration
	// Lookup tells whether an entity still exists: the activity of a deleted one is no
	// longer written. Nil means every entity exists.
	Lookup func(model.EntityID) (*model.Entity, bool)
	// Erase removes everything the store holds of an entity. It is called for one that was
	// deleted while a write of it was on its way, since the deletion may have been done
	// before the write arrived. Nil means that nothing is ever deleted.
	Erase func(context.Context, model.TenantID, model.EntityID) error
	// OnError hears of failures to load or write activity; nothing is lost that the next
	// minute does not write again. Nil means they only count in Stats.
	OnError func(error)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	o.Limits.Keys = cmp.Or(o.Limits.Keys, 1024)
	o.Limits.Points = cmp.Or(o.Limits.Points, 100_000)
	o.Limits.Bytes = cmp.Or(o.Limits.Bytes, 16<<20)
	o.InactivityTimeout = cmp.Or(o.InactivityTimeout, 600*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	return o
}

// A Pipeline is the one way into the store.
type Pipeline struct {
	o        Options
	activity tracker
	count    counters
}

type counters struct {
	sets, points, bytes, refused, failed  atomic.Uint64
	activityWrites, activityErrors, known atomic.Uint64
}

// Stats are counts since the pipeline was made.
type Stats struct {
	Sets, Points, Bytes uint64 // written
	Refused             uint64 // sets beyond a limit
	Failed              uint64 // sets the store did not take
	ActivityWrites      uint64
	ActivityErrors      uint64
	Devices             uint64 // whose activity is in memory
}

// New returns a pipeline that writes to o.Store. Activity is written between Start and Close.
func New(o Options) *Pipeline {
	p := &Pipeline{o: o.withDefaults()}
	p.activity.init(p)
	return p
}

// Stats returns the counts.
func (p *Pipeline) Stats() Stats {
	return Stats{
		Sets:           p.count.sets.Load(),
		Points:         p.count.points.Load(),
		Bytes:          p.count.bytes.Load(),
		Refused:        p.count.refused.Load(),
		Failed:         p.count.failed.Load(),
		ActivityWrites: p.count.activityWrites.Load(),
		ActivityErrors: p.count.activityErrors.Load(),
		Devices:        p.count.known.Load(),
	}
}

// Write appends the sets of one message in order and returns when all are durable and
// visible, or the first failed: those before it stay written. Tenant and entity are filled
// in from e; Received, where it is zero, from the clock. All sets are checked before the
// first is written.
//
// A write to scope Timeseries or Client of a device counts as activity of that device.
func (p *Pipeline) Write(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error {
	return p.write(ctx, e, true, sets)
}

// Save is Write for what somebody else says of e, a user over REST or an import: it is no
// sign that a device lives.
func (p *Pipeline) Save(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error {
	return p.write(ctx, e, false, sets)
}

func (p *Pipeline) write(ctx context.Context, e *model.Entity, itself bool, sets []*model.WriteSet) error {
	now := p.o.Now().UnixMilli()
	for _, s := range sets {
		s.Tenant, s.Entity = e.Tenant, e.ID
		if s.Received == 0 {
			s.Received = now
		}
		if err := p.o.Limits.check(s); err != nil {
			p.count.refused.Add(1)
			return err
		}
	}
	if itself && p.o.Admit != nil && e.Type == model.EntityDevice {
		points := 0
		for _, s := range sets {
			points += len(s.Cells)
		}
		if err := p.o.Admit(e, points); err != nil {
			p.count.refused.Add(1)
			return err
		}
	}
	heard := false
	for _, s := range sets {
		if len(s.Cells) == 0 {
			continue
		}
		if _, err := p.o.Store.Append(ctx, s); err != nil {
			p.count.failed.Add(1)
			err = appendError(e, err)
			if p.gone(e) { // a set before this one may be written
				err = errors.Join(err, p.erase(ctx, e))
			}
			return err
		}
		p.count.sets.Add(1)
		p.count.points.Add(uint64(len(s.Cells)))
		p.count.bytes.Add(uint64(size(s)))
		switch s.Scope {
		case model.Timeseries, model.Client:
			heard = itself
		case model.Server:
			p.activity.configure(e, s)
		}
	}
	if p.gone(e) {
		return p.erase(ctx, e)
	}
	if heard && e.Type == model.EntityDevice {
		p.activity.heard(e, now)
	}
	return nil
}

func (p *Pipeline) gone(e *model.Entity) bool {
	if p.o.Lookup == nil || p.o.Erase == nil {
		return false
	}
	_, ok := p.o.Lookup(e.ID)
	return !ok
}

// erase undoes a write that may have come after the deletion of its entity. A deletion hides
// the entity first, so who finds it after writing has written before the deletion.
func (p *Pipeline) erase(ctx context.Context, e *model.Entity) error {
	if err := p.o.Erase(context.WithoutCancel(ctx), e.Tenant, e.ID); err != nil {
		return fmt.Errorf("erase %s %s, deleted during a write: %w", e.Type, e.ID, err)
	}
	return nil
}

// appendError names the entity. Waiting in vain for a busy store is Overload.
func appendError(e *model.Entity, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && model.KindOf(err) == model.Internal {
		return &model.Error{Kind: model.Overload, Message: "The server is overloaded, try again later", Err: err}
	}
	return fmt.Errorf("write %s %s: %w", e.Type, e.ID, err)
}

// check holds s against the limits.
func (l Limits) check(s *model.WriteSet) error {
	switch {
	case len(s.Keys) > l.Keys:
		return model.Errorf(model.TooLarge, "A message may have at most %d keys, got %d", l.Keys, len(s.Keys))
	case len(s.Cells) > l.Points:
		return model.Errorf(model.TooLarge, "A message may have at most %d points, got %d", l.Points, len(s.Cells))
	}
	if n := size(s); n > l.Bytes {
		return model.Errorf(model.TooLarge, "A message may have at most %d bytes of data, got %d", l.Bytes, n)
	}
	return nil
}

// size estimates what s needs in memory and in the log.
func size(s *model.WriteSet) int {
	n := 8 * (len(s.Rows) + len(s.Cells))
	for _, key := range s.Keys {
		n += len(key)
	}
	for i := range s.Cells {
		n += len(s.Cells[i].Value.Text())
	}
	return n
}
