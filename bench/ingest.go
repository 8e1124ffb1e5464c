package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
)

// ingest measures telemetry over HTTP into the real server, and into VictoriaMetrics.
func (b *bench) ingest(ctx context.Context) error {
	b.title("Ingest over HTTP (Tidewire: durable and readable at the answer; VictoriaMetrics: neither)")
	s, err := b.startServer(ctx, filepath.Join(b.dir, "ingest"), nil)
	if err != nil {
		return err
	}
	defer s.stop()
	set := b.day(0)
	devices, err := s.devices(ctx, "fleet", set.Devices)
	if err != nil {
		return err
	}
	const rowsPerRequest = 100
	requests := bulkRequests(set, rowsPerRequest, func(n int) string { return "/api/v1/" + devices[n].token + "/telemetry" })
	ours, err := b.load("JSON, 1,000 points a request, 8 connections", s.addr, 8, requests, set.Points(), s.cpu)
	if err != nil {
		return err
	}
	if err := b.checkCount(ctx, s, devices[0], set); err != nil {
		return err
	}
	if b.peers {
		vm, err := b.startVictoria(ctx)
		if err != nil {
			return err
		}
		theirs, err := b.load("  VictoriaMetrics, line protocol, the same rows", vm.addr, 8, lineRequests(set, rowsPerRequest), set.Points(), vm.cpu)
		if err != nil {
			return err
		}
		if err := vm.stop(); err != nil {
			return err
		}
		b.row("  ratio of points/s", "%.2f x", ours/theirs)
	}
	return b.liveIngest(ctx, s)
}

// liveIngest measures one row a request, the way devices send.
func (b *bench) liveIngest(ctx context.Context, s *server) error {
	set := fleet.Set{Devices: 256, Rows: b.scaled(400), Step: 10_000, Keys: 10}
	devices, err := s.devices(ctx, "live", set.Devices)
	if err != nil {
		return err
	}
	requests := bulkRequests(set, 1, func(n int) string { return "/api/v1/" + devices[n].token + "/telemetry" })
	if _, err := b.load("JSON, one 10-key row a request, 256 connections", s.addr, 256, requests, set.Points(), s.cpu); err != nil {
		return err
	}
	// The same on an idle server: how long one device waits.
	waits := make([]time.Duration, 0, 500)
	w, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	d := fleet.NewDevice(fleet.Set{Devices: 1, Rows: 500, Step: 10_000, Keys: 10}, 0)
	var answer []byte
	for range 500 {
		d.Next()
		d.TS += int64(set.Rows+1) * set.Step
		req := request("POST", "/api/v1/"+devices[0].token+"/telemetry", "", d.AppendRow(nil))
		begin := time.Now()
		if answer, err = w.do(req, answer[:0]); err != nil {
			return err
		}
		waits = append(waits, time.Since(begin))
	}
	b.row("one row on an idle server, time to durable", "p50 %s   p99 %s", ms(quantile(waits, 0.50)), ms(quantile(waits, 0.99)))
	return nil
}

// load sends prepared requests as fast as they are taken and prints the rate.
func (b *bench) load(name, addr string, conns int, requests [][]byte, points int64, cpu func() float64) (perSecond float64, err error) {
	var next atomic.Int64
	before := cpu()
	took, err := drive(addr, conns, func(int) []byte {
		if n := int(next.Add(1)) - 1; n < len(requests) {
			return requests[n]
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	perSecond = float64(points) / took.Seconds()
	b.row(name, "%8s points/s   %.3f CPU s per million (server)", short(perSecond), (cpu()-before)/float64(points)*1e6)
	return perSecond, nil
}

// checkCount makes sure that what is timed really is there.
func (b *bench) checkCount(ctx context.Context, s *server, d device, set fleet.Set) error {
	var answer map[string][]struct{ Value int64 }
	path := fmt.Sprintf("/api/plugins/telemetry/DEVICE/%s/values/timeseries?keys=energy&agg=COUNT&useStrictDataTypes=true&startTs=%d&endTs=%d&interval=%d",
		d.id, int64(fleet.Begin), set.End(), set.End()-fleet.Begin)
	if err := s.json(ctx, "GET", path, nil, &answer); err != nil {
		return err
	}
	if got := answer["energy"]; len(got) != 1 || got[0].Value != int64(set.Rows) {
		return fmt.Errorf("count of energy is %v, want %d", got, set.Rows)
	}
	return nil
}

// bulkRequests makes the requests of a set: rows of one device each, the devices in turn.
func bulkRequests(set fleet.Set, rows int, path func(int) string) [][]byte {
	devices := make([]*fleet.Device, set.Devices)
	for i := range devices {
		devices[i] = fleet.NewDevice(set, i)
	}
	var all [][]byte
	var body []byte
	for done := 0; done < set.Rows; done += rows {
		for i, d := range devices {
			body = body[:0]
			if rows > 1 {
				body = append(body, '[')
			}
			for r := range min(rows, set.Rows-done) {
				if r > 0 {
					body = append(body, ',')
				}
				d.Next()
				body = d.AppendRow(body)
			}
			if rows > 1 {
				body = append(body, ']')
			}
			all = append(all, request("POST", path(i), "", body))
		}
	}
	return all
}

// lineRequests makes the same for VictoriaMetrics.
func lineRequests(set fleet.Set, rows int) [][]byte {
	devices := make([]*fleet.Device, set.Devices)
	for i := range devices {
		devices[i] = fleet.NewDevice(set, i)
	}
	var all [][]byte
	for done := 0; done < set.Rows; done += rows {
		for i, d := range devices {
			var body []byte
			for range min(rows, set.Rows-done) {
				d.Next()
				body = d.AppendLine(body, i)
			}
			all = append(all, request("POST", "/write", "", body))
		}
	}
	return all
}

// quantile returns a quantile of what was measured, which it sorts.
func quantile(all []time.Duration, q float64) time.Duration {
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f ms", d.Seconds()*1000) }
