// Command tidewire is the server and its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // calendar buckets must not depend on the machine's zone files

	"github.com/alecthomas/kong"

	"github.com/tidewire/tidewire/app"
)

// cli is the command line. Values come from flags, then the environment, then the
// configuration file, then the defaults.
type cli struct {
	Config string `help:"JSON file with settings, by flag name." type:"existingfile" placeholder:"FILE"`

	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Import  importCmd  `cmd:"" help:"Load a CSV file into a running server."`
	Query   queryCmd   `cmd:"" help:"Read latest values, histories and aggregates."`
	Tail    tailCmd    `cmd:"" help:"Print values as they are stored."`
	Token   tokenCmd   `cmd:"" help:"Manage the API tokens of a tenant."`
	Backup  backupCmd  `cmd:"" help:"Copy everything, of a running server or a stopped one."`
	Restore restoreCmd `cmd:"" help:"Make a data directory from a backup."`
	Check   checkCmd   `cmd:"" help:"Verify the data directory of a stopped server."`
	Keys    keysCmd    `cmd:"" help:"Replace the keys of a data directory."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program as a value: it returns the exit code.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var c cli
	settings := &settings{environ: environ}
	parser, err := kong.New(&c,
		kong.Name("tidewire"),
		kong.Description("Time-series queries with live subscriptions for device telemetry."),
		kong.Writers(stdout, stderr),
		kong.WithHyphenPrefixedParameters(true), // --zone -08:00
		kong.Resolvers(settings),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&streams{out: stdout, err: stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "tidewire:", err)
		return 2
	}
	exit := -1
	parser.Exit = func(code int) { exit = code }
	k, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintln(stderr, "tidewire:", err)
		return 2
	}
	if err := k.Run(); err != nil {
		fmt.Fprintln(stderr, "tidewire:", err)
		if coded, ok := errors.AsType[*app.ExitError](err); ok {
			return coded.Code
		}
		return 1
	}
	return 0
}

// streams are where a command writes.
type streams struct{ out, err io.Writer }
