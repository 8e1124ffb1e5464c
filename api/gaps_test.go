package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// Version 0 was never read by anybody, so whoever sends it does not know what is there.
func TestAnExplicitVersionZeroConflicts(t *testing.T) {
	w := newWorld(t)
	body := fmt.Sprintf(`{"id":{"entityType":"DEVICE","id":%q},"name":"owned","version":%%s}`, w.owned)
	for _, v := range []string{"0", "-1", "7"} {
		w.call("POST", "/api/device", w.adminA, fmt.Sprintf(body, v)).
			fails(409, 35, "Device was already changed by someone else")
	}
	w.call("POST", "/api/device", w.adminA, fmt.Sprintf(body, "null")).is(200)
	w.call("POST", "/api/device", w.adminA, fmt.Sprintf(body, "2")).is(200)
	w.call("POST", "/api/customer", w.adminA, fmt.Sprintf(`{"id":{"entityType":"CUSTOMER","id":%q},"title":"One","version":0}`, w.one)).is(409)
	w.call("POST", "/api/customer", w.adminA, `{"title":"New","version":0}`).is(200) // there is nothing to conflict with
}

// Clients write "startTs=" for "no start".
func TestAnEmptyParameterIsNone(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1000,"values":{"t":1}}`)
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=&endTs="), w.adminA, "").is(200, `{"t":[{"ts":1000,"value":"1"}]}`)
	w.call("GET", w.at("/values/timeseries?startTs=0&endTs=2000&interval=&agg=&limit=&orderBy=&useStrictDataTypes=&keys=t"), w.adminA, "").
		is(200, `{"t":[{"ts":1000,"value":"1"}]}`)
	w.call("GET", w.at("/values/timeseries/history?keys=t&startTs=0&endTs="), w.adminA, "").
		fails(400, 31, "Required request parameter 'endTs' is not present")
	w.call("GET", "/api/tenant/deviceInfos?pageSize=9&page=0&active=&deviceProfileId=&type=&textSearch=&sortOrder=", w.adminA, "").is(200)
	w.call("GET", "/api/tenant/deviceInfos?pageSize=&page=0", w.adminA, "").fails(400, 31, "Required request parameter 'pageSize' is not present")
	w.call("GET", "/api/tenant/device?deviceName=", w.adminA, "").fails(400, 31, "Parameter 'deviceName' can't be empty!")
}

// Every parameter of the document that is no free text may be sent empty.
func TestEveryTypedParameterMayBeEmpty(t *testing.T) {
	var missing []string
	for _, item := range spec(t).Paths.Map() {
		for _, op := range item.Operations() {
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				s := p.Value.Schema.Value
				text := s.Type.Is("string") && s.Format == "" && len(s.Enum) == 0 || s.Type.Is("array")
				if p.Value.In == openapi3.ParameterInQuery && !text && !slices.Contains(api.TypedParameters, p.Value.Name) {
					missing = append(missing, p.Value.Name)
				}
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("%v may not be sent empty", missing)
	}
}

func TestAContactNeedsARealAddress(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/customer", w.adminA, `{"title":"x","email":"nobody"}`).fails(400, 31, "Invalid email address format 'nobody'!")
	w.call("POST", "/api/tenant", w.system, `{"title":"x","email":"a@b@c"}`).fails(400, 31, "Invalid email address format 'a@b@c'!")
	w.call("POST", "/api/customer", w.adminA, `{"title":"x","email":""}`).is(200)
}

// Contract 3.2.
func TestEveryKindOfCredentials(t *testing.T) {
	w := newWorld(t)
	var c api.DeviceCredentials
	path := "/api/device/" + w.owned.String() + "/credentials"
	w.call("GET", path, w.adminA, "").is(200).json(&c)
	save := func(rest string) *answer {
		t.Helper()
		return w.call("POST", "/api/device/credentials", w.adminA,
			fmt.Sprintf(`{"id":{"id":%q},"deviceId":{"entityType":"DEVICE","id":%q},%s}`, c.ID.ID, w.owned, rest))
	}
	got := func(want string) {
		t.Helper()
		if body := w.call("GET", path, w.adminA, "").is(200).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s has no %s", body, want)
		}
	}
	save(`"credentialsType":"LWM2M_CREDENTIALS","credentialsId":"urn:imei:7","credentialsValue":"{\"client\":{}}"`).is(200)
	got(`"credentialsId":"urn:imei:7"`)
	save(`"credentialsType":"LWM2M_CREDENTIALS","credentialsId":"x","credentialsValue":"{"`).fails(400, 31, "Invalid credentials body for LwM2M credentials!")
	save(`"credentialsType":"MQTT_BASIC","credentialsValue":"{\"userName\":\"u\",\"password\":\"p\"}"`).is(200)
	got(`"credentialsId":"u"`)
	save(`"credentialsType":"MQTT_BASIC","credentialsValue":"{}"`).is(400)
	save(`"credentialsType":"X509_CERTIFICATE","credentialsValue":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"`).is(200)
	save(`"credentialsType":"ACCESS_TOKEN","credentialsId":"a\u0007b"`).fails(400, 31, "Device credentials should not contain control characters!")
	save(`"credentialsType":"ACCESS_TOKEN","credentialsId":"t","version":0`).is(409)
	save(`"credentialsType":"CARRIER_PIGEON"`).is(400)
}

