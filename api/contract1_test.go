package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// Contract thingsboard 1 and 17, line by line, as far as no other test holds the server to it.

// lists is every route that answers a page, and who may ask for it.
func (w *world) lists() map[string]string {
	customer := "/api/customer/" + w.one.String()
	lists := map[string]string{
		"/api/tenants": w.system, "/api/tenant/" + w.a.String() + "/users": w.system,
		"/api/tenantProfiles": w.system, "/api/tenantProfileInfos": w.system,
	}
	for _, path := range []string{
		"/api/customers", "/api/users", customer + "/users", "/api/tenant/devices", "/api/tenant/deviceInfos", customer + "/devices", customer + "/deviceInfos",
		"/api/tenant/assets", "/api/tenant/assetInfos", customer + "/assets", customer + "/assetInfos",
		"/api/tenant/entityViews", "/api/tenant/entityViewInfos", customer + "/entityViews", customer + "/entityViewInfos",
		"/api/deviceProfiles", "/api/deviceProfileInfos", "/api/assetProfiles", "/api/assetProfileInfos",
		"/api/tenant/dashboards", customer + "/dashboards", "/api/audit/logs",
	} {
		lists[path] = w.adminA
	}
	return lists
}

// 1.4: every list has the same parameters, refusals and members.
func TestEveryListIsPagedAlike(t *testing.T) {
	w := newWorld(t)
	for path, who := range w.lists() {
		get := func(query string) *answer { return w.call("GET", path+"?"+query, who, "") }
		get("page=0").fails(400, 31, "Required request parameter 'pageSize' is not present")
		get("pageSize=1").fails(400, 31, "Required request parameter 'page' is not present")
		get("pageSize=0&page=0").fails(400, 31, "Incorrect page link page size '0'. Page size must be greater than zero.")
		get("pageSize=1&page=-1").fails(400, 31, "Incorrect page link page '-1'. Page must be positive integer.")
		get("pageSize=1&page=0&sortOrder=X").fails(400, 31, "Unsupported sort order 'X'! Only 'ASC' or 'DESC' types are allowed.")
		get("pageSize=1&page=0&sortProperty=shoeSize").fails(400, 31, "Invalid sort property")
		get("pageSize=x&page=0").fails(400, 31, "Invalid value 'x' of parameter 'pageSize'")
		get("pageSize=100&page=0&sortProperty=createdTime&sortOrder=desc").is(200)
		get("pageSize=100&page=7").is(200)
		body := get("pageSize=9&page=0&textSearch=no+such+name").is(200).Body.String()
		if strings.TrimSpace(body) != strings.TrimSpace(emptyPage) {
			t.Errorf("%s: an empty page is %s", path, body)
		}
	}
}

// 1.4: the search looks at the name, of a device at type and label too, whatever the case.
func TestTheSearchOfLists(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{`{"name":"Searched 1"}`, `{"name":"s2","label":"the SEARCHED one"}`, `{"name":"s3","type":"unsearched"}`} {
		post[api.Device](w, "/api/device", w.adminA, body)
	}
	for path, want := range map[string]int{
		"/api/tenant/devices?textSearch=sEaRcHed": 3, "/api/tenant/deviceInfos?textSearch=searched": 3,
		"/api/tenant/devices?textSearch=searched_": 0, "/api/tenant/devices?textSearch=arched+1": 1,
		"/api/customers?textSearch=ON": 1, "/api/tenant/assets?textSearch=BUILD": 1, "/api/users?textSearch=TWO@": 1,
		"/api/tenant/dashboards?textSearch=oar": 1, "/api/deviceProfiles?textSearch=DEF": 1, "/api/tenant/entityViews?textSearch=VIE": 1,
	} {
		var p struct{ Data []json.RawMessage }
		w.call("GET", path+"&pageSize=9&page=0", w.adminA, "").is(200).json(&p)
		if len(p.Data) != want {
			t.Errorf("%s: %d, want %d", path, len(p.Data), want)
		}
	}
}

