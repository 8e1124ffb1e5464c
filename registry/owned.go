package registry

import (
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// What devices, assets and views have in common: a row of their own, at most one customer.

// mayAssign refuses a customer that is not the tenant's.
func (r *Registry) mayAssign(tx *tx, t model.TenantID, c model.CustomerID) error {
	v, err := customerWhere(tx.ctx, tx.sql, "tenant_id = $1 AND id = $2", t.String(), c.String())
	if err == nil && v == nil {
		err = missing("Customer", model.ID(c))
	}
	return err
}

// moveTo gives the entity of a row in table to a customer, or to nobody.
func (r *Registry) moveTo(tx *tx, table string, t model.TenantID, id model.EntityID, c model.CustomerID, version int64) error {
	if !isNobody(c) {
		if err := r.mayAssign(tx, t, c); err != nil {
			return err
		}
	}
	if err := tx.execOne("UPDATE "+table+" SET customer_id = $2, version = $3 WHERE id = $1", id.String(), customerArg(c), version); err != nil {
		return fmt.Errorf("registry: assign entity %s: %w", id, err)
	}
	tx.rights = true
	tx.then(func() { r.dir.change(id, func(e *model.Entity) { e.Customer = c }) })
	return nil
}

// deleteOne removes the row of an entity in table, hides it and has its data erased.
func (r *Registry) deleteOne(tx *tx, table string, t model.TenantID, id model.EntityID) error {
	if err := r.erase(tx, t, id); err != nil {
		return err
	}
	if err := tx.execOne("DELETE FROM "+table+" WHERE id = $1", id.String()); err != nil {
		return fmt.Errorf("registry: delete entity %s: %w", id, err)
	}
	r.hide(tx, id)
	return nil
}

// renameProfile tells the directory of a profile's name, which is the type of those that
// have it.
func (r *Registry) renameProfile(tx *tx, t model.TenantID, of model.EntityType, id model.ID, was, name string) {
	tx.then(func() {
		r.dir.change(model.EntityID(id), func(e *model.Entity) { e.Name = name })
		if was == name {
			return
		}
		for _, e := range r.dir.index(t, of, true).list() {
			if e.ProfileID == id {
				r.dir.change(e.ID, func(e *model.Entity) { e.Profile = name })
			}
		}
	})
}
