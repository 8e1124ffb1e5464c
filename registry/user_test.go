package registry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestUserComesBackAsSaved(t *testing.T) {
	f := open(t)
	u := &model.User{Tenant: f.tenant, Email: "Ann@Example.org", Authority: model.TenantAdmin, FirstName: "Ann", LastName: "Lee",
		Phone: "1", Enabled: true, Info: []byte(`{}`)}
	check(t, f.SaveUser(t.Context(), u))
	for range 2 {
		got, err := f.User(t.Context(), f.tenant, u.ID)
		check(t, err)
		if diff := cmp.Diff(u, got); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		a, err := f.Account(t.Context(), "ann@EXAMPLE.org")
		if err != nil || a.User.ID != u.ID || a.Password != "" {
			t.Errorf("account %+v, %v", a, err)
		}
		if e, ok := f.Entity(f.tenant, model.EntityID(u.ID)); !ok || e.Name != u.Email {
			t.Errorf("the directory says %+v, %v", e, ok)
		}
		f.reopen(t)
	}
	other := f.addTenant(t, "Other")
	_, err := f.User(t.Context(), other, u.ID)
	wantError(t, err, model.NotFound, "")
	_, err = f.User(t.Context(), model.TenantID{}, u.ID)
	wantError(t, err, model.NotFound, "")
	wantError(t, f.DeleteUser(t.Context(), other, u.ID), model.NotFound, "")
	old := *u
	u.FirstName = "Anna"
	check(t, f.SaveUser(t.Context(), u))
	wantError(t, f.SaveUser(t.Context(), &old), model.Conflict, "User was already changed by someone else")
	check(t, f.DeleteUser(t.Context(), f.tenant, u.ID))
	_, err = f.Account(t.Context(), "ann@example.org")
	wantError(t, err, model.NotFound, "")
}

func TestSystemAdministratorsHaveNoTenant(t *testing.T) {
	f := open(t)
	if n, err := f.UserCount(t.Context()); n != 0 || err != nil {
		t.Errorf("%d users at the first run, %v", n, err)
	}
	u := &model.User{Email: "root@example.org", Authority: model.SysAdmin}
	check(t, f.SaveUser(t.Context(), u))
	f.reopen(t)
	got, err := f.User(t.Context(), model.TenantID{}, u.ID)
	if err != nil || got.Tenant != (model.TenantID{}) || got.Customer != model.NoCustomer {
		t.Errorf("%+v, %v", got, err)
	}
	if _, ok := f.Lookup(model.EntityID(u.ID)); !ok {
		t.Error("the directory does not know it")
	}
	page, err := f.Users(t.Context(), model.TenantID{}, model.UserFilter{}, model.PageLink{Size: 9})
	if err != nil || page.Total != 1 {
		t.Errorf("listed %+v, %v", page, err)
	}
	if page, err = f.Users(t.Context(), f.tenant, model.UserFilter{}, model.PageLink{Size: 9}); err != nil || page.Total != 0 {
		t.Errorf("listed with a tenant's: %+v, %v", page, err)
	}
	if n, err := f.UserCount(t.Context()); n != 1 || err != nil {
		t.Errorf("%d users, %v", n, err)
	}
	check(t, f.DeleteUser(t.Context(), model.TenantID{}, u.ID))
}

func TestUserRules(t *testing.T) {
	f := open(t)
	c := f.addCustomer(t, "Shop")
	f.addUser(t, "taken@example.org", c)
	system := model.TenantID{}
	refuse := func(tenant model.TenantID, customer model.CustomerID, a model.Authority, email, text string) {
		t.Helper()
		wantError(t, f.SaveUser(t.Context(), &model.User{Tenant: tenant, Customer: customer, Authority: a, Email: email}), model.Invalid, text)
	}
	refuse(f.tenant, c, model.CustomerUser, "TAKEN@example.org", "User with email 'TAKEN@example.org' already present in database!")
	refuse(f.tenant, c, model.CustomerUser, "", "User email should be specified!")
	for _, email := range []string{"x", "@x", "x@", "a b@x", "a@b@c"} {
		refuse(f.tenant, c, model.CustomerUser, email, "Invalid email address format '"+email+"'!")
	}
	refuse(f.tenant, c, "", "a@b", "User authority should be specified!")
	refuse(f.tenant, model.NoCustomer, model.SysAdmin, "a@b", "System administrator can't be assigned neither to tenant nor to customer!")
	refuse(system, model.NoCustomer, model.TenantAdmin, "a@b", "Tenant administrator should be assigned to tenant!")
	refuse(f.tenant, c, model.TenantAdmin, "a@b", "Tenant administrator can't be assigned to customer!")
	refuse(f.tenant, model.NoCustomer, model.CustomerUser, "a@b", "Customer user should be assigned to customer!")
	refuse(system, c, model.CustomerUser, "a@b", "Customer user should be assigned to customer!")
	wantError(t, f.SaveUser(t.Context(), &model.User{Tenant: f.tenant, Customer: model.CustomerID{9}, Authority: model.CustomerUser, Email: "a@b"}), model.NotFound, "")
	wantError(t, f.SaveUser(t.Context(), &model.User{Tenant: model.TenantID{9}, Authority: model.TenantAdmin, Email: "a@b"}), model.NotFound, "")
}

