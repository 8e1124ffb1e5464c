package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// benchTenant owns what is written to the engine directly.
var benchTenant = model.TenantID{0xbe}

func benchEntity(n int) model.EntityID {
	return model.EntityID{0xbe, 15: byte(n), 14: byte(n >> 8), 13: byte(n >> 16)}
}

// cpuSeconds is what this process has used so far.
func cpuSeconds() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	seconds := func(t unix.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

// fillSet replaces the rows of set with the next n of d.
func fillSet(set *model.WriteSet, d *fleet.Device, keys, n int) {
	set.Rows, set.Cells = set.Rows[:0], set.Cells[:0]
	for range n {
		d.Next()
		set.Rows = append(set.Rows, model.Row{TS: d.TS, Cells: keys})
		for k := range keys {
			whole, digits := d.Value(k)
			v := model.Int(whole)
			if digits > 0 {
				// As a JSON client writes it: 21 stands between 20.99 and 21.01.
				if f := fleet.Float(whole, digits); f == float64(int64(f)) {
					v = model.Int(int64(f))
				} else {
					v = model.Float(f)
				}
			}
			set.Cells = append(set.Cells, model.Cell{Key: k, Value: v})
		}
	}
}

// loadEngine appends a whole set, rows of it a call, from several writers, and returns how
// long the appends took. generator is the CPU time of making the rows, to be left out.
func loadEngine(ctx context.Context, db *tsdb.DB, set fleet.Set, tenant model.TenantID, entity func(int) model.EntityID, rows, writers int) (time.Duration, error) {
	begin := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= set.Devices {
					return
				}
				ws := model.WriteSet{Tenant: tenant, Entity: entity(n), Scope: model.Timeseries, Keys: fleet.Keys[:set.Keys], Received: fleet.Begin}
				d := fleet.NewDevice(set, n)
				for done := 0; done < set.Rows; done += rows {
					fillSet(&ws, d, set.Keys, min(rows, set.Rows-done))
					if _, err := db.Append(ctx, &ws); err != nil {
						errs <- err
						return
					}
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return time.Since(begin), nil
	}
}

// generatorCost is how long one core takes to make the rows of set.
func generatorCost(set fleet.Set) float64 {
	before := cpuSeconds()
	var ws model.WriteSet
	d := fleet.NewDevice(set, 0)
	for range 100 {
		fillSet(&ws, d, set.Keys, 100)
	}
	return (cpuSeconds() - before) * float64(set.Points()) / float64(100*100*set.Keys)
}

// engineAlone measures the engine without HTTP: every append is on disk when it returns.
func (b *bench) engineAlone(ctx context.Context) error {
	b.title("Engine alone, every set on disk and readable before Append returns")
	for _, run := range []struct {
		name          string
		set           fleet.Set
		rows, writers int
	}{
		{"1,000 points a set, 4 writers", b.day(0), 100, 4},
		{"1,000 points a set, 0-49 ms jitter", b.day(50), 100, 4},
		{"one 10-key row a set, 64 writers", fleet.Set{Devices: 64, Rows: b.scaled(1000), Step: 10_000, Keys: 10}, 1, 64},
	} {
		if err := b.engineRun(ctx, run.name, run.set, run.rows, run.writers); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) engineRun(ctx context.Context, name string, set fleet.Set, rows, writers int) error {
	dir, err := os.MkdirTemp(b.dir, "engine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := tsdb.Open(dir, tsdb.Options{})
	if err != nil {
		return err
	}
	own := generatorCost(set)
	before := cpuSeconds()
	took, err := loadEngine(ctx, db, set, benchTenant, benchEntity, rows, writers)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil { // the flush is part of the cost
		return err
	}
	cpu := cpuSeconds() - before - own
	if db, err = tsdb.Open(dir, tsdb.Options{}); err != nil {
		return err
	}
	report, err := db.Check(ctx)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if report.Points != set.Points() {
		return fmt.Errorf("%d points on disk, want %d", report.Points, set.Points())
	}
	points := float64(set.Points())
	b.row(name, "%8s points/s   %.3f CPU s per million   %.3f bytes/point", short(points/took.Seconds()), cpu/points*1e6, float64(report.Bytes)/points)
	return nil
}
