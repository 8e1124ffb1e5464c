package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

const byName = `"pageLink":{"pageSize":100,"sortOrder":{"key":{"type":"ENTITY_FIELD","key":"name"},"direction":"ASC"}},` +
	`"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]`

// found returns the names of what a query finds, in order.
func (w *world) found(token, query string) []string {
	w.t.Helper()
	var page api.PageEntityData
	w.call("POST", "/api/entitiesQuery/find", token, query).is(200).json(&page)
	names := []string{}
	for _, d := range page.Data {
		names = append(names, d.Latest["ENTITY_FIELD"]["name"].Value)
	}
	var count int
	w.call("POST", "/api/entitiesQuery/count", token, query).is(200).json(&count)
	if count != len(names) {
		w.t.Errorf("counted %d, found %v", count, names)
	}
	return names
}

func (w *world) finds(token, query string, want ...string) {
	w.t.Helper()
	if got := w.found(token, query); !slices.Equal(got, want) {
		w.t.Errorf("%s\nfound %q, want %q", query, got, want)
	}
}

// Contract 10, over the real registry and engine.
func TestEntitiesAreFound(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1000,"values":{"temperature":21,"state":"on"}}`)
	w.call("POST", "/api/v1/free-token/telemetry", "", `{"ts":1000,"values":{"temperature":19.5}}`).is(200)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"limit":20}`).is(200)
	w.call("POST", "/api/relation", w.adminA, fmt.Sprintf(
		`{"from":{"entityType":"ASSET","id":%q},"to":{"entityType":"DEVICE","id":%q},"type":"Contains"}`, w.asset, w.owned)).is(200)

	devices := `"entityFilter":{"type":"entityType","entityType":"DEVICE"}`
	w.finds(w.adminA, `{`+devices+`,`+byName+`}`, "free", "owned")
	w.finds(w.oneUser, `{`+devices+`,`+byName+`}`, "owned")
	w.finds(w.twoUser, `{`+devices+`,`+byName+`}`)
	w.finds(w.adminB, `{`+devices+`,`+byName+`}`, "foreign")
	w.finds(w.system, `{`+devices+`,`+byName+`}`)
	w.finds(w.adminA, `{"entityFilter":{"type":"deviceType","deviceTypes":["default"],"deviceNameFilter":"OW"},`+byName+`}`, "owned")
	w.finds(w.adminA, fmt.Sprintf(`{"entityFilter":{"type":"entityList","entityType":"DEVICE","entityList":[%q,%q]},%s}`, w.owned, w.foreign, byName), "owned")
	w.finds(w.oneUser, `{"entityFilter":{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_CUSTOMER"}},`+byName+`}`, "One")
	w.finds(w.adminA, fmt.Sprintf(`{"entityFilter":{"type":"relationsQuery","rootEntity":{"entityType":"ASSET","id":%q},"direction":"FROM"},%s}`, w.asset, byName), "owned")
	w.finds(w.adminA, fmt.Sprintf(`{"entityFilter":{"type":"assetSearchQuery","rootEntity":{"entityType":"DEVICE","id":%q},"direction":"TO"},%s}`, w.owned, byName), "building")
	w.finds(w.adminB, fmt.Sprintf(`{"entityFilter":{"type":"relationsQuery","rootEntity":{"entityType":"ASSET","id":%q}},%s}`, w.asset, byName))

	warm := func(value string) string {
		return `"keyFilters":[{"key":{"type":"TIME_SERIES","key":"temperature"},"valueType":"NUMERIC",` +
			`"predicate":{"type":"NUMERIC","operation":"GREATER","value":` + value + `}}]`
	}
	w.finds(w.adminA, `{`+devices+`,`+byName+`,`+warm(`{"defaultValue":20}`)+`}`, "owned")
	w.finds(w.adminA, `{`+devices+`,`+byName+`,`+warm(`{"defaultValue":22}`)+`}`)
	w.finds(w.adminA, `{`+devices+`,"pageLink":{"pageSize":9,"sortOrder":{"key":{"type":"TIME_SERIES","key":"temperature"},"direction":"ASC"}},`+
		`"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`, "free", "owned")
	w.save(`{"ts":2000,"values":{"temperature":18}}`) // what is written is seen by the next query
	w.finds(w.adminA, `{`+devices+`,"pageLink":{"pageSize":9,"sortOrder":{"key":{"type":"TIME_SERIES","key":"temperature"},"direction":"ASC"}},`+
		`"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`, "owned", "free")

	var page api.PageEntityData
	w.call("POST", "/api/entitiesQuery/find", w.adminA, fmt.Sprintf(`{"entityFilter":{"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":%q}},
		"pageLink":{"pageSize":1},"entityFields":[{"type":"ENTITY_FIELD","key":"ownerName"},{"type":"ENTITY_FIELD","key":"additionalInfo"}],
		"latestValues":[{"type":"TIME_SERIES","key":"state"},{"type":"ATTRIBUTE","key":"limit"},{"type":"TIME_SERIES","key":"none"}]}`, w.owned)).is(200).json(&page)
	latest := page.Data[0].Latest
	if latest["ENTITY_FIELD"]["ownerName"].Value != "One" || latest["TIME_SERIES"]["state"].Value != "on" || latest["TIME_SERIES"]["state"].TS != 1000 ||
		latest["ATTRIBUTE"]["limit"].Value != "20" || latest["TIME_SERIES"]["none"].TS != 0 || latest["TIME_SERIES"]["none"].Value != "" {
		t.Errorf("%+v", latest)
	}

	var keys api.EntityKeys
	w.call("POST", "/api/entitiesQuery/find/keys", w.oneUser, `{`+devices+`,`+byName+`}`).is(200).json(&keys)
	if !slices.Equal(keys.Timeseries, []string{"state", "temperature"}) || !slices.Contains(keys.Attribute, "limit") || fmt.Sprint(keys.EntityTypes) != "[DEVICE]" {
		t.Errorf("%+v", keys)
	}
	w.call("POST", "/api/entitiesQuery/find/keys?timeseries=false&scope=CLIENT_SCOPE", w.oneUser, `{`+devices+`,`+byName+`}`).
		is(200, `{"attribute":[],"entityTypes":["DEVICE"],"timeseries":[]}`+"\n")

	reader := w.token(`{"name":"reader","scopes":["read:telemetry"]}`)
	narrow := w.token(fmt.Sprintf(`{"name":"narrow","scopes":["read:telemetry"],"entities":[%q]}`, w.free))
	writer := w.token(`{"name":"writer","scopes":["write:telemetry"]}`)
	w.finds(reader.Token, `{`+devices+`,`+byName+`}`, "free", "owned")
	w.finds(narrow.Token, `{`+devices+`,`+byName+`}`, "free")
	w.finds(writer.Token, `{`+devices+`,`+byName+`}`)

	w.call("POST", "/api/entitiesQuery/find", w.adminA, `{}`).fails(400, 31, "entityFilter is missing")
	w.call("POST", "/api/entitiesQuery/find", w.adminA, `{`+devices+`}`).fails(400, 31, "pageLink is missing")
	w.call("POST", "/api/entitiesQuery/find", w.adminA, strings.Repeat("[", 20000)).is(400)
}
