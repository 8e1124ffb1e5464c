package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
)

func (w *world) login(email string) api.TokenPair {
	w.t.Helper()
	var pair api.TokenPair
	w.call("POST", "/api/auth/login", "", fmt.Sprintf(`{"username":%q,"password":%q}`, email, password)).is(200).json(&pair)
	return pair
}

func TestLoginGivesAPairAndWordsItsFailures(t *testing.T) {
	w := newWorld(t)
	pair := w.login("a@example.org")
	w.call("GET", "/api/auth/user", pair.Token, "").is(200)

	f := func(body, message string) {
		t.Helper()
		w.call("POST", "/api/auth/login", "", body).fails(401, 10, message)
	}
	f(`{"username":"a@example.org","password":"wrong"}`, "Invalid username or password")
	f(`{"username":"nobody@example.org","password":"wrong"}`, "Invalid username or password")
	f(`{"username":"a@example.org"}`, "Authentication failed")
	f(`{"username":`, "Authentication failed")
	f(``, "Authentication failed")
	w.call("GET", "/api/auth/login", "", "").fails(401, 10, "Authentication method not supported")
}

func TestRefreshRotatesBothTokensAndReuseEndsTheSession(t *testing.T) {
	w := newWorld(t)
	first := w.login("a@example.org")
	refresh := func(token string) *answer {
		return w.call("POST", "/api/auth/token", "", fmt.Sprintf(`{"refreshToken":%q}`, token))
	}
	w.clock.add(time.Second)
	var second api.TokenPair
	refresh(first.RefreshToken).is(200).json(&second)
	if second.Token == first.Token || second.RefreshToken == first.RefreshToken {
		t.Error("a token did not rotate")
	}
	refresh(first.RefreshToken).is(200) // another tab, at the same moment
	w.clock.add(time.Minute)
	refresh(first.RefreshToken).fails(401, 11, "Token has expired")
	w.call("GET", "/api/auth/user", second.Token, "").fails(401, 11, "Token has expired")
	w.call("POST", "/api/auth/token", "", `{}`).fails(401, 10, "Authentication failed")
}

func TestLogoutEndsTheSession(t *testing.T) {
	w := newWorld(t)
	pair := w.login("a@example.org")
	w.call("POST", "/api/auth/logout", pair.Token, "").is(200, "")
	w.call("GET", "/api/auth/user", pair.Token, "").fails(401, 11, "Token has expired")
}

func TestTokensArePresentedInEitherHeader(t *testing.T) {
	w := newWorld(t)
	pair := w.login("a@example.org")
	get := func(header ...string) *answer { return w.call("GET", "/api/auth/user", "", "", header...) }
	get("X-Authorization", "Bearer "+pair.Token).is(200)
	get("Authorization", "Bearer "+pair.Token).is(200)
	get("Authorization", "Bearer nonsense", "X-Authorization", "Bearer "+pair.Token).is(200)
	get("Authorization", "Bearer "+pair.Token, "X-Authorization", "Bearer nonsense").
		fails(401, 10, "Invalid username or password")
	get().fails(401, 10, "Authentication failed")
	get("Authorization", "Basic YTpi").fails(401, 10, "Authentication failed")
	forged := []byte(pair.Token)
	if at := &forged[len(forged)-40]; *at == 'A' { // still base64
		*at = 'B'
	} else {
		*at = 'A'
	}
	get("Authorization", "Bearer "+string(forged)).fails(401, 11, "Token has expired")
	get("Authorization", "Bearer "+pair.RefreshToken).is(401)
	w.call("GET", "/api/auth/user?token="+pair.Token, "", "").fails(401, 10, "Authentication failed")

	w.clock.add(9001 * time.Second)
	get("X-Authorization", "Bearer "+pair.Token).fails(401, 11, "Token has expired")
}

