package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/model"
)

const tenantProfileColumns = `id, created, version, name, description, is_default, isolated, data`

func scanTenantProfile(s scanner) (*model.TenantProfile, error) {
	var p model.TenantProfile
	return &p, s.Scan(idText{&p.ID}, &p.Created, &p.Version, &p.Name, &p.Description, &p.Default, &p.Isolated, jsonText{&p.Data})
}

func tenantProfileWhere(ctx context.Context, q queryer, where string, args ...any) (*model.TenantProfile, error) {
	p, err := first(ctx, q, scanTenantProfile, "SELECT "+tenantProfileColumns+" FROM tenant_profiles WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read tenant profile: %w", err)
	}
	return p, nil
}

func tenantProfileByID(ctx context.Context, q queryer, id model.ID) (*model.TenantProfile, error) {
	p, err := tenantProfileWhere(ctx, q, "id = $1", id.String())
	if err == nil && p == nil {
		err = missing("Tenant profile", id)
	}
	return p, err
}

// maxStorageDays is how far instants reach.
const maxStorageDays = 365 * 400

// limitsOf reads and checks a profile's data. With an error it returns all the same what can be
// read: a profile that was saved before a rule was made keeps its other limits.
func limitsOf(data []byte) (l *model.TenantLimits, err error) {
	l = new(model.TenantLimits)
	if data == nil {
		return l, nil
	}
	var all struct {
		Configuration map[string]json.RawMessage `json:"configuration"`
	}
	if json.Unmarshal(data, &all) != nil {
		return l, model.Invalidf("Tenant profile data is malformed: limits are whole numbers!")
	}
	c := all.Configuration
	var kind string
	if raw := c["type"]; raw != nil && (json.Unmarshal(raw, &kind) != nil || kind != "" && kind != "DEFAULT") {
		err = model.Invalidf("Unsupported tenant profile configuration type '%.64s'!", cmp.Or(kind, string(raw)))
	}
	for _, n := range []struct {
		name string
		to   *int64
	}{
		{"maxDevices", &l.Devices},
		{"maxAssets", &l.Assets},
		{"maxCustomers", &l.Customers},
		{"maxUsers", &l.Users},
		{"maxDashboards", &l.Dashboards},
		{"defaultStorageTtlDays", &l.StorageTTLDays},
		{"maxWsSessionsPerTenant", &l.Sessions.Tenant},
		{"maxWsSessionsPerCustomer", &l.Sessions.Customer},
		{"maxWsSessionsPerRegularUser", &l.Sessions.User},
		{"maxWsSessionsPerPublicUser", &l.Sessions.Public},
		{"maxWsSubscriptionsPerTenant", &l.Subscriptions.Tenant},
		{"maxWsSubscriptionsPerCustomer", &l.Subscriptions.Customer},
		{"maxWsSubscriptionsPerRegularUser", &l.Subscriptions.User},
		{"maxWsSubscriptionsPerPublicUser", &l.Subscriptions.Public},
	} {
		if raw := c[n.name]; raw != nil && json.Unmarshal(raw, n.to) != nil {
			err, *n.to = model.Invalidf("Tenant profile data is malformed: limits are whole numbers!"), 0
		}
	}
	for i := range l.Rates {
		name := model.RateLimit(i).String()
		rates, wrong := ratesOf(c[name])
		if wrong != nil {
			err = model.Invalidf("Tenant profile: '%s' %s!", name, wrong)
		}
		l.Rates[i], l.HasRates = rates, l.HasRates || len(rates) > 0
	}
	if l.StorageTTLDays > maxStorageDays {
		err = model.Invalidf("Tenant profile: 'defaultStorageTtlDays' can't be more than %d!", maxStorageDays)
	}
	if wrong := checkOthers(c); wrong != nil {
		err = wrong
	}
	return l, err
}

// ratesOf reads one limit over time; null is none.
func ratesOf(raw json.RawMessage) ([]model.Rate, error) {
	var text *string
	if raw != nil && json.Unmarshal(raw, &text) != nil {
		return nil, model.Invalidf("is no text")
	}
	if text == nil {
		return nil, nil
	}
	return model.ParseRates(*text)
}

// checkOthers looks also at limits that are only kept for clients: what is impossible is a slip.
func checkOthers(c map[string]json.RawMessage) error {
	for name, raw := range c {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			continue
		}
		text, isText := v.(string)
		number, isNumber := v.(float64)
		if (strings.HasPrefix(name, "max") || strings.HasSuffix(name, "TtlDays")) && isNumber && number < 0 {
			return model.Invalidf("Tenant profile: '%.64s' can't be negative!", name)
		}
		if strings.Contains(name, "RateLimit") && isText {
			if _, err := model.ParseRates(text); err != nil {
				return model.Invalidf("Tenant profile: '%.64s' %s!", name, err)
			}
		}
	}
	return nil
}

