package ws

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/model"
)

// A reader that does not keep up is told the newest of everything in one frame, whose position is
// as good as any other.
func TestASlowReaderOfAQueryIsToldAllThatWasMergedAtOnce(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 8 << 10 })
	w.found.add(second, "Pump 8")
	dial := smallSockets(w)
	c := dial()
	const command = `{"cmds":[{"type":"ENTITY_DATA","cmdId":1,%s%s}]}`
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, onChange, positions)))
	c.next(t)
	const writes = 6000
	ids := []model.EntityID{deviceID, second}
	for i := range writes {
		w.store.Append(&model.WriteSet{Tenant: tenant, Entity: ids[i%2], Scope: model.Timeseries, Keys: []string{"t"},
			Rows: []model.Row{{TS: int64(i), Cells: 1}}, Cells: []model.Cell{{Value: model.String(fmt.Sprintf("%0500d", i))}}})
	}
	points, coalesced, last, at := 0, 0, [2]int{-1, -1}, ""
	for last != [2]int{writes - 2, writes - 1} {
		_, payload := c.next(t)
		f := parseChange(t, payload)
		coalesced, at = coalesced+f.Coalesced, f.Position
		for i := range f.Update {
			which := 0
			if f.Update[i].Entity.ID != device {
				which = 1
			}
			n, _ := strconv.Atoi(f.Update[i].Latest["TIME_SERIES"]["t"].Value)
			if series := f.Update[i].Timeseries["t"]; n <= last[which] || len(series) != 1 || int(series[0].TS) != n {
				t.Fatalf("entity %d went from %d to %.300s", which, last[which], payload)
			}
			last[which] = n
			points += 2
		}
	}
	if points+coalesced != 2*writes || coalesced == 0 {
		t.Errorf("%d points and %d left out, of %d", points, coalesced, 2*writes)
	}
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, onChange, resumeAt(at))))
	if _, payload := c.next(t); parseChange(t, payload).Resumed == nil || *parseChange(t, payload).Resumed != 0 {
		t.Errorf("got %s", payload)
	}
}

// A query at rest is told where it is once a minute, and one whose page has changed where it goes on.
func TestAQueryAtRestKeepsItsPositionFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(d *Deps) { d.Now = nil })
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		c.entityData(1, strings.Replace(onChange, `"page":0`, `"page":0,"dynamic":true`, 1)+positions)
		first := c.change().Position
		w.writeTo(second, model.Timeseries, 1, "t", 1) // not on the page
		next := func() *change {
			_, b, err := c.ws.Read(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return parseChange(t, string(b))
		}
		f := next()
		if len(f.Update) != 0 || f.Data != nil || f.Position == first || f.Position == "" {
			t.Errorf("after a minute %+v", f)
		}
		w.found.add(second, "Pump 8")
		for f = next(); f.Data == nil; f = next() {
		}
		if len(f.Data.Data) != 2 || f.Position == "" || f.Resync != "" {
			t.Errorf("got %+v", f)
		}
		c.ws.Close(websocket.StatusNormalClosure, "")
		synctest.Wait()
	})
}

// What is kept back of a query is one update, and the error has the form of its answer.
func TestUpdatesOfAQueryBeyondTheLimitAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(d *Deps) { profile(rated(t, model.SessionUpdates, "1:6"))(d); d.Now = nil })
		w.found.add(second, "Pump 8")
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		c.entityData(1, onChange+positions)
		c.change()
		w.write(model.Timeseries, 1, "t", 1)
		c.wantChange("78/TI.t=1:1 78/t=1:1")
		w.write(model.Timeseries, 2, "t", 2)
		c.wantFailed("ENTITY_DATA", 1, 34, "Too many updates!")
		w.writeTo(second, model.Timeseries, 3, "t", 3)
		w.write(model.Timeseries, 4, "t", 4)
		c.wantChange("78/TI.t=4:4 78/t=4:4 " + secondText + "/TI.t=3:3 " + secondText + "/t=3:3")
		c.ws.Close(websocket.StatusNormalClosure, "")
		synctest.Wait()
	})
}

// A query in a stream of events goes on as its subscriptions do.
func TestAQueryInAStreamOfEventsGoesOnWhereItBroke(t *testing.T) {
	w := newWorld(t, fixed)
	h := httptest.NewServer(w.eventDoor())
	defer h.Close()
	cmds := `[{"type":"ENTITY_DATA","cmdId":3,` + onChange + `},` + eventSeries + `]`
	s := w.stream(h.Client(), h.URL, cmds, "")
	s.next()
	s.next()
	w.write(model.Timeseries, 1, "t", 1)
	s.next()
	s.next()
	s.body.Close()
	w.write(model.Timeseries, 2, "t", 2)
	s = w.stream(h.Client(), h.URL, cmds, s.last)
	if f := parseChange(t, s.next().data); f.text() != "78/TI.t=2:2 78/t=2:2" {
		t.Errorf("got %+v", f)
	}
	if f := parseChange(t, s.next().data); f.Resumed == nil || *f.Resumed != 1 || f.ID != 3 {
		t.Errorf("got %+v", f)
	}
	if f := s.frame(); f.ID != 3 || f.Data["t"][0][1] != "2" {
		t.Errorf("got %+v", f)
	}
	if f := s.frame(); f.Resumed == nil || *f.Resumed != 1 {
		t.Errorf("got %+v", f)
	}
}

// What is asked of series and not live is answered, and left out of what goes on; aggregates, too.
func TestPartsThatAreNotLiveAreAnsweredOnce(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, 5, "t", 5)
	c := w.open()
	c.entityData(1, pumps+`,`+histT+`}`+positions)
	f := c.change()
	if len(f.Data.Data[0].Timeseries["t"]) != 1 || f.Position == "" {
		t.Errorf("got %+v", f)
	}
	c.entityData(1, pumps+`,`+histT+`}`+resumeAt(f.Position))
	c.wantResumed(0)
	c.entityData(1, `"aggTsCmd":{"keys":[{"id":0,"key":"t","agg":"SUM"}],"startTs":1,"timeWindow":100}`+positions)
	if text := c.receive(); !strings.Contains(text, `"aggLatest":{"0":{"current":`) || !strings.Contains(text, `"position":`) {
		t.Errorf("got %s", text)
	}
	w.write(model.Timeseries, 6, "t", 6)
	at := c.wantChange("78/t=6:6")
	c.entityData(1, latestT) // and without positions
	if f = c.change(); f.Position != "" || f.Update == nil {
		t.Errorf("got %+v", f)
	}
	w.write(model.Timeseries, 7, "t", 7)
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":7,"value":"7"}}}`, `null`, `null`)
	c.entityData(2, pumps+`,"aggTsCmd":{"keys":[{"id":0,"key":"t","agg":"SUM"}],"startTs":1,"timeWindow":100}`+resumeAt(at))
	c.wantChange("78/t=7:7")
	c.wantResumed(1)
}
