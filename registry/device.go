package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

const deviceColumns = `d.id, d.tenant_id, d.customer_id, d.profile_id, p.name, d.created, d.version, d.name, d.label, d.data, d.info
	FROM devices d JOIN device_profiles p ON p.id = d.profile_id`

func scanDevice(s scanner) (*model.Device, error) {
	var d model.Device
	return &d, s.Scan(idText{(*model.ID)(&d.ID)}, idText{(*model.ID)(&d.Tenant)}, customerText{&d.Customer},
		idText{&d.ProfileID}, &d.Profile, &d.Created, &d.Version, &d.Name, &d.Label, jsonText{&d.Data}, jsonText{&d.Info})
}

func deviceWhere(ctx context.Context, q queryer, where string, args ...any) (*model.Device, error) {
	d, err := first(ctx, q, scanDevice, "SELECT "+deviceColumns+" WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read device: %w", err)
	}
	return d, nil
}

func deviceByID(ctx context.Context, q queryer, t model.TenantID, id model.EntityID) (*model.Device, error) {
	d, err := deviceWhere(ctx, q, "d.tenant_id = $1 AND d.id = $2", t.String(), id.String())
	if err == nil && d == nil {
		err = missing("Device", model.ID(id))
	}
	return d, err
}

// SaveDevice creates a device with a random access token when its ID is zero and updates it
// otherwise. Its profile is that of ProfileID, else that of the name in Profile, which is
// made when there is none, else the tenant's default. Customer only counts at creation. It
// fills ID, Created, Version, Customer, Profile and ProfileID.
func (r *Registry) SaveDevice(ctx context.Context, d *model.Device) error {
	if d.ID == (model.EntityID{}) {
		return r.CreateDevice(ctx, d, "")
	}
	if err := checkDevice(d); err != nil {
		return err
	}
	next := *d
	err := r.write(ctx, func(tx *tx) error {
		old, err := deviceByID(tx.ctx, tx.sql, d.Tenant, d.ID)
		if err != nil {
			return err
		}
		if err := checkVersion("Device", d.Version, old.Version); err != nil {
			return err
		}
		if err := r.chooseProfile(tx, &next); err != nil {
			return err
		}
		next.Created, next.Version, next.Customer = old.Created, old.Version+1, old.Customer
		err = tx.execOne("UPDATE devices SET version = $2, profile_id = $3, name = $4, label = $5, data = $6, info = $7 WHERE id = $1",
			next.ID.String(), next.Version, next.ProfileID.String(), next.Name, next.Label, jsonArg(next.Data), jsonArg(next.Info))
		if err != nil {
			return deviceSaveError(err)
		}
		tx.then(func() { r.dir.put(entityOf(&next)) })
		return nil
	})
	if err == nil {
		*d = next
	}
	return err
}

// CreateDevice creates a device that gets in with an access token; "" means 20 random
// letters and digits (contract thingsboard 3.1). What it fills is as in SaveDevice.
func (r *Registry) CreateDevice(ctx context.Context, d *model.Device, token string) error {
	return r.CreateDeviceWithCredentials(ctx, d, &model.Credentials{Type: model.AccessToken, Key: token})
}

// CreateDeviceWithCredentials creates a device with the credentials c, which it fills too.
func (r *Registry) CreateDeviceWithCredentials(ctx context.Context, d *model.Device, c *model.Credentials) error {
	return r.CreateDevices(ctx, []NewDevice{{d, c}})
}

// A NewDevice is a device to be created, with what lets it in.
type NewDevice struct {
	Device      *model.Device
	Credentials *model.Credentials
}

