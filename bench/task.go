package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// A task is work on the engine in a process of its own, so that memory, CPU time and bytes
// written are its own, and it can die without a stop.
type task struct {
	Do   string // load, open or costs
	Dir  string
	Set  fleet.Set
	Rows int // of a set
	// Writers call Append at the same time.
	Writers int
	// Turns sends one set of each device after another, as devices do; otherwise each writer
	// sends all of a device first.
	Turns bool
	// FullHead ends a load just before the first flush.
	FullHead bool
	// Kill ends a load as a crash would; otherwise the store is closed.
	Kill bool
	// Check verifies and counts everything after it was opened.
	Check bool
}

// An outcome is what a task has measured; fields that do not belong to it stay zero.
type outcome struct {
	Points      int64   // acknowledged, or found by Check
	Seconds     float64 // of the appends
	CPU         float64 // seconds, generator left out, close included
	DeviceBytes int64   // written to the device, close included
	Bytes       int64   // of row groups and pages

	PeakHead     float64 // MiB of rows in the head, by the engine's count
	PeakResident float64 // MiB of the process above what it was before the load
	Live         float64 // MiB of heap in use with everything live, after a collection

	Open      float64 // s
	OpenCPU   float64 // s
	Idle      float64 // MiB of heap in use after opening
	LatestNew float64 // s, p50: latest values of a device not in memory yet
	Latest    float64 // s, p50: of one that is

	Costs map[string]float64 // of a costs task, by name, see growth
}

// task runs t in a process of its own.
func (b *bench) task(ctx context.Context, t task) (o outcome, err error) {
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return o, err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "-role", string(text))
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err = cmd.Run()
	if t.Kill && cmd.ProcessState != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		err = nil
	}
	if err != nil {
		return o, fmt.Errorf("task %s: %w", text, err)
	}
	return o, json.Unmarshal(out.Bytes(), &o)
}

// playTask is the other side.
func playTask(ctx context.Context, role string, out io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(role), &t); err != nil {
		return fmt.Errorf("role %q: %w", role, err)
	}
	var o outcome
	var err error
	switch t.Do {
	case "load":
		o, err = t.load(ctx, out)
	case "open":
		o, err = t.open(ctx)
	case "costs":
		o, err = t.costs(ctx)
	default:
		err = fmt.Errorf("no task %q", t.Do)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(o)
}

// load fills a store.
func (t *task) load(ctx context.Context, out io.Writer) (o outcome, err error) {
	l := newLoader(t.Set, t.Rows, t.Writers)
	own, err := l.generatorCost(t.Turns)
	if err != nil {
		return o, err
	}
	db, err := tsdb.Open(t.Dir, tsdb.Options{})
	if err != nil {
		return o, err
	}
	debug.FreeOSMemory()
	before, heap, cpu, written := resident(), heapInUse(), cpuSeconds(), deviceBytes()
	stop := l.watch(func() bool {
		head := db.Stats()
		o.PeakHead = max(o.PeakHead, float64(head.HeadBytes)/(1<<20))
		o.PeakResident = max(o.PeakResident, resident()-before)
		return t.FullHead && (head.Flushes > 0 || head.HeadBytes > fullHead)
	})
	begin := time.Now()
	err = l.run(t.Turns, func(s *model.WriteSet) error {
		_, err := db.Append(ctx, s)
		return err
	})
	o.Seconds = time.Since(begin).Seconds()
	stop()
	if err != nil {
		return o, errors.Join(err, db.Close())
	}
	o.Points = l.points.Load()
	if t.Kill {
		if err := json.NewEncoder(out).Encode(o); err != nil {
			return o, err
		}
		return o, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	spent := cpuSeconds() - cpu
	runtime.GC()
	o.Live = heapInUse() - heap
	cpu = cpuSeconds()
	if err := db.Close(); err != nil { // flush and joins are part of the cost
		return o, err
	}
	o.CPU = spent + cpuSeconds() - cpu - own*float64(o.Points)
	o.DeviceBytes = deviceBytes() - written
	return o, nil
}

// fullHead is just below half of the head's default bound, where a flush begins.
const fullHead = 122 << 20

// open opens a store and asks a few devices for their latest values.
func (t *task) open(ctx context.Context) (o outcome, err error) {
	runtime.GC()
	before := heapInUse()
	begin, cpu := time.Now(), cpuSeconds()
	db, err := tsdb.Open(t.Dir, tsdb.Options{})
	if err != nil {
		return o, err
	}
	o.Open, o.OpenCPU = time.Since(begin).Seconds(), cpuSeconds()-cpu
	defer func() { err = errors.Join(err, db.Close()) }()
	runtime.GC()
	o.Idle = heapInUse() - before
	var cold, warm []time.Duration
	for i := range 500 {
		n := i * 7919 % t.Set.Devices // a prime, so that they lie apart
		for _, list := range []*[]time.Duration{&cold, &warm} {
			at := time.Now()
			s, err := db.Latest(ctx, benchTenant, benchEntity(n), model.Timeseries, fleet.Keys[:t.Set.Keys])
			if err != nil {
				return o, err
			}
			*list = append(*list, time.Since(at))
			if len(s.Points) != t.Set.Keys && !t.FullHead {
				return o, fmt.Errorf("device %d has %d keys", n, len(s.Points))
			}
		}
	}
	o.LatestNew, o.Latest = quantile(cold, 0.5).Seconds(), quantile(warm, 0.5).Seconds()
	if t.Check {
		report, err := db.Check(ctx)
		if err != nil {
			return o, err
		}
		o.Points, o.Bytes = report.Points, report.Bytes
	}
	return o, nil
}

// heapInUse is what the collector left and what is new since, MiB.
func heapInUse() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// resident is the size of this process in memory, MiB.
func resident() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// deviceBytes is what this process has had written to the disk, less what was deleted before
// it got there.
func deviceBytes() int64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	var sum int64
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
		case name == "write_bytes":
			sum += n
		case name == "cancelled_write_bytes":
			sum -= n
		}
	}
	return sum
}
