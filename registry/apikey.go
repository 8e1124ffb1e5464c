package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// maxKeys bounds the API keys of a user.
const maxKeys = 100

// keySelect is what is read of a key and of its user.
const keySelect = `SELECT k.id, k.user_id, k.created, k.description, k.expires, k.enabled, k.last_used, k.lookup,
	u.tenant_id, u.customer_id, u.authority, NOT u.enabled FROM api_keys k JOIN users u ON u.id = k.user_id WHERE `

const keysOfUser = "u.id = $1"

// A keyRow is a key with the hash of its text and what its user is.
type keyRow struct {
	model.APIKey
	lookup    string
	customer  model.CustomerID
	authority model.Authority
	barred    bool // the user is disabled
}

func scanKey(s scanner) (*keyRow, error) {
	var k keyRow
	return &k, s.Scan(idText{&k.ID}, idText{(*model.ID)(&k.User)}, &k.Created, &k.Description, &k.Expires, &k.Enabled, &k.LastUsed, &k.lookup,
		idText{(*model.ID)(&k.Tenant)}, customerText{&k.customer}, &k.authority, &k.barred)
}

func checkKeyDescription(text string) error { return required("API key", field{"description", text}) }

// CreateKey keeps a key of a user of k.Tenant; the zero one holds the system administrators. Of
// the text, secret, only a keyed hash is stored. It fills ID and Created.
func (r *Registry) CreateKey(ctx context.Context, k *model.APIKey, secret string) error {
	if err := checkKeyDescription(k.Description); err != nil {
		return err
	}
	if k.Expires < 0 || k.Expires != 0 && k.Expires <= r.now() {
		return model.Invalidf("API key expirationTime must lie in the future, or be 0 for a key without end")
	}
	hash := r.sealer.lookup(secret)
	row := &keyRow{APIKey: *k}
	row.ID, row.Created, row.LastUsed = r.newID(), r.now(), 0
	err := r.write(ctx, func(tx *tx) error {
		u, err := userByID(tx.ctx, tx.sql, k.Tenant, k.User)
		if err != nil {
			return err
		}
		if _, ok := r.Lookup(model.EntityID(u.ID)); !ok { // its tenant goes
			return missing("User", model.ID(u.ID))
		}
		row.customer, row.authority, row.barred = u.Customer, u.Authority, !u.Enabled
		var n int
		if err := tx.row("SELECT COUNT(*) FROM api_keys WHERE user_id = $1", u.ID.String()).Scan(&n); err != nil {
			return fmt.Errorf("registry: count API keys: %w", err)
		}
		if n >= maxKeys {
			return model.Errorf(model.Quota, "A user may have %d API keys", maxKeys)
		}
		err = tx.exec("INSERT INTO api_keys (id, user_id, created, description, expires, enabled, last_used, lookup) VALUES ("+placeholders(1, 8)+")",
			row.ID.String(), row.User.String(), row.Created, row.Description, row.Expires, row.Enabled, row.LastUsed, hash.String())
		if err != nil {
			return fmt.Errorf("registry: insert API key: %w", err)
		}
		tx.then(func() { r.dir.tokens.putKey(row, hash) })
		return nil
	})
	if err == nil {
		*k = row.APIKey
	}
	return err
}

func missingKey(id model.ID) error { return missing("API key", id) }

func keyByID(ctx context.Context, q queryer, id model.ID) (*keyRow, error) {
	k, err := first(ctx, q, scanKey, keySelect+"k.id = $1", id.String())
	if err != nil {
		return nil, fmt.Errorf("registry: read API key %s: %w", id, err)
	}
	if k == nil {
		return nil, missingKey(id)
	}
	return k, nil
}

// Key returns a key of any user, without its text.
func (r *Registry) Key(ctx context.Context, id model.ID) (*model.APIKey, error) {
	k, err := keyByID(ctx, r.reader, id)
	if err != nil {
		return nil, err
	}
	return r.key(k), nil
}

// key is what is told of a row.
func (r *Registry) key(k *keyRow) *model.APIKey {
	k.LastUsed = max(k.LastUsed, r.dir.tokens.lastUsed(k.ID))
	return &k.APIKey
}

// KeyUser returns, from memory, whose a key is.
func (r *Registry) KeyUser(id model.ID) (model.UserID, bool) { return r.dir.tokens.keyUser(id) }

