package ws

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions/internal/twin"
)

// A directory knows the entities of the test; all may be seen.
type directory struct {
	sync.Mutex
	m map[model.EntityID]*model.Entity
}

func (d *directory) Entity(_ model.TenantID, id model.EntityID) (*model.Entity, bool) {
	d.Lock()
	defer d.Unlock()
	e, ok := d.m[id]
	return e, ok
}

func (d *directory) Entities(_ model.TenantID, t model.EntityType) iter.Seq[*model.Entity] {
	d.Lock()
	defer d.Unlock()
	return slices.Values(slices.DeleteFunc(slices.Collect(maps.Values(d.m)), func(e *model.Entity) bool { return e.Type != t }))
}

func (d *directory) add(id model.EntityID, name string) {
	d.Lock()
	defer d.Unlock()
	d.m[id] = &model.Entity{Tenant: tenant, ID: id, Type: model.EntityDevice, Name: name}
}

func (d *directory) remove(id model.EntityID) {
	d.Lock()
	defer d.Unlock()
	delete(d.m, id)
}

func (*directory) Visible(model.Principal, *model.Entity) bool { return true }

func (*directory) Relations(context.Context, model.TenantID, model.RelationQuery) ([]model.Relation, error) {
	return nil, nil
}

func (*directory) Details(context.Context, model.TenantID, model.EntityType, []model.EntityID) (map[model.EntityID]map[string]string, error) {
	return nil, nil
}

// columnless is the twin for queries that sort and filter by fields.
type columnless struct{ *twin.Store }

func (columnless) Keys(context.Context, model.TenantID, model.EntityID, model.Scope) ([]string, error) {
	return nil, nil
}

func (columnless) LatestColumns(context.Context, model.TenantID, []model.ScopeKey) (model.LatestView, error) {
	return nil, nil
}

const (
	devices   = `"entityFilter":{"type":"entityType","entityType":"DEVICE"}`
	byName    = `"pageLink":{"pageSize":10,"page":0,"sortOrder":{"key":{"type":"ENTITY_FIELD","key":"name"},"direction":"ASC"}}`
	names     = `"entityFields":[{"type":"ENTITY_FIELD","key":"name"}]`
	pumps     = `"query":{` + devices + `,` + byName + `,` + names + `}`
	pumpID    = `{"entityType":"DEVICE","id":"` + device + `"}`
	pumpName  = `"ENTITY_FIELD":{"name":{"ts":1700000000000,"value":"Pump 7"}}`
	onePage   = `"totalPages":1,"totalElements":1,"hasNext":false`
	dataBegin = `"errorCode":0,"errorMsg":null,"allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":`
)

