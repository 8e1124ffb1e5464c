package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// growthCosts are what a costs task measures, in the order they are printed.
var growthCosts = []string{
	"ingest, 10 rows a set, points/s", "ingest with flush and joins, CPU s per million", "stored, bytes/point", "written to the device, bytes/point",
	"open after a stop, ms", "open after kill -9, ms", "heap after opening, MiB", "key list, ms", "latest of 10 keys, ms",
	"raw last hour of a key, ms", "AVG per minute over 2 hours, ms", "AVG, MIN, MAX per hour over everything, ms", "AVG of everything as one, ms",
}

// growth measures the same costs of a store at 1, 10 and 100 times the data, once with a
// longer history and once with more devices, to show what each cost grows with.
func (b *bench) growth(ctx context.Context) error {
	size := 1
	if b.full {
		size = 10
	}
	for _, way := range []struct {
		name string
		set  func(times int) fleet.Set
	}{
		{"a longer history (10 devices)", func(n int) fleet.Set {
			return fleet.Set{Devices: 10, Rows: b.scaled(864) * size * n, Step: 10_000, Keys: 10}
		}},
		{"more devices (864 rows of each)", func(n int) fleet.Set {
			return fleet.Set{Devices: max(b.scaled(10)*size*n, 1), Rows: 864, Step: 10_000, Keys: 10}
		}},
	} {
		b.title("Growth with " + way.name + ", engine alone")
		var all []map[string]float64
		head := "| cost |"
		for _, n := range []int{1, 10, 100} {
			set := way.set(n)
			dir := filepath.Join(b.dir, "growth")
			costs, err := b.costs(ctx, dir, set)
			if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
				return err
			}
			all = append(all, costs)
			head += fmt.Sprintf(" %s points |", short(float64(set.Points())))
		}
		text := "### Growth with " + way.name + "\n\n" + head + " 100x the data costs |\n|---|---|---|---|---|\n"
		for _, name := range growthCosts {
			row := fmt.Sprintf("| %s |", name)
			for _, costs := range all {
				row += fmt.Sprintf(" %.4g |", costs[name])
			}
			row += fmt.Sprintf(" %s |", grows(all[0][name], all[2][name]))
			text += row + "\n"
			fmt.Fprintln(b.out, "  "+strings.Trim(row, "| "))
		}
		b.tail = append(b.tail, text)
	}
	return nil
}

// grows words what a hundred times the data did to a cost.
func grows(from, to float64) string {
	if from <= 0 {
		return ""
	}
	x := to / from
	switch {
	case x < 1.5:
		return fmt.Sprintf("%.1fx: the same", x)
	case x < 10:
		return fmt.Sprintf("%.1fx: hardly more", x)
	case x < 50:
		return fmt.Sprintf("%.0fx: less than in proportion", x)
	}
	return fmt.Sprintf("%.0fx: in proportion", x)
}

// costs fills a store and measures what everything takes.
func (b *bench) costs(ctx context.Context, dir string, set fleet.Set) (costs map[string]float64, err error) {
	load, err := b.task(ctx, task{Do: "load", Dir: dir, Set: set, Rows: 10, Writers: 16})
	if err != nil {
		return nil, err
	}
	found, err := b.task(ctx, task{Do: "open", Dir: dir, Set: set, Check: true})
	if err != nil {
		return nil, err
	}
	asked, err := b.task(ctx, task{Do: "costs", Dir: dir, Set: set})
	if err != nil {
		return nil, err
	}
	crashed := dir + "-crash"
	defer func() { err = errors.Join(err, os.RemoveAll(crashed)) }()
	if _, err := b.task(ctx, task{Do: "load", Dir: crashed, Set: set, Rows: 10, Writers: 16, Kill: true}); err != nil {
		return nil, err
	}
	again, err := b.task(ctx, task{Do: "open", Dir: crashed, Set: set, Check: true})
	if err != nil {
		return nil, err
	}
	if again.Points != set.Points() {
		return nil, fmt.Errorf("%d points after a crash, %d were acknowledged", again.Points, set.Points())
	}
	points := float64(set.Points())
	for i, v := range []float64{
		points / load.Seconds, load.CPU / points * 1e6, float64(found.Bytes) / points, float64(load.DeviceBytes) / points,
		found.Open * 1000, again.Open * 1000, found.Idle,
	} {
		asked.Costs[growthCosts[i]] = v
	}
	return asked.Costs, nil
}

// costs times what a reader may ask, on the engine.
func (t *task) costs(ctx context.Context) (o outcome, err error) {
	db, err := tsdb.Open(t.Dir, tsdb.Options{})
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	q := model.RangeQuery{Tenant: benchTenant, Entity: benchEntity(0), Scope: model.Timeseries, Keys: fleet.Keys[:1], To: t.Set.End()}
	raw, minute, hourly, whole := q, q, q, q
	raw.From = q.To - hour
	minute.From, minute.Every, minute.Aggregates = q.To-2*hour, model.Interval{Width: 60_000}, model.Avg
	hourly.From, hourly.Every, hourly.Aggregates = fleet.Begin, model.Interval{Width: hour}, model.Avg|model.Min|model.Max
	whole.From, whole.Every, whole.Aggregates = fleet.Begin, model.Interval{Width: q.To - fleet.Begin}, model.Avg
	aggregate := func(q *model.RangeQuery) func() error {
		return func() error {
			_, err := db.Aggregate(ctx, q, func(string, []model.Bucket) error { return nil })
			return err
		}
	}
	o.Costs = map[string]float64{}
	for name, ask := range map[string]func() error{
		growthCosts[7]: func() error {
			_, err := db.Keys(ctx, benchTenant, benchEntity(0), model.Timeseries)
			return err
		},
		growthCosts[8]: func() error {
			_, err := db.Latest(ctx, benchTenant, benchEntity(0), model.Timeseries, fleet.Keys[:t.Set.Keys])
			return err
		},
		growthCosts[9]: func() error {
			_, err := db.Raw(ctx, &raw, func(string, []model.Point) error { return nil })
			return err
		},
		growthCosts[10]: aggregate(&minute), growthCosts[11]: aggregate(&hourly), growthCosts[12]: aggregate(&whole),
	} {
		var waits []time.Duration
		for range 500 {
			at := time.Now()
			if err := ask(); err != nil {
				return o, err
			}
			waits = append(waits, time.Since(at))
		}
		o.Costs[name] = quantile(waits, 0.5).Seconds() * 1000
	}
	return o, nil
}
