package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/tidewire/tidewire/model"
)

// A Machine reads the figures of the machine this process runs on.
type Machine struct {
	self *process.Process
	dir  string // whose disk is reported
	last counters
}

// counters are the totals a rate is made of.
type counters struct {
	at                    time.Time
	cpu                   cpu.TimesStat
	diskRead, diskWritten uint64
	netReceived, netSent  uint64
	processCPU            float64
}

// NewMachine reports the disk that holds dir.
func NewMachine(ctx context.Context, dir string, pid int) (*Machine, error) {
	self, err := process.NewProcessWithContext(ctx, int32(pid))
	if err != nil {
		return nil, fmt.Errorf("find process %d: %w", pid, err)
	}
	return &Machine{self: self, dir: dir}, nil
}

// Read fills the empty set with the figures of now as one row. The first call has no rates yet. A
// figure the system does not offer is left out; an error means none could be read.
func (m *Machine) Read(ctx context.Context, now time.Time, set *model.WriteSet) error {
	w := writer{set: set, keys: map[string]int{}}
	var errs []error
	keep := func(err error) bool {
		if err != nil {
			errs = append(errs, err)
		}
		return err == nil
	}
	next := counters{at: now}
	seconds := now.Sub(m.last.at).Seconds()
	rates := !m.last.at.IsZero() && seconds > 0

	if times, err := cpu.TimesWithContext(ctx, false); keep(err) && len(times) > 0 {
		next.cpu = times[0]
		if rates {
			w.busy(m.last.cpu, next.cpu)
		}
	}
	if l, err := load.AvgWithContext(ctx); keep(err) {
		w.float("load_1m", l.Load1, 2)
		w.float("load_5m", l.Load5, 2)
		w.float("load_15m", l.Load15, 2)
	}
	if v, err := mem.VirtualMemoryWithContext(ctx); keep(err) {
		w.int("memory_used_bytes", v.Used)
		w.float("memory_used_percent", v.UsedPercent, 2)
	}
	if u, err := disk.UsageWithContext(ctx, m.dir); keep(err) {
		w.float("disk_used_percent", u.UsedPercent, 2)
	}
	if io, err := disk.IOCountersWithContext(ctx); keep(err) {
		for _, d := range io {
			next.diskRead += d.ReadBytes
			next.diskWritten += d.WriteBytes
		}
		if rates {
			w.rate("disk_read_bytes_per_s", m.last.diskRead, next.diskRead, seconds)
			w.rate("disk_write_bytes_per_s", m.last.diskWritten, next.diskWritten, seconds)
		}
	}
	if io, err := net.IOCountersWithContext(ctx, false); keep(err) && len(io) > 0 {
		next.netReceived, next.netSent = io[0].BytesRecv, io[0].BytesSent
		if rates {
			w.rate("net_received_bytes_per_s", m.last.netReceived, next.netReceived, seconds)
			w.rate("net_sent_bytes_per_s", m.last.netSent, next.netSent, seconds)
		}
	}
	if n, err := host.UptimeWithContext(ctx); keep(err) {
		w.int("uptime_s", n)
	}
	m.readSelf(ctx, &w, &next, seconds, rates, keep)
	if len(set.Cells) == 0 {
		return fmt.Errorf("read the machine: %w", errors.Join(errs...))
	}
	m.last = next
	set.Rows = append(set.Rows, model.Row{TS: now.UnixMilli(), Cells: len(set.Cells)})
	return nil
}

// readSelf adds what this process itself uses.
func (m *Machine) readSelf(ctx context.Context, w *writer, next *counters, seconds float64, rates bool, keep func(error) bool) {
	if t, err := m.self.TimesWithContext(ctx); keep(err) {
		next.processCPU = t.User + t.System
		if rates {
			w.float("process_cpu_percent", 100*(next.processCPU-m.last.processCPU)/seconds, 2)
		}
	}
	if v, err := m.self.MemoryInfoWithContext(ctx); keep(err) {
		w.int("process_memory_bytes", v.RSS)
	}
	if n, err := m.self.NumThreadsWithContext(ctx); keep(err) && n >= 0 {
		w.int("process_threads", uint64(n))
	}
	if n, err := m.self.NumFDsWithContext(ctx); keep(err) && n >= 0 {
		w.int("process_open_files", uint64(n))
	}
}

// Run sends a reading a second until ctx ends. The first reading is only the base of the
// rates, so every row has all keys. A failure is logged once, until a reading succeeds again.
func (m *Machine) Run(ctx context.Context, now func() time.Time, send func(context.Context, *model.WriteSet) error, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for failing := false; ; {
		first := m.last.at.IsZero()
		set := &model.WriteSet{Scope: model.Timeseries}
		err := m.Read(ctx, now(), set)
		if err == nil && !first {
			err = send(ctx, set)
		}
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn("the machine's own figures are not recorded", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// A writer collects the cells of one row.
type writer struct {
	set  *model.WriteSet
	keys map[string]int
}

func (w *writer) add(key string, v model.Value) {
	i, ok := w.keys[key]
	if !ok {
		i = len(w.set.Keys)
		w.keys[key] = i
		w.set.Keys = append(w.set.Keys, key)
	}
	w.set.Cells = append(w.set.Cells, model.Cell{Key: i, Value: v})
}

func (w *writer) int(key string, v uint64) {
	w.add(key, model.Int(int64(min(v, math.MaxInt64))))
}

// float adds v rounded to digits, so that figures read well and store small.
func (w *writer) float(key string, v float64, digits int) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	scale := math.Pow10(digits)
	w.add(key, model.Float(math.Round(v*scale)/scale))
}

// rate adds the growth of a total per second; a total that shrank was started again.
func (w *writer) rate(key string, before, after uint64, seconds float64) {
	if after >= before {
		w.int(key, uint64(math.Round(float64(after-before)/seconds)))
	}
}

// busy adds how much of the time between two readings the processors were not idle.
func (w *writer) busy(before, after cpu.TimesStat) {
	sum := func(t cpu.TimesStat) (idle, total float64) {
		idle = t.Idle + t.Iowait
		return idle, idle + t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	}
	idle0, total0 := sum(before)
	idle1, total1 := sum(after)
	if total1 > total0 {
		w.float("cpu_percent", min(max(100*(1-(idle1-idle0)/(total1-total0)), 0), 100), 2)
		w.float("cpu_user_percent", min(max(100*(after.User-before.User)/(total1-total0), 0), 100), 2)
		w.float("cpu_system_percent", min(max(100*(after.System-before.System)/(total1-total0), 0), 100), 2)
	}
}