func (c *client) entityData(id int, members string) {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"cmds":[{"type":"ENTITY_DATA","cmdId":%d,%s}]}`, id, members))
}

// wantPage wants the whole answer to a query about the pump.
func (c *client) wantPage(id int, latest, timeseries, aggregates string) {
	c.t.Helper()
	c.want(fmt.Sprintf(`{"cmdId":%d,%s{"data":[{"entityId":%s,"latest":{%s},"timeseries":%s,"aggLatest":%s}],%s},"update":null}`,
		id, dataBegin, pumpID, latest, timeseries, aggregates, onePage))
}

// wantUpdate wants what came of the pump later.
func (c *client) wantUpdate(id int, latest, timeseries, aggregates string) {
	c.t.Helper()
	c.want(fmt.Sprintf(`{"cmdId":%d,%snull,"update":[{"entityId":%s,"latest":%s,"timeseries":%s,"aggLatest":%s}]}`,
		id, dataBegin, pumpID, latest, timeseries, aggregates))
}

// wantFailed wants the error frame of a command that is answered by cmdId: in the form of its
// answer.
func (c *client) wantFailed(kind string, id, code int, message string) {
	c.t.Helper()
	c.want(fmt.Sprintf(`{"subscriptionId":%d,"cmdId":%[1]d,"errorCode":%d,"errorMsg":%q,%s}`, id, code, message, map[string]string{
		"ENTITY_DATA":  `"allowedEntities":10000,"cmdUpdateType":"ENTITY_DATA","data":null,"update":null`,
		"ALARM_DATA":   `"allowedEntities":10000,"totalEntities":0,"cmdUpdateType":"ALARM_DATA","data":null,"update":null`,
		"ENTITY_COUNT": `"count":0,"cmdUpdateType":"COUNT_DATA"`,
		"ALARM_COUNT":  `"count":0,"cmdUpdateType":"ALARM_COUNT_DATA"`,
		"ALARM_STATUS": `"active":false,"cmdUpdateType":"ALARM_STATUS"`,
	}[kind]))
}

// settled has a command answered, so that all before it were.
func (c *client) settled() {
	c.t.Helper()
	c.send(`{"cmds":[{"type":"ALARM_COUNT","cmdId":99,"query":{}}]}`)
	c.want(`{"cmdId":99,"count":0,"errorCode":0,"errorMsg":null,"cmdUpdateType":"ALARM_COUNT_DATA"}`)
}

const (
	latestT = `"latestCmd":{"keys":[{"type":"TIME_SERIES","key":"t"}]}`
	tsT     = `"tsCmd":{"keys":["t"],"startTs":1,"timeWindow":100`
	histT   = `"historyCmd":{"keys":["t"],"startTs":1,"endTs":101`
)

func TestEntityDataAnswersWithAPageThenUpdates(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, 10, "t", 1)
	w.write(model.Timeseries, 20, "t", 2)
	c := w.open()
	c.entityData(1, pumps+`,`+latestT)
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":20,"value":"2"}}`, `{}`, `{}`)
	w.write(model.Timeseries, 30, "t", 3, "x", 9)
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":30,"value":"3"}}}`, `null`, `null`)
	c.entityData(1, pumps) // known, and nothing else asked: no frame
	c.settled()
	w.write(model.Timeseries, 40, "t", 4)
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":40,"value":"4"}}}`, `null`, `null`)
	c.entityData(1, tsT+`}`) // replaces latestCmd
	c.wantUpdate(1, `{}`, `{"t":[{"ts":40,"value":"4"},{"ts":30,"value":"3"},{"ts":20,"value":"2"},{"ts":10,"value":"1"}]}`, `{}`)
	w.write(model.Timeseries, 50, "t", 5)
	c.wantUpdate(1, `null`, `{"t":[{"ts":50,"value":"5"}]}`, `null`)
	c.entityData(1, histT+`,"limit":1},`+latestT)
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":50,"value":"5"}}}`, `{"t":[{"ts":50,"value":"5"}]}`, `{}`)
	c.send(`{"cmds":[{"type":"ENTITY_DATA_UNSUBSCRIBE","cmdId":1}]}`)
	c.settled()
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	c.entityData(1, tsT+`}`)
	c.wantFailed("ENTITY_DATA", 1, 2, "query is missing")
	c.entityData(1, pumps) // a new one
	c.wantPage(1, pumpName, `{}`, `{}`)
}

