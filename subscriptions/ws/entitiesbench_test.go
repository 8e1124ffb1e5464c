package ws

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/tsdb"
)

// BenchmarkDynamicPage is a dynamic query whose page holds as many entities as one may: answered,
// asked again when nothing has changed, answered anew when something has, and what it keeps.
func BenchmarkDynamicPage(b *testing.B) {
	const entities = thingsboard.AllowedEntities
	hub := subscriptions.New(subscriptions.Options{})
	db, err := tsdb.Open("db", tsdb.Options{FS: vfs.NewMem(), Changes: hub})
	if err != nil {
		b.Fatal(err)
	}
	hub.Start(db)
	found := &directory{m: make(map[model.EntityID]*model.Entity)}
	id := func(i int) (id model.EntityID) {
		binary.BigEndian.PutUint32(id[12:], uint32(i))
		id[8] = byte(i)
		return id
	}
	for i := range entities {
		found.add(id(i), fmt.Sprintf("Device %d", i))
		_, err := db.Append(b.Context(), &model.WriteSet{
			Tenant: tenant, Entity: id(i), Scope: model.Timeseries, Keys: []string{"t"},
			Rows: []model.Row{{TS: int64(i), Cells: 1}}, Cells: []model.Cell{{Value: model.Int(int64(i))}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	w := newWorld(b, func(d *Deps) {
		d.Hub = hub
		d.Entities = entityquery.New(entityquery.Options{
			Directory: found, Guard: found, Relations: found, Records: found, Store: db, Text: thingsboard.AppendText,
		})
	}).listen()
	defer func() {
		_ = w.server.Shutdown(b.Context())
		hub.Close()
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}()
	c := w.open()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	query := strings.Replace(pumps, `"pageSize":10,"page":0`, fmt.Sprintf(`"pageSize":%d,"page":0,"dynamic":true`, entities), 1)
	begun := time.Now()
	c.entityData(1, query+`,`+latestT)
	first := c.receive()
	answered := time.Since(begun)
	q := w.server.all()[0].queryOf(thingsboard.WSEntityData, 1)
	held := heap() - before

	for b.Loop() { // nothing has changed
		q.refresh()
	}
	begun = time.Now()
	found.add(id(entities), "Another")
	q.refresh()
	c.receive()
	b.ReportMetric(float64(answered.Microseconds())/1000, "ms/answer")
	b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "ms/anew")
	b.ReportMetric(float64(held)/entities, "B/entity")
	b.ReportMetric(float64(len(first))/entities, "frameB/entity")
}
