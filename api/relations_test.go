package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// Contract 3.4.
func TestRelationsAreSavedListedAndDeleted(t *testing.T) {
	w := newWorld(t)
	relation := func(fromType string, from model.EntityID, toType string, to model.EntityID, rest string) string {
		return fmt.Sprintf(`{"from":{"entityType":%q,"id":%q},"to":{"entityType":%q,"id":%q}%s}`, fromType, from, toType, to, rest)
	}
	body := relation("ASSET", w.asset, "DEVICE", w.owned, `,"type":"Contains","typeGroup":"COMMON","additionalInfo":{"a":1}`)
	w.call("POST", "/api/relation", w.adminA, body).is(200, "")
	w.call("POST", "/api/relation", w.adminA, relation("DEVICE", w.owned, "DEVICE", w.free, `,"type":"Manages"`)).is(200, "")
	from := fmt.Sprintf("?fromId=%s&fromType=ASSET", w.asset)
	to := fmt.Sprintf("?toId=%s&toType=DEVICE", w.owned)
	want := fmt.Sprintf(`[{"additionalInfo":{"a":1},"from":{"entityType":"ASSET","id":"%s"},"to":{"entityType":"DEVICE","id":"%s"},"type":"Contains","typeGroup":"COMMON"}]`+"\n", w.asset, w.owned)
	w.call("GET", "/api/relations"+from, w.adminA, "").is(200, want)
	w.call("GET", "/api/relations"+to, w.adminA, "").is(200, want)
	w.call("GET", "/api/relations"+from+"&relationType=Manages", w.adminA, "").is(200, "[]\n")
	w.call("GET", "/api/relations"+from+"&relationTypeGroup=EDGE", w.adminA, "").is(200, "[]\n")
	var infos []api.RelationInfo
	w.call("GET", "/api/relations/info"+from, w.oneUser, "").is(200).json(&infos)
	if len(infos) != 1 || *infos[0].FromName != "building" || *infos[0].ToName != "owned" {
		t.Errorf("%+v", infos)
	}
	// What is not the customer's is not told to it.
	w.call("GET", fmt.Sprintf("/api/relations?fromId=%s&fromType=DEVICE", w.owned), w.oneUser, "").is(200, "[]\n")
	w.call("GET", "/api/relations"+from, w.twoUser, "").is(403)
	w.call("GET", "/api/relations"+from, w.adminB, "").is(404)
	w.call("GET", "/api/relations", w.adminA, "").fails(400, 31, "Parameter 'fromId' can't be empty!")
	w.call("GET", "/api/relations?fromId="+w.asset.String(), w.adminA, "").fails(400, 31, "Parameter 'fromType' can't be empty!")
	w.call("GET", "/api/relations?fromType=X&fromId="+w.asset.String(), w.adminA, "").fails(400, 31, "Unsupported entity type: X")

	w.call("POST", "/api/relation", w.adminA, relation("ASSET", w.asset, "DEVICE", w.foreign, `,"type":"Contains"`)).is(404)
	w.call("POST", "/api/relation", w.adminA, relation("ASSET", w.asset, "DEVICE", w.owned, `,"type":""`)).fails(400, 31, "Relation type should be specified!")
	w.call("POST", "/api/relation", w.oneUser, relation("ASSET", w.asset, "DEVICE", w.free, `,"type":"Contains"`)).is(403)
	w.call("POST", "/api/relation", w.oneUser, relation("ASSET", w.asset, "DEVICE", w.owned, `,"type":"Mine"`)).is(200)
	w.call("POST", "/api/relation", w.system, relation("TENANT", model.EntityID(w.a), "TENANT", model.EntityID(w.b), `,"type":"Manages"`)).
		fails(400, 31, "Entities of different tenants can't be related!")

	gone := fmt.Sprintf("/api/relation?fromId=%s&fromType=ASSET&toId=%s&toType=DEVICE&relationType=Contains", w.asset, w.owned)
	w.call("DELETE", gone, w.twoUser, "").is(403)
	w.call("DELETE", gone, w.adminA, "").is(200, "")
	w.call("DELETE", gone, w.adminA, "").fails(404, 32, "Requested item wasn't found!")
	w.call("DELETE", strings.Replace(gone, "relationType=Contains", "relationType=", 1), w.adminA, "").fails(400, 31, "Parameter 'relationType' can't be empty!")
}

