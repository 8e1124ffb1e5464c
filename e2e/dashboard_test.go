package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/internal/spectest"
)

// What a stock dashboard sends first: the login and its queries in one message, then parts
// for a query it has the answer of. A device is found by what it says, and heard live.
func TestADashboardFindsADeviceAndHearsIt(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	_, token := admin.device("hot")
	post := func(body string) {
		t.Helper()
		if status, text := (&client{t: t, url: s.url}).do(http.MethodPost, "/api/v1/"+token+"/telemetry", "", body); status != http.StatusOK {
			t.Fatalf("post = %d %s", status, text)
		}
	}
	post(`{"ts":1700000000000,"values":{"heat":90}}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/api/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	send := func(text string) {
		t.Helper()
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	type entity struct {
		Latest     map[string]map[string]struct{ Value string }
		Timeseries map[string][]struct{ Value string }
	}
	var frame struct {
		CmdID, ErrorCode int
		Count            *int
		Data             *struct{ Data []entity }
		Update           []entity
	}
	read := func() {
		t.Helper()
		_, b, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		spectest.Frame(t, b)
		frame.Count, frame.Data, frame.Update = nil, nil, nil
		if err := json.Unmarshal(b, &frame); err != nil || frame.ErrorCode != 0 {
			t.Fatalf("frame %s: %v", b, err)
		}
	}
	filter := `"entityFilter":{"type":"entityType","entityType":"DEVICE"},"keyFilters":[{"key":{"type":"TIME_SERIES","key":"heat"},` +
		`"valueType":"NUMERIC","predicate":{"type":"NUMERIC","operation":"GREATER","value":{"defaultValue":50,"dynamicValue":null}}}]`
	send(fmt.Sprintf(`{"authCmd":{"cmdId":0,"token":%q},"cmds":[{"type":"ENTITY_COUNT","cmdId":1,"query":{%s}},
		{"type":"ENTITY_DATA","cmdId":2,"query":{%[2]s,"pageLink":{"pageSize":1024,"page":0,"dynamic":true,
		"sortOrder":{"key":{"type":"TIME_SERIES","key":"heat"},"direction":"DESC"}},"entityFields":[{"type":"ENTITY_FIELD","key":"name"}],
		"latestValues":[{"type":"TIME_SERIES","key":"heat"}]}}]}`, admin.token, filter))
	if read(); frame.CmdID != 1 || frame.Count == nil || *frame.Count != 1 {
		t.Fatalf("counted %+v", frame)
	}
	if read(); frame.CmdID != 2 || frame.Data == nil || len(frame.Data.Data) != 1 || frame.Data.Data[0].Latest["ENTITY_FIELD"]["name"].Value != "hot" ||
		frame.Data.Data[0].Latest["TIME_SERIES"]["heat"].Value != "90" {
		t.Fatalf("found %+v", frame)
	}
	send(`{"cmds":[{"type":"ENTITY_DATA","cmdId":2,"tsCmd":{"keys":["heat"],"startTs":1700000000000,"timeWindow":3600000,"interval":60000,"agg":"AVG","limit":500},
		"latestCmd":{"keys":[{"type":"TIME_SERIES","key":"heat"}]}}]}`)
	if read(); frame.Data != nil || len(frame.Update) != 1 || len(frame.Update[0].Timeseries["heat"]) != 1 || frame.Update[0].Latest["TIME_SERIES"]["heat"].Value != "90" {
		t.Fatalf("the parts were answered with %+v", frame)
	}
	post(`{"ts":1700000001000,"values":{"heat":91}}`)
	latest, series := "", ""
	for range 2 { // in either order
		read()
		if u := frame.Update[0]; u.Latest != nil {
			latest = u.Latest["TIME_SERIES"]["heat"].Value
		} else {
			series = u.Timeseries["heat"][0].Value
		}
	}
	if latest != "91" || series != "91" {
		t.Errorf("heard latest %q and series %q, want 91", latest, series)
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}
