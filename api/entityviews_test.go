package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// view saves a view of the device "owned" and returns it.
func (w *world) saveView(token, rest string) api.EntityView {
	w.t.Helper()
	return post[api.EntityView](w, "/api/entityView", token, fmt.Sprintf(`{"entityId":{"entityType":"DEVICE","id":%q},%s}`, w.owned, rest))
}

// Contract 8.7.
func TestAViewClipsHistoryAndLatest(t *testing.T) {
	w := newWorld(t)
	for _, row := range []string{`{"ts":1000,"values":{"t":1,"h":5}}`, `{"ts":2000,"values":{"t":2,"secret":7}}`, `{"ts":3000,"values":{"t":3}}`, `{"ts":4000,"values":{"t":4}}`} {
		w.save(row)
	}
	v := w.saveView(w.adminA, `"name":"some","keys":{"timeseries":["t","h"]},"startTimeMs":2000,"endTimeMs":4000`)
	at := func(id, path string) string { return "/api/plugins/telemetry/ENTITY_VIEW/" + id + path }
	f := func(path, want string) {
		t.Helper()
		w.call("GET", at(v.ID.ID.String(), path), w.adminA, "").is(200, want)
	}
	f("/keys/timeseries", `["t"]`)
	f("/values/timeseries?useStrictDataTypes=true", `{"t":[{"ts":3000,"value":3}]}`) // the newest within the span
	f("/values/timeseries?keys=t,h,secret", `{"t":[{"ts":3000,"value":"3"}],"h":[{"ts":1700000000000,"value":null}],"secret":[{"ts":1700000000000,"value":null}]}`)
	f("/values/timeseries?keys=t,h,secret&startTs=0&endTs=9000", `{"t":[{"ts":3000,"value":"3"},{"ts":2000,"value":"2"}]}`)
	f("/values/timeseries?keys=t&startTs=0&endTs=2000", `{}`)
	f("/values/timeseries?keys=secret&startTs=0&endTs=9000", `{}`)
	// Buckets begin where the view does.
	f("/values/timeseries?keys=t&startTs=0&endTs=9000&agg=SUM&interval=1000", `{"t":[{"ts":2500,"value":"2"},{"ts":3500,"value":"3"}]}`)
	f("/values/timeseries/history?keys=t&startTs=0&endTs=9000&agg=COUNT&interval=9000", `{"t":[{"ts":3000,"value":"2"}]}`)

	open := w.saveView(w.adminA, `"name":"all"`)
	w.call("GET", at(open.ID.ID.String(), "/values/timeseries?keys=t,secret&startTs=0&endTs=2500"), w.adminA, "").
		is(200, `{"t":[{"ts":2000,"value":"2"},{"ts":1000,"value":"1"}],"secret":[{"ts":2000,"value":"7"}]}`)
	w.call("GET", at(open.ID.ID.String(), "/keys/timeseries"), w.adminA, "").is(200, `["h","secret","t"]`)

	const readOnly = "Telemetry data can't be stored for entity view. Read only"
	w.call("POST", at(v.ID.ID.String(), "/timeseries/ANY"), w.adminA, `{"t":1}`).text(400, readOnly)
	w.call("DELETE", at(v.ID.ID.String(), "/timeseries/delete?keys=t&deleteAllDataForKeys=true"), w.adminA, "").text(400, readOnly)
}

