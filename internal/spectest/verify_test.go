package spectest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Of a document of one path, what is right passes and every way to break it is told.
const document = `{
 "openapi": "3.1.0", "info": {"title": "t", "version": "1"},
 "paths": {
  "/api/pump/{id}": {"post": {
   "parameters": [
    {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
    {"name": "keys", "in": "query", "explode": false, "schema": {"type": "array", "items": {"enum": ["a", "b"]}}},
    {"$ref": "#/components/parameters/Limit"}],
   "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pump"}}}},
   "responses": {
    "200": {"description": "d", "headers": {"RateLimit": {"required": true, "schema": {"type": "integer"}}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pump"}},
                        "text/csv": {"schema": {"type": "string"}},
                        "application/x-ndjson": {"schema": {"$ref": "#/components/schemas/Pump"}},
                        "text/event-stream": {"schema": {"type": "string"}}}},
    "204": {"description": "d"},
    "default": {"$ref": "#/components/responses/Failure"}}}},
  "/api/pump/all": {"get": {"responses": {"204": {"description": "d"}}}}},
 "components": {
  "parameters": {"Limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}}},
  "responses": {"Failure": {"description": "d", "content": {"text/plain": {"schema": {"type": "string"}}}}},
  "schemas": {"Pump": {"type": "object", "required": ["on"], "properties": {"on": {"type": "boolean"}}}}}}`

func TestEveryWayToBreakTheDocumentIsTold(t *testing.T) {
	doc, err := New([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	right := func() Exchange {
		u, _ := url.Parse("/api/pump/7?keys=a,b&limit=5")
		return Exchange{Method: http.MethodPost, URL: u, Sent: []byte(`{"on":true,"more":1}`), Status: 200,
			Header: http.Header{"Content-Type": {"application/json"}, "Ratelimit": {"9"}}, Received: []byte(`{"on":false}`)}
	}
	at := func(target string) func(*Exchange) {
		return func(x *Exchange) { x.URL, _ = url.Parse(target) }
	}
	answers := func(status int, kind, body string) func(*Exchange) {
		return func(x *Exchange) {
			x.Status, x.Received = status, []byte(body)
			x.Header.Set("Content-Type", kind)
		}
	}
	f := func(want string, change func(*Exchange)) {
		t.Helper()
		x := right()
		change(&x)
		err := doc.Verify(x)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("", func(*Exchange) {})
	f("", answers(200, "text/csv; charset=utf-8", "a,b"))
	f("", answers(200, "application/x-ndjson", "{\"on\":true}\n{\"on\":false}\n"))
	f("", answers(200, "text/event-stream", ""))
	f("", answers(204, "", ""))
	f("", answers(500, "text/plain", "oh"))
	f("", at("/api/pump/7?keys=&limit="))
	f("", at("/index.html"))
	f("", func(x *Exchange) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(x.Received)
		_ = z.Close()
		x.Received = packed.Bytes()
		x.Header.Set("Content-Encoding", "gzip")
	})
	f("", func(x *Exchange) {
		at("/api/pump/all")(x)
		x.Method, x.Sent, x.Status, x.Received = http.MethodGet, nil, 204, nil
	})

	f("status is not documented", answers(201, "application/json", "{}"))
	f("status is not documented", answers(404, "text/plain", "no pump"))
	f("route that is not documented", at("/api/pump"))
	f("route that is not documented", func(x *Exchange) { x.Method = http.MethodDelete })
	f("content type", answers(200, "", `{"on":true}`))
	f("application/xml is not documented", answers(200, "application/xml", `{"on":true}`))
	f("no JSON", answers(200, "application/json", `{"on":`))
	f("missing property 'on'", answers(200, "application/json", `{}`))
	f("'more' not allowed", answers(200, "application/json", `{"on":true,"more":1}`))
	f("got number, want boolean", answers(200, "application/x-ndjson", "{\"on\":true}\n{\"on\":1}\n"))
	f("a body that is not documented", answers(204, "", "x"))
	f("header RateLimit is missing", func(x *Exchange) { x.Header.Del("RateLimit") })
	f("header RateLimit", func(x *Exchange) { x.Header.Set("RateLimit", "few") })
	f("parameter id", at("/api/pump/seven"))
	f("parameter limit", at("/api/pump/7?limit=0"))
	f("parameter limit", at("/api/pump/7?limit=1&limit=2"))
	f("parameter keys", at("/api/pump/7?keys=a,c"))
	f("parameter lmit was sent", at("/api/pump/7?lmit=1"))
	f("the body was accepted", func(x *Exchange) { x.Sent = []byte(`{"on":1}`) })
	f("without the body it needs", func(x *Exchange) { x.Sent = nil })
}

// A told records what a test would have failed with.
type told struct {
	testing.TB
	errors []any
}

func (t *told) Helper()           {}
func (t *told) Error(args ...any) { t.errors = append(t.errors, args...) }

// The server of this test answers what openapi.yaml does not have, and both ends notice.
func TestBothEndsNotice(t *testing.T) {
	wrong := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"token":7}`)) })
	const target = "/api/system/params"

	near := &told{TB: t}
	Handler(near, wrong).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, nil))
	server := httptest.NewServer(wrong)
	defer server.Close()
	far := &told{TB: t}
	client := &http.Client{Transport: Transport(far, server.Client().Transport)}
	for _, read := range []bool{true, false} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if read {
			_, _ = io.ReadAll(res.Body)
		}
		_ = res.Body.Close()
	}
	if len(near.errors) != 1 || len(far.errors) != 2 {
		t.Errorf("near %v, far %v", near.errors, far.errors)
	}
}
