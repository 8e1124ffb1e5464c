package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

const assetColumns = `a.id, a.tenant_id, a.customer_id, a.profile_id, p.name, a.created, a.version, a.name, a.label, a.info
	FROM assets a JOIN asset_profiles p ON p.id = a.profile_id`

func scanAsset(s scanner) (*model.Asset, error) {
	var a model.Asset
	return &a, s.Scan(idText{(*model.ID)(&a.ID)}, idText{(*model.ID)(&a.Tenant)}, customerText{&a.Customer},
		idText{&a.ProfileID}, &a.Profile, &a.Created, &a.Version, &a.Name, &a.Label, jsonText{&a.Info})
}

func assetWhere(ctx context.Context, q queryer, where string, args ...any) (*model.Asset, error) {
	a, err := first(ctx, q, scanAsset, "SELECT "+assetColumns+" WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read asset: %w", err)
	}
	return a, nil
}

func assetByID(ctx context.Context, q queryer, t model.TenantID, id model.EntityID) (*model.Asset, error) {
	a, err := assetWhere(ctx, q, "a.tenant_id = $1 AND a.id = $2", t.String(), id.String())
	if err == nil && a == nil {
		err = missing("Asset", model.ID(id))
	}
	return a, err
}

// SaveAsset creates an asset when its ID is zero and updates it otherwise. Its profile is
// that of ProfileID, else that of the name in Profile, which is made when there is none, else
// the tenant's default. Customer only counts at creation. It fills ID, Created, Version,
// Customer, Profile and ProfileID.
func (r *Registry) SaveAsset(ctx context.Context, a *model.Asset) error {
	if err := cmp.Or(required("Asset", field{"name", a.Name}), checkTexts(field{"label", a.Label}, field{"type", a.Profile})); err != nil {
		return err
	}
	next := *a
	err := r.write(ctx, func(tx *tx) error {
		if a.ID == (model.EntityID{}) {
			return r.insertAsset(tx, &next)
		}
		old, err := assetByID(tx.ctx, tx.sql, a.Tenant, a.ID)
		if err != nil {
			return err
		}
		if err := checkVersion("Asset", a.Version, old.Version); err != nil {
			return err
		}
		if err := r.chooseAssetProfile(tx, &next); err != nil {
			return err
		}
		next.Created, next.Version, next.Customer = old.Created, old.Version+1, old.Customer
		err = tx.execOne("UPDATE assets SET version = $2, profile_id = $3, name = $4, label = $5, info = $6 WHERE id = $1",
			next.ID.String(), next.Version, next.ProfileID.String(), next.Name, next.Label, jsonArg(next.Info))
		if err != nil {
			return assetSaveError(err)
		}
		tx.then(func() { r.dir.put(entityOfAsset(&next)) })
		return nil
	})
	if err == nil {
		*a = next
	}
	return err
}

func (r *Registry) insertAsset(tx *tx, a *model.Asset) error {
	if _, err := tenantByID(tx.ctx, tx.sql, a.Tenant); err != nil {
		return err
	}
	if err := r.mayAdd(a.Tenant, model.EntityAsset); err != nil {
		return err
	}
	if isNobody(a.Customer) {
		a.Customer = model.NoCustomer
	} else if err := r.mayAssign(tx, a.Tenant, a.Customer); err != nil {
		return err
	}
	if err := r.chooseAssetProfile(tx, a); err != nil {
		return err
	}
	a.ID, a.Created, a.Version = model.EntityID(r.newID()), r.now(), 1
	err := tx.exec(`INSERT INTO assets (id, tenant_id, customer_id, profile_id, created, version, name, label, info)
		VALUES (`+placeholders(1, 9)+`)`, a.ID.String(), a.Tenant.String(), customerArg(a.Customer), a.ProfileID.String(),
		a.Created, a.Version, a.Name, a.Label, jsonArg(a.Info))
	if err != nil {
		return assetSaveError(err)
	}
	tx.then(func() { r.dir.put(entityOfAsset(a)) })
	return nil
}

// entityOfAsset is what the directory keeps of an asset.
func entityOfAsset(a *model.Asset) *model.Entity {
	return &model.Entity{Tenant: a.Tenant, ID: a.ID, Type: model.EntityAsset, Name: a.Name, Label: a.Label,
		Profile: a.Profile, ProfileID: a.ProfileID, Customer: a.Customer, Created: a.Created}
}

