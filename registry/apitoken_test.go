package registry

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func (f *fixture) addToken(t testing.TB, name, secret string) *model.APIToken {
	t.Helper()
	v := &model.APIToken{Tenant: f.tenant, Creator: model.UserID{1}, Name: name, Grants: model.GrantReadTelemetry, Prefix: "tidewire_" + name}
	check(t, f.CreateToken(t.Context(), v, secret))
	return v
}

func (f *fixture) letsIn(secret string) bool {
	_, ok := f.TokenHolder(secret)
	return ok
}

func TestATokenLivesUntilItIsRevoked(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	v := &model.APIToken{Tenant: f.tenant, Name: "narrow", Grants: model.GrantReadTelemetry | model.GrantRPC, Entities: []model.EntityID{d.ID},
		Expires: f.clock.now().Add(time.Hour).UnixMilli()}
	check(t, f.CreateToken(t.Context(), v, "one"))
	f.reopen(t)
	p, ok := f.TokenHolder("one")
	if !ok || p.Tenant != f.tenant || p.Authority != model.TenantAdmin || p.Grant.Token != v.ID || p.Grant.Grants != v.Grants ||
		!p.Grant.Covers(d.ID) || p.Grant.Covers(model.EntityID{1}) || p.Expires != v.Expires {
		t.Errorf("%+v, %v", p, ok)
	}
	if f.letsIn("two") || !f.TokenAlive(v.ID) {
		t.Error("another text lets in, or the token is not alive")
	}
	f.clock.add(time.Hour)
	if f.letsIn("one") || f.TokenAlive(v.ID) {
		t.Error("an expired token lets in")
	}

	other := f.addToken(t, "other", "three")
	foreign := f.addTenant(t, "Foreign")
	wantError(t, f.RevokeToken(t.Context(), foreign, other.ID), model.NotFound, "")
	_, err := f.Token(t.Context(), foreign, other.ID)
	wantError(t, err, model.NotFound, "")
	check(t, f.RevokeToken(t.Context(), f.tenant, other.ID))
	if f.letsIn("three") || f.TokenAlive(other.ID) {
		t.Error("a revoked token lets in")
	}
	wantError(t, f.RevokeToken(t.Context(), f.tenant, other.ID), model.NotFound, "")
	f.reopen(t)
	if f.letsIn("three") {
		t.Error("a revoked token lets in after a restart")
	}
}

func TestARotatedTokenHasTwoTextsForAWhile(t *testing.T) {
	f := open(t)
	v := f.addToken(t, "v", "one")
	next, err := f.RotateToken(t.Context(), f.tenant, v.ID, "two", "tidewire_two", f.clock.now().Add(time.Hour).UnixMilli())
	check(t, err)
	if next.Version != 2 || next.Prefix != "tidewire_two" {
		t.Errorf("%+v", next)
	}
	f.reopen(t)
	if !f.letsIn("one") || !f.letsIn("two") {
		t.Error("one of the two texts does not let in")
	}
	_, err = f.RotateToken(t.Context(), f.tenant, v.ID, "three", "tidewire_three", f.clock.now().Add(time.Hour).UnixMilli())
	check(t, err)
	if f.letsIn("one") || !f.letsIn("two") || !f.letsIn("three") {
		t.Error("the text before the last one lets in, or one of the last two does not")
	}
	f.clock.add(time.Hour)
	if f.letsIn("two") || !f.letsIn("three") {
		t.Error("the old text lets in after its time, or the new one does not")
	}
	check(t, f.RevokeToken(t.Context(), f.tenant, v.ID))
	if f.letsIn("three") {
		t.Error("a revoked token lets in")
	}
}

func TestTokensAreListedWithTheirLastUse(t *testing.T) {
	f := open(t)
	f.addToken(t, "alpha", "one")
	f.addToken(t, "Beta", "two")
	f.addToken(t, "gamma", "three")
	before := f.clock.now().UnixMilli()
	if !f.letsIn("two") {
		t.Fatal("no entry")
	}
	f.reopen(t) // which saves the use
	list := func(l model.PageLink) (names []string, page model.Page[model.APIToken]) {
		t.Helper()
		page, err := f.Tokens(t.Context(), f.tenant, l)
		check(t, err)
		for _, v := range page.Data {
			names = append(names, v.Name)
		}
		return names, page
	}
	names, page := list(model.PageLink{Size: 10, Sort: "lastUsed", Descending: true})
	if !slices.Equal(names, []string{"Beta", "gamma", "alpha"}) || page.Data[0].LastUsed < before || page.Data[1].LastUsed != 0 {
		t.Errorf("%v, last used %d", names, page.Data[0].LastUsed)
	}
	if names, page = list(model.PageLink{Size: 1, Page: 1}); !slices.Equal(names, []string{"Beta"}) || page.Total != 3 {
		t.Errorf("%v of %d", names, page.Total)
	}
	if names, _ = list(model.PageLink{Size: 9, Search: "BET"}); !slices.Equal(names, []string{"Beta"}) {
		t.Errorf("%v", names)
	}
	_, err := f.Tokens(t.Context(), f.tenant, model.PageLink{Size: 1, Sort: "lookup"})
	wantError(t, err, model.Invalid, "Invalid sort property")
	n, err := f.RevokeTokens(t.Context(), f.tenant)
	check(t, err)
	if n != 3 || f.letsIn("one") || f.letsIn("two") {
		t.Errorf("%d revoked, and one lets in", n)
	}
}

func TestATokenEndsWithItsTenant(t *testing.T) {
	f := open(t)
	v := f.addToken(t, "v", "one")
	check(t, f.DeleteTenant(t.Context(), f.tenant))
	if f.letsIn("one") || f.TokenAlive(v.ID) {
		t.Error("the token of a deleted tenant lets in")
	}
}

func TestTokensThatCannotBeAreRefused(t *testing.T) {
	f := open(t)
	bad := func(what string, change func(*model.APIToken)) {
		t.Helper()
		v := &model.APIToken{Tenant: f.tenant, Name: "x", Grants: model.GrantRPC}
		change(v)
		if err := f.CreateToken(t.Context(), v, "secret"); model.KindOf(err) != model.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad("no name", func(v *model.APIToken) { v.Name = " " })
	bad("a long name", func(v *model.APIToken) { v.Name = strings.Repeat("x", 256) })
	bad("no grants", func(v *model.APIToken) { v.Grants = 0 })
	bad("unknown grants", func(v *model.APIToken) { v.Grants = 1 << 7 })
	bad("expired", func(v *model.APIToken) { v.Expires = 1 })
	bad("an unknown entity", func(v *model.APIToken) { v.Entities = []model.EntityID{{9}} })
	bad("too many entities", func(v *model.APIToken) { v.Entities = make([]model.EntityID, maxTokenEntities+1) })
	if f.letsIn("secret") {
		t.Error("a refused token lets in")
	}
	check(t, f.write(context.WithoutCancel(t.Context()), func(tx *tx) error {
		for i := range maxTokens {
			err := tx.exec(`INSERT INTO api_tokens (`+tokenColumns+`) VALUES (`+placeholders(1, 14)+`)`, model.NewID(f.clock.now(), nil).String(),
				f.tenant.String(), "", 0, 1, "x", 1, "", 0, 0, "", i, "", 0)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	wantError(t, f.CreateToken(t.Context(), &model.APIToken{Tenant: f.tenant, Name: "x", Grants: 1}, "secret"), model.Quota,
		"A tenant may have 1000 tokens")
}
