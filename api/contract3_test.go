package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// Contract thingsboard 2 and 3, line by line, as far as no other test holds the server to it.

// 2.1: a pair is two tokens; what is no login is nobody; both tokens of a session end with it.
func TestPairsOfTokens(t *testing.T) {
	w := newWorld(t)
	var pair map[string]string
	w.call("POST", "/api/auth/login", "", fmt.Sprintf(`{"username":"A@Example.org","password":%q}`, password)).is(200).json(&pair)
	if len(pair) != 2 || pair["token"] == "" || pair["refreshToken"] == "" {
		t.Errorf("%v", pair)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		w.call(method, "/api/auth/login", "", `{}`).fails(401, 10, "Authentication method not supported")
	}
	for _, body := range []string{`[]`, `7`, `{"username":7}`, `{"password":"x"}`, `{"username":"","password":""}`} {
		w.call("POST", "/api/auth/login", "", body).fails(401, 10, "Authentication failed")
	}
	w.call("POST", "/api/auth/logout", pair["token"], "").is(200, "")
	w.call("POST", "/api/auth/token", "", fmt.Sprintf(`{"refreshToken":%q}`, pair["refreshToken"])).fails(401, 11, "Token has expired")
	w.call("POST", "/api/auth/logout", pair["token"], "").fails(401, 11, "Token has expired")
	w.call("POST", "/api/auth/logout", "", "").fails(401, 10, "Authentication failed")
}

// 2.4: who may do what, through the routes.
func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	const series = "/api/plugins/telemetry/"
	const denied, root = "You don't have permission to perform this operation!", "System administrator is not allowed to perform this operation!"
	f := func(who, kind string, id fmt.Stringer, reads, writes int, text string) {
		t.Helper()
		at := series + kind + "/" + id.String()
		for _, call := range []struct{ method, path, body string }{
			{"GET", "/keys/timeseries", ""}, {"GET", "/keys/attributes", ""}, {"GET", "/values/timeseries?keys=t", ""}, {"GET", "/values/attributes/SERVER_SCOPE", ""},
			{"GET", "/values/timeseries?keys=t&startTs=0&endTs=9", ""},
			{"POST", "/timeseries/ANY", `{"t":1}`}, {"POST", "/SERVER_SCOPE", `{"a":1}`}, {"DELETE", "/SERVER_SCOPE?keys=a", ""},
			{"DELETE", "/timeseries/delete?keys=t&deleteAllDataForKeys=true", ""},
		} {
			want := reads
			if call.method != "GET" {
				want = writes
			}
			got := w.call(call.method, at+call.path, who, call.body)
			if got.Code != want || want >= 400 && got.Body.String() != text {
				t.Errorf("%s %s%s: %d %s, want %d", call.method, kind, call.path, got.Code, got.Body, want)
			}
		}
	}
	f(w.system, "DEVICE", w.owned, 403, 403, root)
	f(w.system, "ASSET", w.asset, 403, 403, root)
	f(w.system, "CUSTOMER", w.one, 403, 403, root)
	f(w.system, "ENTITY_VIEW", w.view, 403, 403, root)
	f(w.system, "TENANT", w.a, 200, 200, "")
	f(w.adminA, "TENANT", w.a, 200, 403, denied)
	f(w.adminA, "TENANT", w.b, 404, 404, "Tenant with requested id wasn't found!")
	f(w.adminA, "CUSTOMER", w.one, 200, 200, "")
	f(w.adminA, "DEVICE", w.foreign, 404, 404, "Device with requested id wasn't found!")
	f(w.oneUser, "DEVICE", w.owned, 200, 200, "")
	f(w.oneUser, "ASSET", w.asset, 200, 200, "")
	f(w.oneUser, "DEVICE", w.free, 403, 403, denied)
	f(w.oneUser, "CUSTOMER", w.one, 200, 403, denied)
	f(w.oneUser, "CUSTOMER", w.two, 403, 403, denied)
	f(w.oneUser, "USER", w.userOne, 200, 200, "")
	f(w.oneUser, "DASHBOARD", w.dashboard, 200, 403, denied)
	f(w.oneUser, "TENANT", w.a, 403, 403, denied)

	get := func(who, path string) *answer { return w.call("GET", path, who, "") }
	get(w.oneUser, "/api/device/"+w.owned.String()+"/credentials").is(200)
	get(w.oneUser, "/api/device/"+w.free.String()+"/credentials").fails(403, 20, denied)
	get(w.oneUser, "/api/entityView/"+w.view.String()).is(200)
	get(w.oneUser, "/api/dashboard/"+w.dashboard.String()).is(200)
	get(w.oneUser, "/api/user/"+w.userOne.String()).is(200)
	get(w.oneUser, "/api/user/"+w.adminID.String()).fails(403, 20, denied)
	get(w.adminA, "/api/tenant/"+w.a.String()).is(200)
	get(w.adminA, "/api/tenants?pageSize=1&page=0").fails(403, 20, denied)
	get(w.system, "/api/device/"+w.owned.String()).fails(403, 20, denied)
	get(w.adminA, "/api/device/"+w.foreign.String()).fails(404, 32, "Device with id ["+w.foreign.String()+"] is not found")
	for _, path := range []string{"/api/tenant/devices", "/api/tenant/assets", "/api/customers"} {
		get(w.oneUser, path+"?pageSize=1&page=0").fails(403, 20, denied)
	}
}

