package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// Contract thingsboard 8, line by line, as far as no other test holds the server to it.

// 8, head: 404 names the kind of what is not there, whatever is asked about it.
func TestWhatIsNotThereIsNamed(t *testing.T) {
	w := newWorld(t)
	gone := model.NewID(time.UnixMilli(1), nil).String()
	for kind, word := range map[string]string{
		"DEVICE": "Device", "ASSET": "Asset", "CUSTOMER": "Customer", "USER": "User", "DASHBOARD": "Dashboard", "ENTITY_VIEW": "Entity-view",
		"DEVICE_PROFILE": "Device profile", "ASSET_PROFILE": "Asset profile", "TENANT": "Tenant", "ALARM": "Alarm",
	} {
		series := "/api/plugins/telemetry/" + kind + "/" + gone
		calls := []struct{ method, path, body string }{
			{"GET", "/keys/timeseries", ""}, {"GET", "/keys/attributes", ""}, {"GET", "/keys/attributes/SERVER_SCOPE", ""},
			{"GET", "/values/attributes", ""}, {"GET", "/values/attributes/SERVER_SCOPE", ""}, {"GET", "/values/timeseries", ""},
			{"GET", "/values/timeseries?startTs=0&endTs=1&keys=t", ""}, {"GET", "/values/timeseries/history?startTs=0&endTs=1&keys=t", ""},
			{"POST", "/timeseries/ANY", `{"t":1}`}, {"POST", "/timeseries/ANY/5", `{"t":1}`}, {"POST", "/SERVER_SCOPE", `{"t":1}`},
			{"POST", "/attributes/SERVER_SCOPE", `{"t":1}`}, {"DELETE", "/SERVER_SCOPE?keys=t", ""}, {"DELETE", "/timeseries/delete?keys=t&deleteAllDataForKeys=true", ""},
		}
		if kind != "DEVICE" && kind != "ENTITY_VIEW" {
			calls = []struct{ method, path, body string }{calls[0], calls[4], calls[8], calls[10]}
		}
		for _, call := range calls {
			got := w.call(call.method, series+call.path, w.adminA, call.body)
			if text := got.Body.String(); got.Code != 404 || text != word+" with requested id wasn't found!" {
				t.Errorf("%s %s%s: %d %s", call.method, kind, call.path, got.Code, text)
			}
		}
	}
}

// 8.1: a list without order from nobody is sorted; typed values; JSON is an object.
func TestAttributesKeepTheirTypes(t *testing.T) {
	w := newWorld(t)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"z":"1.50","b":true,"i":9007199254740993,"f":2.0,"o":{"a":[1,"x"]},"e":""}`).is(200, "")
	w.call("GET", w.at("/keys/attributes"), w.oneUser, "").is(200, `["b","e","f","i","o","z"]`)
	const at = `{"lastUpdateTs":1700000000000,"key":`
	w.call("GET", w.at("/values/attributes/SERVER_SCOPE?keys=z,b,none,i,f,o,e"), w.oneUser, "").is(200,
		`[`+at+`"b","value":true},`+at+`"e","value":""},`+at+`"f","value":2.0},`+at+`"i","value":9007199254740993},`+at+`"o","value":{"a":[1,"x"]}},`+at+`"z","value":1.5}]`)
	w.call("GET", w.at("/values/attributes/SERVER_SCOPE?keys=none"), w.oneUser, "").is(200, `[]`)
}

// 8.2 and 8.3: no keys mean all of the latest and nothing of the history.
func TestKeysLeftOutMeanAllOfTheLatestAndNoneOfTheHistory(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1000,"values":{"a":1,"b":"x"}}`)
	for _, keys := range []string{"", "keys="} {
		w.call("GET", w.at("/values/timeseries?"+keys), w.oneUser, "").is(200, `{"a":[{"ts":1000,"value":"1"}],"b":[{"ts":1000,"value":"x"}]}`)
		for _, path := range []string{"/values/timeseries", "/values/timeseries/history"} {
			w.call("GET", w.at(path+"?startTs=0&endTs=9000&"+keys), w.oneUser, "").is(200, `{}`)
		}
	}
}

