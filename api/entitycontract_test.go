package api_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

// Contract thingsboard 10, line by line, over the real registry and engine. Devices of these
// tests are found by the prefix of their names.

// fleet makes devices with values; each is a name, and telemetry and attributes as JSON, "" for
// none.
func (w *world) fleet(list ...[3]string) (ids []string) {
	w.t.Helper()
	for i, d := range list {
		var made struct{ ID struct{ ID string } }
		token := fmt.Sprintf("fleet-%s-%d", d[0], i)
		w.call("POST", "/api/device?accessToken="+strings.ReplaceAll(token, " ", "+"), w.adminA, fmt.Sprintf(`{"name":%q,"type":"default"}`, d[0])).is(200).json(&made)
		w.clock.add(1_000_000) // a millisecond: they are told apart by when they were made
		at := "/api/plugins/telemetry/DEVICE/" + made.ID.ID
		if d[1] != "" {
			w.call("POST", at+"/timeseries/ANY", w.adminA, `{"ts":1000,"values":`+d[1]+`}`).is(200)
		}
		if d[2] != "" {
			w.call("POST", at+"/attributes/SERVER_SCOPE", w.adminA, d[2]).is(200)
		}
		ids = append(ids, made.ID.ID)
	}
	return ids
}

// names of what a filter on device names, conditions and an order find.
func query(name, conditions, order string) string {
	return fmt.Sprintf(`{"entityFilter":{"type":"deviceType","deviceTypes":["default"],"deviceNameFilter":%q},"keyFilters":[%s],
		"pageLink":{"pageSize":100,"page":0,"textSearch":null,"sortOrder":%s},"entityFields":[{"type":"ENTITY_FIELD","key":"name"}],"unknown":{"is":"ignored"}}`,
		name, conditions, order)
}

const nameAscending = `{"key":{"type":"ENTITY_FIELD","key":"name"},"direction":"ASC"}`

// Contract 10.1: names are matched as a prefix whatever the case, with % and _ as wildcards, and
// as a whole where the filter itself begins or ends with %.
func TestNamesOfEntitiesAreFiltered(t *testing.T) {
	w := newWorld(t)
	w.fleet([3]string{"Pump 1"}, [3]string{"Pump 22"}, [3]string{"old pump"}, [3]string{"valve_1"}, [3]string{"valve-2"})
	f := func(filter string, want ...string) {
		t.Helper()
		w.finds(w.adminA, query(filter, "", nameAscending), want...)
	}
	f("", "Pump 1", "Pump 22", "free", "old pump", "owned", "valve-2", "valve_1")
	f("pump", "Pump 1", "Pump 22")
	f("PUMP 1", "Pump 1")
	f("p%2", "Pump 22")
	f("valve_", "valve-2", "valve_1")
	f("%pump", "old pump")
	f("%pump%", "Pump 1", "Pump 22", "old pump")
	f("pump%", "Pump 1", "Pump 22")
	f("nothing")
}

