package entry

import (
	"fmt"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
)

// scattered makes a set of n keys, each in a group of its own, as they are when a device sent
// them one by one.
func scattered(n, rows int) (*model.WriteSet, []catalog.Ref) {
	s := &model.WriteSet{Scope: model.Timeseries}
	refs := make([]catalog.Ref, n)
	for k := range n {
		s.Keys = append(s.Keys, fmt.Sprint("key", k))
		refs[k] = catalog.Ref{Group: uint64(n - k)}
	}
	for row := range rows {
		s.Rows = append(s.Rows, model.Row{TS: int64(row), Cells: n})
		for k := range n {
			s.Cells = append(s.Cells, model.Cell{Key: k, Value: model.Int(int64(k))})
		}
	}
	return s, refs
}

// BenchmarkScatteredSet measures what a set costs whose keys have a group each.
func BenchmarkScatteredSet(b *testing.B) {
	for _, n := range []int{64, 1024, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			s, refs := scattered(n, 1)
			var e Encoder
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if out, err = e.Set(out[:0], s, refs, 1<<30); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFleetSet measures the common case: one group.
func BenchmarkFleetSet(b *testing.B) {
	for _, rows := range []int{1, 100} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			s, refs := scattered(10, rows)
			for k := range refs {
				refs[k] = catalog.Ref{Group: 1, Column: uint8(k)}
			}
			var e Encoder
			var out []byte
			for b.Loop() {
				out, _ = e.Set(out[:0], s, refs, 1<<30)
			}
		})
	}
}
