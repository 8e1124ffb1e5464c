package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tidewire/tidewire/bench/fleet"
)

const partWide = "Set W: 100,000 devices of 10 keys, one row a minute"

// wide measures many devices that each send little: small row groups, joins, catalog and the
// memory of entities count here. A million series, one row a set as devices send, in turns.
func (b *bench) wide(ctx context.Context) error {
	minutes := b.scaled(60)
	set := fleet.Set{Devices: b.scaled(100_000), Rows: minutes, Step: 60_000, Keys: 10}
	b.title(fmt.Sprintf("%s, %d minutes: %s points", partWide, minutes, short(float64(set.Points()))))
	dir := filepath.Join(b.dir, "wide")
	defer os.RemoveAll(dir)
	load, err := b.task(ctx, task{Do: "load", Dir: dir, Set: set, Rows: 1, Writers: 64, Turns: true})
	if err != nil {
		return err
	}
	found, err := b.task(ctx, task{Do: "open", Dir: dir, Set: set, Check: true})
	if err != nil {
		return err
	}
	if found.Points != set.Points() {
		return fmt.Errorf("%d points on disk, want %d", found.Points, set.Points())
	}
	points := float64(set.Points())
	perMillion := 1e6 / float64(set.Devices*set.Keys)
	add := func(name string, u unit, f figure, g goal) {
		b.add(line{part: partWide, name: name, unit: u, ours: f, goal: g, durable: "yes"})
	}
	add("ingest, 64 writers, one row a set", pointsPerSecond, of(points/load.Seconds), goal{})
	add("ingest, flush and joins included", cpuPerMillion, of(load.CPU/points*1e6), goal{})
	add("stored, summaries included", bytesPerPoint, of(float64(found.Bytes)/points), goal{})
	add("written to the device: log, flushes, joins, compactions", bytesPerPoint, of(float64(load.DeviceBytes)/points), goal{})
	add("rows in the head at most, by the engine's count", mebibytes, of(load.PeakHead), goal{})
	add("process at most, above what it was before", mebibytes, of(load.PeakResident), goal{})
	add("heap for a million series that all send", mebibytes, of(load.Live*perMillion), goal{})
	add("heap for a million series on disk, after opening", mebibytes, of(found.Idle*perMillion), goal{})
	add("open after a stop (engine)", milliseconds, of(found.Open*1000), goal{value: 30})
	add("latest of one device that is not in memory, p50 (engine)", milliseconds, of(found.LatestNew*1000), goal{})
	add("latest of one device that is, p50 (engine)", milliseconds, of(found.Latest*1000), goal{})

	crashed := filepath.Join(b.dir, "wide-crash")
	defer os.RemoveAll(crashed)
	if load, err = b.task(ctx, task{Do: "load", Dir: crashed, Set: set, Rows: 1, Writers: 64, Turns: true, FullHead: true, Kill: true}); err != nil {
		return err
	}
	if found, err = b.task(ctx, task{Do: "open", Dir: crashed, Set: set, FullHead: true, Check: true}); err != nil {
		return err
	}
	if found.Points < load.Points {
		return fmt.Errorf("%d points after a crash, %d were acknowledged", found.Points, load.Points)
	}
	add("open after kill -9 with a full head (engine)", milliseconds, figure{found.Open * 1000, fmt.Sprintf("%s points, none lost, %.2f CPU s", short(float64(load.Points)), found.OpenCPU)}, goal{})
	return nil
}
