package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

const profileColumns = `id, tenant_id, created, version, name, description, is_default, transport, data, info,
	provision_type, provision_key, dashboard_id, queue, image`

func scanProfile(s scanner) (*model.DeviceProfile, error) {
	var p model.DeviceProfile
	return &p, s.Scan(idText{&p.ID}, idText{(*model.ID)(&p.Tenant)}, &p.Created, &p.Version, &p.Name, &p.Description,
		&p.Default, &p.Transport, jsonText{&p.Data}, jsonText{&p.Info}, &p.ProvisionType, nullText{&p.ProvisionKey},
		idText{(*model.ID)(&p.Dashboard)}, &p.Queue, &p.Image)
}

func profileWhere(ctx context.Context, q queryer, where string, args ...any) (*model.DeviceProfile, error) {
	p, err := first(ctx, q, scanProfile, "SELECT "+profileColumns+" FROM device_profiles WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read device profile: %w", err)
	}
	return p, nil
}

func profileByID(ctx context.Context, q queryer, t model.TenantID, id model.ID) (*model.DeviceProfile, error) {
	p, err := profileWhere(ctx, q, "tenant_id = $1 AND id = $2", t.String(), id.String())
	if err == nil && p == nil {
		err = missing("Device profile", id)
	}
	return p, err
}

func defaultProfile(ctx context.Context, q queryer, t model.TenantID) (*model.DeviceProfile, error) {
	p, err := profileWhere(ctx, q, "tenant_id = $1 AND is_default = $2", t.String(), true)
	if err == nil && p == nil {
		err = model.NotFoundf("Tenant with id [%s] is not found", t)
	}
	return p, err
}

func checkProfile(p *model.DeviceProfile) error {
	if err := cmp.Or(required("Device profile", field{"name", p.Name}), checkTexts(field{"defaultQueueName", p.Queue},
		field{"provisionDeviceKey", p.ProvisionKey})); err != nil {
		return err
	}
	switch p.Transport {
	case "DEFAULT", "MQTT", "COAP", "LWM2M", "SNMP":
	default:
		return model.Invalidf("Unsupported transport type '%s'!", p.Transport)
	}
	switch p.ProvisionType {
	case "DISABLED", "ALLOW_CREATE_NEW_DEVICES", "CHECK_PRE_PROVISIONED_DEVICES", "X509_CERTIFICATE_CHAIN":
		return nil
	}
	return model.Invalidf("Unsupported provision type '%s'!", p.ProvisionType)
}

// SaveDeviceProfile creates a device profile when its ID is zero and updates it otherwise.
// An empty Transport means DEFAULT, an empty ProvisionType DISABLED. Default only changes by
// SetDefaultDeviceProfile. It fills ID, Created, Version, Transport, ProvisionType and Default.
func (r *Registry) SaveDeviceProfile(ctx context.Context, p *model.DeviceProfile) error {
	next := *p
	next.Transport, next.ProvisionType = cmp.Or(next.Transport, "DEFAULT"), cmp.Or(next.ProvisionType, "DISABLED")
	if err := checkProfile(&next); err != nil {
		return err
	}
	err := r.write(ctx, func(tx *tx) error {
		if err := dashboardExists(tx, "Device profile", next.Tenant, next.Dashboard); err != nil {
			return err
		}
		if !p.ID.IsZero() {
			return r.updateProfile(tx, &next)
		}
		if p.Default {
			return model.Invalidf("Another default device profile is present in scope of current tenant!")
		}
		if _, err := tenantByID(tx.ctx, tx.sql, p.Tenant); err != nil {
			return err
		}
		return r.insertProfile(tx, &next)
	})
	if err == nil {
		*p = next
	}
	return err
}

func (r *Registry) insertProfile(tx *tx, p *model.DeviceProfile) error {
	p.ID, p.Created, p.Version = r.newID(), r.now(), 1
	err := tx.exec(`INSERT INTO device_profiles (`+profileColumns+`) VALUES (`+placeholders(1, 15)+`)`, p.ID.String(),
		p.Tenant.String(), p.Created, p.Version, p.Name, p.Description, p.Default, p.Transport, jsonArg(p.Data), jsonArg(p.Info),
		cmp.Or(p.ProvisionType, "DISABLED"), textArg(p.ProvisionKey), idArg(model.ID(p.Dashboard)), p.Queue, p.Image)
	if err != nil {
		return profileSaveError(err)
	}
	tx.then(func() {
		r.dir.put(&model.Entity{Tenant: p.Tenant, ID: model.EntityID(p.ID), Type: model.EntityDeviceProfile, Name: p.Name,
			Customer: model.NoCustomer, Created: p.Created})
	})
	return nil
}

