package api_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// saveTo posts telemetry to a device of tenant A.
func (w *world) saveTo(device model.EntityID, body string) {
	w.t.Helper()
	w.call("POST", "/api/plugins/telemetry/DEVICE/"+device.String()+"/timeseries/ANY", w.adminA, body).is(200, "")
}

// ask sends a query over many series. members stand beside, or in place of, those that name
// the two devices, their keys and the range; one that is null is left out.
func (w *world) ask(token, members string, header ...string) *answer {
	w.t.Helper()
	body := fmt.Sprintf(`{"entities":[{"entityType":"DEVICE","id":"%s"},{"entityType":"DEVICE","id":"%s"}],"keys":["t","h"],"startTs":0,"endTs":100000`, w.owned, w.free)
	if members != "" {
		body += "," + members
	}
	var query map[string]any
	check(w.t, json.Unmarshal([]byte(body+"}"), &query))
	maps.DeleteFunc(query, func(_ string, v any) bool { return v == nil })
	sent, err := json.Marshal(query)
	check(w.t, err)
	return w.call("POST", "/api/telemetry/query", token, string(sent), header...)
}

// table is an answer in short: a line a series, "name key: rows".
func (a *answer) table(want ...string) (next string) {
	a.t.Helper()
	a.is(200)
	var got struct {
		Columns []string
		Series  []struct {
			Entity     *struct{ EntityType, ID string }
			EntityName string
			Type       string
			Key        string
			Values     json.RawMessage
			Truncated  bool
		}
		Truncated bool
		Cursor    *string
	}
	a.json(&got)
	lines := []string{strings.Join(got.Columns, " ")}
	for _, s := range got.Series {
		name := []string{}
		for _, n := range []string{s.EntityName, s.Type, s.Key} {
			if n != "" {
				name = append(name, n)
			}
		}
		line := strings.Join(name, " ") + ": " + string(s.Values)
		if s.Truncated {
			line += " …"
		}
		lines = append(lines, line)
	}
	if (got.Cursor != nil) != got.Truncated {
		a.t.Errorf("truncated %v, cursor %v", got.Truncated, got.Cursor)
	}
	if !slices.Equal(lines, want) {
		a.t.Errorf("%s:\n got %s\nwant %s", a.call, strings.Join(lines, "\n     "), strings.Join(want, "\n     "))
	}
	if got.Cursor != nil {
		next = *got.Cursor
	}
	return next
}

func newSeriesWorld(t testing.TB, options ...func(*api.Deps)) *world {
	w := newWorld(t, options...)
	w.saveTo(w.owned, `[{"ts":0,"values":{"t":1,"h":50}},{"ts":10000,"values":{"t":2}},{"ts":50000,"values":{"t":30.5,"h":"wet"}}]`)
	w.saveTo(w.free, `[{"ts":10000,"values":{"t":10}},{"ts":20000,"values":{"t":20}},{"ts":99999,"values":{"t":7}},{"ts":100000,"values":{"t":8}}]`)
	return w
}

