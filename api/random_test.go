package api_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/internal/spectest"
)

// Whatever a client sends is at worst its own fault: never a 500, never an answer that the
// document does not know. Each request is one of the routes' own with a few bytes changed.
func TestNoRequestIsOurFault(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.SetupToken = "" })
	w.handler = spectest.Answers(t, w.bare)
	names := w.names()
	type ask struct{ method, target, body string }
	var asks []ask
	for route, row := range rows {
		method, _, _ := strings.Cut(route, " ")
		if method == http.MethodDelete || strings.Contains(route, "logout") || strings.Contains(route, "changePassword") {
			continue // the world has to last
		}
		asks = append(asks, ask{method, names.Replace(row.target), names.Replace(row.body)})
	}
	slices.SortFunc(asks, func(a, b ask) int { return strings.Compare(a.method+a.target, b.method+b.target) })
	history := names.Replace(device + "/values/timeseries?keys=a,,b&key=t&startTs=-1&endTs=99&agg=COUNT&interval=7&limit=-3&intervalType=DAY&timeZone=x")
	for range 20 {
		asks = append(asks, ask{http.MethodGet, history, ""})
	}
	w.save(`{"ts":5,"values":{"t":1}}`)

	rng := rand.New(rand.NewPCG(7, 7))
	spice := []string{"", "0", "-1", "9223372036854775808", "1e999", "null", "NaN", `"`, "{", "}", "[", ",", ":", "&", "=", "%00", "%2F", "/", "?", "ü", "\xff", "true", "'"}
	spoil := func(s string) string {
		for range rng.IntN(4) {
			i := rng.IntN(len(s) + 1)
			j := min(len(s), i+rng.IntN(5))
			s = s[:i] + spice[rng.IntN(len(spice))] + s[j:]
		}
		return s
	}
	for range 4000 {
		a := asks[rng.IntN(len(asks))]
		target, body := spoil(a.target), spoil(a.body)
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || strings.HasPrefix(u.Path, "/api/auth/logout") {
			continue // no server ever sees it
		}
		r := httptest.NewRequest(a.method, "/", strings.NewReader(body))
		r.URL, r.RequestURI = u, target
		r.Header.Set("X-Authorization", "Bearer "+[]string{w.adminA, w.oneUser, w.system}[rng.IntN(3)])
		w.logged.Reset()
		if got := w.send(r); got.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s %s: %d %s\n%s", a.method, target, body, got.Code, got.Body, w.logged)
		}
	}
}