// Contract 10.1: every type of filter.
func TestEveryFilterOfEntities(t *testing.T) {
	w := newWorld(t)
	ids := w.fleet([3]string{"Pump 1"}, [3]string{"Pump 2"})
	const f2 = `,"sortOrder":` + nameAscending + `},"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]}`
	f := func(token, filter string, want ...string) {
		t.Helper()
		w.finds(token, `{"entityFilter":{`+filter+`},"pageLink":{"pageSize":100`+f2, want...)
	}
	relate := func(fromType, from, toType, to, kind string) {
		w.call("POST", "/api/relation", w.adminA, fmt.Sprintf(`{"from":{"entityType":%q,"id":%q},"to":{"entityType":%q,"id":%q},"type":%q}`,
			fromType, from, toType, to, kind)).is(200)
	}
	relate("ASSET", w.asset.String(), "DEVICE", ids[0], "Contains")
	relate("DEVICE", ids[0], "DEVICE", ids[1], "Contains")
	relate("ASSET", w.asset.String(), "DEVICE", w.free.String(), "Manages")

	f(w.adminA, fmt.Sprintf(`"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":%q}`, ids[1]), "Pump 2")
	f(w.oneUser, fmt.Sprintf(`"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":%q}`, ids[1])) // not the customer's
	f(w.adminB, fmt.Sprintf(`"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":%q}`, ids[1]))  // not the tenant's
	f(w.adminA, fmt.Sprintf(`"type":"entityList","entityType":"DEVICE","entityList":[%q,%q,%q]`, ids[1], ids[0], ids[1]), "Pump 1", "Pump 2")
	f(w.adminA, `"type":"entityName","entityType":"DEVICE","entityNameFilter":"PUMP"`, "Pump 1", "Pump 2")
	f(w.adminA, `"type":"entityName","entityType":"ASSET","entityNameFilter":""`, "building")
	f(w.adminA, `"type":"entityType","entityType":"DEVICE"`, "Pump 1", "Pump 2", "free", "owned")
	f(w.adminA, `"type":"entityType","entityType":"CUSTOMER"`, "One", "Two")
	f(w.adminA, `"type":"deviceType","deviceTypes":["default","none"],"deviceNameFilter":"pump"`, "Pump 1", "Pump 2")
	f(w.adminA, `"type":"deviceType","deviceType":"default","deviceNameFilter":"pump 1"`, "Pump 1") // as it was
	f(w.adminA, `"type":"deviceType","deviceTypes":["none"],"deviceNameFilter":""`)
	f(w.adminA, `"type":"assetType","assetTypes":["default"],"assetNameFilter":"BUILD"`, "building")
	f(w.adminA, `"type":"assetType","assetType":"default","assetNameFilter":""`, "building")
	f(w.adminA, `"type":"edgeType","edgeTypes":["default"],"edgeNameFilter":""`) // there are none
	f(w.oneUser, `"type":"entityType","entityType":"DEVICE"`, "owned")

	root := fmt.Sprintf(`"rootEntity":{"entityType":"ASSET","id":%q}`, w.asset)
	f(w.adminA, `"type":"relationsQuery",`+root+`,"direction":"FROM"`, "Pump 1", "Pump 2", "free")
	f(w.adminA, `"type":"relationsQuery",`+root+`,"direction":"FROM","maxLevel":1`, "Pump 1", "free")
	f(w.adminA, `"type":"relationsQuery",`+root+`,"direction":"FROM","maxLevel":2,"fetchLastLevelOnly":true`, "Pump 2", "free")
	f(w.adminA, `"type":"relationsQuery",`+root+`,"direction":"FROM","filters":[{"relationType":"Contains","entityTypes":["DEVICE"]}]`, "Pump 1", "Pump 2")
	f(w.adminA, `"type":"relationsQuery",`+root+`,"direction":"FROM","filters":[{"relationType":"Manages","entityTypes":[]}]`, "free")
	f(w.adminA, `"type":"relationsQuery",`+root+`,"direction":"FROM","filters":[{"relationType":"Contains","entityTypes":["ASSET"]}]`)
	f(w.adminA, fmt.Sprintf(`"type":"relationsQuery","rootEntity":{"entityType":"DEVICE","id":%q},"direction":"TO"`, ids[1]), "Pump 1", "building")
	f(w.adminA, fmt.Sprintf(`"type":"relationsQuery","multiRoot":true,"multiRootEntitiesType":"DEVICE","multiRootEntityIds":[%q,%q],"direction":"FROM"`, ids[0], w.free), "Pump 2")
	f(w.adminA, `"type":"deviceSearchQuery",`+root+`,"relationType":"Contains","direction":"FROM","maxLevel":1,"deviceTypes":["default"]`, "Pump 1")
	f(w.adminA, `"type":"deviceSearchQuery",`+root+`,"relationType":"Contains","direction":"FROM","deviceTypes":["none"]`)
	f(w.adminA, fmt.Sprintf(`"type":"assetSearchQuery","rootEntity":{"entityType":"DEVICE","id":%q},"relationType":"Contains","direction":"TO","assetTypes":["default"]`, ids[0]), "building")
	f(w.adminA, `"type":"edgeSearchQuery",`+root+`,"direction":"FROM"`)

	relate("ASSET", w.asset.String(), "ENTITY_VIEW", w.view.String(), "Contains")
	f(w.adminA, `"type":"entityViewType","entityViewTypes":["default"],"entityViewNameFilter":"VI"`, "view")
	f(w.adminA, `"type":"entityViewType","entityViewType":"default","entityViewNameFilter":""`, "view")
	f(w.adminA, `"type":"entityViewType","entityViewTypes":["none"],"entityViewNameFilter":""`)
	f(w.twoUser, `"type":"entityViewType","entityViewTypes":["default"],"entityViewNameFilter":""`) // not the customer's
	f(w.adminA, `"type":"entityViewSearchQuery",`+root+`,"relationType":"Contains","direction":"FROM","maxLevel":1,"entityViewTypes":["default"]`, "view")
	f(w.adminA, `"type":"entityViewSearchQuery",`+root+`,"relationType":"Manages","direction":"FROM","entityViewTypes":["default"]`)
	f(w.adminA, `"type":"entityViewSearchQuery",`+root+`,"relationType":"Contains","direction":"FROM","entityViewTypes":["none"]`)

	relate("CUSTOMER", w.one.String(), "DEVICE", w.owned.String(), "Contains")
	relate("USER", w.userOne.String(), "DEVICE", w.owned.String(), "Contains")
	relate("TENANT", w.a.String(), "DEVICE", ids[0], "Contains")
	f(w.oneUser, `"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_CUSTOMER"},"direction":"FROM"`, "owned")
	f(w.oneUser, `"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_USER_OWNER"},"direction":"FROM"`, "owned")
	f(w.oneUser, `"type":"deviceSearchQuery","rootEntity":{"entityType":"CURRENT_USER"},"direction":"FROM","relationType":"Contains","deviceTypes":["default"]`, "owned")
	f(w.twoUser, `"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_CUSTOMER"},"direction":"FROM"`)
	f(w.adminA, `"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_CUSTOMER"},"direction":"FROM"`) // it has none
	f(w.adminA, `"type":"deviceSearchQuery","rootEntity":{"entityType":"CURRENT_TENANT"},"direction":"FROM","maxLevel":1`, "Pump 1")
	f(w.adminA, `"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_USER_OWNER"},"direction":"FROM"`, "Pump 1", "Pump 2")
	w.call("POST", "/api/entitiesQuery/find", w.adminA, `{"entityFilter":{"type":"entityType","entityType":"FOO"},"pageLink":{"pageSize":1}}`).
		fails(400, 31, `entityFilter.entityType "FOO" is unknown`)

	f(w.oneUser, `"type":"singleEntity","singleEntity":{"entityType":"CURRENT_CUSTOMER"}`, "One")
	f(w.adminA, `"type":"singleEntity","singleEntity":{"entityType":"CURRENT_TENANT"}`, "Acme")
	f(w.oneUser, `"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER"}`, "one@example.org")
	f(w.oneUser, `"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER_OWNER"}`, "One")
	f(w.adminA, `"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER_OWNER"}`, "Acme")
}