// 8.3, the table of parameters: defaults, and who wins.
func TestHistoryDefaults(t *testing.T) {
	w := newWorld(t)
	var body []string
	for i := range 150 {
		body = append(body, fmt.Sprintf(`{"ts":%d,"values":{"t":%d,"u":%d}}`, i*1000, i, i))
	}
	w.save("[" + strings.Join(body, ",") + "]")
	points := func(key string, from, n, step int, strict bool) string {
		var list []string
		for i := range n {
			value := fmt.Sprint(from + i*step)
			if !strict {
				value = `"` + value + `"`
			}
			list = append(list, fmt.Sprintf(`{"ts":%d,"value":%s}`, (from+i*step)*1000, value))
		}
		return `"` + key + `":[` + strings.Join(list, ",") + `]`
	}
	f := func(query, want string) {
		t.Helper()
		for _, path := range []string{"/values/timeseries?", "/values/timeseries/history?"} {
			w.call("GET", w.at(path+query), w.oneUser, "").is(200, `{`+want+`}`)
		}
	}
	all := "startTs=0&endTs=150000&keys="
	f(all+"t", points("t", 149, 100, -1, false))                                        // 100, newest first
	f(all+"t,u", points("t", 149, 100, -1, false)+","+points("u", 149, 100, -1, false)) // of each key
	f(all+"t&limit=0", points("t", 149, 100, -1, false))
	f(all+"t&limit=120", points("t", 149, 120, -1, false))
	f(all+"t&orderBy=ASC&limit=3&useStrictDataTypes=true", points("t", 0, 3, 1, true))
	f(all+"t&agg=NONE&interval=1000&limit=2", points("t", 149, 2, -1, false))
	f(all+"t&agg=AVG&interval=0&limit=2", points("t", 149, 2, -1, false)) // raw, limited
	f("startTs=3000&endTs=5000&keys=t", points("t", 4, 2, -1, false))     // [startTs, endTs)
	f("startTs=3000&endTs=3000&keys=t", points("t", 3, 1, -1, false))     // read as a millisecond
	f("startTs=3000&endTs=2500&keys=t&agg=SUM&interval=1000", `"t":[{"ts":3000,"value":"3"}]`)
	// Neither limit nor order apply to aggregates.
	f("startTs=0&endTs=3000&keys=t&agg=MAX&interval=1000&limit=1&orderBy=DESC", `"t":[{"ts":500,"value":"0"},{"ts":1500,"value":"1"},{"ts":2500,"value":"2"}]`)
	f("startTs=0&endTs=3000&keys=u&key=t&agg=MAX&interval=3000", `"t":[{"ts":1500,"value":"2"}]`) // key replaces keys

	bad := func(query string) *answer {
		return w.call("GET", w.at("/values/timeseries/history?"+query), w.oneUser, "")
	}
	bad(all+"t&agg=avg&interval=5").fails(400, 31, "Invalid value 'avg' of parameter 'agg'")
	bad(all+"t&intervalType=week&agg=AVG").fails(400, 31, "Invalid value 'week' of parameter 'intervalType'")
	bad(all+"t&orderBy=UP").text(400, "Unsupported sort order 'UP'! Only 'ASC' or 'DESC' types are allowed.")
	bad(all+"t&limit=-1").text(400, "Incorrect TsKvQuery. 'limit' must be greater than 0, but got -1")
	bad(all+"t,,u").text(400, "Incorrect ReadTsKvQuery. Key can't be empty")
	bad("keys=t&endTs=5").fails(400, 31, "Required request parameter 'startTs' is not present")
	bad("keys=t&startTs=5").fails(400, 31, "Required request parameter 'endTs' is not present")
}

// 8.3, the bucket guard: what each unit counts as.
func TestTheBucketGuardCountsUnits(t *testing.T) {
	w := newWorld(t)
	const day = 24 * 3600_000
	for unit, step := range map[string]int64{
		"HOUR": 3600_000, "DAY": day, "WEEK": 7 * day, "WEEK_ISO": 7 * day, "MONTH": 30 * day, "QUARTER": 90 * day, "YEAR": 365 * day,
	} {
		get := func(to int64) *answer {
			return w.call("GET", w.at(fmt.Sprintf("/values/timeseries?keys=t&agg=AVG&intervalType=%s&interval=1&startTs=0&endTs=%d", unit, to)), w.oneUser, "")
		}
		get(701*step-1).is(200, `{}`)
		if got := get(701 * step); got.Code != 400 || !strings.HasPrefix(got.Body.String(), "Incorrect TsKvQuery. Number of intervals is to high - 701. Please increase ") {
			t.Errorf("%s: %d %s", unit, got.Code, got.Body)
		}
		get(-step).is(400)
		get(1-step).is(200, `{}`)
	}
}

