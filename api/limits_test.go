package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

func limitBodies(n int64) func(*api.Deps) {
	return func(d *api.Deps) { d.Limits.Body, d.Limits.DeviceBody = n, n }
}

// Contract 1.6: exactly the limit passes, with and without a length announced.
func TestABodyOfExactlyTheLimitPasses(t *testing.T) {
	w := newWorld(t, limitBodies(100))
	padded := func(n int) string { return `{"t":1` + strings.Repeat(" ", n-7) + `}` }
	for _, announced := range []bool{true, false} {
		post := func(path string, n int) *answer {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(padded(n)))
			r.Header.Set("X-Authorization", "Bearer "+w.adminA)
			if !announced {
				r.ContentLength = -1
			}
			return w.send(r)
		}
		for _, path := range []string{"/api/v1/owned-token/telemetry", w.at("/timeseries/ANY")} {
			post(path, 100).is(200, "")
			post(path, 101).text(413, "Payload size exceeds the limit of 100 bytes")
		}
		post("/api/customer", 101).text(413, "Payload size exceeds the limit of 100 bytes")
	}
}

func TestAMessageOfTooManyPointsOrKeysIsRefused(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.Limits.Keys, d.Limits.Points = 2, 10 })
	const message = "Payload size exceeds the limit: A message may have at most 2 keys and 10 points"
	w.call("POST", "/api/v1/owned-token/telemetry", "", "["+strings.Repeat(`{"a":1},`, 99)+`{"a":1}]`).text(413, message)
	w.call("POST", w.at("/timeseries/ANY"), w.adminA, `{"a":1,"b":2,"c":3}`).text(413, message)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"a":1,"b":2,"c":3}`).text(413, message)
	w.call("POST", "/api/v1/owned-token/attributes", "", `{"a":1,"b":2}`).is(200, "")
}

// A crowd is a writer that lets nobody go before all are told to.
type crowd struct {
	in   chan struct{}
	free chan struct{}
}

func (c crowd) Write(context.Context, *model.Entity, ...*model.WriteSet) error {
	c.in <- struct{}{}
	<-c.free
	return nil
}

func (c crowd) Save(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error {
	return c.Write(ctx, e, sets...)
}

func TestLargeBodiesTakeTurnsAndSmallOnesDoNotWait(t *testing.T) {
	c := crowd{in: make(chan struct{}), free: make(chan struct{})}
	w := newWorld(t, func(d *api.Deps) { d.Writer, d.Limits.Timeout = c, 50*time.Millisecond })
	post := func(body string) chan int {
		code := make(chan int, 1)
		go func() {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/owned-token/telemetry", strings.NewReader(body))
			got := httptest.NewRecorder()
			w.handler.ServeHTTP(got, r)
			code <- got.Code
		}()
		return code
	}
	giant := `{"t":1` + strings.Repeat(" ", 1<<20) + `}`
	first, second := post(giant), post(giant)
	<-c.in
	<-c.in
	if got := <-post(giant); got != 503 { // nobody frees a place in time
		t.Errorf("a third large body: %d, want 503", got)
	}
	small := post(`{"t":1}`)
	<-c.in
	close(c.free)
	for _, code := range []chan int{first, second, small} {
		if got := <-code; got != 200 {
			t.Errorf("%d, want 200", got)
		}
	}
	next := post(giant)
	<-c.in
	if got := <-next; got != 200 {
		t.Errorf("a large body with room: %d, want 200", got)
	}
}

// Of somebody not known yet, little is read.
func TestABodyWithoutATokenIsSmall(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/auth/login", "", `{"username":"`+strings.Repeat("x", 1<<16)+`"}`).
		text(413, "Payload size exceeds the limit of 65536 bytes")
}

// Each kind of failure has one status, one code, and its form on each group of routes.
func TestFailuresOfTheWritePathAreWorded(t *testing.T) {
	w := newWorld(t)
	f := func(err error, status int, message string) *answer {
		t.Helper()
		w.broken.err = err
		w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"a":1}`).text(status, message)
		a := w.call("POST", "/api/v1/owned-token/telemetry", "", `{"a":1}`)
		a.text(status, message)
		return a
	}
	overload := f(model.Errorf(model.Overload, "busy"), 503, "busy")
	if overload.Header().Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	f(model.Errorf(model.NoSpace, "The disk is nearly full"), 507, "The disk is nearly full")
	f(model.Errorf(model.TooLarge, "too many keys"), 413, "Payload size exceeds the limit: too many keys")
	f(model.Invalidf("no such thing"), 400, "no such thing")
	f(context.DeadlineExceeded, 500, "Request timeout")
	// What is not meant for clients does not reach them, and is logged.
	f(errors.New("disk on fire"), 500, "Internal server error")
	if !strings.Contains(w.logged.String(), "disk on fire") {
		t.Error("the failure is not in the log")
	}
}

func TestAPanicIsAnAnswerAndALine(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.Activity = panics{} })
	w.call("GET", "/api/device/info/"+w.owned.String(), w.adminA, "").fails(500, 2, "Internal server error")
	if got := w.logged.String(); !strings.Contains(got, "panic: gauge broke") || !strings.Contains(got, "level=ERROR") {
		t.Errorf("log: %s", got)
	}
}

type panics struct{}

func (panics) Activity(model.EntityID) (model.Activity, bool) { panic("gauge broke") }
func (panics) Heard(*model.Entity)                            {}

func TestTheLogNamesRoutesAndNoTokens(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`)
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":`)
	w.call("POST", "/api/v1/owned-token/nothing", "", `{"t":1}`)
	w.call("GET", "/api/ws?token="+w.adminA, "", "")
	w.call("GET", "/api/auth/user", w.adminA, "")
	got := w.logged.String()
	if strings.Contains(got, "owned-token") || strings.Contains(got, w.adminA) {
		t.Errorf("a token is in the log:\n%s", got)
	}
	for _, want := range []string{"method=POST", "route=/api/v1/:deviceToken/telemetry", "status=200", "duration="} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %s:\n%s", want, got)
		}
	}
}

// A store that never answers is given up on, as a read (contract 1.5) and as a write.
func TestNobodyIsWaitedForForever(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) {
		d.Limits.Timeout = time.Millisecond
		d.Store, d.Writer = never{}, never{}
	})
	w.call("GET", w.at("/keys/timeseries"), w.adminA, "").text(500, "Request timeout")
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=9"), w.adminA, "").text(500, "Request timeout")
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`).text(500, "Request timeout")
}

type never struct{ api.Store }

func (never) Keys(ctx context.Context, _ model.TenantID, _ model.EntityID, _ model.Scope) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (never) Raw(ctx context.Context, _ *model.RangeQuery, _ func(string, []model.Point) error) (model.Position, error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	<-inner.Done()
	return 0, inner.Err()
}

func (never) Write(ctx context.Context, _ *model.Entity, _ ...*model.WriteSet) error {
	for ctx.Err() == nil {
		runtime.Gosched()
	}
	return ctx.Err()
}

func (n never) Save(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error {
	return n.Write(ctx, e, sets...)
}
