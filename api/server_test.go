package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

func TestListedOriginsMayCallTheAPI(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.CORSOrigins = []string{"https://elsewhere.example"} })
	ask := w.call("OPTIONS", "/api/device", "", "", "Origin", "https://elsewhere.example",
		"Access-Control-Request-Method", "DELETE", "Access-Control-Request-Headers", "x-authorization").is(204, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://elsewhere.example", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods": "DELETE", "Access-Control-Allow-Headers": "x-authorization",
	} {
		if got := ask.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	got := w.call("GET", "/api/auth/user", w.adminA, "", "Origin", "https://elsewhere.example").is(200)
	if got.Header().Get("Access-Control-Allow-Origin") != "https://elsewhere.example" || got.Header().Get("Vary") != "Origin" {
		t.Errorf("%v", got.Header())
	}
	if got := w.call("GET", "/", "", "", "Origin", "https://elsewhere.example").is(200); got.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("the page itself is shared with other origins")
	}
}

func TestThePageIsServedWithItsPolicy(t *testing.T) {
	w := newWorld(t)
	const page = "<!doctype html><title>Tidewire</title>"
	w.call("GET", "/docs", "", "").is(200, "<!doctype html><title>Tidewire API</title>")
	for _, path := range []string{"/", "/devices/abc", "/docs/abc", "/index.html", "/../../etc/passwd"} {
		got := w.call("GET", path, "", "").is(200, page)
		for name, want := range map[string]string{"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
			if v := got.Header().Get(name); v != want {
				t.Errorf("%s %s: %q, want %q", path, name, v, want)
			}
		}
		if !strings.Contains(got.Header().Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("%s has no policy", path)
		}
	}
	script := w.call("GET", "/assets/app-1a.js", "", "").is(200)
	if got := script.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control %q", got)
	}
	packed := w.call("GET", "/assets/app-1a.js", "", "", "Accept-Encoding", "gzip").is(200)
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() > script.Body.Len()/4 {
		t.Errorf("%d bytes of %q", packed.Body.Len(), packed.Header().Get("Content-Encoding"))
	}
	w.call("GET", "/assets/app-1a.js", "", "", "Accept-Encoding", "gzip;q=0").is(200, script.Body.String())
	w.call("GET", "/assets/app-0b.js", "", "").is(404)
	w.call("HEAD", "/", "", "").is(200, "")
	w.call("POST", "/", "", "{}").is(405)
	w.call("GET", "/api", "", "").is(404)
	w.call("GET", "/api/unknown", "", "").fails(404, 32, "The requested endpoint does not exist")

	bare := newWorld(t, func(d *api.Deps) { d.Assets = nil })
	bare.call("GET", "/", "", "").is(404)
}

func TestReadinessSaysWhyNot(t *testing.T) {
	var ready error
	w := newWorld(t, func(d *api.Deps) { d.Ready = func() error { return ready } })
	w.call("GET", "/readyz", "", "").is(200, "ok")
	ready = errors.New("stopping")
	w.call("GET", "/readyz", "", "").is(503, "stopping")
	w.call("GET", "/healthz", "", "").is(200, "ok")
}

