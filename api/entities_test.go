package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// post saves an entity and returns it.
func post[T any](w *world, path, token, body string) (v T) {
	w.t.Helper()
	w.call("POST", path, token, body).is(200).json(&v)
	return v
}

func TestADeviceIsCreatedReadUpdatedAndDeleted(t *testing.T) {
	w := newWorld(t)
	d := post[api.Device](w, "/api/device?accessToken=seven", w.adminA, `{"name":"Pump 7","type":"pump","label":"cellar","additionalInfo":{"gateway":false}}`)
	if d.Type != "pump" || d.Version != 1 || *d.Label != "cellar" || d.TenantID.ID.String() != w.a.String() || model.CustomerID(d.CustomerID.ID) != model.NoCustomer {
		t.Errorf("%+v", d)
	}
	path := "/api/device/" + d.ID.ID.String()
	got := w.call("GET", path, w.adminA, "").is(200)
	// Members without a value are there, as null.
	for _, member := range []string{`"firmwareId":null`, `"softwareId":null`, `"externalId":null`, `"deviceData":{"configuration":{"type":"DEFAULT"}`, `"additionalInfo":{"gateway":false}`} {
		if !strings.Contains(got.Body.String(), member) {
			t.Errorf("%s is missing in %s", member, got.Body)
		}
	}
	w.call("POST", "/api/v1/seven/telemetry", "", `{"t":1}`).is(200)

	// Clients send back what they read, with a member changed.
	changed := strings.Replace(got.Body.String(), `"label":"cellar"`, `"label":null`, 1)
	d = post[api.Device](w, "/api/device", w.adminA, changed)
	if d.Label != nil || d.Version != 2 || d.Type != "pump" {
		t.Errorf("%+v", d)
	}
	w.call("POST", "/api/device", w.adminA, changed).is(409)

	w.call("DELETE", path, w.adminA, "").is(200, "")
	w.call("GET", path, w.adminA, "").fails(404, 32, "Device with id ["+d.ID.ID.String()+"] is not found")
	w.call("POST", "/api/v1/seven/telemetry", "", `{"t":1}`).is(401, "")
}

func TestADeviceIsRefusedWithTheContractsWords(t *testing.T) {
	w := newWorld(t)
	f := func(body string, message string) {
		t.Helper()
		w.call("POST", "/api/device", w.adminA, body).fails(400, 31, message)
	}
	f(`{"name":"owned"}`, "Device with such name already exists!")
	f(`{"name":"`+strings.Repeat("x", 256)+`"}`, "Validation error: name length must be equal or less than 255")
	f(`{"name":"<script>"}`, "Validation error: name is malformed")
	f(`{"name":"x"} trailing`, "Invalid JSON body: invalid character 't' after top-level value")
	f(`{"name":7}`, "Invalid JSON body: unexpected number in 'name'")
	f(`{"name":"x","id":{"entityType":"DEVICE","id":"no"}}`, `Invalid JSON body: Invalid UUID string: "no"`)
	f(`{"name":"x","additionalInfo":"text"}`, "Invalid JSON body: 'additionalInfo' is not an object")
	w.call("POST", "/api/dashboard", w.adminA, `{"title":"x","configuration":[1]}`).
		fails(400, 31, "Invalid JSON body: 'configuration' is not an object")
	w.call("GET", "/api/device/no-uuid", w.adminA, "").is(400)
	w.call("POST", "/api/device", w.oneUser, `{"name":"mine"}`).is(403)
	w.call("PUT", "/api/device", w.adminA, `{}`).fails(405, 31, "Request method 'PUT' is not supported")
}

// What a client must not choose is not there to be chosen.
func TestMassAssignmentIsImpossible(t *testing.T) {
	w := newWorld(t)
	d := post[api.Device](w, "/api/device", w.adminA, fmt.Sprintf(
		`{"name":"x","createdTime":5,"version":null,"tenantId":{"entityType":"TENANT","id":%q},"unknown":{"a":[1]}}`, w.b))
	if d.TenantID.ID.String() != w.a.String() || d.CreatedTime == 5 {
		t.Errorf("%+v", d)
	}
	// A customer's user changes a device and not whose it is.
	body := func(customer model.CustomerID) string {
		return fmt.Sprintf(`{"id":{"entityType":"DEVICE","id":%q},"name":"owned","customerId":{"entityType":"CUSTOMER","id":%q}}`, w.owned, customer)
	}
	w.call("POST", "/api/device", w.oneUser, body(w.one)).is(200)
	w.call("POST", "/api/device", w.oneUser, body(w.two)).is(403)
	w.call("POST", "/api/device", w.oneUser, body(model.NoCustomer)).is(403)
	if d := post[api.Device](w, "/api/device", w.adminA, body(w.two)); model.CustomerID(d.CustomerID.ID) != w.two {
		t.Errorf("%+v", d)
	}
	w.call("GET", "/api/device/"+w.owned.String(), w.oneUser, "").is(403)
}

