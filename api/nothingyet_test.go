package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

const emptyPage = `{"data":[],"hasNext":false,"totalElements":0,"totalPages":0}` + "\n"

// Contract 3.5.
func TestThereAreNoEventsAndNoQueues(t *testing.T) {
	w := newWorld(t)
	path := "/api/events/DEVICE/" + w.owned.String()
	for _, kind := range []string{"ERROR", "LC_EVENT", "STATS", "DEBUG_RULE_NODE"} {
		w.call("GET", path+"/"+kind+"?pageSize=10&page=0&startTime=1&endTime=2&tenantId="+w.a.String(), w.adminA, "").is(200, emptyPage)
	}
	w.call("GET", path+"/LC_EVENT?pageSize=10&page=0&startTime=&endTime=&tenantId=", w.oneUser, "").is(200, emptyPage)
	w.call("GET", path+"/LC_EVENT?pageSize=10&page=0", w.twoUser, "").fails(403, 20, "You don't have permission to perform this operation!")
	w.call("GET", path+"/LC_EVENT?pageSize=10&page=0", w.adminB, "").is(404)
	w.call("GET", path+"/LC_EVENT?pageSize=10&page=0&tenantId="+w.b.String(), w.adminA, "").fails(404, 32, "Requested item wasn't found!")
	w.call("GET", "/api/events/ASSET/"+w.owned.String()+"/LC_EVENT?pageSize=10&page=0", w.adminA, "").is(404)
	w.call("GET", path+"/ODD?pageSize=10&page=0", w.adminA, "").fails(400, 31, "Unsupported event type: ODD")
	w.call("GET", path+"/LC_EVENT?pageSize=0&page=0", w.adminA, "").is(400)
	w.call("GET", path+"/LC_EVENT?page=0", w.adminA, "").fails(400, 31, "Required request parameter 'pageSize' is not present")

	w.call("GET", "/api/queues?serviceType=TB_RULE_ENGINE&pageSize=10&page=0", w.adminA, "").is(200, emptyPage)
	w.call("GET", "/api/queues?serviceType=TB_RULE_ENGINE&pageSize=10&page=0", w.oneUser, "").is(403)
	w.call("GET", "/api/queues?serviceType=ODD&pageSize=10&page=0", w.adminA, "").fails(400, 31, "Unsupported service type: ODD")
}

// Contract 10, 13.4.
func TestAlarmQueriesFindNone(t *testing.T) {
	w := newWorld(t)
	const filter = `"entityFilter":{"type":"entityType","entityType":"DEVICE"}`
	query := func(filter, link string) string {
		return `{` + filter + `,"pageLink":{` + link + `},"alarmFields":[{"type":"ALARM_FIELD","key":"severity"}],"latestValues":[{"type":"TIME_SERIES","key":"t"}]}`
	}
	const link = `"pageSize":10,"page":0,"sortOrder":{"key":{"type":"ALARM_FIELD","key":"createdTime"},"direction":"DESC"},` +
		`"startTs":0,"endTs":0,"timeWindow":86400000,"typeList":[],"statusList":["ACTIVE"],"severityList":["CRITICAL"],"searchPropagatedAlarms":false,"assigneeId":null`
	for _, who := range []string{w.adminA, w.oneUser} {
		w.call("POST", "/api/alarmsQuery/find", who, query(filter, link)).is(200, emptyPage)
		w.call("POST", "/api/alarmsQuery/count", who, `{`+filter+`,"statusList":["ANY"]}`).is(200, "0\n")
		w.call("POST", "/api/alarmsQuery/count", who, `{}`).is(200, "0\n")
	}
	w.call("POST", "/api/alarmsQuery/find", w.system, query(filter, link)).is(403)
	for _, f := range [][2]string{
		{`{"pageLink":{"pageSize":1}}`, "entityFilter is missing"},
		{`{` + filter + `}`, "pageLink is missing"},
		{query(filter, `"pageSize":0`), "pageLink.pageSize must be from 1 to 65536"},
		{query(filter, `"pageSize":1,"page":-1`), "pageLink.page must not be negative"},
		{query(filter, `"pageSize":1,"statusList":["ODD"]`), `pageLink.statusList holds "ODD", which is no status of alarms`},
		{query(filter, `"pageSize":1,"severityList":["ODD"]`), `pageLink.severityList holds "ODD", which is no severity of alarms`},
		{query(filter, `"pageSize":1,"startTs":-1`), `pageLink.startTs, endTs and timeWindow must not be negative`},
	} {
		w.call("POST", "/api/alarmsQuery/find", w.adminA, f[0]).fails(400, 31, f[1])
	}
	w.call("POST", "/api/alarmsQuery/count", w.adminA, `{"entityFilter":{"type":"odd"}}`).is(400)
	w.call("POST", "/api/alarmsQuery/count", w.adminA, `[]`).is(400)
}

// Contract 15.
func TestPeopleBeginWhereTheirHomeDashboardIs(t *testing.T) {
	w := newWorld(t)
	const none = `{"dashboardId":null,"hideDashboardToolbar":false}` + "\n"
	board := fmt.Sprintf(`{"dashboardId":{"entityType":"DASHBOARD","id":%q},"hideDashboardToolbar":true}`+"\n", w.dashboard)
	for _, who := range []string{w.adminA, w.oneUser, w.system} {
		w.call("GET", "/api/dashboard/home", who, "").is(200, "null")
		w.call("GET", "/api/dashboard/home/info", who, "").is(200, none)
	}
	w.call("POST", "/api/tenant/dashboard/home/info", w.oneUser, board).is(403)
	w.call("POST", "/api/tenant/dashboard/home/info", w.adminB, board).is(404)
	w.call("POST", "/api/tenant/dashboard/home/info", w.adminA, board).is(200, "")
	w.call("GET", "/api/tenant/dashboard/home/info", w.adminA, "").is(200, board)
	for _, who := range []string{w.adminA, w.oneUser} { // it is assigned to customer one
		w.call("GET", "/api/dashboard/home/info", who, "").is(200, board)
		got := w.call("GET", "/api/dashboard/home", who, "").is(200).Body.String()
		if !strings.Contains(got, w.dashboard.String()) || !strings.HasSuffix(got, `"configuration":{},"hideDashboardToolbar":true}`) {
			t.Error(got)
		}
	}
	w.call("GET", "/api/dashboard/home/info", w.twoUser, "").is(200, none)

	// One's own comes before the tenant's.
	other := post[api.Dashboard](w, "/api/dashboard", w.adminA, `{"title":"Mine"}`)
	w.call("POST", "/api/user", w.adminA, fmt.Sprintf(`{"id":{"entityType":"USER","id":%q},"email":"a@example.org","authority":"TENANT_ADMIN",`+
		`"additionalInfo":{"homeDashboardId":%q,"homeDashboardHideToolbar":false,"mine":1}}`, w.adminID, other.ID.ID)).is(200)
	w.call("GET", "/api/dashboard/home/info", w.adminA, "").is(200, fmt.Sprintf(`{"dashboardId":{"entityType":"DASHBOARD","id":%q},"hideDashboardToolbar":false}`+"\n", other.ID.ID))
	w.call("DELETE", "/api/dashboard/"+other.ID.ID.String(), w.adminA, "").is(200)
	w.call("GET", "/api/dashboard/home/info", w.adminA, "").is(200, board)

	w.call("POST", "/api/tenant/dashboard/home/info", w.adminA, `{"dashboardId":null,"hideDashboardToolbar":false}`).is(200)
	w.call("GET", "/api/dashboard/home/info", w.adminA, "").is(200, none)
}
