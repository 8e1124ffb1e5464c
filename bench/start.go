package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/tsdb"
)

const partStart = "Start: until the server answers"

// startUp measures how long the server takes to serve again, after a stop and after crashes
// with everything it had acknowledged still in memory and log.
func (b *bench) startUp(ctx context.Context) error {
	b.title(partStart)
	after := line{part: partStart, name: fmt.Sprintf("kill -9 after %s points, 1,000 a request", short(float64(b.day().Points()))), unit: milliseconds,
		goal: goal{value: 150}, durable: durabilities}
	stopped := line{part: partStart, name: fmt.Sprintf("stop with %s points on disk, best of 5", short(float64(b.day().Points()))), unit: milliseconds,
		goal: goal{value: 30, peer: 35}, durable: durabilities}
	if err := b.crash(ctx, &after, &stopped); err != nil {
		return err
	}
	if b.victoria {
		if err := b.crashVictoria(ctx, &after, &stopped); err != nil {
			return err
		}
	}
	b.add(after)
	b.add(stopped)
	for _, l := range []struct {
		name string
		rows int
	}{{"kill -9 with a full head, 1,000 points a set", 100}, {"kill -9 with a full head, one row of 10 points a set", 1}} {
		if err := b.crashFull(ctx, l.name, l.rows); err != nil {
			return err
		}
	}
	return nil
}

// crash loads a day over HTTP, kills the server and starts it; then stops and starts it.
func (b *bench) crash(ctx context.Context, after, stopped *line) error {
	dir := filepath.Join(b.dir, "start")
	defer os.RemoveAll(dir)
	s, err := b.startServer(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { _ = s.kill() }() // whichever runs last
	set := b.day()
	devices, err := s.devices(ctx, "fleet", set.Devices)
	if err != nil {
		return err
	}
	if _, err := driveAll(s.addr, 8, bulkRequests(set, 100, func(n int) string { return "/api/v1/" + devices[n].token + "/telemetry" })); err != nil {
		return err
	}
	if err := s.kill(); err != nil {
		return err
	}
	if s, err = b.startServer(ctx, dir, s); err != nil {
		return err
	}
	after.ours = spent(s.ready)
	after.ours.note = "0 lost"
	for _, d := range devices {
		if err := b.checkCount(ctx, s, d, set); err != nil {
			return err // an acknowledged point is missing
		}
	}
	if err := s.stop(); err != nil {
		return err
	}
	for range 5 {
		if s, err = b.startServer(ctx, dir, s); err != nil {
			return err
		}
		if f := spent(s.ready); stopped.ours.value == 0 || f.value < stopped.ours.value {
			stopped.ours = f
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// crashVictoria does the same to VictoriaMetrics and counts what it has lost.
func (b *bench) crashVictoria(ctx context.Context, after, stopped *line) error {
	dir := filepath.Join(b.dir, "start-vm")
	defer os.RemoveAll(dir)
	vm, err := b.startVictoria(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = vm.kill() }()
	set := b.day()
	if _, err := driveAll(vm.addr, 8, lineRequests(set, 100)); err != nil {
		return err
	}
	if err := vm.kill(); err != nil {
		return err
	}
	if vm, err = b.startVictoria(ctx, dir); err != nil {
		return err
	}
	after.victoria = spent(vm.ready)
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	path := fmt.Sprintf("/api/v1/query?nocache=1&time=%d&query=%s", set.End()/1000, `sum(count_over_time({__name__=~"fleet_.*"}[2d]))`)
	if err := vm.json(ctx, "GET", path, nil, &answer); err != nil {
		return err
	}
	var left float64
	for _, r := range answer.Data.Result {
		if _, err := fmt.Sscan(fmt.Sprint(r.Value[1]), &left); err != nil {
			return err
		}
	}
	after.victoria.note = fmt.Sprintf("%.0f %% lost", 100-100*left/float64(set.Points()))
	if err := vm.stop(); err != nil {
		return err
	}
	for range 5 {
		if vm, err = b.startVictoria(ctx, dir); err != nil {
			return err
		}
		if f := spent(vm.ready); stopped.victoria.value == 0 || f.value < stopped.victoria.value {
			stopped.victoria = f
		}
		// It answers before it listens to signals.
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		if err := vm.stop(); err != nil {
			return err
		}
	}
	return nil
}

// crashFull fills the head of a server's store to just below its first flush, in a process
// that kills itself, and starts the server on it.
func (b *bench) crashFull(ctx context.Context, name string, rows int) error {
	dir := filepath.Join(b.dir, "start-full")
	defer os.RemoveAll(dir)
	s, err := b.startServer(ctx, dir, nil)
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	set := fleet.Set{Devices: 100, Rows: b.scaled(40_000), Step: 10_000, Keys: 10}
	load, err := b.task(ctx, task{Do: "load", Dir: filepath.Join(dir, "tsdb"), Set: set, Rows: rows, Writers: 32, Turns: true, FullHead: true, Kill: true})
	if err != nil {
		return err
	}
	if s, err = b.startServer(ctx, dir, s); err != nil {
		return err
	}
	ready := s.ready
	if err := s.stop(); err != nil {
		return err
	}
	db, err := tsdb.Open(filepath.Join(dir, "tsdb"), tsdb.Options{Now: time.Now})
	if err != nil {
		return err
	}
	report, err := db.Check(ctx)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if report.Points < load.Points {
		return fmt.Errorf("%d points after a crash, %d were acknowledged", report.Points, load.Points)
	}
	b.add(line{part: partStart, name: name, unit: milliseconds, durable: "yes",
		ours: figure{spent(ready).value, fmt.Sprintf("%s points, %.0f MiB of rows, 0 lost", short(float64(load.Points)), load.PeakHead)}})
	return nil
}
