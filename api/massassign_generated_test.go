package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/tidewire/tidewire/api"
)

// schemaOf returns the object that a JSON body is; nil when it is none.
func schemaOf(content openapi3.Content) *openapi3.Schema {
	if m := content.Get("application/json"); m != nil && m.Schema != nil && m.Schema.Value != nil && len(m.Schema.Value.Properties) > 0 {
		return m.Schema.Value
	}
	return nil
}

// hostile is a value for a member that no honest answer has.
func hostile(s *openapi3.Schema, stranger string) any {
	switch {
	case s.Type.Includes("object") && s.Properties["id"] != nil:
		return map[string]string{"entityType": "TENANT", "id": stranger}
	case s.Type.Includes("object"):
		return map[string]string{"hostile": "value"}
	case s.Type.Includes("integer"), s.Type.Includes("number"):
		return 987_654_321
	case s.Type.Includes("boolean"):
		return true
	case s.Type.Includes("array"):
		return []string{"hostile"}
	}
	return "hostile value"
}

// refused are the operations whose row asks for something that is refused, so that nothing could
// be assigned: credentials nobody has, links that are used up, a server without backups, and a
// query that refuses members it does not know.
var refused = map[string]bool{
	"login": true, "loginPublic": true, "refreshToken": true, "completeSetup": true, "activateUser": true,
	"resetPassword": true, "changePassword": true, "startBackup": true, "querySeries": true,
}

// Of every operation with a body, what its answer has and its body has not is the server's own. A
// client may send all of it: nothing sticks. The members come from the document, so an operation
// that is new is held to it, too.
func TestNoOperationTakesWhatTheServerOwns(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.UserTokens = true }) // or no key of somebody else is made
	names := w.names()
	stranger := w.b.String()
	tried := 0
	for path, item := range spec(t).Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || op.Responses.Value("200") == nil {
				continue
			}
			body, answer := schemaOf(op.RequestBody.Value.Content), schemaOf(op.Responses.Value("200").Value.Content)
			if body == nil || answer == nil {
				continue
			}
			owned := map[string]any{}
			for name, s := range answer.Properties {
				if body.Properties[name] == nil {
					owned[name] = hostile(s.Value, stranger)
				}
			}
			for _, name := range []string{"tenantId", "createdTime", "ownerId", "creatorId"} { // also where nobody shows them
				if body.Properties[name] == nil && owned[name] == nil {
					owned[name] = map[string]any{"createdTime": 987_654_321}[name]
					if name != "createdTime" {
						owned[name] = map[string]string{"entityType": "TENANT", "id": stranger}
					}
				}
			}
			row, ok := rows[method+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)]
			if !ok {
				t.Errorf("%s has no row", op.OperationID)
				continue
			}
			members := map[string]any{}
			check(t, json.Unmarshal([]byte(names.Replace(row.body)), &members))
			if op.OperationID == "saveDeviceCredentials" { // it wants back what it showed
				w.call("GET", names.Replace("/api/device/{owned}/credentials"), w.adminA, "").is(200).json(&members)
			}
			maps.Copy(members, owned)
			text, err := json.Marshal(members)
			check(t, err)
			got := w.call(method, names.Replace(row.target), w.adminA, string(text))
			if got.Code == 403 { // it is a system administrator's
				got = w.call(method, names.Replace(row.target), w.system, string(text))
			}
			switch {
			case refused[op.OperationID]:
				if got.Code < 400 {
					t.Errorf("%s is not refused: %d", op.OperationID, got.Code)
				}
				continue
			case got.Code != 200:
				t.Errorf("%s: %d %s: nothing is proven", op.OperationID, got.Code, got.Body)
				continue
			}
			tried++
			var shown map[string]json.RawMessage
			got.json(&shown)
			for _, name := range slices.Sorted(maps.Keys(owned)) {
				evil, err := json.Marshal(owned[name])
				check(t, err)
				if bytes.Equal(shown[name], evil) && string(evil) != "true" || bytes.Contains(shown[name], []byte(stranger)) {
					t.Errorf("%s took %s: %s", op.OperationID, name, shown[name])
				}
			}
		}
	}
	if tried < 12 {
		t.Errorf("only %d operations were tried", tried)
	}
	// What they changed belongs to whom it did before.
	for _, path := range []string{"/api/device/{owned}", "/api/asset/{asset}", "/api/entityView/{view}", "/api/dashboard/{dashboard}", "/api/customer/{one}", "/api/user/{user}"} {
		got := w.call("GET", names.Replace(path), w.adminA, "").is(200).Body.String()
		if !strings.Contains(got, fmt.Sprintf(`"tenantId":{"entityType":"TENANT","id":%q}`, w.a)) || strings.Contains(got, stranger) || strings.Contains(got, "987654321") {
			t.Errorf("%s: %s", path, got)
		}
	}
}
