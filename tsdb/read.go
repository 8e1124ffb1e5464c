package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
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
		return nil, db.unreadable(tenant, entity, scope, err)
	}
	return rec, nil
}

// unreadable words the failure to read what there is of an entity: where that is damaged, it
// is a place like any other, and told.
func (db *DB) unreadable(tenant model.TenantID, entity model.EntityID, scope model.Scope, err error) error {
	if !errors.Is(err, ErrCorrupt) && !pebble.IsCorruptionError(err) {
		return err
	}
	place := model.Damage{Tenant: tenant, Entity: entity, Scope: scope, From: minInstant, To: math.MaxInt64, Cause: fmt.Errorf("%w: %w", ErrCorrupt, err)}
	db.damage.once(place)
	db.told.tear(err)
	return &model.DamageError{Places: []model.Damage{place}}
}

func (db *DB) done(rec *head.Record) {
	rec.Unpin()
	db.leave()
}

// read calls run with a source for each of names, all of one position, which it returns.
func (db *DB) read(rec *head.Record, names []string, run func([]scan.Series) error) (_ model.Position, err error) {
	mends := db.damage.mends.Load()
	v, err := db.view(rec, names)
	if v.snapshot == nil || err != nil {
		db.told.tear(err) // rows that all need are mended at once
		return v.position, err
	}
	defer func() { err = errors.Join(err, v.snapshot.Close()) }()
	return v.position, db.mendedSince(mends, rec, names, run(v.series))
}

// mendedSince returns err, which also tells, if it is about damage or nil, that damage was being
// mended while something was read: a snapshot may lack what is taken away then, and have what
// that had hidden.
func (db *DB) mendedSince(mends int64, rec *head.Record, names []string, err error) error {
	unsettled, meanwhile := db.damage.mendedSince(mends)
	if !meanwhile && !mayHoldAny(unsettled, rec, names) {
		return err
	}
	err = db.tellDamage(rec, names, err)
	told, ok := errors.AsType[*model.DamageError](err)
	if err != nil && !ok {
		return err
	}
	var all model.DamageError
	if ok {
		all.Places = slices.Clone(told.Places)
	}
	all.Places = append(all.Places, model.Damage{
		Tenant: rec.Series.Tenant, Entity: rec.Series.Entity, Scope: rec.Series.Scope, Keys: names, From: minInstant, To: math.MaxInt64,
		Cause: fmt.Errorf("%w: %w", ErrCorrupt, errMended),
	})
	return &all
}

// mayHoldAny reports whether rows of names may lie in one of spans.
func mayHoldAny(spans []keySpan, rec *head.Record, names []string) bool {
	if len(spans) == 0 {
		return false
	}
	rec.RLock()
	defer rec.RUnlock()
	return slices.ContainsFunc(names, func(name string) bool {
		ref, ok := rec.Find(name)
		return ok && slices.ContainsFunc(spans, func(s keySpan) bool { return s.mayHoldOf(ref.Group) })
	})
}

// A view is one moment of an entity and scope.
type view struct {
	position model.Position
	series   []scan.Series
	snapshot *pinned        // nil when none of the keys was ever written
	flushed  model.Position // what the snapshot has
}

// view takes a moment of rec.
func (db *DB) view(rec *head.Record, names []string) (view, error) {
	rec.RLock()
	v, sources := db.look(rec, names)
	rec.RUnlock()
	if err := v.resolve(sources); err != nil {
		return v, db.unreadable(rec.Series.Tenant, rec.Series.Entity, rec.Series.Scope, err)
	}
	return v, nil
}

// look copies the heads and takes the snapshot under one lock, which must be held: the answer
// then holds exactly the sets up to the record's position, in the heads or in row groups. Which
// heads the snapshot covers is told by the flush position in it: resolve must follow.
func (db *DB) look(rec *head.Record, names []string) (v view, sources []*source) {
	v.series = make([]scan.Series, len(names))
	for i, name := range names {
		ref, ok := rec.Find(name)
		if !ok {
			continue
		}
		at := slices.IndexFunc(sources, func(s *source) bool { return s.group == ref.Group })
		if at < 0 {
			at = len(sources)
			sources = append(sources, &source{group: ref.Group, damage: db.damage})
		}
		sources[at].mask |= 1 << ref.Column
		v.series[i] = scan.Series{Source: sources[at], Group: ref.Group, Column: int(ref.Column)}
	}
	for _, s := range sources {
		s.view = rec.Group(s.group).View(s.mask)
	}
	v.position = rec.Last
	if len(sources) > 0 {
		v.snapshot = pin(db.store, &db.mark)
	}
	return v, sources
}

// resolve leaves out the heads that the snapshot covers. After an error the view is closed.
func (v *view) resolve(sources []*source) error {
	if v.snapshot == nil {
		return nil
	}
	state, err := v.snapshot.flushState()
	if err != nil {
		return errors.Join(err, v.snapshot.Close())
	}
	v.flushed = state.position
	for _, s := range sources {
		s.snapshot = v.snapshot
		s.heads, s.deleted = s.view.Resolve(state.position, state.batch)
	}
	return nil
}

// A source is one group at one moment.
type source struct {
	group    uint64
	mask     uint32 // of the columns asked for
	view     head.GroupView
	snapshot pebble.Reader
	heads    []scan.Head
	deleted  []scan.Tombstone
	damage   *damages
}

// Heads implements scan.Source.
func (s *source) Heads() []scan.Head { return s.heads }

// Deleted implements scan.Source.
func (s *source) Deleted() []scan.Tombstone { return s.deleted }

// Cursor implements scan.Source.
func (s *source) Cursor(space scan.Space) (scan.Cursor, error) {
	c, err := newCursor(s.snapshot, space, s.group, s.damage)
	if err != nil {
		return nil, fmt.Errorf("read group %d: %w", s.group, err)
	}
	return c, nil
}

// newestBefore returns the newest point of a column before an instant that is not null, and
// of TypeNone when there is none. What is damaged is told and stepped over: a delete is not
// refused because an older point cannot be read.
func (db *DB) newestBefore(ctx context.Context, rec *head.Record, key string, before int64) (l catalog.Latest, err error) {
	q := &model.RangeQuery{Keys: []string{key}, From: minInstant, To: before, Limit: 1, Descending: true}
	_, err = db.read(rec, q.Keys, func(series []scan.Series) error {
		return db.scanner.Raw(ctx, nil, q, series, func(_ int, points []model.Point) error {
			v := points[0].Value
			l = catalog.Latest{TS: points[0].TS, Type: v.Type(), Bits: v.Bits(), Text: []byte(v.Text())}
			return nil
		})
	})
	err = db.tellDamage(rec, q.Keys, err)
	if _, damaged := errors.AsType[*model.DamageError](err); damaged {
		err = nil
	}
	return l, err
}
