package ws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/model"
)

// What section 11 of the contract states line by line and no other test holds.

// Contract 11.1: each form in which stock clients log in, without a reply.
func TestEveryFormOfLoginIsTaken(t *testing.T) {
	w := newWorld(t, fixed).listen()
	count := `{"type":"ENTITY_COUNT","cmdId":1,"query":{` + devices + `}}`
	for _, first := range []string{
		`{"authCmd":{"cmdId":0,"token":"good"},"cmds":[` + count + `]}`,
		`{"authCmd":{"type":"AUTH","cmdId":0,"token":"good"},"cmds":[` + count + `]}`,
		`{"authCmd":{"cmdId":0,"apiKey":"good"},"cmds":[` + count + `]}`,
		`{"cmds":[{"type":"AUTH","cmdId":0,"token":"good"},` + count + `]}`,
		`{"authCmd":{"cmdId":0,"token":"good"},"entityCountCmds":[` + count[:1] + count[len(`{"type":"ENTITY_COUNT",`):] + `]}`,
	} {
		for _, path := range []string{"/api/ws", "/api/ws/plugins/telemetry"} {
			c := w.dial(path)
			c.send(first)
			c.want(`{"cmdId":1,"count":1,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}`)
		}
	}
	c := w.dial("/api/ws?token=good") // a token in the address, on either path, and a login none the less
	c.send(`{"authCmd":{"cmdId":0,"token":"good"},"cmds":[` + count + `]}`)
	c.want(`{"cmdId":1,"count":1,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}`)
}

// Contract 11.1: the stock dashboard sends its login and up to ten commands in its first frame.
func TestTheFirstFrameMayCarryTenCommands(t *testing.T) {
	w := newWorld(t, fixed).listen()
	var cmds []string
	for id := range 10 {
		cmds = append(cmds, fmt.Sprintf(`{"type":"TIMESERIES","cmdId":%d,"entityType":"DEVICE","entityId":%q}`, id, device))
	}
	c := w.dial("/api/ws")
	c.send(`{"authCmd":{"cmdId":0,"token":"good"},"cmds":[` + strings.Join(cmds, ",") + `]}`)
	for id := range 10 {
		c.wantData(id, `{}`, `{}`)
	}
}

// Contract 11.2: the reason that goes with a code.
func TestCloseReasonsAreTold(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits = Limits{SessionsPerUser: 1, Subscriptions: 1} }).listen()
	f := func(path, first string, code websocket.StatusCode, reason string) {
		t.Helper()
		c := w.dial(path)
		if first != "" {
			c.send(first)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for {
			_, _, err := c.ws.Read(ctx)
			if err == nil {
				continue
			}
			if e, ok := errors.AsType[websocket.CloseError](err); !ok || e.Code != code || e.Reason != reason {
				t.Errorf("%s %s: %v, want %d %s", path, first, err, code, reason)
			}
			return
		}
	}
	f("/api/ws", `{"cmds":[]}`, 1008, "Auth cmd is missing")
	f("/api/ws", `[]`, 1007, "Failed to parse the payload")
	f("/api/ws", `{"authCmd":{"token":"bad"}}`, 1007, "Invalid token")
	f("/api/ws?token=bad", "", 1011, "Invalid token")
	f("/api/ws/plugins/notifications", "", 1007, "Unknown endpoint")
	f("/api/ws?token=good", fmt.Sprintf(`{"tsSubCmds":[{"cmdId":1,"entityType":"DEVICE","entityId":%[1]q},{"cmdId":2,"entityType":"DEVICE","entityId":%[1]q}]}`, device),
		1008, "Max subscriptions limit reached!")
	w.dial("/api/ws?token=good!").settled() // it is counted
	f("/api/ws?token=good!", "", 1008, "Max sessions limit reached!")
}