// Contract 3.4: attributes are copied when the view is saved.
func TestAViewCopiesAttributes(t *testing.T) {
	w := newWorld(t)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"a":1,"b":2,"c":{"x":1}}`).is(200)
	w.call("POST", w.at("/SHARED_SCOPE"), w.adminA, `{"s":"text"}`).is(200)
	w.call("POST", "/api/v1/owned-token/attributes", "", `{"fw":"1.2"}`).is(200)
	v := w.saveView(w.adminA, `"name":"v","keys":{"attributes":{"cs":["fw"],"ss":["a","c","none"],"sh":["s"]}}`)
	keys := func(want string) {
		t.Helper()
		w.call("GET", "/api/plugins/telemetry/ENTITY_VIEW/"+v.ID.ID.String()+"/keys/attributes", w.adminA, "").is(200, want)
	}
	value := func(key, want string) {
		t.Helper()
		got := w.call("GET", "/api/plugins/telemetry/ENTITY_VIEW/"+v.ID.ID.String()+"/values/attributes/SERVER_SCOPE?keys="+key, w.adminA, "").is(200).Body.String()
		if !strings.Contains(got, `"value":`+want) {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	keys(`["fw","a","c","s"]`)
	value("c", `{"x":1}`)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"a":9}`).is(200)
	value("a", "1") // a copy
	w.call("POST", "/api/plugins/telemetry/ENTITY_VIEW/"+v.ID.ID.String()+"/SERVER_SCOPE", w.adminA, `{"own":true}`).is(200)
	body := fmt.Sprintf(`"id":{"entityType":"ENTITY_VIEW","id":%q},"name":"v","keys":{"attributes":{"ss":["a"]}}`, v.ID.ID)
	w.saveView(w.adminA, body)
	value("a", "9")
	keys(`["a","own"]`) // what is chosen no longer goes, what is its own stays
	// Outside the span nothing is copied.
	w.saveView(w.adminA, strings.Replace(body, `"name":"v"`, `"name":"v","endTimeMs":5`, 1))
	keys(`["own"]`)
}

