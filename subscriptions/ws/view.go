package ws

import (
	"context"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/views"
)

// window returns what a view shows; nil when id is no view's.
func (s *Server) window(id model.EntityID) *model.Window {
	if s.deps.Window == nil {
		return nil
	}
	w, ok := s.deps.Window(id)
	if !ok {
		return nil
	}
	return w
}

// throughView returns r, or snapshots of what w shows where there is a window. Positions are
// those of the source, whose changes the hub will tell.
func throughView(r subscriptions.Snapshots, w *model.Window) subscriptions.Snapshots {
	if w == nil {
		return r
	}
	return viewed{r, w}
}

// viewed snapshots ask the source of a view in place of the view.
type viewed struct {
	subscriptions.Snapshots
	window *model.Window
}

// Latest implements subscriptions.Snapshots for time series, of which a view has no own.
func (v viewed) Latest(ctx context.Context, t model.TenantID, _ model.EntityID, _ model.Scope, keys []string) (model.Snapshot, error) {
	return views.Latest(ctx, v.Snapshots, t, v.window, keys)
}

// Raw implements subscriptions.Snapshots.
func (v viewed) Raw(ctx context.Context, q *model.RangeQuery, yield func(string, []model.Point) error) (model.Position, error) {
	clipped := *q
	if !v.window.Clip(&clipped) {
		return v.position(ctx, q)
	}
	return v.Snapshots.Raw(ctx, &clipped, yield)
}

// Aggregate implements subscriptions.Snapshots.
func (v viewed) Aggregate(ctx context.Context, q *model.RangeQuery, yield func(string, []model.Bucket) error) (model.Position, error) {
	clipped := *q
	if !v.window.Clip(&clipped) {
		return v.position(ctx, q)
	}
	return v.Snapshots.Aggregate(ctx, &clipped, yield)
}

// position is where the source stands, for an answer that is empty without reading.
func (v viewed) position(ctx context.Context, q *model.RangeQuery) (model.Position, error) {
	snap, err := v.Snapshots.Latest(ctx, q.Tenant, v.window.Source.ID, model.Timeseries, []string{})
	return snap.Position, err
}
