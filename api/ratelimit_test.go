package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
)

// limit gives tenant A a profile with these members.
func (w *world) limit(members string) {
	w.t.Helper()
	p := post[api.TenantProfile](w, "/api/tenantProfile", w.system, fmt.Sprintf(
		`{"name":"Limited %d","profileData":{"configuration":{"type":"DEFAULT",%s}}}`, len(members), members))
	w.call("POST", "/api/tenant", w.system, fmt.Sprintf(
		`{"id":{"entityType":"TENANT","id":%q},"title":"Acme","tenantProfileId":{"entityType":"TENANT_PROFILE","id":%q}}`, w.a, p.ID.ID)).is(200)
}

// headers holds header fields against pairs of name and value.
func (a *answer) headers(pairs ...string) {
	a.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := a.Header().Get(pairs[i]); got != pairs[i+1] {
			a.t.Errorf("%s: %s is %q, want %q", a.call, pairs[i], got, pairs[i+1])
		}
	}
}

// Contract 2.5.
func TestRequestsAreLimitedPerTenantAndCustomer(t *testing.T) {
	w := newWorld(t)
	w.call("GET", "/api/auth/user", w.adminA, "").headers("RateLimit-Limit", "", "RateLimit-Policy", "")
	w.limit(`"tenantServerRestLimitsConfiguration":"4:60,1000:3600","customerServerRestLimitsConfiguration":"2:60"`)

	got := w.call("GET", "/api/auth/user", w.oneUser, "").is(200)
	got.headers("RateLimit-Limit", "2", "RateLimit-Remaining", "1", "RateLimit-Reset", "30", "Retry-After", "",
		"RateLimit-Policy", `"customerServerRestLimitsConfiguration/60s";q=2;w=60, "tenantServerRestLimitsConfiguration/60s";q=4;w=60, `+
			`"tenantServerRestLimitsConfiguration/3600s";q=1000;w=3600`,
		"RateLimit", `"customerServerRestLimitsConfiguration/60s";r=1;t=30, "tenantServerRestLimitsConfiguration/60s";r=3;t=15, `+
			`"tenantServerRestLimitsConfiguration/3600s";r=999;t=4`)
	// A refusal by the handler counts as well.
	w.call("GET", "/api/tenants?pageSize=1&page=0", w.oneUser, "").is(403)
	for _, path := range []string{"/api/auth/user", w.at("/values/timeseries"), "/api/nowhere"} {
		got = w.call("GET", path, w.oneUser, "")
		if path == "/api/nowhere" {
			got.is(404)
			continue
		}
		got.fails(429, 33, "Too many requests for current customer!")
		got.headers("Retry-After", "30", "RateLimit-Limit", "2", "RateLimit-Remaining", "0", "RateLimit-Reset", "60",
			"RateLimit-Policy", `"customerServerRestLimitsConfiguration/60s";q=2;w=60`)
		if !strings.HasSuffix(got.Body.String(), `,"limitName":"customerServerRestLimitsConfiguration"}`) {
			t.Error(got.Body)
		}
	}
	// The customer has used two of the tenant's four, and nothing by being refused.
	w.call("GET", "/api/auth/user", w.twoUser, "").is(200)
	w.call("GET", "/api/auth/user", w.adminA, "").is(200)
	w.call("GET", "/api/auth/user", w.adminA, "").fails(429, 33, "Too many requests for current tenant!")
	w.call("GET", "/api/auth/user", w.twoUser, "").fails(429, 33, "Too many requests for current tenant!")
	for range 9 {
		w.call("GET", "/api/auth/user", w.adminB, "").is(200)
		w.call("GET", "/api/auth/user", w.system, "").is(200)
		w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`).is(200)
	}
	w.clock.add(15 * time.Second)
	w.call("GET", "/api/auth/user", w.adminA, "").is(200)
	w.call("GET", "/api/auth/user", w.adminA, "").is(429)
}

func TestRequestsAreLimitedPerUserAndToken(t *testing.T) {
	w := newWorld(t)
	token := post[api.APITokenSecret](w, "/api/tokens", w.adminA, `{"name":"x","scopes":["read:telemetry"]}`).Token
	w.limit(`"userServerRestLimitsConfiguration":"1:60"`)
	for _, who := range []string{w.adminA, w.oneUser, token} {
		w.call("GET", w.at("/keys/timeseries"), who, "").is(200)
		w.call("GET", w.at("/keys/timeseries"), who, "").fails(429, 33, "Too many requests for current user!")
	}
}

// Contract 17: a device over its limit costs itself only.
func TestDevicesAreLimitedByMessagesAndPoints(t *testing.T) {
	w := newWorld(t)
	w.limit(`"transportDeviceTelemetryMsgRateLimit":"3:60","transportDeviceTelemetryDataPointsRateLimit":"8:60",` +
		`"transportDeviceMsgRateLimit":"1:60","transportTenantTelemetryMsgRateLimit":"5:60"`)
	const owned, free = "/api/v1/owned-token", "/api/v1/free-token"
	w.call("POST", owned+"/telemetry", "", `[{"a":1,"b":2},{"ts":1,"values":{"c":3}}]`).is(200, "")
	w.call("POST", owned+"/attributes", "", `{"a":1}`).is(200, "")
	got := w.call("POST", owned+"/telemetry", "", `{"a":1,"b":2,"c":3,"d":4,"e":5}`)
	got.text(429, "Too many points for current device! (transportDeviceTelemetryDataPointsRateLimit)")
	got.headers("Retry-After", "8", "RateLimit-Limit", "8", "RateLimit-Remaining", "4")
	w.call("POST", owned+"/telemetry", "", `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}`).
		text(413, "Payload size exceeds the limit: A message may have at most 8 points (transportDeviceTelemetryDataPointsRateLimit), got 9")
	w.call("GET", w.at("/values/timeseries?keys=e"), w.adminA, "").is(200, fmt.Sprintf(`{"e":[{"ts":%d,"value":null}]}`, w.clock.now().UnixMilli()))
	w.call("POST", owned+"/telemetry", "", `{"a":1}`).is(200, "")
	for range 3 {
		// By either way in, and before the body is read.
		w.call("POST", owned+"/telemetry", "", `{"a":1}`).text(429, "Too many messages for current device! (transportDeviceTelemetryMsgRateLimit)")
		w.call("POST", owned+"/telemetry", "", `not JSON`, "Origin", "http://example.com").
			text(429, "Too many messages for current device! (transportDeviceTelemetryMsgRateLimit)")
	}
	w.call("GET", owned+"/attributes", "", "").is(200)
	w.call("GET", owned+"/attributes", "", "").text(429, "Too many messages for current device! (transportDeviceMsgRateLimit)")
	for range 2 {
		w.call("POST", free+"/telemetry", "", `{"a":1}`).is(200, "")
	}
	w.call("POST", free+"/telemetry", "", `{"a":1}`).text(429, "Too many messages for current tenant! (transportTenantTelemetryMsgRateLimit)")
	for range 9 { // people, who have limits of their own
		w.call("POST", w.at("/timeseries/ANY"), w.adminA, `{"a":1}`).is(200, "")
		w.call("POST", "/api/v1/foreign-token/telemetry", "", `{"a":1}`).is(200, "")
	}
	w.clock.add(time.Minute)
	w.call("POST", owned+"/telemetry", "", `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8}`).is(200, "")
}

func TestEveryLimitInForceIsPublished(t *testing.T) {
	w := newWorld(t)
	w.limit(`"maxDevices":100,"maxUsers":2,"tenantServerRestLimitsConfiguration":"10:60,100:3600","customerServerRestLimitsConfiguration":"5:60",` +
		`"transportTenantMsgRateLimit":"7:60","transportDeviceTelemetryMsgRateLimit":"3:60"`)
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"a":1}`).is(200)
	limits := func(token, query string) map[string]api.LimitUse {
		t.Helper()
		var list api.LimitList
		w.call("GET", "/api/limits"+query, token, "").is(200).json(&list)
		all := map[string]api.LimitUse{}
		for _, l := range list.Limits {
			name := l.Name
			if l.Window != nil {
				name += fmt.Sprintf("/%d", *l.Window)
			}
			if _, twice := all[name]; twice {
				t.Errorf("%s stands twice", name)
			}
			all[name] = l
		}
		return all
	}
	f := func(all map[string]api.LimitUse, name, want string) {
		t.Helper()
		l, ok := all[name]
		show := func(n *int64) string {
			if n == nil {
				return "-"
			}
			return fmt.Sprint(*n)
		}
		got := "absent"
		if ok {
			got = fmt.Sprintf("%s %s: %s of %d, %s left, again in %s", l.Scope, l.Unit, show(l.Used), l.Limit, show(l.Remaining), show(l.Reset))
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	mine := limits(w.adminA, "?deviceId="+w.owned.String())
	f(mine, "maxDevices", "TENANT entities: 2 of 100, 98 left, again in -")
	f(mine, "maxUsers", "TENANT entities: 3 of 2, 0 left, again in -")
	f(mine, "maxAssets", "absent")
	f(mine, "tenantServerRestLimitsConfiguration/60", "TENANT requests: 1 of 10, 9 left, again in 6")
	f(mine, "tenantServerRestLimitsConfiguration/3600", "TENANT requests: 1 of 100, 99 left, again in 36")
	f(mine, "customerServerRestLimitsConfiguration/60", "absent")
	f(mine, "transportTenantMsgRateLimit/60", "TENANT messages: 1 of 7, 6 left, again in 9")
	f(mine, "transportDeviceTelemetryMsgRateLimit/60", "DEVICE messages: 1 of 3, 2 left, again in 20")
	f(mine, "maxMessageKeys", "SERVER keys: - of 10000, - left, again in -")
	f(mine, "maxBuckets", "SERVER buckets: - of 700, - left, again in -")

	customers := limits(w.oneUser, "")
	f(customers, "customerServerRestLimitsConfiguration/60", "CUSTOMER requests: 1 of 5, 4 left, again in 12")
	f(customers, "tenantServerRestLimitsConfiguration/60", "TENANT requests: 2 of 10, 8 left, again in 12")
	f(customers, "maxDevices", "absent")
	f(customers, "transportTenantMsgRateLimit/60", "absent")

	w.call("GET", "/api/limits?deviceId="+w.free.String(), w.oneUser, "").is(403)
	w.call("GET", "/api/limits?deviceId="+w.foreign.String(), w.adminA, "").is(404)
	others := limits(w.system, "")
	f(others, "maxDevices", "absent")
	f(others, "tenantServerRestLimitsConfiguration/60", "absent")
}

// What is stored in a profile decides, at once and without a restart.
func TestAChangedProfileCountsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.limit(`"tenantServerRestLimitsConfiguration":"1:3600"`)
	w.call("GET", "/api/auth/user", w.adminA, "").is(200)
	w.call("GET", "/api/auth/user", w.adminA, "").is(429)
	w.limit(`"tenantServerRestLimitsConfiguration":""`)
	w.call("GET", "/api/auth/user", w.adminA, "").is(200).headers("RateLimit-Limit", "")
}
