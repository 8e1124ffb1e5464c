package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

func (w *world) token(body string) api.APITokenSecret {
	w.t.Helper()
	return post[api.APITokenSecret](w, "/api/tokens", w.adminA, body)
}

func TestAnAPITokenMayWhatItsScopesSay(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1000,"values":{"t":1}}`)
	reader := w.token(`{"name":"reader","scopes":["read:telemetry"]}`)
	writer := w.token(`{"name":"writer","scopes":["write:telemetry"]}`)
	admin := w.token(`{"name":"admin","scopes":["admin","read:telemetry"]}`)
	narrow := w.token(fmt.Sprintf(`{"name":"narrow","scopes":["read:telemetry"],"entities":[%q]}`, w.free))
	if !strings.HasPrefix(reader.Token, reader.Info.Prefix) || fmt.Sprint(admin.Info.Scopes) != "[read:telemetry admin]" {
		t.Errorf("%+v", admin)
	}
	latest, save := w.at("/values/timeseries?keys=t"), w.at("/timeseries/ANY")
	for _, c := range []struct {
		name, method, path, body, token string
		status                          int
	}{
		{"reader", "GET", latest, "", reader.Token, 200},
		{"reader", "GET", "/api/device/" + w.owned.String(), "", reader.Token, 200},
		{"reader", "POST", save, `{"t":2}`, reader.Token, 403},
		{"reader", "GET", "/api/device/" + w.owned.String() + "/credentials", "", reader.Token, 403},
		{"reader", "GET", "/api/tenant/devices?pageSize=9&page=0", "", reader.Token, 403},
		{"writer", "POST", save, `{"t":2}`, writer.Token, 200},
		{"writer", "GET", latest, "", writer.Token, 403},
		{"narrow", "GET", latest, "", narrow.Token, 403},
		{"narrow", "GET", strings.Replace(latest, w.owned.String(), w.free.String(), 1), "", narrow.Token, 200},
		{"admin", "GET", "/api/tenant/devices?pageSize=9&page=0", "", admin.Token, 200},
		{"admin", "POST", "/api/device", `{"name":"made by a program"}`, admin.Token, 200},
		{"admin", "GET", "/api/tokens?pageSize=9&page=0", "", admin.Token, 403},
		{"admin", "POST", "/api/tokens", `{"name":"x","scopes":["admin"]}`, admin.Token, 403},
		{"admin", "POST", "/api/user", `{"email":"x@example.org","authority":"TENANT_ADMIN"}`, admin.Token, 403},
		{"admin", "GET", "/api/user/" + w.userOne.String() + "/activationLink", "", admin.Token, 403},
		{"admin", "GET", "/api/auth/sessions", "", admin.Token, 403},
		{"admin", "POST", "/api/auth/changePassword", `{"currentPassword":"x","newPassword":"long enough"}`, admin.Token, 403},
		{"admin", "GET", "/api/auth/user", "", admin.Token, 404}, // a token is no user
		{"nobody", "GET", latest, "", reader.Token[:len(reader.Token)-1] + "_", 401},
	} {
		if got := w.call(c.method, c.path, c.token, c.body); got.Code != c.status {
			t.Errorf("%s: %s %s: %d %s, want %d", c.name, c.method, c.path, got.Code, got.Body, c.status)
		}
	}
	w.call("GET", latest, "", "", "Authorization", "ApiKey "+reader.Token).is(200)
}

func TestTokensAreManaged(t *testing.T) {
	w := newWorld(t)
	v := w.token(`{"name":"nightly","scopes":["read:telemetry"],"expires":1800000000000}`)
	at := "/api/tokens/" + v.Info.ID.String()
	latest := w.at("/values/timeseries?keys=t")
	w.call("GET", latest, v.Token, "").is(200)

	var list api.PageAPIToken
	answer := w.call("GET", "/api/tokens?pageSize=9&page=0&textSearch=NIGHT", w.adminA, "").is(200)
	answer.json(&list)
	if list.TotalElements != 1 || list.Data[0].Name != "nightly" || list.Data[0].LastUsed == nil || *list.Data[0].Expires != 1800000000000 {
		t.Errorf("%+v", list)
	}
	if strings.Contains(answer.Body.String(), v.Token) {
		t.Error("the text of the token stands in a list")
	}
	w.call("GET", at, w.adminA, "").is(200)

	var next api.APITokenSecret
	w.call("POST", at+"/rotate?overlapSeconds=60", w.adminA, "").is(200).json(&next)
	if next.Token == v.Token || next.Info.Version != 2 || next.Info.OldTextUntil == nil {
		t.Errorf("%+v", next.Info)
	}
	for _, text := range []string{v.Token, next.Token} {
		w.call("GET", latest, text, "").is(200)
	}
	w.call("POST", at+"/rotate?overlapSeconds=0", w.adminA, "").is(200).json(&v)
	w.call("GET", latest, next.Token, "").is(401)
	w.call("GET", latest, v.Token, "").is(200)
	w.call("POST", at+"/rotate?overlapSeconds=2592001", w.adminA, "").fails(400, 31, "Overlap must be from 0 to 2592000 seconds")
	w.call("POST", at+"/rotate?overlapSeconds=9223372036854775807", w.adminA, "").is(400)

	w.call("DELETE", at, w.adminA, "").is(200)
	w.call("GET", latest, v.Token, "").is(401)
	w.call("GET", at, w.adminA, "").is(404)
	one, two := w.token(`{"name":"1","scopes":["rpc"]}`), w.token(`{"name":"2","scopes":["rpc"]}`)
	w.call("DELETE", "/api/tokens", w.adminA, "").is(200, "{\"revoked\":2}\n")
	for _, text := range []string{one.Token, two.Token} {
		w.call("GET", latest, text, "").is(401)
	}
	for body, message := range map[string]string{
		`{"name":"","scopes":["rpc"]}`:                          "Token name should be specified!",
		`{"name":"x","scopes":[]}`:                              "Token scopes should be specified!",
		`{"name":"x","scopes":["root"]}`:                        "Unknown scope 'root'",
		`{"name":"x","scopes":["rpc"],"expires":5}`:             "Token expiry must lie in the future",
		`{"name":"x","scopes":["rpc"],"expires":-5}`:            "Token expiry must lie in the future",
		`{"name":"x","scopes":["rpc"],"expires":4070908800000}`: "Token expiry must lie within ten years; leave it out for a token without end",
	} {
		w.call("POST", "/api/tokens", w.adminA, body).fails(400, 31, message)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	w := newWorld(t)
	first, second := w.login("a@example.org"), w.login("a@example.org")
	var list []api.Session
	w.call("GET", "/api/auth/sessions", second.Token, "").is(200).json(&list)
	current := 0
	for _, s := range list {
		if s.Current {
			current++
			w.call("DELETE", "/api/auth/sessions/"+s.ID.String(), first.Token, "").is(200)
		}
	}
	if current != 1 {
		t.Errorf("%d sessions say they are the one that asks", current)
	}
	w.call("GET", "/api/auth/user", second.Token, "").is(401)
	w.call("GET", "/api/auth/user", first.Token, "").is(200)

	user := "/api/user/" + w.userOne.String() + "/sessions"
	w.call("GET", user, w.adminA, "").is(200).json(&list)
	if len(list) == 0 || list[0].Current {
		t.Errorf("%+v", list)
	}
	w.call("DELETE", "/api/auth/sessions/"+list[0].ID.String(), w.adminA, "").is(404) // somebody else's
	w.call("DELETE", user, w.adminA, "").is(200)
	w.call("GET", "/api/auth/user", w.oneUser, "").is(401)
}