// 3.1: how type and profile follow each other, and which token a device gets.
func TestWhatADeviceGetsByItself(t *testing.T) {
	w := newWorld(t)
	saved := func(body string) api.Device { return post[api.Device](w, "/api/device", w.adminA, body) }
	profile := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, `{"name":"meter"}`)
	byID := saved(fmt.Sprintf(`{"name":"1","deviceProfileId":{"entityType":"DEVICE_PROFILE","id":%q}}`, profile.ID.ID))
	if byID.Type != "meter" {
		t.Errorf("%+v", byID)
	}
	if d := saved(`{"name":"2","type":"meter"}`); d.DeviceProfileID != byID.DeviceProfileID {
		t.Errorf("%+v", d)
	}
	made := saved(`{"name":"3","type":"made"}`)
	var p api.DeviceProfile
	w.call("GET", "/api/deviceProfile/"+made.DeviceProfileID.ID.String(), w.adminA, "").is(200).json(&p)
	if p.Name != "made" || p.Default {
		t.Errorf("%+v", p)
	}
	if d := saved(`{"name":"4"}`); d.Type != "default" {
		t.Errorf("%+v", d)
	}
	w.call("POST", "/api/deviceProfile/"+profile.ID.ID.String()+"/default", w.adminA, "").is(200)
	if d := saved(`{"name":"5"}`); d.Type != "meter" {
		t.Errorf("%+v", d)
	}
	var c api.DeviceCredentials
	w.call("GET", "/api/device/"+made.ID.ID.String()+"/credentials", w.adminA, "").is(200).json(&c)
	if !regexp.MustCompile(`^[A-Za-z0-9]{20}$`).MatchString(c.CredentialsID) || c.DeviceID.ID != made.ID.ID {
		t.Errorf("%+v", c)
	}
	w.call("POST", "/api/device?accessToken=owned-token", w.adminA, `{"name":"6"}`).fails(400, 31, "Device credentials are already assigned to another device!")
	w.call("GET", "/api/tenant/device?deviceName=6", w.adminA, "").is(404)

	var list []api.Device
	w.call("GET", fmt.Sprintf("/api/devices/list?deviceIds=%s,%s", w.free, made.ID.ID), w.adminA, "").is(200).json(&list)
	if len(list) != 2 || list[1].Name != "3" {
		t.Errorf("%+v", list)
	}
	var page api.PageDeviceInfo
	w.call("GET", "/api/tenant/deviceInfos?pageSize=9&page=0&deviceProfileId="+profile.ID.ID.String(), w.adminA, "").is(200).json(&page)
	if page.TotalElements != 3 || page.Data[0].DeviceProfileName != "meter" {
		t.Errorf("%+v", page)
	}
}

// 3.1 and 3.4: what a view shows is not deleted.
func TestWhatAViewShowsIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	v := w.saveView(w.adminA, `"name":"of owned"`)
	w.call("DELETE", "/api/device/"+w.owned.String(), w.adminA, "").is(400)
	w.call("DELETE", "/api/asset/"+w.asset.String(), w.adminA, "").is(400)
	w.call("DELETE", "/api/entityView/"+v.ID.ID.String(), w.adminA, "").is(200, "")
	w.call("DELETE", "/api/device/"+w.owned.String(), w.adminA, "").is(200, "")
}