// SaveTenantProfile creates a tenant profile when its ID is zero and updates it otherwise.
// Default only changes by SetDefaultTenantProfile. It fills ID, Created, Version and Default.
// Limits that lie below what a tenant has stop it from growing and take nothing away.
func (r *Registry) SaveTenantProfile(ctx context.Context, p *model.TenantProfile) error {
	if err := required("Tenant profile", field{"name", p.Name}); err != nil {
		return err
	}
	if _, err := limitsOf(p.Data); err != nil {
		return err
	}
	next := *p
	err := r.write(ctx, func(tx *tx) error {
		if p.ID.IsZero() {
			if p.Default {
				return model.Invalidf("Another default tenant profile is present!")
			}
			return r.insertTenantProfile(tx, &next)
		}
		old, err := tenantProfileByID(tx.ctx, tx.sql, p.ID)
		if err != nil {
			return err
		}
		if err := checkVersion("Tenant profile", p.Version, old.Version); err != nil {
			return err
		}
		next.Created, next.Version, next.Default = old.Created, old.Version+1, old.Default
		err = tx.execOne("UPDATE tenant_profiles SET version = $2, name = $3, description = $4, isolated = $5, data = $6 WHERE id = $1",
			next.ID.String(), next.Version, next.Name, next.Description, next.Isolated, jsonArg(next.Data))
		if err != nil {
			return tenantProfileSaveError(err)
		}
		tx.then(func() { r.putTenantProfile(&next) })
		return nil
	})
	if err == nil {
		*p = next
	}
	return err
}

func (r *Registry) insertTenantProfile(tx *tx, p *model.TenantProfile) error {
	p.ID, p.Created, p.Version = r.newID(), r.now(), 1
	err := tx.exec("INSERT INTO tenant_profiles ("+tenantProfileColumns+") VALUES ("+placeholders(1, 8)+")", p.ID.String(), p.Created,
		p.Version, p.Name, p.Description, p.Default, p.Isolated, jsonArg(p.Data))
	if err != nil {
		return tenantProfileSaveError(err)
	}
	tx.then(func() { r.putTenantProfile(p) })
	return nil
}

func tenantProfileSaveError(err error) error {
	if isDuplicate(err) {
		return model.Invalidf("Tenant profile with such name already exists!")
	}
	return fmt.Errorf("registry: save tenant profile: %w", err)
}

// putTenantProfile tells the directory of a profile. Its limits were checked when it was saved.
func (r *Registry) putTenantProfile(p *model.TenantProfile) {
	limits, _ := limitsOf(p.Data)
	r.dir.limits.set(p.ID, limits)
	r.dir.put(&model.Entity{ID: model.EntityID(p.ID), Type: model.EntityTenantProfile, Name: p.Name,
		Customer: model.NoCustomer, Created: p.Created})
}

// TenantProfile returns a tenant profile.
func (r *Registry) TenantProfile(ctx context.Context, id model.ID) (*model.TenantProfile, error) {
	return tenantProfileByID(ctx, r.reader, id)
}

// DefaultTenantProfile returns the profile of tenants that name none.
func (r *Registry) DefaultTenantProfile(ctx context.Context) (*model.TenantProfile, error) {
	p, err := tenantProfileWhere(ctx, r.reader, "is_default = $1", true)
	if err == nil && p == nil {
		err = model.NotFoundf("Tenant profile is not found")
	}
	return p, err
}