// Contract 11.4: 1 is of the server and says nothing of why, 3 is of the login.
func TestErrorCodesOfFrames(t *testing.T) {
	failure := model.Errorf(model.Unauthenticated, "Token has expired")
	fails := func() error { return errors.New("disk 7 of 9 does not answer") }
	w := newWorld(t, func(d *Deps) {
		fixed(d)
		d.Allow = func(_ model.Principal, _ Access, ref model.EntityRef) (*model.Entity, error) {
			if ref.Type == model.EntityAsset {
				return nil, failure
			}
			return nil, fails()
		}
	}).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantError(1, 1, "Failed to fetch data!")
	c.subscribe("TIMESERIES_HISTORY", 2, `"keys":"t","endTs":1`)
	c.wantError(2, 1, "Failed to fetch data!")
	c.subscribe("ATTRIBUTES", 3, "")
	c.wantError(3, 1, "Failed to fetch attributes!")
	c.send(fmt.Sprintf(`{"cmds":[{"type":"TIMESERIES","cmdId":4,"entityType":"ASSET","entityId":%q}]}`, device))
	c.wantError(4, 3, "Token has expired")
}

// Contract 11.5: defaults and refusals of the history a TIMESERIES begins with.
func TestTheHistoryOfATimeseriesHasTheBoundsOfTheContract(t *testing.T) {
	w := newWorld(t, fixed).listen()
	set := &model.WriteSet{Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: []string{"t"}}
	for ts := range int64(150) {
		set.Rows = append(set.Rows, model.Row{TS: ts, Cells: 1})
		set.Cells = append(set.Cells, model.Cell{Value: model.Int(ts)})
	}
	w.store.Append(set)
	c := w.open()
	f := func(id int, kind, members string) {
		t.Helper()
		c.subscribe(kind, id, members)
		got := c.next()
		if points := got.Data["t"]; got.ID != int64(id) || len(points) != 100 || points[0][1] != "149" || points[99][1] != "50" {
			t.Errorf("%s %s: %d points, %v", kind, members, len(points), points)
		}
	}
	f(1, "TIMESERIES", `"keys":"t","startTs":1,"timeWindow":1000`)
	f(2, "TIMESERIES", `"keys":"t","startTs":1,"timeWindow":1000,"limit":0`)
	f(3, "TIMESERIES_HISTORY", `"keys":"t","startTs":0,"endTs":1000`)
	c.subscribe("TIMESERIES", 4, `"keys":"t","startTs":10,"timeWindow":5`) // [startTs, startTs+timeWindow)
	c.wantData(4, `{"t":[[14,"14"],[13,"13"],[12,"12"],[11,"11"],[10,"10"]]}`, `{"t":10}`)
	c.subscribe("TIMESERIES", 5, `"keys":"t","startTs":1,"timeWindow":1000,"agg":"MEDIAN"`)
	c.wantError(5, 2, "Invalid value 'MEDIAN' of parameter 'agg'")
	c.subscribe("TIMESERIES", 6, `"keys":"t","startTs":1,"timeWindow":701000,"agg":"AVG","interval":1`)
	c.wantError(6, 2, "Incorrect TsKvQuery. Number of intervals is to high - 701. Please increase 'interval' parameter for your query or reduce the time range of the query.")
	c.subscribe("TIMESERIES", 7, `"keys":"t","startTs":1,"timeWindow":100,"agg":"NONE","interval":50`) // raw, whatever interval
	if got := c.next(); len(got.Data["t"]) != 100 {
		t.Errorf("%d points", len(got.Data["t"]))
	}
}

// Contract 11.8: what there is none of, by function, and how far the point before may lie.
func TestWhatAnAggregateOfNothingIs(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.entityData(1, pumps+`,"aggHistoryCmd":{"keys":[{"id":1,"key":"t","agg":"SUM"},{"id":2,"key":"t","agg":"COUNT"},{"id":3,"key":"t","agg":"AVG"},
		{"id":4,"key":"t","agg":"MAX"},{"id":5,"key":"t","agg":"MIN"}],"startTs":100,"endTs":200}`)
	c.wantPage(1, pumpName, `{}`, `{"1":{"current":{"ts":150,"value":"0","count":0}},"2":{"current":{"ts":150,"value":"0","count":0}},`+
		`"3":{"current":{"ts":0,"value":""}},"4":{"current":{"ts":0,"value":""}},"5":{"current":{"ts":0,"value":""}}}`)
}

