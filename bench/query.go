package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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

const partQuery = "Queries over HTTP, warm"

// A question is one query, asked of every server.
type question struct {
	name  string
	ours  []string    // requests that together answer it: ThingsBoard's API has one aggregate a call
	peer  string      // "" where the peers' figures are those of the question before
	sql   []statement // one round trip
	each  []statement // the way ThingsBoard itself asks: a statement for every interval
	goal  goal
	check func(answers [][]byte) error
	body  string // posted with each of ours; "" asks with GET
}

// A statement for PostgreSQL.
type statement struct {
	SQL  string
	Args []int64
}

// once is q answered by one request of ours. Peers need one anyway: their figures stand.
func (q question) once(how, path, body string, check func([][]byte) error) question {
	return question{name: q.name + ", " + how, ours: []string{path}, body: body, goal: q.goal, check: check}
}

// waits are how long a question takes one client and four.
type waits struct{ p50, p99, p50of4, p99of4 figure }

// query measures reads over HTTP. The data are loaded into the engine directly: how they
// came does not matter to a read.
func (b *bench) query(ctx context.Context) error {
	b.title(partQuery + " (700 buckets a call is a setting, raised here; ThingsBoard's API has one aggregate a call; PostgreSQL over its socket)")
	devices := 10
	if b.full {
		devices = 100
	}
	// Three days at least: one question is about a day in the middle.
	month := fleet.Set{Devices: devices, Rows: max(b.scaled(30*8640), 3*8640), Step: 10_000, Keys: 10}
	year := fleet.Set{Devices: 1, Rows: b.scaled(365 * 86400), Step: 1000, Keys: 1}
	s, monthly, deep, err := b.loadedServer(ctx, month, year)
	if err != nil {
		return err
	}
	defer s.kill()

	base := "/api/plugins/telemetry/DEVICE/"
	first := base + monthly[0].id
	keys := strings.Join(fleet.Keys, ",")
	// An hour and a day in the middle, at an offset that is no boundary of anything.
	middle := fleet.Begin + (month.End()-fleet.Begin)/2 + 1234567
	aggregate := func(device, keys, agg string, from, to, interval int64) string {
		return fmt.Sprintf("%s%s/values/timeseries?keys=%s&agg=%s&interval=%d&startTs=%d&endTs=%d", base, device, keys, agg, interval, from, to)
	}
	const odd = 5*hour + 1234000 // boundaries of nothing
	var monthAll, yearAll, yearOdd []string
	for _, agg := range []string{"AVG", "MIN", "MAX"} {
		monthAll = append(monthAll, aggregate(monthly[0].id, keys, agg, fleet.Begin, month.End(), hour))
	}
	for _, agg := range []string{"AVG", "MAX"} {
		yearAll = append(yearAll, aggregate(deep[0].id, "temperature", agg, fleet.Begin, year.End(), day))
		yearOdd = append(yearOdd, aggregate(deep[0].id, "temperature", agg, fleet.Begin+odd, year.End(), day))
	}
	sel := func(key string) string { return "fleet_" + key + `{device="d0"}` }
	entity := "entity_id = '00000000-0000-4000-8000-000000000000'"
	grouped := func(aggregates string, key int, from, to, width int64) []statement {
		which := ""
		if key >= 0 {
			which = fmt.Sprintf(" AND key = %d", key)
		}
		// The kindest form. ThingsBoard itself sends a statement for every interval and key.
		return []statement{{fmt.Sprintf("SELECT key, (ts - $1) / $3, %s FROM ts_kv WHERE %s%s AND ts >= $1 AND ts < $2 GROUP BY 1, 2 ORDER BY 1, 2", aggregates, entity, which), []int64{from, to, width}}}
	}
	number := "coalesce(dbl_v, long_v)"
	avg, low, high := "avg("+number+")", "min("+number+")", "max("+number+")"
	var single []statement
	for at := middle; at < middle+day; at += 60_000 {
		single = append(single, statement{"SELECT max(ts), " + avg + " FROM ts_kv WHERE " + entity + " AND key = 0 AND ts >= $1 AND ts < $2", []int64{at, at + 60_000}})
	}
	questions := []question{
		{"key list of a device", []string{base + monthly[0].id + "/keys/timeseries"}, "/api/v1/label/__name__/values?match[]=" + url.QueryEscape(`{device="d0"}`) + fmt.Sprintf("&start=%d&end=%d", fleet.Begin/1000, month.End()/1000),
			[]statement{{"SELECT d.key FROM ts_kv_latest l JOIN key_dictionary d ON l.key = d.key_id WHERE " + entity, nil}}, nil,
			goal{value: 0.065, peer: 0.097}, wantList(10), ""},
		{"latest of 10 keys", []string{first + "/values/timeseries?keys=" + keys}, "/api/v1/query?query=" + url.QueryEscape(`{device="d0"}`) + fmt.Sprintf("&time=%d", month.End()/1000),
			[]statement{{"SELECT d.key, l.ts, l.long_v, l.dbl_v FROM ts_kv_latest l JOIN key_dictionary d ON l.key = d.key_id WHERE " + entity, nil}}, nil,
			goal{value: 0.070, peer: 0.305}, wantKeys(10, 1), ""},
		{"raw last hour, 1 key, 360 points", []string{fmt.Sprintf("%s/values/timeseries?keys=temperature&limit=1000&startTs=%d&endTs=%d", first, month.End()-hour, month.End())},
			"/api/v1/export?match[]=" + url.QueryEscape(sel("temperature")) + fmt.Sprintf("&start=%d&end=%d", (month.End()-hour)/1000, month.End()/1000),
			[]statement{{"SELECT ts, long_v, dbl_v FROM ts_kv WHERE " + entity + " AND key = 0 AND ts >= $1 AND ts < $2 ORDER BY ts DESC", []int64{month.End() - hour, month.End()}}}, nil,
			goal{value: 0.090, peer: 0.169}, wantKeys(1, 360), ""},
		{"AVG per minute over a day, 1 key", []string{aggregate(monthly[0].id, "temperature", "AVG", middle, middle+day, 60_000)},
			rangeQuery("avg_over_time("+sel("temperature")+"[1m])", middle, middle+day, 60), grouped(avg, 0, middle, middle+day, 60_000), single,
			goal{value: 0.21, peer: 0.501}, wantKeys(1, 1440), ""},
		{"AVG, MIN, MAX per hour over 30 days, 10 keys", monthAll, rangeQuery(`rollup(`+`{device="d0"}`+"[1h])", fleet.Begin, month.End(), 3600),
			grouped(avg+", "+low+", "+high, -1, fleet.Begin, month.End(), hour), nil,
			goal{value: 2.2, peer: 17}, wantKeys(10, int((month.End()-fleet.Begin)/hour)), ""},
		{"AVG, MAX per UTC day over a year at 1 s", yearAll, rangeQuery(`rollup(fleet_temperature{device="deep"}[1d])`, fleet.Begin, year.End(), 86400), nil, nil,
			goal{value: 0.3, peer: 1287}, wantKeys(1, int((year.End()-fleet.Begin+day-1)/day)), ""},
		{"AVG, MAX per day over a year at 1 s, any offset", yearOdd, rangeQuery(`rollup(fleet_temperature{device="deep"}[1d])`, fleet.Begin+odd, year.End(), 86400), nil, nil,
			goal{value: 1, peer: 1287}, wantKeys(1, int((year.End()-fleet.Begin-odd+day-1)/day)), ""},
	}
	// Beyond ThingsBoard's API one call has several aggregates, and many series.
	several := func(device, keys, aggs string, from, to, interval int64) string {
		return strings.Replace(aggregate(device, keys, aggs, from, to, interval), "&agg=", "&aggs=", 1)
	}
	month30, aligned, odds := questions[4], questions[5], questions[6]
	query := fmt.Sprintf(`"keys":["%s"],"startTs":%d,"endTs":%d,"interval":%d,"intervalType":"MILLISECONDS"`, strings.Join(fleet.Keys, `","`), fleet.Begin, month.End(), hour)
	all := make([]string, len(monthly))
	for i, d := range monthly {
		all[i] = fmt.Sprintf(`{"entityType":"DEVICE","id":"%s"}`, d.id)
	}
	hours := int((month.End() - fleet.Begin) / hour)
	questions = slices.Insert(questions, 7, odds.once("aggs in one call", several(deep[0].id, "temperature", "AVG,MAX", fleet.Begin+odd, year.End(), day), "", odds.check))
	questions = slices.Insert(questions, 6, aligned.once("aggs in one call", several(deep[0].id, "temperature", "AVG,MAX", fleet.Begin, year.End(), day), "", aligned.check))
	questions = slices.Insert(questions, 5,
		month30.once("aggs in one call", several(monthly[0].id, keys, "AVG,MIN,MAX", fleet.Begin, month.End(), hour), "", month30.check),
		month30.once("one query over many series", "/api/telemetry/query", `{"entities":[`+all[0]+`],"aggregates":["AVG","MIN","MAX"],`+query+`}`, wantTable(10, hours)))
	questions = append(questions, question{
		name: fmt.Sprintf("AVG, MAX of each key over %d devices per hour, 30 days, one query", len(all)), ours: []string{"/api/telemetry/query"},
		body:  `{"entities":[` + strings.Join(all, ",") + `],"aggregates":["AVG","MAX"],"groupBy":["key"],` + query + `}`,
		peer:  rangeQuery(`avg(avg_over_time({__name__=~"fleet_.*",device!="deep"}[1h])) by (__name__)`, fleet.Begin, month.End(), 3600),
		check: wantTable(10, hours),
	})
	ours, err := b.ask(questions, s.addr, s.admin, func(q question) []string { return q.ours }, true)
	if err != nil {
		return err
	}
	if err := s.kill(); err != nil {
		return err
	}
	theirs, tables := make([]waits, len(questions)), make([]waits, len(questions))
	if b.victoria {
		if theirs, err = b.askVictoria(ctx, questions, month, year); err != nil {
			return err
		}
	}
	if b.postgres != nil {
		if tables, err = b.askPostgres(ctx, questions, month); err != nil {
			return err
		}
	}
	for i, q := range questions {
		if q.peer == "" {
			theirs[i], tables[i] = theirs[i-1], tables[i-1]
			theirs[i].p50.note, tables[i].p50.note = "", ""
		}
		us, vm, pg := ours[i], theirs[i], tables[i]
		if n := len(q.ours); n > 1 {
			us.p50.note = fmt.Sprintf("%d calls", n)
		}
		b.add(line{part: partQuery, name: q.name + ", 1 client, p50", unit: milliseconds, ours: us.p50, victoria: vm.p50, postgres: pg.p50, goal: q.goal})
		b.add(line{part: partQuery, name: q.name + ", 1 client, p99", unit: milliseconds, ours: us.p99, victoria: vm.p99, postgres: pg.p99})
		b.add(line{part: partQuery, name: q.name + ", 4 clients, p50", unit: milliseconds, ours: us.p50of4, victoria: vm.p50of4, postgres: pg.p50of4})
		tail := goal{}
		if i >= 1 && i <= 3 {
			tail = goal{value: 1, peer: 4.9}
		}
		b.add(line{part: partQuery, name: q.name + ", 4 clients, p99", unit: milliseconds, ours: us.p99of4, victoria: vm.p99of4, postgres: pg.p99of4, goal: tail})
	}
	return nil
}

