package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A client may send every member that the server owns, on creation and on update: nothing of
// it sticks.
func TestNothingTheServerOwnsCanBeAssigned(t *testing.T) {
	w := newWorld(t)
	owned := `"tenantId":{"entityType":"TENANT","id":"` + w.b.String() + `"},"createdTime":1,"default":true,"prefix":"x","creatorId":"` +
		w.b.String() + `","ownerId":{"entityType":"TENANT","id":"` + w.b.String() + `"},"enabled":false,"active":true`
	type wire struct {
		ID struct {
			EntityType string `json:"entityType"`
			ID         string `json:"id"`
		} `json:"id"`
		TenantID struct {
			ID string `json:"id"`
		} `json:"tenantId"`
		CreatedTime int64  `json:"createdTime"`
		Version     int64  `json:"version"`
		Authority   string `json:"authority"`
		Default     bool   `json:"default"`
	}
	for path, members := range map[string]string{
		"/api/device":                        `"name":"mass"`,
		"/api/asset":                         `"name":"mass"`,
		"/api/customer":                      `"title":"mass"`,
		"/api/dashboard":                     `"title":"mass","configuration":{}`,
		"/api/deviceProfile":                 `"name":"mass","type":"DEFAULT","transportType":"DEFAULT"`,
		"/api/assetProfile":                  `"name":"mass"`,
		"/api/entityView":                    `"name":"mass","entityId":{"entityType":"ASSET","id":"` + w.asset.String() + `"}`,
		"/api/user?sendActivationMail=false": `"email":"mass@example.org","authority":"TENANT_ADMIN"`,
	} {
		made := post[wire](w, path, w.adminA, `{`+members+`,"version":77,`+owned+`}`)
		id, err := json.Marshal(made.ID)
		check(t, err)
		w.clock.add(1000)
		saved := post[wire](w, path, w.adminA, `{"id":`+string(id)+`,`+members+`,`+owned+`}`)
		for _, v := range []wire{made, saved} {
			if v.TenantID.ID != w.a.String() || v.CreatedTime == 1 || v.CreatedTime != made.CreatedTime || v.Version >= 77 || v.Default || v.ID != made.ID {
				t.Errorf("%s: %+v", path, v)
			}
		}
	}
	for _, authority := range []string{"SYS_ADMIN", "ROOT", ""} {
		got := w.call("POST", "/api/user?sendActivationMail=false", w.adminA, `{"email":"up@example.org","authority":"`+authority+`",`+owned+`}`)
		if got.Code == 200 || strings.Contains(got.Body.String(), "up@example.org") && got.Code < 400 {
			t.Errorf("authority %q: %d %s", authority, got.Code, got.Body)
		}
	}
}
