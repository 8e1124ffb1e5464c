package tsdb

import (
	"math"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// BenchmarkDropPartition drops a partition of a thousand groups, a row every ten minutes of ten keys,
// beside one that stays.
func BenchmarkDropPartition(b *testing.B) {
	const groups, n = 1000, 30 * 24 * 6
	for b.Loop() {
		b.StopTimer()
		db, err := Open(b.TempDir(), Options{manual: true})
		if err != nil {
			b.Fatal(err)
		}
		for g := range groups {
			for part := range int64(2) {
				s := rows(part*30*dayMillis, 600_000, n, 3, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
				s.Entity = model.EntityID{1, byte(g), byte(g >> 8)}
				if _, err := db.Append(b.Context(), s); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := db.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		keep := func(model.TenantID, model.EntityID, model.Scope, string) model.Keep {
			return model.Keep{Time: 30 * dayMillis}
		}
		b.StartTimer()
		r, err := db.flusher.expire(b.Context(), keep, 60*dayMillis)
		b.StopTimer()
		if err != nil || r.Partitions != 1 || r.Dropped != groups {
			b.Fatalf("%+v, %v", r, err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkDeleteAKeyOverAYear deletes one of two keys that have a row a second, and tells how
// long it takes until the delete is visible, until it is flushed, and until it is physical.
func BenchmarkDeleteAKeyOverAYear(b *testing.B) {
	const year, chunk = int64(365 * 24 * 3600), int64(50_000)
	for b.Loop() {
		db, err := Open(b.TempDir(), Options{manual: true})
		if err != nil {
			b.Fatal(err)
		}
		for from := int64(0); from < year; from += chunk {
			if _, err := db.Append(b.Context(), rows(from*1000, 1000, int(min(chunk, year-from)), from, "a", "b")); err != nil {
				b.Fatal(err)
			}
		}
		if err := db.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		step := func(name string) {
			b.ReportMetric(float64(time.Since(began).Microseconds())/1000, name)
			began = time.Now()
		}
		if _, err := db.Delete(b.Context(), model.DeleteRange{
			Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: math.MaxInt64,
		}); err != nil {
			b.Fatal(err)
		}
		step("ms-visible")
		if err := db.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		step("ms-flush")
		q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"a", "b"}, To: year * 1000,
			Every: model.Interval{Width: 24 * 3600 * 1000}, Aggregates: model.Avg}
		if _, err := db.Aggregate(b.Context(), q, func(key string, _ []model.Bucket) error {
			if key != "b" {
				b.Error("there are points of the deleted key")
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		step("ms-query-hidden")
		if err := db.Reclaim(b.Context()); err != nil {
			b.Fatal(err)
		}
		step("ms-reclaim")
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