// 8.4: the scope is free text; without time, the server's; keys by the rules of 4.3.
func TestSavingTelemetryTakesAnyScope(t *testing.T) {
	w := newWorld(t)
	for i, scope := range []string{"ANY", "LATEST_TELEMETRY", "x%20y", "SERVER_SCOPE"} {
		w.call("POST", w.at("/timeseries/"+scope), w.adminA, fmt.Sprintf(`{"k%d":%d}`, i, i)).is(200, "")
		w.call("GET", w.at(fmt.Sprintf("/values/timeseries?keys=k%d", i)), w.oneUser, "").
			is(200, fmt.Sprintf(`{"k%d":[{"ts":1700000000000,"value":"%d"}]}`, i, i))
	}
	w.call("GET", w.at("/values/attributes"), w.oneUser, "").is(200, `[]`) // none of them is of attributes
	post := func(body string) *answer { return w.call("POST", w.at("/timeseries/ANY"), w.adminA, body) }
	post(`{"a":1,"b":null}`).text(400, "Unable to parse time series payload. Invalid JSON body: Can't parse value: null")
	post(`[]`).text(400, "No time series data found in request body!")
	post(``).text(400, "Unable to parse time series payload: Invalid JSON body!")
	post(`{" ":1}`).text(400, "Key can't be null or empty")
	post(`{"{{x}}":1}`).text(400, "Validation error: key is malformed")
	post(`{"`+strings.Repeat("ä", 255)+`":1}`).is(200, "")
	post(`{"`+strings.Repeat("ä", 256)+`":1}`).text(400, "Validation error: key length must be equal or less than 255")
	w.call("GET", w.at("/values/timeseries?keys=a"), w.oneUser, "").is(200, `{"a":[{"ts":1700000000000,"value":null}]}`) // all or nothing
}

// 8.5: which forms of a path save and delete what.
func TestAttributesAreSavedInEveryForm(t *testing.T) {
	w := newWorld(t)
	owned := "/api/plugins/telemetry/" + w.owned.String()
	for i, path := range []string{owned + "/SERVER_SCOPE", w.at("/SERVER_SCOPE"), w.at("/attributes/SERVER_SCOPE"), owned + "/SHARED_SCOPE", w.at("/SHARED_SCOPE"), w.at("/attributes/SHARED_SCOPE")} {
		w.call("POST", path, w.adminA, fmt.Sprintf(`{"k%d":%d}`, i, i)).is(200, "")
		w.call("POST", path, w.adminA, `{"a":1,"  ":2}`).text(400, "Key cannot be blank")
		w.call("POST", path, w.adminA, `{]`).text(400, "Invalid JSON")
		w.call("POST", path, w.adminA, `7`).text(400, "Request is not a JSON object")
		w.call("POST", path, w.adminA, `{}`).text(400, "No attributes data found in request body!")
	}
	for _, path := range []string{owned + "/CLIENT_SCOPE", w.at("/CLIENT_SCOPE"), w.at("/attributes/CLIENT_SCOPE")} {
		w.call("POST", path, w.adminA, `{"a":1}`).text(400, "Invalid scope: CLIENT_SCOPE")
	}
	w.call("GET", w.at("/keys/attributes"), w.oneUser, "").is(200, `["k0","k1","k2","k3","k4","k5"]`)
	w.call("DELETE", owned+"/SERVER_SCOPE?keys=k0,k1,k2", w.adminA, "").is(200, "")
	w.call("DELETE", w.at("/SHARED_SCOPE?key=k3&key=k4&keys=k5"), w.adminA, "").is(200, "") // key replaces keys
	for _, path := range []string{owned + "/CLIENT_SCOPE", w.at("/SHARED_SCOPE")} {
		w.call("DELETE", path, w.adminA, "").text(400, "Empty keys: []")
		w.call("DELETE", path+"?keys=", w.adminA, "").text(400, "Empty keys: []")
		w.call("DELETE", path+"?keys=never", w.adminA, "").is(200, "")
	}
	w.call("GET", w.at("/keys/attributes"), w.oneUser, "").is(200, `["k5"]`)
}

