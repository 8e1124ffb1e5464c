package tsdb

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkOpenWithKeptLog measures a start, after an orderly stop, beside how much log is
// kept: it must not grow with it.
func BenchmarkOpenWithKeptLog(b *testing.B) {
	for _, mib := range []int64{1, 64, 256} {
		b.Run(fmt.Sprintf("kept=%dMiB", mib), func(b *testing.B) {
			dir := b.TempDir()
			o := Options{LogBytes: mib << 20, LogAge: -1}
			db, err := Open(dir, o)
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; db.Stats().LogKept < mib<<20; i++ {
				benchWriter(b, db, i, 16, 1000)
			}
			if err := db.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			kept := db.Stats().LogKept
			for b.Loop() {
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if db, err = Open(dir, o); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "open-ms")
			}
			b.ReportMetric(float64(kept>>20), "kept-MiB")
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