func TestDevicesAreListedByNameTypeAndCustomer(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		post[api.Device](w, "/api/device", w.adminA, fmt.Sprintf(`{"name":"pump %d","type":"pump"}`, i))
	}
	names := func(path, token string) string {
		t.Helper()
		var p api.PageDevice
		w.call("GET", path, token, "").is(200).json(&p)
		out := fmt.Sprintf("%d/%d/%v:", p.TotalElements, p.TotalPages, p.HasNext)
		for _, d := range p.Data {
			out += " " + d.Name
		}
		return out
	}
	f := func(path, token, want string) {
		t.Helper()
		if got := names(path, token); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	all := "/api/tenant/devices?pageSize=3&sortProperty=name&page="
	f(all+"0", w.adminA, "7/3/true: free owned pump 0")
	f(all+"2", w.adminA, "7/3/false: pump 4")
	f(all+"3", w.adminA, "7/3/false:")
	f(all+"0&sortOrder=desc", w.adminA, "7/3/true: pump 4 pump 3 pump 2")
	f(all+"0&textSearch=PUMP&type=pump", w.adminA, "5/2/true: pump 0 pump 1 pump 2")
	f("/api/customer/"+w.one.String()+"/devices?pageSize=9&page=0", w.oneUser, "1/1/false: owned")
	f("/api/tenant/deviceInfos?pageSize=2&page=0&sortProperty=name&type=pump", w.adminA, "5/3/true: pump 0 pump 1")
	f("/api/customer/"+w.one.String()+"/deviceInfos?pageSize=9&page=0", w.oneUser, "1/1/false: owned")

	fails := func(query, message string) {
		t.Helper()
		w.call("GET", "/api/tenant/devices?"+query, w.adminA, "").fails(400, 31, message)
	}
	fails("pageSize=1&page=0&sortProperty=shoeSize", "Invalid sort property")
	fails("pageSize=1&page=0&sortOrder=UP", "Unsupported sort order 'UP'! Only 'ASC' or 'DESC' types are allowed.")
	fails("pageSize=0&page=0", "Incorrect page link page size '0'. Page size must be greater than zero.")
	fails("page=0", "Required request parameter 'pageSize' is not present")
	w.call("GET", "/api/tenants?page=0", w.system, "").is(400)
	w.call("GET", "/api/tenant/devices?pageSize=9223372036854775807&page=9223372036854775807", w.adminA, "").is(200)

	var d api.Device
	w.call("GET", "/api/tenant/devices?deviceName=owned", w.adminA, "").is(200).json(&d)
	if d.Name != "owned" {
		t.Errorf("%+v", d)
	}
	w.call("GET", "/api/tenant/device?deviceName=owned", w.adminA, "").is(200)
	w.call("GET", "/api/tenant/device?deviceName=nobody", w.adminA, "").is(404)

	var some []api.Device
	w.call("GET", fmt.Sprintf("/api/devices?deviceIds=%s,%s,%s", w.free, w.foreign, w.owned), w.adminA, "").is(200).json(&some)
	if len(some) != 2 || some[0].Name != "free" || some[1].Name != "owned" {
		t.Errorf("%+v", some)
	}
	w.call("GET", "/api/device/types", w.adminA, "").is(200, fmt.Sprintf(
		`[{"entityType":"DEVICE","tenantId":{"entityType":"TENANT","id":"%[1]s"},"type":"default"},{"entityType":"DEVICE","tenantId":{"entityType":"TENANT","id":"%[1]s"},"type":"pump"}]`, w.a)+"\n")
}