// chooseAssetProfile settles Profile and ProfileID, as for devices.
func (r *Registry) chooseAssetProfile(tx *tx, a *model.Asset) (err error) {
	var p *model.AssetProfile
	switch {
	case !a.ProfileID.IsZero():
		p, err = assetProfileWhere(tx.ctx, tx.sql, "tenant_id = $1 AND id = $2", a.Tenant.String(), a.ProfileID.String())
		if err == nil && p == nil {
			err = model.Invalidf("Asset is referencing to non-existent asset profile!")
		}
	case a.Profile != "":
		p, err = assetProfileWhere(tx.ctx, tx.sql, "tenant_id = $1 AND name = $2", a.Tenant.String(), a.Profile)
		if err == nil && p == nil {
			p = &model.AssetProfile{Tenant: a.Tenant, Name: a.Profile}
			err = r.insertAssetProfile(tx, p)
		}
	default:
		p, err = r.defaultAssetProfile(tx, a.Tenant)
	}
	if err != nil {
		return err
	}
	a.Profile, a.ProfileID = p.Name, p.ID
	return nil
}

func assetSaveError(err error) error {
	if isDuplicate(err) {
		return model.Invalidf("Asset with such name already exists!")
	}
	return fmt.Errorf("registry: save asset: %w", err)
}

// Asset returns an asset of a tenant.
func (r *Registry) Asset(ctx context.Context, t model.TenantID, id model.EntityID) (*model.Asset, error) {
	return assetByID(ctx, r.reader, t, id)
}

// AssetByName returns the asset of a tenant with a name.
func (r *Registry) AssetByName(ctx context.Context, t model.TenantID, name string) (*model.Asset, error) {
	a, err := assetWhere(ctx, r.reader, "a.tenant_id = $1 AND a.name = $2", t.String(), name)
	if err == nil && a == nil {
		err = model.NotFoundf("Asset with name [%s] is not found", name)
	}
	return a, err
}

// AssignAsset gives an asset to a customer; NoCustomer takes it back.
func (r *Registry) AssignAsset(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID) (*model.Asset, error) {
	if isNobody(c) {
		c = model.NoCustomer
	}
	var a *model.Asset
	err := r.write(ctx, func(tx *tx) (err error) {
		if a, err = assetByID(tx.ctx, tx.sql, t, id); err != nil || a.Customer == c {
			return err
		}
		a.Customer, a.Version = c, a.Version+1
		return r.moveTo(tx, "assets", t, id, c, a.Version)
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// DeleteAsset removes an asset with all its data.
func (r *Registry) DeleteAsset(ctx context.Context, t model.TenantID, id model.EntityID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, err := assetByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		if err := r.notViewed(tx, "asset", id); err != nil {
			return err
		}
		return r.deleteOne(tx, "assets", t, id)
	})
	r.outbox.poke()
	return err
}

// Assets lists the assets of a tenant; sortable by createdTime, name, type, label,
// assetProfileName, customerTitle. The search looks at name, label and type.
func (r *Registry) Assets(ctx context.Context, t model.TenantID, f model.AssetFilter, l model.PageLink) (model.Page[model.Asset], error) {
	by := entityOrder()
	delete(by, "title")
	by["assetProfileName"] = by["type"]
	by["customerTitle"] = nil
	if l.Sort == "customerTitle" {
		by["customerTitle"] = r.byCustomerTitle(t)
	}
	chosen, err := r.choose(t, model.EntityAsset, l, by, func(e *model.Entity) bool {
		return (f.Type == "" || e.Profile == f.Type) && (f.Profile.IsZero() || e.ProfileID == f.Profile) &&
			(f.Customer == (model.CustomerID{}) || e.Customer == f.Customer)
	})
	if err != nil {
		return model.Page[model.Asset]{}, err
	}
	assets, err := r.assetsByID(ctx, t, chosen.Data)
	return model.Page[model.Asset]{Data: assets, Total: chosen.Total}, err
}

// AssetsByID returns the assets of a tenant with these ids, in their order. Ids the tenant
// does not have are left out.
func (r *Registry) AssetsByID(ctx context.Context, t model.TenantID, ids []model.EntityID) ([]model.Asset, error) {
	return r.assetsByID(ctx, t, plainIDs(ids))
}

func (r *Registry) assetsByID(ctx context.Context, t model.TenantID, ids []model.ID) ([]model.Asset, error) {
	return byIDs(ctx, r.reader, scanAsset, "SELECT "+assetColumns+" WHERE a.id IN", ids,
		func(a *model.Asset) (model.ID, bool) { return model.ID(a.ID), a.Tenant == t })
}

// AssetTypes returns the names of the profiles of a tenant's assets, sorted; of those
// assigned to a customer when c is one.
func (r *Registry) AssetTypes(t model.TenantID, c model.CustomerID) []string {
	return r.types(t, model.EntityAsset, c)
}
