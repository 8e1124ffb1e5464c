package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// The limits of API tokens.
const (
	maxTokens        = 1000 // of a tenant
	maxTokenEntities = 1000 // a token is narrowed to
	allGrants        = model.GrantReadTelemetry | model.GrantWriteTelemetry | model.GrantRPC | model.GrantAdmin
)

const tokenColumns = "id, tenant_id, creator_id, created, version, name, grants, entities, expires, last_used, prefix, lookup, old_lookup, overlap"

// A tokenRow is a token with the hashes of its texts.
type tokenRow struct {
	model.APIToken
	lookup, old string
}

func scanToken(s scanner) (*tokenRow, error) {
	var t tokenRow
	var entities string
	err := s.Scan(idText{&t.ID}, idText{(*model.ID)(&t.Tenant)}, idText{(*model.ID)(&t.Creator)}, &t.Created, &t.Version,
		&t.Name, &t.Grants, &entities, &t.Expires, &t.LastUsed, &t.Prefix, &t.lookup, &t.old, &t.Overlap)
	if err != nil {
		return nil, err
	}
	for text := range strings.FieldsSeq(entities) {
		id, err := model.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("entities of token %s: %w", t.ID, err)
		}
		t.Entities = append(t.Entities, model.EntityID(id))
	}
	return &t, nil
}

// checkToken refuses what a tenant's administrator must not ask for.
func (r *Registry) checkToken(t *model.APIToken) error {
	if err := required("Token", field{"name", t.Name}); err != nil {
		return err
	}
	if t.Grants == 0 || t.Grants&^allGrants != 0 {
		return model.Invalidf("Token scopes should be specified!")
	}
	if t.Expires != 0 && t.Expires <= r.now() {
		return model.Invalidf("Token expiry must lie in the future")
	}
	if len(t.Entities) > maxTokenEntities {
		return model.Invalidf("%d entities of a token exceed the limit of %d", len(t.Entities), maxTokenEntities)
	}
	for _, id := range t.Entities {
		if _, ok := r.Entity(t.Tenant, id); !ok {
			return model.Invalidf("Entity with id [%s] is not found", id)
		}
	}
	return nil
}

// CreateToken keeps a token whose text is secret, of which only a keyed hash is stored. It
// fills ID, Created and Version.
func (r *Registry) CreateToken(ctx context.Context, t *model.APIToken, secret string) error {
	if err := r.checkToken(t); err != nil {
		return err
	}
	next := *t
	next.ID, next.Created, next.Version, next.LastUsed, next.Overlap = r.newID(), r.now(), 1, 0, 0
	next.Entities = slices.Clone(t.Entities)
	hash := r.sealer.lookup(secret)
	err := r.write(ctx, func(tx *tx) error {
		var n int
		if err := tx.row("SELECT COUNT(*) FROM api_tokens WHERE tenant_id = $1", next.Tenant.String()).Scan(&n); err != nil {
			return fmt.Errorf("registry: count tokens: %w", err)
		}
		if n >= maxTokens {
			return model.Errorf(model.Quota, "A tenant may have %d tokens", maxTokens)
		}
		var entities []string
		for _, id := range next.Entities {
			entities = append(entities, id.String())
		}
		err := tx.exec("INSERT INTO api_tokens ("+tokenColumns+") VALUES ("+placeholders(1, 14)+")", next.ID.String(), next.Tenant.String(),
			next.Creator.String(), next.Created, next.Version, next.Name, int64(next.Grants), strings.Join(entities, " "), next.Expires,
			next.LastUsed, next.Prefix, hash.String(), "", next.Overlap)
		if err != nil {
			return fmt.Errorf("registry: insert token: %w", err)
		}
		tx.then(func() { r.dir.tokens.put(&next, hash) })
		return nil
	})
	if err == nil {
		*t = next
	}
	return err
}

