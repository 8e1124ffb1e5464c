package api

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/views"
)

// A viewStore is a Store in which entity views have the time series they show (contract
// thingsboard 8.7). Their attributes are their own.
type viewStore struct {
	Store
	windows interface {
		Window(model.EntityID) (*model.Window, bool)
	}
}

// Keys implements Store: the keys that have a newest point within the view.
func (s viewStore) Keys(ctx context.Context, t model.TenantID, e model.EntityID, scope model.Scope) ([]string, error) {
	w, ok := s.windows.Window(e)
	if !ok || scope != model.Timeseries {
		return s.Store.Keys(ctx, t, e, scope)
	}
	snap, err := views.Latest(ctx, s.Store, t, w, nil)
	keys := make([]string, 0, len(snap.Points))
	for i := range snap.Points {
		keys = append(keys, snap.Points[i].Key)
	}
	return keys, err
}

// Latest implements Store.
func (s viewStore) Latest(ctx context.Context, t model.TenantID, e model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error) {
	w, ok := s.windows.Window(e)
	if !ok || scope != model.Timeseries {
		return s.Store.Latest(ctx, t, e, scope, keys)
	}
	return views.Latest(ctx, s.Store, t, w, keys)
}

// Raw implements Store.
func (s viewStore) Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error) {
	clipped, some := s.clip(q)
	if !some {
		return 0, nil
	}
	return s.Store.Raw(ctx, clipped, yield)
}

// Aggregate implements Store.
func (s viewStore) Aggregate(ctx context.Context, q *model.RangeQuery, yield func(key string, buckets []model.Bucket) error) (model.Position, error) {
	clipped, some := s.clip(q)
	if !some {
		return 0, nil
	}
	return s.Store.Aggregate(ctx, clipped, yield)
}

// Revisions implements Store.
func (s viewStore) Revisions(ctx context.Context, q *model.RangeQuery, yield func(key string, revisions []model.Revision) error) (model.Position, error) {
	clipped, some := s.clip(q)
	if !some {
		return 0, nil
	}
	return s.Store.Revisions(ctx, clipped, yield)
}

// StateAt implements Store: what the view showed at an instant.
func (s viewStore) StateAt(ctx context.Context, t model.TenantID, e model.EntityID, scope model.Scope, keys []string, at int64) (model.Snapshot, error) {
	w, ok := s.windows.Window(e)
	if !ok || scope != model.Timeseries {
		return s.Store.StateAt(ctx, t, e, scope, keys, at)
	}
	if w.To != 0 {
		at = min(at, w.To-1)
	}
	if keys = w.Only(keys); keys != nil && len(keys) == 0 {
		return model.Snapshot{}, nil
	}
	snap, err := s.Store.StateAt(ctx, t, w.Source.ID, scope, keys, at)
	snap.Points = slices.DeleteFunc(snap.Points, func(p model.KeyPoint) bool { return !w.Shows(p.Key, p.TS) })
	return snap, err
}

// RawPage implements Store.
func (s viewStore) RawPage(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.RawPage, error) {
	clipped, some := s.clip(q)
	if !some {
		return model.RawPage{}, nil
	}
	return s.Store.RawPage(ctx, clipped, yield)
}

// RawMany implements Store.
func (s viewStore) RawMany(ctx context.Context, b model.Budget, qs []model.RangeQuery, yield func(i int, key string, points []model.Point) error) ([]model.Position, error) {
	clipped, _ := s.clipMany(qs)
	return s.Store.RawMany(ctx, b, clipped, yield)
}

// AggregateMany implements Store. Buckets begin where those of the query do, whatever part of
// its range a view shows.
func (s viewStore) AggregateMany(ctx context.Context, b model.Budget, qs []model.RangeQuery, yield func(i int, key string, buckets []model.Bucket) error) ([]model.Position, error) {
	clipped, _ := s.clipMany(qs)
	for i := range clipped {
		if every := &clipped[i].Every; clipped[i].From != qs[i].From && every.Unit == model.Fixed {
			every.Unit, every.Offset = model.Aligned, qs[i].From
		}
	}
	return s.Store.AggregateMany(ctx, b, clipped, yield)
}

// AggregateGroups implements Store.
func (s viewStore) AggregateGroups(ctx context.Context, b model.Budget, over *model.RangeQuery, qs []model.RangeQuery, n int, group func(i, key int) int, yield func(group int, buckets []model.Bucket) error) ([]model.Position, error) {
	clipped, kept := s.clipMany(qs)
	return s.Store.AggregateGroups(ctx, b, over, clipped, n, func(i, key int) int {
		if kept[i] != nil {
			key = kept[i][key]
		}
		return group(i, key)
	}, yield)
}

// clipMany returns the queries of the sources where qs ask views, without keys where there can
// be no answer; kept says of those which keys are left, by their index.
func (s viewStore) clipMany(qs []model.RangeQuery) (clipped []model.RangeQuery, kept map[int][]int) {
	clipped, kept = qs, map[int][]int{}
	for i := range qs {
		w, ok := s.windows.Window(qs[i].Entity)
		if !ok || qs[i].Scope != model.Timeseries {
			continue
		}
		if len(kept) == 0 {
			clipped = slices.Clone(qs)
		}
		kept[i] = []int{}
		if !w.Clip(&clipped[i]) {
			clipped[i].Keys = nil
			continue
		}
		for k, key := range qs[i].Keys {
			if w.HasKey(key) {
				kept[i] = append(kept[i], k)
			}
		}
	}
	return clipped, kept
}

// clip returns the query of the source where q asks a view, and whether it can have an answer.
func (s viewStore) clip(q *model.RangeQuery) (*model.RangeQuery, bool) {
	w, ok := s.windows.Window(q.Entity)
	if !ok || q.Scope != model.Timeseries {
		return q, true
	}
	clipped := *q
	return &clipped, w.Clip(&clipped)
}
