package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// userOf returns the id of a user, as itself sees it.
func (w *world) userOf(token string) model.ID {
	w.t.Helper()
	var u api.User
	w.call("GET", "/api/auth/user", token, "").is(200).json(&u)
	return u.ID.ID
}

func keyBody(user model.ID, more string) string {
	return fmt.Sprintf(`{"userId":{"entityType":"USER","id":%q},"description":"nightly"%s}`, user, more)
}

// newKey makes a key that a user makes for itself.
func (w *world) newKey(token, more string) api.APIKey {
	w.t.Helper()
	return post[api.APIKey](w, "/api/apiKey", token, keyBody(w.userOf(token), more))
}

// apiKey returns the text of a new key of the user with an e-mail.
func (w *world) apiKey(email string) string {
	w.t.Helper()
	return w.newKey(w.login(email).Token, "").Value
}

// withKey shows a key as clients of the contract do.
func (w *world) withKey(method, path, key, body string) *answer {
	w.t.Helper()
	return w.call(method, path, "", body, "X-Authorization", "ApiKey "+key)
}

func TestAnAPIKeyMayWhatItsUserMay(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1000,"values":{"t":1}}`)
	admin, one, two, system := w.newKey(w.adminA, ""), w.newKey(w.oneUser, ""), w.newKey(w.twoUser, ""), w.newKey(w.system, "")
	if admin.ID.EntityType != "API_KEY" || admin.TenantID.ID != model.ID(w.a) || admin.UserID.ID != model.ID(w.adminID) || !admin.Enabled || admin.Expired ||
		admin.ExpirationTime != 0 || admin.LastUsed != nil || !strings.HasPrefix(admin.Value, "tidewire_") {
		t.Errorf("%+v", admin)
	}
	latest, me := w.at("/values/timeseries?keys=t"), "/api/auth/user"
	for _, c := range []struct {
		name, key, method, path, body string
		status                        int
	}{
		{"admin", admin.Value, "GET", latest, "", 200},
		{"admin", admin.Value, "POST", w.at("/timeseries/ANY"), `{"t":2}`, 200},
		{"admin", admin.Value, "GET", "/api/tenant/devices?pageSize=9&page=0", "", 200},
		{"admin", admin.Value, "GET", me, "", 200},
		{"one", one.Value, "GET", latest, "", 200},
		{"one", one.Value, "GET", me, "", 200},
		{"one", one.Value, "GET", "/api/tenant/devices?pageSize=9&page=0", "", 403},
		{"two", two.Value, "GET", latest, "", 403},
		{"system", system.Value, "GET", latest, "", 403},
		{"system", system.Value, "GET", "/api/tenants?pageSize=9&page=0", "", 200},
		// What only people may.
		{"admin", admin.Value, "POST", "/api/apiKey", keyBody(model.ID(w.adminID), ""), 403},
		{"admin", admin.Value, "GET", "/api/apiKeys/" + w.adminID.String() + "?pageSize=9&page=0", "", 403},
		{"admin", admin.Value, "PUT", "/api/apiKey/" + admin.ID.ID.String() + "/enabled/true", "", 403},
		{"admin", admin.Value, "PUT", "/api/apiKey/" + admin.ID.ID.String() + "/description", "x", 403},
		{"admin", admin.Value, "DELETE", "/api/apiKey/" + admin.ID.ID.String(), "", 403},
		{"admin", admin.Value, "POST", "/api/tokens", `{"name":"x","scopes":["admin"]}`, 403},
		{"admin", admin.Value, "POST", "/api/user", `{"email":"x@example.org","authority":"TENANT_ADMIN"}`, 403},
		{"admin", admin.Value, "POST", "/api/user", fmt.Sprintf(`{"id":{"entityType":"USER","id":%q},"email":"mine@example.org","authority":"TENANT_ADMIN"}`, w.adminID), 403},
		{"admin", admin.Value, "DELETE", "/api/user/" + w.userOne.String(), "", 403},
		{"admin", admin.Value, "POST", "/api/user/" + w.userOne.String() + "/userCredentialsEnabled", "", 403},
		{"admin", admin.Value, "GET", "/api/auth/sessions", "", 403},
		{"admin", admin.Value, "POST", "/api/auth/changePassword", `{"currentPassword":"correct horse","newPassword":"long enough"}`, 403},
		{"nobody", admin.Value[:len(admin.Value)-1] + "_", "GET", latest, "", 401},
		{"nobody", w.adminA, "GET", latest, "", 401}, // no key at all
	} {
		if got := w.withKey(c.method, c.path, c.key, c.body); got.Code != c.status {
			t.Errorf("%s: %s %s: %d %s, want %d", c.name, c.method, c.path, got.Code, got.Body, c.status)
		}
	}
	w.call("GET", latest, "", "", "Authorization", "ApiKey "+one.Value).is(200)
	w.call("GET", "/api/live?cmds=[]&token="+one.Value, "", "").is(200, fmt.Sprintf("data: {\"of\":%q}\n\n", w.userOne))

	var log api.PageAuditLog
	w.withKey("POST", "/api/device", admin.Value, `{"name":"made by a program"}`).is(200)
	w.call("GET", "/api/audit/logs?pageSize=1&page=0&actionTypes=ADDED", w.adminA, "").is(200).json(&log)
	if len(log.Data) != 1 || log.Data[0].UserName != "a@example.org" || log.Data[0].UserID.ID != model.ID(w.adminID) {
		t.Errorf("%+v", log.Data)
	}
}

func TestAPIKeysAreManaged(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.UserTokens = true })
	latest := w.at("/values/timeseries?keys=t")
	v := w.newKey(w.oneUser, `,"expirationTime":1700000060000`)
	at, list := "/api/apiKey/"+v.ID.ID.String(), "/api/apiKeys/"+w.userOne.String()+"?pageSize=9&page=0"
	w.withKey("GET", latest, v.Value, "").is(200)

	for _, token := range []string{w.oneUser, w.adminA} {
		answer := w.call("GET", list+"&textSearch=NIGHT&sortProperty=expirationTime&sortOrder=DESC", token, "").is(200)
		var page api.PageAPIKeyInfo
		answer.json(&page)
		if page.TotalElements != 1 || page.Data[0].ID != v.ID || page.Data[0].LastUsed == nil || page.Data[0].ExpirationTime != 1700000060000 {
			t.Errorf("%+v", page)
		}
		if strings.Contains(answer.Body.String(), v.Value) || strings.Contains(answer.Body.String(), `"value"`) {
			t.Error("the text of the key stands in a list")
		}
	}
	var info api.APIKeyInfo
	for body, want := range map[string]string{"for the bridge": "for the bridge", `"quoted \"text\""`: `quoted "text"`, "7": "7"} {
		w.call("PUT", at+"/description", w.oneUser, body, "Content-Type", "text/plain").is(200).json(&info)
		if info.Description != want || info.ID != v.ID {
			t.Errorf("%s: %+v", body, info)
		}
	}
	w.call("PUT", at+"/description", w.oneUser, "").fails(400, 31, "API key description should be specified!")
	w.call("PUT", at+"/description", w.oneUser, strings.Repeat("x", 256)).is(400)
	w.call("PUT", at+"/description", w.oneUser, "\xff").is(400)

	w.call("PUT", at+"/enabled/false", w.adminA, "{}").is(200).json(&info)
	if info.Enabled {
		t.Errorf("%+v", info)
	}
	w.withKey("GET", latest, v.Value, "").is(401)
	w.call("PUT", at+"/enabled/true", w.adminA, "").is(200)
	w.withKey("GET", latest, v.Value, "").is(200)
	w.call("PUT", at+"/enabled/perhaps", w.adminA, "").is(400)

	w.clock.add(time.Minute)
	w.withKey("GET", latest, v.Value, "").is(401)
	var page api.PageAPIKeyInfo
	w.call("GET", list, w.oneUser, "").is(200).json(&page)
	if !page.Data[0].Expired {
		t.Errorf("%+v", page.Data[0])
	}
	w.call("DELETE", at, w.twoUser, "").is(403)
	w.call("DELETE", at, w.adminB, "").fails(404, 32, fmt.Sprintf("API key with id [%s] is not found", v.ID.ID))
	w.call("DELETE", at, w.system, "").is(403)
	w.call("DELETE", at, w.oneUser, "").is(200)
	w.call("DELETE", at, w.oneUser, "").fails(404, 32, fmt.Sprintf("API key with id [%s] is not found", v.ID.ID))

	// An administrator makes one for a user below, and the log says whose credentials it is about.
	v = post[api.APIKey](w, "/api/apiKey", w.adminA, keyBody(model.ID(w.userOne), ""))
	if w.userOf(v.Value) != model.ID(w.userOne) {
		t.Error("the key is somebody else's")
	}
	var log api.PageAuditLog
	w.call("GET", "/api/audit/logs?pageSize=1&page=0", w.adminA, "").is(200).json(&log)
	if e := log.Data[0]; e.ActionType != "CREDENTIALS_UPDATED" || e.EntityName != "one@example.org" || e.UserName != "a@example.org" {
		t.Errorf("%+v", e)
	}
	post[api.APIKey](w, "/api/apiKey", w.system, keyBody(w.userOf(w.adminA), ""))
	w.call("POST", "/api/apiKey", w.system, keyBody(model.ID(w.userOne), "")).is(403)
	w.call("POST", "/api/apiKey", w.oneUser, keyBody(model.ID(w.adminID), "")).is(403)
	w.call("POST", "/api/apiKey", w.adminB, keyBody(model.ID(w.userOne), "")).is(404)

	for body, message := range map[string]string{
		`{"userId":{"entityType":"DEVICE","id":"` + w.owned.String() + `"},"description":"x"}`:     "userId must name a USER",
		keyBody(model.ID(w.adminID), `,"expirationTime":5`):                                        "API key expirationTime must lie in the future, or be 0 for a key without end",
		keyBody(model.ID(w.adminID), `,"expirationTime":-5`):                                       "API key expirationTime must lie in the future, or be 0 for a key without end",
		keyBody(model.ID(w.adminID), `,"expirationTime":4070908800000`):                            "API key expirationTime must lie within ten years; 0 is a key without end",
		keyBody(model.ID(w.adminID), `,"id":{"entityType":"API_KEY","id":"`+v.ID.ID.String()+`"}`): "An API key with an id can't be saved; use PUT /api/apiKey/{id}/description or /enabled/{enabled}",
		strings.Replace(keyBody(model.ID(w.adminID), ""), "nightly", " ", 1):                       "API key description should be specified!",
	} {
		w.call("POST", "/api/apiKey", w.adminA, body).fails(400, 31, message)
	}
	if v := w.newKey(w.adminA, `,"enabled":false`); v.Enabled || w.withKey("GET", latest, v.Value, "").Code != 401 {
		t.Error("a key made disabled lets in")
	}
}

// Without the switch that lets administrators log in as users, they make no keys of them.
func TestAKeyOfSomebodyElseNeedsTheSwitch(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/apiKey", w.adminA, keyBody(model.ID(w.userOne), "")).is(403)
	v := w.newKey(w.oneUser, "")
	w.call("DELETE", "/api/apiKey/"+v.ID.ID.String(), w.adminA, "").is(200)
}

func TestAnAPIKeyGoesWithItsUser(t *testing.T) {
	w := newWorld(t)
	v := w.newKey(w.oneUser, "")
	user := "/api/user/" + w.userOne.String()
	me := func(status int) { t.Helper(); w.withKey("GET", "/api/auth/user", v.Value, "").is(status) }
	me(200)
	w.call("POST", user+"/userCredentialsEnabled?userCredentialsEnabled=false", w.adminA, "").is(200)
	me(401)
	w.call("POST", user+"/userCredentialsEnabled", w.adminA, "").is(200)
	me(200)
	w.call("DELETE", user, w.adminA, "").is(200)
	me(401)
	w.call("DELETE", "/api/apiKey/"+v.ID.ID.String(), w.adminA, "").is(404)

	v = w.newKey(w.adminB, "")
	me(200)
	w.call("DELETE", "/api/tenant/"+w.b.String(), w.system, "").is(200)
	me(401)
}