func TestManySeriesAreReadInOneCall(t *testing.T) {
	w := newSeriesWorld(t)
	w.ask(w.adminA, "").table("ts value",
		`owned t: [[0,1],[10000,2],[50000,30.5]]`, `owned h: [[0,50],[50000,"wet"]]`, `free t: [[10000,10],[20000,20],[99999,7]]`)
	w.ask(w.adminA, `"orderBy":"DESC","limit":1`).table("ts value", `owned t: [[50000,30.5]] …`, `owned h: [[50000,"wet"]] …`, `free t: [[99999,7]] …`)
	// Every key of every device that a filter finds, in the order of ids.
	got := w.call("POST", "/api/telemetry/query", w.adminA, `{"entityFilter":{"type":"entityType","entityType":"DEVICE"},
		"keyFilters":[{"key":{"type":"TIME_SERIES","key":"t"},"valueType":"NUMERIC","predicate":{"type":"NUMERIC","operation":"GREATER","value":{"defaultValue":10}}}],
		"startTs":0,"endTs":20000}`)
	got.table("ts value", `owned h: [[0,50]]`, `owned t: [[0,1],[10000,2]]`)
	// Somebody of a customer finds what the customer may see.
	w.call("POST", "/api/telemetry/query", w.oneUser, `{"entityFilter":{"type":"entityType","entityType":"DEVICE"},"keys":["t"],"startTs":0,"endTs":20000,"aggregates":["COUNT"]}`).
		table("ts count", `owned t: [[0,2]]`)
	w.ask(w.oneUser, "").fails(403, 20, "You don't have permission to perform this operation!")
	w.ask(w.adminB, "").fails(404, 32, "Device with requested id wasn't found!")
	w.ask("", "").fails(401, 10, "Authentication failed")
	// Attributes are series too.
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"limit":5}`).is(200)
	w.call("POST", w.at("/SERVER_SCOPE"), w.adminA, `{"limit":6}`).is(200)
	body := fmt.Sprintf(`{"entities":[{"entityType":"DEVICE","id":"%s"}],"scope":"SERVER_SCOPE","startTs":0,"endTs":1800000000000}`, w.owned)
	w.call("POST", "/api/telemetry/query", w.oneUser, body).table("ts value", `owned limit: [[1700000000000,5],[1700000000001,6]]`)
}

func TestSeriesAreCutIntoBucketsAndGrouped(t *testing.T) {
	w := newSeriesWorld(t)
	all := `"aggregates":["MIN","MAX","AVG","SUM","COUNT","FIRST","LAST"]`
	w.ask(w.adminA, all).table("ts min max avg sum count first last",
		`owned t: [[0,1.0,30.5,11.166666666666666,33.5,3,1,30.5]]`, `owned h: [[0,50,50,50.0,50,2,50,"wet"]]`, `free t: [[0,7,20,12.333333333333334,37,3,10,7]]`)
	sum := `"aggregates":["SUM","LAST"],"interval":20000`
	w.ask(w.adminA, sum).table("ts sum last",
		`owned t: [[0,3,2],[40000,30.5,30.5]]`, `owned h: [[0,50,50],[40000,null,"wet"]]`, `free t: [[0,10,10],[20000,20,20],[80000,7,7]]`)
	w.ask(w.adminA, sum+`,"groupBy":["key"]`).table("ts sum last", `t: [[0,13,10],[20000,20,20],[40000,30.5,30.5],[80000,7,7]]`, `h: [[0,50,50],[40000,null,"wet"]]`)
	w.ask(w.adminA, sum+`,"groupBy":["entity"]`).table("ts sum last", `owned: [[0,53,2],[40000,30.5,"wet"]]`, `free: [[0,10,10],[20000,20,20],[80000,7,7]]`)
	w.ask(w.adminA, sum+`,"groupBy":["type","key"],"keys":["t"]`).is(200)
	w.ask(w.adminA, sum+`,"groupBy":[]`).table("ts sum last", `: [[0,63,10],[20000,20,20],[40000,30.5,"wet"],[80000,7,7]]`)
	w.ask(w.adminA, sum+`,"groupBy":["type"],"stamp":"MIDDLE"`).table("ts sum last", `default: [[10000,63,10],[30000,20,20],[50000,30.5,"wet"],[90000,7,7]]`)
	w.ask(w.adminA, sum+`,"groupBy":[],"stamp":"END","intervalType":"MILLISECONDS","startTs":5000`).
		table("ts sum last", `: [[25000,32,20],[65000,30.5,"wet"],[100000,7,7]]`)
	// A bucket is left out where no function has a result: what is asked of texts is nothing.
	w.ask(w.adminA, `"aggregates":["AVG"],"interval":20000,"keys":["h"]`).table("ts avg", `owned h: [[0,50.0]]`)
}

func TestBucketsWithoutAResultAreFilled(t *testing.T) {
	w := newSeriesWorld(t)
	q := `"keys":["t"],"aggregates":["SUM","COUNT","LAST"],"interval":20000,"fill":`
	w.ask(w.adminA, q+`"NONE"`).table("ts sum count last", `owned t: [[0,3,2,2],[40000,30.5,1,30.5]]`, `free t: [[0,10,1,10],[20000,20,1,20],[80000,7,1,7]]`)
	w.ask(w.adminA, q+`"NULL"`).table("ts sum count last",
		`owned t: [[0,3,2,2],[20000,null,0,null],[40000,30.5,1,30.5],[60000,null,0,null],[80000,null,0,null]]`,
		`free t: [[0,10,1,10],[20000,20,1,20],[40000,null,0,null],[60000,null,0,null],[80000,7,1,7]]`)
	w.ask(w.adminA, q+`"PREVIOUS","startTs":-20000`).table("ts sum count last",
		`owned t: [[-20000,null,0,null],[0,3,2,2],[20000,3,0,2],[40000,30.5,1,30.5],[60000,30.5,0,30.5],[80000,30.5,0,30.5]]`,
		`free t: [[-20000,null,0,null],[0,10,1,10],[20000,20,1,20],[40000,20,0,20],[60000,20,0,20],[80000,7,1,7]]`)
	w.ask(w.adminA, q+`"LINEAR"`).table("ts sum count last",
		`owned t: [[0,3,2,2],[20000,16.75,0,16.25],[40000,30.5,1,30.5],[60000,null,0,null],[80000,null,0,null]]`,
		`free t: [[0,10,1,10],[20000,20,1,20],[40000,15.666666666666668,0,15.666666666666668],[60000,11.333333333333334,0,11.333333333333334],[80000,7,1,7]]`)
	w.ask(w.adminA, q+`-1`).table("ts sum count last",
		`owned t: [[0,3,2,2],[20000,-1,0,-1],[40000,30.5,1,30.5],[60000,-1,0,-1],[80000,-1,0,-1]]`,
		`free t: [[0,10,1,10],[20000,20,1,20],[40000,-1,0,-1],[60000,-1,0,-1],[80000,7,1,7]]`)
	// A text is no number: it has no sum, and no line leads to it.
	w.ask(w.adminA, `"keys":["h"],"aggregates":["SUM","LAST"],"interval":20000,"groupBy":["key"],"fill":"LINEAR"`).
		table("ts sum last", `h: [[0,50,50],[20000,null,null],[40000,null,"wet"],[60000,null,null],[80000,null,null]]`)
	w.ask(w.adminA, `"keys":["h"],"aggregates":["SUM","LAST"],"interval":40000,"fill":"PREVIOUS"`).table("ts sum last", `owned h: [[0,50,50],[40000,50,"wet"],[80000,50,"wet"]]`)
	// Days of a zone, over the change of its clocks: 23 hours are a day.
	w.saveTo(w.owned, `[{"ts":1774652400000,"values":{"day":1}},{"ts":1774821600000,"values":{"day":2}}]`)
	w.ask(w.adminA, `"keys":["day"],"aggregates":["SUM"],"intervalType":"DAY","timeZone":"Europe/Amsterdam","startTs":1774652400000,"endTs":1774908000000,"fill":0`).
		table("ts sum", `owned day: [[1774652400000,1],[1774738800000,0],[1774821600000,2]]`)

	w.ask(w.adminA, `"fill":"NULL"`).fails(400, 31, "interval, intervalType, stamp and fill need aggregates")
	for _, bad := range []string{`"MEAN"`, `[1]`, `true`} {
		w.ask(w.adminA, `"aggregates":["SUM"],"fill":`+bad).fails(400, 31, "fill must be NONE, NULL, PREVIOUS, LINEAR or a number, is "+bad)
	}
	w.call("POST", "/api/telemetry/query", w.adminA, fmt.Sprintf(`{"entities":[{"entityType":"DEVICE","id":"%s"}],"startTs":0,"endTs":1,"aggregates":["SUM"],"fill":1e999}`, w.owned)).
		fails(400, 31, "fill must be NONE, NULL, PREVIOUS, LINEAR or a number, is 1e999")
	many := `"aggregates":["COUNT"],"interval":10,"fill":0,"keys":["t"`
	for i := range 99 {
		many += fmt.Sprintf(`,"none%d"`, i)
	}
	many += "]"
	w.ask(w.adminA, many).fails(400, 31, "A filled answer of 10000 buckets for 200 series may have more than 1000000 rows; ask for wider buckets, fewer series, or CSV or NDJSON")
	if n := strings.Count(w.ask(w.adminA, many, "Accept", "text/csv").is(200).Body.String(), "\n"); n != 1+20_000 {
		t.Errorf("%d lines, want the header and one for each bucket of both devices", n)
	}
}

func TestPointsOfManySeriesComeInPages(t *testing.T) {
	w := newSeriesWorld(t)
	for _, order := range []string{"ASC", "DESC"} {
		want := map[string]string{
			"ASC":  `owned t 0,owned t 10000,owned t 50000,owned h 0,owned h 50000,free t 10000,free t 20000,free t 99999`,
			"DESC": `owned t 50000,owned t 10000,owned t 0,owned h 50000,owned h 0,free t 99999,free t 20000,free t 10000`,
		}[order]
		for _, size := range []int{1, 3, 8} {
			for _, entities := range []string{"", `"entities":null,"entityFilter":{"type":"entityType","entityType":"DEVICE"}`} {
				var got []string
				cursor := ""
				for pages := 0; ; pages++ {
					members := fmt.Sprintf(`"orderBy":"%s","pageSize":%d`, order, size)
					if entities != "" {
						members += "," + entities
					}
					if cursor != "" {
						members += `,"cursor":"` + cursor + `"`
					}
					var page struct {
						Series []struct {
							EntityName, Key string
							Values          [][]any
						}
						Cursor *string
					}
					w.ask(w.adminA, members).is(200).json(&page)
					n := 0
					for _, s := range page.Series {
						for _, v := range s.Values {
							got = append(got, fmt.Sprintf("%s %s %.0f", s.EntityName, s.Key, v[0]))
							n++
						}
					}
					if n > size || pages > 8 {
						t.Fatalf("page %d of %d has %d points", pages, size, n)
					}
					if page.Cursor == nil {
						break
					}
					cursor = *page.Cursor
					// What is written behind the cursor meanwhile moves nothing.
					w.saveTo(w.owned, `{"ts":200000,"values":{"t":9}}`)
				}
				if entities == "" && strings.Join(got, ",") != want {
					t.Errorf("%s by %d: %q", order, size, got)
				}
				if slices.Sort(got); len(slices.Compact(got)) != 8 {
					t.Errorf("%s by %d: %q", order, size, got)
				}
			}
		}
	}
	// The limit of a series counts over pages.
	cursor := w.ask(w.adminA, `"limit":2,"pageSize":1`).table("ts value", `owned t: [[0,1]] …`)
	cursor = w.ask(w.adminA, `"limit":2,"pageSize":3,"cursor":"`+cursor+`"`).table("ts value", `owned t: [[10000,2]] …`, `owned h: [[0,50],[50000,"wet"]]`)
	w.ask(w.adminA, `"limit":2,"pageSize":3,"cursor":"`+cursor+`"`).table("ts value", `free t: [[10000,10],[20000,20]] …`)
	for _, other := range []string{`"limit":3`, `"limit":2,"orderBy":"DESC"`, `"limit":2,"keys":["t"]`, `"limit":2,"startTs":1`} {
		w.ask(w.adminA, other+`,"cursor":"`+cursor+`"`).fails(400, 31, "The cursor does not belong to this query; ask for the first page again")
	}
	w.ask(w.adminA, `"cursor":"xx"`).fails(400, 31, "The cursor does not belong to this query; ask for the first page again")
}

// A day is as long as the zone says, and a view shows its part of the buckets of all.
func TestSeriesFollowZonesAndViews(t *testing.T) {
	w := newWorld(t)
	// Each hour of the two days around the end of summer in Amsterdam, 2023-10-29 01:00 UTC.
	const midnight, hour = 1698444000000, 3600_000
	var rows []string
	for i := range 49 {
		rows = append(rows, fmt.Sprintf(`{"ts":%d,"values":{"n":%d}}`, int64(midnight+i*hour), i))
	}
	w.saveTo(w.owned, "["+strings.Join(rows, ",")+"]")
	f := func(members string, want ...string) {
		t.Helper()
		w.ask(w.adminA, fmt.Sprintf(`"keys":["n"],"startTs":%d,"endTs":%d,"aggregates":["COUNT"],`, int64(midnight), int64(midnight+49*hour))+members).table(append([]string{"ts count"}, want...)...)
	}
	f(`"intervalType":"DAY","timeZone":"Europe/Amsterdam"`, `owned n: [[1698444000000,24],[1698530400000,25]]`)
	f(`"intervalType":"DAY","timeZone":"UTC"`, `owned n: [[1698444000000,2],[1698451200000,24],[1698537600000,23]]`)
	f(`"intervalType":"WEEK_ISO","timeZone":"Europe/Amsterdam"`, `owned n: [[1698444000000,49]]`)
	f(`"intervalType":"WEEK","timeZone":"Europe/Amsterdam"`, `owned n: [[1698444000000,24],[1698530400000,25]]`)
	f(`"intervalType":"MONTH","timeZone":"+14:00"`, `owned n: [[1698444000000,49]]`)

	view := post[api.EntityView](w, "/api/entityView", w.adminA, fmt.Sprintf(
		`{"name":"part","type":"x","entityId":{"entityType":"DEVICE","id":"%s"},"keys":{"timeseries":["n"],"attributes":{"cs":[],"ss":[],"sh":[]}},"startTimeMs":%d,"endTimeMs":%d}`,
		w.owned, int64(midnight+3*hour), int64(midnight+6*hour)))
	entities := fmt.Sprintf(`"entities":[{"entityType":"DEVICE","id":"%s"},{"entityType":"ENTITY_VIEW","id":"%s"}],"keys":["other","n"],"interval":14400000,"intervalType":"MILLISECONDS"`, w.owned, view.ID.ID)
	short := fmt.Sprintf(`,"endTs":%d`, int64(midnight+8*hour))
	f(entities+short, `owned n: [[1698444000000,4],[1698458400000,4]]`, `part n: [[1698454800000,1],[1698458400000,2]]`)
	f(entities+short+`,"groupBy":["key"]`, `n: [[1698444000000,5],[1698458400000,6]]`)
}

func TestAQueryOverManySeriesSaysWhatIsWrong(t *testing.T) {
	w := newSeriesWorld(t)
	f := func(members, message string) {
		t.Helper()
		w.ask(w.adminA, members).fails(400, 31, message)
	}
	f(`"colour":"red"`, `Failed to parse the query: the member "colour" is unknown`)
	f(`"startTs":"now"`, `Failed to parse the query: startTs must not be string`)
	f(`"startTs":100000`, "endTs must be greater than startTs")
	f(`"startTs":null`, "startTs is missing")
	f(`"entities":[]`, "entities or entityFilter is missing")
	f(`"entities":[{"entityType":"DEVICE","id":"x"}]`, `entities[0].id: Invalid UUID string: "x"`)
	f(`"entities":[{"id":"`+w.owned.String()+`"}]`, `entities[0].entityType is missing`)
	f(`"entities":[{"entityType":"SPOON","id":"`+w.owned.String()+`"}]`, `Unsupported entity type: SPOON`)
	f(`"entityFilter":{"type":"entityType","entityType":"DEVICE"}`, "entities and entityFilter exclude each other")
	f(`"keyFilters":[]`, "keyFilters belong to an entityFilter")
	f(`"keys":["t"," "]`, "keys[1] is blank")
	f(`"scope":"ANY"`, `scope must be TIMESERIES or the scope of attributes, is "ANY"`)
	f(`"aggregates":["MEDIAN"]`, `aggregates[0] "MEDIAN" is unknown; there are COUNT, SUM, AVG, MIN, MAX, FIRST, LAST`)
	f(`"interval":5`, "interval, intervalType, stamp and fill need aggregates")
	f(`"aggregates":["AVG"],"interval":0`, "interval must be at least 1 ms, is 0")
	f(`"aggregates":["AVG"],"interval":5,"intervalType":"DAY"`, "interval and intervalType DAY exclude each other")
	f(`"aggregates":["AVG"],"intervalType":"AGE"`, "intervalType must be HOUR, DAY, WEEK, WEEK_ISO, MONTH, QUARTER or YEAR, or interval is missing")
	f(`"aggregates":["AVG"],"interval":5,"intervalType":"AGE"`, `intervalType "AGE" is unknown`)
	f(`"aggregates":["AVG"],"intervalType":"DAY","timeZone":"Nowhere/Land"`, `timeZone "Nowhere/Land" is unknown`)
	f(`"aggregates":["AVG"],"stamp":"NOW"`, `stamp must be START, MIDDLE or END, is "NOW"`)
	f(`"aggregates":["AVG"],"limit":5`, "Aggregates are told whole and in ascending order: orderBy DESC, limit, pageSize and cursor are for points")
	f(`"aggregates":["AVG"],"startTs":-9000000000000000000,"endTs":9000000000000000000,"interval":1`, "9223372036854775807 intervals exceed the limit of 1000000; please increase the interval")
	f(`"groupBy":["key"]`, "Points are told by entity and key: groupBy needs aggregates")
	f(`"groupBy":["colour"]`, `groupBy[0] "colour" is unknown; there are entity, type, key`)
	f(`"orderBy":"UP"`, `orderBy must be ASC or DESC, is "UP"`)
	f(`"limit":0`, "limit must be at least 1, is 0")
	f(`"pageSize":1000001`, "pageSize must be from 1 to 1000000, is 1000001")
	w.ask(w.adminA, `"pageSize":5`, "Accept", "text/csv").fails(400, 31, "CSV and NDJSON are no pages: they take no pageSize and no cursor")
	w.call("POST", "/api/telemetry/query", w.adminA, `{} {}`).fails(400, 31, "Failed to parse the query: there is something behind the object")
	many := make([]string, 1025)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d"`, i)
	}
	f(`"keys":[`+strings.Join(many, ",")+`]`, "1025 keys exceed the limit of 1024")
}