// 3.3: a customer is the copy of its title, and leaves its things behind.
func TestWhatACustomerLeaves(t *testing.T) {
	w := newWorld(t)
	c := post[api.Customer](w, "/api/customer", w.adminA, `{"title":"Three","name":"another","city":"Delft","address2":"b","zip":"1"}`)
	if c.Name != "Three" || *c.City != "Delft" || *c.Address2 != "b" || *c.Zip != "1" || c.TenantID.ID != model.ID(w.a) {
		t.Errorf("%+v", c)
	}
	if got := w.call("GET", "/api/customer/"+c.ID.ID.String()+"/title", w.adminA, "").is(200, "Three").Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
		t.Error(got)
	}
	w.call("DELETE", "/api/customer/"+w.one.String(), w.adminA, "").is(200, "")
	const nobody = `"customerId":{"entityType":"CUSTOMER","id":"13814000-1dd2-11b2-8080-808080808080"}`
	for _, path := range []string{"/api/device/" + w.owned.String(), "/api/asset/" + w.asset.String(), "/api/entityView/" + w.view.String()} {
		if got := w.call("GET", path, w.adminA, "").is(200).Body.String(); !strings.Contains(got, nobody) {
			t.Error(got)
		}
	}
	if got := w.call("GET", "/api/dashboard/"+w.dashboard.String(), w.adminA, "").is(200).Body.String(); strings.Contains(got, w.one.String()) {
		t.Error(got)
	}
}

// 3.4: what profiles and views have when nothing is said.
func TestWhatProfilesAndViewsHaveByThemselves(t *testing.T) {
	w := newWorld(t)
	var p struct {
		Type, TransportType, ProvisionType string
		Default                            bool
		ProfileData                        struct {
			Configuration, TransportConfiguration, ProvisionConfiguration map[string]any
			Alarms                                                        json.RawMessage
		}
	}
	body := w.call("POST", "/api/deviceProfile", w.adminA, `{"name":"bare"}`).is(200)
	body.json(&p)
	if p.Type != "DEFAULT" || p.TransportType != "DEFAULT" || p.ProvisionType != "DISABLED" || p.Default ||
		p.ProfileData.Configuration["type"] != "DEFAULT" || p.ProfileData.TransportConfiguration["type"] != "DEFAULT" || p.ProfileData.ProvisionConfiguration["type"] != "DISABLED" {
		t.Errorf("%s", body.Body)
	}
	for _, transport := range []string{"DEFAULT", "MQTT", "COAP", "LWM2M", "SNMP"} {
		post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, fmt.Sprintf(`{"name":"by %s","transportType":%q}`, transport, transport))
	}
	v := w.call("POST", "/api/entityView", w.adminA, fmt.Sprintf(`{"name":"bare","type":"default","entityId":{"entityType":"DEVICE","id":%q}}`, w.owned)).is(200).Body.String()
	for _, part := range []string{`"startTimeMs":0`, `"endTimeMs":0`, `"timeseries":[]`, `"cs":[]`, `"ss":[]`, `"sh":[]`} {
		if !strings.Contains(v, part) {
			t.Errorf("%s has no %s", v, part)
		}
	}
}

// 3, head: a client that writes every member of its objects writes null for what it has not.
func TestNullIsWhatIsLeftOut(t *testing.T) {
	w := newWorld(t)
	null := func(members string) (body string) {
		for _, m := range strings.Fields("id createdTime tenantId version externalId additionalInfo " + members) {
			body += fmt.Sprintf(`,%q:null`, m)
		}
		return body + "}"
	}
	for path, body := range map[string]string{
		"/api/device":        `{"name":"null"` + null("type label customerId deviceProfileId deviceData firmwareId softwareId"),
		"/api/asset":         `{"name":"null"` + null("type label customerId assetProfileId"),
		"/api/customer":      `{"title":"null"` + null("country state city address address2 zip phone email"),
		"/api/user":          `{"email":"null@example.org","authority":"TENANT_ADMIN"` + null("customerId firstName lastName phone"),
		"/api/dashboard":     `{"title":"null"` + null("image mobileOrder configuration"),
		"/api/entityView":    fmt.Sprintf(`{"name":"null","type":"t","entityId":{"entityType":"DEVICE","id":%q}`, w.owned) + null("customerId"),
		"/api/assetProfile":  `{"name":"null"` + null("image description defaultRuleChainId defaultDashboardId defaultQueueName"),
		"/api/deviceProfile": `{"name":"null"` + null("image description defaultRuleChainId defaultDashboardId defaultQueueName profileData provisionDeviceKey firmwareId softwareId"),
	} {
		w.call("POST", path, w.adminA, body).is(200)
	}
	w.call("POST", "/api/tenant", w.system, `{"title":"null"`+null("tenantProfileId country email")).is(200)
	w.call("POST", "/api/tenantProfile", w.system, `{"name":"null"`+null("description")).is(200)
}

