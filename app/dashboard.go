package app

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// The shapes of docs/dashboards.md that the demonstration uses.
type (
	board struct {
		Tidewire    int      `json:"tidewire"`
		Description string   `json:"description"`
		Widgets     []widget `json:"widgets"`
	}
	widget struct {
		Type     string      `json:"type"`
		Title    string      `json:"title,omitempty"`
		Width    int         `json:"width"`
		Entity   *boardRef   `json:"entity,omitempty"`
		Key      string      `json:"key,omitempty"`
		Unit     string      `json:"unit,omitempty"`
		Decimals *int        `json:"decimals,omitempty"`
		Min      *float64    `json:"min,omitempty"`
		Max      *float64    `json:"max,omitempty"`
		Window   any         `json:"window,omitempty"`
		Agg      string      `json:"agg,omitempty"`
		Interval int64       `json:"interval,omitempty"`
		Series   []boardLine `json:"series,omitempty"`
	}
	boardRef struct {
		EntityType model.EntityType `json:"entityType"`
		ID         string           `json:"id"`
	}
	boardLine struct {
		Entity boardRef `json:"entity"`
		Key    string   `json:"key"`
		Label  string   `json:"label,omitempty"`
		Unit   string   `json:"unit,omitempty"`
	}
	last struct {
		Last int64 `json:"last"`
	}
	fromTo struct {
		From int64 `json:"from"`
		To   int64 `json:"to"`
	}
)

const (
	minute = 60_000
	week   = 7 * 24 * 60 * minute
)

// makeDashboard shows the machine live and the weather over its years.
func (d *demonstration) makeDashboard(ctx context.Context) error {
	refs := map[string]boardRef{}
	for _, name := range []string{demoMachine, "Seattle hourly normals", "Seattle", "New York"} {
		dev, err := d.registry.DeviceByName(ctx, d.tenant, name)
		if err != nil {
			return fmt.Errorf("find device %q: %w", name, err)
		}
		refs[name] = boardRef{EntityType: model.EntityDevice, ID: dev.ID.String()}
	}
	machine := refs[demoMachine]
	one, none := 1, 0
	low, high := 0.0, 100.0
	percent := func(title, key string) widget {
		return widget{Type: "value", Title: title, Width: 3, Entity: &machine, Key: key, Unit: "%", Decimals: &one, Min: &low, Max: &high, Window: last{5 * minute}}
	}
	configuration, err := json.Marshal(board{
		Tidewire:    1,
		Description: "The machine that runs Tidewire, once a second, and weather records of NOAA.",
		Widgets: []widget{
			percent("CPU", "cpu_percent"),
			percent("Memory", "memory_used_percent"),
			{Type: "value", Title: "Load, 1 minute", Width: 3, Entity: &machine, Key: "load_1m", Window: last{5 * minute}},
			{Type: "value", Title: "Memory of Tidewire", Width: 3, Entity: &machine, Key: "process_memory_bytes", Unit: "B", Decimals: &none, Window: last{5 * minute}},
			{Type: "chart", Title: "CPU of this machine", Width: 6, Window: last{5 * minute}, Agg: "NONE", Series: []boardLine{
				{Entity: machine, Key: "cpu_percent", Label: "all", Unit: "%"},
				{Entity: machine, Key: "process_cpu_percent", Label: "Tidewire", Unit: "%"},
			}},
			{Type: "chart", Title: "Network of this machine", Width: 6, Window: last{5 * minute}, Agg: "NONE", Series: []boardLine{
				{Entity: machine, Key: "net_received_bytes_per_s", Label: "received", Unit: "B/s"},
				{Entity: machine, Key: "net_sent_bytes_per_s", Label: "sent", Unit: "B/s"},
			}},
			{Type: "chart", Title: "Highest temperature of each week, 2012-2015", Width: 12, Window: fromTo{1325376000000, 1451606400000}, Agg: "MAX", Interval: week, Series: []boardLine{
				{Entity: refs["Seattle"], Key: "temp_max", Label: "Seattle", Unit: "°C"},
				{Entity: refs["New York"], Key: "temp_max", Label: "New York", Unit: "°C"},
			}},
			{Type: "chart", Title: "Seattle in a normal year: 30-year averages (1981-2010), by week", Width: 12,
				Window: fromTo{1262332800000, 1293868800000}, Agg: "AVG", Interval: week, Series: []boardLine{
					{Entity: refs["Seattle hourly normals"], Key: "temperature", Label: "temperature", Unit: "°C"},
					{Entity: refs["Seattle hourly normals"], Key: "wind", Label: "wind", Unit: "m/s"},
				}},
		},
	})
	if err != nil {
		return fmt.Errorf("encode the dashboard: %w", err)
	}
	r := &model.DashboardRecord{Tenant: d.tenant, Title: demoDashboard, Configuration: configuration}
	if err := d.registry.SaveDashboard(ctx, r); err != nil {
		return fmt.Errorf("save the dashboard: %w", err)
	}
	customers, err := d.registry.Customers(ctx, d.tenant, model.CustomerFilter{}, model.PageLink{Size: 1})
	if err != nil || len(customers.Data) == 0 {
		return err
	}
	_, err = d.registry.AssignDashboard(ctx, d.tenant, r.ID, customers.Data[0].ID, true)
	return err
}