func TestADeviceIsAssignedAndTakenBack(t *testing.T) {
	w := newWorld(t)
	free := w.free.String()
	w.call("DELETE", "/api/customer/device/"+free, w.adminA, "").fails(400, 31, "Device isn't assigned to any customer!")
	d := post[api.Device](w, "/api/customer/"+w.two.String()+"/device/"+free, w.adminA, "")
	if model.CustomerID(d.CustomerID.ID) != w.two {
		t.Errorf("%+v", d)
	}
	w.call("GET", "/api/device/"+free, w.twoUser, "").is(200)
	w.call("DELETE", "/api/customer/device/"+free, w.adminA, "").is(200)
	w.call("GET", "/api/device/"+free, w.twoUser, "").is(403)

	post[api.Device](w, "/api/customer/public/device/"+free, w.adminA, "")
	var info api.DeviceInfo
	w.call("GET", "/api/device/info/"+free, w.adminA, "").is(200).json(&info)
	if !info.CustomerIsPublic || info.CustomerTitle == nil {
		t.Errorf("%+v", info)
	}
}

// Contract 3.2.
func TestCredentialsAreReadAndChanged(t *testing.T) {
	w := newWorld(t)
	path := "/api/device/" + w.owned.String() + "/credentials"
	var c api.DeviceCredentials
	w.call("GET", path, w.oneUser, "").is(200).json(&c)
	if c.CredentialsID != "owned-token" || c.CredentialsValue != nil || c.CredentialsType != api.CredentialsTypeACCESSTOKEN {
		t.Errorf("%+v", c)
	}
	save := func(c api.DeviceCredentials, token string) *answer {
		b, err := json.Marshal(c)
		check(t, err)
		return w.call("POST", "/api/device/credentials", token, string(b))
	}
	c.CredentialsID = "free-token"
	save(c, w.adminA).is(400)
	c.CredentialsID = "fresh"
	stranger := c
	stranger.ID.ID = model.ID{1}
	save(stranger, w.adminA).fails(400, 31, "Unable to update non-existent device credentials!")
	save(c, w.oneUser).is(403)
	save(c, w.adminA).is(200)
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`).is(401, "")
	w.call("POST", "/api/v1/fresh/telemetry", "", `{"t":1}`).is(200, "")

	d := post[api.Device](w, "/api/device-with-credentials", w.adminA,
		`{"device":{"name":"both"},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":"both-token"}}`)
	w.call("POST", "/api/v1/both-token/telemetry", "", `{"t":1}`).is(200, "")
	post[api.Device](w, "/api/device-with-credentials", w.adminA, fmt.Sprintf(
		`{"device":{"id":{"entityType":"DEVICE","id":%q},"name":"both"},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":"other"}}`, d.ID.ID))
	w.call("POST", "/api/v1/other/telemetry", "", `{"t":1}`).is(200, "")

	var commands map[string]map[string]string
	w.call("GET", "/api/device-connectivity/"+d.ID.ID.String(), w.adminA, "").is(200).json(&commands)
	if got := commands["http"]["http"]; !strings.Contains(got, "'http://example.com/api/v1/other/telemetry'") {
		t.Errorf("%v", commands)
	}
}

func TestProfilesAreSavedAndListed(t *testing.T) {
	w := newWorld(t)
	p := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, `{"name":"meter","description":"all makes","profileData":{"configuration":{"type":"DEFAULT"},"x":9007199254740993}}`)
	if p.Name != "meter" || p.TransportType != api.TransportTypeDEFAULT || !strings.Contains(string(p.ProfileData), "9007199254740993") {
		t.Errorf("%+v", p)
	}
	w.call("GET", "/api/deviceProfile/"+p.ID.ID.String(), w.oneUser, "").is(200)
	w.call("POST", "/api/deviceProfile", w.adminA, `{"name":"odd","transportType":"PIGEON"}`).is(400)
	d := post[api.Device](w, "/api/device", w.adminA, fmt.Sprintf(`{"name":"m","deviceProfileId":{"entityType":"DEVICE_PROFILE","id":%q}}`, p.ID.ID))
	if d.Type != "meter" {
		t.Errorf("%+v", d)
	}
	var infos api.PageDeviceProfileInfo
	w.call("GET", "/api/deviceProfileInfos?pageSize=9&page=0&sortProperty=name", w.oneUser, "").is(200).json(&infos)
	if infos.TotalElements != 2 || infos.Data[1].Name != "meter" {
		t.Errorf("%+v", infos)
	}
	w.call("GET", "/api/deviceProfiles?pageSize=9&page=0", w.adminA, "").is(200)
}

