package registry

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/model"
)

const userColumns = `id, tenant_id, customer_id, created, version, email, authority, first_name, last_name, phone, enabled, info`

// userSelect is what is read of a user; userFields are its targets.
const userSelect = userColumns + `, password <> ''`

func userFields(u *model.User) []any {
	return []any{idText{(*model.ID)(&u.ID)}, idText{(*model.ID)(&u.Tenant)}, customerText{&u.Customer}, &u.Created,
		&u.Version, &u.Email, &u.Authority, &u.FirstName, &u.LastName, &u.Phone, &u.Enabled, jsonText{&u.Info}, &u.Activated}
}

func scanUser(s scanner) (*model.User, error) {
	var u model.User
	return &u, s.Scan(userFields(&u)...)
}

// whereUser is the condition for a user of a tenant; $1 is its id, $2 the tenant or NULL for
// system administrators.
const whereUser = "id = $1 AND (tenant_id = $2 OR (tenant_id IS NULL AND $2 IS NULL))"

func userByID(ctx context.Context, q queryer, t model.TenantID, id model.UserID) (*model.User, error) {
	u, err := first(ctx, q, scanUser, "SELECT "+userSelect+" FROM users WHERE "+whereUser, id.String(), tenantArg(t))
	if err != nil {
		return nil, fmt.Errorf("registry: read user %s: %w", id, err)
	}
	if u == nil {
		return nil, missing("User", model.ID(id))
	}
	return u, nil
}

// emailKey is what an e-mail is compared by.
func emailKey(email string) string { return strings.ToLower(email) }

func checkUser(u *model.User) error {
	if err := cmp.Or(required("User", field{"email", u.Email}), checkTexts(field{"firstName", u.FirstName},
		field{"lastName", u.LastName}, field{"phone", u.Phone})); err != nil {
		return err
	}
	if err := checkEmail(u.Email); err != nil {
		return err
	}
	system, customer := u.Tenant == (model.TenantID{}), !isNobody(u.Customer)
	switch u.Authority {
	case model.SysAdmin:
		if !system || customer {
			return model.Invalidf("System administrator can't be assigned neither to tenant nor to customer!")
		}
	case model.TenantAdmin:
		if system {
			return model.Invalidf("Tenant administrator should be assigned to tenant!")
		}
		if customer {
			return model.Invalidf("Tenant administrator can't be assigned to customer!")
		}
	case model.CustomerUser:
		if system || !customer {
			return model.Invalidf("Customer user should be assigned to customer!")
		}
	default:
		return model.Invalidf("User authority should be specified!")
	}
	return nil
}

// SaveUser creates a user, who has no password yet, when the ID is zero, and updates it
// otherwise. The zero Tenant holds the system administrators. A change of what a user may
// do, or disabling one, ends all sessions of the user; the former ends its API keys too, which
// the latter only keeps out. It fills ID, Created, Version and
// Customer.
func (r *Registry) SaveUser(ctx context.Context, u *model.User) error {
	next := *u
	if isNobody(next.Customer) {
		next.Customer = model.NoCustomer
	}
	if err := checkUser(&next); err != nil {
		return err
	}
	err := r.write(ctx, func(tx *tx) error {
		if next.Tenant != (model.TenantID{}) {
			if _, err := tenantByID(tx.ctx, tx.sql, next.Tenant); err != nil {
				return err
			}
		}
		if next.Customer != model.NoCustomer {
			if err := r.mayAssign(tx, next.Tenant, next.Customer); err != nil {
				return err
			}
		}
		if u.ID == (model.UserID{}) {
			return r.insertUser(tx, &next)
		}
		return r.updateUser(tx, &next)
	})
	if err == nil {
		*u = next
	}
	return err
}

func (r *Registry) insertUser(tx *tx, u *model.User) error {
	if err := r.mayAdd(u.Tenant, model.EntityUser); err != nil {
		return err
	}
	u.ID, u.Created, u.Version, u.Activated = model.UserID(r.newID()), r.now(), 1, false
	err := tx.exec("INSERT INTO users ("+userColumns+", email_key, password) VALUES ("+placeholders(1, 14)+")", u.ID.String(),
		tenantArg(u.Tenant), customerArg(u.Customer), u.Created, u.Version, u.Email, u.Authority, u.FirstName, u.LastName,
		u.Phone, u.Enabled, jsonArg(u.Info), emailKey(u.Email), "")
	if err != nil {
		return userSaveError(u, err)
	}
	tx.then(func() {
		r.dir.put(&model.Entity{Tenant: u.Tenant, ID: model.EntityID(u.ID), Type: model.EntityUser, Name: u.Email,
			Customer: u.Customer, Created: u.Created})
	})
	return nil
}

