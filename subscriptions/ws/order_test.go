package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/tsdb"
)

// A change is what a frame of a query with positions says.
type change struct {
	ID        int64   `json:"cmdId"`
	Error     int     `json:"errorCode"`
	Message   *string `json:"errorMsg"`
	Coalesced int     `json:"coalesced"`
	Resumed   *int    `json:"resumed"`
	Resync    string  `json:"resync"`
	Position  string  `json:"position"`
	Data      *struct{ Data []shownEntity }
	Update    []shownEntity
}

type shownEntity struct {
	Entity struct{ ID string } `json:"entityId"`
	Latest map[string]map[string]struct {
		TS    int64
		Value string
	}
	Timeseries map[string][]struct {
		TS    int64
		Value string
	}
}

// text is what was told: id/latest/kind.key=ts:value and id/key=ts:value, in order of both.
func (c *change) text() string {
	var b strings.Builder
	for i := range c.Update {
		u := &c.Update[i]
		for _, kind := range []string{"TIME_SERIES", "CLIENT_ATTRIBUTE", "SHARED_ATTRIBUTE", "SERVER_ATTRIBUTE", "ATTRIBUTE"} {
			for _, key := range []string{"a", "b", "t", "u"} {
				if p, ok := u.Latest[kind][key]; ok {
					fmt.Fprintf(&b, "%.2s/%s.%s=%d:%s ", u.Entity.ID, kind[:2], key, p.TS, p.Value)
				}
			}
		}
		for _, key := range []string{"a", "b", "t", "u"} {
			for _, p := range u.Timeseries[key] {
				fmt.Fprintf(&b, "%.2s/%s=%d:%s ", u.Entity.ID, key, p.TS, p.Value)
			}
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

func parseChange(t testing.TB, frame string) *change {
	t.Helper()
	c := new(change)
	if err := json.Unmarshal([]byte(frame), c); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return c
}

func (c *client) change() *change {
	c.t.Helper()
	return parseChange(c.t, c.receive())
}

// wantChange reads a frame that tells that, and returns its position.
func (c *client) wantChange(told string) string {
	c.t.Helper()
	text := c.receive()
	f := parseChange(c.t, text)
	if f.text() != told || f.Data != nil || f.Position == "" {
		c.t.Errorf("got %s\nwant %s", text, told)
	}
	return f.Position
}

// wantResumed reads the page that follows n changes that were missed, and returns its position.
func (c *client) wantResumed(n int) string {
	c.t.Helper()
	text := c.receive()
	f := parseChange(c.t, text)
	if f.Data == nil || f.Resumed == nil || *f.Resumed != n || f.Position == "" {
		c.t.Fatalf("got %s, want a page that says %d", text, n)
	}
	return f.Position
}

const (
	onChange  = pumps + `,` + latestT + `,` + tsT + `}`
	positions = `,"positions":true`
)

func resumeAt(position string) string { return `,"resume":` + strconv.Quote(position) }

// writeTo stores a row of one entity.
func (w *world) writeTo(id model.EntityID, scope model.Scope, ts int64, key string, v int) {
	w.store.Append(&model.WriteSet{Tenant: tenant, Entity: id, Scope: scope, Keys: []string{key}, Received: ts,
		Rows: []model.Row{{TS: ts, Cells: 1}}, Cells: []model.Cell{{Value: value(v)}}})
}

func TestWhoComesBackToAQueryHearsExactlyWhatWasMissed(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.found.add(second, "Pump 8")
	w.write(model.Timeseries, 1, "t", 1)
	c := w.open()
	parts := `"latestCmd":{"keys":[{"type":"TIME_SERIES","key":"t"},{"type":"ATTRIBUTE","key":"a"},{"type":"SERVER_ATTRIBUTE","key":"a"}]},` + tsT + `}`
	c.entityData(1, pumps+`,`+parts+positions)
	f := c.change()
	if f.Data == nil || len(f.Data.Data) != 2 || f.Data.Data[0].Latest["TIME_SERIES"]["t"].Value != "1" || f.Position == "" || f.Resumed != nil {
		t.Fatalf("first %+v", f)
	}
	w.write(model.Timeseries, 2, "t", 2)
	at := c.wantChange("78/TI.t=2:2 78/t=2:2") // one frame of one change
	w.writeTo(second, model.Server, 5, "a", 1)
	c.wantChange(secondText + "/SE.a=5:1 " + secondText + "/AT.a=5:1")
	c.ws.CloseNow()
	w.write(model.Timeseries, 1, "t", 9) // late: no latest
	w.writeTo(second, model.Timeseries, 3, "t", 3)
	w.write(model.Timeseries, 3, "other", 3)
	w.write(model.Client, 6, "a", 2)
	w.write(model.Timeseries, 4, "t", 4)
	w.write(model.Timeseries, 4, "t", 4) // again
	w.store.Delete(tenant, deviceID, model.Timeseries, "t")
	c = w.open()
	c.entityData(7, pumps+`,`+parts+resumeAt(at))
	c.wantChange(secondText + "/SE.a=5:1 " + secondText + "/AT.a=5:1")
	c.wantChange("78/t=1:9")
	c.wantChange(secondText + "/TI.t=3:3 " + secondText + "/t=3:3")
	c.wantChange("78/AT.a=6:2")
	c.wantChange("78/TI.t=4:4 78/t=4:4")
	at = c.wantChange("78/TI.t=4:4 78/t=4:4")
	c.wantChange("78/TI.t=0:")
	c.wantResumed(7)
	w.writeTo(second, model.Timeseries, 8, "t", 8)
	c.wantChange(secondText + "/TI.t=8:8 " + secondText + "/t=8:8")
	c.entityData(7, pumps+`,`+parts+resumeAt(at)) // on a socket that follows it already
	c.wantChange("78/TI.t=0:")
	c.wantChange(secondText + "/TI.t=8:8 " + secondText + "/t=8:8")
	at = c.wantResumed(2)
	c.entityData(8, pumps+`,`+parts+resumeAt(at))
	c.wantResumed(0)
	c.send(`{"cmds":[{"type":"ENTITY_DATA_UNSUBSCRIBE","cmdId":7},{"type":"ENTITY_DATA_UNSUBSCRIBE","cmdId":8}]}`)
	c.settled()
	if n := w.hub.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

var secondText = fmt.Sprintf("%02x", second[0])

func TestAQueryThatCannotGoOnIsToldWhyAndBeginsAnew(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, 1, "t", 1)
	c := w.open()
	c.entityData(1, onChange+positions)
	at := c.change().Position
	again := func(why, members string, entities int) string {
		t.Helper()
		c.entityData(1, members+resumeAt(at))
		f := c.change()
		if f.Resync != why || f.Resumed != nil || f.Data == nil || len(f.Data.Data) != entities || f.Position == "" {
			t.Errorf("want %s, got %+v", why, f)
		}
		return f.Position
	}
	again("CHANGED", pumps+`,`+latestT, 1) // other keys
	w.found.add(second, "Pump 8")
	again("CHANGED", onChange, 2)
	w.found.remove(second)
	c.entityData(1, onChange+resumeAt(at))
	c.wantResumed(0)
	old := at
	at = string((&position{query: true, epoch: 7, plan: 9, at: subscriptions.Place{Position: 1, Scope: 1}}).append(nil))
	again("RESTORED", onChange, 1)
	p, _ := parsePosition(old)
	p.at.Position = 99
	at = string(p.append(nil))
	again("RESTORED", onChange, 1)
	at = old
	w.write(model.Timeseries, 2, "t", 2)
	w.store.Cut()
	for f := c.change(); f.text() != "78/TI.t=2:2 78/t=2:2"; f = c.change() { // of the one that is live
	}
	again("TOO_OLD", onChange, 1)
	w.write(model.Timeseries, 3, "t", 3)
	c.wantChange("78/TI.t=3:3 78/t=3:3")

	for _, bad := range []string{"x", string((&position{epoch: 1, at: p.at}).append(nil))} {
		c.entityData(1, onChange+resumeAt(bad))
		if f := c.change(); f.Error != 2 || !strings.HasPrefix(*f.Message, "resume is ") {
			t.Errorf("%q: %+v", bad, f)
		}
	}
	c.entityData(1, latestT+resumeAt(old))
	c.wantFailed("ENTITY_DATA", 1, 2, "query is missing")
	c.subscribe("TIMESERIES", 9, `"resume":"`+old+`"`)
	c.wantError(9, 2, "resume is a position of a query: "+strconv.Quote(old))
	w.write(model.Timeseries, 4, "t", 4) // what the id stood for is still there
	c.wantChange("78/TI.t=4:4 78/t=4:4")
}

// Over the real engine a position of a query is good across a restart of the server, and not in
// what was restored from a backup.
func TestAPositionOfAQueryOutlivesTheServer(t *testing.T) {
	disk, dir, at, n := vfs.NewMem(), "db", "", 0
	found := &directory{m: make(map[model.EntityID]*model.Entity)}
	ids := []model.EntityID{deviceID, second}
	for i, id := range ids {
		found.add(id, strconv.Itoa(i))
	}
	during := func(do func(c *client, db *tsdb.DB)) {
		hub := subscriptions.New(subscriptions.Options{QueueChanges: 2})
		db, err := tsdb.Open(dir, tsdb.Options{FS: disk, Changes: hub})
		if err != nil {
			t.Fatal(err)
		}
		hub.Start(db)
		w := newWorld(t, func(d *Deps) {
			d.Hub = hub
			d.Entities = entityquery.New(entityquery.Options{
				Directory: found, Guard: found, Relations: found, Records: found, Store: db, Text: thingsboard.AppendText,
			})
		})
		h := httptest.NewServer(w.server)
		w.url = "ws" + strings.TrimPrefix(h.URL, "http")
		c := w.open()
		do(c, db)
		c.ws.CloseNow()
		_ = w.server.Shutdown(context.Background())
		h.Close()
		hub.Close()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write := func(db *tsdb.DB, count int) {
		for range count {
			n++
			_, err := db.Append(t.Context(), &model.WriteSet{
				Tenant: tenant, Entity: ids[n%2], Scope: model.Timeseries, Keys: []string{"t"}, Received: 1,
				Rows: []model.Row{{TS: int64(n), Cells: 1}}, Cells: []model.Cell{{Value: model.Int(int64(n))}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(c *client, from, to int) {
		t.Helper()
		for n := from; n <= to; n++ {
			id := fmt.Sprintf("%02x", ids[n%2][0])
			at = c.wantChange(fmt.Sprintf("%s/TI.t=%d:%d %[1]s/t=%d:%d", id, n, n, n, n))
		}
	}
	during(func(c *client, db *tsdb.DB) {
		write(db, 3)
		c.entityData(1, onChange+positions)
		at = c.change().Position
		write(db, 3)
		want(c, 4, 6)
		write(db, 5) // told, but lost on the way
	})
	during(func(c *client, db *tsdb.DB) {
		write(db, 4)
		c.entityData(1, onChange+resumeAt(at))
		want(c, 7, 15)
		at = c.wantResumed(9)
		write(db, 200) // more than the queue holds
		want(c, 16, 215)
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	during(func(c *client, db *tsdb.DB) {
		c.entityData(1, onChange+resumeAt(at))
		at = c.wantResumed(0)
		if _, err := db.Backup(t.Context(), "copy", nil); err != nil {
			t.Fatal(err)
		}
		write(db, 1)
	})
	dir = "copy"
	if err := tsdb.Restored(dir, tsdb.Options{FS: disk}); err != nil {
		t.Fatal(err)
	}
	during(func(c *client, _ *tsdb.DB) {
		c.entityData(1, onChange+resumeAt(at))
		if f := c.change(); f.Resync != "RESTORED" || f.Data == nil {
			t.Errorf("got %+v", f)
		}
	})
}

// A view and its source on one page: what one change does to both is one frame. Who goes on is told
// of a late point of the view when it is known to be news; else the query begins anew.
func TestAQueryOverAViewIsResumed(t *testing.T) {
	var window atomic.Pointer[model.Window]
	window.Store(&model.Window{Source: model.EntityRef{Type: model.EntityDevice, ID: deviceID}, Keys: []string{"t"}, From: 10, To: 30})
	w := newWorld(t, func(d *Deps) {
		fixed(d)
		d.Window = func(id model.EntityID) (*model.Window, bool) { return window.Load(), id == second }
	}).listen()
	w.found.add(second, "view")
	w.write(model.Timeseries, 5, "t", 1)
	c := w.open()
	c.entityData(1, onChange+positions)
	at := c.change().Position
	w.write(model.Timeseries, 40, "t", 2) // behind the view
	c.wantChange("78/TI.t=40:2 78/t=40:2")
	w.write(model.Timeseries, 20, "t", 3, "u", 3) // late for the device, news for the view
	c.wantChange("78/t=20:3 " + secondText + "/TI.t=20:3 " + secondText + "/t=20:3")
	w.write(model.Timeseries, 19, "t", 4) // late for both
	late := c.wantChange("78/t=19:4 " + secondText + "/t=19:4")
	w.write(model.Timeseries, 50, "t", 5)
	c.wantChange("78/TI.t=50:5 78/t=50:5")
	c.ws.CloseNow()

	c = w.open()
	c.entityData(1, onChange+resumeAt(late))
	c.wantChange("78/TI.t=50:5 78/t=50:5")
	c.wantResumed(1)
	w.write(model.Timeseries, 18, "t", 6) // the view is at 20, as it was before the break
	c.wantChange("78/t=18:6 " + secondText + "/t=18:6")
	w.write(model.Timeseries, 21, "t", 7)
	c.wantChange("78/t=21:7 " + secondText + "/TI.t=21:7 " + secondText + "/t=21:7")
	c.entityData(1, onChange+resumeAt(at)) // what the view showed then is not known any more
	c.wantChange("78/TI.t=40:2 78/t=40:2")
	if f := c.change(); f.Resync != "CHANGED" || f.Data == nil {
		t.Errorf("got %+v", f)
	}
	other := *window.Load()
	other.To = 31
	window.Store(&other)
	c.entityData(2, onChange+resumeAt(late))
	if f := c.change(); f.Resync != "CHANGED" || f.Data == nil {
		t.Errorf("got %+v", f)
	}
}

func TestRightsAreThoseOfTheSessionThatResumesAQuery(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.entityData(1, onChange+positions)
	at := c.change().Position
	c.ws.CloseNow()
	w.write(model.Timeseries, 3, "t", 3)
	w.allowed.Store(false)
	c = w.open()
	c.entityData(1, onChange+resumeAt(at))
	f := c.change()
	if f.Resync != "CHANGED" || len(f.Data.Data) != 1 || f.Data.Data[0].Latest["TIME_SERIES"]["t"].Value != "" || len(f.Data.Data[0].Timeseries["t"]) != 0 {
		t.Errorf("got %+v", f)
	}
	w.allowed.Store(true)
	c.entityData(2, onChange+resumeAt(at))
	c.wantChange("78/TI.t=3:3 78/t=3:3")
	c.wantResumed(1)
}

// Rights that end while a client reads what it missed end that, too: what comes after is not told.
func TestRightsThatEndWhileAQueryIsResumedAreHeeded(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 4 << 10 })
	dial := smallSockets(w)
	c := dial()
	const command = `{"cmds":[{"type":"ENTITY_DATA","cmdId":1,%s%s}]}`
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, onChange, positions)))
	_, payload := c.next(t)
	at := parseChange(t, payload).Position
	c.Close()
	const writes = 8000
	for i := range writes {
		w.write(model.Timeseries, int64(i), "t", fmt.Sprintf("%0500d", i))
	}
	c = dial()
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, onChange, resumeAt(at))))
	c.next(t)
	w.allowed.Store(false)
	w.server.recheckAll()
	told := 1
	for {
		_, payload := c.next(t)
		f := parseChange(t, payload)
		if f.Data != nil {
			if f.Resumed == nil || *f.Resumed != told {
				t.Errorf("%d were told, got %.300s", told, payload)
			}
			break
		}
		told++
	}
	if told == writes {
		t.Error("everything was told")
	}
}