// CreateDevices creates devices in one commit, all of them or none. What it fills is as in
// CreateDeviceWithCredentials.
func (r *Registry) CreateDevices(ctx context.Context, list []NewDevice) error {
	made := make([]struct {
		device      model.Device
		credentials model.Credentials
	}, len(list))
	for i, n := range list {
		if err := checkDevice(n.Device); err != nil {
			return err
		}
		made[i].device, made[i].credentials = *n.Device, *n.Credentials
		if c := &made[i].credentials; c.Type == model.AccessToken && c.Key == "" {
			token, err := r.randomToken()
			if err != nil {
				return err
			}
			*c = model.Credentials{Type: c.Type, Key: token}
		}
	}
	err := r.write(ctx, func(tx *tx) error {
		more := make(map[model.TenantID]int) // those before are not counted until they are committed
		for i := range made {
			d, c := &made[i].device, &made[i].credentials
			if more[d.Tenant]++; more[d.Tenant] > 1 {
				if err := r.mayAddMany(d.Tenant, model.EntityDevice, more[d.Tenant]); err != nil {
					return err
				}
			}
			if err := r.insertDevice(tx, d); err != nil {
				return err
			}
			c.Tenant, c.Device = d.Tenant, d.ID
			if err := r.insertCredentials(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for i, n := range list {
			*n.Device, *n.Credentials = made[i].device, made[i].credentials
		}
	}
	return err
}

func (r *Registry) insertDevice(tx *tx, d *model.Device) error {
	if _, err := tenantByID(tx.ctx, tx.sql, d.Tenant); err != nil {
		return err
	}
	if err := r.mayAdd(d.Tenant, model.EntityDevice); err != nil {
		return err
	}
	if isNobody(d.Customer) {
		d.Customer = model.NoCustomer
	} else if err := r.mayAssign(tx, d.Tenant, d.Customer); err != nil {
		return err
	}
	if err := r.chooseProfile(tx, d); err != nil {
		return err
	}
	d.ID, d.Created, d.Version = model.EntityID(r.newID()), r.now(), 1
	err := tx.exec(`INSERT INTO devices (id, tenant_id, customer_id, profile_id, created, version, name, label, data, info)
		VALUES (`+placeholders(1, 10)+`)`, d.ID.String(), d.Tenant.String(), customerArg(d.Customer), d.ProfileID.String(),
		d.Created, d.Version, d.Name, d.Label, jsonArg(d.Data), jsonArg(d.Info))
	if err != nil {
		return deviceSaveError(err)
	}
	tx.then(func() { r.dir.put(entityOf(d)) })
	return nil
}

// entityOf is what the directory keeps of a device.
func entityOf(d *model.Device) *model.Entity {
	return &model.Entity{Tenant: d.Tenant, ID: d.ID, Type: model.EntityDevice, Name: d.Name, Label: d.Label,
		Profile: d.Profile, ProfileID: d.ProfileID, Customer: d.Customer, Created: d.Created}
}

// chooseProfile settles Profile and ProfileID (contract thingsboard 3.1).
func (r *Registry) chooseProfile(tx *tx, d *model.Device) (err error) {
	var p *model.DeviceProfile
	switch {
	case !d.ProfileID.IsZero():
		p, err = profileWhere(tx.ctx, tx.sql, "tenant_id = $1 AND id = $2", d.Tenant.String(), d.ProfileID.String())
		if err == nil && p == nil {
			err = model.Invalidf("Device is referencing to non-existent device profile!")
		}
	case d.Profile != "":
		p, err = profileWhere(tx.ctx, tx.sql, "tenant_id = $1 AND name = $2", d.Tenant.String(), d.Profile)
		if err == nil && p == nil {
			p = &model.DeviceProfile{Tenant: d.Tenant, Name: d.Profile, Transport: "DEFAULT"}
			err = r.insertProfile(tx, p)
		}
	default:
		p, err = defaultProfile(tx.ctx, tx.sql, d.Tenant)
	}
	if err != nil {
		return err
	}
	d.Profile, d.ProfileID = p.Name, p.ID
	return nil
}

func checkDevice(d *model.Device) error {
	return cmp.Or(required("Device", field{"name", d.Name}), checkTexts(field{"label", d.Label}, field{"type", d.Profile}))
}

func deviceSaveError(err error) error {
	if isDuplicate(err) {
		return model.Invalidf("Device with such name already exists!")
	}
	return fmt.Errorf("registry: save device: %w", err)
}

// Device returns a device of a tenant.
func (r *Registry) Device(ctx context.Context, t model.TenantID, id model.EntityID) (*model.Device, error) {
	return deviceByID(ctx, r.reader, t, id)
}

// DeviceByName returns the device of a tenant with a name.
func (r *Registry) DeviceByName(ctx context.Context, t model.TenantID, name string) (*model.Device, error) {
	d, err := deviceWhere(ctx, r.reader, "d.tenant_id = $1 AND d.name = $2", t.String(), name)
	if err == nil && d == nil {
		err = model.NotFoundf("Device with name [%s] is not found", name)
	}
	return d, err
}

// AssignDevice gives a device to a customer; NoCustomer takes it back.
func (r *Registry) AssignDevice(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID) (*model.Device, error) {
	if isNobody(c) {
		c = model.NoCustomer
	}
	var d *model.Device
	err := r.write(ctx, func(tx *tx) (err error) {
		if d, err = deviceByID(tx.ctx, tx.sql, t, id); err != nil || d.Customer == c {
			return err
		}
		d.Customer, d.Version = c, d.Version+1
		return r.moveTo(tx, "devices", t, id, c, d.Version)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// DeleteDevice removes a device with its credentials and all its data.
func (r *Registry) DeleteDevice(ctx context.Context, t model.TenantID, id model.EntityID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, err := deviceByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		if err := r.notViewed(tx, "device", id); err != nil {
			return err
		}
		return r.deleteOne(tx, "devices", t, id)
	})
	r.outbox.poke()
	return err
}