// Contract 10.3: every operation; who has no value never matches.
func TestEveryConditionOfEntities(t *testing.T) {
	w := newWorld(t)
	w.fleet(
		[3]string{"u int", `{"v":42}`, `{"limit":1}`}, [3]string{"u float", `{"v":42.5}`, ""}, [3]string{"u text", `{"v":"Hello"}`, `{"limit":50}`},
		[3]string{"u digits", `{"v":"x42"}`, ""}, [3]string{"u true", `{"v":true}`, ""}, [3]string{"u false", `{"v":false}`, ""}, [3]string{"u nothing", "", ""})
	f := func(valueType, predicate string, want ...string) {
		t.Helper()
		for i := range want {
			want[i] = "u " + want[i]
		}
		w.finds(w.adminA, query("u ", `{"key":{"type":"TIME_SERIES","key":"v"},"valueType":"`+valueType+`","predicate":`+predicate+`}`, nameAscending), want...)
	}
	number := func(op, value string, want ...string) {
		t.Helper()
		f("NUMERIC", fmt.Sprintf(`{"type":"NUMERIC","operation":%q,"value":{"defaultValue":%s,"dynamicValue":null}}`, op, value), want...)
	}
	number("EQUAL", "42", "int")
	number("EQUAL", "42.5", "float")
	number("NOT_EQUAL", "42", "float")
	number("GREATER", "42", "float")
	number("GREATER", "41.99", "float", "int")
	number("LESS", "42.5", "int")
	number("GREATER_OR_EQUAL", "42", "float", "int")
	number("LESS_OR_EQUAL", "42.5", "float", "int")
	f("DATE_TIME", `{"type":"NUMERIC","operation":"LESS","value":{"defaultValue":1700000000000}}`, "float", "int")
	text := func(op, value string, ignoreCase bool, want ...string) {
		t.Helper()
		f("STRING", fmt.Sprintf(`{"type":"STRING","operation":%q,"ignoreCase":%v,"value":{"defaultValue":%q}}`, op, ignoreCase, value), want...)
	}
	text("EQUAL", "Hello", false, "text")
	text("EQUAL", "hello", false)
	text("EQUAL", "hello", true, "text")
	text("EQUAL", "42", false) // no text equals a number
	text("NOT_EQUAL", "Hello", false, "digits")
	text("STARTS_WITH", "He", false, "text")
	text("STARTS_WITH", "hE", true, "text")
	text("ENDS_WITH", "42", false, "digits")
	text("CONTAINS", "ell", false, "text")
	text("CONTAINS", "ELL", true, "text")
	text("NOT_CONTAINS", "ell", false, "digits")
	text("IN", "x42, Hello", false, "digits", "text")
	text("IN", "hello", true, "text")
	text("NOT_IN", "x42,other", false, "text")
	text("EQUAL", "", false, "digits", "false", "float", "int", "nothing", "text", "true") // an empty one asks for nothing
	boolean := func(op, value string, want ...string) {
		t.Helper()
		f("BOOLEAN", fmt.Sprintf(`{"type":"BOOLEAN","operation":%q,"value":{"defaultValue":%s}}`, op, value), want...)
	}
	boolean("EQUAL", "true", "true")
	boolean("EQUAL", "false", "false")
	boolean("NOT_EQUAL", "true", "false")
	const below, above = `{"type":"NUMERIC","operation":"LESS","value":{"defaultValue":42.2}}`, `{"type":"NUMERIC","operation":"GREATER","value":{"defaultValue":41}}`
	f("NUMERIC", `{"type":"COMPLEX","operation":"AND","predicates":[`+below+`,`+above+`]}`, "int")
	f("NUMERIC", `{"type":"COMPLEX","operation":"OR","predicates":[`+below+`,{"type":"COMPLEX","operation":"AND","predicates":[`+above+`]}]}`, "float", "int")

	low := `{"key":{"type":"SERVER_ATTRIBUTE","key":"limit"},"valueType":"NUMERIC","predicate":{"type":"NUMERIC","operation":"LESS","value":{"defaultValue":10}}}`
	worded := `{"key":{"type":"TIME_SERIES","key":"v"},"valueType":"STRING","predicate":{"type":"STRING","operation":"STARTS_WITH","value":{"defaultValue":"He"}}}`
	w.finds(w.adminA, query("u ", low+","+worded, nameAscending))
	w.finds(w.adminA, strings.Replace(query("u ", low+","+worded, nameAscending), `"keyFilters"`, `"keyFiltersOperation":"OR","keyFilters"`, 1), "u int", "u text")
	w.finds(w.adminA, query("u ", `{"key":{"type":"ENTITY_FIELD","key":"name"},"valueType":"STRING","predicate":{"type":"STRING","operation":"ENDS_WITH","value":{"defaultValue":"t"}}}`, nameAscending),
		"u float", "u int", "u text")

	// The user's value, then the attribute of the source, then the default.
	w.call("POST", "/api/plugins/telemetry/TENANT/"+w.a.String()+"/attributes/SERVER_SCOPE", w.system, `{"bound":42.2}`).is(200)
	dynamic := func(value string, want ...string) {
		t.Helper()
		f("NUMERIC", `{"type":"NUMERIC","operation":"GREATER","value":`+value+`}`, want...)
	}
	const source = `"dynamicValue":{"sourceType":"CURRENT_TENANT","sourceAttribute":"bound","inherit":false}`
	dynamic(`{"defaultValue":0,`+source+`}`, "float")
	dynamic(`{"defaultValue":100,"userValue":41,`+source+`}`, "float", "int")
	dynamic(`{"defaultValue":41,"dynamicValue":{"sourceType":"CURRENT_TENANT","sourceAttribute":"none"}}`, "float", "int")
	dynamic(`{"defaultValue":0,"dynamicValue":{"sourceType":"CURRENT_USER","sourceAttribute":"bound","inherit":true}}`, "float")
	dynamic(`{"defaultValue":41,"dynamicValue":{"sourceType":"CURRENT_USER","sourceAttribute":"bound","inherit":false}}`, "float", "int")
}

