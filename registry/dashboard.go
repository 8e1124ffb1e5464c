package registry

import (
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

const dashboardColumns = `id, tenant_id, created, version, title, image, mobile_hide, mobile_order`

func scanDashboard(s scanner) (*model.DashboardRecord, error) {
	var d model.DashboardRecord
	return &d, s.Scan(dashboardFields(&d)...)
}

// dashboardFields are the targets of dashboardColumns.
func dashboardFields(d *model.DashboardRecord) []any {
	return []any{idText{(*model.ID)(&d.ID)}, idText{(*model.ID)(&d.Tenant)}, &d.Created, &d.Version, &d.Title, &d.Image,
		&d.MobileHide, &d.MobileOrder}
}

func scanWholeDashboard(s scanner) (*model.DashboardRecord, error) {
	var d model.DashboardRecord
	return &d, s.Scan(append(dashboardFields(&d), jsonText{&d.Configuration})...)
}

func dashboardByID(ctx context.Context, q queryer, t model.TenantID, id model.EntityID) (*model.DashboardRecord, error) {
	d, err := first(ctx, q, scanWholeDashboard, "SELECT "+dashboardColumns+", configuration FROM dashboards WHERE tenant_id = $1 AND id = $2",
		t.String(), id.String())
	if err != nil {
		return nil, fmt.Errorf("registry: read dashboard %s: %w", id, err)
	}
	if d == nil {
		return nil, missing("Dashboard", model.ID(id))
	}
	d.Customers, err = collect(ctx, q, func(s scanner) (model.CustomerID, error) {
		var c model.CustomerID
		return c, s.Scan(customerText{&c})
	}, "SELECT customer_id FROM dashboard_customers WHERE dashboard_id = $1 ORDER BY customer_id", id.String())
	if err != nil {
		return nil, fmt.Errorf("registry: read customers of dashboard %s: %w", id, err)
	}
	return d, nil
}

// SaveDashboard creates a dashboard when its ID is zero and updates it otherwise. Customers
// only change by AssignDashboard. It fills ID, Created, Version and Customers.
func (r *Registry) SaveDashboard(ctx context.Context, d *model.DashboardRecord) error {
	if err := required("Dashboard", field{"title", d.Title}); err != nil {
		return err
	}
	next := *d
	err := r.write(ctx, func(tx *tx) error {
		if d.ID == (model.EntityID{}) {
			return r.insertDashboard(tx, &next)
		}
		old, err := dashboardByID(tx.ctx, tx.sql, d.Tenant, d.ID)
		if err != nil {
			return err
		}
		if err := checkVersion("Dashboard", d.Version, old.Version); err != nil {
			return err
		}
		next.Created, next.Version, next.Customers = old.Created, old.Version+1, old.Customers
		err = tx.execOne("UPDATE dashboards SET version = $2, title = $3, configuration = $4, image = $5, mobile_hide = $6, mobile_order = $7 WHERE id = $1",
			next.ID.String(), next.Version, next.Title, jsonArg(next.Configuration), next.Image, next.MobileHide, next.MobileOrder)
		if err != nil {
			return fmt.Errorf("registry: update dashboard %s: %w", next.ID, err)
		}
		tx.then(func() { r.dir.change(next.ID, func(e *model.Entity) { e.Name = next.Title }) })
		return nil
	})
	if err == nil {
		*d = next
	}
	return err
}

func (r *Registry) insertDashboard(tx *tx, d *model.DashboardRecord) error {
	if _, err := tenantByID(tx.ctx, tx.sql, d.Tenant); err != nil {
		return err
	}
	if err := r.mayAdd(d.Tenant, model.EntityDashboard); err != nil {
		return err
	}
	d.ID, d.Created, d.Version, d.Customers = model.EntityID(r.newID()), r.now(), 1, nil
	err := tx.exec("INSERT INTO dashboards ("+dashboardColumns+", configuration) VALUES ("+placeholders(1, 9)+")", d.ID.String(),
		d.Tenant.String(), d.Created, d.Version, d.Title, d.Image, d.MobileHide, d.MobileOrder, jsonArg(d.Configuration))
	if err != nil {
		return fmt.Errorf("registry: insert dashboard: %w", err)
	}
	tx.then(func() {
		r.dir.put(&model.Entity{Tenant: d.Tenant, ID: d.ID, Type: model.EntityDashboard, Name: d.Title,
			Customer: model.NoCustomer, Created: d.Created})
	})
	return nil
}

// Dashboard returns a dashboard of a tenant, its configuration byte for byte as saved.
func (r *Registry) Dashboard(ctx context.Context, t model.TenantID, id model.EntityID) (*model.DashboardRecord, error) {
	return dashboardByID(ctx, r.reader, t, id)
}

// AssignDashboard shows a dashboard to a customer, or no longer.
func (r *Registry) AssignDashboard(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID, assigned bool) (*model.DashboardRecord, error) {
	var d *model.DashboardRecord
	err := r.write(ctx, func(tx *tx) (err error) {
		if d, err = dashboardByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		if err := r.mayAssign(tx, t, c); err != nil {
			return err
		}
		if r.Assigned(id, c) == assigned {
			return nil
		}
		statement := "INSERT INTO dashboard_customers (dashboard_id, customer_id) VALUES ($1, $2)"
		if !assigned {
			statement = "DELETE FROM dashboard_customers WHERE dashboard_id = $1 AND customer_id = $2"
		}
		if err := tx.execOne(statement, id.String(), c.String()); err != nil {
			return fmt.Errorf("registry: assign dashboard %s: %w", id, err)
		}
		if err := tx.execOne("UPDATE dashboards SET version = version + 1 WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: count the change of dashboard %s: %w", id, err)
		}
		tx.rights = true
		tx.then(func() { r.dir.assign(id, c, assigned) })
		d, err = dashboardByID(tx.ctx, tx.sql, t, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// DeleteDashboard removes a dashboard.
func (r *Registry) DeleteDashboard(ctx context.Context, t model.TenantID, id model.EntityID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, err := dashboardByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		return r.deleteOne(tx, "dashboards", t, id)
	})
	r.outbox.poke()
	return err
}

// Dashboards lists the dashboards of a tenant without their configurations; sortable by
// createdTime, title, name.
func (r *Registry) Dashboards(ctx context.Context, t model.TenantID, f model.DashboardFilter, l model.PageLink) (model.Page[model.DashboardRecord], error) {
	by := entityOrder()
	delete(by, "type")
	delete(by, "label")
	chosen, err := r.choose(t, model.EntityDashboard, l, by, func(e *model.Entity) bool {
		return f.Customer == (model.CustomerID{}) || r.Assigned(e.ID, f.Customer)
	})
	if err != nil {
		return model.Page[model.DashboardRecord]{}, err
	}
	found, err := byIDs(ctx, r.reader, scanDashboard, "SELECT "+dashboardColumns+" FROM dashboards WHERE id IN", chosen.Data,
		func(d *model.DashboardRecord) (model.ID, bool) { return model.ID(d.ID), d.Tenant == t })
	for i := range found {
		found[i].Customers, _ = r.dir.dashboards.get(found[i].ID)
	}
	return model.Page[model.DashboardRecord]{Data: found, Total: chosen.Total}, err
}

// loadDashboards fills the directory's part of assigned dashboards.
func (r *Registry) loadDashboards(ctx context.Context) error {
	_, err := collect(ctx, r.reader, func(s scanner) (struct{}, error) {
		var d model.EntityID
		var c model.CustomerID
		err := s.Scan(idText{(*model.ID)(&d)}, customerText{&c})
		if err == nil {
			r.dir.assign(d, c, true)
		}
		return struct{}{}, err
	}, "SELECT dashboard_id, customer_id FROM dashboard_customers ORDER BY dashboard_id, customer_id")
	return err
}
