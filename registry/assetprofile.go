package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

const assetProfileColumns = `id, tenant_id, created, version, name, description, is_default, dashboard_id, queue, image`

func scanAssetProfile(s scanner) (*model.AssetProfile, error) {
	var p model.AssetProfile
	return &p, s.Scan(idText{&p.ID}, idText{(*model.ID)(&p.Tenant)}, &p.Created, &p.Version, &p.Name, &p.Description,
		&p.Default, idText{(*model.ID)(&p.Dashboard)}, &p.Queue, &p.Image)
}

func assetProfileWhere(ctx context.Context, q queryer, where string, args ...any) (*model.AssetProfile, error) {
	p, err := first(ctx, q, scanAssetProfile, "SELECT "+assetProfileColumns+" FROM asset_profiles WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read asset profile: %w", err)
	}
	return p, nil
}

func assetProfileByID(ctx context.Context, q queryer, t model.TenantID, id model.ID) (*model.AssetProfile, error) {
	p, err := assetProfileWhere(ctx, q, "tenant_id = $1 AND id = $2", t.String(), id.String())
	if err == nil && p == nil {
		err = missing("Asset profile", id)
	}
	return p, err
}

// SaveAssetProfile creates an asset profile when its ID is zero and updates it otherwise.
// Default only changes by SetDefaultAssetProfile. It fills ID, Created, Version and Default.
func (r *Registry) SaveAssetProfile(ctx context.Context, p *model.AssetProfile) error {
	if err := cmp.Or(required("Asset profile", field{"name", p.Name}), checkTexts(field{"defaultQueueName", p.Queue})); err != nil {
		return err
	}
	next := *p
	err := r.write(ctx, func(tx *tx) error {
		if err := dashboardExists(tx, "Asset profile", next.Tenant, next.Dashboard); err != nil {
			return err
		}
		if !p.ID.IsZero() {
			return r.updateAssetProfile(tx, &next)
		}
		if p.Default {
			return model.Invalidf("Another default asset profile is present in scope of current tenant!")
		}
		if _, err := tenantByID(tx.ctx, tx.sql, p.Tenant); err != nil {
			return err
		}
		return r.insertAssetProfile(tx, &next)
	})
	if err == nil {
		*p = next
	}
	return err
}

func (r *Registry) insertAssetProfile(tx *tx, p *model.AssetProfile) error {
	p.ID, p.Created, p.Version = r.newID(), r.now(), 1
	err := tx.exec(`INSERT INTO asset_profiles (`+assetProfileColumns+`) VALUES (`+placeholders(1, 10)+`)`, p.ID.String(),
		p.Tenant.String(), p.Created, p.Version, p.Name, p.Description, p.Default, idArg(model.ID(p.Dashboard)), p.Queue, p.Image)
	if err != nil {
		return assetProfileSaveError(err)
	}
	tx.then(func() {
		r.dir.put(&model.Entity{Tenant: p.Tenant, ID: model.EntityID(p.ID), Type: model.EntityAssetProfile, Name: p.Name,
			Customer: model.NoCustomer, Created: p.Created})
	})
	return nil
}

