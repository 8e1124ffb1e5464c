package thingsboard

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

var (
	asker = model.Principal{Tenant: model.TenantID{1}, User: model.UserID{2}, Customer: model.CustomerID{3}, Authority: model.CustomerUser}

	someID = "784f394c-42b6-435a-983c-b7beff2784f9"
)

func someRef(t *testing.T, typ model.EntityType) model.EntityRef {
	t.Helper()
	id, err := model.ParseID(someID)
	if err != nil {
		t.Fatal(err)
	}
	return model.EntityRef{Type: typ, ID: model.EntityID(id)}
}

var compareFind = cmp.Comparer(func(a, b model.Value) bool { return a == b })

func TestAQueryIsReadWhole(t *testing.T) {
	got, err := ParseFind([]byte(`{
	  "entityFilter":{"type":"deviceType","deviceTypes":["default"],"deviceNameFilter":"","resolveMultiple":true},
	  "pageLink":{"pageSize":20,"page":3,"textSearch":"pump","dynamic":true,
	    "sortOrder":{"key":{"type":"ENTITY_FIELD","key":"createdTime"},"direction":"DESC"}},
	  "entityFields":[{"type":"ENTITY_FIELD","key":"name"},{"type":"ENTITY_FIELD","key":"name"}],
	  "latestValues":[{"type":"TIME_SERIES","key":"temperature"},{"type":"ATTRIBUTE","key":"active"}],
	  "keyFilters":[{"key":{"type":"TIME_SERIES","key":"temperature"},"valueType":"NUMERIC",
	    "predicate":{"type":"NUMERIC","operation":"GREATER","value":{"defaultValue":20,"dynamicValue":null}}},
	   {"key":{"type":"ENTITY_FIELD","key":"label"},"valueType":"STRING","predicate":{"type":"COMPLEX","operation":"OR","predicates":[
	    {"type":"STRING","operation":"IN","ignoreCase":true,"value":{"defaultValue":"a,b",
	      "dynamicValue":{"sourceType":"CURRENT_USER","sourceAttribute":"labels","inherit":true}}},
	    {"type":"STRING","operation":"CONTAINS","value":{"defaultValue":""}}]}}]}`), asker)
	if err != nil {
		t.Fatal(err)
	}
	want := &model.FindQuery{
		Filter: model.EntityFilter{Kind: model.FilterType, Type: model.EntityDevice, Profiles: []string{"default"}},
		Size:   20, Page: 3, Search: "pump", Dynamic: true, Descending: true,
		Sort:   model.EntityKey{Kind: model.EntityField, Key: "createdTime"},
		Fields: []model.EntityKey{{Kind: model.EntityField, Key: "name"}},
		Latest: []model.EntityKey{{Kind: model.SeriesKey, Key: "temperature"}, {Kind: model.AttributeKey, Key: "active"}},
		Conditions: []model.Condition{
			{Key: model.EntityKey{Kind: model.SeriesKey, Key: "temperature"},
				Is: model.Predicate{Op: model.Greater, Type: model.TypeFloat, Value: model.Operand{Default: model.Float(20)}}},
			{Key: model.EntityKey{Kind: model.EntityField, Key: "label"}, Is: model.Predicate{Op: model.Any, Parts: []model.Predicate{{
				Op: model.In, Type: model.TypeString, IgnoreCase: true,
				Value: model.Operand{Default: model.String("a,b"), Source: model.EntityUser, Attribute: "labels", Inherit: true},
			}}}},
		},
	}
	if diff := cmp.Diff(want, got, compareFind); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryFilterIsRead(t *testing.T) {
	device, tenant := someRef(t, model.EntityDevice), model.EntityRef{Type: model.EntityTenant, ID: model.EntityID(asker.Tenant)}
	customer := model.EntityRef{Type: model.EntityCustomer, ID: model.EntityID(asker.Customer)}
	user := model.EntityRef{Type: model.EntityUser, ID: model.EntityID(asker.User)}
	entities := func(refs ...model.EntityRef) model.EntityFilter {
		return model.EntityFilter{Kind: model.FilterEntities, Refs: refs}
	}
	f := func(filter string, want model.EntityFilter) {
		t.Helper()
		q, err := ParseFindCount([]byte(`{"entityFilter":`+strings.ReplaceAll(filter, "ID", someID)+`}`), asker)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			return
		}
		if diff := cmp.Diff(want, q.Filter); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	f(`{"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":"ID"}}`, entities(device))
	f(`{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_CUSTOMER","id":null}}`, entities(customer))
	f(`{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_TENANT"}}`, entities(tenant))
	f(`{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER"}}`, entities(user))
	f(`{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER_OWNER"}}`, entities(customer))
	f(`{"type":"entityList","entityType":"DEVICE","entityList":["ID"]}`, entities(device))
	f(`{"type":"entityName","entityType":"ASSET","entityNameFilter":"Hall"}`, model.EntityFilter{Kind: model.FilterType, Type: model.EntityAsset, Name: "Hall"})
	f(`{"type":"entityType","entityType":"ASSET"}`, model.EntityFilter{Kind: model.FilterType, Type: model.EntityAsset})
	f(`{"type":"deviceType","deviceType":"pump","deviceNameFilter":"P"}`,
		model.EntityFilter{Kind: model.FilterType, Type: model.EntityDevice, Profiles: []string{"pump"}, Name: "P"})
	f(`{"type":"assetType","assetTypes":["hall"]}`, model.EntityFilter{Kind: model.FilterType, Type: model.EntityAsset, Profiles: []string{"hall"}})
	f(`{"type":"entityViewType","entityViewTypes":["v"]}`, model.EntityFilter{Kind: model.FilterType, Type: model.EntityEntityView, Profiles: []string{"v"}})
	f(`{"type":"edgeType","edgeTypes":["e"]}`, model.EntityFilter{Kind: model.FilterNothing})
	f(`{"type":"relationsQuery","rootEntity":{"entityType":"DEVICE","id":"ID"},"direction":"TO","maxLevel":2,"fetchLastLevelOnly":true,
		"filters":[{"relationType":"Contains","entityTypes":["ASSET"]}]}`, model.EntityFilter{Kind: model.FilterRelations, Relations: &model.RelationSearch{
		Roots: []model.EntityRef{device}, ToRoots: true, MaxLevel: 2, LastLevelOnly: true,
		Filters: []model.RelationFilter{{Relation: "Contains", Types: []model.EntityType{model.EntityAsset}}},
	}})
	f(`{"type":"relationsQuery","multiRoot":true,"multiRootEntitiesType":"DEVICE","multiRootEntityIds":["ID"]}`,
		model.EntityFilter{Kind: model.FilterRelations, Relations: &model.RelationSearch{Roots: []model.EntityRef{device}}})
	f(`{"type":"deviceSearchQuery","rootEntity":{"entityType":"CURRENT_CUSTOMER"},"relationType":"Contains","deviceTypes":["pump"]}`,
		model.EntityFilter{Kind: model.FilterRelations, Type: model.EntityDevice, Profiles: []string{"pump"}, Relations: &model.RelationSearch{
			Roots: []model.EntityRef{customer}, Filters: []model.RelationFilter{{Relation: "Contains"}},
		}})
}

func TestABadQueryNamesItsMember(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, err := ParseFind([]byte(body), asker)
		if model.KindOf(err) != model.Invalid || !strings.Contains(model.MessageOf(err, ""), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	rest := func(more string) string {
		return `{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"pageSize":10}` + more + `}`
	}
	condition := func(predicate string) string {
		return rest(`,"keyFilters":[{"key":{"type":"TIME_SERIES","key":"t"},"predicate":` + predicate + `}]`)
	}
	f(`[]`, "Failed to parse the query")
	f(`{`, "Failed to parse the query")
	f(`{"pageLink":{"pageSize":10}}`, "entityFilter is missing")
	f(`{"entityFilter":{"type":"entityType","entityType":"DEVICE"}}`, "pageLink is missing")
	f(`{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"page":1}}`, "pageLink.pageSize")
	f(`{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"pageSize":"x"}}`, "pageSize")
	f(`{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"pageLink":{"pageSize":10,"page":-1}}`, "pageLink.page")
	f(`{"entityFilter":{"type":"x"},"pageLink":{"pageSize":10}}`, "entityFilter.type")
	f(`{"entityFilter":{"type":"entityType","entityType":"FOO"},"pageLink":{"pageSize":10}}`, `entityFilter.entityType "FOO" is unknown`)
	f(`{"entityFilter":{"type":"entityName","entityType":""},"pageLink":{"pageSize":10}}`, "entityFilter.entityType is missing")
	f(`{"entityFilter":{"type":"entityList","entityType":"FOO","entityList":["784f394c-42b6-435a-983c-b7beff2784f9"]},"pageLink":{"pageSize":10}}`, `"FOO" is unknown`)
	f(`{"entityFilter":{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_FOO"}},"pageLink":{"pageSize":10}}`, `"CURRENT_FOO" is unknown`)
	f(`{"entityFilter":{"type":"relationsQuery","rootEntity":{"entityType":"CURRENT_USER"},"filters":[{"entityTypes":["FOO"]}]},"pageLink":{"pageSize":10}}`,
		`entityFilter.filters.entityTypes "FOO" is unknown`)
	f(`{"entityFilter":{"type":"singleEntity"},"pageLink":{"pageSize":10}}`, "singleEntity")
	f(`{"entityFilter":{"type":"singleEntity","singleEntity":{"entityType":"DEVICE","id":"7"}},"pageLink":{"pageSize":10}}`, "Invalid UUID string")
	f(`{"entityFilter":{"type":"relationsQuery"},"pageLink":{"pageSize":10}}`, "rootEntity")
	f(rest(`,"entityFields":[{"type":"TIME_SERIES","key":"t"}]`), "entityFields")
	f(rest(`,"latestValues":[{"type":"X","key":"t"}]`), "latestValues.type")
	f(rest(`,"latestValues":[{"type":"TIME_SERIES"}]`), "latestValues.key")
	f(rest(`,"keyFiltersOperation":"XOR"`), "keyFiltersOperation")
	f(rest(`,"keyFilters":[{}]`), "keyFilters[0].key")
	f(rest(`,"keyFilters":[{"key":{"type":"TIME_SERIES","key":"t"}}]`), "keyFilters[0].predicate")
	f(condition(`{"type":"X"}`), "keyFilters[0].predicate.type")
	f(condition(`{"type":"NUMERIC","operation":"IN"}`), "keyFilters[0].predicate.operation")
	f(condition(`{"type":"NUMERIC","operation":"EQUAL"}`), "keyFilters[0].predicate.value")
	f(condition(`{"type":"NUMERIC","operation":"EQUAL","value":{"defaultValue":"x"}}`), "defaultValue must be a number")
	f(condition(`{"type":"BOOLEAN","operation":"EQUAL","value":{"defaultValue":1}}`), "defaultValue must be true or false")
	f(condition(`{"type":"NUMERIC","operation":"EQUAL","value":{"defaultValue":1e999}}`), "defaultValue")
	f(condition(strings.Repeat(`{"type":"COMPLEX","operation":"AND","predicates":[`, 20)+strings.Repeat(`]}`, 20)), "nest deeper")
}

func FuzzParseFind(f *testing.F) {
	f.Add([]byte(`{"entityFilter":{"type":"singleEntity","singleEntity":{"entityType":"CURRENT_USER"}},"pageLink":{"pageSize":1,"sortOrder":{"key":{"type":"TIME_SERIES","key":"t"}}}}`))
	f.Add([]byte(`{"entityFilter":{"type":"relationsQuery","multiRoot":true},"pageLink":{"pageSize":1},"keyFilters":[{"key":{"type":"ATTRIBUTE","key":"a"},"predicate":{"type":"COMPLEX","operation":"AND","predicates":[{"type":"BOOLEAN","operation":"EQUAL","value":{"userValue":"true"}}]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseFind(b, asker)
		if (q == nil) == (err == nil) {
			t.Errorf("%v, %v", q, err)
		}
		if err != nil && model.KindOf(err) != model.Invalid {
			t.Errorf("%v is no error of a client", err)
		}
	})
}