// A throng is a directory in which the devices of a tenant stand again and again.
type throng struct {
	api.Registry
	entities int
}

func (c *throng) Entities(t model.TenantID, kind model.EntityType) iter.Seq[*model.Entity] {
	return func(yield func(*model.Entity) bool) {
		for n := 0; n < c.entities; {
			for e := range c.Registry.Entities(t, kind) {
				if n++; n > c.entities || !yield(e) {
					return
				}
			}
		}
	}
}

// 10,000 entities, named or found, and 100,000 series.
func TestAQueryIsOfSoManyEntitiesAtMost(t *testing.T) {
	found := new(throng)
	w := newSeriesWorld(t, func(d *api.Deps) {
		found.Registry = d.Registry
		d.Finder = api.NewFinder(found, d.Guard, d.Store, d.Now)
	})
	const filter = `"entities":null,"entityFilter":{"type":"entityType","entityType":"DEVICE"},`
	found.entities = 10_000
	w.ask(w.adminA, filter+`"keys":["none"]`).is(200)
	w.ask(w.adminA, filter+`"keys":["a","b","c","d","e","f","g","h","i","j","k"]`).
		fails(400, 31, "The query is of more than 100000 series; ask for fewer entities or keys")
	found.entities = 10_001
	w.ask(w.adminA, filter+`"keys":["none"]`).fails(400, 31, "entityFilter finds 10001 entities, which exceed the limit of 10000")
	named := strings.Repeat(`{"entityType":"DEVICE","id":"`+w.owned.String()+`"},`, 10_001)
	w.ask(w.adminA, `"keys":["none"],"entities":[`+strings.TrimSuffix(named, ",")+`]`).fails(400, 31, "10001 entities exceed the limit of 10000")
}
