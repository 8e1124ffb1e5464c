package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

const tenantColumns = `id, created, version, title, country, state, city, address, address2, zip, phone, email, info, profile_id, region`

func scanTenant(s scanner) (*model.Tenant, error) {
	var t model.Tenant
	c := &t.Contact
	return &t, s.Scan(idText{(*model.ID)(&t.ID)}, &t.Created, &t.Version, &t.Title, &c.Country, &c.State, &c.City,
		&c.Address, &c.Address2, &c.Zip, &c.Phone, &c.Email, jsonText{&t.Info}, idText{&t.Profile}, &t.Region)
}

func tenantByID(ctx context.Context, q queryer, id model.TenantID) (*model.Tenant, error) {
	t, err := first(ctx, q, scanTenant, "SELECT "+tenantColumns+" FROM tenants WHERE id = $1", id.String())
	if err != nil {
		return nil, fmt.Errorf("registry: read tenant %s: %w", id, err)
	}
	if t == nil {
		return nil, missing("Tenant", model.ID(id))
	}
	return t, nil
}

// SaveTenant creates a tenant, with a device and an asset profile "default", when its ID is zero, and
// updates it otherwise. It fills ID, Created, Version and Profile.
func (r *Registry) SaveTenant(ctx context.Context, t *model.Tenant) error {
	if err := cmp.Or(required("Tenant", field{"title", t.Title}), checkContact(&t.Contact), checkTexts(field{"region", t.Region})); err != nil {
		return err
	}
	next := *t
	err := r.write(ctx, func(tx *tx) error {
		profile, err := r.chooseTenantProfile(tx, &next)
		if err != nil {
			return err
		}
		if t.ID == (model.TenantID{}) {
			return r.createTenant(tx, &next, profile)
		}
		old, err := tenantByID(tx.ctx, tx.sql, t.ID)
		if err != nil {
			return err
		}
		if err := checkVersion("Tenant", t.Version, old.Version); err != nil {
			return err
		}
		next.Created, next.Version = old.Created, old.Version+1
		c := &next.Contact
		err = tx.execOne(`UPDATE tenants SET version = $2, title = $3, country = $4, state = $5, city = $6, address = $7,
			address2 = $8, zip = $9, phone = $10, email = $11, info = $12, profile_id = $13, region = $14
			WHERE id = $1`, next.ID.String(), next.Version, next.Title, c.Country, c.State, c.City, c.Address, c.Address2,
			c.Zip, c.Phone, c.Email, jsonArg(next.Info), profile.ID.String(), next.Region)
		if err != nil {
			return fmt.Errorf("registry: update tenant %s: %w", next.ID, err)
		}
		tx.then(func() {
			r.dir.change(model.EntityID(next.ID), func(e *model.Entity) { e.Name, e.ProfileID = next.Title, next.Profile })
		})
		return nil
	})
	if err == nil {
		*t = next
	}
	return err
}

func (r *Registry) createTenant(tx *tx, t *model.Tenant, profile *model.TenantProfile) error {
	t.ID, t.Created, t.Version = model.TenantID(r.newID()), r.now(), 1
	c := &t.Contact
	err := tx.exec(`INSERT INTO tenants (`+tenantColumns+`) VALUES (`+placeholders(1, 15)+`)`, t.ID.String(), t.Created,
		t.Version, t.Title, c.Country, c.State, c.City, c.Address, c.Address2, c.Zip, c.Phone, c.Email, jsonArg(t.Info),
		profile.ID.String(), t.Region)
	if err != nil {
		return fmt.Errorf("registry: insert tenant: %w", err)
	}
	tx.then(func() {
		r.dir.put(&model.Entity{Tenant: t.ID, ID: model.EntityID(t.ID), Type: model.EntityTenant, Name: t.Title,
			ProfileID: t.Profile, Customer: model.NoCustomer, Created: t.Created})
	})
	err = r.insertProfile(tx, &model.DeviceProfile{Tenant: t.ID, Name: "default", Description: "Default device profile",
		Default: true, Transport: "DEFAULT"})
	if err == nil {
		_, err = r.defaultAssetProfile(tx, t.ID)
	}
	return err
}

