package registry

import (
	"testing"
	"time"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// The registry is the store auth wants: one login from the setup link to a deleted user.
func TestRegistryIsTheStoreOfAuth(t *testing.T) {
	f := open(t)
	service := func() *auth.Service {
		t.Helper()
		s, err := auth.New(f.Registry, f.opts.Keys.Tokens, auth.Options{Now: f.clock.now, Argon2: auth.Params{MemoryKiB: 8, Passes: 1}})
		check(t, err)
		return s
	}
	s := service()
	u := &model.User{Tenant: f.tenant, Email: "Ann@example.org", Authority: model.TenantAdmin}
	check(t, f.SaveUser(t.Context(), u))
	link, err := s.SetupLink(t.Context(), u.ID)
	check(t, err)
	_, err = s.Login(t.Context(), "ann@example.org", "long enough", auth.Client{})
	wantError(t, err, model.Unauthenticated, "Invalid username or password")
	pair, err := s.Activate(t.Context(), link, "long enough", auth.Client{Address: "192.0.2.1"})
	check(t, err)

	f.reopen(t) // a restart ends nobody's session
	s = service()
	p, err := s.Verify(pair.Token)
	check(t, err)
	d := f.addDevice(t, "a")
	if e, err := auth.NewGuard(f.Registry).Allow(p, auth.ReadTelemetry, model.EntityRef{Type: model.EntityDevice, ID: d.ID}); err != nil || e.Name != "a" {
		t.Errorf("the guard says %v, %v", e, err)
	}
	next, err := s.Refresh(t.Context(), pair.RefreshToken)
	check(t, err)
	twin, err := s.Refresh(t.Context(), pair.RefreshToken) // another tab woke up, too
	check(t, err)
	for _, token := range []string{next.Token, twin.Token} {
		if _, err := s.Verify(token); err != nil {
			t.Error(err)
		}
	}
	next, err = s.Refresh(t.Context(), twin.RefreshToken)
	check(t, err)
	_, err = s.Refresh(t.Context(), next.RefreshToken)
	check(t, err)
	f.clock.add(time.Minute)
	_, err = s.Refresh(t.Context(), pair.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
	_, err = s.Verify(next.Token)
	wantError(t, err, model.Expired, "Token has expired")

	pair, err = s.Login(t.Context(), "ann@example.org", "long enough", auth.Client{})
	check(t, err)
	if _, err := s.Verify(pair.Token); err != nil {
		t.Error(err)
	}
	check(t, f.DeleteUser(t.Context(), f.tenant, u.ID))
	_, err = s.Verify(pair.Token)
	wantError(t, err, model.Expired, "Token has expired")
	_, err = s.Refresh(t.Context(), pair.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
}
