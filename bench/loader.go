package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/model"
)

// benchTenant owns what is written to the engine directly.
var benchTenant = model.TenantID{0xbe}

func benchEntity(n int) model.EntityID {
	return model.EntityID{0xbe, 15: byte(n), 14: byte(n >> 8), 13: byte(n >> 16)}
}

// A loader makes the sets of a fleet and hands them on.
type loader struct {
	set           fleet.Set
	rows, writers int
	tenant        model.TenantID
	entity        func(int) model.EntityID
	enough        atomic.Bool // end early
	points        atomic.Int64
}

func newLoader(set fleet.Set, rows, writers int) *loader {
	return &loader{set: set, rows: rows, writers: writers, tenant: benchTenant, entity: benchEntity}
}

// run makes every set and calls appendSet from several writers, each with devices of its
// own: all of a device first, or one set of each in turn.
func (l *loader) run(turns bool, appendSet func(*model.WriteSet) error) error {
	var wg sync.WaitGroup
	errs := make([]error, l.writers)
	for w := range l.writers {
		wg.Go(func() { errs[w] = l.write(w, turns, appendSet) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (l *loader) write(w int, turns bool, appendSet func(*model.WriteSet) error) error {
	ws := model.WriteSet{Tenant: l.tenant, Scope: model.Timeseries, Keys: fleet.Keys[:l.set.Keys], Received: fleet.Begin}
	one := func(d *fleet.Device, n, rows int) error {
		ws.Entity = l.entity(n)
		fillSet(&ws, d, l.set.Keys, rows)
		if err := appendSet(&ws); err != nil {
			return err
		}
		l.points.Add(int64(len(ws.Cells)))
		return nil
	}
	if !turns {
		for n := w; n < l.set.Devices; n += l.writers {
			d := fleet.NewDevice(l.set, n)
			for done := 0; done < l.set.Rows && !l.enough.Load(); done += l.rows {
				if err := one(d, n, min(l.rows, l.set.Rows-done)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var devices []*fleet.Device
	for n := w; n < l.set.Devices; n += l.writers {
		devices = append(devices, fleet.NewDevice(l.set, n))
	}
	for done := 0; done < l.set.Rows; done += l.rows {
		for i, d := range devices {
			if l.enough.Load() {
				return nil
			}
			if err := one(d, w+i*l.writers, min(l.rows, l.set.Rows-done)); err != nil {
				return err
			}
		}
	}
	return nil
}

// watch calls look every few milliseconds until it says that it is enough, or stop is called.
func (l *loader) watch(look func() bool) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				look()
				return
			case <-tick.C:
				if look() {
					l.enough.Store(true)
				}
			}
		}
	}()
	return func() { close(end); <-done }
}

// fillSet replaces the rows of set with the next n of d.
func fillSet(set *model.WriteSet, d *fleet.Device, keys, n int) {
	set.Rows, set.Cells = set.Rows[:0], set.Cells[:0]
	for range n {
		d.Next()
		set.Rows = append(set.Rows, model.Row{TS: d.TS, Cells: keys})
		for k := range keys {
			f := d.Value(k)
			v := model.Float(f)
			if f == float64(int64(f)) {
				v = model.Int(int64(f))
			}
			set.Cells = append(set.Cells, model.Cell{Key: k, Value: v})
		}
	}
}

// generatorCost is the CPU time of making one point, seconds: it is left out of what the
// engine is said to take.
func (l *loader) generatorCost(turns bool) (float64, error) {
	some := newLoader(l.set, l.rows, l.writers)
	some.set.Rows = min(some.set.Rows, 1+5_000_000/(some.set.Devices*some.set.Keys))
	before := cpuSeconds()
	if err := some.run(turns, func(*model.WriteSet) error { return nil }); err != nil {
		return 0, err
	}
	return (cpuSeconds() - before) / float64(some.points.Load()), nil
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