// chooseTenantProfile settles Profile: the one named, else the one the tenant has, else the
// default one.
func (r *Registry) chooseTenantProfile(tx *tx, t *model.Tenant) (*model.TenantProfile, error) {
	where, args := "is_default = $1", []any{true}
	switch {
	case !t.Profile.IsZero():
		where, args = "id = $1", []any{t.Profile.String()}
	case t.ID != (model.TenantID{}):
		where, args = "id = (SELECT profile_id FROM tenants WHERE id = $1)", []any{t.ID.String()}
	}
	p, err := tenantProfileWhere(tx.ctx, tx.sql, where, args...)
	switch {
	case err != nil:
		return nil, err
	case p == nil && !t.Profile.IsZero():
		return nil, model.Invalidf("Tenant is referencing to non-existent tenant profile!")
	case p == nil:
		return nil, missing("Tenant", model.ID(t.ID))
	}
	t.Profile = p.ID
	return p, nil
}

// Tenant returns a tenant.
func (r *Registry) Tenant(ctx context.Context, id model.TenantID) (*model.Tenant, error) {
	return tenantByID(ctx, r.reader, id)
}

// DeleteTenant removes a tenant with everything it owns. One transaction ends its rights and
// hides it; its rows go after that in small ones, between which others write. When it returns
// nil the tenant is gone for good: what ctx or a crash keeps it from removing the outbox's worker
// removes.
func (r *Registry) DeleteTenant(ctx context.Context, id model.TenantID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, ok := r.Lookup(model.EntityID(id)); !ok { // gone, or going
			return missing("Tenant", model.ID(id))
		}
		// One row stands for all the tenant owns: 100,000 of them would hold up every writer.
		if err := r.erase(tx, id, model.EntityID(id)); err != nil {
			return err
		}
		if _, err := r.revokeAll(tx, id); err != nil {
			return err
		}
		if err := r.endKeys(tx, "u.tenant_id = $1", id.String()); err != nil {
			return err
		}
		if err := r.endSessions(tx, "SELECT s.id FROM sessions s JOIN customers c ON c.id = s.customer_id WHERE c.tenant_id = $1", id.String()); err != nil {
			return err
		}
		if err := r.endSessions(tx, "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.tenant_id = $1", id.String()); err != nil {
			return err
		}
		tx.rights = true
		tx.then(func() { r.dir.removeTenant(id) })
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.purgeTenant(ctx, id); err != nil && ctx.Err() == nil {
		r.eraseFailed(ctx, model.EntityID(id), err)
	}
	r.outbox.poke()
	return nil
}

// Tenants lists all tenants; sortable by createdTime, title, name, region and what a contact has.
func (r *Registry) Tenants(ctx context.Context, _ model.TenantFilter, l model.PageLink) (model.Page[model.Tenant], error) {
	by := withContact(order[model.Tenant]{
		"createdTime": func(a, b *model.Tenant) int { return cmp.Compare(a.Created, b.Created) },
		"title":       func(a, b *model.Tenant) int { return compareText(a.Title, b.Title) },
		"name":        func(a, b *model.Tenant) int { return compareText(a.Title, b.Title) },
		"region":      func(a, b *model.Tenant) int { return compareText(a.Region, b.Region) },
	}, func(t *model.Tenant) *model.Contact { return &t.Contact })
	if err := checkLink(l, by); err != nil {
		return model.Page[model.Tenant]{}, err
	}
	all, err := collect(ctx, r.reader, scanTenant, "SELECT "+tenantColumns+" FROM tenants")
	if err != nil {
		return model.Page[model.Tenant]{}, fmt.Errorf("registry: list tenants: %w", err)
	}
	n := newNeedle(l.Search)
	found := keep(all, func(t *model.Tenant) bool {
		_, ok := r.Lookup(model.EntityID(t.ID)) // one that goes has a row until its last one went
		return ok && n.in(t.Title)
	})
	return values(paginate(found, l, by, func(a, b *model.Tenant) int {
		return newestFirst(a.Created, b.Created, model.ID(a.ID), model.ID(b.ID))
	})), nil
}
