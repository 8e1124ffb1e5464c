package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/ingest"
	"github.com/tidewire/tidewire/internal/spectest"
	"github.com/tidewire/tidewire/mail"
	"github.com/tidewire/tidewire/mail/mailtest"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/ratelimit"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
	"github.com/tidewire/tidewire/views"
)

// A clock that a test moves.
type clock struct {
	mu sync.Mutex
	ms int64
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.UnixMilli(c.ms)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ms += d.Milliseconds()
}

// A source of randomness that many may read.
type randomness struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (r *randomness) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(p)
}

const (
	password   = "correct horse"
	setupToken = "one-time-token"
)

// A world is a whole server over real parts, with two tenants in it:
//
//	A ─┬─ customer one ─ user ─ device "owned", asset "building", "view" of it, dashboard
//	   ├─ customer two ─ user
//	   └─ device "free"
//	B ─── device "foreign"
type world struct {
	t        testing.TB
	server   *api.Server
	handler  http.Handler // what it answers is held against openapi.yaml
	bare     http.Handler // the same, unwatched
	registry *registry.Registry
	auth     *auth.Service
	pipeline *ingest.Pipeline
	db       *tsdb.DB
	rates    *ratelimit.Limiter
	clock    *clock
	logged   *strings.Builder
	broken   *broken
	mails    *mailtest.Server
	keys     *registry.Keys
	keyOf    map[string]string // API keys by e-mail, as the matrix shows them

	a, b             model.TenantID
	one, two         model.CustomerID
	owned, free      model.EntityID
	foreign          model.EntityID
	asset, dashboard model.EntityID
	view             model.EntityID
	adminID, userOne model.UserID

	// Access tokens.
	system, adminA, adminB, oneUser, twoUser string
}

// broken stands between the API and the write path, to fail on demand.
type broken struct {
	api.Writer
	err error
}

func (b *broken) Write(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error {
	if b.err != nil {
		return b.err
	}
	return b.Writer.Write(ctx, e, sets...)
}

func (b *broken) Save(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error {
	if b.err != nil {
		return b.err
	}
	return b.Writer.Save(ctx, e, sets...)
}

// An engine is what the registry needs of what holds the series.
type engine struct {
	*tsdb.DB
	*views.Copier
}

func newWorld(t testing.TB, options ...func(*api.Deps)) *world {
	t.Helper()
	w := &world{t: t, keyOf: map[string]string{}, clock: &clock{ms: 1_700_000_000_000}, logged: new(strings.Builder)}
	random := &randomness{r: rand.NewChaCha8([32]byte{1})}
	dir := t.TempDir()

	keys, err := registry.OpenKeys(dir, random)
	check(t, err)
	w.keys = keys
	w.registry, err = registry.Open(t.Context(), registry.Options{Dir: dir, Keys: keys, Now: w.clock.now, Random: random})
	check(t, err)
	w.auth, err = auth.New(w.registry, keys.Tokens, auth.Options{
		Now: w.clock.now, Random: random, Argon2: auth.Params{MemoryKiB: 8, Passes: 1},
	})
	check(t, err)
	w.db, err = tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Now: w.clock.now, Random: random})
	check(t, err)
	w.registry.Start(engine{w.db, &views.Copier{Store: w.db, Now: func() int64 { return w.clock.now().UnixMilli() }}})
	w.rates = ratelimit.New(ratelimit.Options{Limits: w.registry.TenantLimits, Now: w.clock.now})
	w.pipeline = ingest.New(ingest.Options{Store: w.db, Now: w.clock.now, Admit: w.rates.Message})
	w.broken = &broken{Writer: w.pipeline}
	t.Cleanup(func() {
		_, err := w.db.Check(context.WithoutCancel(t.Context()))
		if err := errors.Join(err, w.registry.Close(), w.db.Close()); err != nil {
			t.Error(err)
		}
	})

	w.mails = mailtest.Listen(t, nil, false)
	queue := mail.New(&mail.SMTP{Addr: w.mails.Addr, From: "tide@example.org", Security: mail.Off}, mail.Options{})
	t.Cleanup(func() { check(t, queue.Close()) })
	deps := api.Deps{
		Mail: queue, LocalURL: "http://127.0.0.1:8080",
		Auth: w.auth, Guard: auth.NewGuard(w.registry), Registry: w.registry,
		Store: w.db, Losses: w.db, Writer: w.broken, Activity: w.pipeline, Quotas: w.rates,
		Live: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			http.Error(rw, "no handshake", http.StatusUpgradeRequired)
		}),
		Events: func(rw http.ResponseWriter, _ *http.Request, p model.Principal) error {
			rw.Header().Set("Content-Type", "text/event-stream")
			_, err := fmt.Fprintf(rw, "data: {\"of\":%q}\n\n", p.User)
			return err
		},
		Metrics: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = rw.Write([]byte("tidewire_up 1\n"))
		}),
		Assets: fstest.MapFS{
			"index.html":       {Data: []byte("<!doctype html><title>Tidewire</title>")},
			"docs.html":        {Data: []byte("<!doctype html><title>Tidewire API</title>")},
			"assets/app-1a.js": {Data: []byte(strings.Repeat("console.log('tide');\n", 200))},
		},
		SetupToken: setupToken,
		Now:        w.clock.now,
		Log:        slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range options {
		o(&deps)
	}
	server, err := api.New(deps)
	check(t, err)
	w.server = server
	w.bare = server.Handler()
	w.handler = spectest.Handler(t, w.bare)
	w.populate()
	return w
}

