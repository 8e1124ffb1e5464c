package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/tsdb"
)

// What an operator sets reaches the engine and the registry.
func TestTheConfigurationReachesTheEngineAndTheRegistry(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	p := &parts{hub: &subscriptions.Hub{}}
	now := func() time.Time { return time.UnixMilli(1) }
	cfg := Config{
		DataDir: "d", HeadBytes: 2, MinFree: 3, MaxDeviceSeries: 4, MaxTenantSeries: 5, MaxDisk: 6,
		KeepDays: 7, KeepAttributeDays: 8, KeepAttributeVersions: 9, AuditDays: 10, Now: now,
	}
	o := p.engineOptions(cfg, log)
	if o.HeadBytes != 2 || o.MinFree != 3 || o.MaxDiskBytes != 6 || o.Now == nil || o.Now() != now() {
		t.Errorf("the engine is opened with %+v", o)
	}
	limits := tsdb.Limits{Keys: maxKeys, Points: maxPoints, SetBytes: maxBytes, DeviceSeries: 4, TenantSeries: 5}
	if o.Limits != limits || o.PendingBytes < maxBytes {
		t.Errorf("with the limits %+v, %d bytes may wait", o.Limits, o.PendingBytes)
	}
	if o.Retention == nil || o.Changes != tsdb.ChangeSink(p.hub) || o.Budget != (model.Budget{}) {
		t.Error("retention or the hub is not connected")
	}
	for name, set := range map[string]bool{
		"Failed": o.Events.Failed != nil, "Space": o.Events.Space != nil, "Near": o.Events.Near != nil, "Behind": o.Events.Behind != nil,
		"DiskCeiling": o.Events.DiskCeiling != nil, "Expired": o.Events.Expired != nil, "Damaged": o.Events.Damaged != nil,
		"Fatal": o.Events.Fatal != nil, "Flushed": o.Events.Flushed != nil,
	} {
		if !set {
			t.Errorf("nobody hears of %s", name)
		}
	}
	r := p.registryOptions(cfg, &registry.Keys{}, log)
	const day = 24 * 3600 * 1000
	if r.Dir != "d" || r.Keys == nil || r.KeepTimeseries != (model.Keep{Time: 7 * day}) || r.AuditDays != 10 ||
		r.KeepAttributes != (model.Keep{Time: 8 * day, Versions: 9}) || r.Now() != now() || r.RightsChanged == nil || r.EraseFailed == nil {
		t.Errorf("the registry is opened with %+v", r)
	}
}
