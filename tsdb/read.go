package tsdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// Keys lists the keys that have a latest value, sorted.
func (db *DB) Keys(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope) ([]string, error) {
	rec, err := db.open(ctx, tenant, entity, scope)
	if err != nil {
		return nil, err
	}
	defer db.done(rec)
	unlock := lockSorted(rec)
	defer unlock()
	names := make([]string, 0, len(rec.Sorted()))
	for _, ref := range rec.Sorted() {
		g := rec.Group(ref.Group)
		if t := g.Latest(int(ref.Column)).Type; t != model.TypeNone && t != model.TypeNull {
			names = append(names, g.Shape.Names[ref.Column])
		}
	}
	return names, nil
}

// Latest returns the latest points of keys, or of every key when keys is nil.
func (db *DB) Latest(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error) {
	if err := db.options.Limits.checkKeys(keys); err != nil {
		return model.Snapshot{}, err
	}
	rec, err := db.open(ctx, tenant, entity, scope)
	if err != nil {
		return model.Snapshot{}, err
	}
	defer db.done(rec)
	if keys == nil {
		unlock := lockSorted(rec)
		defer unlock()
		refs := rec.Sorted()
		s := model.Snapshot{Position: rec.Last, Points: make([]model.KeyPoint, 0, len(refs))}
		for _, ref := range refs {
			s.Points = appendLatest(s.Points, rec.Group(ref.Group), int(ref.Column))
		}
		return s, nil
	}
	rec.RLock()
	defer rec.RUnlock()
	s := model.Snapshot{Position: rec.Last, Points: make([]model.KeyPoint, 0, len(keys))}
	for _, key := range keys {
		if ref, ok := rec.Find(key); ok {
			s.Points = appendLatest(s.Points, rec.Group(ref.Group), int(ref.Column))
		}
	}
	slices.SortFunc(s.Points, func(a, b model.KeyPoint) int {
		switch {
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		}
		return 0
	})
	s.Points = slices.CompactFunc(s.Points, func(a, b model.KeyPoint) bool { return a.Key == b.Key })
	return s, nil
}

func appendLatest(dst []model.KeyPoint, g *head.Group, column int) []model.KeyPoint {
	l := g.Latest(column)
	if l.Type == model.TypeNone || l.Type == model.TypeNull {
		return dst
	}
	return append(dst, model.KeyPoint{Key: g.Shape.Names[column], Point: model.Point{TS: l.TS, Value: l.Value()}})
}

// lockSorted locks rec for a reader of its sorted keys.
func lockSorted(rec *head.Record) (unlock func()) {
	rec.RLock()
	if !rec.NeedsSort() {
		return rec.RUnlock
	}
	rec.RUnlock()
	rec.Lock()
	rec.Sorted()
	return rec.Unlock
}

// open begins a read of one entity and scope; done ends it.
func (db *DB) open(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope) (*head.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if scope < model.Timeseries || scope > model.State {
		return nil, model.Invalidf("Unknown scope %d", scope)
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	rec, err := db.records.get(keys.Series{Tenant: tenant, Entity: entity, Scope: scope})
	if err != nil {
		db.leave()
		return nil, err
	}
	return rec, nil
}

func (db *DB) done(rec *head.Record) {
	rec.Unpin()
	db.leave()
}

// Raw calls yield with the points of each key, in the order of q.Keys, in pages of at most
// 1,024 points. The slice is reused after yield returns, the text of the values is not. Keys
// without points are left out. An error of yield ends the query and is returned.
func (db *DB) Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error) {
	return db.query(ctx, q, func(series []scan.Series) error {
		return db.scanner.Raw(ctx, q, series, func(i int, points []model.Point) error { return yield(q.Keys[i], points) })
	})
}

// Aggregate calls yield once a key that has points, in the order of q.Keys, with its
// buckets in ascending order; empty ones are left out. The slice is reused after yield
// returns.
func (db *DB) Aggregate(ctx context.Context, q *model.RangeQuery, yield func(key string, buckets []model.Bucket) error) (model.Position, error) {
	cut, err := bucket.New(q.From, q.To, q.Every)
	if err != nil {
		return 0, err
	}
	if n := cut.Count(); n > db.options.Limits.Buckets {
		return 0, model.Invalidf("%d intervals exceed the limit of %d; please increase the interval", n, db.options.Limits.Buckets)
	}
	return db.query(ctx, q, func(series []scan.Series) error {
		return db.scanner.Aggregate(ctx, q, series, func(i int, buckets []model.Bucket) error { return yield(q.Keys[i], buckets) })
	})
}