func (w *world) populate() {
	t, ctx := w.t, w.t.Context()
	tenant := func(title string) model.TenantID {
		v := &model.Tenant{Title: title}
		check(t, w.registry.SaveTenant(ctx, v))
		return v.ID
	}
	customer := func(title string) model.CustomerID {
		v := &model.Customer{Tenant: w.a, Title: title}
		check(t, w.registry.SaveCustomer(ctx, v))
		return v.ID
	}
	device := func(tenant model.TenantID, c model.CustomerID, name string) model.EntityID {
		d := &model.Device{Tenant: tenant, Customer: c, Name: name}
		check(t, w.registry.CreateDevice(ctx, d, name+"-token"))
		return d.ID
	}
	user := func(tenant model.TenantID, c model.CustomerID, a model.Authority, email string) (model.UserID, string) {
		u := &model.User{Tenant: tenant, Customer: c, Authority: a, Email: email, Enabled: true}
		check(t, w.registry.SaveUser(ctx, u))
		check(t, w.auth.SetPassword(ctx, u.ID, password))
		pair, err := w.auth.Login(ctx, email, password, auth.Client{})
		check(t, err)
		return u.ID, pair.Token
	}
	w.a, w.b = tenant("Acme"), tenant("Bravo")
	w.one, w.two = customer("One"), customer("Two")
	w.owned = device(w.a, w.one, "owned")
	w.free = device(w.a, model.NoCustomer, "free")
	w.foreign = device(w.b, model.NoCustomer, "foreign")
	_, w.system = user(model.TenantID{}, model.NoCustomer, model.SysAdmin, "root@example.org")
	w.adminID, w.adminA = user(w.a, model.NoCustomer, model.TenantAdmin, "a@example.org")
	_, w.adminB = user(w.b, model.NoCustomer, model.TenantAdmin, "b@example.org")
	w.userOne, w.oneUser = user(w.a, w.one, model.CustomerUser, "one@example.org")
	_, w.twoUser = user(w.a, w.two, model.CustomerUser, "two@example.org")

	a := &model.Asset{Tenant: w.a, Customer: w.one, Name: "building"}
	check(t, w.registry.SaveAsset(ctx, a))
	w.asset = a.ID
	v := &model.EntityView{Tenant: w.a, Customer: w.one, Name: "view", Source: model.EntityRef{Type: model.EntityAsset, ID: a.ID}}
	check(t, w.registry.SaveEntityView(ctx, v))
	w.view = v.ID
	d := &model.DashboardRecord{Tenant: w.a, Title: "Board", Configuration: []byte(`{}`)}
	check(t, w.registry.SaveDashboard(ctx, d))
	_, err := w.registry.AssignDashboard(ctx, w.a, d.ID, w.one, true)
	check(t, err)
	w.dashboard = d.ID
}

// An answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	t    testing.TB
	call string
}

// call sends one request. header holds pairs.
func (w *world) call(method, target, token, body string, header ...string) *answer {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	if token != "" {
		r.Header.Set("X-Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return w.send(r)
}

func (w *world) send(r *http.Request) *answer {
	w.t.Helper()
	a := &answer{ResponseRecorder: httptest.NewRecorder(), t: w.t, call: r.Method + " " + r.URL.Path}
	w.handler.ServeHTTP(a, r)
	return a
}

// is wants a status and, unless they are nil, members of a JSON answer or an exact text.
func (a *answer) is(status int, body ...string) *answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("%s: %d %s, want %d", a.call, a.Code, a.Body, status)
	}
	if len(body) > 0 && a.Body.String() != body[0] {
		a.t.Fatalf("%s:\n got %s\nwant %s", a.call, a.Body, body[0])
	}
	return a
}

// fails wants an error body.
func (a *answer) fails(status, code int, message string) {
	a.t.Helper()
	a.is(status)
	var e struct {
		Status, ErrorCode int
		Message           string
		Timestamp         int64
	}
	a.json(&e)
	if e.ErrorCode != code || e.Message != message || e.Status != status || e.Timestamp == 0 {
		a.t.Errorf("%s: %+v, want code %d %q", a.call, e, code, message)
	}
}

// text wants a plain text failure.
func (a *answer) text(status int, message string) {
	a.t.Helper()
	a.is(status, message)
	if got := a.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
		a.t.Errorf("%s: Content-Type %q, want text", a.call, got)
	}
}