func TestChangePasswordAsksForTheCurrentOne(t *testing.T) {
	w := newWorld(t)
	pair := w.login("a@example.org")
	change := func(current, next string) *answer {
		return w.call("POST", "/api/auth/changePassword", pair.Token, fmt.Sprintf(`{"currentPassword":%q,"newPassword":%q}`, current, next))
	}
	change("wrong", "battery staple").fails(400, 31, "Current password doesn't match!")
	change(password, password).fails(400, 31, "New password should be different from existing!")
	var next api.TokenPair
	change(password, "battery staple").is(200).json(&next)
	w.call("GET", "/api/auth/user", next.Token, "").is(200)
	w.call("GET", "/api/auth/user", pair.Token, "").is(401)
}

func TestAnInvitedUserChoosesAPasswordOnce(t *testing.T) {
	w := newWorld(t)
	var u api.User
	w.call("POST", "/api/user", w.adminA, `{"email":"new@example.org","authority":"TENANT_ADMIN"}`).is(200).json(&u)
	link := w.call("GET", "/api/user/"+u.ID.ID.String()+"/activationLink", w.adminA, "").is(200).Body.String()
	prefix := "http://example.com/login/createPassword?activateToken="
	if !strings.HasPrefix(link, prefix) {
		t.Fatalf("link %q", link)
	}
	activate := fmt.Sprintf(`{"activateToken":%q,"password":%q}`, strings.TrimPrefix(link, prefix), password)
	var pair api.TokenPair
	w.call("POST", "/api/noauth/activate?sendActivationMail=false", "", activate).is(200).json(&pair)
	w.call("GET", "/api/auth/user", pair.Token, "").is(200)
	w.call("POST", "/api/noauth/activate", "", activate).is(400)
	w.call("GET", "/api/user/"+u.ID.ID.String()+"/activationLink", w.adminA, "").fails(400, 31, "User is already activated!")
}

func TestSetupMakesTheFirstUsersOnce(t *testing.T) {
	w := newWorld(t)
	w.call("GET", "/api/noauth/setup", "", "").is(200, `{"open":true}`+"\n")
	body := func(token, email string) string {
		return fmt.Sprintf(`{"token":%q,"tenantTitle":"First","admin":{"email":%q,"password":%q},"systemAdmin":{"email":"sys@example.org","password":%q}}`,
			token, email, password, password)
	}
	w.call("POST", "/api/noauth/setup", "", body("guess", "first@example.org")).is(401)
	// A failure leaves nothing behind and the link open.
	w.call("POST", "/api/noauth/setup", "", body(setupToken, "no address")).is(400)
	w.call("POST", "/api/noauth/setup", "", body(setupToken, "a@example.org")).is(400)

	var pair api.TokenPair
	w.call("POST", "/api/noauth/setup", "", body(setupToken, "first@example.org")).is(200).json(&pair)
	var u api.User
	w.call("GET", "/api/auth/user", pair.Token, "").is(200).json(&u)
	if u.Authority != api.AuthorityTENANTADMIN || u.TenantID.ID.String() == w.a.String() {
		t.Errorf("%+v", u)
	}
	w.login("sys@example.org")
	var tenants api.PageTenant
	w.call("GET", "/api/tenants?pageSize=10&page=0", w.system, "").is(200).json(&tenants)
	if tenants.TotalElements != 3 {
		t.Errorf("%d tenants, want 3", tenants.TotalElements)
	}
	w.call("POST", "/api/noauth/setup", "", body(setupToken, "again@example.org")).is(401)
	w.call("GET", "/api/noauth/setup", "", "").is(200, `{"open":false}`+"\n")
}

func TestGuessingIsAnsweredWithRetryAfter(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.call("POST", "/api/auth/login", "", `{"username":"a@example.org","password":"wrong"}`).is(401)
	}
	got := w.call("POST", "/api/auth/login", "", `{"username":"a@example.org","password":"`+password+`"}`)
	got.fails(429, 33, "Too many failed logins, please try again later!")
	if after := got.Header().Get("Retry-After"); after != "10" {
		t.Errorf("Retry-After %q, want 10", after)
	}
	w.clock.add(10 * time.Second)
	w.call("POST", "/api/auth/login", "", `{"username":"a@example.org","password":"`+password+`"}`).is(200)
}