func TestEntityViewsAreSavedListedAndAssigned(t *testing.T) {
	w := newWorld(t)
	v := w.saveView(w.adminA, `"name":"b","type":"guest","startTimeMs":5,"keys":{"timeseries":["t"]},"additionalInfo":{"x":1}`)
	path := "/api/entityView/" + v.ID.ID.String()
	read := w.call("GET", path, w.adminA, "").is(200).Body.String()
	if !strings.Contains(read, `"keys":{"attributes":{"cs":[],"sh":[],"ss":[]},"timeseries":["t"]}`) || !strings.Contains(read, `"startTimeMs":5`) {
		t.Error(read)
	}
	again := post[api.EntityView](w, "/api/entityView", w.adminA, read) // clients send back what they read
	if again.Version != 2 || again.Type != "guest" {
		t.Errorf("%+v", again)
	}
	w.call("POST", "/api/entityView", w.adminA, read).fails(409, 35, "Entity view was already changed by someone else")
	w.saveView(w.adminA, `"name":"A"`)
	f := func(path, token, want string) {
		t.Helper()
		var p api.PageEntityView
		w.call("GET", path, token, "").is(200).json(&p)
		got := fmt.Sprintf("%d:", p.TotalElements)
		for _, v := range p.Data {
			got += " " + v.Name
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f("/api/tenant/entityViews?pageSize=9&page=0&sortProperty=name", w.adminA, "3: A b view")
	f("/api/tenant/entityViews?pageSize=9&page=0&type=guest", w.adminA, "1: b")
	f("/api/tenant/entityViewInfos?pageSize=9&page=0&textSearch=GUE", w.adminA, "1: b")
	f("/api/customer/"+w.one.String()+"/entityViews?pageSize=9&page=0", w.oneUser, "1: view")
	f("/api/customer/"+w.one.String()+"/entityViewInfos?pageSize=9&page=0", w.oneUser, "1: view")
	w.call("GET", "/api/tenant/entityViews?entityViewName=b", w.adminA, "").is(200)
	w.call("GET", "/api/tenant/entityView?entityViewName=b", w.adminA, "").is(200)
	w.call("GET", "/api/tenant/entityViews?page=0", w.adminA, "").fails(400, 31, "Required request parameter 'pageSize' is not present")

	w.call("DELETE", "/api/customer/entityView/"+v.ID.ID.String(), w.adminA, "").fails(400, 31, "Entity view isn't assigned to any customer!")
	w.call("POST", "/api/customer/"+w.two.String()+"/entityView/"+v.ID.ID.String(), w.adminA, "").is(200)
	// Customer two sees the device through the view, and the device itself not.
	w.save(`{"ts":10,"values":{"t":1,"u":2}}`)
	series := "/api/plugins/telemetry/ENTITY_VIEW/" + v.ID.ID.String() + "/values/timeseries"
	w.call("GET", series, w.twoUser, "").is(200, `{"t":[{"ts":10,"value":"1"}]}`)
	w.call("GET", w.at("/values/timeseries"), w.twoUser, "").is(403)
	changed := strings.Replace(w.call("GET", path, w.twoUser, "").is(200).Body.String(), `"name":"b"`, `"name":"mine"`, 1)
	w.call("POST", "/api/entityView", w.twoUser, changed).is(200)
	w.call("POST", "/api/entityView", w.twoUser, strings.Replace(changed, w.owned.String(), w.free.String(), 1)).is(403)
	w.call("GET", "/api/entityView/types", w.twoUser, "").is(200, fmt.Sprintf(`[{"entityType":"ENTITY_VIEW","tenantId":{"entityType":"TENANT","id":"%s"},"type":"guest"}]`, w.a)+"\n")
	w.call("DELETE", "/api/customer/entityView/"+v.ID.ID.String(), w.adminA, "").is(200)
	w.call("GET", series, w.twoUser, "").is(403)
	w.call("POST", "/api/customer/public/entityView/"+v.ID.ID.String(), w.adminA, "").is(200)
	var info api.EntityViewInfo
	w.call("GET", "/api/entityView/info/"+v.ID.ID.String(), w.adminA, "").is(200).json(&info)
	if !info.CustomerIsPublic {
		t.Errorf("%+v", info)
	}
	moved := w.saveView(w.adminA, fmt.Sprintf(`"id":{"entityType":"ENTITY_VIEW","id":%q},"name":"mine","customerId":{"entityType":"CUSTOMER","id":%q}`, v.ID.ID, w.one))
	if model.CustomerID(moved.CustomerID.ID) != w.one {
		t.Errorf("%+v", moved)
	}

	// Contract 3.1: what views show is not deleted.
	w.call("DELETE", "/api/device/"+w.owned.String(), w.adminA, "").fails(400, 31, "Can't delete device that has entity views!")
	w.call("POST", "/api/entityView", w.adminA, fmt.Sprintf(`{"name":"x","entityId":{"entityType":"DEVICE","id":%q}}`, w.foreign)).is(404)
	w.call("POST", "/api/entityView", w.adminA, fmt.Sprintf(`{"name":"x","entityId":{"entityType":"CUSTOMER","id":%q}}`, w.one)).
		fails(400, 31, "Entity view can be assigned to a device or an asset only!")
	w.call("DELETE", path, w.adminA, "").is(200, "")
	w.call("GET", path, w.adminA, "").is(404)
}

// Contract 3.4: lists as for assets.
func TestEntityViewsAreReadByTheirIds(t *testing.T) {
	w := newWorld(t)
	first, second := w.saveView(w.adminA, `"name":"first"`), w.saveView(w.adminA, `"name":"second"`)
	w.call("POST", fmt.Sprintf("/api/customer/%s/entityView/%s", w.one, second.ID.ID), w.adminA, "").is(200)
	f := func(token, ids string, want ...string) {
		t.Helper()
		var list []api.EntityView
		w.call("GET", "/api/entityViews?entityViewIds="+ids, token, "").is(200).json(&list)
		var names []string
		for _, v := range list {
			names = append(names, v.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: got %q, want %q", ids, names, want)
		}
	}
	both := fmt.Sprintf("%s,%s", second.ID.ID, first.ID.ID)
	f(w.adminA, both, "second", "first")
	f(w.adminA, fmt.Sprintf("%s,%s", w.owned, first.ID.ID), "first") // a device is none
	f(w.oneUser, both, "second")
	f(w.adminB, both)
	w.call("GET", "/api/entityViews?entityViewIds="+both, w.system, "").is(403)
	w.call("GET", "/api/entityViews?entityViewIds=", w.adminA, "").fails(400, 31, "Parameter 'entityViewIds' can't be empty!")
	w.call("GET", "/api/entityViews?entityViewIds=x", w.adminA, "").fails(400, 31, `Invalid UUID string: "x"`)
}