// Contract 10.5: numbers, booleans as 1 and 0 among them, stand before texts, what is missing
// comes last, or first when the order is turned; ties go by id, and without an order the newest
// comes first.
func TestTheOrderOfEntities(t *testing.T) {
	w := newWorld(t)
	ids := w.fleet(
		[3]string{"o two", `{"v":2}`, ""}, [3]string{"o half", `{"v":0.5}`, ""}, [3]string{"o true", `{"v":true}`, ""}, [3]string{"o false", `{"v":false}`, ""},
		[3]string{"o b", `{"v":"b"}`, ""}, [3]string{"o a", `{"v":"a"}`, ""}, [3]string{"o none", "", ""}, [3]string{"o minus", `{"v":-1}`, ""})
	by := func(direction string) string {
		return `{"key":{"type":"TIME_SERIES","key":"v"}` + direction + `}`
	}
	ascending := []string{"o minus", "o false", "o half", "o true", "o two", "o a", "o b", "o none"}
	w.finds(w.adminA, query("o ", "", by(`,"direction":"ASC"`)), ascending...)
	w.finds(w.adminA, query("o ", "", by("")), ascending...)
	w.finds(w.adminA, query("o ", "", by(`,"direction":"DESC"`)), "o none", "o b", "o a", "o two", "o true", "o half", "o false", "o minus")
	w.finds(w.adminA, query("o ", "", "null"), "o minus", "o none", "o a", "o b", "o false", "o true", "o half", "o two")

	// Nobody has a value: by id, on every page.
	var found []string
	for page := range 4 {
		var p api.PageEntityData
		w.call("POST", "/api/entitiesQuery/find", w.adminA, strings.NewReplacer(`"pageSize":100,"page":0`, fmt.Sprintf(`"pageSize":3,"page":%d`, page)).
			Replace(query("o ", "", `{"key":{"type":"TIME_SERIES","key":"none"},"direction":"DESC"}`))).is(200).json(&p)
		if p.TotalElements != 8 || p.TotalPages != 3 || p.HasNext != (page < 2) || len(p.Data) != []int{3, 3, 2, 0}[page] {
			t.Errorf("page %d: %d of %d on %d pages, more: %v", page, len(p.Data), p.TotalElements, p.TotalPages, p.HasNext)
		}
		for _, d := range p.Data {
			found = append(found, d.EntityID.ID.String())
		}
	}
	if len(found) != len(ids) {
		t.Fatalf("%d of %d", len(found), len(ids))
	}
	for i := 1; i < len(found); i++ {
		if found[i-1] >= found[i] {
			t.Errorf("%s stands before %s", found[i-1], found[i])
		}
	}
}

