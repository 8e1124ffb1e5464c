package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// Contract thingsboard 4 and 5, line by line, as far as no other test holds the server to it.

// 4.1 and 4.2: what a device sends, and how it comes back.
func TestWhatADeviceSendsIsTyped(t *testing.T) {
	w := newWorld(t)
	send := func(body string) *answer { return w.call("POST", "/api/v1/owned-token/telemetry", "", body) }
	n := 0
	f := func(value, strict, text string) {
		t.Helper()
		n++
		key := fmt.Sprint("k", n)
		send(fmt.Sprintf(`{"ts":5,"values":{%q:%s}}`, key, value)).is(200, "")
		w.call("GET", w.at("/values/timeseries?useStrictDataTypes=true&keys="+key), w.oneUser, "").is(200, fmt.Sprintf(`{%q:[{"ts":5,"value":%s}]}`, key, strict))
		w.call("GET", w.at("/values/timeseries?keys="+key), w.oneUser, "").is(200, fmt.Sprintf(`{%q:[{"ts":5,"value":%s}]}`, key, text))
	}
	f(`true`, `true`, `"true"`)
	f(`9223372036854775807`, `9223372036854775807`, `"9223372036854775807"`)
	f(`1E+1`, `10`, `"10"`)
	f(`1.5E1`, `15`, `"15"`)
	f(`42.0`, `42.0`, `"42.0"`)
	f(`101E-1`, `10.1`, `"10.1"`)
	f(`1E19`, `"10000000000000000000"`, `"10000000000000000000"`)
	f(`9223372036854775808`, `"9223372036854775808"`, `"9223372036854775808"`)
	f(`0.12345678901234567`, `"0.12345678901234567"`, `"0.12345678901234567"`)
	f(`"42"`, `42`, `"42"`)
	f(`"-1.5"`, `-1.5`, `"-1.5"`)
	f(`"42.0"`, `42.0`, `"42.0"`)
	f(`"0042"`, `42`, `"42"`)
	for _, s := range []string{"+1", "1e3", " 1", "1.", ".5", "", "1,5", "NaN"} {
		f(`"`+s+`"`, `"`+s+`"`, `"`+s+`"`)
	}
	f(`{"a": [1, "x"]}`, `{"a":[1,"x"]}`, `"{\"a\":[1,\"x\"]}"`)
	f(`10000000.0`, `1.0E7`, `"1.0E7"`)
	f(`0.0001`, `1.0E-4`, `"1.0E-4"`)
	f(`9999999.5`, `9999999.5`, `"9999999.5"`)
	f(`0.001`, `0.001`, `"0.001"`)

	get := func(want string) {
		t.Helper()
		w.call("GET", "/api/plugins/telemetry/DEVICE/"+w.free.String()+"/values/timeseries", w.adminA, "").is(200, want)
	}
	const now = 1700000000000
	free := func(body string) *answer { return w.call("POST", "/api/v1/free-token/telemetry", "", body) }
	free(`{"a":1,"n":null}`).is(200, "")
	get(fmt.Sprintf(`{"a":[{"ts":%d,"value":"1"}]}`, now))
	free(`[{"a":2},{"ts":"1700000000001","values":{"a":3}}]`).is(200, "") // a time may be a text
	get(fmt.Sprintf(`{"a":[{"ts":%d,"value":"3"}]}`, now+1))
	free(`{"ts":7}`).is(200, "") // alone, it is a key
	free(`{"values":8}`).is(200, "")
	get(fmt.Sprintf(`{"a":[{"ts":%d,"value":"3"}],"ts":[{"ts":%d,"value":"7"}],"values":[{"ts":%d,"value":"8"}]}`, now+1, now, now))
	watched := w.handler
	w.handler = w.bare
	free(`{'b':'x', c: word}`).is(200, "") // what the document has no word for
	w.handler = watched
	got := w.call("GET", "/api/plugins/telemetry/DEVICE/"+w.free.String()+"/values/timeseries?keys=b,c", w.adminA, "").is(200).Body.String()
	if want := fmt.Sprintf(`{"b":[{"ts":%d,"value":"x"}],"c":[{"ts":%d,"value":"word"}]}`, now, now); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{`7`, `"x"`, `[1]`, `[[]]`, `[{"a":1},null]`, `{"ts":"soon","values":{"a":1}}`, `{"a":`, `{"":1}`, `{"` + strings.Repeat("k", 256) + `":1}`, `{"<b>":1}`} {
		if got := free(bad); got.Code != 400 || got.Body.Len() == 0 || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%.40s: %d %s", bad, got.Code, got.Body)
		}
	}
	for _, bad := range []string{`[]`, `[{"a":1}]`, `7`} { // attributes are always one object
		if got := w.call("POST", "/api/v1/free-token/attributes", "", bad); got.Code != 400 || got.Body.Len() == 0 {
			t.Errorf("%s: %d %s", bad, got.Code, got.Body)
		}
	}
	w.call("POST", "/api/v1/free-token/attributes", "", `{"ts":5,"values":{"a":1}}`).is(200, "") // no timed form
	w.call("GET", "/api/v1/free-token/attributes", "", "").is(200, `{"client":{"ts":5,"values":{"a":1}}}`)
}