// tokenOf returns a token of a tenant.
func tokenOf(ctx context.Context, q queryer, t model.TenantID, id model.ID) (*tokenRow, error) {
	row, err := first(ctx, q, scanToken, "SELECT "+tokenColumns+" FROM api_tokens WHERE tenant_id = $1 AND id = $2", t.String(), id.String())
	if err != nil {
		return nil, fmt.Errorf("registry: read token %s: %w", id, err)
	}
	if row == nil {
		return nil, missing("Token", id)
	}
	return row, nil
}

// RotateToken gives a token a new text. The one it had works until overlap, ms; the one
// before that ends.
func (r *Registry) RotateToken(ctx context.Context, t model.TenantID, id model.ID, secret, prefix string, overlap int64) (*model.APIToken, error) {
	var next *tokenRow
	hash := r.sealer.lookup(secret)
	err := r.write(ctx, func(tx *tx) (err error) {
		if next, err = tokenOf(tx.ctx, tx.sql, t, id); err != nil {
			return err
		}
		older := next.old
		next.old, next.lookup = next.lookup, hash.String()
		next.Version, next.Overlap, next.Prefix = next.Version+1, overlap, prefix
		err = tx.execOne("UPDATE api_tokens SET version = $2, prefix = $3, lookup = $4, old_lookup = $5, overlap = $6 WHERE id = $1",
			id.String(), next.Version, next.Prefix, next.lookup, next.old, next.Overlap)
		if err != nil {
			return fmt.Errorf("registry: rotate token %s: %w", id, err)
		}
		tx.rights = true
		return r.replaceToken(tx, next, older)
	})
	if err != nil {
		return nil, err
	}
	r.dir.tokens.overlay(&next.APIToken)
	return &next.APIToken, nil
}

// replaceToken makes the directory know a token by the texts it has now.
func (r *Registry) replaceToken(tx *tx, t *tokenRow, gone ...string) error {
	current, err := parseLookup(t.lookup)
	if err != nil {
		return err
	}
	var removed []lookup
	for _, text := range gone {
		if text == "" {
			continue
		}
		l, err := parseLookup(text)
		if err != nil {
			return err
		}
		removed = append(removed, l)
	}
	var old *lookup
	if t.old != "" {
		l, err := parseLookup(t.old)
		if err != nil {
			return err
		}
		old = &l
	}
	tx.then(func() { r.dir.tokens.replace(&t.APIToken, current, old, removed) })
	return nil
}

// RevokeToken ends a token.
func (r *Registry) RevokeToken(ctx context.Context, t model.TenantID, id model.ID) error {
	return r.write(ctx, func(tx *tx) error {
		row, err := tokenOf(tx.ctx, tx.sql, t, id)
		if err != nil {
			return err
		}
		return r.revoke(tx, []*tokenRow{row})
	})
}

// RevokeTokens ends every token of a tenant and returns how many there were.
func (r *Registry) RevokeTokens(ctx context.Context, t model.TenantID) (n int, err error) {
	err = r.write(ctx, func(tx *tx) error {
		n, err = r.revokeAll(tx, t)
		return err
	})
	return n, err
}

func (r *Registry) revokeAll(tx *tx, t model.TenantID) (int, error) {
	rows, err := collect(tx.ctx, tx.sql, scanToken, "SELECT "+tokenColumns+" FROM api_tokens WHERE tenant_id = $1", t.String())
	if err != nil {
		return 0, fmt.Errorf("registry: read tokens of tenant %s: %w", t, err)
	}
	return len(rows), r.revoke(tx, rows)
}

func (r *Registry) revoke(tx *tx, rows []*tokenRow) error {
	var gone []lookup
	for _, row := range rows {
		if err := tx.execOne("DELETE FROM api_tokens WHERE id = $1", row.ID.String()); err != nil {
			return fmt.Errorf("registry: delete token %s: %w", row.ID, err)
		}
		for _, text := range []string{row.lookup, row.old} {
			if text == "" {
				continue
			}
			l, err := parseLookup(text)
			if err != nil {
				return err
			}
			gone = append(gone, l)
		}
	}
	tx.rights = tx.rights || len(gone) > 0
	tx.then(func() {
		for _, row := range rows {
			r.dir.tokens.remove(row.ID, gone)
		}
	})
	return nil
}

