// Command bench measures Tidewire and, in the same run, its peers: VictoriaMetrics and centrifuge,
// built from their modules, and PostgreSQL with ThingsBoard's tables.
//
// Everything runs on this machine over loopback, client and server on the same cores, one
// thing at a time. Machines drift, so figures of two runs do not compare: what counts is
// the ratio to the peer beside it. docs/benchmarks.md says how to read the output.
package main

import (
	"context"
	"errors"
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
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
)

// A bench is one run.
type bench struct {
	report

	dir   string  // for data, removed at the end
	bin   string  // the server
	scale float64 // 1 is the size described
	full  bool    // the sizes that take long, too

	victoria   bool      // measure VictoriaMetrics
	centrifuge bool      // and centrifuge
	postgres   *postgres // nil when it is not measured
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
	only := flags.String("only", "", "comma list of engine, bulk, rows, query, entities, live, start, wide, growth; empty runs all")
	scale := flags.Float64("scale", 1, "fraction of the data size")
	full := flags.Bool("full", false, "the large sizes too: takes about an hour")
	runs := flags.Int("runs", 1, "how often each part runs; of each line the run nearest to its goal is kept")
	peers := flags.Bool("peers", true, "measure the peers too")
	dir := flags.String("dir", "build/bench", "directory for data")
	bin := flags.String("bin", "bin/tidewire", "the server")
	table := flags.String("table", "build/bench/results.md", "file for the results as Markdown")
	role := flags.String("role", "", "be one of the programs that are measured: frames, sink or a task as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *role != "" {
		return play(ctx, *role, out)
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	data, err := os.MkdirTemp(*dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	b := &bench{report: report{out: out, part: *scale != 1}, dir: data, scale: *scale, full: *full, victoria: *peers, centrifuge: *peers}
	if b.bin, err = filepath.Abs(*bin); err != nil {
		return err
	}
	preamble := b.preamble()
	fmt.Fprint(out, preamble)
	if *peers {
		b.startPeers(ctx, *only)
		defer b.postgres.stop()
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"engine", b.engineAlone}, {"bulk", b.bulk}, {"rows", b.rowIngest}, {"query", b.query}, {"entities", b.entities}, {"live", b.live},
		{"start", b.startUp}, {"wide", b.wide}, {"growth", b.growth},
	} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), part.name) {
			continue
		}
		for range *runs {
			if b.dir, err = os.MkdirTemp(data, part.name+"-"); err != nil { // nothing is found of the run before
				return err
			}
			if err := errors.Join(part.run(ctx), os.RemoveAll(b.dir)); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	f, err := os.Create(*table)
	if err != nil {
		return err
	}
	fmt.Fprintf(f, "%s", preamble)
	b.markdown(f)
	fmt.Fprintf(out, "\nThe same as tables: %s\n", *table)
	return f.Close()
}

// play runs the program in one of the roles its own runs start it in.
func play(ctx context.Context, role string, out io.Writer) error {
	switch role {
	case "frames":
		return serveFrames(ctx, out)
	case "sink":
		return serveSink(ctx, out)
	}
	return playTask(ctx, role, out)
}

// startPeers makes the peers ready. One that cannot be had is said so and left out.
func (b *bench) startPeers(ctx context.Context, only string) {
	if err := buildPeers(ctx); err != nil {
		b.victoria, b.centrifuge = false, false
		b.say("NOT MEASURED: VictoriaMetrics, PostgreSQL and centrifuge, since the peers' programs cannot be built: %v", err)
		return
	}
	if only == "live" || only == "entities" {
		return // PostgreSQL has no part in them
	}
	var err error
	if b.postgres, err = b.startPostgres(ctx); err != nil {
		b.say("NOT MEASURED: PostgreSQL, since it cannot be started: %v", err)
	}
}

// say prints a remark, and keeps it for the tables.
func (b *bench) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(b.out, text)
	b.tail = append(b.tail, text)
}

// preamble says how it is measured.
func (b *bench) preamble() string {
	revision, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		revision = []byte("unknown")
	}
	return fmt.Sprintf(`Tidewire %s, %s, %d cores, %s, scale %g%s

Fleet: devices of 10 keys (walks of two decimals, noise, counters, flags, a setpoint), one row every 10 s.
Client and server share the cores of this machine over loopback; one thing runs at a time; every answer is checked
before it is timed. Durable: the file system has synced the point before it is acknowledged. A ratio says how many times
better Tidewire is than the peer beside it in this run; where a goal was set beside a peer's figure, its ratio counts.
`, strings.TrimSpace(string(revision)), runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly), b.scale, map[bool]string{true: ", full"}[b.full])
}

func (b *bench) title(s string) { fmt.Fprintf(b.out, "\n%s\n", s) }

// scaled shrinks n for a quick run.
func (b *bench) scaled(n int) int { return max(int(float64(n)*b.scale), 10) }

// day is 100 devices for a day: 8.64 M points at full scale.
func (b *bench) day() fleet.Set {
	return fleet.Set{Devices: 100, Rows: b.scaled(8640), Step: 10_000, Keys: 10}
}
