package auth

import (
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func TestAPublicSessionIsTheCustomersAndMayChangeNothing(t *testing.T) {
	f := setup(t)
	_, err := f.LoginPublic(t.Context(), "nonsense", Client{})
	wantError(t, err, model.Unauthenticated, "Invalid username or password")
	_, err = f.LoginPublic(t.Context(), model.NoCustomer.String(), Client{})
	wantError(t, err, model.Unauthenticated, "Invalid username or password")
	pair, err := f.LoginPublic(t.Context(), publicCustomer.String(), Client{})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.add(time.Second)
	if pair, err = f.Refresh(t.Context(), pair.RefreshToken); err != nil {
		t.Fatal(err)
	}
	p, err := f.Verify(pair.Token)
	if err != nil || !p.Public || p.Authority != model.CustomerUser || p.Customer != publicCustomer || p.Tenant != (model.TenantID{1}) {
		t.Fatalf("%+v, %v", p, err)
	}
	c, err := f.signer.parse(pair.Token)
	if err != nil || c.Subject != publicCustomer.String() || !c.IsPublic || c.UserID != model.NoCustomer.String() {
		t.Errorf("%+v, %v", c, err)
	}
	e := &model.Entity{ID: model.EntityID{1}, Type: model.EntityDevice, Tenant: p.Tenant, Customer: publicCustomer}
	user := &model.Entity{ID: model.EntityID{2}, Type: model.EntityUser, Tenant: p.Tenant, Customer: publicCustomer}
	g := NewGuard(nil)
	for op := Read; op <= Call; op++ {
		if got, want := g.customerMay(p, op, e), op == Read || op == ReadAttributes || op == ReadTelemetry; got != want {
			t.Errorf("operation %d on a public device: %v", op, got)
		}
		if g.customerMay(p, op, user) {
			t.Errorf("operation %d on a user", op)
		}
	}
	if err := f.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err = f.Verify(pair.Token)
	wantError(t, err, model.Expired, "Token has expired")
}

// Whoever asks for a reset learns nothing from the answer.
func TestAResetIsForThoseWhoCanUseIt(t *testing.T) {
	f := setup(t)
	f.addUser(t, "new@example.org", model.TenantAdmin, "")
	for _, email := range []string{"nobody@example.org", "new@example.org"} {
		if u, token, err := f.ResetLink(t.Context(), email); u != nil || token != "" || err != nil {
			t.Errorf("%s: %v %q %v", email, u, token, err)
		}
	}
	session := f.login(t)
	u, token, err := f.ResetLink(t.Context(), "ANN@example.org")
	if err != nil || u.ID != f.user.ID || token == "" {
		t.Fatal(u, err)
	}
	if again, _, err := f.ResetLink(t.Context(), "ann@example.org"); again != nil || err != nil {
		t.Errorf("a second one within a minute: %v, %v", again, err)
	}
	_, _, err = f.ResetPassword(t.Context(), token, "short", Client{})
	wantError(t, err, model.Invalid, "Password must be at least 8 characters long!")
	_, err = f.Activate(t.Context(), token, "long enough", Client{})
	wantError(t, err, model.Invalid, "Activation token is unknown or has expired!")
	_, _, err = f.ResetPassword(t.Context(), "guess", "long enough", Client{})
	wantError(t, err, model.Invalid, "Invalid reset token!")
	got, pair, err := f.ResetPassword(t.Context(), token, "long enough", Client{})
	if err != nil || got.ID != f.user.ID {
		t.Fatal(got, err)
	}
	if _, err := f.Verify(pair.Token); err != nil {
		t.Error(err)
	}
	_, _, err = f.ResetPassword(t.Context(), token, "long enough", Client{})
	wantError(t, err, model.Invalid, "Invalid reset token!")
	_ = session
}