func (r *Registry) updateUser(tx *tx, u *model.User) error {
	old, err := userByID(tx.ctx, tx.sql, u.Tenant, u.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("User", u.Version, old.Version); err != nil {
		return err
	}
	u.Created, u.Version, u.Activated = old.Created, old.Version+1, old.Activated
	err = tx.execOne(`UPDATE users SET customer_id = $2, version = $3, email = $4, authority = $5, first_name = $6,
		last_name = $7, phone = $8, enabled = $9, info = $10, email_key = $11 WHERE id = $1`, u.ID.String(),
		customerArg(u.Customer), u.Version, u.Email, u.Authority, u.FirstName, u.LastName, u.Phone, u.Enabled,
		jsonArg(u.Info), emailKey(u.Email))
	if err != nil {
		return userSaveError(u, err)
	}
	if emailKey(u.Email) != emailKey(old.Email) { // a link in the old mailbox opens nothing
		if err := r.dropLinks(tx, u.ID); err != nil {
			return err
		}
	}
	if u.Authority != old.Authority || u.Customer != old.Customer {
		if err := r.endKeys(tx, keysOfUser, u.ID.String()); err != nil {
			return err
		}
	}
	if u.Authority != old.Authority || u.Customer != old.Customer || old.Enabled && !u.Enabled {
		if err := r.endSessions(tx, sessionsOfUser, u.ID.String()); err != nil {
			return err
		}
	}
	if u.Enabled != old.Enabled {
		r.enableKeysOf(tx, u.ID, u.Enabled)
	}
	tx.then(func() {
		r.dir.change(model.EntityID(u.ID), func(e *model.Entity) { e.Name, e.Customer = u.Email, u.Customer })
	})
	return nil
}

func userSaveError(u *model.User, err error) error {
	if isDuplicate(err) {
		return model.Invalidf("User with email '%s' already present in database!", u.Email)
	}
	return fmt.Errorf("registry: save user: %w", err)
}

// User returns a user of a tenant; the zero tenant holds the system administrators.
func (r *Registry) User(ctx context.Context, t model.TenantID, id model.UserID) (*model.User, error) {
	return userByID(ctx, r.reader, t, id)
}

// EnableUser lets a user and its API keys log in, or no longer, which ends all its sessions. A user without a
// password is not enabled by it.
func (r *Registry) EnableUser(ctx context.Context, t model.TenantID, id model.UserID, enabled bool) error {
	return r.write(ctx, func(tx *tx) error {
		u, err := userByID(tx.ctx, tx.sql, t, id)
		if err != nil {
			return err
		}
		if enabled && !u.Activated {
			return model.Invalidf("Enabled user credentials should have password!")
		}
		if u.Enabled == enabled {
			return nil
		}
		if err := tx.execOne("UPDATE users SET enabled = $2, version = version + 1 WHERE id = $1", id.String(), enabled); err != nil {
			return fmt.Errorf("registry: enable user %s: %w", id, err)
		}
		r.enableKeysOf(tx, id, enabled)
		if enabled {
			return nil
		}
		return r.endSessions(tx, sessionsOfUser, id.String())
	})
}

// UserCount returns how many users there are at all: none at the first run.
func (r *Registry) UserCount(ctx context.Context) (n int, err error) {
	if err := r.reader.QueryRowContext(ctx, "SELECT COUNT(*) FROM users").Scan(&n); err != nil {
		return 0, fmt.Errorf("registry: count users: %w", err)
	}
	return n, nil
}

// DeleteUser removes a user, and ends all its sessions and API keys.
func (r *Registry) DeleteUser(ctx context.Context, t model.TenantID, id model.UserID) error {
	err := r.write(ctx, func(tx *tx) error {
		if _, err := userByID(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		return r.deleteUsers(tx, t, "SELECT id FROM users WHERE id = $1", id.String())
	})
	r.outbox.poke()
	return err
}

// deleteUsers removes the users of a tenant that a query yields.
func (r *Registry) deleteUsers(tx *tx, t model.TenantID, query string, args ...any) error {
	ids, err := tx.ids(query, args...)
	if err != nil {
		return fmt.Errorf("registry: read users to delete: %w", err)
	}
	for _, id := range ids {
		if err := r.endSessions(tx, sessionsOfUser, id.String()); err != nil {
			return err
		}
		if err := r.endKeys(tx, keysOfUser, id.String()); err != nil {
			return err
		}
		if err := r.erase(tx, t, model.EntityID(id)); err != nil {
			return err
		}
		if err := tx.execOne("DELETE FROM users WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: delete user %s: %w", id, err)
		}
		r.hide(tx, model.EntityID(id))
	}
	return nil
}

// Users lists the users of a tenant; sortable by createdTime, email, name, authority,
// firstName, lastName. The search looks at the e-mail and the names.
func (r *Registry) Users(ctx context.Context, t model.TenantID, f model.UserFilter, l model.PageLink) (model.Page[model.User], error) {
	byEmail := func(a, b *model.User) int { return compareText(a.Email, b.Email) }
	by := order[model.User]{
		"createdTime": func(a, b *model.User) int { return cmp.Compare(a.Created, b.Created) },
		"email":       byEmail,
		"name":        byEmail,
		"authority":   func(a, b *model.User) int { return compareText(string(a.Authority), string(b.Authority)) },
		"firstName":   func(a, b *model.User) int { return compareText(a.FirstName, b.FirstName) },
		"lastName":    func(a, b *model.User) int { return compareText(a.LastName, b.LastName) },
		"phone":       func(a, b *model.User) int { return compareText(a.Phone, b.Phone) },
	}
	if err := checkLink(l, by); err != nil {
		return model.Page[model.User]{}, err
	}
	all, err := collect(ctx, r.reader, scanUser, "SELECT "+userSelect+
		" FROM users WHERE (tenant_id = $1 OR (tenant_id IS NULL AND $1 IS NULL))", tenantArg(t))
	if err != nil {
		return model.Page[model.User]{}, fmt.Errorf("registry: list users: %w", err)
	}
	n := newNeedle(l.Search)
	found := keep(all, func(u *model.User) bool {
		return (f.Customer == (model.CustomerID{}) || f.Customer == u.Customer) &&
			(f.Authority == "" || f.Authority == u.Authority) && n.in(u.Email, u.FirstName, u.LastName)
	})
	return values(paginate(found, l, by, func(a, b *model.User) int {
		return newestFirst(a.Created, b.Created, model.ID(a.ID), model.ID(b.ID))
	})), nil
}