// Contract 15: the configuration belongs to the client, to the byte.
func TestADashboardsConfigurationComesBackByteForByte(t *testing.T) {
	w := newWorld(t)
	const configuration = `{ "b" : 1,  "a":9007199254740993, "html":"<b>&</b>", "e":"\u00e9", "n": 1.50 }`
	saved := w.call("POST", "/api/dashboard", w.adminA, `{"title":"Mine","configuration":`+configuration+`}`).is(200)
	var d api.DashboardInfo
	saved.json(&d)
	path := "/api/dashboard/" + d.ID.ID.String()
	for _, a := range []*answer{saved, w.call("GET", path, w.adminA, "").is(200)} {
		if !strings.HasSuffix(a.Body.String(), `,"configuration":`+configuration+`}`) {
			t.Errorf("%s", a.Body)
		}
	}
	post[api.Dashboard](w, "/api/dashboard", w.adminA, fmt.Sprintf(`{"id":{"entityType":"DASHBOARD","id":%q},"title":"Yours"}`, d.ID.ID))
	if got := w.call("GET", path, w.adminA, "").is(200).Body.String(); !strings.HasSuffix(got, `"configuration":null}`) {
		t.Error(got)
	}

	assign := fmt.Sprintf("/api/customer/%s/dashboard/%s", w.two, d.ID.ID)
	w.call("GET", path, w.twoUser, "").is(403)
	w.call("POST", assign, w.adminA, "").is(200)
	w.call("GET", path, w.twoUser, "").is(200)
	var shown api.PageDashboardInfo
	w.call("GET", "/api/customer/"+w.two.String()+"/dashboards?pageSize=9&page=0", w.twoUser, "").is(200).json(&shown)
	if len(shown.Data) != 1 || len(shown.Data[0].AssignedCustomers) != 1 || shown.Data[0].AssignedCustomers[0].Title != "Two" {
		t.Errorf("%+v", shown)
	}
	w.call("POST", "/api/dashboard", w.twoUser, `{"title":"x"}`).is(403)
	w.call("DELETE", path, w.twoUser, "").is(403)
	w.call("DELETE", assign, w.adminA, "").is(200)
	w.call("GET", path, w.twoUser, "").is(403)
	w.call("DELETE", path, w.adminA, "").is(200, "")
	w.call("GET", path, w.adminA, "").is(404)
}

func TestTenantsBelongToSystemAdministrators(t *testing.T) {
	w := newWorld(t)
	v := post[api.Tenant](w, "/api/tenant", w.system, `{"title":"New","city":"Delft"}`)
	if v.Name != "New" || *v.City != "Delft" || v.Country != nil {
		t.Errorf("%+v", v)
	}
	path := "/api/tenant/" + v.ID.ID.String()
	u := post[api.User](w, "/api/user", w.system, fmt.Sprintf(`{"email":"n@example.org","authority":"TENANT_ADMIN","tenantId":{"entityType":"TENANT","id":%q}}`, v.ID.ID))
	var users api.PageUser
	w.call("GET", path+"/users?pageSize=9&page=0", w.system, "").is(200).json(&users)
	if len(users.Data) != 1 || users.Data[0].ID != u.ID {
		t.Errorf("%+v", users)
	}
	w.call("GET", "/api/tenant/"+w.a.String(), w.adminA, "").is(200)
	w.call("DELETE", "/api/tenant/"+w.a.String(), w.adminA, "").is(403)
	w.call("DELETE", path, w.system, "").is(200, "")
	w.call("GET", path, w.system, "").is(404)
}

func TestUsersAreManagedByWhoeverIsAboveThem(t *testing.T) {
	w := newWorld(t)
	user := func(token, rest string) *answer {
		return w.call("POST", "/api/user", token, `{"email":"x@example.org",`+rest+`}`)
	}
	customer := fmt.Sprintf(`"customerId":{"entityType":"CUSTOMER","id":%q}`, w.one)
	user(w.adminA, `"authority":"SYS_ADMIN"`).is(403)
	user(w.adminA, `"authority":"CUSTOMER_USER"`).fails(400, 31, "Parameter 'customerId' can't be empty!")
	user(w.adminB, `"authority":"CUSTOMER_USER",`+customer).is(404)
	user(w.system, `"authority":"CUSTOMER_USER",`+customer).is(403)
	user(w.oneUser, `"authority":"CUSTOMER_USER",`+customer).is(403)
	user(w.adminA, `"authority":"EMPEROR"`).is(400)
	var u api.User
	user(w.adminA, `"authority":"CUSTOMER_USER",`+customer).is(200).json(&u)
	user(w.adminA, `"authority":"CUSTOMER_USER",`+customer).is(400) // the address is taken

	me := fmt.Sprintf(`{"id":{"entityType":"USER","id":%q},"email":"one@example.org","firstName":"Uno","authority":`, w.userOne)
	w.call("POST", "/api/user", w.oneUser, me+`"TENANT_ADMIN"}`).is(400)
	if got := post[api.User](w, "/api/user", w.oneUser, me+`"CUSTOMER_USER"}`); *got.FirstName != "Uno" || model.CustomerID(got.CustomerID.ID) != w.one {
		t.Errorf("%+v", got)
	}
	w.call("GET", "/api/auth/user", w.oneUser, "").is(200)

	var list api.PageUser
	w.call("GET", "/api/users?pageSize=9&page=0", w.oneUser, "").is(200).json(&list)
	if list.TotalElements != 2 {
		t.Errorf("%+v", list)
	}
	w.call("GET", "/api/customer/"+w.one.String()+"/users?pageSize=9&page=0", w.adminA, "").is(200).json(&list)
	if list.TotalElements != 2 {
		t.Errorf("%+v", list)
	}
	w.call("DELETE", "/api/user/"+w.adminID.String(), w.adminA, "").is(403)
	w.call("DELETE", "/api/user/"+w.userOne.String(), w.adminA, "").is(200, "")
	w.call("GET", "/api/auth/user", w.oneUser, "").is(401)
}

