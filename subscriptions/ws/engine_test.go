package ws

import (
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/tsdb"
)

// Over the real engine, while several write and the hub's queue is so short that it lives on
// the log: who subscribes in the midst of it sees the value count up by ones.
func TestOverTheEngineNothingIsMissingAndNothingTwice(t *testing.T) {
	hub := subscriptions.New(subscriptions.Options{QueueChanges: 2, JoinChanges: 4})
	db, err := tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Changes: hub})
	if err != nil {
		t.Fatal(err)
	}
	hub.Start(db)
	w := newWorld(t, func(d *Deps) {
		d.Hub = hub
		d.Limits.OutboxBytes = 16 << 20
	}).listen()
	t.Cleanup(func() { // after the world is gone would be too late: the hub reads the engine
		if err := w.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		hub.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	append1 := func(scope model.Scope, key string, n int) {
		_, err := db.Append(context.Background(), &model.WriteSet{
			Tenant: tenant, Entity: deviceID, Scope: scope, Keys: []string{key}, Received: int64(n),
			Rows: []model.Row{{TS: int64(n), Cells: 1}}, Cells: []model.Cell{{Value: model.Int(int64(n))}},
		})
		if err != nil {
			t.Error(err)
		}
	}
	const clients, atLeast = 8, 1000
	append1(model.Timeseries, "t", 0)
	append1(model.Server, "a", 0)

	var done, subscribed sync.WaitGroup
	subscribed.Add(clients)
	all := make(chan struct{}) // have subscribed
	go func() {
		subscribed.Wait()
		close(all)
	}()
	enough := func(n int) bool {
		select {
		case <-all:
			return n >= atLeast && hub.Stats().Overflows > 0
		default:
			return false
		}
	}
	for _, x := range []struct {
		scope model.Scope
		key   string
	}{{model.Timeseries, "t"}, {model.Server, "a"}} {
		done.Go(func() {
			n := 1
			for ; !enough(n); n++ {
				append1(x.scope, x.key, n)
			}
			append1(x.scope, "end", n)
		})
	}
	for i := range clients {
		c := w.open()
		kind, key := "TIMESERIES", "t"
		if i%2 == 1 {
			kind, key = "ATTRIBUTES", "a"
		}
		done.Go(func() {
			for n := range i { // each begins at another time: history takes a moment
				c.subscribe("TIMESERIES_HISTORY", n, `"keys":"t","startTs":0,"endTs":1000,"limit":1000`)
				c.receive()
			}
			c.subscribe(kind, 100+i, "")
			last := -1
			for {
				f := parse(t, c.receive())
				if last < 0 {
					subscribed.Done()
				}
				if f.Data["end"] != nil {
					return
				}
				if f.ID != 100+int64(i) || f.Coalesced != 0 || len(f.Data[key]) != 1 {
					t.Errorf("client %d: after %d came %+v", i, last, f)
					return
				}
				n, _ := strconv.Atoi(f.Data[key][0][1].(string))
				if last >= 0 && n != last+1 {
					t.Errorf("client %d: %d after %d", i, n, last)
					return
				}
				last = n
			}
		})
	}
	done.Wait()
	t.Logf("%+v", hub.Stats())
}

func TestOverTheEngineDeletesAreTold(t *testing.T) {
	hub := subscriptions.New(subscriptions.Options{})
	db, err := tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Changes: hub})
	if err != nil {
		t.Fatal(err)
	}
	hub.Start(db)
	w := newWorld(t, func(d *Deps) { d.Hub = hub })
	h := httptest.NewServer(w.server)
	w.url = "ws" + strings.TrimPrefix(h.URL, "http")
	t.Cleanup(func() {
		_ = w.server.Shutdown(context.Background())
		h.Close()
		hub.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	set := &model.WriteSet{Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: []string{"t"}, Received: 9}
	for ts := range int64(3) {
		set.Rows = append(set.Rows, model.Row{TS: 10 * ts, Cells: 1})
		set.Cells = append(set.Cells, model.Cell{Value: model.Float(float64(ts))})
	}
	if _, err := db.Append(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	c := w.open()
	c.subscribe("TIMESERIES", 1, `"scope":"LATEST_TELEMETRY"`)
	c.wantData(1, `{"t":[[20,"2.0"]]}`, `{"t":20}`)
	c.subscribe("ATTRIBUTES", 2, "")
	c.wantData(2, `{}`, `{}`)
	remove := func(d model.DeleteRange) {
		t.Helper()
		d.Tenant, d.Entity, d.Scope, d.Keys = tenant, deviceID, model.Timeseries, []string{"t"}
		if _, err := db.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	remove(model.DeleteRange{From: 20, To: 30, RewriteLatest: true})
	c.wantData(1, `{"t":[[10,"1.0"]]}`, `{"t":10}`)
	remove(model.DeleteRange{From: 0, To: 30})
	c.wantData(1, `{"t":[[0,""]]}`, `{"t":0}`)

	attributes := &model.WriteSet{Tenant: tenant, Entity: deviceID, Scope: model.Shared, Keys: []string{"fw"}, Received: 50,
		Rows: []model.Row{{Cells: 1}}, Cells: []model.Cell{{Value: model.String("1.2")}}}
	if _, err := db.Append(t.Context(), attributes); err != nil {
		t.Fatal(err)
	}
	c.wantData(2, `{"fw":[[50,"1.2"]]}`, `{"fw":50}`)
	attributes.Cells[0].Value = model.Null()
	if _, err := db.Append(t.Context(), attributes); err != nil {
		t.Fatal(err)
	}
	c.wantData(2, `{"fw":[[0,""]]}`, `{"fw":0}`)
}

// What a frame of history may hold is the query's budget, so that too much is refused while it
// is read and not when it has been gathered.
func TestOverTheEngineHistoryHasALimit(t *testing.T) {
	hub := subscriptions.New(subscriptions.Options{})
	db, err := tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Changes: hub})
	if err != nil {
		t.Fatal(err)
	}
	hub.Start(db)
	w := newWorld(t, func(d *Deps) { d.Hub, d.Limits = hub, Limits{HistoryPoints: 5} })
	h := httptest.NewServer(w.server)
	w.url = "ws" + strings.TrimPrefix(h.URL, "http")
	t.Cleanup(func() {
		_ = w.server.Shutdown(context.Background())
		h.Close()
		hub.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &model.WriteSet{Tenant: tenant, Entity: deviceID, Scope: model.Timeseries, Keys: []string{"t"}}
	for i := range int64(6) {
		s.Rows = append(s.Rows, model.Row{TS: i, Cells: 1})
		s.Cells = append(s.Cells, model.Cell{Value: model.Int(i)})
	}
	if _, err := db.Append(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	c := w.open()
	c.subscribe("TIMESERIES_HISTORY", 1, `"keys":"t","startTs":0,"endTs":5,"limit":100`)
	c.wantData(1, `{"t":[[4,"4"],[3,"3"],[2,"2"],[1,"1"],[0,"0"]]}`, `{"t":0}`)
	for id, agg := range []string{"NONE", "SUM"} {
		c.subscribe("TIMESERIES_HISTORY", 2+id, `"keys":"t","startTs":0,"endTs":6,"limit":100,"interval":1,"agg":"`+agg+`"`)
		c.wantError(2+id, 2, "Result has more than 5 points!")
	}
}