func TestTheLegacyEnvelopeMeansTheSame(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.dial("/api/ws/plugins/telemetry?token=good")
	c.send(`{"entityDataCmds":[{"cmdId":1,` + pumps + `,` + latestT + `}],"entityCountCmds":[{"cmdId":2,"query":{` + devices + `}}],
		"alarmDataCmds":[{"cmdId":3,"query":{` + devices + `,"pageLink":{"pageSize":10,"page":0}}}],"alarmCountCmds":[{"cmdId":4,"query":{` + devices + `}}]}`)
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":0,"value":""}}`, `{}`, `{}`)
	c.want(`{"cmdId":3,"errorCode":0,"errorMsg":null,"allowedEntities":10000,"totalEntities":1,"cmdUpdateType":"ALARM_DATA",` +
		`"data":{"data":[],"totalPages":0,"totalElements":0,"hasNext":false},"update":null}`)
	c.want(`{"cmdId":2,"count":1,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}`)
	c.want(`{"cmdId":4,"count":0,"errorCode":0,"errorMsg":null,"cmdUpdateType":"ALARM_COUNT_DATA"}`)
	c.send(`{"entityDataUnsubscribeCmds":[{"cmdId":1}],"entityCountUnsubscribeCmds":[{"cmdId":2}],
		"alarmDataUnsubscribeCmds":[{"cmdId":3}],"alarmCountUnsubscribeCmds":[{"cmdId":4}]}`)
	c.settled()
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

func TestLatestUpdatesThatSayNothingNewAreSuppressed(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, 20, "t", 2)
	c := w.open()
	c.entityData(1, pumps+`,`+latestT)
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":20,"value":"2"}}`, `{}`, `{}`)
	w.write(model.Timeseries, 20, "t", 2) // identical
	w.write(model.Timeseries, 10, "t", 1) // older
	w.write(model.Timeseries, 20, "t", 3) // another value
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":20,"value":"3"}}}`, `null`, `null`)
	w.store.Delete(tenant, deviceID, model.Timeseries, "t")
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":0,"value":""}}}`, `null`, `null`)
	w.write(model.Timeseries, 5, "t", 9) // older than what was deleted
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":5,"value":"9"}}}`, `null`, `null`)
}

func TestLatePointsOfSeriesAreSentAndRepeatsAreNot(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.entityData(1, pumps+`,`+tsT+`}`)
	c.wantPage(1, pumpName, `{"t":[]}`, `{}`)
	w.write(model.Timeseries, 20, "t", 2)
	c.wantUpdate(1, `null`, `{"t":[{"ts":20,"value":"2"}]}`, `null`)
	w.write(model.Timeseries, 20, "t", 2)
	w.write(model.Timeseries, 10, "t", 1)
	c.wantUpdate(1, `null`, `{"t":[{"ts":10,"value":"1"}]}`, `null`)
	w.store.Append(&model.WriteSet{
		Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: []string{"t"},
		Rows:  []model.Row{{TS: 20, Cells: 1}, {TS: 30, Cells: 1}},
		Cells: []model.Cell{{Value: value(2)}, {Value: value(3)}},
	})
	c.wantUpdate(1, `null`, `{"t":[{"ts":30,"value":"3"}]}`, `null`)
}

func TestAttributeKeysListenToTheirScopes(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Client, 1, "a", 1)
	w.write(model.Server, 2, "a", 2)
	c := w.open()
	c.entityData(1, pumps+`,"latestCmd":{"keys":[{"type":"ATTRIBUTE","key":"a"},{"type":"CLIENT_ATTRIBUTE","key":"a"},
		{"type":"ENTITY_FIELD","key":"name"},{"type":"ENTITY_FIELD","key":"type"},{"type":"SHARED_ATTRIBUTE","key":"b"}]}`)
	c.wantPage(1, `"ENTITY_FIELD":{"name":{"ts":1700000000000,"value":"Pump 7"},"type":{"ts":1700000000000,"value":""}},`+
		`"CLIENT_ATTRIBUTE":{"a":{"ts":1,"value":"1"}},"SHARED_ATTRIBUTE":{"b":{"ts":0,"value":""}},"ATTRIBUTE":{"a":{"ts":2,"value":"2"}}`, `{}`, `{}`)
	w.write(model.Server, 3, "a", 3)
	c.wantUpdate(1, `{"ATTRIBUTE":{"a":{"ts":3,"value":"3"}}}`, `null`, `null`)
	w.write(model.Client, 2, "a", 4) // behind what ATTRIBUTE shows
	c.wantUpdate(1, `{"CLIENT_ATTRIBUTE":{"a":{"ts":2,"value":"4"}}}`, `null`, `null`)
	w.write(model.Shared, 4, "b", 5)
	c.wantUpdate(1, `{"SHARED_ATTRIBUTE":{"b":{"ts":4,"value":"5"}}}`, `null`, `null`)
}

