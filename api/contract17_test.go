package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
)

// Every number of contract 17 that bounds what is asked over REST, against a clock that only tests
// move. Those of sockets are in subscriptions/ws, the 600 s until a device is inactive in ingest.
func TestNumbersOfREST(t *testing.T) {
	for _, x := range []struct {
		number string
		holds  func(*world)
	}{
		{"9,000 s of an access token, 604,800 s of a refresh token", func(w *world) {
			pair := w.login("a@example.org")
			user := func() *answer { return w.call("GET", "/api/auth/user", pair.Token, "") }
			refresh := func() *answer {
				return w.call("POST", "/api/auth/token", "", fmt.Sprintf(`{"refreshToken":%q}`, pair.RefreshToken))
			}
			w.clock.add(9000*time.Second - time.Second)
			user().is(200)
			w.clock.add(time.Second)
			user().fails(401, 11, "Token has expired")
			w.clock.add((604_800 - 9000 - 1) * time.Second)
			refresh().is(200).json(&pair)
			w.clock.add(604_800 * time.Second)
			refresh().fails(401, 11, "Token has expired")
		}},
		{"100 points, newest first, not aggregated", func(w *world) {
			rows := make([]string, 101)
			for i := range rows {
				rows[i] = fmt.Sprintf(`{"ts":%d,"values":{"t":%d}}`, 1000*i, i)
			}
			w.saveTo(w.owned, "["+strings.Join(rows, ",")+"]")
			var got map[string][]struct{ Value string }
			w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=200000"), w.oneUser, "").is(200).json(&got)
			if list := got["t"]; len(list) != 100 || list[0].Value != "100" || list[99].Value != "1" {
				w.t.Errorf("%d points: %v", len(list), list)
			}
		}},
		{"700 buckets", func(w *world) {
			get := func(to int) *answer {
				return w.call("GET", w.at(fmt.Sprintf("/values/timeseries?keys=t&startTs=0&endTs=%d&agg=SUM&interval=1000", to)), w.oneUser, "")
			}
			get(700_999).is(200, `{}`)
			get(701_000).is(400)
		}},
		{"50,000 points of the web app", func(w *world) {
			w.call("GET", "/api/dashboard/maxDatapointsLimit", w.oneUser, "").is(200, "50000\n")
		}},
		{"no limit of entities, requests and messages where the profile has none", func(w *world) {
			for i := range 300 {
				w.call("GET", "/api/auth/user", w.adminA, "").is(200)
				w.save(fmt.Sprintf(`{"ts":%d,"values":{"t":1}}`, i))
			}
			for i := range 20 {
				post[api.Device](w, "/api/device", w.adminA, fmt.Sprintf(`{"name":"unlimited %d","type":"default"}`, i))
			}
			names := limitsOf(w, w.adminA)
			if !slices.Contains(names, "maxBuckets") {
				w.t.Errorf("the limits are %q", names)
			}
			for _, name := range names {
				if name == "maxDevices" || strings.Contains(name, "RateLimit") {
					w.t.Errorf("there is a limit: %s", name)
				}
			}
		}},
	} {
		t.Run(x.number, func(t *testing.T) { x.holds(newWorld(t)) })
	}
}

// limitsOf returns the names of the limits in force for somebody.
func limitsOf(w *world, token string) (names []string) {
	w.t.Helper()
	var got struct {
		Limits []struct{ Name string }
	}
	w.call("GET", "/api/limits", token, "").is(200).json(&got)
	for _, l := range got.Limits {
		names = append(names, l.Name)
	}
	return names
}