// 1.5: what is no id is told as such on every route that takes one; what is not there is named.
func TestIDsThatAreNoneAndIDsOfNothing(t *testing.T) {
	w := newWorld(t)
	gone := model.NewID(w.clock.now(), nil).String()
	for path, word := range map[string]string{
		"/api/device/": "Device", "/api/device/info/": "Device", "/api/asset/": "Asset", "/api/asset/info/": "Asset", "/api/customer/": "Customer", "/api/user/": "User",
		"/api/dashboard/": "Dashboard", "/api/dashboard/info/": "Dashboard", "/api/entityView/": "Entity-view", "/api/entityView/info/": "Entity-view",
		"/api/deviceProfile/": "Device profile", "/api/assetProfile/": "Asset profile",
	} {
		w.call("GET", path+"no-id", w.adminA, "").fails(400, 31, `Invalid UUID string: "no-id"`)
		w.call("GET", path+gone, w.adminA, "").fails(404, 32, word+" with id ["+gone+"] is not found")
		if !strings.HasSuffix(path, "info/") {
			w.call("DELETE", path+"no-id", w.adminA, "").fails(400, 31, `Invalid UUID string: "no-id"`)
			w.call("DELETE", path+gone, w.adminA, "").fails(404, 32, word+" with id ["+gone+"] is not found")
		}
	}
	// What is found before the handler runs is JSON where the handler speaks text.
	const series = "/api/plugins/telemetry/"
	w.call("GET", series+"DEVICE/no-id/keys/timeseries", w.adminA, "").fails(400, 31, `Invalid UUID string: "no-id"`)
	w.call("GET", series+"TEAPOT/"+gone+"/keys/timeseries", w.adminA, "").fails(400, 31, "Unsupported entity type: TEAPOT")
	w.call("GET", w.at("/values/attributes/MY_SCOPE"), w.adminA, "").is(400)
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=1&agg=MEDIAN"), w.adminA, "").fails(400, 31, "Invalid value 'MEDIAN' of parameter 'agg'")
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=x&endTs=1"), w.adminA, "").fails(400, 31, "Invalid value 'x' of parameter 'startTs'")
}

// 1.3: who has telemetry and attributes, and that others are told so with 400.
func TestWhoHasTelemetry(t *testing.T) {
	w := newWorld(t)
	profile := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, `{"name":"p"}`).ID.ID
	assets := post[api.AssetProfile](w, "/api/assetProfile", w.adminA, `{"name":"p"}`).ID.ID
	tenants := post[api.TenantProfile](w, "/api/tenantProfile", w.system, `{"name":"p"}`).ID.ID
	for kind, of := range map[string]struct {
		id  fmt.Stringer
		who string
	}{
		"DEVICE": {w.owned, w.adminA}, "ASSET": {w.asset, w.adminA}, "CUSTOMER": {w.one, w.adminA}, "USER": {w.userOne, w.adminA},
		"DASHBOARD": {w.dashboard, w.adminA}, "DEVICE_PROFILE": {profile, w.adminA}, "ASSET_PROFILE": {assets, w.adminA},
		"TENANT": {w.a, w.system}, "TENANT_PROFILE": {tenants, w.system},
	} {
		at := "/api/plugins/telemetry/" + kind + "/" + of.id.String()
		w.call("POST", at+"/timeseries/ANY", of.who, `{"ts":5,"values":{"t":1}}`).is(200, "")
		w.call("GET", at+"/values/timeseries?keys=t", of.who, "").is(200, `{"t":[{"ts":5,"value":"1"}]}`)
		w.call("POST", at+"/SERVER_SCOPE", of.who, `{"a":1}`).is(200, "")
		w.call("GET", at+"/keys/attributes/SERVER_SCOPE", of.who, "").is(200, `["a"]`)
	}
	view := "/api/plugins/telemetry/ENTITY_VIEW/" + w.view.String()
	w.call("GET", view+"/keys/timeseries", w.adminA, "").is(200)
	w.call("POST", view+"/SERVER_SCOPE", w.adminA, `{"a":1}`).is(200, "")
	w.call("POST", view+"/timeseries/ANY", w.adminA, `{"t":1}`).is(400)
	for _, kind := range []string{"RULE_CHAIN", "RULE_NODE", "WIDGETS_BUNDLE", "WIDGET_TYPE", "QUEUE", "NOTIFICATION", "EDGE", "RPC"} {
		w.call("GET", "/api/plugins/telemetry/"+kind+"/"+w.owned.String()+"/keys/timeseries", w.adminA, "").fails(400, 31, "Unsupported entity type: "+kind)
	}
}

