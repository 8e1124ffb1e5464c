package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
)

// history asks for the history of device "owned".
func (w *world) history(query string, header ...string) *answer {
	w.t.Helper()
	return w.call("GET", w.at("/values/timeseries/history?"+query), w.oneUser, "", header...)
}

// What is beyond the contract is asked for by name: several aggregates in one call, the first
// and the last, and buckets of the clock.
func TestHistoryHasSeveralAggregatesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.save(`[{"ts":5000,"values":{"t":1,"s":"b"}},{"ts":15000,"values":{"t":2.5}},{"ts":25000,"values":{"t":4,"s":"a"}}]`)
	f := func(query, want string) {
		t.Helper()
		w.history("startTs=1000&endTs=31000&"+query).is(200, want)
	}
	f("keys=t,s&interval=20000&aggs=AVG,COUNT,LAST",
		`{"t":[{"ts":11000,"avg":"1.75","count":"2","last":"2.5"},{"ts":26000,"avg":"4.0","count":"1","last":"4"}],`+
			`"s":[{"ts":11000,"avg":null,"count":"1","last":"b"},{"ts":26000,"avg":null,"count":"1","last":"a"}]}`)
	f("keys=s,t&interval=20000&aggs=MAX,FIRST&useStrictDataTypes=true",
		`{"s":[{"ts":11000,"max":"b","first":"b"},{"ts":26000,"max":"a","first":"a"}],"t":[{"ts":11000,"max":2.5,"first":1},{"ts":26000,"max":4,"first":4}]}`)
	f("keys=s,t&interval=20000&aggs=AVG", `{"t":[{"ts":11000,"avg":"1.75"},{"ts":26000,"avg":"4.0"}]}`) // of texts there is none
	f("keys=t&interval=20000&agg=FIRST", `{"t":[{"ts":11000,"value":"1"},{"ts":26000,"value":"4"}]}`)
	f("keys=t&interval=20000&agg=LAST", `{"t":[{"ts":11000,"value":"2.5"},{"ts":26000,"value":"4"}]}`)
	f("keys=t&interval=20000&intervalType=ALIGNED&agg=COUNT", `{"t":[{"ts":10500,"value":"2"},{"ts":25500,"value":"1"}]}`)
	f("keys=none&interval=20000&aggs=AVG,MAX", `{}`)
	f("keys=t&interval=20000&aggs=&agg=COUNT", `{"t":[{"ts":11000,"value":"2"},{"ts":26000,"value":"1"}]}`)

	w.history("keys=t&startTs=0&endTs=9&aggs=AVG,MEDIAN&interval=5").fails(400, 31, "Invalid value 'MEDIAN' of parameter 'aggs'")
	w.history("keys=t&startTs=0&endTs=9&aggs=NONE&interval=5").fails(400, 31, "Invalid value 'NONE' of parameter 'aggs'")
	w.history("keys=t&startTs=0&endTs=9&aggs=AVG&agg=MAX&interval=5").text(400, "Parameters 'agg' and 'aggs' exclude each other")
	w.history("keys=t&startTs=0&endTs=9&aggs=AVG").text(400, "Parameter 'aggs' needs an interval")
}

func TestPointsOfOneEntityComeInPages(t *testing.T) {
	w := newWorld(t)
	w.save(`[{"ts":1,"values":{"a":1,"b":"x"}},{"ts":2,"values":{"a":2}},{"ts":3,"values":{"a":3,"b":"y"}}]`)
	type page struct {
		Data map[string][]struct {
			TS    int64
			Value string
		}
		Truncated []string
		Cursor    *string
	}
	for _, c := range []struct{ order, want string }{{"ASC", "a1 a2 b1 b3 | a3"}, {"DESC", "a3 a2 b3 b1 | a1"}} {
		var got []string
		query := "?keys=a,b,none&startTs=0&endTs=9&limit=2&orderBy=" + c.order
		cursor := ""
		for {
			var p page
			w.call("GET", w.at("/values/timeseries/page"+query+"&cursor="+cursor), w.oneUser, "").is(200).json(&p)
			for _, key := range []string{"a", "b", "none"} {
				for _, point := range p.Data[key] {
					got = append(got, fmt.Sprint(key, point.TS))
				}
			}
			if p.Cursor == nil {
				break
			}
			if strings.Join(p.Truncated, ",") != "a" {
				t.Errorf("truncated %q", p.Truncated)
			}
			got = append(got, "|")
			cursor = url.QueryEscape(*p.Cursor)
			w.save(`{"ts":10,"values":{"a":1}}`)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.order, got, c.want)
		}
	}
	path := w.at("/values/timeseries/page?keys=a&startTs=0&endTs=9")
	w.call("GET", path+"&useStrictDataTypes=true", w.oneUser, "").
		is(200, `{"data":{"a":[{"ts":3,"value":3},{"ts":2,"value":2},{"ts":1,"value":1}]},"truncated":[],"cursor":null}`)
	w.call("GET", w.at("/values/timeseries/page?startTs=0&endTs=9"), w.oneUser, "").is(200, `{"data":{},"truncated":[],"cursor":null}`)
	w.call("GET", path+"&cursor=AAAA", w.oneUser, "").text(400, "The cursor does not belong to this query; ask for the first page again")
	w.call("GET", path+"&limit=-1", w.oneUser, "").text(400, "Incorrect TsKvQuery. 'limit' must be greater than 0, but got -1")
}

