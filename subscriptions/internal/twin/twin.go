// Package twin is the naive twin of the engine for tests of whoever reads it: maps, one lock,
// a log that is a slice. It keeps the promises the hub relies on and nothing else: a change is
// visible before the sink is asked whether it wants it, positions are in order, every answer
// knows the position it was read at.
package twin

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A Sink hears of changes.
type Sink interface {
	Wants(model.TenantID, model.EntityID) bool
	Publish(*model.Change)
}

// ErrBehind is what Follow returns when the log was cut.
var ErrBehind = errors.New("twin: log no longer reaches back")

// A Store is a twin. Pause, when set, is called in the midst of things, without locks, so
// that a test can make others run there.
type Store struct {
	Sink  Sink
	Pause func()

	// commit holds a token from applying a change until it was published. A mutex would keep
	// the clock of a synctest bubble from moving.
	commit chan struct{}
	mu     sync.RWMutex
	pos    model.Position
	// followed is how far Follow goes: like the engine's, it may lag behind what was
	// published already.
	followed model.Position
	cut      model.Position
	log      []*model.Change
	series   map[seriesKey]*series
	// last is where an entity and scope was changed last: what the engine answers who reads
	// its latest values.
	last map[seriesKey]model.Position
}

type seriesKey struct {
	tenant model.TenantID
	entity model.EntityID
	scope  model.Scope
	key    string
}

type series struct {
	points map[int64]model.Value
	latest model.Point
}

// New returns an empty store that tells sink.
func New(sink Sink) *Store {
	return &Store{Sink: sink, commit: make(chan struct{}, 1), series: make(map[seriesKey]*series), last: make(map[seriesKey]model.Position)}
}

func (s *Store) pause() {
	if s.Pause != nil {
		s.Pause()
	}
}

// Append applies a set.
func (s *Store) Append(w *model.WriteSet) model.Position {
	s.commit <- struct{}{}
	defer func() { <-s.commit }()
	s.mu.Lock()
	s.pos++
	c := &model.Change{
		Position: s.pos, Tenant: w.Tenant, Entity: w.Entity, Scope: w.Scope,
		Keys: slices.Clone(w.Keys), Rows: slices.Clone(w.Rows), Cells: slices.Clone(w.Cells),
	}
	i := 0
	for _, row := range c.Rows {
		for range row.Cells {
			cell := c.Cells[i]
			x := s.at(seriesKey{w.Tenant, w.Entity, w.Scope, c.Keys[cell.Key]})
			x.points[row.TS] = cell.Value
			newest := x.latest.Value.IsNone() || row.TS >= x.latest.TS
			if newest {
				x.latest = model.Point{TS: row.TS, Value: cell.Value}
			}
			c.Newest = append(c.Newest, newest)
			i++
		}
	}
	s.log = append(s.log, c)
	s.last[seriesKey{c.Tenant, c.Entity, c.Scope, ""}] = s.pos
	s.mu.Unlock()
	s.tell(c)
	s.end()
	return c.Position
}

// Delete drops a key with its latest value; nothing happens where there is none.
func (s *Store) Delete(t model.TenantID, e model.EntityID, scope model.Scope, key string) model.Position {
	s.commit <- struct{}{}
	defer func() { <-s.commit }()
	s.mu.Lock()
	if s.series[seriesKey{t, e, scope, key}] == nil {
		defer s.mu.Unlock()
		return s.pos
	}
	s.pos++
	c := &model.Change{Position: s.pos, Tenant: t, Entity: e, Scope: scope, Deleted: []model.KeyPoint{{Key: key}}}
	delete(s.series, seriesKey{t, e, scope, key})
	s.log = append(s.log, c)
	s.last[seriesKey{c.Tenant, c.Entity, c.Scope, ""}] = s.pos
	s.mu.Unlock()
	s.tell(c)
	s.end()
	return c.Position
}

// DeleteEntity drops everything of an entity: one position, one change for each scope.
func (s *Store) DeleteEntity(t model.TenantID, e model.EntityID) {
	s.commit <- struct{}{}
	defer func() { <-s.commit }()
	s.mu.Lock()
	s.pos++
	var changes []*model.Change
	for scope := model.Timeseries; scope <= model.State; scope++ {
		c := &model.Change{Position: s.pos, Tenant: t, Entity: e, Scope: scope}
		for k := range s.series {
			if k.tenant == t && k.entity == e && k.scope == scope {
				c.Deleted = append(c.Deleted, model.KeyPoint{Key: k.key})
				delete(s.series, k)
			}
		}
		if len(c.Deleted) > 0 {
			changes = append(changes, c)
		}
		s.last[seriesKey{t, e, scope, ""}] = s.pos
	}
	s.log = append(s.log, changes...)
	s.mu.Unlock()
	for _, c := range changes {
		s.tell(c)
	}
	s.end()
}

