package ws

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/tsdb"
)

// next reads a frame apart.
func (c *client) next() told {
	c.t.Helper()
	return parse(c.t, c.receive())
}

// resume goes on where f was.
func (c *client) resume(kind string, id int, f told, members string) {
	c.t.Helper()
	if f.Position == "" {
		c.t.Fatalf("%+v says no position", f)
	}
	c.subscribe(kind, id, strings.TrimSuffix(`"resume":`+strconv.Quote(f.Position)+`,`+members, ","))
}

// wantMissed reads n updates of one point each, whose values are the numbers from first on, and
// the frame that says that this was all. It returns that.
func (c *client) wantMissed(key string, first, n int) told {
	c.t.Helper()
	for i := range n {
		f := c.next()
		if len(f.Data) != 1 || len(f.Data[key]) != 1 || f.Data[key][0][1] != strconv.Itoa(first+i) || f.Position == "" || f.Coalesced != 0 {
			c.t.Fatalf("missed update %d is %+v", first+i, f)
		}
	}
	f := c.next()
	if f.Resumed == nil || *f.Resumed != n || len(f.Data) != 0 || f.Position == "" {
		c.t.Fatalf("after %d missed updates came %+v", n, f)
	}
	return f
}

func TestWhoComesBackHearsExactlyWhatWasMissed(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Timeseries, 1, "t", 1)
	c := w.open()
	c.subscribe("TIMESERIES", 5, `"positions":true`)
	f := c.next()
	if f.Position == "" || f.Resumed != nil || f.Resync != "" {
		t.Fatalf("first frame %+v", f)
	}
	w.write(model.Timeseries, 2, "t", 2)
	f = c.next()
	c.ws.CloseNow()
	for i := 3; i < 10; i++ {
		w.write(model.Timeseries, int64(i), "t", i)
		w.write(model.Client, 0, "t", "none of its own")
	}
	c = w.open()
	c.resume("TIMESERIES", 7, f, "") // under another id: a stock client counts from 1 again
	f = c.wantMissed("t", 3, 7)
	w.write(model.Timeseries, 10, "t", 10)
	if f = c.next(); f.ID != 7 || f.Data["t"][0][1] != "10" {
		t.Errorf("live again: %+v", f)
	}
	c.resume("TIMESERIES", 7, f, `"keys":"other"`) // nothing was missed
	f = c.wantMissed("", 0, 0)
	w.write(model.Timeseries, 11, "other", 1, "t", 11)
	if f = c.next(); len(f.Data) != 1 || f.Data["other"] == nil {
		t.Errorf("live again: %+v", f)
	}
}

func TestAttributesOfAllScopesAreResumed(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("ATTRIBUTES", 1, `"positions":true`)
	f := c.next()
	c.ws.CloseNow()
	for i := range 6 {
		w.write(model.AttributeScopes[i%3], 5, "a", i)
	}
	w.store.Delete(tenant, deviceID, model.Shared, "a")
	c = w.open()
	c.resume("ATTRIBUTES", 1, f, "")
	var got []string
	for f = c.next(); f.Resumed == nil; f = c.next() {
		got = append(got, fmt.Sprint(f.Data["a"]))
	}
	want := []string{"[[5 0]]", "[[5 1]]", "[[5 2]]", "[[5 3]]", "[[5 4]]", "[[5 5]]"} // what was removed hid behind others
	if !slices.Equal(got, want) || *f.Resumed != 6 {
		t.Errorf("got %q, resumed %d", got, *f.Resumed)
	}
}

// Of attributes of any scope a removal tells what is shown now, to who missed it, too; where that is
// not known any more, the client begins anew.
func TestAMissedRemovalTellsWhatIsShownNow(t *testing.T) {
	w := newWorld(t, fixed).listen()
	w.write(model.Server, 1, "a", 1)
	w.write(model.Shared, 2, "a", 2)
	w.write(model.Shared, 2, "b", 2)
	c := w.open()
	c.subscribe("ATTRIBUTES", 1, `"positions":true`)
	f := c.next()
	c.ws.CloseNow()
	w.store.Delete(tenant, deviceID, model.Client, "b") // nothing
	w.write(model.Shared, 3, "b", 3)
	w.write(model.Shared, 4, "a", 4)
	w.store.Delete(tenant, deviceID, model.Shared, "a") // the server's was not touched since
	w.store.Delete(tenant, deviceID, model.Shared, "b")
	c = w.open()
	c.resume("ATTRIBUTES", 1, f, "")
	var got []string
	at := c.next()
	for ; at.Resumed == nil; at = c.next() {
		got = append(got, fmt.Sprint(at.Data))
	}
	if want := []string{"map[b:[[3 3]]]", "map[a:[[4 4]]]", "map[a:[[1 1]]]", "map[b:[[0 ]]]"}; !slices.Equal(got, want) || *at.Resumed != 4 {
		t.Errorf("got %q, resumed %d", got, *at.Resumed)
	}
	w.store.Delete(tenant, deviceID, model.Server, "a")
	if f := c.next(); fmt.Sprint(f.Data) != "map[a:[[0 ]]]" {
		t.Errorf("live: %+v", f)
	}
	w.write(model.Server, 5, "c", 5)
	c.resume("ATTRIBUTES", 1, f, "") // now other things of the server have changed, too
	for got := c.next(); ; got = c.next() {
		if got.Resync == "CHANGED" && fmt.Sprint(got.Data) == "map[c:[[5 5]]]" {
			break
		}
		if got.Resumed != nil || got.Resync != "" {
			t.Fatalf("got %+v", got)
		}
	}
	w.write(model.Client, 6, "c", 6)
	if f := c.next(); fmt.Sprint(f.Data) != "map[c:[[6 6]]]" {
		t.Errorf("live: %+v", f)
	}
}

