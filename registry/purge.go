package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// purgeBatch bounds the rows that one transaction of a purge deletes: a few milliseconds, in
// which nobody else writes.
const purgeBatch = 500

// tenantTables hold what belongs to tenants, with their keys, in an order in which it can be
// deleted: what refers stands before what it refers to.
var tenantTables = []struct{ name, key string }{
	{"entity_views", "id"},
	{"devices", "id"},
	{"device_profiles", "id"},
	{"assets", "id"},
	{"asset_profiles", "id"},
	{"users", "id"},
	{"customers", "id"},
	{"dashboards", "id"},
	{"relations", "(from_id, to_id, type_group, type)"},
}

// purgeTenant deletes the rows of a tenant that is hidden, its own last. It may be done again,
// and by two at once.
func (r *Registry) purgeTenant(ctx context.Context, id model.TenantID) error {
	for {
		if more, err := r.purgeSome(ctx, id, purgeBatch); err != nil || !more {
			return err
		}
	}
}

// purgeSome deletes up to n rows in one transaction, and reports whether there may be more.
func (r *Registry) purgeSome(ctx context.Context, id model.TenantID, n int64) (more bool, err error) {
	err = r.write(ctx, func(tx *tx) error {
		for _, table := range tenantTables {
			some := "SELECT " + strings.Trim(table.key, "()") + " FROM " + table.name + " WHERE tenant_id = $1 LIMIT $2"
			gone, err := tx.execCount("DELETE FROM "+table.name+" WHERE "+table.key+" IN ("+some+")", id.String(), n)
			if err != nil {
				return fmt.Errorf("registry: delete %s of tenant %s: %w", table.name, id, err)
			}
			if n -= gone; n <= 0 {
				more = true
				return nil
			}
		}
		if err := tx.exec("DELETE FROM tenants WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: delete tenant %s: %w", id, err)
		}
		return nil
	})
	return more, err
}

// hideDoomed takes tenants out of the directory that were deleted and have rows left.
func (r *Registry) hideDoomed(ctx context.Context) error {
	doomed, err := collect(ctx, r.reader, func(s scanner) (id model.TenantID, err error) {
		return id, s.Scan(idText{(*model.ID)(&id)})
	}, "SELECT tenant_id FROM outbox WHERE entity_id = tenant_id")
	for _, id := range doomed {
		r.dir.removeTenant(id)
	}
	return err
}
