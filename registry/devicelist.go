package registry

import (
	"context"

	"github.com/tidewire/tidewire/model"
)

// Devices lists the devices of a tenant; sortable by createdTime, name, type, label,
// deviceProfileName, customerTitle, active. The search looks at name, label and type.
func (r *Registry) Devices(ctx context.Context, t model.TenantID, f model.DeviceFilter, l model.PageLink) (model.Page[model.Device], error) {
	if f.Active == nil {
		f.Active = func(model.EntityID) bool { return false }
	}
	chosen, err := r.choose(t, model.EntityDevice, l, r.deviceOrder(t, f, l), func(e *model.Entity) bool {
		return (f.Type == "" || e.Profile == f.Type) && (f.Profile.IsZero() || e.ProfileID == f.Profile) &&
			(f.Customer == (model.CustomerID{}) || e.Customer == f.Customer) &&
			(f.WithActive == nil || f.Active(e.ID) == *f.WithActive)
	})
	if err != nil {
		return model.Page[model.Device]{}, err
	}
	devices, err := r.devicesByID(ctx, t, chosen.Data)
	return model.Page[model.Device]{Data: devices, Total: chosen.Total}, err
}

// deviceOrder returns how devices compare. What is not in the directory is asked once per
// device, not once per comparison, and only when it is sorted by.
func (r *Registry) deviceOrder(t model.TenantID, f model.DeviceFilter, l model.PageLink) order[model.Entity] {
	by := entityOrder()
	delete(by, "title")
	by["deviceProfileName"] = by["type"]
	active := map[model.EntityID]bool{}
	if l.Sort == "active" {
		for e := range r.Entities(t, model.EntityDevice) {
			active[e.ID] = f.Active(e.ID)
		}
	}
	by["active"] = func(a, b *model.Entity) int { return compareBool(active[a.ID], active[b.ID]) }
	by["customerTitle"] = nil
	if l.Sort == "customerTitle" {
		by["customerTitle"] = r.byCustomerTitle(t)
	}
	return by
}

// DevicesByID returns the devices of a tenant with these ids, in their order. Ids the tenant
// does not have are left out.
func (r *Registry) DevicesByID(ctx context.Context, t model.TenantID, ids []model.EntityID) ([]model.Device, error) {
	return r.devicesByID(ctx, t, plainIDs(ids))
}

// The tenant is compared here: given both, SQLite would walk all its devices.
func (r *Registry) devicesByID(ctx context.Context, t model.TenantID, ids []model.ID) ([]model.Device, error) {
	return byIDs(ctx, r.reader, scanDevice, "SELECT "+deviceColumns+" WHERE d.id IN", ids,
		func(d *model.Device) (model.ID, bool) { return model.ID(d.ID), d.Tenant == t })
}

// DeviceTypes returns the names of the profiles of a tenant's devices, sorted; of those
// assigned to a customer when c is one.
func (r *Registry) DeviceTypes(t model.TenantID, c model.CustomerID) []string {
	return r.types(t, model.EntityDevice, c)
}