// 1.6 and 17: the sizes of bodies when nobody chose others.
func TestHowLargeBodiesMayBe(t *testing.T) {
	w := newWorld(t)
	f := func(path string, announced int64, large bool) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"t":1}`))
		r.Header.Set("X-Authorization", "Bearer "+w.adminA)
		r.ContentLength = announced
		got := w.send(r)
		if is := got.Code == 413 && strings.HasPrefix(got.Body.String(), "Payload size exceeds the limit"); is != large {
			t.Errorf("%s of %d bytes: %d %s", path, announced, got.Code, got.Body)
		}
	}
	for path, limit := range map[string]int64{
		"/api/customer": 16 << 20, w.at("/SERVER_SCOPE"): 16 << 20, w.at("/timeseries/ANY"): 16 << 20,
		"/api/v1/owned-token/telemetry": 50 << 20, "/api/v1/owned-token/attributes": 50 << 20,
	} {
		f(path, limit, false)
		f(path, limit+1, true)
	}
}

// 1.2 and 3: what an entity has on the wire, null where there is nothing.
func TestTheMembersOfEntities(t *testing.T) {
	w := newWorld(t)
	device := post[api.Device](w, "/api/device", w.adminA, `{"name":"bare","unknown":{"a":1},"active":true}`).ID.ID.String()
	asset := post[api.Asset](w, "/api/asset", w.adminA, `{"name":"bare","unknown":1}`).ID.ID.String()
	customer := post[api.Customer](w, "/api/customer", w.adminA, `{"title":"bare","unknown":1}`).ID.ID.String()
	profile := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, `{"name":"bare","unknown":1}`).ID.ID.String()
	kind := post[api.AssetProfile](w, "/api/assetProfile", w.adminA, `{"name":"bare","unknown":1}`).ID.ID.String()
	user := post[api.User](w, "/api/user?sendActivationMail=false", w.adminA, `{"email":"bare@example.org","authority":"TENANT_ADMIN","unknown":1}`).ID.ID.String()
	common := "id createdTime tenantId name version "
	info := "customerTitle customerIsPublic "
	contact := "country state city address address2 zip phone email "
	for path, f := range map[string]struct{ members, null string }{
		"/api/device/" + device:      {common + "customerId type label deviceProfileId deviceData firmwareId softwareId externalId additionalInfo", "label firmwareId softwareId externalId"},
		"/api/device/info/" + device: {common + info + "deviceProfileName active customerId type label deviceProfileId deviceData firmwareId softwareId externalId additionalInfo", "customerTitle label"},
		"/api/device/" + device + "/credentials": {
			"id createdTime deviceId credentialsType credentialsId credentialsValue version", "credentialsValue",
		},
		"/api/asset/" + asset:           {common + "customerId type label assetProfileId externalId additionalInfo", "label externalId"},
		"/api/asset/info/" + asset:      {common + info + "assetProfileName customerId type label assetProfileId externalId additionalInfo", "customerTitle label"},
		"/api/customer/" + customer:     {common + contact + "title additionalInfo externalId", contact + "externalId"},
		"/api/user/" + user:             {common + "email authority firstName lastName phone customerId additionalInfo", "firstName lastName phone"},
		"/api/deviceProfile/" + profile: {common + "type transportType provisionType provisionDeviceKey defaultRuleChainId defaultDashboardId defaultQueueName profileData default image description", "provisionDeviceKey defaultRuleChainId defaultDashboardId defaultQueueName"},
		"/api/assetProfile/" + kind:     {common + "defaultRuleChainId defaultDashboardId defaultQueueName default image description", "defaultRuleChainId defaultDashboardId defaultQueueName"},
		"/api/entityView/" + w.view.String(): {
			common + "customerId type entityId keys startTimeMs endTimeMs additionalInfo", "",
		},
		"/api/dashboard/" + w.dashboard.String(): {
			"id createdTime tenantId name version title assignedCustomers image mobileHide mobileOrder configuration", "image mobileOrder",
		},
	} {
		var got map[string]json.RawMessage
		w.call("GET", path, w.adminA, "").is(200).json(&got)
		for _, m := range strings.Fields(f.members) {
			if got[m] == nil {
				t.Errorf("%s has no %s: %s", path, m, got)
			}
		}
		for _, m := range strings.Fields(f.null) {
			if string(got[m]) != "null" {
				t.Errorf("%s: %s is %s", path, m, got[m])
			}
		}
		if c, ok := got["customerId"]; ok && path != "/api/entityView/"+w.view.String() && string(c) != `{"entityType":"CUSTOMER","id":"13814000-1dd2-11b2-8080-808080808080"}` {
			t.Errorf("%s: customerId is %s", path, c)
		}
		if got["unknown"] != nil {
			t.Errorf("%s has kept what it does not know", path)
		}
	}
}

// 3, head: the texts of every entity are bounded and hold no HTML.
func TestTheTextsOfEntities(t *testing.T) {
	w := newWorld(t)
	for i, f := range []struct{ path, who, body, member string }{
		{"/api/device", w.adminA, `{"name":%q}`, "name"},
		{"/api/device", w.adminA, `{"name":"n","type":%q}`, "type"},
		{"/api/device", w.adminA, `{"name":"n","label":%q}`, "label"},
		{"/api/asset", w.adminA, `{"name":%q}`, "name"},
		{"/api/asset", w.adminA, `{"name":"n","type":%q}`, "type"},
		{"/api/asset", w.adminA, `{"name":"n","label":%q}`, "label"},
		{"/api/customer", w.adminA, `{"title":%q}`, "title"},
		{"/api/dashboard", w.adminA, `{"title":%q}`, "title"},
		{"/api/tenant", w.system, `{"title":%q}`, "title"},
		{"/api/tenantProfile", w.system, `{"name":%q}`, "name"},
		{"/api/deviceProfile", w.adminA, `{"name":%q}`, "name"},
		{"/api/assetProfile", w.adminA, `{"name":%q}`, "name"},
		{"/api/entityView", w.adminA, `{"name":%q,"type":"t","entityId":{"entityType":"DEVICE","id":"` + w.owned.String() + `"}}`, "name"},
		{"/api/entityView", w.adminA, `{"name":"n","type":%q,"entityId":{"entityType":"DEVICE","id":"` + w.owned.String() + `"}}`, "type"},
	} {
		body := strings.Replace(f.body, `"n"`, fmt.Sprintf(`"n%d"`, i), 1)
		send := func(text string) *answer { return w.call("POST", f.path, f.who, fmt.Sprintf(body, text)) }
		send(strings.Repeat("x", 256)).fails(400, 31, "Validation error: "+f.member+" length must be equal or less than 255")
		send("<b>x</b>").fails(400, 31, "Validation error: "+f.member+" is malformed")
		send(strings.Repeat(string(rune('à'+i)), 255)).is(200)
	}
	for path, who := range map[string]string{"/api/device": w.adminA, "/api/asset": w.adminA, "/api/deviceProfile": w.adminA, "/api/assetProfile": w.adminA} {
		w.call("POST", path, who, `{"name":" "}`).is(400)
		w.call("POST", path, who, `{}`).is(400)
	}
}

// 3, head: an update that carries an older version is refused, of every kind.
func TestOlderVersionsAreRefused(t *testing.T) {
	w := newWorld(t)
	for read, save := range map[string]string{
		"/api/device/" + w.owned.String(): "/api/device", "/api/asset/" + w.asset.String(): "/api/asset", "/api/customer/" + w.one.String(): "/api/customer",
		"/api/user/" + w.userOne.String(): "/api/user", "/api/entityView/" + w.view.String(): "/api/entityView", "/api/dashboard/" + w.dashboard.String(): "/api/dashboard",
		"/api/device/" + w.owned.String() + "/credentials": "/api/device/credentials",
	} {
		body := w.call("GET", read, w.adminA, "").is(200).Body.String()
		w.call("POST", save, w.adminA, body).is(200)
		got := w.call("POST", save, w.adminA, body).is(409).Body.String()
		if !strings.Contains(got, `"errorCode":35`) {
			t.Errorf("%s: %s", save, got)
		}
	}
}

// 17: what a stock client is told.
func TestWhatTheServerSaysOfItself(t *testing.T) {
	w := newWorld(t)
	var params map[string]json.RawMessage
	w.call("GET", "/api/system/params", w.adminA, "").is(200).json(&params)
	for _, m := range []string{
		"userTokenAccessEnabled", "allowedDashboardIds", "edgesSupportEnabled", "hasRepository", "tbelEnabled",
		"persistDeviceStateToTelemetry", "userSettings", "maxDatapointsLimit",
	} {
		if params[m] == nil {
			t.Errorf("params have no %s", m)
		}
	}
	if got := string(params["maxDatapointsLimit"]); got != "50000" {
		t.Error(got)
	}
}
