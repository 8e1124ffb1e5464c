package ingest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/tidewire/tidewire/model"
)

type nowhere struct{}

func (nowhere) Append(context.Context, *model.WriteSet) (model.Position, error) { return 1, nil }
func (nowhere) Latest(context.Context, model.TenantID, model.EntityID, model.Scope, []string) (model.Snapshot, error) {
	return model.Snapshot{}, nil
}

// BenchmarkWrite is what the pipeline adds to an append of ten points, from several doors.
func BenchmarkWrite(b *testing.B) {
	p := New(Options{Store: nowhere{}})
	var doors atomic.Uint32
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := device1()
		door := byte(doors.Add(1))
		s := &model.WriteSet{Scope: model.Timeseries, Keys: make([]string, 10), Rows: []model.Row{{TS: 1, Cells: 10}}, Cells: make([]model.Cell, 10)}
		for i := byte(0); pb.Next(); i++ {
			e.ID = model.EntityID{i, door}
			if err := p.Write(b.Context(), e, s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
