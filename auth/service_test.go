package auth

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

var testKey = [64]byte{1, 2, 3}

const password = "correct horse"

// A clock that only tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// A source is randomness that a failing test can replay; safe for concurrent use.
type source struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newSource() *source { return &source{r: rand.NewChaCha8([32]byte{7})} }

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}

type fixture struct {
	*Service
	store *memory
	clock *clock
	user  model.User // a tenant administrator with a password
}

func setup(t testing.TB) *fixture {
	t.Helper()
	c := &clock{t: time.UnixMilli(1_700_000_000_000)}
	f := &fixture{store: newMemory(c.now), clock: c}
	s, err := New(f.store, testKey, Options{Now: c.now, Random: newSource(), Argon2: Params{MemoryKiB: 8, Passes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	f.Service = s
	f.user = f.addUser(t, "Ann@example.org", model.TenantAdmin, password)
	return f
}

func (f *fixture) addUser(t testing.TB, email string, a model.Authority, password string) model.User {
	t.Helper()
	u := model.User{ID: model.UserID(model.NewID(f.clock.now(), f.opts.Random)), Tenant: model.TenantID{1}, Email: email,
		Customer: model.NoCustomer, Authority: a, FirstName: "Ann", LastName: "Lee", Enabled: true}
	switch a {
	case model.SysAdmin:
		u.Tenant = model.TenantID{}
	case model.CustomerUser:
		u.Customer = model.CustomerID{5}
	}
	account := &model.Account{User: u}
	if password != "" {
		h, err := HashPassword(password, f.opts.Argon2, f.opts.Random)
		if err != nil {
			t.Fatal(err)
		}
		account.Password = h
	}
	f.store.add(account)
	return u
}

func (f *fixture) login(t testing.TB) Pair {
	t.Helper()
	p, err := f.Login(t.Context(), "ann@example.org", password, Client{"192.0.2.1", "test"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantError checks what a client is told: contract thingsboard 2.1 and 2.2 fix the texts.
func wantError(t testing.TB, err error, kind model.Kind, text string) {
	t.Helper()
	if err == nil || model.KindOf(err) != kind || model.MessageOf(err, "") != text {
		t.Errorf("error %v of kind %v, want kind %v saying %q", err, model.KindOf(err), kind, text)
	}
}

func TestLoginTokenNamesThePrincipal(t *testing.T) {
	f := setup(t)
	f.addUser(t, "root@example.org", model.SysAdmin, password)
	f.addUser(t, "carl@example.org", model.CustomerUser, password)
	for _, email := range []string{"ANN@example.org", "root@example.org", "carl@example.org"} {
		pair, err := f.Login(t.Context(), email, password, Client{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.store.Account(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // verified, then remembered
			got, err := f.Verify(pair.Token)
			want := model.Principal{User: a.User.ID, Tenant: a.User.Tenant, Customer: a.User.Customer, Authority: a.User.Authority,
				Session: got.Session, Expires: f.clock.now().Add(9000 * time.Second).UnixMilli()}
			if err != nil || got != want || got.Session.IsZero() {
				t.Errorf("%s: principal %+v, %v; want %+v", email, got, err, want)
			}
		}
	}
}

func TestFailedLoginTellsNothing(t *testing.T) {
	f := setup(t)
	f.addUser(t, "new@example.org", model.TenantAdmin, "")
	off := f.addUser(t, "off@example.org", model.TenantAdmin, password)
	f.store.accounts[off.ID].User.Enabled = false
	try := func(user, password, text string) {
		t.Helper()
		_, err := f.Login(t.Context(), user, password, Client{})
		wantError(t, err, model.Unauthenticated, text)
	}
	try("ann@example.org", "wrong", "Invalid username or password")
	try("nobody@example.org", password, "Invalid username or password")
	try("new@example.org", password, "Invalid username or password")
	try("off@example.org", "wrong", "Invalid username or password")
	try("off@example.org", password, "User account is not active")
	try("ann@example.org", string(make([]byte, maxPassword+1)), "Invalid username or password")
	try("", password, "Authentication failed")
	try("ann@example.org", "", "Authentication failed")
}

// The dummy must cost what a real hash costs, or time would tell who exists.
func TestUnknownUserCostsAHash(t *testing.T) {
	f := setup(t)
	p, _, _, err := parseHash(f.hasher.dummy)
	if err != nil || p != f.opts.Argon2 {
		t.Errorf("the dummy hash has parameters %+v, %v; want %+v", p, err, f.opts.Argon2)
	}
}

func TestStoreFailureIsNotAWrongPassword(t *testing.T) {
	f := setup(t)
	broken := errors.New("disk")
	f.store.err = broken
	if _, err := f.Login(t.Context(), "ann@example.org", password, Client{}); !errors.Is(err, broken) || model.KindOf(err) != model.Internal {
		t.Errorf("login answered %v", err)
	}
}

func TestRefreshRotatesBothTokens(t *testing.T) {
	f := setup(t)
	first := f.login(t)
	f.clock.add(time.Hour)
	second, err := f.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.Token == first.Token || second.RefreshToken == first.RefreshToken {
		t.Error("a token did not rotate")
	}
	a, errA := f.Verify(first.Token)
	b, errB := f.Verify(second.Token)
	if errA != nil || errB != nil || a.Session != b.Session {
		t.Errorf("the pair is not of one session: %v %v, %v %v", a, errA, b, errB)
	}
}

func TestReusedRefreshTokenEndsTheSession(t *testing.T) {
	f := setup(t)
	first := f.login(t)
	other := f.login(t)
	second, err := f.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.add(refreshGrace)
	_, err = f.Refresh(t.Context(), first.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
	_, err = f.Refresh(t.Context(), second.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
	_, err = f.Verify(second.Token)
	wantError(t, err, model.Expired, "Token has expired")
	if _, err := f.Verify(other.Token); err != nil {
		t.Errorf("another session of the user ended too: %v", err)
	}
}

// Two tabs that refresh at the same moment both go on, with the same token to refresh next.
func TestRefreshesAtOnceShareTheNewToken(t *testing.T) {
	f := setup(t)
	first := f.login(t)
	one, err := f.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.add(refreshGrace - time.Second)
	two, err := f.Refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := f.signer.parse(one.RefreshToken)
	b, errB := f.signer.parse(two.RefreshToken)
	if errA != nil || errB != nil || a.ID != b.ID {
		t.Errorf("%v, %v: %v %v", a, b, errA, errB)
	}
	if _, err := f.Refresh(t.Context(), two.RefreshToken); err != nil {
		t.Error(err)
	}
	if _, err := f.Refresh(t.Context(), one.RefreshToken); err != nil {
		t.Error(err)
	}
	f.clock.add(time.Second) // the first token has two successors now
	_, err = f.Refresh(t.Context(), first.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
}

func TestLogoutKillsEveryTokenOfTheSession(t *testing.T) {
	f := setup(t)
	pair := f.login(t)
	p, err := f.Verify(pair.Token)
	if err != nil {
		t.Fatal(p, err)
	}
	if err := f.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the cache, then without
		_, err = f.Verify(pair.Token)
		wantError(t, err, model.Expired, "Token has expired")
	}
	_, err = f.Current(p)
	wantError(t, err, model.Expired, "Token has expired")
	_, err = f.Refresh(t.Context(), pair.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
}

func TestTokensExpire(t *testing.T) {
	f := setup(t)
	cached, fresh := f.login(t), f.login(t)
	if _, err := f.Verify(cached.Token); err != nil {
		t.Fatal(err)
	}
	f.clock.add(9000*time.Second - time.Millisecond)
	if _, err := f.Verify(cached.Token); err != nil {
		t.Errorf("a token ended before its time: %v", err)
	}
	f.clock.add(time.Millisecond)
	for _, token := range []string{cached.Token, cached.Token, fresh.Token} {
		_, err := f.Verify(token)
		wantError(t, err, model.Expired, "Token has expired")
	}
	f.clock.add(604800 * time.Second)
	_, err := f.Refresh(t.Context(), fresh.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
}

// An open socket outlives its token, not its session.
func TestCurrentFollowsTheSession(t *testing.T) {
	f := setup(t)
	p, err := f.Verify(f.login(t).Token)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.add(10_000 * time.Second)
	if now, err := f.Current(p); err != nil || now != p {
		t.Errorf("after the token: %+v, %v", now, err)
	}
	f.clock.add(604800 * time.Second)
	_, err = f.Current(p)
	wantError(t, err, model.Expired, "Token has expired")
}

func TestRefreshAsksWhoTheUserIsNow(t *testing.T) {
	f := setup(t)
	pair := f.login(t)
	f.store.accounts[f.user.ID].User.Enabled = false
	_, err := f.Refresh(t.Context(), pair.RefreshToken)
	wantError(t, err, model.Unauthenticated, "User account is not active")
	delete(f.store.accounts, f.user.ID)
	_, err = f.Refresh(t.Context(), pair.RefreshToken)
	wantError(t, err, model.Expired, "Token has expired")
}

func TestSetupLinkWorksOnce(t *testing.T) {
	f := setup(t)
	u := f.addUser(t, "new@example.org", model.SysAdmin, "")
	f.store.accounts[u.ID].User.Enabled = false
	lost, err := f.SetupLink(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.SetupLink(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(token, password, text string) {
		t.Helper()
		_, err := f.Activate(t.Context(), token, password, Client{})
		wantError(t, err, model.Invalid, text)
	}
	refuse(lost, "a new password", "Activation token is unknown or has expired!")
	refuse("", "a new password", "Parameter 'activateToken' can't be empty!")
	refuse(token, "short", "Password must be at least 8 characters long!")
	pair, err := f.Activate(t.Context(), token, "a new password", Client{})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := f.Verify(pair.Token); err != nil || p.User != u.ID || p.Tenant != (model.TenantID{}) {
		t.Errorf("activation logged in %+v, %v", p, err)
	}
	refuse(token, "a new password", "Activation token is unknown or has expired!")
	if _, err := f.Login(t.Context(), "new@example.org", "a new password", Client{}); err != nil {
		t.Errorf("the password does not work: %v", err)
	}
}

func TestSetupLinkExpires(t *testing.T) {
	f := setup(t)
	token, err := f.SetupLink(t.Context(), f.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.add(24 * time.Hour)
	_, err = f.Activate(t.Context(), token, "a new password", Client{})
	wantError(t, err, model.Invalid, "Activation token is unknown or has expired!")
}

func TestChangedPasswordEndsOtherSessions(t *testing.T) {
	f := setup(t)
	old := f.login(t)
	p, err := f.Verify(old.Token)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ChangePassword(t.Context(), p, "wrong one", "a new password", Client{})
	wantError(t, err, model.Invalid, "Current password doesn't match!")
	_, err = f.ChangePassword(t.Context(), p, password, password, Client{})
	wantError(t, err, model.Invalid, "New password should be different from existing!")
	pair, err := f.ChangePassword(t.Context(), p, password, "a new password", Client{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify(pair.Token); err != nil {
		t.Errorf("the new session is refused: %v", err)
	}
	_, err = f.Verify(old.Token)
	wantError(t, err, model.Expired, "Token has expired")
}

// A storm of logins must not take more memory than its slots, and who waits too long is told.
func TestHashingIsBounded(t *testing.T) {
	f := setup(t)
	for range cap(f.hasher.slots) {
		if err := f.hasher.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Login(ctx, "ann@example.org", password, Client{})
	wantError(t, err, model.Overload, "Too many logins at once")
	for range cap(f.hasher.slots) {
		f.hasher.leave()
	}
	f.login(t)
}

func TestServiceServesManyAtOnce(t *testing.T) {
	f := setup(t)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 20 {
				pair, err := f.Login(t.Context(), "ann@example.org", password, Client{})
				if err != nil {
					t.Error(err)
					return
				}
				p, err := f.Verify(pair.Token)
				if err != nil {
					t.Error(err)
				}
				next, err := f.Refresh(t.Context(), pair.RefreshToken)
				if err != nil {
					t.Error(err)
				}
				if err := f.Logout(t.Context(), p); err != nil {
					t.Error(err)
				}
				if _, err := f.Verify(next.Token); model.KindOf(err) != model.Expired {
					t.Errorf("after the logout: %v", err)
				}
			}
		})
	}
	done.Wait()
}

func TestOptionsRefuseAbsurdHashes(t *testing.T) {
	for _, p := range []Params{{MemoryKiB: 1, Passes: 1}, {MemoryKiB: 1 << 24, Passes: 1}, {MemoryKiB: 64}, {MemoryKiB: 64, Passes: 1000}} {
		if _, err := New(newMemory(time.Now), testKey, Options{Argon2: p}); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}
