package registry

import (
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func (f *fixture) addKey(t testing.TB, u *model.User, secret string) *model.APIKey {
	t.Helper()
	k := &model.APIKey{Tenant: u.Tenant, User: u.ID, Description: secret, Enabled: true}
	check(t, f.CreateKey(t.Context(), k, secret))
	return k
}

func (f *fixture) addAdmin(t testing.TB, email string) *model.User {
	t.Helper()
	u := &model.User{Tenant: f.tenant, Authority: model.TenantAdmin, Email: email, Enabled: true}
	check(t, f.SaveUser(t.Context(), u))
	return u
}

func TestAKeyStandsForItsUserAcrossRestarts(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	ada, bob := f.addAdmin(t, "ada@example.org"), f.addAdmin(t, "bob@example.org")
	root := &model.User{Authority: model.SysAdmin, Email: "root@example.org", Enabled: true}
	check(t, f.SaveUser(ctx, root))
	k, other, off := f.addKey(t, ada, "one"), f.addKey(t, bob, "two"), f.addKey(t, ada, "three")
	f.addKey(t, root, "four")
	_, err := f.EnableKey(ctx, off.ID, false)
	check(t, err)
	check(t, f.EnableUser(ctx, f.tenant, bob.ID, false))
	expiring := &model.APIKey{Tenant: f.tenant, User: ada.ID, Description: "x", Enabled: true, Expires: f.clock.now().Add(time.Hour).UnixMilli()}
	check(t, f.CreateKey(ctx, expiring, "five"))
	for range 2 { // before a restart and after it
		p, ok := f.TokenHolder("one")
		used := f.clock.now().Add(-time.Minute).UnixMilli() // known to a minute
		if !ok || p.User != ada.ID || p.Tenant != f.tenant || p.Authority != model.TenantAdmin || p.Customer != model.NoCustomer || p.Key != k.ID || p.Grant != nil {
			t.Errorf("%+v, %v", p, ok)
		}
		if p, ok := f.TokenHolder("four"); !ok || p.User != root.ID || p.Authority != model.SysAdmin || p.Tenant != (model.TenantID{}) {
			t.Errorf("%+v, %v", p, ok)
		}
		if f.letsIn("two") || f.TokenAlive(other.ID) || f.letsIn("three") || f.TokenAlive(off.ID) || !f.letsIn("five") {
			t.Error("a disabled key or one of a disabled user lets in, or a good one does not")
		}
		got, err := f.Key(ctx, k.ID)
		if err != nil || got.LastUsed < used || got.Description != "one" {
			t.Errorf("%+v, %v", got, err)
		}
		f.reopen(t)
	}
	f.clock.add(time.Hour)
	if f.letsIn("five") || f.TokenAlive(expiring.ID) {
		t.Error("an expired key lets in")
	}
	_, err = f.EnableKey(ctx, model.ID{9}, true)
	wantError(t, err, model.NotFound, "")
	_, err = f.DescribeKey(ctx, model.ID{9}, "x")
	wantError(t, err, model.NotFound, "")
	wantError(t, f.DeleteKey(ctx, model.ID{9}), model.NotFound, "")
}

func TestKeysEndWithWhatTheirUserMay(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	told := 0
	f.opts.RightsChanged = func() { told++ }
	f.reopen(t)
	u := f.addAdmin(t, "ada@example.org")
	expect := func(what string, in bool, rechecks int) {
		t.Helper()
		if f.letsIn("one") != in || told != rechecks {
			t.Errorf("%s: lets in %v, want %v; %d rechecks, want %d", what, !in, in, told, rechecks)
		}
		told = 0
	}
	k := f.addKey(t, u, "one")
	expect("made", true, 0)
	_, err := f.EnableKey(ctx, k.ID, false)
	check(t, err)
	expect("disabled", false, 1)
	_, err = f.EnableKey(ctx, k.ID, true)
	check(t, err)
	expect("enabled", true, 0)
	u.Enabled = false
	check(t, f.SaveUser(ctx, u))
	expect("its user disabled", false, 1)
	u.Enabled = true
	check(t, f.SaveUser(ctx, u))
	expect("its user enabled", true, 0)
	c := &model.Customer{Tenant: f.tenant, Title: "C"}
	check(t, f.SaveCustomer(ctx, c))
	u.Authority, u.Customer = model.CustomerUser, c.ID
	check(t, f.SaveUser(ctx, u))
	expect("its user may less", false, 1)
	f.addKey(t, u, "one")
	expect("made again", true, 0)
	check(t, f.DeleteCustomer(ctx, f.tenant, c.ID))
	expect("its customer deleted", false, 1)
	f.reopen(t)
	if f.letsIn("one") {
		t.Error("the key of a user who is gone lets in after a restart")
	}
}

func TestAUserHasSoManyKeys(t *testing.T) {
	f := open(t)
	u := f.addAdmin(t, "ada@example.org")
	for i := range maxKeys {
		f.addKey(t, u, string(rune('一'+i)))
	}
	err := f.CreateKey(t.Context(), &model.APIKey{Tenant: u.Tenant, User: u.ID, Description: "x"}, "x")
	wantError(t, err, model.Quota, "A user may have 100 API keys")
	foreign := f.addTenant(t, "Foreign")
	err = f.CreateKey(t.Context(), &model.APIKey{Tenant: foreign, User: u.ID, Description: "x"}, "x")
	wantError(t, err, model.NotFound, "")
}
