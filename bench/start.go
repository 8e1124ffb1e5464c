package main

import (
	"context"
	"path/filepath"
	"time"
)

// startUp measures how long the server takes to serve again, after a stop and after a crash
// with everything it had acknowledged still in memory and log.
func (b *bench) startUp(ctx context.Context) error {
	b.title("Start")
	dir := filepath.Join(b.dir, "start")
	s, err := b.startServer(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { _ = s.kill() }() // whichever runs last
	set := b.day(0)
	devices, err := s.devices(ctx, "fleet", set.Devices)
	if err != nil {
		return err
	}
	requests := bulkRequests(set, 100, func(n int) string { return "/api/v1/" + devices[n].token + "/telemetry" })
	if _, err := b.load("loaded before the crash", s.addr, 8, requests, set.Points(), s.cpu); err != nil {
		return err
	}
	if err := s.kill(); err != nil {
		return err
	}
	if s, err = b.startServer(ctx, dir, s); err != nil {
		return err
	}
	b.row("after kill -9, until it serves", "%s, %s points acknowledged before", ms(s.ready), short(float64(set.Points())))
	for _, d := range devices {
		if err := b.checkCount(ctx, s, d, set); err != nil {
			return err // an acknowledged point is missing
		}
	}
	b.row("  lost", "0 of %s", short(float64(set.Points())))
	if err := s.stop(); err != nil {
		return err
	}
	var best time.Duration
	for range 5 {
		if s, err = b.startServer(ctx, dir, s); err != nil {
			return err
		}
		if best == 0 || s.ready < best {
			best = s.ready
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	b.row("after a stop, until it serves", "%s (best of 5)", ms(best))
	return nil
}