// SetDefaultTenantProfile makes a profile the one of tenants that name none.
func (r *Registry) SetDefaultTenantProfile(ctx context.Context, id model.ID) (*model.TenantProfile, error) {
	var p *model.TenantProfile
	err := r.write(ctx, func(tx *tx) (err error) {
		if p, err = tenantProfileByID(tx.ctx, tx.sql, id); err != nil || p.Default {
			return err
		}
		if err := tx.exec("UPDATE tenant_profiles SET is_default = $1, version = version + 1 WHERE is_default = $2", false, true); err != nil {
			return fmt.Errorf("registry: take back the default tenant profile: %w", err)
		}
		p.Default, p.Version = true, p.Version+1
		if err := tx.execOne("UPDATE tenant_profiles SET is_default = $2, version = $3 WHERE id = $1", id.String(), true, p.Version); err != nil {
			return fmt.Errorf("registry: set the default tenant profile: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DeleteTenantProfile removes a profile that is neither the default nor in use.
func (r *Registry) DeleteTenantProfile(ctx context.Context, id model.ID) error {
	err := r.write(ctx, func(tx *tx) error {
		p, err := tenantProfileByID(tx.ctx, tx.sql, id)
		if err != nil {
			return err
		}
		if p.Default {
			return model.Invalidf("Deletion of Default Tenant Profile is prohibited!")
		}
		used, err := tx.exists("SELECT id FROM tenants WHERE profile_id = $1", id.String())
		if err != nil {
			return fmt.Errorf("registry: look for tenants of profile %s: %w", id, err)
		}
		if used {
			return model.Invalidf("The tenant profile referenced by the tenants cannot be deleted!")
		}
		tx.then(func() { r.dir.limits.remove(id) })
		return r.deleteOne(tx, "tenant_profiles", model.TenantID{}, model.EntityID(id))
	})
	r.outbox.poke()
	return err
}

// TenantProfiles lists the tenant profiles; sortable by createdTime, name, description,
// isDefault.
func (r *Registry) TenantProfiles(ctx context.Context, l model.PageLink) (model.Page[model.TenantProfile], error) {
	by := order[model.TenantProfile]{
		"createdTime": func(a, b *model.TenantProfile) int { return cmp.Compare(a.Created, b.Created) },
		"name":        func(a, b *model.TenantProfile) int { return compareText(a.Name, b.Name) },
		"description": func(a, b *model.TenantProfile) int { return compareText(a.Description, b.Description) },
		"isDefault":   func(a, b *model.TenantProfile) int { return compareBool(a.Default, b.Default) },
	}
	if err := checkLink(l, by); err != nil {
		return model.Page[model.TenantProfile]{}, err
	}
	all, err := collect(ctx, r.reader, scanTenantProfile, "SELECT "+tenantProfileColumns+" FROM tenant_profiles")
	if err != nil {
		return model.Page[model.TenantProfile]{}, fmt.Errorf("registry: list tenant profiles: %w", err)
	}
	n := newNeedle(l.Search)
	found := keep(all, func(p *model.TenantProfile) bool { return n.in(p.Name) })
	return values(paginate(found, l, by, func(a, b *model.TenantProfile) int {
		return newestFirst(a.Created, b.Created, a.ID, b.ID)
	})), nil
}

// ensureTenantProfile makes the default profile at the first run, and gives it to the tenants
// of versions that knew none.
func (r *Registry) ensureTenantProfile(ctx context.Context) error {
	return r.write(ctx, func(tx *tx) error {
		p, err := tenantProfileWhere(tx.ctx, tx.sql, "is_default = $1", true)
		if err != nil {
			return err
		}
		if p == nil {
			p = &model.TenantProfile{Name: "Default", Description: "Default tenant profile", Default: true}
			if err := r.insertTenantProfile(tx, p); err != nil {
				return err
			}
		}
		if err := tx.exec("UPDATE tenants SET profile_id = $1 WHERE profile_id IS NULL", p.ID.String()); err != nil {
			return fmt.Errorf("registry: give tenants the default profile: %w", err)
		}
		return nil
	})
}

// loadTenantProfiles fills the directory's part of tenant profiles.
func (r *Registry) loadTenantProfiles(ctx context.Context) error {
	all, err := collect(ctx, r.reader, scanTenantProfile, "SELECT "+tenantProfileColumns+" FROM tenant_profiles")
	for _, p := range all {
		r.putTenantProfile(p)
	}
	return err
}

// TenantLimits returns, from memory, what the profile of a tenant allows. A tenant that does
// not exist has no limits. They are shared and must not be changed.
func (r *Registry) TenantLimits(t model.TenantID) *model.TenantLimits {
	e, ok := r.dir.entities.get(model.EntityID(t))
	if !ok {
		return noLimits
	}
	if limits, ok := r.dir.limits.get(e.ProfileID); ok {
		return limits
	}
	return noLimits
}

var noLimits = new(model.TenantLimits)

// Count returns, from memory, how many entities of a type a tenant has.
func (r *Registry) Count(t model.TenantID, typ model.EntityType) int64 {
	return int64(len(r.dir.index(t, typ, false).list()))
}

// mayAdd refuses an entity of a tenant that was deleted meanwhile, and one more than a tenant's
// profile allows. Who has the turn to write counts exactly.
func (r *Registry) mayAdd(t model.TenantID, typ model.EntityType) error {
	if _, ok := r.Lookup(model.EntityID(t)); !ok && t != (model.TenantID{}) {
		return missing("Tenant", model.ID(t))
	}
	return r.mayAddMany(t, typ, 1)
}

// mayAddMany is mayAdd of n entities.
func (r *Registry) mayAddMany(t model.TenantID, typ model.EntityType, n int) error {
	limit := r.TenantLimits(t).Of(typ)
	if limit > 0 && r.Count(t, typ)+int64(n) > limit {
		return &model.LimitError{Type: typ, Limit: limit}
	}
	return nil
}
