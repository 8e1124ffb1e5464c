package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// Devices lists the devices of a tenant; sortable by createdTime, name, type, label,
// deviceProfileName, customerTitle, active. The search looks at name, label and type. The
// page is chosen in memory; SQL is asked for its records only.
func (r *Registry) Devices(ctx context.Context, t model.TenantID, f model.DeviceFilter, l model.PageLink) (model.Page[model.Device], error) {
	if f.Active == nil {
		f.Active = func(model.EntityID) bool { return false }
	}
	by := r.deviceOrder(t, f, l)
	if err := checkLink(l, by); err != nil {
		return model.Page[model.Device]{}, err
	}
	n := newNeedle(l.Search)
	var found []*model.Entity
	for e := range r.Entities(t, model.EntityDevice) {
		switch {
		case f.Type != "" && e.Profile != f.Type,
			!f.Profile.IsZero() && e.ProfileID != f.Profile,
			f.Customer != (model.CustomerID{}) && e.Customer != f.Customer,
			f.WithActive != nil && f.Active(e.ID) != *f.WithActive,
			!n.in(e.Name, e.Label, e.Profile):
		default:
			found = append(found, e)
		}
	}
	slices.Reverse(found) // newest first, which is the order most lists end in
	chosen := paginate(found, l, by, func(a, b *model.Entity) int {
		return newestFirst(a.Created, b.Created, model.ID(a.ID), model.ID(b.ID))
	})
	ids := make([]model.EntityID, 0, len(chosen.Data))
	for _, e := range chosen.Data {
		ids = append(ids, e.ID)
	}
	devices, err := r.DevicesByID(ctx, t, ids)
	return model.Page[model.Device]{Data: devices, Total: chosen.Total}, err
}

// deviceOrder returns how devices compare. What is not in the directory is asked once per
// device, not once per comparison, and only when it is sorted by.
func (r *Registry) deviceOrder(t model.TenantID, f model.DeviceFilter, l model.PageLink) order[model.Entity] {
	byProfile := func(a, b *model.Entity) int { return compareText(a.Profile, b.Profile) }
	by := order[model.Entity]{
		"createdTime":       func(a, b *model.Entity) int { return cmp.Compare(a.Created, b.Created) },
		"name":              func(a, b *model.Entity) int { return compareText(a.Name, b.Name) },
		"type":              byProfile,
		"deviceProfileName": byProfile,
		"label":             func(a, b *model.Entity) int { return compareText(a.Label, b.Label) },
	}
	active := map[model.EntityID]bool{}
	titles := map[model.CustomerID]string{}
	switch l.Sort {
	case "active":
		for e := range r.Entities(t, model.EntityDevice) {
			active[e.ID] = f.Active(e.ID)
		}
	case "customerTitle":
		for e := range r.Entities(t, model.EntityCustomer) {
			titles[model.CustomerID(e.ID)] = e.Name
		}
	}
	by["active"] = func(a, b *model.Entity) int { return compareBool(active[a.ID], active[b.ID]) }
	by["customerTitle"] = func(a, b *model.Entity) int { return compareText(titles[a.Customer], titles[b.Customer]) }
	return by
}

// deviceBatch bounds the parameters of one statement.
const deviceBatch = 500

// DevicesByID returns the devices of a tenant with these ids, in their order. Ids the tenant
// does not have are left out.
func (r *Registry) DevicesByID(ctx context.Context, t model.TenantID, ids []model.EntityID) ([]model.Device, error) {
	found := make(map[model.EntityID]*model.Device, len(ids))
	for rest := ids; len(rest) > 0; {
		batch := rest[:min(len(rest), deviceBatch)]
		rest = rest[len(batch):]
		var args []any
		for _, id := range batch {
			args = append(args, id.String())
		}
		// The tenant is compared below: given both, SQLite would walk all its devices.
		devices, err := collect(ctx, r.reader, scanDevice,
			"SELECT "+deviceColumns+" WHERE d.id IN ("+placeholders(1, len(batch))+")", args...)
		if err != nil {
			return nil, fmt.Errorf("registry: read devices: %w", err)
		}
		for _, d := range devices {
			if d.Tenant == t {
				found[d.ID] = d
			}
		}
	}
	out := make([]model.Device, 0, len(found))
	for _, id := range ids {
		if d := found[id]; d != nil {
			out = append(out, *d)
			delete(found, id) // an id asked for twice is answered once
		}
	}
	return out, nil
}