// The client's address is the peer's, unless the peer is a proxy that is trusted.
func TestForwardedAddressesCountFromTrustedProxiesOnly(t *testing.T) {
	link := func(w *world, peer string) string {
		u := post[api.User](w, "/api/user", w.adminA, `{"email":"p@example.org","authority":"TENANT_ADMIN"}`)
		r := httptest.NewRequest(http.MethodGet, "/api/user/"+u.ID.ID.String()+"/activationLink", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Authorization", "Bearer "+w.adminA)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "tide.example")
		return w.send(r).is(200).Body.String()
	}
	trusted := func(d *api.Deps) { d.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }
	if got := link(newWorld(t, trusted), "10.1.2.3:99"); !strings.HasPrefix(got, "https://tide.example/") {
		t.Error(got)
	}
	if got := link(newWorld(t, trusted), "11.1.2.3:99"); !strings.HasPrefix(got, "http://example.com/") {
		t.Error(got)
	}
	public := func(d *api.Deps) { d.PublicURL = "https://pumps.example/" }
	if got := link(newWorld(t, public), "11.1.2.3:99"); !strings.HasPrefix(got, "https://pumps.example/login/") {
		t.Error(got)
	}
}

// A half answer must look broken.
func TestAHistoryThatBreaksOffEndsTheConnection(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.Store = breaksOff{d.Store} })
	server := httptest.NewServer(w.handler)
	defer server.Close()
	get := func(keys string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+w.at("/values/timeseries?startTs=0&endTs=9&keys="+keys), nil)
		check(t, err)
		r.Header.Set("X-Authorization", "Bearer "+w.adminA)
		return server.Client().Do(r)
	}
	answer, err := get("many")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		err = errors.Join(err, answer.Body.Close())
	}
	if err == nil {
		t.Error("half a history was read as a whole one")
	}
	// Before anything is sent the failure is the answer.
	answer, err = get("none")
	check(t, err)
	defer server.Client().CloseIdleConnections()
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", answer.StatusCode)
	}
}

// A breaksOff store fails in the middle of what it reads.
type breaksOff struct{ api.Store }

func (b breaksOff) Raw(_ context.Context, q *model.RangeQuery, yield func(string, []model.Point) error) (model.Position, error) {
	if q.Keys[0] == "many" {
		for range 2 { // what came first leaves when more comes
			if err := yield("many", make([]model.Point, 10_000)); err != nil {
				return 0, err
			}
		}
	}
	return 0, errors.New("the disk ends here")
}

// Serve lets open requests end, refuses new ones, and then says that it ended.
func TestServeDrains(t *testing.T) {
	held, release := make(chan struct{}), make(chan struct{})
	var server *api.Server
	newWorld(t, func(d *api.Deps) {
		d.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			close(held)
			<-release
			_, _ = rw.Write([]byte("drained"))
		})
		var err error
		server, err = api.New(*d)
		check(t, err)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()

	conn, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	check(t, err)
	<-held
	stop()
	close(release)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	body, err := io.ReadAll(answer.Body)
	check(t, err)
	if string(body) != "drained" {
		t.Errorf("the open request got %q", body)
	}
	check(t, <-ended)
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("a stopped server takes connections")
	}
}

// Balancers and monitors ask with HEAD, and so do clients that want to know a size.
func TestHeadIsGetWithoutABody(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1000,"values":{"t":1}}`)
	head := func(target, token string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(http.MethodHead, target, nil)
		if token != "" {
			r.Header.Set("X-Authorization", "Bearer "+token)
		}
		got := httptest.NewRecorder()
		w.handler.ServeHTTP(got, r)
		if got.Body.Len() != 0 {
			t.Errorf("HEAD %s: a body of %d bytes", target, got.Body.Len())
		}
		if r.Method != http.MethodHead {
			t.Error("the request of net/http was changed")
		}
		return got.Result()
	}
	for _, target := range []string{"/healthz", "/openapi.yaml", "/api/auth/user", "/api/tenant/devices?pageSize=9&page=0", w.at("/values/timeseries"), w.at("/values/timeseries?keys=t&startTs=0&endTs=9")} {
		want := w.call("GET", target, w.adminA, "").is(200).Header()
		got := head(target, w.adminA)
		if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != want.Get("Content-Type") || got.Header.Get("Content-Length") != want.Get("Content-Length") {
			t.Errorf("HEAD %s: %d %v, want %v", target, got.StatusCode, got.Header, want)
		}
	}
	if got := head("/api/auth/user", "").StatusCode; got != 401 {
		t.Errorf("HEAD without a token: %d", got)
	}
	if got := head("/api/auth/logout", w.adminA).StatusCode; got != 405 {
		t.Errorf("HEAD of what has no GET: %d", got)
	}
}
