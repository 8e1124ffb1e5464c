package tsdb

import (
	"testing"

	"github.com/tidewire/tidewire/model"
)

// BenchmarkQuery measures the queries of a dashboard on a month of one device: ten keys, a row
// each ten seconds.
func BenchmarkQuery(b *testing.B) {
	db, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const start, hour = int64(1_700_006_400_000), int64(3_600_000)
	f := newFleet(1)
	set := &model.WriteSet{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: fleetKeys}
	for day := range int64(30) {
		set.Rows, set.Cells = set.Rows[:0], set.Cells[:0]
		for i := range int64(8640) {
			set.Rows = append(set.Rows, model.Row{TS: start + day*24*hour + i*10_000, Cells: 10})
			set.Cells = f.row(set.Cells)
		}
		if _, err := db.Append(b.Context(), set); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	end := start + 30*24*hour
	run := func(name string, one func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := one(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	q := func(names []string, from, every int64) *model.RangeQuery {
		return &model.RangeQuery{
			Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: names, From: from, To: end,
			Every: model.Interval{Width: every}, Aggregates: model.Avg | model.Min | model.Max,
		}
	}
	points := func(string, []model.Point) error { return nil }
	buckets := func(string, []model.Bucket) error { return nil }
	run("latest", func() error {
		_, err := db.Latest(b.Context(), aTenant, aDevice, model.Timeseries, fleetKeys)
		return err
	})
	run("keys", func() error {
		_, err := db.Keys(b.Context(), aTenant, aDevice, model.Timeseries)
		return err
	})
	run("raw-hour", func() error {
		_, err := db.Raw(b.Context(), q(fleetKeys[:1], end-hour, 0), points)
		return err
	})
	run("day-by-minute", func() error {
		_, err := db.Aggregate(b.Context(), q(fleetKeys[:1], end-24*hour, 60_000), buckets)
		return err
	})
	run("month-by-hour-10-keys", func() error {
		_, err := db.Aggregate(b.Context(), q(fleetKeys, start, hour), buckets)
		return err
	})
}
