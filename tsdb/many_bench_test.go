package tsdb

import (
	"testing"

	"github.com/tidewire/tidewire/model"
)

// BenchmarkMany measures aggregates of ten devices in one call, three days of ten keys by hour:
// each series for itself, and added up by key.
func BenchmarkMany(b *testing.B) {
	db, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const start, hour, days = int64(1_700_006_400_000), int64(3_600_000), 3
	over := &model.RangeQuery{
		From: start + 1234, To: start + days*24*hour, Every: model.Interval{Width: hour}, Aggregates: model.Avg | model.Max,
	}
	var qs []model.RangeQuery
	for e := range 10 {
		f := newFleet(1)
		set := &model.WriteSet{Tenant: aTenant, Entity: entityNumber(e), Scope: model.Timeseries, Keys: fleetKeys}
		for day := range int64(days) {
			set.Rows, set.Cells = set.Rows[:0], set.Cells[:0]
			for i := range int64(8640) {
				set.Rows = append(set.Rows, model.Row{TS: start + (day*8640+i)*10_000, Cells: 10})
				set.Cells = f.row(set.Cells)
			}
			if _, err := db.Append(b.Context(), set); err != nil {
				b.Fatal(err)
			}
		}
		q := *over
		q.Tenant, q.Entity, q.Scope, q.Keys = aTenant, set.Entity, model.Timeseries, fleetKeys
		qs = append(qs, q)
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("apart", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.AggregateMany(b.Context(), model.Budget{}, qs, func(int, string, []model.Bucket) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.AggregateGroups(b.Context(), model.Budget{}, over, qs, 10, func(_, key int) int { return key },
				func(int, []model.Bucket) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