// A live ATTRIBUTE says what a query would: the newest of the scopes that have the key.
func TestARemovedAttributeShowsWhatIsLeftInOtherScopes(t *testing.T) {
	w := newWorld(t, fixed).listen()
	remove := func(scope model.Scope) { t.Helper(); w.store.Delete(tenant, deviceID, scope, "du") }
	w.write(model.Server, 1, "du", 1)
	w.write(model.Shared, 2, "du", 2)
	c := w.open()
	shown := func(ts int, value string) {
		t.Helper()
		c.wantUpdate(1, fmt.Sprintf(`{"ATTRIBUTE":{"du":{"ts":%d,"value":%q}}}`, ts, value), `null`, `null`)
	}
	c.entityData(1, pumps+`,"latestCmd":{"keys":[{"type":"ATTRIBUTE","key":"du"}]}`)
	c.wantPage(1, pumpName+`,"ATTRIBUTE":{"du":{"ts":2,"value":"2"}}`, `{}`, `{}`)
	every := w.open()
	every.subscribe("ATTRIBUTES", 2, `"keys":"du"`)
	every.wantData(2, `{"du":[[1,"1"],[2,"2"]]}`, `{"du":2}`)

	remove(model.Server) // hides behind the other one: nothing is told
	w.write(model.Server, 3, "du", 3)
	shown(3, "3")
	every.wantData(2, `{"du":[[3,"3"]]}`, `{"du":3}`)
	remove(model.Server)
	shown(2, "2")
	every.wantData(2, `{"du":[[2,"2"]]}`, `{"du":2}`)
	w.write(model.Client, 2, "du", 4) // at one instant that of the first scope counts
	shown(2, "4")
	every.wantData(2, `{"du":[[2,"4"]]}`, `{"du":2}`)
	remove(model.Client)
	shown(2, "2")
	every.wantData(2, `{"du":[[2,"2"]]}`, `{"du":2}`)
	remove(model.Shared)
	shown(0, "")
	every.wantData(2, `{"du":[[0,""]]}`, `{"du":0}`)
	w.write(model.Server, 1, "du", 5) // nothing is remembered of what was removed
	shown(1, "5")
	every.wantData(2, `{"du":[[1,"5"]]}`, `{"du":1}`)
}

func TestHistoryAggregatedPartsAndThePointBefore(t *testing.T) {
	w := newWorld(t, fixed).listen()
	for ts := range int64(6) {
		w.write(model.Timeseries, 10*(ts+1), "t", int(ts))
	}
	c := w.open()
	c.entityData(1, pumps+`,"historyCmd":{"keys":["t","none"],"startTs":30,"endTs":60,"interval":20,"agg":"SUM"}`)
	c.wantPage(1, pumpName, `{"t":[{"ts":40,"value":"5","count":2},{"ts":55,"value":"4","count":1}],"none":[]}`, `{}`)
	c.entityData(1, `"historyCmd":{"keys":["t"],"startTs":30,"endTs":50,"fetchLatestPreviousPoint":true}`)
	c.wantUpdate(1, `{}`, `{"t":[{"ts":40,"value":"3"},{"ts":30,"value":"2"},{"ts":20,"value":"1"}]}`, `{}`)
	c.entityData(1, `"historyCmd":{"keys":["t"],"startTs":30,"endTs":70,"intervalType":"MILLISECONDS","interval":20,"timeZoneId":"UTC","agg":"SUM","fetchLatestPreviousPoint":true}`)
	c.wantUpdate(1, `{}`, `{"t":[{"ts":60,"value":"9","count":2},{"ts":40,"value":"5","count":2},{"ts":20,"value":"1"}]}`, `{}`)
	c.entityData(1, `"aggHistoryCmd":{"keys":[{"id":0,"key":"t","agg":"MAX"},{"id":1,"key":"t","agg":"SUM","previousStartTs":1,"previousEndTs":30},
		{"id":2,"key":"none","agg":"COUNT"},{"id":3,"key":"none","agg":"MIN"},{"id":4,"key":"t","agg":"MIN","previousStartTs":10,"previousEndTs":30,"previousValueOnly":true}],"startTs":30,"endTs":50}`)
	c.wantUpdate(1, `{}`, `{}`, `{"0":{"current":{"ts":40,"value":"3","count":2}},`+
		`"1":{"current":{"ts":40,"value":"5","count":2},"previous":{"ts":15,"value":"1","count":2}},`+
		`"2":{"current":{"ts":40,"value":"0","count":0}},"3":{"current":{"ts":0,"value":""}},"4":{"previous":{"ts":20,"value":"0","count":2}}}`)
	c.entityData(1, `"aggTsCmd":{"keys":[{"id":0,"key":"t","agg":"SUM"}],"startTs":30,"timeWindow":100}`)
	c.wantUpdate(1, `{}`, `{}`, `{"0":{"current":{"ts":80,"value":"14","count":4}}}`)
	w.write(model.Timeseries, 70, "t", 6)
	c.wantUpdate(1, `null`, `{"t":[{"ts":70,"value":"6"}]}`, `null`)
}