// Keys lists the keys of a user, without their texts; sortable by createdTime, expirationTime,
// description, enabled.
func (r *Registry) Keys(ctx context.Context, user model.UserID, l model.PageLink) (model.Page[model.APIKey], error) {
	by := order[model.APIKey]{
		"createdTime":    func(a, b *model.APIKey) int { return cmp.Compare(a.Created, b.Created) },
		"expirationTime": func(a, b *model.APIKey) int { return cmp.Compare(a.Expires, b.Expires) },
		"description":    func(a, b *model.APIKey) int { return compareText(a.Description, b.Description) },
		"enabled":        func(a, b *model.APIKey) int { return compareBool(a.Enabled, b.Enabled) },
	}
	if err := checkLink(l, by); err != nil {
		return model.Page[model.APIKey]{}, err
	}
	rows, err := collect(ctx, r.reader, scanKey, keySelect+keysOfUser, user.String())
	if err != nil {
		return model.Page[model.APIKey]{}, fmt.Errorf("registry: list API keys of user %s: %w", user, err)
	}
	n := newNeedle(l.Search)
	var found []*model.APIKey
	for _, row := range rows {
		if n.in(row.Description) {
			found = append(found, r.key(row))
		}
	}
	return values(paginate(found, l, by, func(a, b *model.APIKey) int {
		return newestFirst(a.Created, b.Created, a.ID, b.ID)
	})), nil
}

// DescribeKey gives a key another description.
func (r *Registry) DescribeKey(ctx context.Context, id model.ID, description string) (*model.APIKey, error) {
	if err := checkKeyDescription(description); err != nil {
		return nil, err
	}
	return r.changeKey(ctx, id, "description", description, nil)
}

// EnableKey lets a key in, or no longer.
func (r *Registry) EnableKey(ctx context.Context, id model.ID, enabled bool) (*model.APIKey, error) {
	return r.changeKey(ctx, id, "enabled", enabled, func(tx *tx) {
		tx.rights = tx.rights || !enabled
		tx.then(func() { r.dir.tokens.enableKey(id, enabled) })
	})
}

// changeKey sets a column of a key, then calls also when there is one.
func (r *Registry) changeKey(ctx context.Context, id model.ID, column string, value any, also func(*tx)) (*model.APIKey, error) {
	var k *keyRow
	err := r.write(ctx, func(tx *tx) (err error) {
		n, err := tx.execCount("UPDATE api_keys SET "+column+" = $2 WHERE id = $1", id.String(), value)
		if err != nil {
			return fmt.Errorf("registry: change API key %s: %w", id, err)
		}
		if n == 0 {
			return missingKey(id)
		}
		if also != nil {
			also(tx)
		}
		k, err = keyByID(tx.ctx, tx.sql, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.key(k), nil
}

// DeleteKey ends a key.
func (r *Registry) DeleteKey(ctx context.Context, id model.ID) error {
	return r.write(ctx, func(tx *tx) error {
		if _, err := keyByID(tx.ctx, tx.sql, id); err != nil {
			return err
		}
		return r.endKeys(tx, "k.id = $1", id.String())
	})
}

// endKeys ends the keys that a condition names.
func (r *Registry) endKeys(tx *tx, where string, args ...any) error {
	rows, err := collect(tx.ctx, tx.sql, scanKey, keySelect+where, args...)
	if err != nil {
		return fmt.Errorf("registry: read API keys to end: %w", err)
	}
	for _, row := range rows {
		hash, err := parseLookup(row.lookup)
		if err != nil {
			return fmt.Errorf("registry: API key %s: %w", row.ID, err)
		}
		if err := tx.execOne("DELETE FROM api_keys WHERE id = $1", row.ID.String()); err != nil {
			return fmt.Errorf("registry: delete API key %s: %w", row.ID, err)
		}
		tx.rights = true
		tx.then(func() { r.dir.tokens.remove(row.ID, []lookup{hash}) })
	}
	return nil
}

// enableKeysOf lets the keys of a user in as far as they are enabled themselves, or none.
func (r *Registry) enableKeysOf(tx *tx, user model.UserID, enabled bool) {
	tx.rights = tx.rights || !enabled
	tx.then(func() { r.dir.tokens.enableUser(user, enabled) })
}

// loadKeys fills the directory's part of keys.
func (r *Registry) loadKeys(ctx context.Context) error {
	rows, err := collect(ctx, r.reader, scanKey, keySelect+"1 = 1")
	if err != nil {
		return err
	}
	for _, row := range rows {
		hash, err := parseLookup(row.lookup)
		if err != nil {
			return fmt.Errorf("API key %s: %w", row.ID, err)
		}
		r.dir.tokens.putKey(row, hash)
	}
	return nil
}