// Contract 3.5: an administrator lets users in and out.
func TestUsersAreDisabledAndEnabled(t *testing.T) {
	w := newWorld(t)
	path := "/api/user/" + w.userOne.String() + "/userCredentialsEnabled"
	w.call("GET", "/api/auth/user", w.oneUser, "").is(200)
	w.call("POST", path+"?userCredentialsEnabled=false", w.adminA, "").is(200, "")
	w.call("GET", "/api/auth/user", w.oneUser, "").fails(401, 11, "Token has expired")
	w.call("POST", "/api/auth/login", "", `{"username":"one@example.org","password":"`+password+`"}`).
		fails(401, 10, "User account is not active")
	w.call("POST", path, w.adminA, "").is(200, "") // true, when nothing is said
	w.login("one@example.org")

	u := post[api.User](w, "/api/user?sendActivationMail=false", w.adminA, `{"email":"n@example.org","authority":"TENANT_ADMIN"}`)
	w.call("POST", "/api/user/"+u.ID.ID.String()+"/userCredentialsEnabled", w.adminA, "").
		fails(400, 31, "Enabled user credentials should have password!")
	w.call("POST", "/api/user/"+w.adminID.String()+"/userCredentialsEnabled?userCredentialsEnabled=false", w.adminA, "").
		fails(403, 20, "Users are not allowed to disable themselves!")
	// Who has a password needs no activation, enabled or not.
	w.call("POST", path+"?userCredentialsEnabled=false", w.adminA, "").is(200, "")
	w.call("GET", "/api/user/"+w.userOne.String()+"/activationLink", w.adminA, "").fails(400, 31, "User is already activated!")
}

// Contract 3.5: with the setting, an administrator logs in as a user.
func TestAdministratorsLogInAsUsersWhereAllowed(t *testing.T) {
	w := newWorld(t)
	path := "/api/user/" + w.userOne.String() + "/token"
	w.call("GET", path, w.adminA, "").fails(403, 20, "You don't have permission to perform this operation!")
	w = newWorld(t, func(d *api.Deps) { d.UserTokens = true })
	path = "/api/user/" + w.userOne.String() + "/token"
	var pair api.TokenPair
	w.call("GET", path, w.adminA, "").is(200).json(&pair)
	var u api.User
	w.call("GET", "/api/auth/user", pair.Token, "").is(200).json(&u)
	if u.Email != "one@example.org" {
		t.Errorf("%+v", u)
	}
	w.call("GET", path, w.system, "").is(403)
	w.call("GET", "/api/user/"+w.adminID.String()+"/token", w.system, "").is(200)
	w.call("POST", "/api/user/"+w.userOne.String()+"/userCredentialsEnabled?userCredentialsEnabled=false", w.adminA, "").is(200)
	w.call("GET", path, w.adminA, "").fails(400, 31, "User account is not active")
	if got := w.call("GET", "/api/system/params", w.adminA, "").is(200).Body.String(); !strings.Contains(got, `"userTokenAccessEnabled":true`) {
		t.Error(got)
	}
}