func (b *bench) askVictoria(ctx context.Context, questions []question, month, year fleet.Set) ([]waits, error) {
	dir := filepath.Join(b.dir, "query-vm")
	defer os.RemoveAll(dir)
	vm, err := b.startVictoria(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer vm.kill()
	if err := loadVictoria(vm, month, year); err != nil {
		return nil, err
	}
	return b.ask(questions, vm.addr, "", func(q question) []string {
		if q.peer == "" {
			return nil
		}
		return []string{q.peer}
	}, false)
}

// askPostgres asks PostgreSQL, which holds the one device that is asked for: its index leads
// it past all others anyway, and ten would fill four gigabytes.
func (b *bench) askPostgres(ctx context.Context, questions []question, month fleet.Set) ([]waits, error) {
	one := month
	one.Devices = 1
	if _, err := b.postgres.task(ctx, nil, "schema", fleet.Keys...); err != nil {
		return nil, err
	}
	if _, err := b.postgres.task(ctx, pgRows(one), "copy"); err != nil {
		return nil, err
	}
	result := make([]waits, len(questions))
	for i, q := range questions {
		if q.sql == nil {
			continue
		}
		for _, clients := range []int{1, 4} {
			all, err := b.askOfPostgres(ctx, q.sql, clients)
			if err != nil {
				return nil, fmt.Errorf("PostgreSQL: %s: %w", q.name, err)
			}
			if clients == 1 {
				result[i].p50, result[i].p99 = spent(quantile(all, 0.5)), spent(quantile(all, 0.99))
			} else {
				result[i].p50of4, result[i].p99of4 = spent(quantile(all, 0.5)), spent(quantile(all, 0.99))
			}
		}
		if q.each != nil {
			all, err := b.askOfPostgres(ctx, q.each, 1)
			if err != nil {
				return nil, fmt.Errorf("PostgreSQL: %s: %w", q.name, err)
			}
			result[i].p50.note = fmt.Sprintf("%.1f with a statement per interval, as ThingsBoard asks", spent(quantile(all, 0.5)).value)
		}
	}
	return result, nil
}

func (b *bench) askOfPostgres(ctx context.Context, question []statement, clients int) ([]time.Duration, error) {
	var in bytes.Buffer
	for _, s := range question {
		if err := json.NewEncoder(&in).Encode(s); err != nil {
			return nil, err
		}
	}
	res, err := b.postgres.clients(ctx, &in, clients, "ask")
	if err != nil {
		return nil, err
	}
	if res.Points == 0 {
		return nil, errors.New("no rows")
	}
	all := make([]time.Duration, len(res.Waits))
	for i, w := range res.Waits {
		all[i] = time.Duration(w * float64(time.Second))
	}
	return all, nil
}

func rangeQuery(q string, from, to, step int64) string {
	return fmt.Sprintf("/api/v1/query_range?query=%s&start=%d&end=%d&step=%d&nocache=1", url.QueryEscape(q), from/1000, to/1000, step)
}

// ask times every question with 1 and with 4 clients.
func (b *bench) ask(questions []question, addr, headers string, paths func(question) []string, checked bool) ([]waits, error) {
	result := make([]waits, len(questions))
	for i, q := range questions {
		var requests, answers [][]byte
		w, err := dial(addr)
		if err != nil {
			return nil, err
		}
		for _, p := range paths(q) {
			req := request("GET", p, headers, nil)
			if checked && q.body != "" {
				req = request("POST", p, headers, []byte(q.body))
			}
			requests = append(requests, req)
			answer, err := w.do(req, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			answers = append(answers, answer)
		}
		w.conn.Close()
		if len(requests) == 0 {
			continue
		}
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
		result[i] = waits{spent(quantile(one, 0.5)), spent(quantile(one, 0.99)), spent(quantile(four, 0.5)), spent(quantile(four, 0.99))}
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

// wantList checks that each answer is a list of so many.
func wantList(n int) func([][]byte) error {
	return func(answers [][]byte) error {
		for _, a := range answers {
			var got []string
			if err := json.Unmarshal(a, &got); err != nil {
				return err
			}
			if len(got) != n {
				return fmt.Errorf("%d of %d: %q", len(got), n, got)
			}
		}
		return nil
	}
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

// wantTable checks that an answer has so many series with so many rows.
func wantTable(series, rows int) func([][]byte) error {
	return func(answers [][]byte) error {
		var got struct {
			Series []struct{ Values []json.RawMessage }
		}
		if err := json.Unmarshal(answers[0], &got); err != nil {
			return err
		}
		if len(got.Series) != series {
			return fmt.Errorf("%d series, want %d", len(got.Series), series)
		}
		for _, s := range got.Series {
			if math.Abs(float64(len(s.Values)-rows)) > 1 {
				return fmt.Errorf("%d rows, want %d", len(s.Values), rows)
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
	tenant, err := s.tenant(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := s.stop(); err != nil {
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
		l := newLoader(load.set, 1000, 2)
		l.tenant, l.entity = tenant, func(n int) model.EntityID { return entities[n] }
		err := l.run(false, func(s *model.WriteSet) error {
			_, err := db.Append(ctx, s)
			return err
		})
		if err != nil {
			return nil, nil, nil, err
		}
	}
	if err := db.Close(); err != nil {
		return nil, nil, nil, err
	}
	s, err = b.startServer(ctx, dir, s)
	return s, monthly, deep, err
}
