package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tidewire/tidewire/bench/fleet"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

const (
	hour = 3_600_000
	day  = 24 * hour
)

// A question is one query, asked of both servers.
type question struct {
	name  string
	ours  []string // requests that together answer it: ThingsBoard's API has one aggregate a call
	peer  string
	check func(answers [][]byte) error
}

// query measures reads over HTTP. The data are loaded into the engine directly: how they
// came does not matter to a read.
func (b *bench) query(ctx context.Context) error {
	b.title("Queries over HTTP, warm (700 buckets a call is a setting, raised here; ThingsBoard's API has one aggregate a call)")
	month := fleet.Set{Devices: 10, Rows: b.scaled(30 * 8640), Step: 10_000, Keys: 10}
	year := fleet.Set{Devices: 1, Rows: b.scaled(365 * 86400), Step: 1000, Keys: 1}
	s, monthly, deep, err := b.loadedServer(ctx, month, year)
	if err != nil {
		return err
	}
	defer s.kill()
	b.row("on disk", "%s and %s points", short(float64(month.Points())), short(float64(year.Points())))

	base := "/api/plugins/telemetry/DEVICE/"
	first := base + monthly[0].id
	keys := strings.Join(fleet.Keys, ",")
	// An hour and a day in the middle, at an offset that is no boundary of anything.
	middle := fleet.Begin + (month.End()-fleet.Begin)/2 + 1234567
	aggregate := func(device, keys, agg string, from, to, interval int64) string {
		return fmt.Sprintf("%s%s/values/timeseries?keys=%s&agg=%s&interval=%d&startTs=%d&endTs=%d", base, device, keys, agg, interval, from, to)
	}
	var monthAll, yearAll []string
	for _, agg := range []string{"AVG", "MIN", "MAX"} {
		monthAll = append(monthAll, aggregate(monthly[0].id, keys, agg, fleet.Begin, month.End(), hour))
	}
	for _, agg := range []string{"AVG", "MAX"} {
		yearAll = append(yearAll, aggregate(deep[0].id, "temperature", agg, fleet.Begin, year.End(), day))
	}
	sel := func(key string) string { return "fleet_" + key + `{device="d0"}` }
	questions := []question{
		{"latest of 10 keys", []string{first + "/values/timeseries?keys=" + keys}, "/api/v1/query?query=" + url.QueryEscape(`{device="d0"}`) + fmt.Sprintf("&time=%d", month.End()/1000), wantKeys(10, 1)},
		{"raw last hour, 1 key, 360 points", []string{fmt.Sprintf("%s/values/timeseries?keys=temperature&limit=1000&startTs=%d&endTs=%d", first, month.End()-hour, month.End())},
			"/api/v1/export?match[]=" + url.QueryEscape(sel("temperature")) + fmt.Sprintf("&start=%d&end=%d", (month.End()-hour)/1000, month.End()/1000), wantKeys(1, 360)},
		{"AVG per minute over a day, 1 key", []string{aggregate(monthly[0].id, "temperature", "AVG", middle, middle+day, 60_000)},
			rangeQuery("avg_over_time("+sel("temperature")+"[1m])", middle, middle+day, 60), wantKeys(1, 1440)},
		{"AVG, MIN, MAX per hour over 30 days, 10 keys", monthAll, rangeQuery(`rollup(`+`{device="d0"}`+"[1h])", fleet.Begin, month.End(), 3600), wantKeys(10, int((month.End()-fleet.Begin)/hour))},
		{"AVG, MAX per day over a year at 1 s", yearAll, rangeQuery(`rollup(fleet_temperature{device="deep"}[1d])`, fleet.Begin, year.End(), 86400), wantKeys(1, int((year.End()-fleet.Begin+day-1)/day))},
	}
	ours, err := b.ask(questions, s.addr, s.admin, func(q question) []string { return q.ours }, true)
	if err != nil || !b.peers {
		return err
	}
	if err := s.kill(); err != nil {
		return err
	}
	vm, err := b.startVictoria(ctx)
	if err != nil {
		return err
	}
	defer vm.kill()
	if err := loadVictoria(vm, month, year); err != nil {
		return err
	}
	b.title("The same of VictoriaMetrics")
	theirs, err := b.ask(questions, vm.addr, "", func(q question) []string { return []string{q.peer} }, false)
	if err != nil {
		return err
	}
	b.title("Ratio of p50 at 1 client, VictoriaMetrics / Tidewire")
	for i, q := range questions {
		b.row(q.name, "%.1f x", theirs[i].Seconds()/ours[i].Seconds())
	}
	return nil
}