// Contract 3.4.
func TestDeviceProfilesHaveADefaultKeysAndAnEnd(t *testing.T) {
	w := newWorld(t)
	p := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, fmt.Sprintf(`{"name":"meter","transportType":"LWM2M","provisionType":"ALLOW_CREATE_NEW_DEVICES",
		"provisionDeviceKey":"k","defaultQueueName":"Main","image":"tb-image","defaultDashboardId":{"entityType":"DASHBOARD","id":%q}}`, w.dashboard))
	if *p.ProvisionDeviceKey != "k" || *p.DefaultQueueName != "Main" || *p.Image != "tb-image" || p.DefaultDashboardID.ID != model.ID(w.dashboard) {
		t.Errorf("%+v", p)
	}
	path := "/api/deviceProfile/" + p.ID.ID.String()
	info := func(want string) {
		t.Helper()
		var i api.DeviceProfileInfo
		w.call("GET", "/api/deviceProfileInfo/default", w.oneUser, "").is(200).json(&i)
		if i.Name != want {
			t.Errorf("the default is %s, want %s", i.Name, want)
		}
	}
	info("default")
	w.call("GET", "/api/deviceProfileInfo/"+p.ID.ID.String(), w.oneUser, "").is(200)
	w.call("POST", path+"/default", w.adminA, "").is(200)
	info("meter")
	w.call("DELETE", path, w.adminA, "").fails(400, 31, "Deletion of Default Device Profile is prohibited!")

	w.save(`{"a":1,"b":2}`)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"s":1}`).is(200)
	w.call("POST", "/api/v1/free-token/telemetry", "", `{"b":1,"c":2}`).is(200)
	w.call("GET", "/api/deviceProfile/devices/keys/timeseries", w.adminA, "").is(200, `["a","b","c"]`+"\n")
	w.call("GET", "/api/deviceProfile/devices/keys/attributes", w.adminA, "").is(200, `["s"]`+"\n")
	w.call("GET", "/api/deviceProfile/devices/keys/timeseries?deviceProfileId="+p.ID.ID.String(), w.adminA, "").is(200, "[]\n")
	gone := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, `{"name":"gone"}`)
	w.call("DELETE", "/api/deviceProfile/"+gone.ID.ID.String(), w.adminA, "").is(200, "")
	w.call("GET", "/api/deviceProfile/"+gone.ID.ID.String(), w.adminA, "").is(404)
}

func TestADashboardIsShownToEverybody(t *testing.T) {
	w := newWorld(t)
	path := "/api/customer/public/dashboard/" + w.dashboard.String()
	public := func(want bool) {
		t.Helper()
		var d api.DashboardInfo
		w.call("GET", "/api/dashboard/info/"+w.dashboard.String(), w.adminA, "").is(200).json(&d)
		if got := slices.ContainsFunc(d.AssignedCustomers, func(c api.AssignedCustomer) bool { return c.Public }); got != want {
			t.Errorf("%+v", d)
		}
	}
	w.call("POST", path, w.adminA, "").is(200)
	public(true)
	w.call("DELETE", path, w.adminA, "").is(200)
	public(false)
	d := post[api.Dashboard](w, "/api/dashboard", w.adminA, `{"title":"x","image":"tb-image","mobileHide":true,"mobileOrder":3}`)
	if *d.Image != "tb-image" || !d.MobileHide || *d.MobileOrder != 3 {
		t.Errorf("%+v", d)
	}
}