// 8.6: what is deleted, and what becomes of the latest.
func TestDeletesFollowTheirParameters(t *testing.T) {
	w := newWorld(t)
	f := func(query, latest, history string) {
		t.Helper()
		w.save(`[{"ts":1000,"values":{"t":1}},{"ts":2000,"values":{"t":2}},{"ts":3000,"values":{"t":3}}]`)
		w.call("DELETE", w.at("/timeseries/delete?keys=t,none&"+query), w.adminA, "").is(200, "")
		w.call("GET", w.at("/values/timeseries?keys=t"), w.oneUser, "").is(200, `{"t":[`+latest+`]}`)
		w.call("GET", w.at("/values/timeseries?keys=t&orderBy=ASC&startTs=0&endTs=9000"), w.oneUser, "").is(200, history)
		w.call("DELETE", w.at("/timeseries/delete?keys=t&startTs=0&endTs=1900000000000"), w.adminA, "").is(200, "")
	}
	point := func(n int) string { return fmt.Sprintf(`{"ts":%d000,"value":"%d"}`, n, n) }
	const none = `{"ts":1700000000000,"value":null}`
	f("startTs=1000&endTs=2000", point(3), `{"t":[`+point(2)+`,`+point(3)+`]}`)
	f("startTs=2000&endTs=3000&rewriteLatestIfDeleted=true", point(3), `{"t":[`+point(1)+`,`+point(3)+`]}`)
	f("startTs=3000&endTs=3001", none, `{"t":[`+point(1)+`,`+point(2)+`]}`)
	f("startTs=3000&endTs=3001&deleteLatest=false&rewriteLatestIfDeleted=true", point(3), `{"t":[`+point(1)+`,`+point(2)+`]}`)
	f("startTs=2000&endTs=9000&rewriteLatestIfDeleted=true", point(1), `{"t":[`+point(1)+`]}`)
	f("startTs=0&endTs=9000&rewriteLatestIfDeleted=true", none, `{}`)
	f("deleteAllDataForKeys=true", none, `{}`)
	f("deleteAllDataForKeys=true&deleteLatest=false", point(3), `{}`)
	f("deleteAllDataForKeys=true&startTs=1&endTs=2", none, `{}`) // the range counts only without it
	for _, query := range []string{"", "keys=", "keys=&startTs=1&endTs=2"} {
		w.call("DELETE", w.at("/timeseries/delete?"+query), w.adminA, "").text(400, "Empty keys: []")
	}
	for _, query := range []string{"", "&startTs=1", "&endTs=1", "&deleteAllDataForKeys=false&startTs=1"} {
		w.call("DELETE", w.at("/timeseries/delete?keys=t"+query), w.adminA, "").
			text(400, "When deleteAllDataForKeys is false, start and end timestamp values shouldn't be empty")
	}
}

// 8.4: without a time to live of its own a point has that of the tenant's profile.
func TestTelemetryLivesAsLongAsTheTenantProfileSays(t *testing.T) {
	w := newWorld(t)
	profile := post[api.TenantProfile](w, "/api/tenantProfile", w.system, `{"name":"short","profileData":{"configuration":{"type":"DEFAULT","defaultStorageTtlDays":2}}}`)
	var tenant map[string]any
	w.call("GET", "/api/tenant/"+w.a.String(), w.system, "").is(200).json(&tenant)
	w.call("POST", "/api/tenant", w.system, fmt.Sprintf(`{"id":{"entityType":"TENANT","id":"%s"},"title":"Acme","tenantProfileId":{"entityType":"TENANT_PROFILE","id":"%s"},"version":%v}`,
		w.a, profile.ID.ID, tenant["version"])).is(200)
	now := int64(1_700_000_000_000)
	old, young := now-4*24*3600_000, now-24*3600_000
	w.save(fmt.Sprintf(`[{"ts":%d,"values":{"t":1}},{"ts":%d,"values":{"t":2}}]`, old, young))
	got := w.call("POST", "/api/retention/preview", w.adminA, `{}`).is(200).Body.String()
	if !strings.Contains(got, `"points":1`) {
		t.Errorf("what would go: %s", got)
	}
}