// 3.1, 3.3 and 3.4: references to what there is not are in every answer, and null.
func TestReferencesToWhatThereIsNotAreNull(t *testing.T) {
	w := newWorld(t)
	const gone = `{"entityType":"OTA_PACKAGE","id":"784f394c-42b6-435a-983c-b7beff2784f9"}`
	for path, members := range map[string]string{
		"/api/device": "firmwareId softwareId externalId", "/api/asset": "externalId",
		"/api/deviceProfile": "firmwareId softwareId externalId defaultRuleChainId", "/api/assetProfile": "defaultRuleChainId",
	} {
		body := `{"name":"x"`
		for _, m := range strings.Fields(members) {
			body += fmt.Sprintf(`,%q:%s`, m, gone)
		}
		saved := post[map[string]json.RawMessage](w, path, w.adminA, body+`}`)
		for _, m := range strings.Fields(members) {
			if string(saved[m]) != "null" {
				t.Errorf("%s: %s is %s", path, m, saved[m])
			}
		}
	}
}

// 3.5: the name of a user is the address; a link is text.
func TestUsersOnTheWire(t *testing.T) {
	w := newWorld(t)
	u := post[api.User](w, "/api/user?sendActivationMail=false", w.adminA, `{"email":"x@example.org","name":"other","authority":"TENANT_ADMIN","firstName":"X","phone":"+31"}`)
	if u.Name != "x@example.org" || *u.FirstName != "X" || *u.Phone != "+31" || u.TenantID.ID != model.ID(w.a) || u.CustomerID.ID != model.ID(model.NoCustomer) {
		t.Errorf("%+v", u)
	}
	link := w.call("GET", "/api/user/"+u.ID.ID.String()+"/activationLink", w.adminA, "").is(200)
	if got := link.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") || !strings.HasPrefix(link.Body.String(), "http") {
		t.Errorf("%s: %s", got, link.Body)
	}
	var root api.User
	w.call("GET", "/api/auth/user", w.system, "").is(200).json(&root)
	if root.Authority != api.AuthoritySYSADMIN || root.TenantID.ID != model.ID(model.NoCustomer) {
		t.Errorf("%+v", root)
	}
}

// 3.6: whoever sends anything is active, asking included.
func TestWhoSendsIsActive(t *testing.T) {
	w := newWorld(t)
	heard := func(id model.EntityID, want bool) {
		t.Helper()
		var info api.DeviceInfo
		w.call("GET", "/api/device/info/"+id.String(), w.adminA, "").is(200).json(&info)
		if info.Active != want {
			t.Errorf("%s: active is %v", info.Name, info.Active)
		}
	}
	asking := post[api.Device](w, "/api/device?accessToken=asking-token", w.adminA, `{"name":"asking"}`)
	silent := post[api.Device](w, "/api/device", w.adminA, `{"name":"silent"}`)
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`).is(200, "")
	w.call("POST", "/api/v1/free-token/attributes", "", `{"a":1}`).is(200, "")
	w.call("GET", "/api/v1/asking-token/attributes", "", "").is(200, "{}")
	// What people save for a device is not its own doing.
	w.call("POST", "/api/plugins/telemetry/DEVICE/"+silent.ID.ID.String()+"/timeseries/ANY", w.adminA, `{"t":1}`).is(200, "")
	heard(w.owned, true)
	heard(w.free, true)
	heard(model.EntityID(asking.ID.ID), true)
	heard(model.EntityID(silent.ID.ID), false)
	for query, want := range map[string]int64{"true": 3, "false": 1, "": 4} {
		var page api.PageDeviceInfo
		w.call("GET", "/api/tenant/deviceInfos?pageSize=9&page=0&active="+query, w.adminA, "").is(200).json(&page)
		if page.TotalElements != want {
			t.Errorf("active=%s: %d, want %d", query, page.TotalElements, want)
		}
	}
}
