package tsdb

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/head"
)

// StateAt returns what the latest points of names, or of every key when names is nil, were at
// an instant (ms): of each key the newest point at or before it. A key whose newest point is a
// null was removed and is left out, as in Latest.
//
// Where history does not reach back as far as the key's latest value does (its retention, or a
// delete that kept the latest), that value stands for it from its own instant on. In scopes
// ordered by arrival the answer is what the entity's state was; in Timeseries it is what is
// known today of that instant, late points included. With a *[model.DamageError] the answer is
// what can still be read: a newer point may have stood where it says.
func (db *DB) StateAt(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope, names []string, at int64) (model.Snapshot, error) {
	if err := db.options.Limits.checkKeys(names); err != nil {
		return model.Snapshot{}, err
	}
	if at == math.MaxInt64 {
		at--
	}
	rec, err := db.open(ctx, tenant, entity, scope)
	if err != nil {
		return model.Snapshot{}, err
	}
	defer db.done(rec)

	mends := db.damage.mends.Load()
	rec.RLock()
	points, search := knownAt(rec, names, at)
	v, sources := db.look(rec, search)
	rec.RUnlock()
	if err := v.resolve(sources); err != nil {
		return model.Snapshot{}, db.unreadable(tenant, entity, scope, err)
	}
	if v.snapshot != nil {
		err = db.scanner.Newest(ctx, db.call(model.Budget{}, 0), at+1, v.series, func(i int, p model.Point) error {
			known := &points[search[i]].Point
			if known.Value.IsNone() || p.TS > known.TS {
				*known = p
			}
			return nil
		})
		err = db.mendedSince(mends, rec, search, db.tellDamage(rec, search, err))
		if closing := v.snapshot.Close(); closing != nil {
			err = errors.Join(err, closing)
		}
		if _, damaged := errors.AsType[*model.DamageError](err); err != nil && !damaged {
			return model.Snapshot{}, err
		}
	}
	s := model.Snapshot{Position: v.position, Points: make([]model.KeyPoint, 0, len(points))}
	for _, p := range points {
		if p.Value.Type() > model.TypeNull {
			s.Points = append(s.Points, *p)
		}
	}
	slices.SortFunc(s.Points, func(a, b model.KeyPoint) int { return cmp.Compare(a.Key, b.Key) })
	return s, err
}

// knownAt returns the latest values of names that were there at an instant, and those names
// whose history has to be searched: a latest that no delete has touched is the newest point.
// The record's lock must be held.
func knownAt(rec *head.Record, names []string, at int64) (points map[string]*model.KeyPoint, search []string) {
	points = map[string]*model.KeyPoint{}
	one := func(g *head.Group, column int) {
		name := g.Shape.Names[column]
		if points[name] != nil {
			return
		}
		p := &model.KeyPoint{Key: name}
		points[name] = p
		l := g.Latest(column)
		if l.Type != model.TypeNone && l.TS <= at {
			p.Point = model.Point{TS: l.TS, Value: l.Value()}
			if g.State.Touched&(1<<column) == 0 {
				return
			}
		}
		search = append(search, name)
	}
	if names == nil {
		for _, g := range rec.Groups {
			for column := range g.Shape.Names {
				one(g, column)
			}
		}
		return points, search
	}
	for _, name := range names {
		if ref, ok := rec.Find(name); ok {
			one(rec.Group(ref.Group), int(ref.Column))
		}
	}
	return points, search
}
