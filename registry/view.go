package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/model"
)

const viewColumns = `id, tenant_id, customer_id, created, version, name, type, source_type, source_id, keys, start_ms, end_ms, info`

func scanView(s scanner) (*model.EntityView, error) {
	var v model.EntityView
	err := s.Scan(idText{(*model.ID)(&v.ID)}, idText{(*model.ID)(&v.Tenant)}, customerText{&v.Customer}, &v.Created, &v.Version,
		&v.Name, &v.Type, &v.Source.Type, idText{(*model.ID)(&v.Source.ID)}, keysText{&v.Keys}, &v.From, &v.To, jsonText{&v.Info})
	return &v, err
}

// keysText scans a column of view keys.
type keysText struct{ keys *model.ViewKeys }

func (k keysText) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("column of keys holds a %T", v)
	}
	return json.Unmarshal([]byte(s), k.keys)
}

// keysArg is the argument for a column that keysText scans.
func keysArg(k model.ViewKeys) (string, error) {
	b, err := json.Marshal(k)
	return string(b), err
}

func viewWhere(ctx context.Context, q queryer, where string, args ...any) (*model.EntityView, error) {
	v, err := first(ctx, q, scanView, "SELECT "+viewColumns+" FROM entity_views WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read entity view: %w", err)
	}
	return v, nil
}

func viewByID(ctx context.Context, q queryer, t model.TenantID, id model.EntityID) (*model.EntityView, error) {
	v, err := viewWhere(ctx, q, "tenant_id = $1 AND id = $2", t.String(), id.String())
	if err == nil && v == nil {
		err = missing("Entity view", model.ID(id))
	}
	return v, err
}

// maxViewKeys bounds the keys of a view: more of them than a message may have are no choice.
const maxViewKeys = 10_000

func checkView(v *model.EntityView) error {
	if err := cmp.Or(required("Entity view", field{"name", v.Name}), checkTexts(field{"type", v.Type})); err != nil {
		return err
	}
	n := 0
	for _, keys := range [][]string{v.Keys.Timeseries, v.Keys.Client, v.Keys.Server, v.Keys.Shared} {
		n += len(keys)
		for _, k := range keys {
			if k == "" || len(k) > maxText {
				return model.Invalidf("Validation error: key length must be between 1 and %d", maxText)
			}
		}
	}
	switch {
	case n > maxViewKeys:
		return model.Invalidf("Entity view can't have more than %d keys!", maxViewKeys)
	case v.From < 0 || v.To < 0:
		return model.Invalidf("Entity view start and end time can't be negative!")
	case v.From != 0 && v.To != 0 && v.To < v.From:
		return model.Invalidf("Entity view end time can't be before its start time!")
	case v.Source.Type != model.EntityDevice && v.Source.Type != model.EntityAsset:
		return model.Invalidf("Entity view can be assigned to a device or an asset only!")
	}
	return nil
}

// SaveEntityView creates an entity view when its ID is zero and updates it otherwise. An empty
// Type means "default". Customer only counts at creation. It fills ID, Created, Version, Type
// and Customer. The attributes of the source are copied before it returns, or, should the
// engine fail or the server end before that, later.
func (r *Registry) SaveEntityView(ctx context.Context, v *model.EntityView) error {
	next := *v
	next.Type = cmp.Or(next.Type, "default")
	if err := checkView(&next); err != nil {
		return err
	}
	err := r.write(ctx, func(tx *tx) error {
		if e, ok := r.Entity(next.Tenant, next.Source.ID); !ok || e.Type != next.Source.Type {
			return model.Invalidf("Entity view is referencing to non-existent entity!")
		}
		if v.ID == (model.EntityID{}) {
			return r.insertView(tx, &next)
		}
		return r.updateView(tx, &next)
	})
	if err != nil {
		return err
	}
	*v = next
	r.copyNow(ctx, v.ID)
	return nil
}

