package views

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// A Reader is the engine as views need it.
type Reader interface {
	Latest(ctx context.Context, t model.TenantID, e model.EntityID, s model.Scope, keys []string) (model.Snapshot, error)
	Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error)
}

// Latest returns the newest points that w shows of keys, nil meaning all. Where the source has
// a newer point behind the span, the newest one within it counts. The position is that of the
// source, at which the latest values were read.
func Latest(ctx context.Context, r Reader, t model.TenantID, w *model.Window, keys []string) (model.Snapshot, error) {
	snap, err := r.Latest(ctx, t, w.Source.ID, model.Timeseries, w.Only(keys))
	if err != nil || w.From == 0 && w.To == 0 {
		return snap, err
	}
	var within []model.KeyPoint // the engine's slice is not ours to change
	var behind []string
	for _, p := range snap.Points {
		switch {
		case w.Shows(p.Key, p.TS):
			within = append(within, p)
		case w.To != 0 && p.TS >= w.To:
			behind = append(behind, p.Key)
		}
	}
	snap.Points = within
	if len(behind) == 0 {
		return snap, nil
	}
	q := model.RangeQuery{Tenant: t, Scope: model.Timeseries, Keys: behind, From: w.From, To: w.To, Limit: 1, Descending: true}
	if !w.Clip(&q) {
		return snap, nil
	}
	_, err = r.Raw(ctx, &q, func(key string, points []model.Point) error {
		if len(points) > 0 && points[0].Value.Type() != model.TypeNull {
			snap.Points = append(snap.Points, model.KeyPoint{Key: key, Point: points[0]})
		}
		return nil
	})
	slices.SortFunc(snap.Points, func(a, b model.KeyPoint) int {
		switch {
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		}
		return 0
	})
	return snap, err
}
