package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

func TestATenantSaysWhatItsSeriesKeep(t *testing.T) {
	w := newWorld(t)
	w.call("GET", "/api/retention", w.adminA, "").is(200, `{"attributes":{},"keys":{},"profiles":{},"timeseries":{}}`+"\n")
	now := w.clock.now().UnixMilli()
	const day = int64(24 * time.Hour / time.Millisecond)
	for _, id := range []model.EntityID{w.owned, w.free} {
		for _, days := range []int64{0, 5, 20, 40} {
			body := fmt.Sprintf(`{"ts":%d,"values":{"t":1,"debug":2}}`, now-days*day)
			w.call("POST", "/api/plugins/telemetry/DEVICE/"+id.String()+"/timeseries/ANY", w.adminA, body).is(200)
		}
	}
	var p api.RetentionPreview
	w.call("POST", "/api/retention/preview", w.adminA, `{"timeseries":{"days":30},"keys":{"debug":{"days":10}}}`).is(200).json(&p)
	if p.Total.Points != 2+4 || p.Total.Series != 4 || *p.Total.OldestTS != now-40*day || *p.Total.NewestTS != now-20*day || len(p.Profiles) != 1 || p.Profiles[0].Profile != "default" {
		t.Errorf("%+v", p)
	}
	const policy = `{"attributes":{"days":100,"versions":9},"keys":{"debug":{"days":10}},"profiles":{},"timeseries":{"days":30}}`
	w.call("POST", "/api/retention", w.adminA, policy).is(200, policy+"\n")
	w.call("GET", "/api/retention", w.adminA, "").is(200, policy+"\n")
	w.call("GET", "/api/retention", w.adminB, "").is(200, `{"attributes":{},"keys":{},"profiles":{},"timeseries":{}}`+"\n")

	keep := w.registry.Keep(w.a, w.free, model.Timeseries, "debug")
	if keep.Time != 10*day {
		t.Errorf("keeps %+v", keep)
	}
	e, _ := w.registry.Lookup(w.free)
	w.call("POST", "/api/retention", w.adminA, fmt.Sprintf(`{"profiles":{%q:{"timeseries":{"days":3},"keys":{"t":{"days":0}}}}}`, e.ProfileID)).is(200)
	if d, k := w.registry.Keep(w.a, w.free, model.Timeseries, "debug"), w.registry.Keep(w.a, w.free, model.Timeseries, "t"); d.Time != 3*day || k.Time != 0 {
		t.Errorf("keeps %+v and %+v", d, k)
	}

	w.call("POST", "/api/retention", w.adminA, `{"timeseries":{"days":-1}}`).fails(400, 31, "timeseries: -1 days are not between 0, for ever, and 146000")
	w.call("POST", "/api/retention", w.adminA, `{"profiles":{"x":{}}}`).fails(400, 31, "profiles: 'x' is no id of a profile")
	w.call("POST", "/api/retention", w.oneUser, `{}`).is(403)
	w.call("POST", "/api/retention/preview", w.system, `{}`).is(403)
}
