package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
	"github.com/tidewire/tidewire/model"
)

// swallow is a write path that costs nothing: what is measured is the door.
type swallow struct{}

func (swallow) Write(context.Context, *model.Entity, ...*model.WriteSet) error { return nil }
func (swallow) Save(context.Context, *model.Entity, ...*model.WriteSet) error  { return nil }

// nowhere is a response nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

func quiet(d *api.Deps) { d.Writer, d.Log = swallow{}, nil }

type rewound struct{ strings.Reader }

func (*rewound) Close() error { return nil }

// One row of ten keys, as devices send it.
func BenchmarkPostDeviceTelemetry(b *testing.B) {
	w := newWorld(b, quiet)
	const body = `{"ts":1700000000000,"values":{"a":21.55,"b":1,"c":0,"d":99.5,"e":3.25,"f":17,"g":1,"h":0,"i":55.12,"j":7}}`
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v1/owned-token/telemetry", nil)
	check(b, err)
	var in rewound
	r.RemoteAddr, r.ContentLength = "127.0.0.1:1", int64(len(body))
	out := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(body)
		r.Body = &in
		clear(out.header)
		w.bare.ServeHTTP(out, r)
	}
}

func BenchmarkGetLatest(b *testing.B) {
	w := newWorld(b, quiet)
	set := &model.WriteSet{Tenant: w.a, Entity: w.owned, Scope: model.Timeseries, Rows: []model.Row{{TS: 1, Cells: 10}}}
	for i, key := range strings.Split("abcdefghij", "") {
		set.Keys = append(set.Keys, key)
		set.Cells = append(set.Cells, model.Cell{Key: i, Value: model.Float(21.5)})
	}
	_, err := w.db.Append(b.Context(), set)
	check(b, err)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, w.at("/values/timeseries?keys=a,b,c,d,e,f,g,h,i,j"), http.NoBody)
	check(b, err)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Authorization", "Bearer "+w.adminA)
	out := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(out.header)
		w.bare.ServeHTTP(out, r)
	}
}