// Contract 10.4 and 10.5: how an entity is shown, and what the search looks at.
func TestHowEntitiesAreShownAndSearched(t *testing.T) {
	w := newWorld(t)
	ids := w.fleet([3]string{"s Alpha", `{"v":42.0,"t":"Grüße"}`, `{"limit":7}`}, [3]string{"s beta", `{"v":1.5e-7}`, ""})
	shown := func(search, fields, latest string) string {
		return fmt.Sprintf(`{"entityFilter":{"type":"entityName","entityType":"DEVICE","entityNameFilter":"s "},
			"pageLink":{"pageSize":10,"page":0,"textSearch":%q,"sortOrder":%s},"entityFields":[%s],"latestValues":[%s]}`, search, nameAscending, fields, latest)
	}
	const name, label = `{"type":"ENTITY_FIELD","key":"name"}`, `{"type":"ENTITY_FIELD","key":"label"}`
	const v, text, limit = `{"type":"TIME_SERIES","key":"v"}`, `{"type":"TIME_SERIES","key":"t"}`, `{"type":"ATTRIBUTE","key":"limit"}`
	type field struct {
		TS    int64
		Value *string
	}
	var page struct {
		Data []struct {
			EntityID              struct{ EntityType, ID string }
			Latest                map[string]map[string]field
			Timeseries, AggLatest map[string]any
		}
	}
	w.call("POST", "/api/entitiesQuery/find", w.adminA, shown("", name+","+label, v+","+text+","+limit)).is(200).json(&page)
	now := w.clock.now().UnixMilli()
	for i, want := range []string{
		fmt.Sprintf(`ENTITY_FIELD.label=%d "" ENTITY_FIELD.name=%d "s Alpha" TIME_SERIES.v=1000 "42.0" TIME_SERIES.t=1000 "Grüße" ATTRIBUTE.limit "7"`, now, now),
		fmt.Sprintf(`ENTITY_FIELD.label=%d "" ENTITY_FIELD.name=%d "s beta" TIME_SERIES.v=1000 "1.5E-7" TIME_SERIES.t=0 "" ATTRIBUTE.limit ""`, now, now),
	} {
		d := page.Data[i]
		if d.EntityID.ID != ids[i] || d.EntityID.EntityType != "DEVICE" || d.Timeseries == nil || len(d.Timeseries) != 0 || d.AggLatest == nil || len(d.AggLatest) != 0 {
			t.Errorf("entity %d: %+v", i, d)
		}
		show := func(kind, key string) string {
			f := d.Latest[kind][key]
			if f.Value == nil {
				return fmt.Sprintf("%s.%s is missing", kind, key)
			}
			if kind == "ATTRIBUTE" {
				return fmt.Sprintf("%s.%s %q", kind, key, *f.Value)
			}
			return fmt.Sprintf("%s.%s=%d %q", kind, key, f.TS, *f.Value)
		}
		got := strings.Join([]string{show("ENTITY_FIELD", "label"), show("ENTITY_FIELD", "name"), show("TIME_SERIES", "v"), show("TIME_SERIES", "t"), show("ATTRIBUTE", "limit")}, " ")
		if got != want {
			t.Errorf("entity %d:\n%s\nwant\n%s", i, got, want)
		}
	}

	f := func(search, fields, latest string, want int) {
		t.Helper()
		var page api.PageEntityData
		w.call("POST", "/api/entitiesQuery/find", w.adminA, shown(search, fields, latest)).is(200).json(&page)
		if int(page.TotalElements) != want {
			t.Errorf("%q finds %d, want %d", search, page.TotalElements, want)
		}
	}
	f("ALPHA", name, "", 1)
	f("s ", name, "", 2)
	f("alpha", label, "", 0) // it looks at what is asked for only
	f("42.0", name, v, 1)
	f("42.0", name, "", 0)
	f("GRÜSSE", name, text, 0)
	f("GRÜ", name, text, 1)
	f("7", name, limit, 1)
	w.call("POST", "/api/entitiesQuery/find", w.adminA, shown("nowhere", name, "")).is(200, `{"data":[],"totalPages":0,"totalElements":0,"hasNext":false}`)
	w.call("POST", "/api/entitiesQuery/count", w.adminA, `{"entityFilter":{"type":"entityName","entityType":"DEVICE","entityNameFilter":"s "}}`).is(200, "2")
}