func TestCustomersAreSavedFoundAndDeleted(t *testing.T) {
	w := newWorld(t)
	c := post[api.Customer](w, "/api/customer", w.adminA, `{"title":"Häfen","email":"h@example.org"}`)
	path := "/api/customer/" + c.ID.ID.String()
	w.call("GET", path+"/title", w.adminA, "").is(200, "Häfen")
	w.call("GET", path+"/shortInfo", w.adminA, "").is(200, `{"isPublic":false,"title":"Häfen"}`+"\n")
	w.call("GET", "/api/tenant/customers?customerTitle=H%C3%A4fen", w.adminA, "").is(200)
	w.call("GET", "/api/tenant/customers?customerTitle=Else", w.adminA, "").is(404)
	w.call("GET", "/api/customer/"+w.one.String(), w.oneUser, "").is(200)
	var list api.PageCustomer
	w.call("GET", "/api/customers?pageSize=9&page=0", w.adminA, "").is(200).json(&list)
	if list.TotalElements != 3 {
		t.Errorf("%+v", list)
	}
	// Deleting a customer unassigns what it had.
	w.call("DELETE", "/api/customer/"+w.one.String(), w.adminA, "").is(200, "")
	var d api.Device
	w.call("GET", "/api/device/"+w.owned.String(), w.adminA, "").is(200).json(&d)
	if model.CustomerID(d.CustomerID.ID) != model.NoCustomer {
		t.Errorf("%+v", d)
	}
}

func TestSystemRoutes(t *testing.T) {
	w := newWorld(t)
	w.call("GET", "/api/dashboard/serverTime", w.oneUser, "").is(200, "1700000000000\n")
	w.call("GET", "/api/dashboard/maxDatapointsLimit", w.oneUser, "").is(200, "50000\n")
	w.call("GET", "/api/system/params", w.oneUser, "").is(200)
}

// Contract 3.6: what a device's info says of active is what queries over its attribute find.
func TestInfosAndQueriesAgreeOnWhoIsActive(t *testing.T) {
	w := newWorld(t)
	at := "/api/plugins/telemetry/DEVICE/" + w.free.String() + "/SERVER_SCOPE"
	f := func(active bool) {
		t.Helper()
		w.call("POST", at, w.adminA, fmt.Sprintf(`{"active":%v}`, active)).is(200)
		var info api.DeviceInfo
		w.call("GET", "/api/device/info/"+w.free.String(), w.adminA, "").is(200).json(&info)
		var page api.PageDeviceInfo
		w.call("GET", fmt.Sprintf("/api/tenant/deviceInfos?pageSize=9&page=0&textSearch=free&active=%v", active), w.adminA, "").is(200).json(&page)
		if info.Active != active || len(page.Data) != 1 || page.Data[0].Active != active {
			t.Errorf("saved %v: %+v, %+v", active, info, page.Data)
		}
		w.finds(w.adminA, fmt.Sprintf(`{"entityFilter":{"type":"entityType","entityType":"DEVICE"},%s,"keyFilters":[{"key":{"type":"ATTRIBUTE","key":"active"},"valueType":"BOOLEAN",
			"predicate":{"type":"BOOLEAN","operation":"EQUAL","value":{"defaultValue":%v}}}]}`, byName, active), "free")
	}
	f(true)
	f(false)
	f(true)
}
