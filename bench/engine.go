package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tidewire/tidewire/bench/fleet"
)

const partEngine = "Engine alone"

// engineAlone measures the engine without HTTP: every append is on disk when it returns.
// Sizes are compared with what peers make of the same points.
func (b *bench) engineAlone(ctx context.Context) error {
	b.title(partEngine + ": every set on disk and readable before Append returns; CPU with flush and joins; sizes after them")
	jitter, full := b.day(), b.day()
	jitter.Jitter, full.Full = 50, true
	for _, run := range []struct {
		name          string
		set           fleet.Set
		rows, writers int
		size          goal
		cpu           goal
		peer          bool
	}{
		{"regular clock", b.day(), 100, 4, goal{value: 0.50, peer: 0.484}, goal{value: 0.12}, true},
		{"0-49 ms jitter", jitter, 100, 4, goal{value: 0.58, peer: 1.445}, goal{value: 0.12}, true},
		{"floats of all 53 bits", full, 100, 4, goal{}, goal{}, true},
		{"one row a set", fleet.Set{Devices: 64, Rows: b.scaled(3000), Step: 10_000, Keys: 10}, 1, 64, goal{}, goal{}, false},
	} {
		dir := filepath.Join(b.dir, "engine")
		load, err := b.task(ctx, task{Do: "load", Dir: dir, Set: run.set, Rows: run.rows, Writers: run.writers})
		if err != nil {
			return err
		}
		found, err := b.task(ctx, task{Do: "open", Dir: dir, Set: run.set, Check: true})
		if err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if found.Points != run.set.Points() {
			return fmt.Errorf("%d points on disk, want %d", found.Points, run.set.Points())
		}
		points := float64(run.set.Points())
		how := fmt.Sprintf("%s, %d points a set, %d writers", run.name, run.rows*run.set.Keys, run.writers)
		b.add(line{part: partEngine, name: how, unit: pointsPerSecond, ours: of(points / load.Seconds), durable: "yes"})
		b.add(line{part: partEngine, name: how, unit: cpuPerMillion, ours: of(load.CPU / points * 1e6), goal: run.cpu, durable: "yes"})
		size := line{part: partEngine, name: run.name + ", summaries included (the peer has none)", unit: bytesPerPoint, ours: of(float64(found.Bytes) / points), goal: run.size, durable: "yes"}
		if run.peer && b.victoria {
			theirs, err := b.victoriaSize(ctx, run.set)
			if err != nil {
				return err
			}
			size.victoria = of(theirs / points)
		}
		b.add(size)
		b.add(line{part: partEngine, name: how + ", written to the device", unit: bytesPerPoint, ours: of(float64(load.DeviceBytes) / points), durable: "yes"})
	}
	return nil
}
