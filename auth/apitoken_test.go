package auth

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func TestAnAPITokenLetsInAndNothingLikeIt(t *testing.T) {
	f := setup(t)
	admin := model.Principal{User: f.user.ID, Tenant: f.user.Tenant, Authority: model.TenantAdmin, Customer: model.NoCustomer}
	token := &model.APIToken{Name: "reader", Grants: model.GrantReadTelemetry}
	text, err := f.CreateToken(t.Context(), admin, token)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^tidewire_[0-9A-Za-z]{49}$`).MatchString(text) || !strings.HasPrefix(text, token.Prefix) || len(token.Prefix) > 13 {
		t.Errorf("text %q, prefix %q", text, token.Prefix)
	}
	p, err := f.Verify(text)
	if err != nil || p.Tenant != admin.Tenant || p.Grant == nil || p.Grant.Token != token.ID || p.User != (model.UserID{}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := f.Current(p); err != nil {
		t.Errorf("an open socket ends: %v", err)
	}
	for i := range len(text) {
		forged := text[:i] + string(base62[(strings.IndexByte(base62, text[i])+1)%62]) + text[i+1:]
		if _, err := f.Verify(forged); err == nil {
			t.Errorf("%q lets in", forged)
		}
	}
	for _, bad := range []string{"tidewire_", text[:len(text)-1], text + "0", "tidewire_" + strings.Repeat("0", 49)} {
		_, err := f.Verify(bad)
		wantError(t, err, model.Unauthenticated, "Invalid API token")
	}
}

func TestARotatedTokenOverlaps(t *testing.T) {
	f := setup(t)
	admin := model.Principal{User: f.user.ID, Tenant: f.user.Tenant, Authority: model.TenantAdmin, Customer: model.NoCustomer}
	token := &model.APIToken{Name: "reader", Grants: model.GrantReadTelemetry}
	old, err := f.CreateToken(t.Context(), admin, token)
	if err != nil {
		t.Fatal(err)
	}
	_, fresh, err := f.RotateToken(t.Context(), admin, token.ID, time.Hour)
	if err != nil || fresh == old {
		t.Fatalf("%q, %v", fresh, err)
	}
	for _, text := range []string{old, fresh} {
		if _, err := f.Verify(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	f.clock.add(time.Hour)
	if _, err := f.Verify(old); model.KindOf(err) != model.Unauthenticated {
		t.Errorf("the old text after its time: %v", err)
	}
	if _, err := f.Verify(fresh); err != nil {
		t.Error(err)
	}
}

// Who holds a token must not make more of them, nor may anybody but a tenant's administrator.
func TestOnlyAdministratorsMakeTokens(t *testing.T) {
	f := setup(t)
	for _, p := range []model.Principal{
		{Tenant: f.user.Tenant, Authority: model.TenantAdmin, Grant: &model.Grant{Grants: model.GrantAdmin}},
		{Tenant: f.user.Tenant, Authority: model.CustomerUser, Customer: model.CustomerID{5}},
		{Authority: model.SysAdmin}, {},
	} {
		_, err := f.CreateToken(t.Context(), p, &model.APIToken{Name: "x", Grants: model.GrantReadTelemetry})
		wantError(t, err, model.Denied, "You don't have permission to perform this operation!")
		_, _, err = f.RotateToken(t.Context(), p, model.ID{1}, 0)
		wantError(t, err, model.Denied, "You don't have permission to perform this operation!")
	}
	admin := model.Principal{User: f.user.ID, Tenant: f.user.Tenant, Authority: model.TenantAdmin}
	for _, overlap := range []time.Duration{-1, maxTokenGrace + 1} {
		if _, _, err := f.RotateToken(t.Context(), admin, model.ID{1}, overlap); model.KindOf(err) != model.Invalid {
			t.Errorf("overlap of %v: %v", overlap, err)
		}
	}
	far := &model.APIToken{Name: "x", Grants: model.GrantRPC, Expires: f.clock.now().Add(maxTokenLife + 1e9).UnixMilli()}
	if _, err := f.CreateToken(t.Context(), admin, far); model.KindOf(err) != model.Invalid {
		t.Errorf("a life of more than ten years: %v", err)
	}
}

// Every operation is allowed by exactly the grants it belongs to.
func TestGrantsAllowWhatTheySay(t *testing.T) {
	device := &model.Entity{Tenant: model.TenantID{1}, ID: model.EntityID{1}, Type: model.EntityDevice, Customer: model.NoCustomer}
	other := &model.Entity{Tenant: model.TenantID{1}, ID: model.EntityID{2}, Type: model.EntityDevice, Customer: model.NoCustomer}
	g := NewGuard(&world{entities: map[model.EntityID]*model.Entity{device.ID: device, other.ID: other}})
	reads, writes := []Op{Read, ReadAttributes, ReadTelemetry}, []Op{WriteAttributes, WriteTelemetry}
	all := []Op{Read, Write, Delete, ReadCredentials, WriteCredentials, Assign, ReadAttributes, WriteAttributes, ReadTelemetry, WriteTelemetry, Call}
	for grants, want := range map[model.Grants][]Op{
		model.GrantReadTelemetry:  reads,
		model.GrantWriteTelemetry: writes,
		model.GrantRPC:            {Call},
		model.GrantAdmin:          all,
		model.GrantReadTelemetry | model.GrantWriteTelemetry: append(append([]Op{}, reads...), writes...),
		0: nil,
	} {
		allowed := map[Op]bool{}
		for _, op := range want {
			allowed[op] = true
		}
		p := model.Principal{Tenant: model.TenantID{1}, Authority: model.TenantAdmin, Customer: model.NoCustomer, Grant: &model.Grant{Grants: grants}}
		narrow := p
		narrow.Grant = &model.Grant{Grants: grants, Entities: map[model.EntityID]bool{device.ID: true}}
		for _, op := range all {
			_, err := g.Allow(p, op, device.Ref())
			_, narrowed := g.Allow(narrow, op, device.Ref())
			if (err == nil) != allowed[op] || (narrowed == nil) != allowed[op] {
				t.Errorf("grants %b, operation %d: %v, narrowed %v", grants, op, err, narrowed)
			}
			if _, err := g.Allow(narrow, op, other.Ref()); model.KindOf(err) != model.Denied {
				t.Errorf("grants %b, operation %d on another entity: %v", grants, op, err)
			}
		}
		if _, err := g.Allow(p, Write, model.EntityRef{Type: model.EntityUser, ID: device.ID}); model.KindOf(err) != model.Denied {
			t.Errorf("grants %b: a token changes users: %v", grants, err)
		}
		if g.Visible(p, device) != allowed[Read] || g.Visible(narrow, other) {
			t.Errorf("grants %b: lists show what they must not", grants)
		}
		if (Require(p, model.TenantAdmin) == nil) != (grants == model.GrantAdmin) || Require(narrow, model.TenantAdmin) == nil {
			t.Errorf("grants %b: Require is wrong", grants)
		}
	}
}

func TestAnAPIKeyStandsForItsUserAndIsNoPerson(t *testing.T) {
	f := setup(t)
	person := model.Principal{User: f.user.ID, Tenant: f.user.Tenant, Authority: model.TenantAdmin, Customer: model.NoCustomer, Session: model.ID{1}}
	text, err := f.CreateKey(t.Context(), person, &model.APIKey{Tenant: f.user.Tenant, User: f.user.ID})
	if err != nil || !regexp.MustCompile(`^tidewire_[0-9A-Za-z]{49}$`).MatchString(text) {
		t.Fatalf("%q, %v", text, err)
	}
	p, err := f.Verify(text)
	if err != nil || p.User != f.user.ID || p.Tenant != f.user.Tenant || p.Key.IsZero() || p.Grant != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := Require(p, model.TenantAdmin); err != nil {
		t.Errorf("it may less than its user: %v", err)
	}
	if _, err := f.Current(p); err != nil {
		t.Errorf("an open socket ends: %v", err)
	}
	clear(f.store.keys)
	if _, err := f.Current(p); model.KindOf(err) != model.Expired {
		t.Errorf("an open socket of a key that is gone: %v", err)
	}
	_, err = f.CreateKey(t.Context(), p, &model.APIKey{Tenant: p.Tenant, User: p.User})
	wantError(t, err, model.Denied, "You don't have permission to perform this operation!")
	_, err = f.CreateToken(t.Context(), p, &model.APIToken{Name: "x", Grants: model.GrantAdmin})
	wantError(t, err, model.Denied, "You don't have permission to perform this operation!")
	_, err = f.CreateKey(t.Context(), person, &model.APIKey{Tenant: p.Tenant, User: p.User, Expires: 1 << 60})
	wantError(t, err, model.Invalid, "API key expirationTime must lie within ten years; 0 is a key without end")
}
