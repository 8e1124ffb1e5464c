package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// at is the path of the series of device "owned".
func (w *world) at(path string) string {
	return "/api/plugins/telemetry/DEVICE/" + w.owned.String() + path
}

// save posts telemetry to device "owned" as a user.
func (w *world) save(body string) {
	w.t.Helper()
	w.call("POST", w.at("/timeseries/ANY"), w.adminA, body).is(200, "")
}

// Contract 5 and design: whatever a client calls the bytes, they are the body.
func TestDeviceTelemetryArrivesWhateverItsContentType(t *testing.T) {
	w := newWorld(t)
	for i, kind := range []string{"", "application/x-www-form-urlencoded", "text/plain", "application/json", "application/json; charset=utf-8"} {
		var header []string
		if kind != "" {
			header = []string{"Content-Type", kind}
		}
		big := strconv.Itoa(9007199254740993 + i) // no float64 holds it
		w.call("POST", "/api/v1/owned-token/telemetry", "", `{"big":`+big+`}`, header...).is(200, "")
		w.call("GET", w.at("/values/timeseries?keys=big&useStrictDataTypes=true"), w.adminA, "").
			is(200, `{"big":[{"ts":1700000000000,"value":`+big+`}]}`)
		w.call("POST", w.at("/timeseries/ANY"), w.adminA, `{"rest":`+big+`}`, header...).is(200, "")
		w.call("GET", w.at("/values/timeseries?keys=rest"), w.adminA, "").
			is(200, `{"rest":[{"ts":1700000000000,"value":"`+big+`"}]}`)
	}
}

// A token is whatever it was set to, escaped in the path.
func TestTokensOfAnyLettersReachTheirDevice(t *testing.T) {
	w := newWorld(t)
	for i, token := range []string{"a b", "a+b", "a/b", "ü", "a%2Fb", "50%", "a,b;c"} {
		b, err := json.Marshal(token)
		check(t, err)
		d := post[api.Device](w, "/api/device-with-credentials", w.adminA, fmt.Sprintf(
			`{"device":{"name":"d%d"},"credentials":{"credentialsType":"ACCESS_TOKEN","credentialsId":%s}}`, i, b))
		w.call("POST", "/api/v1/"+url.PathEscape(token)+"/telemetry", "", `{"t":1}`).is(200, "")
		w.call("GET", "/api/plugins/telemetry/DEVICE/"+d.ID.ID.String()+"/keys/timeseries", w.adminA, "").is(200, `["t"]`)
	}
}

func TestDeviceRoutesWordTheirFailures(t *testing.T) {
	w := newWorld(t)
	w.call("POST", "/api/v1/unknown/telemetry", "", `{"a":1}`).is(401, "")
	w.call("GET", "/api/v1/unknown/attributes", "", "").is(401, "")
	bad := w.call("POST", "/api/v1/owned-token/telemetry", "", `{"a":`).is(400)
	if got := bad.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") || bad.Body.Len() == 0 {
		t.Errorf("%q %s", got, bad.Body)
	}
	w.call("POST", "/api/v1/owned-token/nothing", "", `{}`).fails(404, 32, "The requested endpoint does not exist")
	w.call("PUT", "/api/v1/owned-token/telemetry", "", `{}`).fails(405, 31, "Request method 'PUT' is not supported")
}

func TestADeviceReadsItsAttributes(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/owned-token/attributes"
	w.call("GET", path, "", "").is(200, `{}`)
	w.call("POST", path, "", `{"fw":"1.2","up":7}`).is(200, "")
	w.call("POST", w.at("/SHARED_SCOPE"), w.adminA, `{"interval":10,"deep":{"a":[1]}}`).is(200, "")
	w.call("GET", path, "", "").is(200, `{"client":{"fw":1.2,"up":7},"shared":{"deep":{"a":[1]},"interval":10}}`)
	w.call("GET", path+"?clientKeys=up,none", "", "").is(200, `{"client":{"up":7}}`)
	w.call("GET", path+"?sharedKeys=interval", "", "").is(200, `{"shared":{"interval":10}}`)
	w.call("GET", path+"?clientKeys=none", "", "").is(200, `{}`)
}

