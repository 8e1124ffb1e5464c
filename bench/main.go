// Command bench measures Tidewire and, in the same run, its peers.
//
// Everything runs on this machine over loopback, client and server on the same cores, one
// thing at a time. Machines drift, so figures of two runs do not compare: what counts is
// the ratio to the peer beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/bench/fleet"
)

// A bench is one run.
type bench struct {
	out   io.Writer
	dir   string  // for data, removed at the end
	bin   string  // the server
	scale float64 // 1 is the full size
	peers bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "comma list of engine, ingest, query, live, start; empty runs all")
	scale := flags.Float64("scale", 1, "fraction of the full data size")
	peers := flags.Bool("peers", true, "build and measure the peers too")
	dir := flags.String("dir", "build/bench", "directory for data")
	bin := flags.String("bin", "bin/tidewire", "the server")
	bare := flags.Bool("bare", false, "be the server of bare frames that live is compared with")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *bare {
		return serveBare(ctx, out)
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	data, err := os.MkdirTemp(*dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	b := &bench{out: out, dir: data, bin: *bin, scale: *scale, peers: *peers}
	if b.bin, err = filepath.Abs(*bin); err != nil {
		return err
	}
	b.preamble()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"engine", b.engineAlone}, {"ingest", b.ingest}, {"query", b.query}, {"live", b.live}, {"start", b.startUp},
	} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// preamble says how it is measured.
func (b *bench) preamble() {
	revision, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		revision = []byte("unknown")
	}
	fmt.Fprintf(b.out, `Tidewire %s, %s, %d cores
Fleet: devices of 10 keys (walks of two decimals, noise, counters, flags, a setpoint), one row every 10 s.
Client and server share the cores of this machine over loopback; one thing runs at a time; every answer is checked
before it is timed. "Durable": the file system has synced the point before it is acknowledged. Ratios are to the peer
beside them in this run.
`, strings.TrimSpace(string(revision)), runtime.Version(), runtime.NumCPU())
}

func (b *bench) title(s string) { fmt.Fprintf(b.out, "\n%s\n", s) }

func (b *bench) row(name, format string, args ...any) {
	fmt.Fprintf(b.out, "  %-44s %s\n", name, fmt.Sprintf(format, args...))
}

// scaled shrinks n for a quick run.
func (b *bench) scaled(n int) int { return max(int(float64(n)*b.scale), 10) }

// day is 100 devices for a day: 8.64 M points at full scale.
func (b *bench) day(jitter int64) fleet.Set {
	return fleet.Set{Devices: 100, Rows: b.scaled(8640), Step: 10_000, Jitter: jitter, Keys: 10}
}

// short writes a number as people read it.
func short(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f G", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	case v >= 1e3:
		return fmt.Sprintf("%.2f k", v/1e3)
	}
	return fmt.Sprintf("%.1f", v)
}
