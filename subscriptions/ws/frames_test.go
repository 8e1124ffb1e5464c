package ws

import (
	"fmt"
	"testing"

	"github.com/tidewire/tidewire/model"
)

func TestTimeseriesFirstFrameThenUpdates(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, now, "t", 21.5, "h", 40)
	c := w.open()
	c.subscribe("TIMESERIES", 5, `"scope":"LATEST_TELEMETRY","keys":"t,h"`)
	c.wantData(5, `{"h":[[1700000000000,"40"]],"t":[[1700000000000,"21.5"]]}`, `{"h":1700000000000,"t":1700000000000}`)
	w.write(model.Timeseries, now+5000, "t", 22)
	c.wantData(5, `{"t":[[1700000005000,"22"]]}`, `{"t":1700000005000}`)
	w.write(model.Timeseries, now+6000, "x", 1)                     // not asked for
	w.write(model.Timeseries, now+1000, "t", 1)                     // late
	w.write(model.Timeseries, now+7000, "t", 23, "x", 1, "h", 1e10) // in one frame, sorted
	c.wantData(5, `{"h":[[1700000007000,"1.0E10"]],"t":[[1700000007000,"23"]]}`, `{"h":1700000007000,"t":1700000007000}`)
	w.store.Delete(tenant, deviceID, model.Timeseries, "t")
	c.wantData(5, `{"t":[[0,""]]}`, `{"t":0}`)
}

func TestTimeseriesOfEveryKeyForwardsLatePoints(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	w.write(model.Timeseries, now, "t", true, "s", "text \"quoted\"")
	c.wantData(1, `{"s":[[1700000000000,"text \"quoted\""]],"t":[[1700000000000,"true"]]}`, `{"s":1700000000000,"t":1700000000000}`)
	w.write(model.Timeseries, now-1, "t", false)
	c.wantData(1, `{"t":[[1699999999999,"false"]]}`, `{"t":1699999999999}`)
	c.subscribe("TIMESERIES", 2, `"keys":""`)
	c.wantData(2, `{"s":[[1700000000000,"text \"quoted\""]],"t":[[1700000000000,"true"]]}`, `{"s":1700000000000,"t":1700000000000}`)
}

// Two subscriptions to the same keys, of which one asks for types, share nothing but the change.
func TestStrictValuesKeepTheirTypes(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, `"keys":"t,u","useStrictDataTypes":true`)
	c.wantData(1, `{"t":[[1700000000000,null]],"u":[[1700000000000,null]]}`, `{"t":1700000000000,"u":1700000000000}`)
	c.subscribe("TIMESERIES", 2, `"keys":"t,u"`)
	c.wantData(2, `{"t":[[1700000000000,null]],"u":[[1700000000000,null]]}`, `{"t":1700000000000,"u":1700000000000}`)
	c.subscribe("ATTRIBUTES", 3, `"keys":"on","useStrictDataTypes":true`)
	c.wantData(3, `{}`, `{}`)
	w.write(model.Timeseries, now, "t", 21.5, "u", "21.5")
	c.wantData(1, `{"t":[[1700000000000,21.5]],"u":[[1700000000000,"21.5"]]}`, `{"t":1700000000000,"u":1700000000000}`)
	c.wantData(2, `{"t":[[1700000000000,"21.5"]],"u":[[1700000000000,"21.5"]]}`, `{"t":1700000000000,"u":1700000000000}`)
	w.write(model.Server, now, "on", true)
	c.wantData(3, `{"on":[[1700000000000,true]]}`, `{"on":1700000000000}`)
	c.subscribe("TIMESERIES_HISTORY", 4, `"keys":"t","startTs":0,"endTs":1800000000000,"useStrictDataTypes":true`)
	c.wantData(4, `{"t":[[1700000000000,21.5]]}`, `{"t":1700000000000}`)
	w.store.Delete(tenant, deviceID, model.Timeseries, "t")
	c.wantData(1, `{"t":[[0,null]]}`, `{"t":0}`)
	c.wantData(2, `{"t":[[0,""]]}`, `{"t":0}`)
}

func TestABatchArrivesInOneFrameOldestFirst(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	w.store.Append(&model.WriteSet{
		Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: []string{"t"},
		Rows:  []model.Row{{TS: 3, Cells: 1}, {TS: 1, Cells: 1}, {TS: 2, Cells: 1}},
		Cells: []model.Cell{{Value: model.Int(3)}, {Value: model.Int(1)}, {Value: model.Int(2)}},
	})
	c.wantData(1, `{"t":[[1,"1"],[2,"2"],[3,"3"]]}`, `{"t":3}`)
}

func TestAKeyWithoutDataIsNullNow(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, 7, "t", 1)
	c := w.open()
	c.subscribe("TIMESERIES", 1, `"keys":"t,a,z"`)
	c.wantData(1, `{"a":[[1700000000000,null]],"t":[[7,"1"]],"z":[[1700000000000,null]]}`, `{"a":1700000000000,"t":7,"z":1700000000000}`)
}