// Contract 3.4 and 10.1: the tenant is the root of its things.
func TestRelationsBeginAtTheOwnTenant(t *testing.T) {
	w := newWorld(t)
	relation := func(fromType, from, toType, to string) string {
		return fmt.Sprintf(`{"from":{"entityType":%q,"id":%q},"to":{"entityType":%q,"id":%q},"type":"Contains"}`, fromType, from, toType, to)
	}
	own, other := w.a.String(), w.b.String()
	toDevice := relation("TENANT", own, "DEVICE", w.owned.String())
	toAsset := relation("TENANT", own, "ASSET", w.asset.String())
	reader := w.token(`{"name":"reader","scopes":["read:telemetry","write:telemetry"]}`).Token
	for _, c := range []struct {
		token, body string
		status      int
	}{
		{w.oneUser, toDevice, 403}, {reader, toDevice, 403}, {reader, relation("TENANT", own, "TENANT", own), 403}, {w.adminB, toDevice, 404},
		{w.adminA, relation("TENANT", other, "DEVICE", w.owned.String()), 404}, {w.adminA, toDevice, 200}, {w.adminA, toAsset, 200},
		{w.adminA, relation("DEVICE", w.free.String(), "TENANT", own), 200},
	} {
		if got := w.call("POST", "/api/relation", c.token, c.body); got.Code != c.status {
			t.Errorf("%s: %d %s, want %d", c.body, got.Code, got.Body, c.status)
		}
	}
	w.call("GET", "/api/tenant/"+own, w.adminA, "").is(200)
	w.call("POST", "/api/plugins/telemetry/TENANT/"+own+"/SERVER_SCOPE", w.adminA, `{"a":1}`).is(403) // still not its to write
	find := func(token, filter string, want ...string) {
		t.Helper()
		w.finds(token, `{"entityFilter":{`+filter+`},`+byName+`}`, want...)
	}
	for _, root := range []string{`{"entityType":"CURRENT_TENANT"}`, `{"entityType":"CURRENT_USER_OWNER"}`, fmt.Sprintf(`{"entityType":"TENANT","id":%q}`, own)} {
		find(w.adminA, `"type":"relationsQuery","rootEntity":`+root+`,"direction":"FROM"`, "building", "owned")
		find(w.adminA, `"type":"relationsQuery","rootEntity":`+root+`,"direction":"TO"`, "free")
		find(w.adminA, `"type":"deviceSearchQuery","rootEntity":`+root+`,"direction":"FROM","relationType":"Contains","deviceTypes":["default"]`, "owned")
	}
	find(w.oneUser, `"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_USER_OWNER"},"direction":"FROM"`) // its customer's
	gone := fmt.Sprintf("/api/relation?fromId=%s&fromType=TENANT&toId=%s&toType=DEVICE&relationType=Contains", own, w.owned)
	w.call("DELETE", gone, w.oneUser, "").is(403)
	w.call("DELETE", gone, reader, "").is(403)
	w.call("DELETE", gone, w.adminA, "").is(200, "")
	find(w.adminA, `"type":"deviceSearchQuery","rootEntity":{"entityType":"CURRENT_TENANT"},"direction":"FROM"`)
}

func TestRelationsAreFollowed(t *testing.T) {
	w := newWorld(t)
	site := post[api.Asset](w, "/api/asset", w.adminA, `{"name":"site"}`)
	relate := func(fromType, from, toType, to, typ string) {
		t.Helper()
		w.call("POST", "/api/relation", w.adminA, fmt.Sprintf(`{"from":{"entityType":%q,"id":%q},"to":{"entityType":%q,"id":%q},"type":%q}`, fromType, from, toType, to, typ)).is(200)
	}
	relate("ASSET", site.ID.ID.String(), "ASSET", w.asset.String(), "Contains")
	relate("ASSET", w.asset.String(), "DEVICE", w.owned.String(), "Contains")
	relate("ASSET", w.asset.String(), "DEVICE", w.free.String(), "Manages")
	relate("DEVICE", w.owned.String(), "ASSET", site.ID.ID.String(), "Reports") // a circle
	f := func(token, rootType, root, parameters, filters, want string) {
		t.Helper()
		var infos []api.RelationInfo
		w.call("POST", "/api/relations/info", token, fmt.Sprintf(`{"parameters":{"rootId":%q,"rootType":%q%s},"filters":%s}`, root, rootType, parameters, filters)).is(200).json(&infos)
		got := ""
		for _, i := range infos {
			got += *i.FromName + ">" + *i.ToName + " "
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%s %s: %s, want %s", parameters, filters, got, want)
		}
	}
	root := site.ID.ID.String()
	f(w.adminA, "ASSET", root, "", "null", "site>building building>owned building>free owned>site")
	f(w.adminA, "ASSET", root, `,"direction":"FROM","maxLevel":2`, `[{"entityTypes":["DEVICE"]}]`, "building>owned building>free")
	f(w.adminA, "ASSET", root, `,"maxLevel":2`, `[{"relationType":"Manages"},{"relationType":"Contains","entityTypes":["ASSET"]}]`, "site>building building>free")
	f(w.adminA, "ASSET", root, `,"maxLevel":2,"fetchLastLevelOnly":true`, "[]", "building>owned building>free")
	f(w.adminA, "DEVICE", w.free.String(), `,"direction":"TO"`, "[]", "building>free site>building owned>site building>owned")
	f(w.oneUser, "ASSET", w.asset.String(), "", "[]", "building>owned") // the rest is not its own
	// What is not the customer's hides nothing behind it that is, over relations and in queries.
	beyond := post[api.Device](w, "/api/device", w.adminA, fmt.Sprintf(`{"name":"beyond","customerId":{"entityType":"CUSTOMER","id":%q}}`, w.one))
	relate("DEVICE", w.free.String(), "DEVICE", beyond.ID.ID.String(), "Contains")
	relate("DEVICE", beyond.ID.ID.String(), "DEVICE", w.owned.String(), "Contains")
	f(w.oneUser, "ASSET", w.asset.String(), "", "[]", "building>owned beyond>owned")
	found := w.call("POST", "/api/entitiesQuery/find", w.oneUser, fmt.Sprintf(`{"entityFilter":{"type":"relationsQuery","rootEntity":{"entityType":"ASSET","id":%q},`+
		`"direction":"FROM","maxLevel":2},"pageLink":{"pageSize":9,"sortOrder":{"key":{"type":"ENTITY_FIELD","key":"name"}}},"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`, w.asset)).is(200).Body.String()
	if !strings.Contains(found, `"beyond"`) || !strings.Contains(found, `"owned"`) || strings.Contains(found, w.free.String()) {
		t.Error(found)
	}
	w.call("POST", "/api/relations", w.adminA, fmt.Sprintf(`{"parameters":{"rootId":%q,"rootType":"ASSET"}}`, root)).is(200)
	w.call("POST", "/api/relations", w.adminA, fmt.Sprintf(`{"parameters":{"rootId":%q,"rootType":"ASSET","direction":"UP"}}`, root)).
		fails(400, 31, "Invalid direction 'UP'")
}
