package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
)

// correct saves telemetry of device "owned", keeping what was there.
func (w *world) correct(query, body string) {
	w.t.Helper()
	w.call("POST", w.at("/timeseries/ANY?keepOriginals=true"+query), w.adminA, body).is(200, "")
	w.clock.add(time.Second)
}

func TestOriginalsAreKeptWhereAsked(t *testing.T) {
	w := newWorld(t)
	w.correct("", `{"ts":1000,"values":{"t":1,"s":"a"}}`)
	w.correct("", `{"ts":1000,"values":{"t":1.5}}`)
	w.correct("", `{"ts":1000,"values":{"t":1.5}}`)           // the same again adds nothing
	w.correct("&quality=7", `{"ts":1000,"values":{"t":999}}`) // a bad one replaces nothing
	w.save(`{"ts":2000,"values":{"t":2}}`)
	w.correct("", `{"ts":2000,"values":{"t":3}}`)
	w.call("POST", w.at("/timeseries/ANY/0?keepOriginals=true"), w.adminA, `{"ts":3000,"values":{"t":4}}`).is(200, "")

	get := func(query string, header ...string) *answer {
		return w.call("GET", w.at("/values/timeseries/revisions?startTs=0&endTs=9000&"+query), w.oneUser, "", header...)
	}
	get("keys=t,s,none").is(200, `{"data":{"t":[{"ts":1000,"value":1,"receivedTs":1700000000000,"quality":0},{"ts":1000,"value":1.5,"receivedTs":1700000001000,"quality":0},`+
		`{"ts":1000,"value":999,"receivedTs":1700000003000,"quality":7},{"ts":2000,"value":2,"receivedTs":null,"quality":0},{"ts":2000,"value":3,"receivedTs":1700000004000,"quality":0},`+
		`{"ts":3000,"value":4,"receivedTs":1700000005000,"quality":0}],"s":[{"ts":1000,"value":"a","receivedTs":1700000000000,"quality":0}]},"truncated":[],"cursor":null}`)
	w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=2500&orderBy=ASC"), w.oneUser, "").
		is(200, `{"t":[{"ts":1000,"value":"1.5"},{"ts":2000,"value":"3"}]}`)
	get("keys=s", "Accept", "text/csv").is(200, "key,time,ts,value,receivedTs,quality\ns,1970-01-01T00:00:01.000Z,1000,a,1700000000000,0\n")
	get("keys=t&limit=5", "Accept", "application/x-ndjson").is(200, `{"key":"t","ts":1000,"value":1,"receivedTs":1700000000000,"quality":0}
{"key":"t","ts":1000,"value":1.5,"receivedTs":1700000001000,"quality":0}
{"key":"t","ts":1000,"value":999,"receivedTs":1700000003000,"quality":7}
{"key":"t","ts":2000,"value":2,"receivedTs":null,"quality":0}
{"key":"t","ts":2000,"value":3,"receivedTs":1700000004000,"quality":0}
`)
	get("").is(200, `{"data":{},"truncated":[],"cursor":null}`)

	for query, message := range map[string]string{
		"quality=3": "Parameter 'quality' needs 'keepOriginals'", "keepOriginals=true&quality=256": "Parameter 'quality' must be from 0 to 255, but got 256",
		"keepOriginals=true&quality=-1": "Parameter 'quality' must be from 0 to 255, but got -1",
	} {
		w.call("POST", w.at("/timeseries/ANY?"+query), w.adminA, `{"t":1}`).text(400, message)
		w.call("POST", w.at("/timeseries/ANY/5?"+query), w.adminA, `{"t":1}`).text(400, message)
	}
	w.call("POST", w.at("/timeseries/ANY?keepOriginals=perhaps"), w.adminA, `{"t":1}`).fails(400, 31, "Invalid value 'perhaps' of parameter 'keepOriginals'")
}

// Every revision stands on one page, also of an instant that has more than a page.
func TestRevisionsComeInPages(t *testing.T) {
	w := newWorld(t)
	var want []string
	for ts := range 3 {
		for v := range 4 {
			w.correct("", fmt.Sprintf(`{"ts":%d,"values":{"a":%d,"b":%d}}`, ts, v, v))
			want = append(want, fmt.Sprintf("a%d=%d", ts, v), fmt.Sprintf("b%d=%d", ts, v))
		}
	}
	for _, limit := range []int{1, 3, 4, 5, 12} {
		seen := map[string]int{}
		cursor := ""
		for pages := 1; ; pages++ {
			var p struct {
				Data map[string][]struct {
					TS    int64
					Value int
				}
				Truncated []string
				Cursor    *string
			}
			w.call("GET", w.at(fmt.Sprintf("/values/timeseries/revisions?keys=a,b&startTs=0&endTs=9&limit=%d&cursor=%s", limit, cursor)), w.oneUser, "").is(200).json(&p)
			for key, list := range p.Data {
				for _, r := range list {
					seen[fmt.Sprintf("%s%d=%d", key, r.TS, r.Value)]++
				}
				if len(list) > limit {
					t.Fatalf("%d revisions of %s, limit %d", len(list), key, limit)
				}
			}
			if (p.Cursor == nil) != (len(p.Truncated) == 0) || pages > 13 {
				t.Fatalf("page %d: truncated %q, cursor %v", pages, p.Truncated, p.Cursor)
			}
			if p.Cursor == nil {
				break
			}
			cursor = url.QueryEscape(*p.Cursor)
		}
		for _, r := range want {
			if seen[r] != 1 || len(seen) != len(want) {
				t.Errorf("limit %d: %s stands %d times among %d", limit, r, seen[r], len(seen))
			}
		}
	}
	for _, cursor := range []string{"x", "AQ", strings.Repeat("A", 40)} {
		w.call("GET", w.at("/values/timeseries/revisions?keys=a&startTs=0&endTs=9&cursor="+cursor), w.oneUser, "").
			text(400, "The cursor does not belong to this query; ask for the first page again")
	}
}

