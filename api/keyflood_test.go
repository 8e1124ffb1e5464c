package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// held is the memory in use once the garbage is gone.
func held() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// One device sends a million keys: it is told the limit, what it has goes on, the memory of the
// server does not grow with it, and other devices do not notice.
func TestADeviceOfAMillionKeysGetsErrorsAndNobodyElseDoes(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	post := func(token, body string) (status int, answer string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/"+token+"/telemetry", strings.NewReader(body))
		check(t, err)
		response, err := server.Client().Do(r)
		check(t, err)
		b, err := io.ReadAll(response.Body)
		check(t, err)
		check(t, response.Body.Close())
		return response.StatusCode, string(b)
	}
	const requests, keys, limit = 1000, 1000, 10_000 // the last is the default of the engine
	before, refused := held(), 0
	var body strings.Builder
	for n := range requests {
		body.Reset()
		for k := range keys {
			fmt.Fprintf(&body, `,"key %d":%d`, n*keys+k, k)
		}
		status, answer := post("owned-token", "{"+body.String()[1:]+"}")
		switch want := fmt.Sprintf("limit of %d keys of a device", limit); {
		case n < limit/keys && status == http.StatusOK:
		case n >= limit/keys && status == http.StatusForbidden && strings.Contains(answer, want):
			refused++
		default:
			t.Fatalf("request %d of %d keys: %d %s", n, keys, status, answer)
		}
		if n%100 == 99 {
			for token, body := range map[string]string{"free-token": fmt.Sprintf(`{"t":%d}`, n), "owned-token": `{"key 1":7}`} {
				if status, answer := post(token, body); status != http.StatusOK {
					t.Fatalf("after %d keys, %s: %d %s", (n+1)*keys, token, status, answer)
				}
			}
		}
	}
	if grown := held() - before; grown > 32<<20 {
		t.Errorf("%d bytes more are held after %d keys, of which %d are kept", grown, requests*keys, limit)
	}
	if names, err := w.db.Keys(t.Context(), w.a, w.owned, model.Timeseries); err != nil || len(names) != limit || refused != requests-limit/keys {
		t.Errorf("%d keys, %d requests refused, %v", len(names), refused, err)
	}
}
