package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const partEntities = "Entity queries"

// entities measures queries over the devices of a tenant: conditions on a telemetry value, the
// order by one, and text, through the route of the API.
func (b *bench) entities(ctx context.Context) error {
	n := b.scaled(100_000)
	b.title(fmt.Sprintf("%s: a page of 20 of %d devices, each with a name, a label and three telemetry values", partEntities, n))
	dir := filepath.Join(b.dir, "entities")
	s, err := b.startServer(ctx, dir, nil)
	if err != nil {
		return err
	}
	tenant, err := s.tenant(ctx)
	if err != nil {
		return errors.Join(err, s.kill())
	}
	if err := s.stop(); err != nil {
		return err
	}
	devices, err := makeDevices(ctx, dir, tenant, n)
	if err != nil {
		return err
	}
	if err := writeLatest(ctx, dir, devices); err != nil {
		return err
	}
	if s, err = b.startServer(ctx, dir, s); err != nil {
		return err
	}
	defer s.kill()
	before := s.memory()
	const (
		warmer   = `{"key":{"type":"TIME_SERIES","key":"temperature"},"valueType":"NUMERIC","predicate":{"type":"NUMERIC","operation":"GREATER","value":{"defaultValue":50}}}`
		byCharge = `{"key":{"type":"TIME_SERIES","key":"battery"},"direction":"DESC"}`
		byHeat   = `{"key":{"type":"TIME_SERIES","key":"temperature"},"direction":"ASC"}`
	)
	for _, q := range []struct {
		name, conditions, order, text string
		share                         float64 // of the devices that are found
		goal                          goal
	}{
		{"filter, sort by a telemetry value and text search", warmer, byCharge, "pump", 0.1, goal{value: 50}},
		{"filter and sort by a telemetry value", warmer, byHeat, "", 0.5, goal{}},
		{"text search of nothing that is there", "", byHeat, "no such thing", 0, goal{}},
	} {
		body := fmt.Appendf(nil, `{"entityFilter":{"type":"deviceType","deviceTypes":["default"],"deviceNameFilter":""},
			"pageLink":{"pageSize":20,"page":0,"textSearch":%q,"sortOrder":%s},
			"entityFields":[{"type":"ENTITY_FIELD","key":"name"},{"type":"ENTITY_FIELD","key":"label"}],
			"latestValues":[{"type":"TIME_SERIES","key":"temperature"},{"type":"TIME_SERIES","key":"battery"}],"keyFilters":[%s]}`,
			q.text, q.order, q.conditions)
		if err := s.checkFound(ctx, body, float64(n)*q.share); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		one := [][]byte{request("POST", "/api/entitiesQuery/find", s.admin, body)}
		for _, clients := range []int{1, 4} {
			cpu := s.cpu()
			all, err := sample(s.addr, one, clients)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			p50 := spent(quantile(all, 0.5))
			p50.note = fmt.Sprintf("%.1f CPU ms each", (s.cpu()-cpu)*1000/float64(len(all)))
			name := fmt.Sprintf("%s, %d clients", q.name, clients)
			if clients == 1 {
				name = q.name + ", 1 client"
			}
			b.add(line{part: partEntities, name: name + ", p50", unit: milliseconds, ours: p50, goal: q.goal})
			b.add(line{part: partEntities, name: name + ", p99", unit: milliseconds, ours: spent(quantile(all, 0.99))})
			q.goal = goal{}
		}
	}
	taken, err := s.columnsBytes()
	if err != nil {
		return err
	}
	b.add(line{part: partEntities, name: fmt.Sprintf("memory of the latest columns of two keys, %d devices", n), unit: mebibytes, ours: figure{taken / (1 << 20),
		fmt.Sprintf("%.1f bytes a value; the process grew by %.1f MiB while it was asked", taken/float64(2*n), (s.memory()-before)/(1<<20))}})
	return nil
}

// checkFound asks once and checks how many are found: about want, and how a page looks.
func (s *server) checkFound(ctx context.Context, body []byte, want float64) error {
	var page struct {
		Data []struct {
			Latest map[string]map[string]struct{ Value string }
		}
		TotalElements float64
	}
	if err := s.json(ctx, "POST", "/api/entitiesQuery/find", json.RawMessage(body), &page); err != nil {
		return err
	}
	if page.TotalElements < 0.8*want || page.TotalElements > 1.2*want || len(page.Data) != min(20, int(page.TotalElements)) {
		return fmt.Errorf("%v found and %d on the page, want about %v", page.TotalElements, len(page.Data), want)
	}
	for _, e := range page.Data {
		if e.Latest["ENTITY_FIELD"]["name"].Value == "" || e.Latest["TIME_SERIES"]["temperature"].Value == "" {
			return fmt.Errorf("something is missing: %v", e.Latest)
		}
	}
	return nil
}

// columnsBytes asks the server for the memory of its latest columns.
func (s *server) columnsBytes() (float64, error) {
	w, err := dial(s.addr)
	if err != nil {
		return 0, err
	}
	defer w.conn.Close()
	text, err := w.do(request("GET", "/metrics", s.admin, nil), nil)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "tidewire_store_latest_columns_bytes "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.New("the metrics do not tell")
}