func rangeQuery(q string, from, to, step int64) string {
	return fmt.Sprintf("/api/v1/query_range?query=%s&start=%d&end=%d&step=%d&nocache=1", url.QueryEscape(q), from/1000, to/1000, step)
}

// ask times every question with 1 and with 4 clients and returns the p50 of one.
func (b *bench) ask(questions []question, addr, headers string, paths func(question) []string, checked bool) ([]time.Duration, error) {
	result := make([]time.Duration, len(questions))
	for i, q := range questions {
		var requests, answers [][]byte
		w, err := dial(addr)
		if err != nil {
			return nil, err
		}
		for _, p := range paths(q) {
			req := request("GET", p, headers, nil)
			requests = append(requests, req)
			answer, err := w.do(req, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			answers = append(answers, answer)
		}
		w.conn.Close()
		if checked {
			if err := q.check(answers); err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
		}
		one, err := sample(addr, requests, 1)
		if err != nil {
			return nil, err
		}
		four, err := sample(addr, requests, 4)
		if err != nil {
			return nil, err
		}
		result[i] = quantile(one, 0.5)
		b.row(q.name, "1 client p50 %s p99 %s   4 clients p50 %s p99 %s   (%d calls)", ms(quantile(one, 0.5)), ms(quantile(one, 0.99)), ms(quantile(four, 0.5)), ms(quantile(four, 0.99)), len(requests))
	}
	return result, nil
}

// sample asks for a second, or at least 20 times, from so many clients.
func sample(addr string, requests [][]byte, clients int) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	errs := make(chan error, clients)
	for range clients {
		go func() {
			errs <- func() error {
				w, err := dial(addr)
				if err != nil {
					return err
				}
				defer w.conn.Close()
				var mine []time.Duration
				var answer []byte
				for begin := time.Now(); len(mine) < 20 || time.Since(begin) < time.Second; {
					at := time.Now()
					for _, req := range requests {
						if answer, err = w.do(req, answer[:0]); err != nil {
							return err
						}
					}
					mine = append(mine, time.Since(at))
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, mine...)
				return nil
			}()
		}()
	}
	for range clients {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return all, nil
}

// wantKeys checks that each answer has so many keys with so many points.
func wantKeys(keys, points int) func([][]byte) error {
	return func(answers [][]byte) error {
		for _, a := range answers {
			var got map[string][]json.RawMessage
			if err := json.Unmarshal(a, &got); err != nil {
				return err
			}
			if len(got) != keys {
				return fmt.Errorf("%d keys, want %d", len(got), keys)
			}
			for k, list := range got {
				if math.Abs(float64(len(list)-points)) > 1 {
					return fmt.Errorf("%d points of %s, want %d", len(list), k, points)
				}
			}
		}
		return nil
	}
}

// loadedServer makes devices, loads their telemetry into the engine while the server is
// down, and starts it again.
func (b *bench) loadedServer(ctx context.Context, month, year fleet.Set) (s *server, monthly, deep []device, err error) {
	dir := filepath.Join(b.dir, "query")
	if s, err = b.startServer(ctx, dir, nil); err != nil {
		return nil, nil, nil, err
	}
	if monthly, err = s.devices(ctx, "month", month.Devices); err != nil {
		return nil, nil, nil, err
	}
	if deep, err = s.devices(ctx, "deep", 1); err != nil {
		return nil, nil, nil, err
	}
	var who struct{ TenantID struct{ ID string } }
	if err := s.json(ctx, "GET", "/api/auth/user", nil, &who); err != nil {
		return nil, nil, nil, err
	}
	if err := s.stop(); err != nil {
		return nil, nil, nil, err
	}
	tenant, err := model.ParseID(who.TenantID.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := tsdb.Open(filepath.Join(dir, "tsdb"), tsdb.Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	for _, load := range []struct {
		set     fleet.Set
		devices []device
	}{{month, monthly}, {year, deep}} {
		entities := make([]model.EntityID, len(load.devices))
		for i, d := range load.devices {
			id, err := model.ParseID(d.id)
			if err != nil {
				return nil, nil, nil, err
			}
			entities[i] = model.EntityID(id)
		}
		if _, err := loadEngine(ctx, db, load.set, model.TenantID(tenant), func(n int) model.EntityID { return entities[n] }, 1000, 2); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := db.Close(); err != nil {
		return nil, nil, nil, err
	}
	s, err = b.startServer(ctx, dir, s)
	return s, monthly, deep, err
}
