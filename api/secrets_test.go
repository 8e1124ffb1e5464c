package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

// public returns a token of somebody who followed a public link.
func (w *world) public() string {
	w.t.Helper()
	return post[api.TokenPair](w, "/api/auth/login/public", "", fmt.Sprintf(`{"publicId":%q}`, w.publicCustomer())).Token
}

// What lets a device into the tenant is shown to those who may change the profile (contract 16.1).
func TestProvisioningSecretsAreForAdministrators(t *testing.T) {
	w := newWorld(t)
	save := func(data string) string {
		p := post[api.DeviceProfile](w, "/api/deviceProfile", w.adminA, fmt.Sprintf(`{"name":"meter %d","provisionType":"ALLOW_CREATE_NEW_DEVICES",
			"provisionDeviceKey":"open-key %d","profileData":%s}`, len(data), len(data), data))
		return "/api/deviceProfile/" + p.ID.ID.String()
	}
	const configuration = `"configuration":{"type":"DEFAULT","9007199254740993":9007199254740993},"transportConfiguration":{"type":"DEFAULT"}`
	path := save(`{` + configuration + `,"provisionConfiguration":{"type":"ALLOW_CREATE_NEW_DEVICES","provisionDeviceSecret":"open-sesame"}}`)
	twice := save(`{"provisionConfiguration":{"provisionDeviceSecret":"open-sesame"},"provisionConfiguration":{"provisionDeviceSecret":"open-sesame"},"alarms":[]}`)
	reader := w.token(`{"name":"reader","scopes":["read:telemetry"]}`).Token
	manager := w.token(`{"name":"manager","scopes":["admin"]}`).Token
	public := w.public()
	for _, token := range []string{w.adminA, manager} {
		var p struct {
			ProvisionDeviceKey string
			ProfileData        struct {
				ProvisionConfiguration struct{ ProvisionDeviceSecret string }
			}
		}
		w.call("GET", path, token, "").is(200).json(&p)
		if !strings.HasPrefix(p.ProvisionDeviceKey, "open-key") || p.ProfileData.ProvisionConfiguration.ProvisionDeviceSecret != "open-sesame" {
			t.Errorf("an administrator is shown %+v", p)
		}
	}
	for who, token := range map[string]string{"user": w.oneUser, "public": public, "read": reader} {
		for _, path := range []string{path, twice, strings.Replace(path, "deviceProfile", "deviceProfileInfo", 1)} {
			if body := w.call("GET", path, token, "").is(200).Body.String(); strings.Contains(body, "open-") {
				t.Errorf("%s is shown %s", who, body)
			}
		}
		var p map[string]json.RawMessage
		w.call("GET", path, token, "").is(200).json(&p)
		want := `{"alarms":null,` + configuration + `,"provisionConfiguration":{"provisionDeviceSecret":null,"type":"ALLOW_CREATE_NEW_DEVICES"}}`
		if got := string(p["profileData"]); string(p["provisionDeviceKey"]) != "null" || !sameMembers(t, got, want) {
			t.Errorf("%s: key %s, data %s", who, p["provisionDeviceKey"], got)
		}
	}
}

// sameMembers compares objects whose members may stand in another order.
func sameMembers(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y map[string]json.RawMessage
	check(t, json.Unmarshal([]byte(a), &x))
	check(t, json.Unmarshal([]byte(b), &y))
	for name := range x {
		if string(x[name]) != string(y[name]) {
			return false
		}
	}
	return len(x) == len(y)
}

// A token that is no administrator's is for telemetry: it does not learn who there is.
func TestTokensWithoutAdminSeeNoUsers(t *testing.T) {
	w := newWorld(t)
	const users = `{"entityFilter":{"type":"entityType","entityType":"USER"},"pageLink":{"pageSize":100},"entityFields":[{"type":"ENTITY_FIELD","key":"email"}]}`
	find := func(token string) string {
		return w.call("POST", "/api/entitiesQuery/find", token, users).is(200).Body.String()
	}
	if got := find(w.adminA); !strings.Contains(got, "one@example.org") {
		t.Fatalf("an administrator finds %s", got)
	}
	if got := find(w.token(`{"name":"manager","scopes":["admin"]}`).Token); !strings.Contains(got, "one@example.org") {
		t.Errorf("a token for all finds %s", got)
	}
	reader := w.token(`{"name":"reader","scopes":["read:telemetry","write:telemetry","rpc"]}`).Token
	named := w.token(fmt.Sprintf(`{"name":"named","scopes":["read:telemetry"],"entities":[%q]}`, w.userOne)).Token
	for _, token := range []string{reader, named, w.public()} {
		if got := find(token); strings.Contains(got, "@") {
			t.Errorf("found %s", got)
		}
		user := w.userOne.String()
		w.call("GET", "/api/user/"+user, token, "").is(403)
		w.call("GET", "/api/plugins/telemetry/USER/"+user+"/values/attributes", token, "").is(403)
		w.call("GET", "/api/relations?fromType=USER&fromId="+user, token, "").is(403)
	}
	w.call("POST", "/api/entitiesQuery/count", reader, `{"entityFilter":{"type":"entityType","entityType":"USER"}}`).is(200, "0")
}
