package ws

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// A view shows what its window shows of its source: at first, in histories, and live.
func TestAViewShowsItsWindowOnly(t *testing.T) {
	view := model.EntityID{0x11, 15: 1}
	var window atomic.Pointer[model.Window]
	window.Store(&model.Window{Source: model.EntityRef{Type: model.EntityDevice, ID: deviceID}, Keys: []string{"h", "t"}, From: now, To: now + 1000})
	w := newWorld(t, func(d *Deps) {
		fixed(d)
		d.Window = func(id model.EntityID) (*model.Window, bool) { return window.Load(), id == view }
	}).listen()
	w.write(model.Timeseries, now-1, "t", 1, "h", 1)
	w.write(model.Timeseries, now+5, "t", 2, "secret", 7)
	w.write(model.Timeseries, now+2000, "t", 3) // behind the span

	c := w.open()
	send := func(kind string, id int, members string) {
		c.send(fmt.Sprintf(`{"cmds":[{"type":%q,"cmdId":%d,"entityType":"ENTITY_VIEW","entityId":%q%s}]}`, kind, id, model.ID(view), members))
	}
	send("TIMESERIES", 1, "")
	c.wantData(1, `{"t":[[1700000000005,"2"]]}`, `{"t":1700000000005}`)
	send("TIMESERIES", 2, `,"keys":"t,secret"`)
	c.wantData(2, `{"secret":[[1700000000000,null]],"t":[[1700000000005,"2"]]}`, `{"secret":1700000000000,"t":1700000000005}`)
	send("TIMESERIES_HISTORY", 3, fmt.Sprintf(`,"keys":"t,h,secret","startTs":0,"endTs":%d,"limit":10`, now+10_000))
	c.wantData(3, `{"t":[[1700000000005,"2"]]}`, `{"t":1700000000005}`)
	send("TIMESERIES_HISTORY", 4, `,"keys":"t","startTs":0,"endTs":10,"limit":10`)
	c.wantData(4, `{}`, `{}`)

	w.write(model.Timeseries, now+3000, "h", 9)           // not told
	w.write(model.Timeseries, now+6, "secret", 8)         // not told
	w.write(model.Timeseries, now+7, "h", 4, "secret", 9) // told in part, though a later one exists
	c.wantData(1, `{"h":[[1700000000007,"4"]]}`, `{"h":1700000000007}`)

	// A view that was changed has to be subscribed to again.
	changed := *window.Load()
	changed.Keys = []string{"h"}
	window.Store(&changed)
	w.server.Recheck()
	got := map[string]bool{c.receive(): true, c.receive(): true}
	for id := 1; id <= 2; id++ {
		want := fmt.Sprintf(`{"subscriptionId":%d,"errorCode":1,"errorMsg":"Entity view was changed, please subscribe again!","data":{},"latestValues":{}}`, id)
		if !got[want] {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}