func TestStateIsReadAtAnInstant(t *testing.T) {
	w := newWorld(t)
	post := func(scope, body string) {
		w.call("POST", w.at("/"+scope), w.adminA, body).is(200)
		w.clock.add(time.Minute)
	}
	post("SERVER_SCOPE", `{"limit":5}`)
	post("SHARED_SCOPE", `{"limit":"x"}`)
	post("SERVER_SCOPE", `{"limit":6,"more":true}`)
	w.call("DELETE", w.at("/SERVER_SCOPE?keys=more"), w.adminA, "").is(200)
	get := func(path string) *answer { return w.call("GET", w.at(path), w.oneUser, "") }
	get("/values/attributes?at=1699999999999").is(200, `[]`)
	get("/values/attributes?at=1700000000000").is(200, `[{"lastUpdateTs":1700000000000,"key":"limit","value":5}]`)
	get("/values/attributes?at=1700000119999&keys=limit,none").
		is(200, `[{"lastUpdateTs":1700000000000,"key":"limit","value":5},{"lastUpdateTs":1700000060000,"key":"limit","value":"x"}]`)
	get("/values/attributes/SERVER_SCOPE?at=1700000119999").is(200, `[{"lastUpdateTs":1700000000000,"key":"limit","value":5}]`)
	get("/values/attributes/SERVER_SCOPE?at=1800000000000").is(200, `[{"lastUpdateTs":1700000120000,"key":"limit","value":6}]`)

	w.save(`[{"ts":1000,"values":{"t":1,"s":"a"}},{"ts":3000,"values":{"t":3}}]`)
	w.save(`{"ts":2000,"values":{"t":2}}`) // it came late
	get("/values/timeseries?keys=t,s,none&at=2500").is(200, `{"t":[{"ts":2000,"value":"2"}],"s":[{"ts":1000,"value":"a"}],"none":[{"ts":2500,"value":null}]}`)
	get("/values/timeseries?at=1999&useStrictDataTypes=true").is(200, `{"s":[{"ts":1000,"value":"a"}],"t":[{"ts":1000,"value":1}]}`)
	get("/values/timeseries?at=999").is(200, `{}`)
	get("/values/timeseries?keys=t&at=&startTs=5").is(200, `{"t":[{"ts":3000,"value":"3"}]}`)
	get("/values/timeseries?keys=t&at=5&startTs=5&endTs=7").text(400, "Parameter 'at' and a range exclude each other")
	get("/values/timeseries?keys=t&at=noon").fails(400, 31, "Invalid value 'noon' of parameter 'at'")

	view := viewOfOwned(w, 1500, 3000)
	at := "/api/plugins/telemetry/ENTITY_VIEW/" + view + "/values/timeseries"
	for query, want := range map[string]string{
		"?at=1600": `{}`, "?at=2600": `{"t":[{"ts":2000,"value":"2"}]}`, "?at=9999": `{"t":[{"ts":2000,"value":"2"}]}`,
		"?at=9999&keys=s": `{"s":[{"ts":9999,"value":null}]}`, "/revisions?keys=t,s&startTs=0&endTs=9999": `{"data":{},"truncated":[],"cursor":null}`,
	} {
		w.call("GET", at+query, w.adminA, "").is(200, want)
	}
	w.correct("", `[{"ts":1000,"values":{"t":7}},{"ts":2000,"values":{"t":8,"s":"b"}}]`)
	w.call("GET", at+"/revisions?keys=t,s&startTs=0&endTs=9999", w.adminA, "").is(200,
		`{"data":{"t":[{"ts":2000,"value":2,"receivedTs":null,"quality":0},{"ts":2000,"value":8,"receivedTs":1700000180000,"quality":0}]},"truncated":[],"cursor":null}`)
}

// viewOfOwned makes a view of key t of device "owned".
func viewOfOwned(w *world, from, to int64) string {
	w.t.Helper()
	view := post[api.EntityView](w, "/api/entityView", w.adminA, fmt.Sprintf(
		`{"name":"part","type":"x","entityId":{"entityType":"DEVICE","id":"%s"},"keys":{"timeseries":["t"],"attributes":{"cs":[],"ss":[],"sh":[]}},"startTimeMs":%d,"endTimeMs":%d}`,
		w.owned, from, to))
	return view.ID.ID.String()
}
