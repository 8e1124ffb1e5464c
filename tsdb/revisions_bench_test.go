package tsdb

import (
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// BenchmarkKeepOriginals measures what it costs to keep originals: of points that arrive in
// order, and of corrections of what is stored.
func BenchmarkKeepOriginals(b *testing.B) {
	const rows = 100
	for _, c := range []struct {
		name         string
		keep, stored bool
	}{{"in-order/keep=false", false, false}, {"in-order/keep=true", true, false}, {"corrections/keep=false", false, true}, {"corrections/keep=true", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			db, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			write := func(from uint64, keep bool) {
				for i := range b.N {
					set := &model.WriteSet{Tenant: model.TenantID{1}, Entity: model.EntityID{1}, Scope: model.Timeseries, Keys: fleetKeys, KeepOriginals: keep}
					set.Cells = prepared(from+uint64(i), rows)
					for k := range rows {
						set.Rows = append(set.Rows, model.Row{TS: 1_700_000_000_000 + int64(i*rows+k)*10_000, Cells: 10})
					}
					set.Received = set.Rows[rows-1].TS + 137
					if _, err := db.Append(b.Context(), set); err != nil {
						b.Fatal(err)
					}
				}
				if err := db.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			if c.stored {
				write(0, false)
			}
			b.ResetTimer()
			cpu, began := cpuSeconds(), time.Now()
			write(1<<20, c.keep)
			b.StopTimer()
			points := float64(10 * rows * b.N)
			b.ReportMetric(points/time.Since(began).Seconds()/1e6, "Mpoints/s")
			b.ReportMetric((cpuSeconds()-cpu)/points*1e6, "cpu-s/Mpoint")
			b.ReportMetric(0, "ns/op")
			r, err := db.Check(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if r.Revisions > 0 {
				b.ReportMetric(float64(r.RevisionBytes)/float64(r.Revisions), "bytes/revision")
				b.ReportMetric(float64(r.Revisions)/points, "revisions/point")
				b.ReportMetric(onDisk(b, db, keys.Revisions)/float64(r.Revisions), "disk-bytes/revision")
			}
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// onDisk returns what a keyspace takes once it is compacted.
func onDisk(b *testing.B, db *DB, space byte) float64 {
	b.Helper()
	if err := db.flushStore(); err != nil {
		b.Fatal(err)
	}
	if err := db.store.Compact(b.Context(), []byte{space}, []byte{space + 1}, false); err != nil {
		b.Fatal(err)
	}
	n, err := db.store.EstimateDiskUsage([]byte{space}, []byte{space + 1})
	if err != nil {
		b.Fatal(err)
	}
	return float64(n)
}
