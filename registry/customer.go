package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// publicTitle is the customer that owns what is shown without a login.
const publicTitle = "Public"

const customerColumns = `id, tenant_id, created, version, title, is_public, country, state, city, address, address2,
	zip, phone, email, info`

func scanCustomer(s scanner) (*model.Customer, error) {
	var v model.Customer
	c := &v.Contact
	return &v, s.Scan(idText{(*model.ID)(&v.ID)}, idText{(*model.ID)(&v.Tenant)}, &v.Created, &v.Version, &v.Title, &v.Public,
		&c.Country, &c.State, &c.City, &c.Address, &c.Address2, &c.Zip, &c.Phone, &c.Email, jsonText{&v.Info})
}

func customerWhere(ctx context.Context, q queryer, where string, args ...any) (*model.Customer, error) {
	c, err := first(ctx, q, scanCustomer, "SELECT "+customerColumns+" FROM customers WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read customer: %w", err)
	}
	return c, nil
}

func customerByID(ctx context.Context, q queryer, t model.TenantID, id model.CustomerID) (*model.Customer, error) {
	c, err := customerWhere(ctx, q, "tenant_id = $1 AND id = $2", t.String(), id.String())
	if err == nil && c == nil {
		err = missing("Customer", model.ID(id))
	}
	return c, err
}

// SaveCustomer creates a customer when its ID is zero and updates it otherwise. Whether it
// is public never changes. It fills ID, Created, Version and Public.
func (r *Registry) SaveCustomer(ctx context.Context, c *model.Customer) error {
	if err := cmp.Or(required("Customer", field{"title", c.Title}), checkContact(&c.Contact)); err != nil {
		return err
	}
	next := *c
	err := r.write(ctx, func(tx *tx) error {
		if c.ID == (model.CustomerID{}) {
			next.Public = false
			return r.insertCustomer(tx, &next)
		}
		return r.updateCustomer(tx, &next)
	})
	if err == nil {
		*c = next
	}
	return err
}

func (r *Registry) insertCustomer(tx *tx, v *model.Customer) error {
	if _, err := tenantByID(tx.ctx, tx.sql, v.Tenant); err != nil {
		return err
	}
	if err := r.mayAdd(v.Tenant, model.EntityCustomer); err != nil {
		return err
	}
	v.ID, v.Created, v.Version = model.CustomerID(r.newID()), r.now(), 1
	c := &v.Contact
	err := tx.exec(`INSERT INTO customers (`+customerColumns+`) VALUES (`+placeholders(1, 15)+`)`, v.ID.String(),
		v.Tenant.String(), v.Created, v.Version, v.Title, v.Public, c.Country, c.State, c.City, c.Address, c.Address2,
		c.Zip, c.Phone, c.Email, jsonArg(v.Info))
	if err != nil {
		return customerSaveError(err)
	}
	tx.then(func() {
		r.dir.put(&model.Entity{Tenant: v.Tenant, ID: model.EntityID(v.ID), Type: model.EntityCustomer, Name: v.Title,
			Customer: model.NoCustomer, Created: v.Created})
	})
	return nil
}