func TestThePointBeforeIsLookedForAYearBack(t *testing.T) {
	w := newWorld(t, fixed).listen()
	const day = 24 * 3600 * 1000
	w.write(model.Timeseries, now-366*day, "far", 1)
	w.write(model.Timeseries, now-364*day, "near", 2)
	c := w.open()
	c.entityData(1, pumps+fmt.Sprintf(`,"historyCmd":{"keys":["far","near"],"startTs":%d,"endTs":%d,"fetchLatestPreviousPoint":true}`, now, now+1))
	c.wantPage(1, pumpName, fmt.Sprintf(`{"far":[],"near":[{"ts":%d,"value":"2"}]}`, now-364*day), `{}`)
}

// Contract 11.8: only the page shown is live.
func TestEntitiesBeyondThePageAreNotLive(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.found.add(second, "Valve")
	c := w.open()
	c.entityData(1, strings.Replace(pumps, `"pageSize":10`, `"pageSize":1`, 1)+`,`+latestT)
	if got := c.receive(); !strings.Contains(got, `"totalPages":2,"totalElements":2,"hasNext":true`) || strings.Contains(got, "Valve") {
		t.Errorf("got %s", got)
	}
	w.store.Append(&model.WriteSet{Tenant: tenant, Entity: second, Scope: model.Timeseries, Keys: []string{"t"},
		Rows: []model.Row{{TS: 1, Cells: 1}}, Cells: []model.Cell{{Value: value(8)}}})
	w.write(model.Timeseries, 2, "t", 9)
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":2,"value":"9"}}}`, `null`, `null`)
}

// Contract 11.3: "query" may be absent the second time, and a part that is sent again replaces
// what the parts before it followed; another query under the id is a new one.
func TestAnotherQueryUnderTheSameIDIsANewOne(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.entityData(1, pumps)
	c.wantPage(1, pumpName, `{}`, `{}`)
	c.entityData(1, strings.Replace(pumps, `"page":0`, `"page":1`, 1)+`,`+latestT)
	c.want(`{"cmdId":1,` + dataBegin + `{"data":[],"totalPages":1,"totalElements":1,"hasNext":false},"update":null}`)
	c.entityData(1, latestT) // of the page that is shown now
	c.want(`{"cmdId":1,` + dataBegin + `null,"update":[]}`)
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions", n)
	}
}

// Contract 11.9: counts are not updated by what is written, and answer an empty set.
func TestCommandsAboutNoEntities(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	none := `"query":{"entityFilter":{"type":"entityType","entityType":"ASSET"},"pageLink":{"pageSize":10,"page":0},"alarmFields":[{"type":"ALARM_FIELD","key":"createdTime"}]}`
	for _, f := range [][2]string{
		{`"type":"ENTITY_COUNT","cmdId":1,`, `{"cmdId":1,"count":0,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}`},
		{`"type":"ALARM_COUNT","cmdId":2,`, `{"cmdId":2,"count":0,"errorCode":0,"errorMsg":null,"cmdUpdateType":"ALARM_COUNT_DATA"}`},
		{`"type":"ALARM_DATA","cmdId":3,`, `{"cmdId":3,"errorCode":0,"errorMsg":null,"allowedEntities":10000,"totalEntities":0,"cmdUpdateType":"ALARM_DATA","data":{"data":[],"totalPages":0,"totalElements":0,"hasNext":false},"update":null}`},
		{`"type":"ENTITY_DATA","cmdId":4,`, `{"cmdId":4,` + dataBegin + `{"data":[],"totalPages":0,"totalElements":0,"hasNext":false},"update":null}`},
	} {
		c.send(`{"cmds":[{` + f[0] + none + `}]}`)
		c.want(f[1])
	}
}

// Contract 11.8: a query covers 10,000 entities, whatever page a stock map asks for.
func TestAQueryCoversTenThousandEntities(t *testing.T) {
	w := newWorld(t, fixed).listen()
	for i := range 10_000 {
		w.found.add(model.EntityID{1, 2, byte(i >> 8), byte(i)}, fmt.Sprintf("Valve %d", i))
	}
	c := w.open()
	c.entityData(1, `"query":{`+devices+`,"pageLink":{"pageSize":16384,"page":0}}`)
	got := c.receive()
	if n := strings.Count(got, `{"entityId":`); n != 10_000 || !strings.HasSuffix(got, `"totalPages":2,"totalElements":10001,"hasNext":true},"update":null}`) {
		t.Errorf("%d entities, …%s", n, got[len(got)-200:])
	}
}