func TestADeviceThatPostsIsActive(t *testing.T) {
	w := newWorld(t)
	info := "/api/device/info/" + w.owned.String()
	var d struct {
		Active           bool
		LastActivityTime *int64
		CustomerTitle    *string
	}
	w.call("GET", info, w.adminA, "").is(200).json(&d)
	if d.Active || d.LastActivityTime != nil || d.CustomerTitle == nil || *d.CustomerTitle != "One" {
		t.Errorf("before: %+v", d)
	}
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":1}`).is(200)
	w.call("GET", info, w.adminA, "").is(200).json(&d)
	if !d.Active || d.LastActivityTime == nil || *d.LastActivityTime != 1_700_000_000_000 {
		t.Errorf("after: %+v", d)
	}
	for query, want := range map[string]int{"&active=true": 1, "&active=false": 1, "": 2} {
		var p struct{ TotalElements int }
		w.call("GET", "/api/tenant/deviceInfos?pageSize=10&page=0"+query, w.adminA, "").is(200).json(&p)
		if p.TotalElements != want {
			t.Errorf("%q: %d devices, want %d", query, p.TotalElements, want)
		}
	}
}

// Contract 8.1 and 8.2.
func TestLatestAnswersEveryKeyAskedFor(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1600000000000,"values":{"t":21.5,"on":true,"n":7,"s":"x","j":{"a":1}}}`)
	get := func(query string) *answer {
		return w.call("GET", w.at("/values/timeseries"+query), w.adminA, "").is(200)
	}

	w.call("GET", w.at("/keys/timeseries"), w.adminA, "").is(200, `["j","n","on","s","t"]`)
	get("?keys=t,foo").is(200, `{"t":[{"ts":1600000000000,"value":"21.5"}],"foo":[{"ts":1700000000000,"value":null}]}`)
	get("?keys=t,on,n,s,j&useStrictDataTypes=true").is(200, `{"t":[{"ts":1600000000000,"value":21.5}],"on":[{"ts":1600000000000,"value":true}],`+
		`"n":[{"ts":1600000000000,"value":7}],"s":[{"ts":1600000000000,"value":"x"}],"j":[{"ts":1600000000000,"value":{"a":1}}]}`)
	get("").is(200, `{"j":[{"ts":1600000000000,"value":"{\"a\":1}"}],"n":[{"ts":1600000000000,"value":"7"}],"on":[{"ts":1600000000000,"value":"true"}],`+
		`"s":[{"ts":1600000000000,"value":"x"}],"t":[{"ts":1600000000000,"value":"21.5"}]}`)
	// One end of a range is no range.
	get("?keys=n&startTs=0").is(200, `{"n":[{"ts":1600000000000,"value":"7"}]}`)
	get("?keys=n&endTs=5").is(200, `{"n":[{"ts":1600000000000,"value":"7"}]}`)
	// Keys are not trimmed; key replaces keys and may hold commas.
	w.save(`{"ts":1,"values":{"a,b":1," c":2}}`)
	get("?keys=n&key=a,b&key=%20c").is(200, `{"a,b":[{"ts":1,"value":"1"}]," c":[{"ts":1,"value":"2"}]}`)
	// A late point never replaces the latest.
	w.save(`{"ts":5,"values":{"n":1}}`)
	get("?keys=n").is(200, `{"n":[{"ts":1600000000000,"value":"7"}]}`)
}

// Contract 8.3 and 9: the contract's own example, raw and aggregated.
func TestHistoryIsRawOrAggregated(t *testing.T) {
	w := newWorld(t)
	w.save(`[{"ts":0,"values":{"t":100}},{"ts":10000,"values":{"t":200}},{"ts":20000,"values":{"t":300}},{"ts":30000,"values":{"t":400}},{"ts":60000,"values":{"t":1}}]`)
	for _, path := range []string{"/values/timeseries", "/values/timeseries/history"} {
		get := func(query string) *answer { return w.call("GET", w.at(path+query), w.oneUser, "") }
		get("?keys=t&startTs=0&endTs=60000&agg=SUM&interval=20000").
			is(200, `{"t":[{"ts":10000,"value":"300"},{"ts":30000,"value":"700"}]}`)
		get("?keys=t&startTs=0&endTs=60000&agg=AVG&interval=20000&useStrictDataTypes=true").
			is(200, `{"t":[{"ts":10000,"value":150.0},{"ts":30000,"value":350.0}]}`)
		get("?keys=t&startTs=0&endTs=60000&agg=COUNT&interval=60000").is(200, `{"t":[{"ts":30000,"value":"4"}]}`)
		get("?keys=t&startTs=0&endTs=60000&agg=MIN&interval=60000").is(200, `{"t":[{"ts":30000,"value":"100"}]}`)
		get("?keys=t&startTs=0&endTs=60000&agg=MAX&intervalType=DAY&timeZone=Europe/Amsterdam").is(200, `{"t":[{"ts":30000,"value":"400"}]}`)
		// Raw: newest first, the end excluded, at most limit.
		get("?keys=t&startTs=0&endTs=60000&limit=2").is(200, `{"t":[{"ts":30000,"value":"400"},{"ts":20000,"value":"300"}]}`)
		get("?keys=t&startTs=0&endTs=60000&limit=1&orderBy=ASC&agg=AVG").is(200, `{"t":[{"ts":0,"value":"100"}]}`)
		// Keys without data are absent, no keys are no data.
		get("?keys=none&startTs=0&endTs=60000").is(200, `{}`)
		get("?startTs=0&endTs=60000").is(200, `{}`)
	}
}

func TestHistoryRefusesWhatTheContractRefuses(t *testing.T) {
	w := newWorld(t)
	get := func(query string) *answer {
		return w.call("GET", w.at("/values/timeseries/history?keys=t&"+query), w.adminA, "")
	}
	get("startTs=0&endTs=9&agg=AVG&interval=-1").text(400, "Invalid TsKvQuery: 'interval' must be greater than 0, but got -1")
	if got := get("startTs=0&endTs=701001&agg=AVG&interval=1000").is(400); !strings.HasPrefix(got.Body.String(), "Incorrect TsKvQuery. Number of intervals is to high - 701.") {
		t.Error(got.Body)
	}
	get("startTs=0&endTs=700999&agg=AVG&interval=1").is(200)
	get("startTs=9000&endTs=0&agg=AVG&interval=1000").is(400)
	get("startTs=0&endTs=9&key=%20").text(400, "Incorrect ReadTsKvQuery. Key can't be empty")
	get("startTs=0&endTs=9&timeZone=Nowhere/Land&agg=SUM&intervalType=WEEK").is(200)
	// What cannot be read at all is worded in JSON.
	for _, query := range []string{"startTs=0", "endTs=0", "startTs=x&endTs=1", "startTs=0&endTs=9&agg=MEDIAN", "startTs=0&endTs=9&intervalType=AGE"} {
		var e struct{ ErrorCode int }
		get(query).is(400).json(&e)
		if e.ErrorCode != 31 {
			t.Errorf("%s: code %d", query, e.ErrorCode)
		}
	}
}

// Nobody who calls a REST interface wants to read about the types of its server.
func TestParameterErrorsNameTheParameter(t *testing.T) {
	w := newWorld(t)
	f := func(target, message string) {
		t.Helper()
		w.call("GET", target, w.adminA, "").fails(400, 31, message)
	}
	f("/api/device/xyz", `Invalid UUID string: "xyz"`)
	f("/api/devices", "Required request parameter 'deviceIds' is not present")
	f("/api/tenant/devices?pageSize=ten&page=0", "Invalid value 'ten' of parameter 'pageSize'")
	f(w.at("/values/timeseries?startTs=1&endTs=soon"), "Invalid value 'soon' of parameter 'endTs'")
	f(w.at("/values/timeseries/history?startTs=1"), "Required request parameter 'endTs' is not present")
	f(w.at("/values/timeseries?useStrictDataTypes=maybe"), "Invalid value 'maybe' of parameter 'useStrictDataTypes'")
	w.call("POST", w.at("/timeseries/ANY/never"), w.adminA, `{"a":1}`).fails(400, 31, "Invalid value of parameter 'ttl'")
}

func TestAccessFailuresAreTextAndUnreadableParametersJSON(t *testing.T) {
	w := newWorld(t)
	path := "/api/plugins/telemetry/"
	gone := model.NewID(time.UnixMilli(1), nil).String()
	get := func(rest string) *answer { return w.call("GET", path+rest, w.oneUser, "") }
	get("DEVICE/"+gone+"/keys/timeseries").text(404, "Device with requested id wasn't found!")
	get("CUSTOMER/"+gone+"/keys/timeseries").text(404, "Customer with requested id wasn't found!")
	get("DEVICE/"+w.foreign.String()+"/values/timeseries").text(404, "Device with requested id wasn't found!")
	get("DEVICE/"+w.free.String()+"/values/attributes").text(403, "You don't have permission to perform this operation!")
	w.call("GET", w.at("/keys/timeseries"), "", "").fails(401, 10, "Authentication failed")
	for _, rest := range []string{"DEVICE/not-a-uuid/keys/timeseries", "SPOON/" + gone + "/keys/timeseries", "DEVICE/" + w.owned.String() + "/keys/attributes/MY_SCOPE"} {
		var e struct{ ErrorCode int }
		get(rest).is(400).json(&e)
		if e.ErrorCode != 31 {
			t.Errorf("%s: code %d", rest, e.ErrorCode)
		}
	}
}

// Contract 8.4.
func TestSavingTelemetryWordsItsFailures(t *testing.T) {
	w := newWorld(t)
	post := func(body string) *answer { return w.call("POST", w.at("/timeseries/ANY"), w.adminA, body) }
	post(`nonsense{`).text(400, "Unable to parse time series payload: Invalid JSON body!")
	post(`{}`).text(400, "No time series data found in request body!")
	for _, body := range []string{`{"a":null}`, `[1]`, `7`} {
		if got := post(body).is(400); !strings.HasPrefix(got.Body.String(), "Unable to parse time series payload. Invalid JSON body: ") {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	post(`{"`+strings.Repeat("k", 256)+`":1}`).text(400, "Validation error: key length must be equal or less than 255")
	post(`{"<b>":1}`).text(400, "Validation error: key is malformed")

	w.call("POST", w.at("/timeseries/ANY/60"), w.adminA, `{"ttl":1}`).is(200, "")
	w.call("POST", w.at("/timeseries/ANY/x"), w.adminA, `{"ttl":1}`).is(400)
	w.call("POST", w.at("/timeseries/ANY/-1"), w.adminA, `{"ttl":1}`).text(400, "TTL can't be negative")
	w.call("POST", w.at("/timeseries/ANY/3155760001"), w.adminA, `{"ttl":1}`).text(400, "TTL of 3155760001 seconds exceeds the limit of 3155760000")
	w.call("POST", w.at("/timeseries/ANY/9223372036854775808"), w.adminA, `{"ttl":1}`).is(400)
	w.call("POST", w.at("/timeseries/ANY/3155760000"), w.adminA, `{"ttl":2}`).is(200, "")
	w.call("GET", w.at("/keys/timeseries"), w.adminA, "").is(200, `["ttl"]`)
}

// Contract 8.4 and 4.5: who wrote a point last decides how long it is kept, 0 as long as the
// policy says; the latest value outlives its point.
func TestTelemetryWithATimeToLiveGoesAndLatestStays(t *testing.T) {
	w := newWorld(t)
	save := func(ttl, body string) { w.call("POST", w.at("/timeseries/ANY/"+ttl), w.adminA, body).is(200, "") }
	save("60", `[{"ts":1000,"values":{"t":1}},{"ts":2000,"values":{"t":2}},{"ts":3000,"values":{"t":3}}]`)
	save("0", `{"ts":1000,"values":{"t":10}}`)
	save("600", `{"ts":2000,"values":{"t":20}}`)
	save("600", `{"ts":4000,"values":{"other":4}}`)
	history := func(want string) {
		t.Helper()
		w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=9000&orderBy=ASC"), w.adminA, "").is(200, want)
	}
	reclaim := func() {
		t.Helper()
		if err := w.db.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.add(59 * time.Second)
	reclaim()
	history(`{"t":[{"ts":1000,"value":"10"},{"ts":2000,"value":"20"},{"ts":3000,"value":"3"}]}`)
	w.clock.add(time.Second)
	reclaim()
	history(`{"t":[{"ts":1000,"value":"10"},{"ts":2000,"value":"20"}]}`)
	w.clock.add(10 * time.Minute)
	reclaim()
	history(`{"t":[{"ts":1000,"value":"10"}]}`)
	w.call("GET", w.at("/values/timeseries?keys=t,other"), w.adminA, "").is(200, `{"t":[{"ts":3000,"value":"3"}],"other":[{"ts":4000,"value":"4"}]}`)
}

// Contract 8.1 and 8.5.
func TestAttributesAreSavedReadAndDeleted(t *testing.T) {
	w := newWorld(t)
	id := w.owned.String()
	post := func(path, body string) *answer {
		return w.call("POST", "/api/plugins/telemetry/"+path, w.adminA, body)
	}
	post(id+"/SERVER_SCOPE", `{"a":1}`).is(200, "")
	post("DEVICE/"+id+"/SHARED_SCOPE", `{"a":"x","b":true}`).is(200, "")
	w.clock.add(time.Second)
	post("DEVICE/"+id+"/attributes/SERVER_SCOPE", `{"c":{"d":1}}`).is(200, "")

	get := func(path string) *answer { return w.call("GET", w.at(path), w.oneUser, "") }
	get("/keys/attributes").is(200, `["a","c","a","b"]`)
	get("/keys/attributes/SHARED_SCOPE").is(200, `["a","b"]`)
	get("/values/attributes?keys=a,none").is(200,
		`[{"lastUpdateTs":1700000000000,"key":"a","value":1},{"lastUpdateTs":1700000000000,"key":"a","value":"x"}]`)
	get("/values/attributes/SERVER_SCOPE").is(200,
		`[{"lastUpdateTs":1700000000000,"key":"a","value":1},{"lastUpdateTs":1700000001000,"key":"c","value":{"d":1}}]`)

	post(id+"/CLIENT_SCOPE", `{"a":1}`).text(400, "Invalid scope: CLIENT_SCOPE")
	post(id+"/SERVER_SCOPE", `{`).text(400, "Invalid JSON")
	post(id+"/SERVER_SCOPE", `[1]`).text(400, "Request is not a JSON object")
	post(id+"/SERVER_SCOPE", `{}`).text(400, "No attributes data found in request body!")
	post(id+"/SERVER_SCOPE", `{" ":1}`).is(400)

	del := func(path string) *answer { return w.call("DELETE", "/api/plugins/telemetry/"+path, w.adminA, "") }
	del(id+"/SERVER_SCOPE").text(400, "Empty keys: []")
	del(id+"/SERVER_SCOPE?keys=a,never").is(200, "")
	del("DEVICE/"+id+"/SHARED_SCOPE?keys=b").is(200, "")
	get("/keys/attributes").is(200, `["c","a"]`)
	w.call("POST", "/api/v1/owned-token/attributes", "", `{"mine":1}`).is(200)
	del(id+"/CLIENT_SCOPE?keys=mine").is(200, "")
	get("/keys/attributes/CLIENT_SCOPE").is(200, `[]`)
}

func TestATenantsOwnEntityIsReadNotWritten(t *testing.T) {
	w := newWorld(t)
	path := "/api/plugins/telemetry/TENANT/" + w.a.String()
	w.call("GET", path+"/values/attributes", w.adminA, "").is(200, `[]`)
	w.call("POST", path+"/SERVER_SCOPE", w.adminA, `{"a":1}`).text(403, "You don't have permission to perform this operation!")
	w.call("POST", path+"/SERVER_SCOPE", w.system, `{"a":1}`).is(200, "")
	w.call("GET", path+"/keys/attributes", w.adminA, "").is(200, `["a"]`)
}

// Contract 8.6.
func TestDeletingTimeseriesKeepsDropsOrRewritesTheLatest(t *testing.T) {
	w := newWorld(t)
	points := `[{"ts":1000,"values":{"t":1}},{"ts":2000,"values":{"t":2}},{"ts":3000,"values":{"t":3}}]`
	del := func(query string) *answer {
		return w.call("DELETE", w.at("/timeseries/delete"+query), w.adminA, "")
	}
	latest := func(want string) {
		t.Helper()
		w.call("GET", w.at("/values/timeseries?keys=t"), w.adminA, "").is(200, `{"t":[`+want+`]}`)
	}
	del("").text(400, "Empty keys: []")
	del("?keys=t&startTs=1").text(400, "When deleteAllDataForKeys is false, start and end timestamp values shouldn't be empty")

	w.save(points)
	del("?keys=t&startTs=3000&endTs=3000").is(200, "") // the range is half open: there is nothing in it
	del("?keys=t&startTs=4000&endTs=3000").is(200, "")
	latest(`{"ts":3000,"value":"3"}`)
	del("?keys=t&startTs=2000&endTs=4000&rewriteLatestIfDeleted=true").is(200, "")
	latest(`{"ts":1000,"value":"1"}`)
	w.save(points)
	del("?keys=t&startTs=3000&endTs=3001&deleteLatest=false").is(200, "")
	latest(`{"ts":3000,"value":"3"}`)
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=9000&orderBy=ASC"), w.adminA, "").
		is(200, `{"t":[{"ts":1000,"value":"1"},{"ts":2000,"value":"2"}]}`)
	w.save(`{"ts":1800000000000,"values":{"t":9}}`)
	del("?keys=t&deleteAllDataForKeys=true").is(200, "")
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=1900000000000"), w.adminA, "").
		is(200, `{"t":[{"ts":1800000000000,"value":"9"}]}`)
	del("?keys=t&startTs=0&endTs=1900000000000").is(200, "")
	latest(`{"ts":1700000000000,"value":null}`)
}

// A long history leaves in chunks, compressed where the client takes it, whole either way.
func TestALongHistoryArrivesWhole(t *testing.T) {
	w := newWorld(t)
	const n = 20_000
	var body, want strings.Builder
	body.WriteByte('[')
	want.WriteString(`{"t":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
			want.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"ts":%d,"values":{"t":%d}}`, i+1, i)
		fmt.Fprintf(&want, `{"ts":%d,"value":"%d"}`, i+1, i)
	}
	want.WriteString(`]}`)
	w.save(body.String() + "]")
	query := w.at("/values/timeseries?keys=t&startTs=0&endTs=99999999&orderBy=ASC&limit=100000")
	w.call("GET", query, w.adminA, "").is(200, want.String())

	packed := w.call("GET", query, w.adminA, "", "Accept-Encoding", "br, gzip").is(200)
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() > want.Len()/4 {
		t.Fatalf("%d bytes of %q", packed.Body.Len(), packed.Header().Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(packed.Body)
	check(t, err)
	got, err := io.ReadAll(z)
	check(t, err)
	if string(got) != want.String() {
		t.Error("the compressed history differs")
	}
}

func TestACompressedBodyIsReadWithinTheLimit(t *testing.T) {
	w := newWorld(t, limitBodies(1000))
	post := func(plain string, cut int) *answer {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(plain))
		check(t, err)
		check(t, z.Close())
		r := httptest.NewRequest(http.MethodPost, "/api/v1/owned-token/telemetry", bytes.NewReader(b.Bytes()[:b.Len()-cut]))
		r.Header.Set("Content-Encoding", "gzip")
		return w.send(r)
	}
	padded := func(n int) string { return `{"t":1` + strings.Repeat(" ", n-7) + `}` }
	post(padded(1000), 0).is(200, "")
	post(padded(1001), 0).text(413, "Payload size exceeds the limit of 1000 bytes")
	post(padded(1000), 9).text(400, "The body is not valid gzip")
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{}`, "Content-Encoding", "br").is(415)
}

