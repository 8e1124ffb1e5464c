package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// A body goes in at one end and comes out at the other: through the dialect, the pipeline
// and the engine, with its activity beside it, also after a restart.
func TestOnTheRealEngine(t *testing.T) {
	disk := vfs.NewMem()
	e := device1()
	var lastHeard int64
	open := func(f func(p *Pipeline, db *tsdb.DB)) {
		t.Helper()
		db, err := tsdb.Open("data", tsdb.Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		p := New(Options{Store: db, OnError: func(err error) { t.Error(err) }})
		p.Start(nil)
		f(p, db)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	latest := func(db *tsdb.DB, scope model.Scope, keys ...string) string {
		t.Helper()
		s, err := db.Latest(t.Context(), e.Tenant, e.ID, scope, keys)
		if err != nil {
			t.Fatal(err)
		}
		return string(thingsboard.AppendLatest(nil, s.Points, keys, 0, true))
	}
	const want = `{"t":[{"ts":2000,"value":21.5}],"n":[{"ts":1000,"value":9007199254740993}],"o":[{"ts":2000,"value":{"a":[1]}}]}`

	open(func(p *Pipeline, db *tsdb.DB) {
		var parser thingsboard.Parser
		body := []byte(`[{"ts":2000,"values":{"t":21.50,"o":{"a": [1]}}},{"ts":1000,"values":{"t":"7","n":9007199254740993}}]`)
		set, err := parser.Telemetry(body, time.Now().UnixMilli(), thingsboard.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Write(t.Context(), e, set); err != nil {
			t.Fatal(err)
		}
		clear(body) // the text is ours again
		if got := latest(db, model.Timeseries, "t", "n", "o"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		a, ok := p.Activity(e.ID)
		if !ok || !a.Active {
			t.Errorf("activity %v %+v", ok, a)
		}
		lastHeard = a.LastActivity
	})
	open(func(_ *Pipeline, db *tsdb.DB) {
		if got := latest(db, model.Timeseries, "t", "n", "o"); got != want {
			t.Errorf("after a restart: got %s, want %s", got, want)
		}
		s, err := db.Latest(t.Context(), e.Tenant, e.ID, model.Server, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(thingsboard.AppendValues(nil, s.Points)), fmt.Sprintf(`{"active":true,"lastActivityTime":%d}`, lastHeard); got != want {
			t.Errorf("activity: got %s, want %s", got, want)
		}
	})
}