func (db *DB) query(ctx context.Context, q *model.RangeQuery, run func([]scan.Series) error) (model.Position, error) {
	if err := db.options.Limits.checkKeys(q.Keys); err != nil {
		return 0, err
	}
	rec, err := db.open(ctx, q.Tenant, q.Entity, q.Scope)
	if err != nil {
		return 0, err
	}
	defer db.done(rec)
	return db.read(rec, q.Keys, run)
}

// read calls run with a source for each of names, all of one position, which it returns.
func (db *DB) read(rec *head.Record, names []string, run func([]scan.Series) error) (_ model.Position, err error) {
	v, err := db.view(rec, names)
	if v.snapshot == nil || err != nil {
		return v.position, err
	}
	defer func() { err = errors.Join(err, v.snapshot.Close()) }()
	return v.position, run(v.series)
}

// A view is one moment of an entity and scope.
type view struct {
	position model.Position
	series   []scan.Series
	snapshot *pebble.Snapshot // nil when none of the keys was ever written
}

// view copies the heads and takes the snapshot under one lock: the answer then holds exactly
// the sets up to the record's position, in the heads or in row groups. Which heads the
// snapshot covers is told by the flush position in it.
func (db *DB) view(rec *head.Record, names []string) (v view, err error) {
	v.series = make([]scan.Series, len(names))
	var sources []*source
	rec.RLock()
	for i, name := range names {
		ref, ok := rec.Find(name)
		if !ok {
			continue
		}
		at := slices.IndexFunc(sources, func(s *source) bool { return s.group == ref.Group })
		if at < 0 {
			at = len(sources)
			sources = append(sources, &source{group: ref.Group})
		}
		sources[at].mask |= 1 << ref.Column
		v.series[i] = scan.Series{Source: sources[at], Group: ref.Group, Column: int(ref.Column)}
	}
	for _, s := range sources {
		s.view = rec.Group(s.group).View(s.mask)
	}
	v.position = rec.Last
	if len(sources) > 0 {
		v.snapshot = db.store.NewSnapshot()
	}
	rec.RUnlock()
	if v.snapshot == nil {
		return v, nil
	}
	state, err := readFlushState(v.snapshot)
	if err != nil {
		return view{}, errors.Join(err, v.snapshot.Close())
	}
	for _, s := range sources {
		s.snapshot = v.snapshot
		s.heads, s.deleted = s.view.Resolve(state.position)
	}
	return v, nil
}

// A source is one group at one moment.
type source struct {
	group    uint64
	mask     uint32 // of the columns asked for
	view     head.GroupView
	snapshot pebble.Reader
	heads    []scan.Head
	deleted  []scan.Tombstone
}

// Heads implements scan.Source.
func (s *source) Heads() []scan.Head { return s.heads }

// Deleted implements scan.Source.
func (s *source) Deleted() []scan.Tombstone { return s.deleted }

// Cursor implements scan.Source.
func (s *source) Cursor(space scan.Space) (scan.Cursor, error) {
	c, err := newCursor(s.snapshot, space, s.group)
	if err != nil {
		return nil, fmt.Errorf("read group %d: %w", s.group, err)
	}
	return c, nil
}

// newestBefore returns the newest point of a column before an instant that is not null.
func (db *DB) newestBefore(ctx context.Context, rec *head.Record, key string, before int64) (l catalog.Latest, err error) {
	q := &model.RangeQuery{Keys: []string{key}, From: minInstant, To: before, Limit: 1, Descending: true}
	_, err = db.read(rec, q.Keys, func(series []scan.Series) error {
		return db.scanner.Raw(ctx, q, series, func(_ int, points []model.Point) error {
			v := points[0].Value
			l = catalog.Latest{TS: points[0].TS, Type: v.Type(), Bits: v.Bits(), Text: []byte(v.Text())}
			return nil
		})
	})
	return l, err
}
