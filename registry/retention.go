package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/tidewire/tidewire/model"
)

// policies are the retention policies of tenants. The engine asks for each of its series, so
// they are looked up in a map that is replaced, never written.
type policies struct {
	of atomic.Pointer[map[model.TenantID]*model.RetentionPolicy]
}

// load reads what is stored.
func (p *policies) load(ctx context.Context, q queryer) error {
	type row struct {
		tenant model.TenantID
		policy model.RetentionPolicy
	}
	rows, err := collect(ctx, q, func(s scanner) (r row, err error) {
		var text string
		if err := s.Scan(idText{(*model.ID)(&r.tenant)}, &text); err != nil {
			return r, err
		}
		return r, json.Unmarshal([]byte(text), &r.policy)
	}, "SELECT tenant_id, policy FROM retention")
	if err != nil {
		return fmt.Errorf("read retention policies: %w", err)
	}
	all := map[model.TenantID]*model.RetentionPolicy{}
	for i := range rows {
		all[rows[i].tenant] = &rows[i].policy
	}
	p.of.Store(&all)
	return nil
}

// Retention returns the policy of a tenant, or nil when it has none. It is shared and must
// not be changed.
func (r *Registry) Retention(tenant model.TenantID) *model.RetentionPolicy {
	return (*r.policies.of.Load())[tenant]
}

// SaveRetention makes p the policy of a tenant. It takes effect within an hour.
func (r *Registry) SaveRetention(ctx context.Context, tenant model.TenantID, p *model.RetentionPolicy) error {
	if err := p.Check(); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("registry: retention policy: %w", err)
	}
	return r.write(ctx, func(tx *tx) error {
		if _, err := tenantByID(tx.ctx, tx.sql, tenant); err != nil {
			return err
		}
		err := tx.exec(`INSERT INTO retention (tenant_id, policy) VALUES ($1, $2)
			ON CONFLICT (tenant_id) DO UPDATE SET policy = excluded.policy`, tenant.String(), string(text))
		if err != nil {
			return fmt.Errorf("registry: save retention of tenant %s: %w", tenant, err)
		}
		tx.then(func() {
			next := maps.Clone(*r.policies.of.Load())
			next[tenant] = p
			for t := range next { // those of deleted tenants go in passing
				if _, ok := r.Lookup(model.EntityID(t)); !ok && t != tenant {
					delete(next, t)
				}
			}
			r.policies.of.Store(&next)
		})
		return nil
	})
}

// Keep returns how much of a series is kept. It is a [model.Retention].
func (r *Registry) Keep(tenant model.TenantID, entity model.EntityID, s model.Scope, key string) model.Keep {
	return r.keepBy(tenant, r.Retention(tenant), entity, s, key)
}

// KeepBy returns what p would keep of its tenant's series.
func (r *Registry) KeepBy(p *model.RetentionPolicy) model.Retention {
	return func(tenant model.TenantID, entity model.EntityID, s model.Scope, key string) model.Keep {
		return r.keepBy(tenant, p, entity, s, key)
	}
}

// keepBy asks p, where that says nothing the tenant's profile (contract thingsboard 17,
// defaultStorageTtlDays), and then what the server was started with.
func (r *Registry) keepBy(tenant model.TenantID, p *model.RetentionPolicy, entity model.EntityID, s model.Scope, key string) model.Keep {
	otherwise := r.opts.KeepAttributes
	if s == model.Timeseries {
		otherwise = r.opts.KeepTimeseries
		if days := r.TenantLimits(tenant).StorageTTLDays; days > 0 {
			otherwise.Time = days * 24 * 3600 * 1000
		}
	}
	var profile model.ID
	if p != nil && len(p.Profiles) > 0 && s == model.Timeseries {
		if e, ok := r.Lookup(entity); ok {
			profile = e.ProfileID
		}
	}
	return p.Keep(profile, s, key, otherwise)
}