// Contract 10.2: every field an entity may be asked for, and the kinds of attributes.
func TestEveryKeyOfEntities(t *testing.T) {
	w := newWorld(t)
	id := w.fleet([3]string{"k one", "", `{"mode":"server"}`})[0]
	at := "/api/plugins/telemetry/DEVICE/" + id + "/attributes/SHARED_SCOPE"
	w.clock.add(1_000_000)
	w.call("POST", at, w.adminA, `{"mode":"shared"}`).is(200)
	var fields []string
	for _, k := range strings.Fields("createdTime entityType name type label displayName additionalInfo ownerName ownerType firstName lastName email title country state city address address2 zip phone") {
		fields = append(fields, fmt.Sprintf(`{"type":"ENTITY_FIELD","key":%q}`, k))
	}
	ask := func(filter, token string) map[string]map[string]api.ShownPoint {
		t.Helper()
		var page struct {
			Data []struct {
				Latest map[string]map[string]api.ShownPoint
			}
		}
		w.call("POST", "/api/entitiesQuery/find", token, `{"entityFilter":{`+filter+`},"pageLink":{"pageSize":1},"entityFields":[`+strings.Join(fields, ",")+`],
			"latestValues":[{"type":"ATTRIBUTE","key":"mode"},{"type":"SHARED_ATTRIBUTE","key":"mode"},{"type":"SERVER_ATTRIBUTE","key":"mode"},{"type":"CLIENT_ATTRIBUTE","key":"mode"}]}`).is(200).json(&page)
		if len(page.Data) != 1 {
			t.Fatalf("%s: %d found", filter, len(page.Data))
		}
		return page.Data[0].Latest
	}
	latest := ask(fmt.Sprintf(`"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":%q}`, id), w.adminA)
	for _, want := range [][3]string{
		{"ATTRIBUTE", "mode", "shared"}, {"SHARED_ATTRIBUTE", "mode", "shared"}, {"SERVER_ATTRIBUTE", "mode", "server"}, {"CLIENT_ATTRIBUTE", "mode", ""},
		{"ENTITY_FIELD", "name", "k one"}, {"ENTITY_FIELD", "type", "default"}, {"ENTITY_FIELD", "entityType", "DEVICE"}, {"ENTITY_FIELD", "displayName", "k one"},
		{"ENTITY_FIELD", "ownerName", "Acme"}, {"ENTITY_FIELD", "ownerType", "TENANT"}, {"ENTITY_FIELD", "email", ""},
	} {
		if got := latest[want[0]][want[1]].Value; got != want[2] {
			t.Errorf("%s %s is %q, want %q", want[0], want[1], got, want[2])
		}
	}
	if n, err := strconv.ParseInt(latest["ENTITY_FIELD"]["createdTime"].Value, 10, 64); err != nil || n < 1_700_000_000_000 {
		t.Errorf("created %q", latest["ENTITY_FIELD"]["createdTime"].Value)
	}
	user := ask(`"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER"}`, w.oneUser)["ENTITY_FIELD"]
	if user["email"].Value != "one@example.org" || user["ownerType"].Value != "CUSTOMER" || user["ownerName"].Value != "One" {
		t.Errorf("user: %+v", user)
	}
	customer := ask(`"type":"singleEntity","singleEntity":{"entityType":"CURRENT_CUSTOMER"}`, w.oneUser)["ENTITY_FIELD"]
	if customer["title"].Value != "One" || customer["name"].Value != "One" {
		t.Errorf("customer: %+v", customer)
	}
}