// A user who loads a history says nothing of whether the device lives (contract 3.6).
func TestOnlyADeviceItselfIsActive(t *testing.T) {
	w := newWorld(t)
	w.save(`{"ts":1262304000000,"values":{"t":1}}`)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"a":1}`).is(200, "")
	if a, heard := w.pipeline.Activity(w.owned); heard && a.LastActivity != 0 {
		t.Errorf("active after a user's save: %+v", a)
	}
	w.call("POST", "/api/v1/owned-token/telemetry", "", `{"t":2}`).is(200, "")
	if a, heard := w.pipeline.Activity(w.owned); !heard || !a.Active {
		t.Errorf("not active after its own message: %+v", a)
	}
}

// A tornStore cannot read what stands at one instant.
type tornStore struct{ api.Store }

func (s tornStore) Raw(ctx context.Context, q *model.RangeQuery, yield func(string, []model.Point) error) (model.Position, error) {
	p, err := s.Store.Raw(ctx, q, yield)
	if err != nil {
		return p, err
	}
	return p, &model.DamageError{Places: []model.Damage{{
		Tenant: q.Tenant, Entity: q.Entity, Scope: q.Scope, Keys: []string{"a key", "b"}, From: 1000, To: 2000,
		Cause: errors.New("block 7 of file 9"),
	}}}
}

func (s tornStore) StateAt(ctx context.Context, t model.TenantID, e model.EntityID, scope model.Scope, keys []string, at int64) (model.Snapshot, error) {
	state, err := s.Store.StateAt(ctx, t, e, scope, keys, at)
	if err != nil {
		return state, err
	}
	return state, &model.DamageError{Places: []model.Damage{{Tenant: t, Entity: e, Scope: scope, Keys: keys, From: 1000, To: 2000, Cause: errors.New("block 7 of file 9")}}}
}

// A history never hides a gap: it fails with the place, unless the client knows of damage.
func TestDamageIsToldByItsPlace(t *testing.T) {
	w := newWorld(t, func(d *api.Deps) { d.Store = tornStore{d.Store} })
	w.save(`{"ts":1,"values":{"a":1}}`)
	path := w.at("/values/timeseries?keys=a&startTs=0&endTs=9")
	got := w.call("GET", path, w.adminA, "")
	got.is(500)
	if body := got.Body.String(); !strings.Contains(body, "a key, b of entity "+w.owned.String()) ||
		!strings.Contains(body, "1970-01-01T00:00:01.000Z") || strings.Contains(body, "file 9") {
		t.Errorf("%q", body)
	}
	got = w.call("GET", path, w.adminA, "", "Tidewire-Accept-Damage", "true")
	got.is(200, `{"a":[{"ts":1,"value":"1"}]}`)
	if told := got.Header().Get("Tidewire-Damaged"); told != "keys=a+key,b;from=1000;to=2000" {
		t.Errorf("%q", told)
	}
	// So does the state at an instant, of each scope.
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"a":2}`).is(200)
	const place = "keys=a;from=1000;to=2000"
	for path, want := range map[string][2]string{
		"/values/timeseries?keys=a&at=5":                          {`{"a":[{"ts":1,"value":"1"}]}`, place},
		"/values/attributes/SERVER_SCOPE?keys=a&at=1700000000000": {`[{"lastUpdateTs":1700000000000,"key":"a","value":2}]`, place},
		"/values/attributes?keys=a&at=1700000000000":              {`[{"lastUpdateTs":1700000000000,"key":"a","value":2}]`, place + ", " + place + ", " + place},
		"/values/timeseries?keys=a":                               {`{"a":[{"ts":1,"value":"1"}]}`, ""}, // the newest is in memory
	} {
		if want[1] != "" {
			w.call("GET", w.at(path), w.adminA, "").is(500)
		}
		got := w.call("GET", w.at(path), w.adminA, "", "Tidewire-Accept-Damage", "true").is(200, want[0])
		if told := got.Header().Get("Tidewire-Damaged"); told != want[1] {
			t.Errorf("%s: %q", path, told)
		}
	}
}