func TestWhoCannotGoOnIsToldWhyAndBeginsAnew(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, `"positions":true`)
	f := c.next()
	again := func(why string) {
		t.Helper()
		c.resume("TIMESERIES", 1, f, `"keys":"t"`)
		if got := c.next(); got.Resync != why || got.Resumed != nil || got.Position == "" || fmt.Sprint(got.Data["t"]) != "[[1 1]]" {
			t.Errorf("want %s, got %+v", why, got)
		}
	}
	w.write(model.Timeseries, 1, "t", 1)
	c.next()
	w.store.Cut()
	again("TOO_OLD")
	f.Position = string((&position{epoch: 7, at: subscriptions.Place{Position: 1, Scope: 1}}).append(nil))
	again("RESTORED")
	w.write(model.Timeseries, 2, "t", 2) // and is live
	if f = c.next(); f.Data["t"][0][1] != "2" {
		t.Errorf("got %+v", f)
	}
}

// A history of the log that ends before the position is another one, even of the same epoch: a
// directory that somebody copied back.
func TestAPositionFromTheFutureIsNoneOfThisHistory(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.resume("TIMESERIES", 1, told{Position: string((&position{epoch: w.store.Epoch(), at: subscriptions.Place{Position: 99, Scope: 1}}).append(nil))}, "")
	if f := c.next(); f.Resync != "RESTORED" {
		t.Errorf("got %+v", f)
	}
}

func TestAPositionThatIsNoneChangesNothing(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	for _, bad := range []string{"x", "AAAA", strings.Repeat("A", 23), strings.Repeat("_", 400), "====", "AQ"} {
		c.subscribe("TIMESERIES", 1, `"resume":"`+bad+`"`)
		c.wantError(1, 2, fmt.Sprintf("resume is no position of ours: %.64q", bad))
	}
	w.write(model.Timeseries, 3, "t", 3) // the subscription of that id is still there
	c.wantData(1, `{"t":[[3,"3"]]}`, `{"t":3}`)
}

func TestRightsAreThoseOfTheSessionThatResumes(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, `"positions":true`)
	f := c.next()
	c.ws.CloseNow()
	w.write(model.Timeseries, 3, "t", "secret")
	w.allowed.Store(false)
	c = w.open()
	c.resume("TIMESERIES", 1, f, "")
	c.wantError(1, 1, "You don't have permission to perform this operation!")
	w.allowed.Store(true)
	c.resume("TIMESERIES", 1, f, "")
	if f := c.next(); f.Data["t"][0][1] != "secret" {
		t.Errorf("got %+v", f)
	}
}

// What was missed is more than fits into an outbox: the client that reads it at its own pace
// gets every update, none merged, while what is written goes on.
func TestWhatWasMissedIsNotMerged(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 4 << 10 })
	dial := smallSockets(w)
	c := dial()
	const command = `{"tsSubCmds":[{"cmdId":1,"entityType":"DEVICE","entityId":%q,"positions":true,"resume":%q}]}`
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, device, "")))
	_, payload := c.next(t)
	f := parse(t, payload)
	c.Close()
	const writes = 4000
	for i := range writes {
		w.write(model.Timeseries, int64(i), "t", fmt.Sprintf("%0500d", i))
	}
	c = dial()
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, device, f.Position)))
	for i := range writes {
		_, payload := c.next(t)
		f := parse(t, payload)
		if n, err := strconv.Atoi(fmt.Sprint(f.Data["t"][0][1])); err != nil || n != i || f.Coalesced != 0 {
			t.Fatalf("update %d is %.200q", i, payload)
		}
		if i == writes/2 {
			w.write(model.Timeseries, writes, "t", "new")
		}
	}
	for told, resumed := false, false; !told || !resumed; { // in whichever order
		_, payload := c.next(t)
		f := parse(t, payload)
		told = told || f.Data["t"] != nil && f.Data["t"][0][1] == "new"
		resumed = resumed || f.Resumed != nil
		if f.Resumed != nil && (*f.Resumed < writes || *f.Resumed > writes+1) {
			t.Errorf("%d updates were missed", *f.Resumed)
		}
	}
}