func TestBadEntityCommandsGetTheirOwnFrame(t *testing.T) {
	w := newWorld(t, func(d *Deps) { fixed(d); d.Limits = Limits{HistoryPoints: 2, Followed: 2} }).listen()
	c := w.open()
	f := func(kind, members string, code int, message string) {
		t.Helper()
		c.send(`{"cmds":[{"type":"` + kind + `","cmdId":1,` + members + `}]}`)
		c.wantFailed(kind, 1, code, message)
	}
	f("ENTITY_DATA", `"query":{`+devices+`}`, 2, "pageLink is missing")
	f("ENTITY_DATA", pumps+`,`+tsT+`,"agg":"NO"}`, 2, "Invalid value 'NO' of parameter 'agg'")
	f("ENTITY_DATA", pumps+`,`+histT+`,"agg":"SUM","intervalType":"ERA"}`, 2, "Invalid value 'ERA' of parameter 'intervalType'")
	f("ENTITY_DATA", pumps+`,`+histT+`,"agg":"SUM","interval":-1}`, 2, "Invalid TsKvQuery: 'interval' must be greater than 0, but got -1")
	f("ENTITY_DATA", pumps+`,"tsCmd":{"keys":["t"],"startTs":0,"timeWindow":701000,"agg":"SUM","interval":1}`, 2,
		"Incorrect TsKvQuery. Number of intervals is to high - 701. Please increase 'interval' parameter for your query or reduce the time range of the query.")
	f("ENTITY_DATA", pumps+`,"aggHistoryCmd":{"keys":[{"id":0,"key":"t","agg":"NONE"}],"startTs":1,"endTs":2}`, 2, "Invalid value 'NONE' of parameter 'agg'")
	f("ENTITY_DATA", pumps+`,"latestCmd":{"keys":[{"type":"NONSENSE","key":"t"}]}`, 2, `latestCmd.keys.type "NONSENSE" is unknown`)
	f("ENTITY_COUNT", `"query":null`, 2, "query is missing")
	f("ALARM_DATA", `"query":null`, 2, "query is missing")
	f("ENTITY_COUNT", `"query":{"entityFilter":{"type":"entityType","entityType":"FOO"}}`, 2, `entityFilter.entityType "FOO" is unknown`)
	f("ENTITY_COUNT", `"query":{}`, 2, "entityFilter is missing")
	f("ALARM_DATA", `"query":{}`, 2, "entityFilter is missing")
	f("ALARM_DATA", `"query":{`+devices+`}`, 2, "pageLink is missing")
	alarms := func(link, more string) string {
		return `"query":{` + devices + `,"pageLink":{` + link + `}` + more + `}`
	}
	f("ALARM_DATA", alarms(`"pageSize":0`, ``), 2, "pageLink.pageSize must be from 1 to 65536")
	f("ALARM_DATA", alarms(`"pageSize":1,"page":-1`, ``), 2, "pageLink.page must not be negative")
	f("ALARM_DATA", alarms(`"pageSize":1,"statusList":["ODD"]`, ``), 2, `pageLink.statusList holds "ODD", which is no status of alarms`)
	f("ALARM_DATA", alarms(`"pageSize":1,"timeWindow":-1`, ``), 2, "pageLink.startTs, endTs and timeWindow must not be negative")
	f("ALARM_DATA", alarms(`"pageSize":1,"sortOrder":{"key":{"type":"ODD","key":"x"}}`, ``), 2, `pageLink.sortOrder.key.type "ODD" is unknown`)
	f("ALARM_DATA", alarms(`"pageSize":1,"sortOrder":{"key":{"type":"ALARM_FIELD","key":"createdTime"},"direction":"UP"}`, ``), 2, `pageLink.sortOrder.direction must be ASC or DESC, is "UP"`)
	f("ALARM_DATA", alarms(`"pageSize":1`, `,"alarmFields":[{"type":"TIME_SERIES","key":"t"}]`), 2, "alarmFields may hold keys of type ALARM_FIELD only")
	f("ALARM_DATA", alarms(`"pageSize":1`, `,"entityFields":[{"type":"ATTRIBUTE","key":"t"}]`), 2, "entityFields may hold keys of type ENTITY_FIELD only")
	f("ALARM_DATA", alarms(`"pageSize":1`, `,"latestValues":[{"type":"ATTRIBUTE","key":""}]`), 2, "latestValues.key is empty")
	f("ALARM_COUNT", `"query":{"severityList":["ODD"]}`, 2, `severityList holds "ODD", which is no severity of alarms`)
	f("ALARM_COUNT", `"query":{"entityFilter":{"type":"odd"}}`, 2, `entityFilter.type "odd" is unknown`)
	f("ALARM_STATUS", `"typeList":[]`, 2, "originatorId is missing")
	f("ALARM_STATUS", `"originatorId":{"entityType":"DEVICE","id":"ff000000-0000-0000-0000-000000000001"}`, 1, "Device with requested id wasn't found!")
	f("ENTITY_DATA", pumps+`,`+tsT+`},"latestCmd":{"keys":[{"type":"TIME_SERIES","key":"t"},{"type":"ATTRIBUTE","key":"t"}]}`, 2,
		"Max subscriptions limit reached! 3 live series of entities exceed the limit of 2.")
	c.entityData(1, pumps+`,"latestCmd":7`)
	c.wantError(1, 2, "Failed to parse the payload")
	c.entityData(-1, pumps)
	c.wantFailed("ENTITY_DATA", -1, 2, "Cmd id is negative value!")
	c.entityData(1, pumps+`,"bogus":1`) // none of those was the first one, and this is not what is wrong
	c.wantPage(1, pumpName, `{}`, `{}`)
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

func TestAlarmsAndNotificationsOfAnEmptySet(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	f := func(command, frame string) {
		t.Helper()
		c.send(`{"cmds":[` + command + `]}`)
		c.want(frame)
	}
	f(`{"type":"ALARM_STATUS","cmdId":0,"originatorId":`+pumpID+`,"typeList":[],"severityList":[]}`,
		`{"cmdId":0,"active":false,"errorCode":0,"errorMsg":null,"cmdUpdateType":"ALARM_STATUS"}`)
	f(`{"type":"NOTIFICATIONS","cmdId":5,"limit":10,"types":[]}`,
		`{"cmdId":5,"errorCode":0,"errorMsg":null,"cmdUpdateType":"NOTIFICATIONS","totalUnreadCount":0,"sequenceNumber":1,"notifications":[],"update":null}`)
	f(`{"type":"MARK_ALL_NOTIFICATIONS_AS_READ","cmdId":6},{"type":"MARK_NOTIFICATIONS_AS_READ","cmdId":7,"notifications":[]},
		{"type":"NOTIFICATIONS_UNSUBSCRIBE","cmdId":5},{"type":"ALARM_STATUS_UNSUBSCRIBE","cmdId":0},{"type":"NOTIFICATIONS_COUNT","cmdId":8}`,
		`{"cmdId":8,"errorCode":0,"errorMsg":null,"cmdUpdateType":"NOTIFICATIONS_COUNT","totalUnreadCount":0,"sequenceNumber":1}`)
}

var second = model.EntityID{1, 2, 3}

func TestDynamicQueriesAndCountsAreAskedAgainEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		frames := make(chan string, 100)
		go func() {
			for {
				_, b, err := c.ws.Read(context.Background())
				if err != nil {
					close(frames)
					return
				}
				frames <- string(b)
			}
		}()
		// after returns what came once d has passed.
		after := func(d time.Duration) (got []string) {
			<-time.After(d) // of the bubble's clock
			synctest.Wait()
			for len(frames) > 0 {
				f := <-frames
				got = append(got, f)
			}
			return got
		}
		c.send(`{"cmds":[{"type":"ENTITY_COUNT","cmdId":1,"query":{` + devices + `}},
			{"type":"ENTITY_DATA","cmdId":2,` + strings.Replace(pumps, `"page":0`, `"page":0,"dynamic":true`, 1) + `,` + latestT + `},
			{"type":"ENTITY_DATA","cmdId":3,` + pumps + `}]}`)
		if got := after(0); len(got) != 3 {
			t.Fatalf("first came %v", got)
		}
		c.send(`{"cmds":[{"type":"ENTITY_COUNT","cmdId":1,"query":{` + devices + `}}]}`) // ignored
		if got := after(119 * time.Second); len(got) != 0 {
			t.Fatalf("nothing changed, and there came %v", got)
		}
		w.found.add(second, "Valve")
		got := after(2 * time.Second)
		slices.Sort(got)
		if len(got) != 2 || got[0] != `{"cmdId":1,"count":2,"errorCode":0,"errorMsg":null,"cmdUpdateType":"COUNT_DATA"}` ||
			!strings.Contains(got[1], `"totalElements":2`) || !strings.Contains(got[1], `"value":"Valve"`) || !strings.HasPrefix(got[1], `{"cmdId":2,`) {
			t.Fatalf("after a device was added came %v", got)
		}
		w.store.Append(&model.WriteSet{Tenant: tenant, Entity: second, Scope: model.Timeseries, Keys: []string{"t"},
			Rows: []model.Row{{TS: 1, Cells: 1}}, Cells: []model.Cell{{Value: value(8)}}})
		if got := after(0); len(got) != 1 || !strings.Contains(got[0], `"TIME_SERIES":{"t":{"ts":1,"value":"8"}}`) {
			t.Fatalf("the new device said %v", got)
		}
		w.found.remove(second)
		if got := after(60 * time.Second); len(got) != 2 {
			t.Fatalf("after a device was removed came %v", got)
		}
		if n := w.hub.Stats().Subscriptions; n != 1 {
			t.Errorf("%d subscriptions", n)
		}
		c.ws.CloseNow()
		if err := w.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if n := w.hub.Stats().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions outlived their socket", n)
		}
	})
}

func TestWhatAQueryFollowsEndsWithTheRight(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.entityData(1, pumps+`,`+latestT)
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":0,"value":""}}`, `{}`, `{}`)
	w.allowed.Store(false)
	w.server.Recheck()
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":0,"value":""}}`, `{}`, `{}`) // answered anew, without what is not allowed
	w.write(model.Timeseries, 1, "t", 1)
	c.settled()
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}