// 4.1 and 4.5: a later write replaces value and type, and what is late never the latest.
func TestLaterWritesWin(t *testing.T) {
	w := newWorld(t)
	send := func(body, latest string) {
		t.Helper()
		w.call("POST", "/api/v1/owned-token/telemetry", "", body).is(200, "")
		w.call("GET", w.at("/values/timeseries?useStrictDataTypes=true&keys=t"), w.oneUser, "").is(200, `{"t":[`+latest+`]}`)
	}
	send(`{"ts":2000,"values":{"t":1}}`, `{"ts":2000,"value":1}`)
	send(`{"ts":2000,"values":{"t":"x"}}`, `{"ts":2000,"value":"x"}`)
	send(`{"ts":1000,"values":{"t":5}}`, `{"ts":2000,"value":"x"}`)
	send(`{"ts":1000,"values":{"t":true}}`, `{"ts":2000,"value":"x"}`)
	w.call("GET", w.at("/values/timeseries?useStrictDataTypes=true&keys=t&startTs=0&endTs=9000"), w.oneUser, "").
		is(200, `{"t":[{"ts":2000,"value":"x"},{"ts":1000,"value":true}]}`)
}

// 5: what a device reads of itself, and of whom it hears nothing.
func TestADeviceReadsOneScopeOrBoth(t *testing.T) {
	w := newWorld(t)
	const path = "/api/v1/owned-token/attributes"
	w.call("POST", path, "", `{"a":1,"b":"x"}`).is(200, "")
	w.call("POST", w.at("/SHARED_SCOPE"), w.adminA, `{"c":true,"a":2.0}`).is(200, "")
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"secret":1}`).is(200, "")
	f := func(query, want string) {
		t.Helper()
		w.call("GET", path+query, "", "").is(200, want)
	}
	f("", `{"client":{"a":1,"b":"x"},"shared":{"a":2.0,"c":true}}`)
	f("?clientKeys=a,b&sharedKeys=c", `{"client":{"a":1,"b":"x"},"shared":{"c":true}}`)
	f("?clientKeys=secret&sharedKeys=secret", `{}`)
	f("?sharedKeys=a,secret", `{"shared":{"a":2.0}}`)
	for _, call := range [][2]string{{"POST", "/telemetry"}, {"POST", "/attributes"}, {"GET", "/attributes"}} {
		w.call(call[0], "/api/v1/no-such-token"+call[1], "", `{"a":1}`).is(401, "")
	}
	w.call("DELETE", "/api/device/"+w.free.String(), w.adminA, "").is(200)
	w.call("GET", "/api/v1/free-token/attributes", "", "").is(401, "")
}
