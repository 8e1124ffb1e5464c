package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The programs of bench/peers, built from their own module into build/peers.
const (
	victoriaBin   = "build/peers/victoria-metrics"
	pgpeer        = "build/peers/pgpeer"
	centrifugeBin = "build/peers/livepeer"
)

// buildPeers builds them; with what Go has cached this takes a second.
func buildPeers(ctx context.Context) error {
	for bin, pkg := range map[string]string{
		victoriaBin:   "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics",
		pgpeer:        "./pgpeer",
		centrifugeBin: "./livepeer",
	} {
		path, err := filepath.Abs(bin)
		if err != nil {
			return err
		}
		build := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
		build.Dir, build.Stderr = "bench/peers", os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build %s: %w", pkg, err)
		}
	}
	return nil
}