// What a user may do is written into tokens, so a change of it must end them.
func TestSessionsEndWithTheRightsTheyWereOpenedFor(t *testing.T) {
	f := open(t)
	a, b := f.addCustomer(t, "A"), f.addCustomer(t, "B")
	changes := map[string]struct {
		do   func(*model.User) error
		ends bool
	}{
		"renamed": {func(u *model.User) error { u.FirstName = "x"; return f.SaveUser(t.Context(), u) }, false},
		"moved":   {func(u *model.User) error { u.Customer = b; return f.SaveUser(t.Context(), u) }, true},
		"promoted": {func(u *model.User) error {
			u.Customer, u.Authority = model.NoCustomer, model.TenantAdmin
			return f.SaveUser(t.Context(), u)
		}, true},
		"disabled":     {func(u *model.User) error { u.Enabled = false; return f.SaveUser(t.Context(), u) }, true},
		"deleted":      {func(u *model.User) error { return f.DeleteUser(t.Context(), f.tenant, u.ID) }, true},
		"new password": {func(u *model.User) error { return f.SetPassword(t.Context(), u.ID, "hash") }, true},
		"logged out":   {func(u *model.User) error { return f.EndSessions(t.Context(), u.ID) }, true},
	}
	for name, change := range changes {
		u := f.addUser(t, strings.ReplaceAll(name, " ", "-")+"@example.org", a)
		s := &model.Session{ID: f.newID(), User: u.ID, Created: 1, Expires: 1 << 60}
		check(t, f.CreateSession(t.Context(), s))
		if !f.SessionAlive(s.ID) {
			t.Fatalf("%s: a new session is dead", name)
		}
		check(t, change.do(u))
		for range 2 {
			if f.SessionAlive(s.ID) == change.ends {
				t.Errorf("%s: session alive is %v", name, !change.ends)
			}
			f.reopen(t)
		}
	}
}

func TestSessionRotatesOnceAndExpires(t *testing.T) {
	f := open(t)
	u := f.addUser(t, "u@example.org", model.NoCustomer)
	now := f.clock.now().UnixMilli()
	open := func(id byte) *model.Session {
		t.Helper()
		s := &model.Session{ID: model.ID{id}, User: u.ID, Created: now, Expires: now + 60_000, Refresh: [32]byte{1}, Address: "a", Agent: "b"}
		check(t, f.CreateSession(t.Context(), s))
		return s
	}
	s := open(1)
	check(t, f.RotateSession(t.Context(), s.ID, [32]byte{1}, [32]byte{2}, now+90_000, 10_000))
	f.reopen(t)
	check(t, f.RotateSession(t.Context(), s.ID, [32]byte{1}, [32]byte{2}, now+99_000, 10_000)) // a moment later: the same
	f.clock.add(70 * time.Second)
	if !f.SessionAlive(s.ID) {
		t.Error("the rotation did not prolong the session")
	}
	wantError(t, f.RotateSession(t.Context(), s.ID, [32]byte{1}, [32]byte{3}, now+99_000, 10_000), model.Conflict, "")
	if f.SessionAlive(s.ID) {
		t.Error("the session lives although an old token was used")
	}
	wantError(t, f.RotateSession(t.Context(), s.ID, [32]byte{2}, [32]byte{3}, now+99_000, 10_000), model.NotFound, "")

	now = f.clock.now().UnixMilli()
	s = open(2)
	f.clock.add(2 * time.Hour)
	if f.SessionAlive(s.ID) {
		t.Error("an expired session lives")
	}
	wantError(t, f.RotateSession(t.Context(), s.ID, [32]byte{1}, [32]byte{2}, 1<<60, 10_000), model.NotFound, "")
	now = f.clock.now().UnixMilli()
	open(3) // sweeps
	var n int
	check(t, f.reader.QueryRow("SELECT COUNT(*) FROM sessions").Scan(&n))
	if n != 1 {
		t.Errorf("%d sessions are kept, want the one alive", n)
	}
	check(t, f.EndSession(t.Context(), model.ID{3}))
	check(t, f.EndSession(t.Context(), model.ID{3})) // gone is gone
}

func TestTooManySessionsEndTheOldest(t *testing.T) {
	f := open(t)
	u := f.addUser(t, "u@example.org", model.NoCustomer)
	check(t, f.write(t.Context(), func(tx *tx) error {
		for i := range maxSessions {
			id := model.ID{byte(i), byte(i >> 8)}
			if err := tx.exec("INSERT INTO sessions (id, user_id, created, expires, refresh, address, agent) VALUES ($1, $2, $3, $4, '', '', '')", id.String(), u.ID.String(), i, int64(1)<<60); err != nil {
				return err
			}
		}
		return nil
	}))
	f.reopen(t)
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{0xff, 0xff}, User: u.ID, Created: maxSessions, Expires: 1 << 60}))
	for id, want := range map[model.ID]bool{{0, 0}: false, {1, 0}: true, {0xff, 0xff}: true} {
		if f.SessionAlive(id) != want {
			t.Errorf("session %v: alive is %v", id, !want)
		}
	}
}

