package views

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// A Store is the engine as a Copier needs it.
type Store interface {
	Latest(ctx context.Context, t model.TenantID, e model.EntityID, s model.Scope, keys []string) (model.Snapshot, error)
	Append(context.Context, *model.WriteSet) (model.Position, error)
}

// A Copier copies the attributes that views choose.
type Copier struct {
	Store Store
	Now   func() int64 // ms
}

// CopyAttributes writes to v those attributes of its source that v chooses and that changed
// within its span, and removes those of dropped that are not among them. Doing it again
// changes nothing.
func (c *Copier) CopyAttributes(ctx context.Context, v *model.EntityView, dropped model.ViewKeys) error {
	for _, s := range []struct {
		scope         model.Scope
		keys, dropped []string
	}{
		{model.Client, v.Keys.Client, dropped.Client},
		{model.Server, v.Keys.Server, dropped.Server},
		{model.Shared, v.Keys.Shared, dropped.Shared},
	} {
		if err := c.copy(ctx, v, s.scope, s.keys, s.dropped); err != nil {
			return err
		}
	}
	return nil
}

func (c *Copier) copy(ctx context.Context, v *model.EntityView, scope model.Scope, keys, dropped []string) error {
	if len(keys) == 0 && len(dropped) == 0 {
		return nil
	}
	span := model.Window{From: v.From, To: v.To}
	now := c.Now()
	set := &model.WriteSet{Tenant: v.Tenant, Entity: v.ID, Scope: scope, Received: now}
	put := func(key string, value model.Value) {
		set.Cells = append(set.Cells, model.Cell{Key: len(set.Keys), Value: value})
		set.Keys = append(set.Keys, key)
	}
	own, err := c.latest(ctx, v.Tenant, v.ID, scope, slices.Concat(keys, dropped))
	if err != nil {
		return err
	}
	source, err := c.latest(ctx, v.Tenant, v.Source.ID, scope, keys)
	if err != nil {
		return err
	}
	for key, p := range source {
		if !span.Shows(key, p.TS) {
			delete(source, key)
		} else if own[key].Value != p.Value {
			put(key, p.Value)
		}
	}
	for _, key := range dropped {
		_, here := own[key]
		if _, chosen := source[key]; here && !chosen {
			put(key, model.Null())
		}
	}
	if len(set.Cells) == 0 {
		return nil
	}
	set.Rows = []model.Row{{TS: now, Cells: len(set.Cells)}}
	_, err = c.Store.Append(ctx, set)
	return err
}

// latest returns the latest values of keys, by key.
func (c *Copier) latest(ctx context.Context, t model.TenantID, e model.EntityID, scope model.Scope, keys []string) (map[string]model.Point, error) {
	out := map[string]model.Point{}
	if len(keys) == 0 {
		return out, nil
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	snap, err := c.Store.Latest(ctx, t, e, scope, keys)
	for _, p := range snap.Points {
		out[p.Key] = p.Point
	}
	return out, err
}
