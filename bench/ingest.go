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

const (
	partIngest = "Ingest over HTTP"
	// durabilities of Tidewire, VictoriaMetrics and PostgreSQL when they answer.
	durabilities = "yes, readable / no, readable after seconds / yes, readable"
)

// bulk measures much telemetry a request, over HTTP into the real server, and into the peers.
func (b *bench) bulk(ctx context.Context) error {
	b.title(partIngest + ": Tidewire has synced and shows a point when it answers; VictoriaMetrics neither; PostgreSQL too, but has no HTTP door: its driver")
	for _, bulk := range []struct {
		rows int // of a request
		goal goal
		pg   bool
	}{{1000, goal{value: 10e6, peer: 4.5e6}, true}, {100, goal{value: 7.5e6, peer: 3.6e6}, false}} {
		if err := b.bulkIngest(ctx, bulk.rows, bulk.goal, bulk.pg); err != nil {
			return err
		}
	}
	return nil
}

// bulkIngest loads a day of the fleet, the rows of one device a request.
func (b *bench) bulkIngest(ctx context.Context, rows int, aim goal, pg bool) error {
	set := b.day()
	points := float64(set.Points())
	name := fmt.Sprintf("%d points a request, JSON, 8 connections", rows*set.Keys)
	s, err := b.startServer(ctx, filepath.Join(b.dir, fmt.Sprint("ingest-", rows)), nil)
	if err != nil {
		return err
	}
	defer s.kill()
	devices, err := s.devices(ctx, "fleet", set.Devices)
	if err != nil {
		return err
	}
	requests := bulkRequests(set, rows, func(n int) string { return "/api/v1/" + devices[n].token + "/telemetry" })
	cpu := s.cpu()
	took, err := driveAll(s.addr, 8, requests)
	if err != nil {
		return err
	}
	if err := b.checkCount(ctx, s, devices[0], set); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	rate := line{part: partIngest, name: name, unit: pointsPerSecond, ours: of(points / took.Seconds()), goal: aim, durable: durabilities}
	work := line{part: partIngest, name: name + ", flush and joins included", unit: cpuPerMillion, ours: of((s.cpuAtEnd() - cpu) / points * 1e6),
		goal: goal{value: 0.12, peer: 0.40}, durable: durabilities}
	if b.victoria {
		vm, err := b.startVictoria(ctx, filepath.Join(b.dir, fmt.Sprint("ingest-vm-", rows)))
		if err != nil {
			return err
		}
		defer vm.kill()
		requests = lineRequests(set, rows)
		cpu := vm.cpu()
		took, err := driveAll(vm.addr, 8, requests)
		if err != nil {
			return err
		}
		if err := settleVictoria(vm); err != nil {
			return err
		}
		if err := vm.stop(); err != nil {
			return err
		}
		rate.victoria, work.victoria = of(points/took.Seconds()), of((vm.cpuAtEnd()-cpu)/points*1e6)
	}
	if b.postgres != nil && pg {
		part := set
		part.Rows = max(set.Rows/20, 10) // as much as it stores in ten seconds
		if _, err := b.postgres.task(ctx, nil, "schema", fleet.Keys...); err != nil {
			return err
		}
		cpu := b.postgres.cpu()
		res, err := b.postgres.task(ctx, pgRows(part), "upsert")
		if err != nil {
			return err
		}
		found, err := b.postgres.task(ctx, nil, "size")
		if err != nil {
			return err
		}
		if found.Points != part.Points() {
			return fmt.Errorf("PostgreSQL has %d points, want %d", found.Points, part.Points())
		}
		stored := float64(part.Points())
		rate.postgres, work.postgres = of(stored/res.Seconds), of((b.postgres.cpu()-cpu)/stored*1e6)
		b.pgSize(float64(found.Bytes) / stored)
	}
	b.add(rate)
	b.add(work)
	return nil
}

// pgSize adds what PostgreSQL needs to the line of the fleet's size.
func (b *bench) pgSize(bytes float64) {
	for _, l := range b.lines {
		if l.part == partEngine && l.unit == bytesPerPoint && l.goal.value != 0 {
			l.postgres = of(bytes)
		}
	}
}

