package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/tsdb"
)

// engineWorld serves over the real engine; its queries are answered from it.
func engineWorld(t *testing.T, o subscriptions.Options, change func(*Deps)) (*world, *tsdb.DB) {
	t.Helper()
	hub := subscriptions.New(o)
	db, err := tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Changes: hub})
	if err != nil {
		t.Fatal(err)
	}
	hub.Start(db)
	found := &directory{m: make(map[model.EntityID]*model.Entity)}
	found.add(deviceID, "Pump 7")
	w := newWorld(t, func(d *Deps) {
		d.Hub = hub
		d.Limits.OutboxBytes = 16 << 20
		d.Entities = entityquery.New(entityquery.Options{
			Directory: found, Guard: found, Relations: found, Records: found, Store: db, Text: thingsboard.AppendText,
		})
		if change != nil {
			change(d)
		}
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
	return w, db
}

func appendTo(t *testing.T, db *tsdb.DB, scope model.Scope, key string, ts int64, v int) {
	t.Helper()
	_, err := db.Append(context.Background(), &model.WriteSet{
		Tenant: tenant, Entity: deviceID, Scope: scope, Keys: []string{key}, Received: ts,
		Rows: []model.Row{{TS: ts, Cells: 1}}, Cells: []model.Cell{{Value: model.Int(int64(v))}},
	})
	if err != nil {
		t.Error(err)
	}
}

// An entityFrame is what a test reads of a frame of a live query.
type entityFrame struct {
	ID        int64 `json:"cmdId"`
	Error     int   `json:"errorCode"`
	Coalesced int   `json:"coalesced"`
	Data      *struct{ Data []entityShown }
	Update    []entityShown
}

type entityShown struct {
	Latest     map[string]map[string]struct{ Value string }
	Timeseries map[string][]struct {
		TS    int64
		Value string
	}
}

// Clients ask again and again while one writes: latest values and series count up by ones,
// from each answer on.
func TestOverTheEngineAQueryMissesNothingAndRepeatsNothing(t *testing.T) {
	w, db := engineWorld(t, subscriptions.Options{QueueChanges: 2, JoinChanges: 4}, nil)
	appendTo(t, db, model.Timeseries, "t", 1, 1)
	const clients, answers, updates = 4, 20, 20
	var readers, writer sync.WaitGroup
	more := make(chan struct{}) // a reader that has its answer asks for a point
	writer.Go(func() {
		n := 2
		for range more {
			appendTo(t, db, model.Timeseries, "t", int64(n), n)
			n++
		}
	})
	for i := range clients {
		c := w.open()
		readers.Go(func() {
			part, series := latestT, i%2 == 1
			if series {
				part = `"tsCmd":{"keys":["t"],"startTs":1,"timeWindow":1000000,"limit":1}`
			}
			for round := range answers {
				c.entityData(i, pumps+`,`+part)
				last, seen := 0, 0
				for answered := false; seen < updates; {
					if answered {
						more <- struct{}{}
					}
					var f entityFrame
					if err := json.Unmarshal([]byte(c.receive()), &f); err != nil || f.Error != 0 || f.Coalesced != 0 {
						t.Errorf("%v %+v", err, f)
						return
					}
					list, first := f.Update, false
					if f.Data != nil {
						list, first = f.Data.Data, true
					} else if len(list) == 1 && list[0].Latest != nil && list[0].Timeseries != nil {
						first = true // the answer to a part of what is known
					}
					if first {
						answered, last = true, 0
					}
					text := list[0].Latest["TIME_SERIES"]["t"].Value
					if series {
						text = list[0].Timeseries["t"][0].Value
					}
					n, _ := strconv.Atoi(text)
					if last != 0 && n != last+1 || first && round == 0 != (f.Data != nil) {
						t.Errorf("client %d round %d: %d after %d", i, round, n, last)
						return
					}
					if last = n; answered {
						seen++
					}
				}
			}
		})
	}
	readers.Wait()
	close(more)
	writer.Wait()
}

func TestOverTheEngineBucketsFollowTheCalendarOfTheZone(t *testing.T) {
	w, db := engineWorld(t, subscriptions.Options{}, fixed)
	kyiv, err := time.LoadLocation("Europe/Kyiv")
	if err != nil {
		t.Fatal(err)
	}
	// The clocks went back at 4:00 on 2024-10-27: that day has 25 hours.
	day := time.Date(2024, 10, 27, 0, 0, 0, 0, kyiv)
	from, next, to := day.UnixMilli(), day.AddDate(0, 0, 1).UnixMilli(), day.AddDate(0, 0, 2).UnixMilli()
	for ts := from; ts < to; ts += 3600_000 {
		appendTo(t, db, model.Timeseries, "t", ts, 1)
	}
	c := w.open()
	c.entityData(1, fmt.Sprintf(`%s,"historyCmd":{"keys":["t"],"startTs":%d,"endTs":%d,"intervalType":"DAY","timeZoneId":"Europe/Kyiv","agg":"COUNT"}`, pumps, from, to))
	c.wantPage(1, pumpName, fmt.Sprintf(`{"t":[{"ts":%d,"value":"25","count":25},{"ts":%d,"value":"24","count":24}]}`, from+(next-from)/2, next+(to-next)/2), `{}`)
}

func TestOverTheEngineALatestThatIsDeletedGoesBackOrAway(t *testing.T) {
	w, db := engineWorld(t, subscriptions.Options{}, fixed)
	appendTo(t, db, model.Timeseries, "t", 10, 1)
	appendTo(t, db, model.Timeseries, "t", 20, 2)
	c := w.open()
	c.entityData(1, pumps+`,`+latestT)
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":20,"value":"2"}}`, `{}`, `{}`)
	remove := func(d model.DeleteRange) {
		t.Helper()
		d.Tenant, d.Entity, d.Scope, d.Keys = tenant, deviceID, model.Timeseries, []string{"t"}
		if _, err := db.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	remove(model.DeleteRange{From: 20, To: 30, RewriteLatest: true})
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":10,"value":"1"}}}`, `null`, `null`)
	remove(model.DeleteRange{From: 0, To: 30})
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":0,"value":""}}}`, `null`, `null`)
}

func TestOverTheEngineTooMuchIsRefused(t *testing.T) {
	w, db := engineWorld(t, subscriptions.Options{}, func(d *Deps) { fixed(d); d.Limits.HistoryPoints = 2 })
	for ts := range int64(3) {
		appendTo(t, db, model.Timeseries, "t", ts+1, 1)
	}
	c := w.open()
	c.entityData(1, pumps+`,`+tsT+`}`)
	c.wantFailed("ENTITY_DATA", 1, 1, "Result has more than 2 points!")
	c.entityData(1, pumps+`,`+tsT+`,"limit":2}`)
	c.wantPage(1, pumpName, `{"t":[{"ts":3,"value":"1"},{"ts":2,"value":"1"}]}`, `{}`)
}

func TestOverTheEngineAViewShowsWhatItMay(t *testing.T) {
	view := &model.Window{Source: model.EntityRef{Type: model.EntityDevice, ID: second}, Keys: []string{"t"}, From: 10, To: 30}
	w, db := engineWorld(t, subscriptions.Options{}, func(d *Deps) {
		fixed(d)
		d.Window = func(id model.EntityID) (*model.Window, bool) { return view, id == deviceID }
	})
	write := func(ts int64, key string, v int) {
		t.Helper()
		if _, err := db.Append(t.Context(), &model.WriteSet{Tenant: tenant, Entity: second, Scope: model.Timeseries, Keys: []string{key},
			Rows: []model.Row{{TS: ts, Cells: 1}}, Cells: []model.Cell{{Value: model.Int(int64(v))}}}); err != nil {
			t.Fatal(err)
		}
	}
	write(10, "t", 1)
	write(40, "t", 4) // behind the view
	c := w.open()
	c.entityData(1, pumps+`,"latestCmd":{"keys":[{"type":"TIME_SERIES","key":"t"},{"type":"TIME_SERIES","key":"u"}]}`)
	c.wantPage(1, pumpName+`,"TIME_SERIES":{"t":{"ts":10,"value":"1"},"u":{"ts":0,"value":""}}`, `{}`, `{}`)
	write(50, "t", 5)
	write(20, "u", 9)
	write(20, "t", 2) // late for the device, the newest of the view
	c.wantUpdate(1, `{"TIME_SERIES":{"t":{"ts":20,"value":"2"}}}`, `null`, `null`)
}