// Over the real engine a position is good across a restart of the server, and not in what was
// restored from a backup.
func TestAPositionOutlivesTheServer(t *testing.T) {
	disk := vfs.NewMem()
	var f told
	dir := "db"
	during := func(do func(w *world, db *tsdb.DB)) {
		hub := subscriptions.New(subscriptions.Options{})
		db, err := tsdb.Open(dir, tsdb.Options{FS: disk, Changes: hub})
		if err != nil {
			t.Fatal(err)
		}
		hub.Start(db)
		w := newWorld(t, func(d *Deps) { d.Hub = hub })
		h := httptest.NewServer(w.server)
		w.url = "ws" + strings.TrimPrefix(h.URL, "http")
		do(w, db)
		_ = w.server.Shutdown(context.Background())
		h.Close()
		hub.Close()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	write := func(db *tsdb.DB, count int) {
		for range count {
			_, err := db.Append(t.Context(), &model.WriteSet{
				Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: []string{"t"}, Received: 1,
				Rows: []model.Row{{TS: int64(n), Cells: 1}}, Cells: []model.Cell{{Value: model.Int(int64(n))}},
			})
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	during(func(w *world, db *tsdb.DB) {
		write(db, 1)
		c := w.open()
		c.subscribe("TIMESERIES", 1, `"positions":true`)
		f = c.next()
		write(db, 1)
		f = c.next()
		write(db, 3) // told, but lost on the way
		c.ws.CloseNow()
	})
	during(func(w *world, db *tsdb.DB) {
		write(db, 2)
		c := w.open()
		c.resume("TIMESERIES", 1, f, "")
		c.wantMissed("t", 2, 5)
		write(db, 1)
		if f = c.next(); f.Data["t"][0][1] != "7" {
			t.Errorf("live: %+v", f)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.ws.CloseNow()
	})
	during(func(w *world, db *tsdb.DB) { // flushed, and nothing new: the record is not in memory
		c := w.open()
		c.resume("TIMESERIES", 1, f, "")
		f = c.wantMissed("", 0, 0)
		c.ws.CloseNow()
		if _, err := db.Backup(t.Context(), "copy", nil); err != nil {
			t.Fatal(err)
		}
		write(db, 1)
	})
	dir = "copy"
	if err := tsdb.Restored(dir, tsdb.Options{FS: disk}); err != nil {
		t.Fatal(err)
	}
	during(func(w *world, db *tsdb.DB) {
		c := w.open()
		c.resume("TIMESERIES", 1, f, "")
		if f = c.next(); f.Resync != "RESTORED" || f.Data["t"][0][1] != "7" {
			t.Errorf("got %+v", f)
		}
		c.ws.CloseNow()
	})
}

// Somebody who resumes and reads nothing makes nobody wait: not those who resume beside him, not
// what is live.
func TestAStuckReaderThatResumesDelaysNobody(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 4 << 10 })
	dial := smallSockets(w)
	const command = `{"tsSubCmds":[{"cmdId":1,"entityType":"DEVICE","entityId":%q,"keys":%q,"positions":true,"resume":%q}]}`
	c := dial()
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, device, "", "")))
	_, payload := c.next(t)
	f := parse(t, payload)
	for i := range 4000 {
		w.write(model.Timeseries, int64(i), "t", strings.Repeat("x", 1000), "other", i)
	}
	fmt.Fprint(dial(), frame(0x81, fmt.Sprintf(command, device, "", f.Position))) // and reads no more
	for range 3 {
		c := dial()
		fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, device, "other", f.Position)))
		for n := 0; n < 4000; n++ {
			if _, payload := c.next(t); parse(t, payload).Data["other"][0][1] != strconv.Itoa(n) {
				t.Fatalf("update %d is %q", n, payload)
			}
		}
		if _, payload := c.next(t); *parse(t, payload).Resumed != 4000 {
			t.Fatalf("got %q", payload)
		}
		w.write(model.Timeseries, 4000, "more", 1)
	}
}

func FuzzPosition(f *testing.F) {
	at := subscriptions.Place{Position: 300, Scope: model.Shared}
	f.Add(string((&position{epoch: 1<<63 | 7, at: at}).append(nil)))
	f.Add(string((&position{query: true, epoch: 1<<63 | 7, plan: 1<<63 | 9, at: at}).append(nil)))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		switch {
		case err != nil && model.KindOf(err) != model.Invalid:
			t.Errorf("%q: %v", text, err)
		case err == nil:
			again := string(p.append(nil))
			if q, err := parsePosition(again); err != nil || q != p {
				t.Errorf("%q is %+v, %q is %+v: %v", text, p, again, q, err)
			}
		}
	})
}
