package tsdb

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// BenchmarkLatestColumns measures what queries over 100,000 devices do: build two columns,
// filter by a number, sort by it.
func BenchmarkLatestColumns(b *testing.B) {
	const devices = 100_000
	db, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var writers sync.WaitGroup
	for w := range 64 { // who write together sync together
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			s := &model.WriteSet{Tenant: aTenant, Scope: model.Timeseries, Keys: fleetKeys, Rows: []model.Row{{TS: 1, Cells: 10}}}
			for range devices / 64 {
				for i := range s.Entity {
					s.Entity[i] = byte(rng.Uint32())
				}
				s.Cells = s.Cells[:0]
				for k := range fleetKeys {
					s.Cells = append(s.Cells, model.Cell{Key: k, Value: model.Float(float64(rng.IntN(10000)) / 100)})
				}
				if _, err := db.Append(b.Context(), s); err != nil {
					b.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	of := []model.ScopeKey{{Scope: model.Timeseries, Key: fleetKeys[0]}, {Scope: model.Timeseries, Key: fleetKeys[5]}}
	var v model.LatestView
	view := func() {
		if v, err = db.LatestColumns(b.Context(), aTenant, of); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			db.columns.shrink(time.Now().Add(time.Hour), model.TenantID{}, nil)
			view()
		}
		b.ReportMetric(float64(db.columns.bytes.Load())/devices, "bytes/device")
	})
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			view()
		}
	})
	var rows []int32
	b.Run("filter", func(b *testing.B) {
		for b.Loop() {
			rows = v.Filter(nil, 0, func(p model.Point) bool { n, ok := p.Value.Number(); return ok && n > 50 })
		}
		b.ReportMetric(float64(len(rows)), "rows")
	})
	b.Run("sort", func(b *testing.B) {
		all := v.Filter(nil, 0, func(model.Point) bool { return true })
		sorted := make([]int32, len(all))
		for b.Loop() {
			copy(sorted, all)
			v.SortNumbers(sorted, 1, true)
		}
	})
}
