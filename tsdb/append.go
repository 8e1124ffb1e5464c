package tsdb

import (
	"context"
	"errors"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A request is one call on its way through the committer. Requests are reused: they carry
// the scratch memory of encoding.
type request struct {
	kind entry.Kind

	// a set
	set      *model.WriteSet
	record   *head.Record // pinned by the caller
	version  uint32       // of the record when refs were found
	refs     []catalog.Ref
	complete bool // entry is encoded; else keys are to be defined first
	encoder  entry.Encoder
	entry    []byte
	view     entry.Set
	newest   []byte // outcome bits, in memory of the request

	// a delete, or the removal of entities
	del      *model.DeleteRange
	tenant   model.TenantID
	entities []model.EntityID

	position model.Position
	err      error
	done     chan struct{} // capacity 1
}

// maxKeptEntry bounds the memory a reused request keeps.
const maxKeptEntry = 1 << 20

func (c *committer) request(kind entry.Kind) *request {
	r, ok := c.requests.Get().(*request)
	if !ok {
		r = &request{done: make(chan struct{}, 1)}
	}
	r.kind = kind
	return r
}

func (c *committer) release(r *request) {
	r.set, r.record, r.del, r.entities, r.err = nil, nil, nil, nil, nil
	if cap(r.entry) <= maxKeptEntry {
		c.requests.Put(r)
	}
}

// Append makes s durable and visible and returns its position. It may be called from any
// number of goroutines; what waits together is synced together. Errors: Invalid or TooLarge
// when s breaks a limit, Quota when its keys would be too many, NoSpace below
// Options.MinFree, Overload when ctx ended while the store was too busy to take it
// (nothing was written then).
func (db *DB) Append(ctx context.Context, s *model.WriteSet) (model.Position, error) {
	if err := db.options.Limits.checkSet(s); err != nil {
		return 0, err
	}
	if err := db.enter(); err != nil {
		return 0, err
	}
	defer db.leave()
	if err := db.floor.admit(); err != nil {
		return 0, err
	}
	rec, err := db.records.get(keys.Series{Tenant: s.Tenant, Entity: s.Entity, Scope: s.Scope})
	if err != nil {
		return 0, db.unreadable(s.Tenant, s.Entity, s.Scope, err)
	}
	defer rec.Unpin()

	r := db.committer.request(entry.KindSet)
	defer db.committer.release(r)
	r.set, r.record = s, rec
	size := int64(64 + 10*len(s.Cells))
	rec.RLock()
	r.version = rec.Version()
	r.refs, r.complete = rec.Resolve(s.Keys, r.refs[:0])
	rec.RUnlock()
	if r.complete {
		if err := r.encode(db.options.Limits.SetBytes); err != nil {
			return 0, err
		}
		size = int64(len(r.entry))
	}
	db.nearSet(s, int(size))
	return db.submit(ctx, r, size)
}

// encode makes the entry of the set from refs.
func (r *request) encode(limit int) error {
	var err error
	switch r.entry, err = r.encoder.Set(r.entry[:0], r.set, r.refs, limit); {
	case errors.Is(err, entry.ErrLong):
		return model.Errorf(model.TooLarge, "A set of more bytes than the limit of %d", limit)
	case errors.Is(err, entry.ErrCrowded):
		return model.Invalidf("Too many values of one key at one instant in one message")
	case err != nil:
		return model.Invalidf("A key stands twice")
	}
	return r.view.Parse(r.entry, false)
}

// submit hands r to the committer and waits until it is visible.
func (db *DB) submit(ctx context.Context, r *request, size int64) (model.Position, error) {
	if err := db.gate.enter(ctx, size); err != nil {
		return 0, err
	}
	db.committer.put(r)
	<-r.done // the entry may be in the log already, so ctx ends nothing here
	db.gate.leave(size)
	if r.err == nil {
		r.err = db.failure() // it is in the log, and yet: nothing is acknowledged after Fatal
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.position, nil
}

// checkSet verifies what a caller must not send; the messages are for clients.
func (l *Limits) checkSet(s *model.WriteSet) error {
	if s.Scope < model.Timeseries || s.Scope > model.State {
		return model.Invalidf("Unknown scope %d", s.Scope)
	}
	if err := l.checkKeys(s.Keys); err != nil {
		return err
	}
	if len(s.Cells) == 0 {
		return model.Invalidf("No points")
	}
	if len(s.Cells) > l.Points {
		return model.Errorf(model.TooLarge, "%d points in one message exceed the limit of %d", len(s.Cells), l.Points)
	}
	arrival := s.Scope.Arrival()
	if arrival || s.TTL != 0 {
		if err := l.checkTime(s.Received); err != nil {
			return err
		}
	}
	if s.TTL < 0 || s.TTL > l.TTL {
		return model.Invalidf("Time to live of %d ms is outside of 0 to %d", s.TTL, l.TTL)
	}
	if s.Qualities != nil {
		if err := checkQualities(s); err != nil {
			return err
		}
	}
	cells := 0
	for i := range s.Rows {
		r := &s.Rows[i]
		if r.Cells < 0 || r.Cells > len(s.Cells)-cells {
			return model.Invalidf("Row %d has %d of %d cells left", i, r.Cells, len(s.Cells)-cells)
		}
		cells += r.Cells
		if !arrival && (r.TS < l.MinTime || r.TS >= l.MaxTime) {
			return l.checkTime(r.TS)
		}
	}
	if cells != len(s.Cells) {
		return model.Invalidf("Rows have %d cells, there are %d", cells, len(s.Cells))
	}
	for i := range s.Cells {
		c := &s.Cells[i]
		if uint(c.Key) >= uint(len(s.Keys)) {
			return model.Invalidf("Cell of unknown key %d", c.Key)
		}
		switch t := c.Value.Type(); {
		case t == model.TypeFloat:
			const exponent = 0x7ff << 52 // all ones: NaN or infinite
			if c.Value.Bits()&exponent == exponent {
				return model.Invalidf("Value of key %.64q is not a finite number: %v", s.Keys[c.Key], c.Value.Float())
			}
		case t.IsText():
			if n := len(c.Value.Text()); n > l.TextBytes {
				return model.Errorf(model.TooLarge, "Value of key %.64q: %d bytes exceed the limit of %d", s.Keys[c.Key], n, l.TextBytes)
			}
		case t == model.TypeNone || t > model.TypeJSON:
			return model.Invalidf("Value of key %.64q has no type", s.Keys[c.Key])
		}
	}
	return nil
}

func checkQualities(s *model.WriteSet) error {
	switch {
	case len(s.Qualities) != len(s.Cells):
		return model.Invalidf("Qualities of %d cells, there are %d", len(s.Qualities), len(s.Cells))
	case !s.KeepOriginals:
		return model.Invalidf("Qualities are kept with originals only")
	case s.Scope.Arrival():
		return model.Invalidf("Qualities are kept in scope %s only", model.Timeseries)
	}
	return nil
}

func (l *Limits) checkKeys(names []string) error {
	if len(names) > l.Keys {
		return model.Errorf(model.TooLarge, "%d keys in one message exceed the limit of %d", len(names), l.Keys)
	}
	for _, name := range names {
		if name == "" {
			return model.Invalidf("Key can't be null or empty")
		}
		if len(name) > l.KeyBytes {
			return model.Invalidf("Key of %d bytes exceeds the limit of %d", len(name), l.KeyBytes)
		}
	}
	return nil
}

func (l *Limits) checkTime(ts int64) error {
	if ts < l.MinTime || ts >= l.MaxTime {
		return model.Invalidf("Timestamp %d is outside of %d to %d (milliseconds since 1970)", ts, l.MinTime, l.MaxTime)
	}
	return nil
}
