package tsdb

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
)

// A fleet makes the rows of devices with ten keys: walks rounded to two decimals, noise,
// counters, flags and a setpoint.
type fleet struct {
	rng   *rand.Rand
	walks [6]float64
	count int64
}

var fleetKeys = []string{"t1", "t2", "t3", "humidity", "pressure", "noise", "count", "total", "on", "setpoint"}

func newFleet(seed uint64) *fleet {
	return &fleet{rng: rand.New(rand.NewPCG(seed, 7))}
}

func (f *fleet) row(dst []model.Cell) []model.Cell {
	for i := range 5 {
		f.walks[i] += f.rng.NormFloat64() * 0.05
		dst = append(dst, model.Cell{Key: i, Value: model.Float(float64(int64((20+f.walks[i])*100)) / 100)})
	}
	f.count++
	return append(dst,
		model.Cell{Key: 5, Value: model.Float(float64(f.rng.IntN(1000)) / 100)},
		model.Cell{Key: 6, Value: model.Int(f.count)},
		model.Cell{Key: 7, Value: model.Int(f.count * 17)},
		model.Cell{Key: 8, Value: model.Int(int64(f.rng.IntN(100) / 99))},
		model.Cell{Key: 9, Value: model.Float(21.5)})
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkAppend measures durable ingest through the engine alone, the final flush
// included; a point is an iteration's unit in the metrics.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name          string
		writers, rows int
	}{
		{"bulk-10000-points/writers=4", 4, 1000},
		{"set-1000-points/writers=8", 8, 100},
		{"row-10-points/writers=64", 64, 1},
		{"row-10-points/writers=256", 256, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			db, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			total := 10 * c.rows * b.N
			b.ReportAllocs()
			b.ResetTimer()
			cpu, began := cpuSeconds(), time.Now()
			var wait sync.WaitGroup
			for w := range c.writers {
				wait.Go(func() { benchWriter(b, db, w, b.N/c.writers+1, c.rows) })
			}
			wait.Wait()
			appended := time.Since(began)
			if err := db.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			took := time.Since(began)
			b.StopTimer()
			cpu = cpuSeconds() - cpu
			b.ReportMetric(float64(total)/took.Seconds()/1e6, "Mpoints/s")
			b.ReportMetric(float64(total)/appended.Seconds()/1e6, "Mpoints/s(unflushed)")
			b.ReportMetric(cpu/float64(total)*1e6, "cpu-s/Mpoint")
			b.ReportMetric(0, "ns/op")
			r, err := db.Check(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(r.Bytes)/float64(r.Points), "bytes/point")
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// prepared makes the cells of rows once, so that the generator is not what is measured.
func prepared(seed uint64, rows int) []model.Cell {
	f := newFleet(seed)
	var cells []model.Cell
	for range rows {
		cells = f.row(cells)
	}
	return cells
}

func benchWriter(b *testing.B, db *DB, w, sets, rows int) {
	const devices = 8 // of each writer
	cells := prepared(uint64(w), rows)
	set := &model.WriteSet{Tenant: model.TenantID{1}, Scope: model.Timeseries, Keys: fleetKeys, Rows: make([]model.Row, rows), Cells: cells}
	for i := range sets {
		device := i % devices
		set.Entity = model.EntityID{byte(w), byte(w >> 8), byte(device)}
		for k := range set.Rows {
			set.Rows[k] = model.Row{TS: 1_700_000_000_000 + int64((i/devices)*rows+k)*10_000, Cells: 10}
		}
		if _, err := db.Append(b.Context(), set); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkRecover measures Open after the process is gone with everything in the log.
func BenchmarkRecover(b *testing.B) {
	for _, rows := range []int{1, 100} {
		b.Run(fmt.Sprintf("8.64M-points/rows=%d", rows), func(b *testing.B) {
			dir := b.TempDir()
			db, err := Open(dir, Options{HeadBytes: 2 << 30})
			if err != nil {
				b.Fatal(err)
			}
			var wait sync.WaitGroup
			for w := range 64 {
				wait.Go(func() { benchWriter(b, db, w, 864_000/64/rows, rows) })
			}
			wait.Wait()
			db.committer.close()
			db.flusher.stop()
			db.flusher.done.Wait()
			if err := db.store.Close(); err != nil { // as kill -9 leaves it, but for the lock
				b.Fatal(err)
			}
			if err := db.unlock(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				began := time.Now()
				db, err = Open(dir, Options{HeadBytes: 2 << 30})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms")
				b.StopTimer()
				db.committer.close()
				db.flusher.stop()
				db.flusher.done.Wait()
				if err := db.store.Close(); err != nil {
					b.Fatal(err)
				}
				if err := db.unlock(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkAppendScattered measures a set of 1,024 keys that the device first sent one by one:
// each has a group of its own.
func BenchmarkAppendScattered(b *testing.B) {
	const n = 1024
	db, err := Open(b.TempDir(), Options{FS: vfs.NewMem()})
	if err != nil {
		b.Fatal(err)
	}
	set := &model.WriteSet{Tenant: model.TenantID{1}, Entity: model.EntityID{1}, Scope: model.Timeseries, Rows: []model.Row{{Cells: n}}}
	for k := range n {
		set.Keys = append(set.Keys, fmt.Sprint("key", k))
		set.Cells = append(set.Cells, model.Cell{Key: k, Value: model.Int(int64(k))})
		one := *set
		one.Keys, one.Rows, one.Cells = set.Keys[k:], []model.Row{{Cells: 1}}, []model.Cell{{Value: model.Int(1)}}
		if _, err := db.Append(b.Context(), &one); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		set.Rows[0].TS++
		if _, err := db.Append(b.Context(), set); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