func (r *Registry) updateProfile(tx *tx, p *model.DeviceProfile) error {
	old, err := profileByID(tx.ctx, tx.sql, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("Device profile", p.Version, old.Version); err != nil {
		return err
	}
	p.Created, p.Version, p.Default = old.Created, old.Version+1, old.Default
	err = tx.execOne(`UPDATE device_profiles SET version = $2, name = $3, description = $4, transport = $5, data = $6,
		info = $7, provision_type = $8, provision_key = $9, dashboard_id = $10, queue = $11, image = $12 WHERE id = $1`,
		p.ID.String(), p.Version, p.Name, p.Description, p.Transport, jsonArg(p.Data), jsonArg(p.Info),
		p.ProvisionType, textArg(p.ProvisionKey), idArg(model.ID(p.Dashboard)), p.Queue, p.Image)
	if err != nil {
		return profileSaveError(err)
	}
	r.renameProfile(tx, p.Tenant, model.EntityDevice, p.ID, old.Name, p.Name)
	return nil
}

func profileSaveError(err error) error {
	if isDuplicate(err) {
		if duplicates(err, "provision_key") {
			return model.Invalidf("Device profile with such provision device key already exists!")
		}
		return model.Invalidf("Device profile with such name already exists!")
	}
	return fmt.Errorf("registry: save device profile: %w", err)
}

// dashboardExists refuses a reference to a dashboard that is not the tenant's.
func dashboardExists(tx *tx, what string, t model.TenantID, id model.EntityID) error {
	if id == (model.EntityID{}) {
		return nil
	}
	ok, err := tx.exists("SELECT id FROM dashboards WHERE tenant_id = $1 AND id = $2", t.String(), id.String())
	if err != nil {
		return fmt.Errorf("registry: look for dashboard %s: %w", id, err)
	}
	if !ok {
		return model.Invalidf("%s is referencing to non-existent dashboard!", what)
	}
	return nil
}

// DeviceProfile returns a device profile of a tenant.
func (r *Registry) DeviceProfile(ctx context.Context, t model.TenantID, id model.ID) (*model.DeviceProfile, error) {
	return profileByID(ctx, r.reader, t, id)
}

// DefaultDeviceProfile returns the profile of devices that name none.
func (r *Registry) DefaultDeviceProfile(ctx context.Context, t model.TenantID) (*model.DeviceProfile, error) {
	return defaultProfile(ctx, r.reader, t)
}

// SetDefaultDeviceProfile makes a profile the one of devices that name none.
func (r *Registry) SetDefaultDeviceProfile(ctx context.Context, t model.TenantID, id model.ID) (*model.DeviceProfile, error) {
	var p *model.DeviceProfile
	err := r.write(ctx, func(tx *tx) (err error) {
		if p, err = profileByID(tx.ctx, tx.sql, t, id); err != nil || p.Default {
			return err
		}
		if err := tx.execOne("UPDATE device_profiles SET is_default = $2, version = version + 1 WHERE tenant_id = $1 AND is_default = $3",
			t.String(), false, true); err != nil {
			return fmt.Errorf("registry: take back the default device profile: %w", err)
		}
		p.Default, p.Version = true, p.Version+1
		if err := tx.execOne("UPDATE device_profiles SET is_default = $2, version = $3 WHERE id = $1", id.String(), true, p.Version); err != nil {
			return fmt.Errorf("registry: set the default device profile: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DeleteDeviceProfile removes a profile that is neither the default nor in use.
func (r *Registry) DeleteDeviceProfile(ctx context.Context, t model.TenantID, id model.ID) error {
	err := r.write(ctx, func(tx *tx) error {
		p, err := profileByID(tx.ctx, tx.sql, t, id)
		if err != nil {
			return err
		}
		if p.Default {
			return model.Invalidf("Deletion of Default Device Profile is prohibited!")
		}
		used, err := tx.exists("SELECT id FROM devices WHERE profile_id = $1", id.String())
		if err != nil {
			return fmt.Errorf("registry: look for devices of profile %s: %w", id, err)
		}
		if used {
			return model.Invalidf("The device profile referenced by the devices cannot be deleted!")
		}
		if err := r.erase(tx, t, model.EntityID(id)); err != nil {
			return err
		}
		if err := tx.execOne("DELETE FROM device_profiles WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: delete device profile %s: %w", id, err)
		}
		tx.then(func() { r.dir.remove(model.EntityID(id)) })
		return nil
	})
	r.outbox.poke()
	return err
}

// DeviceProfiles lists the device profiles of a tenant; sortable by createdTime, name,
// type, transportType, description, isDefault.
func (r *Registry) DeviceProfiles(ctx context.Context, t model.TenantID, _ model.DeviceProfileFilter, l model.PageLink) (model.Page[model.DeviceProfile], error) {
	by := order[model.DeviceProfile]{
		"createdTime":   func(a, b *model.DeviceProfile) int { return cmp.Compare(a.Created, b.Created) },
		"name":          func(a, b *model.DeviceProfile) int { return compareText(a.Name, b.Name) },
		"type":          func(a, b *model.DeviceProfile) int { return 0 }, // there is one type
		"transportType": func(a, b *model.DeviceProfile) int { return compareText(a.Transport, b.Transport) },
		"description":   func(a, b *model.DeviceProfile) int { return compareText(a.Description, b.Description) },
		"isDefault":     func(a, b *model.DeviceProfile) int { return compareBool(a.Default, b.Default) },
	}
	if err := checkLink(l, by); err != nil {
		return model.Page[model.DeviceProfile]{}, err
	}
	all, err := collect(ctx, r.reader, scanProfile, "SELECT "+profileColumns+" FROM device_profiles WHERE tenant_id = $1", t.String())
	if err != nil {
		return model.Page[model.DeviceProfile]{}, fmt.Errorf("registry: list device profiles: %w", err)
	}
	n := newNeedle(l.Search)
	found := keep(all, func(p *model.DeviceProfile) bool { return n.in(p.Name) })
	return values(paginate(found, l, by, func(a, b *model.DeviceProfile) int {
		return newestFirst(a.Created, b.Created, a.ID, b.ID)
	})), nil
}
