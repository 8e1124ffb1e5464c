package demo

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// counter counts what is written a device.
type counter map[string]int

func (c counter) Write(_ context.Context, device string, set *model.WriteSet) error {
	c[device] += len(set.Rows)
	return nil
}

func TestEveryRowOfTheWeatherFilesIsLoaded(t *testing.T) {
	got := counter{}
	for _, s := range Sources {
		p, err := s.Import(t.Context(), got)
		if err != nil || p.Bad != 0 {
			t.Errorf("%s: %d bad rows, %v", s.File, p.Bad, err)
		}
	}
	want := counter{"Seattle daily weather": 1461, "Seattle": 1461, "New York": 1461, "Seattle hourly normals": 8759}
	for device, rows := range want {
		if got[device] != rows {
			t.Errorf("%s: %d rows, want %d", device, got[device], rows)
		}
	}
	if len(got) != len(want) {
		t.Errorf("devices %v", got)
	}
}

func TestTheMachineReportsItself(t *testing.T) {
	m, err := NewMachine(t.Context(), t.TempDir(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	var base, next model.WriteSet
	if err := m.Read(t.Context(), begin, &base); err != nil {
		t.Fatal(err)
	}
	if err := m.Read(t.Context(), begin.Add(time.Second), &next); err != nil {
		t.Fatal(err)
	}
	values := map[string]model.Value{}
	for _, c := range next.Cells {
		values[next.Keys[c.Key]] = c.Value
	}
	// CPU rates are missing where two readings fall into one tick of the system's counters.
	for _, key := range []string{"load_1m", "memory_used_bytes", "memory_used_percent", "disk_used_percent", "disk_read_bytes_per_s",
		"net_received_bytes_per_s", "uptime_s", "process_cpu_percent", "process_memory_bytes", "process_open_files"} {
		if v, ok := values[key]; !ok || v.IsNone() {
			t.Errorf("no %s in %v", key, next.Keys)
		}
	}
	if used := values["memory_used_bytes"]; used.Type() != model.TypeInt || used.Int() <= 0 {
		t.Errorf("memory %#v", used)
	}
	if len(next.Rows) != 1 || next.Rows[0].TS != begin.Add(time.Second).UnixMilli() || next.Rows[0].Cells != len(next.Cells) {
		t.Errorf("rows %+v of %d cells", next.Rows, len(next.Cells))
	}
	if slices.Contains(base.Keys, "disk_read_bytes_per_s") {
		t.Error("the first reading has a rate")
	}
}