// Tokens lists the tokens of a tenant, without their texts; sortable by createdTime, name,
// lastUsed, expires.
func (r *Registry) Tokens(ctx context.Context, t model.TenantID, l model.PageLink) (model.Page[model.APIToken], error) {
	by := order[model.APIToken]{
		"createdTime": func(a, b *model.APIToken) int { return cmp.Compare(a.Created, b.Created) },
		"name":        func(a, b *model.APIToken) int { return compareText(a.Name, b.Name) },
		"lastUsed":    func(a, b *model.APIToken) int { return cmp.Compare(a.LastUsed, b.LastUsed) },
		"expires":     func(a, b *model.APIToken) int { return cmp.Compare(a.Expires, b.Expires) },
	}
	if err := checkLink(l, by); err != nil {
		return model.Page[model.APIToken]{}, err
	}
	rows, err := collect(ctx, r.reader, scanToken, "SELECT "+tokenColumns+" FROM api_tokens WHERE tenant_id = $1", t.String())
	if err != nil {
		return model.Page[model.APIToken]{}, fmt.Errorf("registry: list tokens of tenant %s: %w", t, err)
	}
	n := newNeedle(l.Search)
	var found []*model.APIToken
	for _, row := range rows {
		if n.in(row.Name) {
			r.dir.tokens.overlay(&row.APIToken)
			found = append(found, &row.APIToken)
		}
	}
	return values(paginate(found, l, by, func(a, b *model.APIToken) int {
		return newestFirst(a.Created, b.Created, a.ID, b.ID)
	})), nil
}

// Token returns a token of a tenant, without its text.
func (r *Registry) Token(ctx context.Context, t model.TenantID, id model.ID) (*model.APIToken, error) {
	row, err := tokenOf(ctx, r.reader, t, id)
	if err != nil {
		return nil, err
	}
	r.dir.tokens.overlay(&row.APIToken)
	return &row.APIToken, nil
}

// TokenHolder returns, from memory, whom the text of a token or key lets in, and remembers that it
// was used.
func (r *Registry) TokenHolder(secret string) (model.Principal, bool) {
	return r.dir.tokens.holder(r.sealer.lookup(secret), r.now())
}

// TokenAlive reports, from memory, whether a token or key is neither revoked nor disabled nor
// expired.
func (r *Registry) TokenAlive(id model.ID) bool { return r.dir.tokens.alive(id, r.now()) }

// tokenUseLoop writes down now and then when tokens and keys were last used. What fails is tried
// again with what is new then.
func (r *Registry) tokenUseLoop(ctx context.Context) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = r.saveTokenUse(ctx) // memory still knows, and Close says what went wrong
		}
	}
}

// saveTokenUse writes down when tokens and keys were last used.
func (r *Registry) saveTokenUse(ctx context.Context) error {
	used := r.dir.tokens.unsaved()
	if len(used) == 0 {
		return nil
	}
	err := r.write(ctx, func(tx *tx) error {
		for id, at := range used {
			for _, table := range []string{"api_tokens", "api_keys"} { // it is in one of them
				if err := tx.exec("UPDATE "+table+" SET last_used = $2 WHERE id = $1", id.String(), at); err != nil {
					return fmt.Errorf("registry: save the use of token %s: %w", id, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.dir.tokens.saved(used)
	return nil
}

// loadTokens fills the directory's part of tokens.
func (r *Registry) loadTokens(ctx context.Context) error {
	rows, err := collect(ctx, r.reader, scanToken, "SELECT "+tokenColumns+" FROM api_tokens")
	if err != nil {
		return err
	}
	for _, row := range rows {
		current, err := parseLookup(row.lookup)
		if err != nil {
			return err
		}
		r.dir.tokens.put(&row.APIToken, current)
		if row.old != "" {
			old, err := parseLookup(row.old)
			if err != nil {
				return errors.Join(fmt.Errorf("token %s", row.ID), err)
			}
			r.dir.tokens.replace(&row.APIToken, current, &old, nil)
		}
	}
	return nil
}
