package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/model"
)

// load stores what a set of one device has for entity.
func (w *world) load(b *testing.B, entity model.EntityID, set fleet.Set) {
	d := fleet.NewDevice(set, 0)
	ws := &model.WriteSet{Tenant: w.a, Entity: entity, Scope: model.Timeseries, Keys: fleet.Keys[:set.Keys]}
	for done := 0; done < set.Rows; {
		ws.Rows, ws.Cells = ws.Rows[:0], ws.Cells[:0]
		for range min(8640, set.Rows-done) {
			d.Next()
			ws.Rows = append(ws.Rows, model.Row{TS: d.TS, Cells: set.Keys})
			for k := range set.Keys {
				v := model.Float(d.Value(k))
				if f := d.Value(k); f == float64(int64(f)) {
					v = model.Int(int64(f))
				}
				ws.Cells = append(ws.Cells, model.Cell{Key: k, Value: v})
			}
		}
		done += len(ws.Rows)
		_, err := w.db.Append(b.Context(), ws)
		check(b, err)
	}
	check(b, w.db.Flush(b.Context()))
}

// BenchmarkGetTimeseries measures the reads of a dashboard from the handler down, without
// net/http: a month of ten keys every ten seconds, and a year of one key every second.
func BenchmarkGetTimeseries(b *testing.B) {
	const hour, day = 3_600_000, 24 * 3_600_000
	w := newWorld(b, quiet, func(d *api.Deps) { d.Limits.Buckets = 10_000 })
	month := fleet.Set{Rows: 30 * 8640, Step: 10_000, Keys: 10}
	year := fleet.Set{Rows: 365 * 86400, Step: 1000, Keys: 1}
	w.load(b, w.owned, month)
	w.load(b, w.free, year)

	ask := func(name string, entity model.EntityID, query string) {
		b.Run(name, func(b *testing.B) {
			path := "/api/plugins/telemetry/DEVICE/" + entity.String() + query
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, path, http.NoBody)
			check(b, err)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("X-Authorization", "Bearer "+w.adminA)
			out := nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(out.header)
				w.bare.ServeHTTP(out, r)
			}
		})
	}
	span := func(from, to int64) string { return fmt.Sprintf("&startTs=%d&endTs=%d", from, to) }
	keys := strings.Join(fleet.Keys, ",")
	middle := fleet.Begin + 15*int64(day) + 1234567
	const odd = 5*hour + 1234000
	ask("keys", w.owned, "/keys/timeseries")
	ask("latest", w.owned, "/values/timeseries?keys="+keys)
	ask("raw-hour", w.owned, "/values/timeseries?keys=temperature&limit=1000"+span(month.End()-hour, month.End()))
	ask("day-by-minute", w.owned, "/values/timeseries?keys=temperature&agg=AVG&interval=60000"+span(middle, middle+day))
	ask("month-by-hour", w.owned, "/values/timeseries?keys="+keys+"&aggs=AVG,MIN,MAX&interval=3600000"+span(fleet.Begin, month.End()))
	ask("year-by-utc-day", w.free, "/values/timeseries?keys=temperature&aggs=AVG,MAX&interval=86400000"+span(fleet.Begin, year.End()))
	ask("year-by-day-anywhere", w.free, "/values/timeseries?keys=temperature&aggs=AVG,MAX&interval=86400000"+span(fleet.Begin+odd, year.End()))
}