// rowIngest measures one row a request, the way devices send.
func (b *bench) rowIngest(ctx context.Context) error {
	b.title(partIngest + ", one row a request; bare reads, syncs in groups, answers and keeps nothing")
	const conns = 256
	set := fleet.Set{Devices: conns, Rows: b.scaled(600), Step: 10_000, Keys: 10}
	points := float64(set.Points())
	s, err := b.startServer(ctx, filepath.Join(b.dir, "ingest-live"), nil)
	if err != nil {
		return err
	}
	defer s.kill()
	devices, err := s.devices(ctx, "live", set.Devices)
	if err != nil {
		return err
	}
	requests := bulkRequests(set, 1, func(n int) string { return "/api/v1/" + devices[n].token + "/telemetry" })
	name := fmt.Sprintf("one row of 10 points a request, %d connections", conns)
	// The bound beside which the goal was set answers 78 k requests of 10 points a second.
	rate := line{part: partIngest, name: name, unit: pointsPerSecond, goal: goal{750e3, 787e3, bareFigure}, durable: durabilities}
	work := line{part: partIngest, name: name + ", without flush", unit: cpuPerMillion, durable: durabilities}
	wait := line{part: partIngest, name: "one row, idle server, until the answer, p50", unit: milliseconds, goal: goal{0.30, 0.20, bareFigure}, durable: durabilities}

	cpu := s.cpu()
	took, err := driveAll(s.addr, conns, requests)
	if err != nil {
		return err
	}
	rate.ours, work.ours = of(points/took.Seconds()), of((s.cpu()-cpu)/points*1e6)
	if wait.ours, err = idleWait(s.addr, oneByOne(set, func() string { return "/api/v1/" + devices[0].token + "/telemetry" })); err != nil {
		return err
	}
	sink, err := b.startRole(ctx, nil, "sink")
	if err != nil {
		return err
	}
	defer sink.kill()
	cpu = sink.cpu()
	if took, err = driveAll(sink.addr, conns, requests); err != nil {
		return err
	}
	rate.bare, work.bare = of(points/took.Seconds()), of((sink.cpu()-cpu)/points*1e6)
	if wait.bare, err = idleWait(sink.addr, oneByOne(set, func() string { return "/" })); err != nil {
		return err
	}
	if b.victoria {
		vm, err := b.startVictoria(ctx, filepath.Join(b.dir, "ingest-vm-live"))
		if err != nil {
			return err
		}
		defer vm.kill()
		requests := lineRequests(set, 1)
		cpu := vm.cpu()
		took, err := driveAll(vm.addr, conns, requests)
		if err != nil {
			return err
		}
		rate.victoria, work.victoria = of(points/took.Seconds()), of((vm.cpu()-cpu)/points*1e6)
		if wait.victoria, err = idleWait(vm.addr, requests[:idleRows]); err != nil {
			return err
		}
	}
	if b.postgres != nil {
		part := set
		part.Rows = max(set.Rows/10, 10)
		if _, err := b.postgres.task(ctx, nil, "schema", fleet.Keys...); err != nil {
			return err
		}
		cpu := b.postgres.cpu()
		res, err := b.postgres.clients(ctx, pgRows(part), conns, "upsert")
		if err != nil {
			return err
		}
		stored := float64(part.Points())
		rate.postgres, work.postgres = of(stored/res.Seconds), of((b.postgres.cpu()-cpu)/stored*1e6)
		part.Devices, part.Rows = 1, idleRows
		if res, err = b.postgres.clients(ctx, pgRows(part), 1, "upsert"); err != nil {
			return err
		}
		slices.Sort(res.Waits)
		wait.postgres = of(res.Waits[len(res.Waits)/2] * 1000)
	}
	b.add(rate)
	b.add(work)
	b.add(wait)
	return nil
}

const idleRows = 500

// oneByOne makes single rows behind those of set.
func oneByOne(set fleet.Set, path func() string) [][]byte {
	d := fleet.NewDevice(fleet.Set{Devices: 1, Rows: idleRows, Step: set.Step, Keys: set.Keys}, 0)
	all := make([][]byte, idleRows)
	for i := range all {
		d.Next()
		d.TS += int64(set.Rows+1) * set.Step
		all[i] = request("POST", path(), "", d.AppendRow(nil))
	}
	return all
}

// idleWait sends requests one after another and returns how long one waits.
func idleWait(addr string, requests [][]byte) (figure, error) {
	w, err := dial(addr)
	if err != nil {
		return figure{}, err
	}
	defer w.conn.Close()
	waits := make([]time.Duration, 0, len(requests))
	var answer []byte
	for _, req := range requests {
		begin := time.Now()
		if answer, err = w.do(req, answer[:0]); err != nil {
			return figure{}, err
		}
		waits = append(waits, time.Since(begin))
	}
	f := spent(quantile(waits, 0.50))
	f.note = fmt.Sprintf("p99 %.2f", spent(quantile(waits, 0.99)).value)
	return f, nil
}

// driveAll sends prepared requests as fast as they are taken.
func driveAll(addr string, conns int, requests [][]byte) (time.Duration, error) {
	var next atomic.Int64
	return drive(addr, conns, func(int) []byte {
		if n := int(next.Add(1)) - 1; n < len(requests) {
			return requests[n]
		}
		return nil
	})
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