func (r *Registry) insertView(tx *tx, v *model.EntityView) error {
	if isNobody(v.Customer) {
		v.Customer = model.NoCustomer
	} else if err := r.mayAssign(tx, v.Tenant, v.Customer); err != nil {
		return err
	}
	v.ID, v.Created, v.Version = model.EntityID(r.newID()), r.now(), 1
	keys, err := keysArg(v.Keys)
	if err != nil {
		return err
	}
	err = tx.exec("INSERT INTO entity_views ("+viewColumns+") VALUES ("+placeholders(1, 13)+")", v.ID.String(), v.Tenant.String(),
		customerArg(v.Customer), v.Created, v.Version, v.Name, v.Type, v.Source.Type, v.Source.ID.String(), keys, v.From, v.To, jsonArg(v.Info))
	if err != nil {
		return viewSaveError(err)
	}
	tx.then(func() { r.putView(v) })
	return r.askCopy(tx, v, model.ViewKeys{})
}

func (r *Registry) updateView(tx *tx, v *model.EntityView) error {
	old, err := viewByID(tx.ctx, tx.sql, v.Tenant, v.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("Entity view", v.Version, old.Version); err != nil {
		return err
	}
	v.Created, v.Version, v.Customer = old.Created, old.Version+1, old.Customer
	keys, err := keysArg(v.Keys)
	if err != nil {
		return err
	}
	err = tx.execOne(`UPDATE entity_views SET version = $2, name = $3, type = $4, source_type = $5, source_id = $6, keys = $7,
		start_ms = $8, end_ms = $9, info = $10 WHERE id = $1`, v.ID.String(), v.Version, v.Name, v.Type, v.Source.Type,
		v.Source.ID.String(), keys, v.From, v.To, jsonArg(v.Info))
	if err != nil {
		return viewSaveError(err)
	}
	tx.rights = true // who looks through it may see something else now
	tx.then(func() { r.putView(v) })
	return r.askCopy(tx, v, old.Keys)
}

func viewSaveError(err error) error {
	if isDuplicate(err) {
		return model.Invalidf("Entity view with such name already exists!")
	}
	return fmt.Errorf("registry: save entity view: %w", err)
}

// putView tells the directory of a view.
func (r *Registry) putView(v *model.EntityView) {
	r.dir.views.set(v.ID, v.Window())
	r.dir.put(&model.Entity{Tenant: v.Tenant, ID: v.ID, Type: model.EntityEntityView, Name: v.Name, Profile: v.Type,
		Customer: v.Customer, Created: v.Created})
}

// Window returns, from memory, what a view shows; false when id is no view's. It is shared
// and must not be changed; a view that is changed gets another one.
func (r *Registry) Window(id model.EntityID) (*model.Window, bool) { return r.dir.views.get(id) }

// EntityView returns an entity view of a tenant.
func (r *Registry) EntityView(ctx context.Context, t model.TenantID, id model.EntityID) (*model.EntityView, error) {
	return viewByID(ctx, r.reader, t, id)
}

// EntityViewByName returns the entity view of a tenant with a name.
func (r *Registry) EntityViewByName(ctx context.Context, t model.TenantID, name string) (*model.EntityView, error) {
	v, err := viewWhere(ctx, r.reader, "tenant_id = $1 AND name = $2", t.String(), name)
	if err == nil && v == nil {
		err = model.NotFoundf("Entity view with name [%s] is not found", name)
	}
	return v, err
}

// EntityViewsByID returns the entity views of a tenant with these ids, in their order. Ids the
// tenant does not have are left out.
func (r *Registry) EntityViewsByID(ctx context.Context, t model.TenantID, ids []model.EntityID) ([]model.EntityView, error) {
	return r.viewsByID(ctx, t, plainIDs(ids))
}

func (r *Registry) viewsByID(ctx context.Context, t model.TenantID, ids []model.ID) ([]model.EntityView, error) {
	return byIDs(ctx, r.reader, scanView, "SELECT "+viewColumns+" FROM entity_views WHERE id IN", ids,
		func(v *model.EntityView) (model.ID, bool) { return model.ID(v.ID), v.Tenant == t })
}

// AssignEntityView gives an entity view to a customer; NoCustomer takes it back.
func (r *Registry) AssignEntityView(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID) (*model.EntityView, error) {
	if isNobody(c) {
		c = model.NoCustomer
	}
	var v *model.EntityView
	err := r.write(ctx, func(tx *tx) (err error) {
		if v, err = viewByID(tx.ctx, tx.sql, t, id); err != nil || v.Customer == c {
			return err
		}
		v.Customer, v.Version = c, v.Version+1
		return r.moveTo(tx, "entity_views", t, id, c, v.Version)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// DeleteEntityView removes an entity view with its attributes.
func (r *Registry) DeleteEntityView(ctx context.Context, t model.TenantID, id model.EntityID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, err := viewByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		return r.deleteOne(tx, "entity_views", t, id)
	})
	r.outbox.poke()
	return err
}

// notViewed refuses the deletion of what views show.
func (r *Registry) notViewed(tx *tx, what string, id model.EntityID) error {
	viewed, err := tx.exists("SELECT id FROM entity_views WHERE source_id = $1", id.String())
	if err != nil {
		return fmt.Errorf("registry: look for views of entity %s: %w", id, err)
	}
	if viewed {
		return model.Invalidf("Can't delete %s that has entity views!", what)
	}
	return nil
}

// EntityViews lists the entity views of a tenant; sortable by createdTime, name, type,
// customerTitle, startTimeMs, endTimeMs. The search looks at name and type.
func (r *Registry) EntityViews(ctx context.Context, t model.TenantID, f model.EntityViewFilter, l model.PageLink) (model.Page[model.EntityView], error) {
	by := entityOrder()
	delete(by, "title")
	delete(by, "label")
	by["customerTitle"] = nil
	if l.Sort == "customerTitle" {
		by["customerTitle"] = r.byCustomerTitle(t)
	}
	by["startTimeMs"] = r.byWindow(func(w *model.Window) int64 { return w.From })
	by["endTimeMs"] = r.byWindow(func(w *model.Window) int64 { return w.To })
	chosen, err := r.choose(t, model.EntityEntityView, l, by, func(e *model.Entity) bool {
		return (f.Type == "" || e.Profile == f.Type) && (f.Customer == (model.CustomerID{}) || e.Customer == f.Customer)
	})
	if err != nil {
		return model.Page[model.EntityView]{}, err
	}
	found, err := r.viewsByID(ctx, t, chosen.Data)
	return model.Page[model.EntityView]{Data: found, Total: chosen.Total}, err
}

// byWindow orders views by an end of what they show; those that are open stand before others.
func (r *Registry) byWindow(end func(*model.Window) int64) func(a, b *model.Entity) int {
	of := func(e *model.Entity) int64 {
		w, ok := r.Window(e.ID)
		if !ok {
			return 0 // it goes just now
		}
		return end(w)
	}
	return func(a, b *model.Entity) int { return cmp.Compare(of(a), of(b)) }
}

// EntityViewTypes returns the types of a tenant's entity views, sorted; of those assigned to a
// customer when c is one.
func (r *Registry) EntityViewTypes(t model.TenantID, c model.CustomerID) []string {
	return r.types(t, model.EntityEntityView, c)
}

// loadViews fills the directory with entity views.
func (r *Registry) loadViews(ctx context.Context) error {
	all, err := collect(ctx, r.reader, scanView, "SELECT "+viewColumns+" FROM entity_views")
	for _, v := range all {
		r.putView(v)
	}
	return err
}

// union joins two choices of attributes.
func union(a, b model.ViewKeys) model.ViewKeys {
	join := func(x, y []string) []string { return slices.Compact(slices.Sorted(slices.Values(slices.Concat(x, y)))) }
	return model.ViewKeys{Client: join(a.Client, b.Client), Server: join(a.Server, b.Server), Shared: join(a.Shared, b.Shared)}
}
