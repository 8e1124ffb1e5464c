package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidewire/tidewire/client"
	"github.com/tidewire/tidewire/model"
)

// connected is a client of a world over a real connection; requests counts what it sends.
func connected(t *testing.T, w *world, who client.Credentials) (c *client.ClientWithResponses, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	c, err := client.Open(server.URL+"/", who, client.Options{HTTP: server.Client()})
	check(t, err)
	return c, requests
}

func TestTheGoClientSavesAndReads(t *testing.T) {
	w := newWorld(t)
	c, _ := connected(t, w, client.Login("a@example.org", password))
	device, err := c.SaveDeviceWithResponse(t.Context(), nil, client.DeviceRequest{Name: "made in Go"})
	check(t, err)
	id := device.JSON200.ID.ID
	_, err = c.SaveTimeseriesWithResponse(t.Context(), "DEVICE", id, "ANY", nil, client.TelemetryBody(`{"ts":5,"values":{"n":9007199254740993,"t":21.5}}`))
	check(t, err)
	strict := true
	latest, err := c.GetTimeseriesWithResponse(t.Context(), "DEVICE", id, &client.GetTimeseriesParams{UseStrictDataTypes: &strict})
	check(t, err)
	if got := *latest.JSON200; len(got) != 2 || string(got["n"][0].Value) != "9007199254740993" || got["n"][0].TS != 5 {
		t.Errorf("%+v", got)
	}
	// The bare method hands the answer over unread.
	res, err := c.GetTimeseries(t.Context(), "DEVICE", id, nil)
	check(t, err)
	body, err := io.ReadAll(res.Body)
	check(t, errors.Join(err, res.Body.Close()))
	if !json.Valid(body) {
		t.Errorf("%s", body)
	}
}

func TestTheGoClientReturnsFailuresAsErrors(t *testing.T) {
	w := newWorld(t)
	f := func(who client.Credentials, id model.EntityID, status, code int, message string) {
		t.Helper()
		c, _ := connected(t, w, who)
		_, err := c.GetDeviceWithResponse(t.Context(), model.ID(id))
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != status || e.Code != code || !strings.Contains(e.Message, message) {
			t.Errorf("%v (%+v), want %d, code %d, %q", err, e, status, code, message)
		}
	}
	f(client.Login("a@example.org", password), w.foreign, 404, 32, "is not found")
	f(client.Login("two@example.org", password), w.owned, 403, 20, "permission")
	f(client.Login("a@example.org", "wrong"), w.owned, 401, 10, "Invalid username or password")
	f(client.Token("guess"), w.owned, 401, 10, "Invalid username or password")
	f(client.Credentials{}, w.owned, 401, 10, "Authentication failed")

	c, _ := connected(t, w, client.Token(w.adminA))
	_, err := c.SaveTimeseriesWithResponse(t.Context(), "DEVICE", model.ID(w.owned), "ANY", nil, client.TelemetryBody(`[]`))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != 0 || e.Message != "No time series data found in request body!" {
		t.Errorf("%v", err)
	}
	for _, server := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://u:p@x", "http://x?y"} {
		if _, err := client.Open(server, client.Credentials{}, client.Options{}); err == nil {
			t.Errorf("%q is taken for a server", server)
		}
	}
}

// Sessions outlive their tokens, and a client its session.
func TestTheGoClientRenewsItsSession(t *testing.T) {
	w := newWorld(t)
	c, requests := connected(t, w, client.Login("a@example.org", password))
	ask := func(sends int64) {
		t.Helper()
		before := requests.Load()
		_, err := c.SaveDeviceWithResponse(t.Context(), nil, client.DeviceRequest{Name: time.Duration(before).String()})
		check(t, err)
		if got := requests.Load() - before; got != sends {
			t.Errorf("%d requests, want %d", got, sends)
		}
	}
	ask(2) // login
	ask(1)
	w.clock.add(3 * time.Hour)
	ask(3) // refused, renewed, again
	ask(1)
	w.clock.add(30 * 24 * time.Hour)
	ask(4) // refused, not renewed, login, again

	// A body that cannot be read twice is not sent twice.
	w.clock.add(3 * time.Hour)
	_, err := c.SaveDeviceWithBodyWithResponse(t.Context(), nil, "application/json", io.NopCloser(strings.NewReader(`{"name":"once"}`)))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("%v", err)
	}
}