// An export has all rows; a stock client's answer stays as it is.
func TestHistoryIsExported(t *testing.T) {
	w := newWorld(t)
	var body []string
	for i := range 1500 {
		body = append(body, fmt.Sprintf(`{"ts":%d,"values":{"t":%d}}`, i*1000, i))
	}
	w.save("[" + strings.Join(body, ",") + "]")
	w.save(`{"ts":7,"values":{"s":"=2+3"}}`)
	all := "keys=t,s&startTs=0&endTs=2000000"
	got := w.history(all, "Accept", "text/csv").is(200).Body.String()
	if n := strings.Count(got, "\n"); n != 1502 || !strings.HasPrefix(got, "key,time,ts,value\nt,1970-01-01T00:24:59.000Z,1499000,1499\n") ||
		!strings.HasSuffix(got, "t,1970-01-01T00:00:00.000Z,0,0\ns,1970-01-01T00:00:00.007Z,7,\"'=2+3\"\n") {
		t.Errorf("%d lines: %.200s", n, got)
	}
	w.history(all+"&limit=1&orderBy=ASC", "Accept", "application/x-ndjson").
		is(200, `{"key":"t","ts":0,"value":0}`+"\n"+`{"key":"s","ts":7,"value":"=2+3"}`+"\n")
	// More buckets than a chart has.
	got = w.history(all+"&interval=1000&agg=MAX", "Accept", "text/csv").is(200).Body.String()
	if n := strings.Count(got, "\n"); n != 1502 || !strings.HasPrefix(got, "key,time,ts,value\nt,1970-01-01T00:00:00.500Z,500,0\n") {
		t.Errorf("%d lines: %.200s", n, got)
	}
	w.history("keys=t&startTs=0&endTs=2000&interval=1000&aggs=MAX,COUNT", "Accept", "application/x-ndjson").
		is(200, `{"key":"t","ts":500,"max":0,"count":1}`+"\n"+`{"key":"t","ts":1500,"max":1,"count":1}`+"\n")
	w.history("startTs=0&endTs=9", "Accept", "text/csv").is(200, "key,time,ts,value\n")
	w.history("keys=t&startTs=0&endTs=9&interval=-1&agg=MAX", "Accept", "text/csv").text(400, "Invalid TsKvQuery: 'interval' must be greater than 0, but got -1")
	for _, accept := range []string{"", "*/*", "application/json, text/plain, */*", "text/html", "application/json, text/csv"} {
		w.history("keys=s&startTs=0&endTs=9", "Accept", accept).is(200, `{"s":[{"ts":7,"value":"=2+3"}]}`)
	}
}

// Through a view, exports and pages show what it shows.
func TestExportsAndPagesOfAView(t *testing.T) {
	w := newWorld(t)
	w.save(`[{"ts":1000,"values":{"t":1,"h":5}},{"ts":2000,"values":{"t":2}},{"ts":3000,"values":{"t":3}}]`)
	view := post[api.EntityView](w, "/api/entityView", w.adminA, fmt.Sprintf(
		`{"name":"part","type":"x","entityId":{"entityType":"DEVICE","id":"%s"},"keys":{"timeseries":["t"],"attributes":{"cs":[],"ss":[],"sh":[]}},"startTimeMs":1500,"endTimeMs":3000}`, w.owned))
	at := "/api/plugins/telemetry/ENTITY_VIEW/" + view.ID.ID.String() + "/values/timeseries"
	w.call("GET", at+"?keys=t,h&startTs=0&endTs=9000", w.adminA, "", "Accept", "text/csv").is(200, "key,time,ts,value\nt,1970-01-01T00:00:02.000Z,2000,2\n")
	w.call("GET", at+"/page?keys=t,h&startTs=0&endTs=9000", w.adminA, "").is(200, `{"data":{"t":[{"ts":2000,"value":"2"}]},"truncated":[],"cursor":null}`)
	w.call("GET", at+"/page?keys=h&startTs=0&endTs=9000", w.adminA, "").is(200, `{"data":{},"truncated":[],"cursor":null}`)
}

func TestAttributesHaveAHistory(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, fmt.Sprintf(`{"limit":%d}`, i)).is(200)
		w.clock.add(time.Second)
	}
	path := w.at("/values/attributes/SERVER_SCOPE/history?keys=limit,none&startTs=0&endTs=1800000000000")
	w.call("GET", path, w.oneUser, "").is(200, `{"limit":[{"ts":1700000002000,"value":"2"},{"ts":1700000001000,"value":"1"},{"ts":1700000000000,"value":"0"}]}`)
	w.call("GET", path+"&orderBy=ASC&limit=1&useStrictDataTypes=true", w.oneUser, "").is(200, `{"limit":[{"ts":1700000000000,"value":0}]}`)
	w.call("GET", path+"&orderBy=ASC", w.oneUser, "", "Accept", "text/csv").
		is(200, "key,time,ts,value\nlimit,2023-11-14T22:13:20.000Z,1700000000000,0\nlimit,2023-11-14T22:13:21.000Z,1700000001000,1\nlimit,2023-11-14T22:13:22.000Z,1700000002000,2\n")
	w.call("GET", w.at("/values/attributes/SHARED_SCOPE/history?keys=limit&startTs=0&endTs=1800000000000"), w.oneUser, "").is(200, `{}`)
	w.call("GET", w.at("/values/attributes/MY_SCOPE/history?keys=limit&startTs=0&endTs=1"), w.oneUser, "").fails(400, 31, "Invalid scope: MY_SCOPE")
}