func (r *Registry) updateCustomer(tx *tx, v *model.Customer) error {
	old, err := customerByID(tx.ctx, tx.sql, v.Tenant, v.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("Customer", v.Version, old.Version); err != nil {
		return err
	}
	v.Created, v.Version, v.Public = old.Created, old.Version+1, old.Public
	c := &v.Contact
	err = tx.execOne(`UPDATE customers SET version = $2, title = $3, country = $4, state = $5, city = $6, address = $7,
		address2 = $8, zip = $9, phone = $10, email = $11, info = $12 WHERE id = $1`, v.ID.String(), v.Version, v.Title,
		c.Country, c.State, c.City, c.Address, c.Address2, c.Zip, c.Phone, c.Email, jsonArg(v.Info))
	if err != nil {
		return customerSaveError(err)
	}
	tx.then(func() { r.dir.change(model.EntityID(v.ID), func(e *model.Entity) { e.Name = v.Title }) })
	return nil
}

func customerSaveError(err error) error {
	if isDuplicate(err) {
		return model.Invalidf("Customer with such title already exists!")
	}
	return fmt.Errorf("registry: save customer: %w", err)
}

// Customer returns a customer of a tenant.
func (r *Registry) Customer(ctx context.Context, t model.TenantID, id model.CustomerID) (*model.Customer, error) {
	return customerByID(ctx, r.reader, t, id)
}

// CustomerByTitle returns the customer of a tenant with a title.
func (r *Registry) CustomerByTitle(ctx context.Context, t model.TenantID, title string) (*model.Customer, error) {
	c, err := customerWhere(ctx, r.reader, "tenant_id = $1 AND title = $2", t.String(), title)
	if err == nil && c == nil {
		err = model.NotFoundf("Customer with title [%s] is not found", title)
	}
	return c, err
}

// PublicCustomer returns the tenant's customer for what needs no login; it is made when
// first asked for (contract thingsboard 3.1).
func (r *Registry) PublicCustomer(ctx context.Context, t model.TenantID) (*model.Customer, error) {
	var public *model.Customer
	err := r.write(ctx, func(tx *tx) (err error) {
		public, err = customerWhere(tx.ctx, tx.sql, "tenant_id = $1 AND is_public = $2", t.String(), true)
		if err != nil || public != nil {
			return err
		}
		public = &model.Customer{Tenant: t, Title: publicTitle, Public: true}
		return r.insertCustomer(tx, public)
	})
	if err != nil {
		return nil, err
	}
	return public, nil
}

// PublicCustomerByID returns the public customer with an id, of any tenant.
func (r *Registry) PublicCustomerByID(ctx context.Context, id model.CustomerID) (*model.Customer, error) {
	c, err := customerWhere(ctx, r.reader, "id = $1 AND is_public = $2", id.String(), true)
	if err == nil && c == nil {
		err = missing("Customer", model.ID(id))
	}
	return c, err
}

// DeleteCustomer removes a customer with its users; what was assigned to it stays with the
// tenant (contract thingsboard 3.3).
func (r *Registry) DeleteCustomer(ctx context.Context, t model.TenantID, id model.CustomerID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, err := customerByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		if err := r.unassignAll(tx, id); err != nil {
			return fmt.Errorf("registry: unassign from customer %s: %w", id, err)
		}
		if err := r.deleteUsers(tx, t, "SELECT id FROM users WHERE customer_id = $1", id.String()); err != nil {
			return err
		}
		if err := r.endSessions(tx, "SELECT id FROM sessions WHERE customer_id = $1", id.String()); err != nil {
			return err
		}
		if err := r.erase(tx, t, model.EntityID(id)); err != nil {
			return err
		}
		if err := tx.execOne("DELETE FROM customers WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: delete customer %s: %w", id, err)
		}
		r.hide(tx, model.EntityID(id))
		return nil
	})
	r.outbox.poke()
	return err
}

// ownedTables hold what a customer may own.
var ownedTables = []string{"devices", "assets", "entity_views"}

// unassignAll takes everything back from a customer.
func (r *Registry) unassignAll(tx *tx, id model.CustomerID) error {
	var owned []model.ID
	for _, table := range ownedTables {
		ids, err := tx.ids("SELECT id FROM "+table+" WHERE customer_id = $1", id.String())
		if err != nil {
			return err
		}
		owned = append(owned, ids...)
		if err := tx.exec("UPDATE "+table+" SET customer_id = NULL, version = version + 1 WHERE customer_id = $1", id.String()); err != nil {
			return err
		}
	}
	dashboards, err := tx.ids("SELECT dashboard_id FROM dashboard_customers WHERE customer_id = $1", id.String())
	if err != nil {
		return err
	}
	for _, change := range []string{
		`UPDATE dashboards SET version = version + 1 WHERE id IN (
			SELECT dashboard_id FROM dashboard_customers WHERE customer_id = $1)`,
		"DELETE FROM dashboard_customers WHERE customer_id = $1",
	} {
		if err := tx.exec(change, id.String()); err != nil {
			return err
		}
	}
	tx.rights = true
	tx.then(func() {
		for _, e := range owned {
			r.dir.change(model.EntityID(e), func(e *model.Entity) { e.Customer = model.NoCustomer })
		}
		for _, d := range dashboards {
			r.dir.assign(model.EntityID(d), id, false)
		}
	})
	return nil
}

// Customers lists the customers of a tenant; sortable by createdTime, title, name and what a
// contact has.
func (r *Registry) Customers(ctx context.Context, t model.TenantID, _ model.CustomerFilter, l model.PageLink) (model.Page[model.Customer], error) {
	by := withContact(order[model.Customer]{
		"createdTime": func(a, b *model.Customer) int { return cmp.Compare(a.Created, b.Created) },
		"title":       func(a, b *model.Customer) int { return compareText(a.Title, b.Title) },
		"name":        func(a, b *model.Customer) int { return compareText(a.Title, b.Title) },
	}, func(c *model.Customer) *model.Contact { return &c.Contact })
	if err := checkLink(l, by); err != nil {
		return model.Page[model.Customer]{}, err
	}
	all, err := collect(ctx, r.reader, scanCustomer, "SELECT "+customerColumns+" FROM customers WHERE tenant_id = $1", t.String())
	if err != nil {
		return model.Page[model.Customer]{}, fmt.Errorf("registry: list customers: %w", err)
	}
	n := newNeedle(l.Search)
	found := keep(all, func(c *model.Customer) bool { return n.in(c.Title) })
	return values(paginate(found, l, by, func(a, b *model.Customer) int {
		return newestFirst(a.Created, b.Created, model.ID(a.ID), model.ID(b.ID))
	})), nil
}