func (r *Registry) updateAssetProfile(tx *tx, p *model.AssetProfile) error {
	old, err := assetProfileByID(tx.ctx, tx.sql, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("Asset profile", p.Version, old.Version); err != nil {
		return err
	}
	p.Created, p.Version, p.Default = old.Created, old.Version+1, old.Default
	err = tx.execOne(`UPDATE asset_profiles SET version = $2, name = $3, description = $4, dashboard_id = $5, queue = $6, image = $7
		WHERE id = $1`, p.ID.String(), p.Version, p.Name, p.Description, idArg(model.ID(p.Dashboard)), p.Queue, p.Image)
	if err != nil {
		return assetProfileSaveError(err)
	}
	r.renameProfile(tx, p.Tenant, model.EntityAsset, p.ID, old.Name, p.Name)
	return nil
}

func assetProfileSaveError(err error) error {
	if isDuplicate(err) {
		return model.Invalidf("Asset profile with such name already exists!")
	}
	return fmt.Errorf("registry: save asset profile: %w", err)
}

// AssetProfile returns an asset profile of a tenant.
func (r *Registry) AssetProfile(ctx context.Context, t model.TenantID, id model.ID) (*model.AssetProfile, error) {
	return assetProfileByID(ctx, r.reader, t, id)
}

// DefaultAssetProfile returns the profile of assets that name none. Tenants that never had
// an asset may have no profile yet: it is made when first asked for.
func (r *Registry) DefaultAssetProfile(ctx context.Context, t model.TenantID) (*model.AssetProfile, error) {
	p, err := assetProfileWhere(ctx, r.reader, "tenant_id = $1 AND is_default = $2", t.String(), true)
	if err != nil || p != nil {
		return p, err
	}
	err = r.write(ctx, func(tx *tx) (err error) {
		p, err = r.defaultAssetProfile(tx, t)
		return err
	})
	return p, err
}

// defaultAssetProfile finds the default profile of a tenant, or makes it.
func (r *Registry) defaultAssetProfile(tx *tx, t model.TenantID) (*model.AssetProfile, error) {
	p, err := assetProfileWhere(tx.ctx, tx.sql, "tenant_id = $1 AND is_default = $2", t.String(), true)
	if err != nil || p != nil {
		return p, err
	}
	if _, err := tenantByID(tx.ctx, tx.sql, t); err != nil {
		return nil, err
	}
	p = &model.AssetProfile{Tenant: t, Name: "default", Description: "Default asset profile", Default: true}
	return p, r.insertAssetProfile(tx, p)
}

// SetDefaultAssetProfile makes a profile the one of assets that name none.
func (r *Registry) SetDefaultAssetProfile(ctx context.Context, t model.TenantID, id model.ID) (*model.AssetProfile, error) {
	var p *model.AssetProfile
	err := r.write(ctx, func(tx *tx) (err error) {
		if p, err = assetProfileByID(tx.ctx, tx.sql, t, id); err != nil || p.Default {
			return err
		}
		if err := tx.exec("UPDATE asset_profiles SET is_default = $2, version = version + 1 WHERE tenant_id = $1 AND is_default = $3",
			t.String(), false, true); err != nil {
			return fmt.Errorf("registry: take back the default asset profile: %w", err)
		}
		p.Default, p.Version = true, p.Version+1
		if err := tx.execOne("UPDATE asset_profiles SET is_default = $2, version = $3 WHERE id = $1", id.String(), true, p.Version); err != nil {
			return fmt.Errorf("registry: set the default asset profile: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DeleteAssetProfile removes a profile that is neither the default nor in use.
func (r *Registry) DeleteAssetProfile(ctx context.Context, t model.TenantID, id model.ID) error {
	err := r.write(ctx, func(tx *tx) error {
		p, err := assetProfileByID(tx.ctx, tx.sql, t, id)
		if err != nil {
			return err
		}
		if p.Default {
			return model.Invalidf("Deletion of Default Asset Profile is prohibited!")
		}
		used, err := tx.exists("SELECT id FROM assets WHERE profile_id = $1", id.String())
		if err != nil {
			return fmt.Errorf("registry: look for assets of profile %s: %w", id, err)
		}
		if used {
			return model.Invalidf("The asset profile referenced by the assets cannot be deleted!")
		}
		if err := r.erase(tx, t, model.EntityID(id)); err != nil {
			return err
		}
		if err := tx.execOne("DELETE FROM asset_profiles WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: delete asset profile %s: %w", id, err)
		}
		r.hide(tx, model.EntityID(id))
		return nil
	})
	r.outbox.poke()
	return err
}

// AssetProfiles lists the asset profiles of a tenant; sortable by createdTime, name,
// description, isDefault.
func (r *Registry) AssetProfiles(ctx context.Context, t model.TenantID, l model.PageLink) (model.Page[model.AssetProfile], error) {
	by := order[model.AssetProfile]{
		"createdTime": func(a, b *model.AssetProfile) int { return cmp.Compare(a.Created, b.Created) },
		"name":        func(a, b *model.AssetProfile) int { return compareText(a.Name, b.Name) },
		"description": func(a, b *model.AssetProfile) int { return compareText(a.Description, b.Description) },
		"isDefault":   func(a, b *model.AssetProfile) int { return compareBool(a.Default, b.Default) },
	}
	if err := checkLink(l, by); err != nil {
		return model.Page[model.AssetProfile]{}, err
	}
	all, err := collect(ctx, r.reader, scanAssetProfile, "SELECT "+assetProfileColumns+" FROM asset_profiles WHERE tenant_id = $1", t.String())
	if err != nil {
		return model.Page[model.AssetProfile]{}, fmt.Errorf("registry: list asset profiles: %w", err)
	}
	n := newNeedle(l.Search)
	found := keep(all, func(p *model.AssetProfile) bool { return n.in(p.Name) })
	return values(paginate(found, l, by, func(a, b *model.AssetProfile) int {
		return newestFirst(a.Created, b.Created, a.ID, b.ID)
	})), nil
}