func TestTimeseriesWindowBeginsWithHistory(t *testing.T) {
	w := newWorld(t, fixed).listen()
	for i := range 5 {
		w.write(model.Timeseries, int64(i)*1000, "t", i*10)
	}
	w.write(model.Timeseries, now, "n", 1)
	c := w.open()
	c.subscribe("TIMESERIES", 1, `"keys":"t,none","startTs":1000,"timeWindow":3000`)
	c.wantData(1, `{"t":[[3000,"30"],[2000,"20"],[1000,"10"]]}`, `{"t":1000}`)
	c.subscribe("TIMESERIES", 2, `"keys":"t","startTs":1000,"timeWindow":3000,"limit":1`)
	c.wantData(2, `{"t":[[3000,"30"]]}`, `{"t":3000}`)
	c.subscribe("TIMESERIES", 3, `"keys":"t","startTs":1000,"timeWindow":3000,"agg":"AVG","interval":2000`)
	c.wantData(3, `{"t":[[2000,"15.0"],[3500,"30.0"]]}`, `{"t":3500}`)
	c.subscribe("TIMESERIES", 4, `"keys":"n","timeWindow":1000`) // [now-timeWindow, now]
	c.wantData(4, `{"n":[[1700000000000,"1"]]}`, `{"n":1700000000000}`)
	w.write(model.Timeseries, 9000, "t", 90) // raw for all three, the aggregated one too
	for id := 1; id <= 3; id++ {
		c.wantData(id, `{"t":[[9000,"90"]]}`, `{"t":9000}`)
	}
	c.subscribe("TIMESERIES", 5, `"timeWindow":1000`) // no keys: the latest of all
	c.wantData(5, `{"n":[[1700000000000,"1"]],"t":[[9000,"90"]]}`, `{"n":1700000000000,"t":9000}`)
}

func TestHistoryIsOneFrame(t *testing.T) {
	w := newWorld(t, fixed).listen()
	for i := range 8 {
		w.write(model.Timeseries, int64(i)*10, "t", 100, "u", i)
	}
	c := w.open()
	c.subscribe("TIMESERIES_HISTORY", 1, `"keys":"t,u","startTs":0,"endTs":40,"limit":2`)
	c.wantData(1, `{"t":[[30,"100"],[20,"100"]],"u":[[30,"3"],[20,"2"]]}`, `{"t":20,"u":20}`)
	c.subscribe("TIMESERIES_HISTORY", 2, `"keys":"t","startTs":0,"endTs":80,"agg":"SUM","interval":50`)
	c.wantData(2, `{"t":[[25,"500"],[65,"300"]]}`, `{"t":65}`)
	c.subscribe("TIMESERIES_HISTORY", 3, `"keys":"none","startTs":0,"endTs":80`)
	c.wantData(3, `{}`, `{}`)
	c.subscribe("TIMESERIES_HISTORY", 4, `"keys":"t","startTs":0,"endTs":80,"agg":"MEDIAN"`)
	c.wantError(4, 2, "Invalid value 'MEDIAN' of parameter 'agg'")
	c.subscribe("TIMESERIES_HISTORY", 5, `"startTs":0,"endTs":80`)
	c.wantError(5, 2, "Keys are empty!")
	c.send(`{"historyCmds":[{"cmdId":6,"entityType":"DEVICE","keys":"t"}]}`)
	c.wantError(6, 2, "Device id is empty!")
	if w.hub.Stats().Subscriptions != 0 {
		t.Error("history left a subscription")
	}
}

func TestAttributesOfOneScopeAndOfAll(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Client, now, "fw", "1.2")
	w.write(model.Shared, now+1, "fw", "2.0", "on", true)
	c := w.open()
	c.subscribe("ATTRIBUTES", 2, `"keys":"fw,missing","scope":"CLIENT_SCOPE"`)
	c.wantData(2, `{"fw":[[1700000000000,"1.2"]]}`, `{"fw":1700000000000}`)
	c.subscribe("ATTRIBUTES", 3, "")
	c.wantData(3, `{"fw":[[1700000000000,"1.2"],[1700000000001,"2.0"]],"on":[[1700000000001,"true"]]}`,
		`{"fw":1700000000001,"on":1700000000001}`)
	w.write(model.Timeseries, now, "fw", 9) // no attribute
	w.write(model.Server, now+2, "fw", 3)   // not that of 2
	c.wantData(3, `{"fw":[[1700000000002,"3"]]}`, `{"fw":1700000000002}`)
	w.write(model.Client, now+3, "fw", nil) // removed: 3 was shown the newer one of the server
	c.wantData(2, `{"fw":[[0,""]]}`, `{"fw":0}`)
	w.write(model.Server, now+4, "fw", nil) // and now what is left
	c.wantData(3, `{"fw":[[1700000000001,"2.0"]]}`, `{"fw":1700000000001}`)
}

