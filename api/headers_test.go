package api_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

func TestEveryAnswerIsHardened(t *testing.T) {
	w := newWorld(t)
	for target, status := range map[string]int{
		"/": 200, "/assets/app-1a.js": 200, "/assets/none.js": 404, "/healthz": 200, "/metrics": 200, "/openapi.yaml": 200,
		"/api/auth/user": 401, "/api/none": 404, "/api/ws": 426, "/api/v1/guess/attributes": 401,
	} {
		h := w.call("GET", target, "", "").is(status).Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Permissions-Policy": "camera=()",
			"Content-Security-Policy": "frame-ancestors"} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s is %q", target, name, h.Get(name))
			}
		}
		if h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS without TLS", target)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
	r.TLS = &tls.ConnectionState{}
	if got := w.send(r).Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("HSTS %q", got)
	}
}

func TestForeignPages(t *testing.T) {
	const own, listed, foreign = "http://example.com", "https://app.example", "https://evil.example"
	f := func(origins []string, origin string, preflight, socket int, allow, credentials string) {
		t.Helper()
		w := newWorld(t, func(d *api.Deps) { d.CORSOrigins = origins })
		ask := w.call("OPTIONS", "/api/device", "", "", "Origin", origin, "Access-Control-Request-Method", "POST")
		got := w.call("GET", "/api/auth/user", w.adminA, "", "Origin", origin).is(200)
		for _, a := range []*answer{ask, got} {
			h := a.Header()
			if h.Get("Access-Control-Allow-Origin") != allow || h.Get("Access-Control-Allow-Credentials") != credentials {
				t.Errorf("%s of %v: %q %q", origin, origins, h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials"))
			}
		}
		ask.is(preflight)
		w.call("GET", "/api/ws", "", "", "Origin", origin).is(socket)
	}
	f(nil, own, 204, 426, "", "")
	f(nil, foreign, 403, 403, "", "")
	f(nil, "null", 403, 403, "", "")
	f([]string{listed}, listed, 204, 426, listed, "true")
	f([]string{listed}, foreign, 403, 403, "", "")
	f([]string{listed}, listed+".evil.example", 403, 403, "", "")
	f([]string{"*"}, foreign, 204, 426, "*", "")
	f([]string{"*"}, "*", 204, 426, "*", "")

	newWorld(t).call("GET", "/api/ws", "", "").is(426) // programs send no Origin
}