// Restart lets nothing happen while another sink takes the place of the one there is.
func (s *Store) Restart(other func() Sink) {
	s.commit <- struct{}{}
	defer func() { <-s.commit }()
	s.Sink = other()
}

// end lets Follow see what was published.
func (s *Store) end() {
	s.pause()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed = s.pos
}

func (s *Store) tell(c *model.Change) {
	s.pause()
	if s.Sink.Wants(c.Tenant, c.Entity) {
		s.pause()
		s.Sink.Publish(c)
	}
}

func (s *Store) at(k seriesKey) *series {
	x := s.series[k]
	if x == nil {
		x = &series{points: make(map[int64]model.Value)}
		s.series[k] = x
	}
	return x
}

// Log returns every change so far.
func (s *Store) Log() []*model.Change {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.log)
}

// Cut makes Follow fail from anywhere before the present.
func (s *Store) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = s.pos
}

// Latest is the engine's.
func (s *Store) Latest(_ context.Context, t model.TenantID, e model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error) {
	s.pause()
	defer s.pause()
	s.mu.RLock()
	defer s.mu.RUnlock()
	snap := model.Snapshot{Position: s.last[seriesKey{t, e, scope, ""}]}
	for k, x := range s.series {
		if k.tenant != t || k.entity != e || k.scope != scope || keys != nil && !slices.Contains(keys, k.key) {
			continue
		}
		if v := x.latest.Value; !v.IsNone() && v.Type() != model.TypeNull {
			snap.Points = append(snap.Points, model.KeyPoint{Key: k.key, Point: x.latest})
		}
	}
	slices.SortFunc(snap.Points, func(a, b model.KeyPoint) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return snap, nil
}

// points returns what a series has in the range of q, in its order.
func (s *Store) points(q *model.RangeQuery, key string) []model.Point {
	x := s.series[seriesKey{q.Tenant, q.Entity, q.Scope, key}]
	if x == nil {
		return nil
	}
	var out []model.Point
	for _, ts := range slices.Sorted(maps.Keys(x.points)) {
		if ts >= q.From && ts < max(q.To, q.From+1) {
			out = append(out, model.Point{TS: ts, Value: x.points[ts]})
		}
	}
	return out
}

// Raw is the engine's, in pages of two points.
func (s *Store) Raw(_ context.Context, q *model.RangeQuery, yield func(string, []model.Point) error) (model.Position, error) {
	s.pause()
	defer s.pause()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range q.Keys {
		points := s.points(q, key)
		if q.Descending {
			slices.Reverse(points)
		}
		if q.Limit > 0 {
			points = points[:min(len(points), q.Limit)]
		}
		for page := range slices.Chunk(points, 2) {
			if err := yield(key, page); err != nil {
				return 0, err
			}
		}
	}
	return s.pos, nil
}

// Aggregate is the engine's for fixed buckets of integers.
func (s *Store) Aggregate(_ context.Context, q *model.RangeQuery, yield func(string, []model.Bucket) error) (model.Position, error) {
	s.pause()
	defer s.pause()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range q.Keys {
		var buckets []model.Bucket
		points := s.points(q, key)
		for from := q.From; from < q.To; from += q.Every.Width {
			b := model.Bucket{From: from, To: min(from+q.Every.Width, q.To)}
			var sum int64
			lowest, highest := int64(1<<62), int64(-1<<62)
			for _, p := range points {
				if p.TS >= b.From && p.TS < b.To {
					b.Count++
					sum += p.Value.Int()
					lowest, highest = min(lowest, p.Value.Int()), max(highest, p.Value.Int())
				}
			}
			if b.Count > 0 {
				b.Sum, b.Avg = model.Int(sum), model.Float(float64(sum)/float64(b.Count))
				b.Min, b.Max = model.Int(lowest), model.Int(highest)
				buckets = append(buckets, b)
			}
		}
		if len(buckets) > 0 {
			if err := yield(key, buckets); err != nil {
				return 0, err
			}
		}
	}
	return s.pos, nil
}

// Position is that of the last change Follow shows.
func (s *Store) Position() model.Position {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.followed
}

// Epoch is the same for all twins.
func (s *Store) Epoch() uint64 { return 1 }

// FollowSome is the engine's.
func (s *Store) FollowSome(ctx context.Context, from model.Position, want func(model.TenantID, model.EntityID) bool, fn func(*model.Change) error) (model.Position, error) {
	s.pause()
	s.mu.RLock()
	log, pos, cut := s.log, s.followed, s.cut
	s.mu.RUnlock()
	if from < cut {
		return cut, ErrBehind
	}
	for _, c := range log {
		if c.Position > from && c.Position <= pos && want(c.Tenant, c.Entity) {
			if err := fn(c); err != nil {
				return c.Position, err
			}
			s.pause()
		}
	}
	return pos, ctx.Err()
}
