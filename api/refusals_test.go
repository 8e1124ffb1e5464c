package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
)

// entries are who, what and how it ended, newest first.
func entries(p api.PageAuditLog) (all []string) {
	for _, e := range p.Data {
		all = append(all, strings.Join([]string{e.UserName, e.ActionType, e.EntityName, e.ActionFailureDetails}, "|"))
	}
	return all
}

func wantEntries(t *testing.T, p api.PageAuditLog, want ...string) {
	t.Helper()
	if got := strings.Join(entries(p), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// What no handler sees stands in the log as well: of strangers in the system's, of callers who are
// known in their tenant's.
func TestRefusalsBeforeTheHandlerAreNoted(t *testing.T) {
	w := newWorld(t)
	w.limit(`"userServerRestLimitsConfiguration":"1:3600","transportDeviceMsgRateLimit":"1:3600"`)
	for range 3 { // what repeats itself is noted once
		w.call("GET", "/api/device/"+w.owned.String(), "not a token", "").is(401)
		w.call("POST", "/api/v1/guess/telemetry", "", `{"t":1}`).is(401)
		w.call("OPTIONS", "/api/auth/user", "", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET").is(403)
	}
	for i := range 3 {
		w.call("GET", "/api/auth/user", w.oneUser, "").is([]int{200, 429, 429}[i])
		w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`).is([]int{200, 429, 429}[i])
	}
	wantEntries(t, w.audit("", w.adminA),
		"|UPDATED|owned|Too many messages for current device!", "one@example.org|READ||Too many requests for current user!",
		"root@example.org|UPDATED|Acme|")
	wantEntries(t, w.audit("&sortProperty=createdTime&actionTypes=LOGIN", w.system), "|LOGIN||Invalid username or password")
	w.clock.add(11 * time.Minute)
	w.call("GET", "/api/device/"+w.owned.String(), "not a token", "").is(401)
	if n := w.audit("&actionTypes=LOGIN", w.system).TotalElements; n != 2 {
		t.Errorf("%d refused logins of strangers, want one more after a while", n)
	}
	w.clock.add(9001 * time.Second)
	w.call("GET", "/api/auth/user", w.twoUser, "").is(401) // expired: it will be back with another
	w.system = w.login("root@example.org").Token
	if n := w.audit("&actionTypes=LOGIN", w.system).TotalElements; n != 3 { // this one too
		t.Errorf("%d logins, want none of an expired token", n)
	}
}

// Strangers from as many addresses as they like do not fill the log, and crowd out nobody.
func TestStrangersCannotFloodTheLog(t *testing.T) {
	w := newWorld(t)
	for i := range 600 {
		r := httptest.NewRequest(http.MethodGet, "/api/auth/user", nil)
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.1:1", i/256, i%256)
		r.Header.Set("X-Authorization", "Bearer x")
		w.send(r).is(401)
	}
	if n := w.audit("", w.system).TotalElements; n != 256 {
		t.Errorf("%d entries, want 256", n)
	}
	w.limit(`"userServerRestLimitsConfiguration":"1:3600"`)
	w.call("GET", "/api/auth/user", w.oneUser, "").is(200)
	w.call("GET", "/api/auth/user", w.oneUser, "").is(429)
	if got := entries(w.audit("", w.adminA)); len(got) < 1 || got[0] != "one@example.org|READ||Too many requests for current user!" {
		t.Errorf("crowded out: %q", got)
	}
}

func TestLoginsOverSocketsAreNoted(t *testing.T) {
	w := newWorld(t)
	server := w.server
	login := func(token string) {
		p, err := w.auth.Verify(token)
		server.SocketLogin(httptest.NewRequest(http.MethodGet, "/api/ws", nil))(p, err)
	}
	for range 3 {
		login(w.oneUser)
		login("bad")
	}
	wantEntries(t, w.audit("", w.adminA), "one@example.org|LOGIN||")
	wantEntries(t, w.audit("", w.system), "|LOGIN||Invalid username or password")
}

// What a system administrator does to a tenant stands in the tenant's log and in the system's.
func TestATenantSeesWhatSystemAdministratorsDidToIt(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/tenant", w.system, fmt.Sprintf(`{"id":{"entityType":"TENANT","id":%q},"title":"Acme 2"}`, w.a)).is(200)
	u := post[api.User](w, "/api/user?sendActivationMail=false", w.system, fmt.Sprintf(
		`{"email":"new@example.org","authority":"TENANT_ADMIN","tenantId":{"entityType":"TENANT","id":%q}}`, w.a))
	w.call("DELETE", "/api/user/"+u.ID.ID.String(), w.system, "").is(200)
	w.call("DELETE", "/api/device/"+w.owned.String(), w.system, "").is(403)
	want := []string{
		"root@example.org|DELETED|owned|You don't have permission to perform this operation!",
		"root@example.org|DELETED|new@example.org|", "root@example.org|ADDED|new@example.org|", "root@example.org|UPDATED|Acme 2|",
	}
	wantEntries(t, w.audit("", w.adminA), want...)
	if n := w.audit("", w.system).TotalElements; n != 4 {
		t.Errorf("the system's log has %d entries, want 4", n)
	}
	if n := w.audit("", w.adminB).TotalElements; n != 0 {
		t.Errorf("another tenant sees %d of them", n)
	}
}

func TestTokensAreNamedInTheLog(t *testing.T) {
	w := newWorld(t)
	token := post[api.APITokenSecret](w, "/api/tokens", w.adminA, `{"name":"importer","scopes":["admin"]}`)
	w.call("POST", "/api/device", token.Token, `{"name":"x"}`).is(200)
	if got := entries(w.audit("&actionTypes=ADDED", w.adminA))[0]; got != "API token importer ("+token.Info.ID.String()+")|ADDED|x|" {
		t.Error(got)
	}
}