func TestUnsubscribeOneAndAll(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	for id := 1; id <= 3; id++ {
		c.subscribe("TIMESERIES", id, "")
		c.wantData(id, `{}`, `{}`)
	}
	c.send(`{"tsSubCmds":[{"cmdId":2,"entityType":"DEVICE","entityId":"` + device + `","unsubscribe":true}]}`)
	c.subscribe("TIMESERIES_HISTORY", 9, `"keys":"t","endTs":1`) // a reply shows that it was done
	c.wantData(9, `{}`, `{}`)
	w.write(model.Timeseries, 1, "t", 1)
	c.wantData(1, `{"t":[[1,"1"]]}`, `{"t":1}`)
	c.wantData(3, `{"t":[[1,"1"]]}`, `{"t":1}`)
	c.send(`{"cmds":[{"type":"TIMESERIES","cmdId":77,"unsubscribe":true}]}`)
	c.subscribe("TIMESERIES_HISTORY", 9, `"keys":"x","endTs":1`)
	c.wantData(9, `{}`, `{}`)
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

func TestAReusedIDReplacesTheSubscription(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	c.subscribe("ATTRIBUTES", 1, "")
	c.wantData(1, `{}`, `{}`)
	w.write(model.Timeseries, 1, "t", 1)
	w.write(model.Client, 2, "a", 1)
	c.wantData(1, `{"a":[[2,"1"]]}`, `{"a":2}`)
	if n := w.hub.Stats().Subscriptions; n != 1 {
		t.Errorf("%d subscriptions", n)
	}
}

func TestBadCommandsGetTheirOwnFrameAndTheSocketStays(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	f := func(command string, id, code int, message string) {
		t.Helper()
		c.send(`{"cmds":[` + command + `]}`)
		c.wantError(id, code, message)
	}
	const parse = "Failed to parse the payload"
	of := func(id string) string { return `"entityType":"DEVICE","entityId":"` + id + `"` }
	f(`{"type":"TIMESERIES","cmdId":4,`+of("not-a-uuid")+`}`, 4, 2, `Invalid UUID string: "not-a-uuid"`)
	f(`{"type":"TIMESERIES","cmdId":4,`+of("ff4f394c-42b6-435a-983c-b7beff2784f9")+`}`, 4, 1, "Device with requested id wasn't found!")
	f(`{"type":"ATTRIBUTES","cmdId":4,`+of("ee4f394c-42b6-435a-983c-b7beff2784f9")+`}`, 4, 1, "You don't have permission to perform this operation!")
	f(`{"type":"TIMESERIES","cmdId":-4,`+of(device)+`}`, -4, 2, "Cmd id is negative value!")
	f(`{"type":"TIMESERIES","cmdId":4,`+of(device)+`,"keys":1}`, 1, 2, parse)
	f(`{"type":"NO_SUCH_TYPE","cmdId":4}`, 1, 2, parse)
	f(`{"type":"TIMESERIES","cmdId":4,`+of(device)+`,"keys":"t","timeWindow":1000,"interval":-1}`, 4, 2,
		"Invalid TsKvQuery: 'interval' must be greater than 0, but got -1")
	c.send("not json")
	c.wantError(1, 2, parse)
	c.send(`{"cmds":[{"type":"ENTITY_DATA","cmdId":8,"query":{}},{"type":"ENTITY_DATA_UNSUBSCRIBE","cmdId":8}]}`)
	c.wantFailed("ENTITY_DATA", 8, 2, "entityFilter is missing")
	c.subscribe("TIMESERIES", 0, "") // id 0 is echoed like any other
	c.wantData(0, `{}`, `{}`)
}

func TestAuthAndCommandsOfTheFirstMessageAreBothProcessed(t *testing.T) {
	w := newWorld(t, fixed).listen()
	for i, path := range []string{"/api/ws", "/api/ws/plugins/telemetry"} {
		c := w.dial(path)
		c.send(fmt.Sprintf(`{"authCmd":{"cmdId":0,"type":"AUTH","token":"good"},"cmds":[
			{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%[1]q},
			{"type":"ATTRIBUTES","cmdId":2,"entityType":"DEVICE","entityId":%[1]q}]}`, device))
		c.wantData(1, `{}`, `{}`)
		c.wantData(2, `{}`, `{}`)
		if n := w.hub.Stats().Subscriptions; n != int64(2*i+2) {
			t.Errorf("%d subscriptions", n)
		}
	}
}

func TestOtherTenantsDevicesLookAbsent(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.send(`{"tsSubCmds":[{"cmdId":1,"entityType":"DEVICE","entityId":"ff000000-0000-0000-0000-000000000001"}],
		"attrSubCmds":[{"cmdId":2,"entityType":"DEVICE","entityId":"ff000000-0000-0000-0000-000000000002"}],
		"historyCmds":[{"cmdId":3,"entityType":"DEVICE","entityId":"ff000000-0000-0000-0000-000000000003","keys":"t"}]}`)
	for _, id := range []int{2, 1, 3} {
		c.wantError(id, 1, "Device with requested id wasn't found!")
	}
}