// What cannot be a query is refused, and says why.
func TestQueriesOverEntitiesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		``, `[]`, `"x"`, `{"entityFilter":{"type":"none"},"pageLink":{"pageSize":1}}`, `{"entityFilter":{},"pageLink":{"pageSize":1}}`,
		query("", `{"key":{"type":"NONE","key":"v"},"valueType":"NUMERIC","predicate":{"type":"NUMERIC","operation":"EQUAL","value":{"defaultValue":1}}}`, "null"),
		query("", `{"key":{"type":"TIME_SERIES","key":"v"},"valueType":"NUMERIC","predicate":{"type":"NUMERIC","operation":"SAME","value":{"defaultValue":1}}}`, "null"),
		query("", "", `{"key":{"type":"ENTITY_FIELD","key":"name"},"direction":"SIDEWAYS"}`),
	} {
		if a := w.call("POST", "/api/entitiesQuery/find", w.adminA, body); a.Code != 400 {
			t.Errorf("%d for %s", a.Code, body)
		}
	}
	var refused struct{ Message string }
	w.call("POST", "/api/entitiesQuery/find", w.adminA, strings.Replace(query("", "", "null"), `"pageSize":100`, `"pageSize":-1`, 1)).is(400).json(&refused)
	if refused.Message == "" {
		t.Error("a refusal says nothing")
	}
	w.call("POST", "/api/entitiesQuery/find", "", query("", "", "null")).is(401)
	if !json.Valid([]byte(query("", "", "null"))) {
		t.Error("the query of these tests is no JSON")
	}
}
