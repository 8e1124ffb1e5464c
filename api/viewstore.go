package api

import (
	"context"

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

// clip returns the query of the source where q asks a view, and whether it can have an answer.
func (s viewStore) clip(q *model.RangeQuery) (*model.RangeQuery, bool) {
	w, ok := s.windows.Window(q.Entity)
	if !ok || q.Scope != model.Timeseries {
		return q, true
	}
	clipped := *q
	return &clipped, w.Clip(&clipped)
}