func TestSetupLinkIsUsedOnce(t *testing.T) {
	f := open(t)
	u := f.addUser(t, "u@example.org", model.NoCustomer)
	u.Enabled = false
	check(t, f.SaveUser(t.Context(), u))
	now := f.clock.now().UnixMilli()
	save := func(hash byte, expires int64) {
		t.Helper()
		check(t, f.SaveSetupLink(t.Context(), &model.SetupLink{Hash: [32]byte{hash}, User: u.ID, Created: now, Expires: expires}))
	}
	refuse := func(hash byte) {
		t.Helper()
		_, err := f.RedeemSetupLink(t.Context(), [32]byte{hash}, false, "hash")
		wantError(t, err, model.NotFound, "")
	}
	save(1, now+60_000)
	save(2, now+60_000)
	f.reopen(t)
	refuse(1) // replaced
	refuse(9) // unknown
	a, err := f.RedeemSetupLink(t.Context(), [32]byte{2}, false, "hash")
	if err != nil || a.Password != "hash" || !a.User.Enabled || a.User.ID != u.ID {
		t.Errorf("%+v, %v", a, err)
	}
	refuse(2)
	save(3, now)
	refuse(3) // expired
	wantError(t, f.SaveSetupLink(t.Context(), &model.SetupLink{User: model.UserID{9}}), model.NotFound, "")
}

// A reset link is for a user who may log in, comes once a minute, and ends with the password
// and the address it was for.
func TestResetLinksAreForThoseWhoMayLogIn(t *testing.T) {
	f := open(t)
	u := f.addUser(t, "u@example.org", model.NoCustomer)
	check(t, f.SetPassword(t.Context(), u.ID, "old"))
	now := f.clock.now().UnixMilli()
	save := func(hash byte, created int64) error {
		return f.SaveSetupLink(t.Context(), &model.SetupLink{Hash: [32]byte{hash}, User: u.ID, Created: created, Expires: now + 1<<30, Reset: true})
	}
	refuse := func(hash byte, reset bool) {
		t.Helper()
		_, err := f.RedeemSetupLink(t.Context(), [32]byte{hash}, reset, "new")
		wantError(t, err, model.NotFound, "")
	}
	check(t, save(1, now))
	wantError(t, save(2, now+59_000), model.TooMany, "")
	refuse(1, false) // not a first link
	check(t, f.EnableUser(t.Context(), f.tenant, u.ID, false))
	refuse(1, true)
	check(t, f.EnableUser(t.Context(), f.tenant, u.ID, true))
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{1}, User: u.ID, Expires: 1 << 60}))
	a, err := f.RedeemSetupLink(t.Context(), [32]byte{1}, true, "new")
	if err != nil || a.Password != "new" || f.SessionAlive(model.ID{1}) {
		t.Errorf("%+v, %v", a, err)
	}
	refuse(1, true)
	check(t, save(3, now+60_000))
	check(t, f.SetPassword(t.Context(), u.ID, "other"))
	refuse(3, true)
	check(t, save(4, now+120_000))
	got, err := f.User(t.Context(), f.tenant, u.ID)
	check(t, err)
	got.Email = "new@example.org"
	check(t, f.SaveUser(t.Context(), got))
	refuse(4, true)
}

func TestPublicSessionsEndWithTheirCustomer(t *testing.T) {
	f := open(t)
	c, err := f.PublicCustomer(t.Context(), f.tenant)
	check(t, err)
	if got, err := f.PublicCustomerByID(t.Context(), c.ID); err != nil || got.Tenant != f.tenant {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = f.PublicCustomerByID(t.Context(), f.addCustomer(t, "Shop"))
	wantError(t, err, model.NotFound, "")
	open := func(id byte) {
		check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{id}, Customer: c.ID, Expires: 1 << 60, Refresh: [32]byte{id}}))
	}
	open(1)
	f.reopen(t)
	if !f.SessionAlive(model.ID{1}) {
		t.Error("a restart ended a public session")
	}
	check(t, f.RotateSession(t.Context(), model.ID{1}, [32]byte{1}, [32]byte{2}, 1<<60+1, 0))
	check(t, f.DeleteCustomer(t.Context(), f.tenant, c.ID))
	if f.SessionAlive(model.ID{1}) {
		t.Error("the session lives without its customer")
	}
	if c, err = f.PublicCustomer(t.Context(), f.tenant); err != nil {
		t.Fatal(err)
	}
	open(2)
	check(t, f.DeleteTenant(t.Context(), f.tenant))
	if f.SessionAlive(model.ID{2}) {
		t.Error("the session lives without its tenant")
	}
}
