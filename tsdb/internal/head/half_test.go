package head

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// table makes a table of one column: instants, and the value of each; 0 is a row without one.
func table(pairs ...int64) *column.Table {
	var t column.Table
	t.Reset(2)
	for i := 0; i < len(pairs); i += 2 {
		t.Times = append(t.Times, pairs[i])
		if pairs[i+1] == 0 {
			t.Columns[0].AppendNone(1)
		} else {
			t.Columns[0].Append(model.Int(pairs[i+1]))
		}
		t.Columns[1].Append(model.String("x"))
	}
	return &t
}

func same(a, b *column.Table) bool {
	if !slices.Equal(a.Times, b.Times) {
		return false
	}
	for c := range a.Columns {
		for i := range a.Times {
			if a.Columns[c].At(i) != b.Columns[c].At(i) {
				return false
			}
		}
	}
	return true
}

func TestMergePrefersTheNewerCell(t *testing.T) {
	f := func(older, newer, want *column.Table) {
		t.Helper()
		if got := Merge(older, newer); !same(got, want) {
			t.Errorf("got %v %v", got.Times, got.Columns[0].Bits)
		}
	}
	f(table(), table(), table())
	f(table(1, 10), table(), table(1, 10))
	f(table(), table(1, 10), table(1, 10))
	f(table(1, 10, 3, 30), table(2, 20), table(1, 10, 2, 20, 3, 30))
	f(table(1, 10, 2, 20), table(1, 11), table(1, 11, 2, 20))
	f(table(1, 10, 2, 20), table(1, 0, 2, 0), table(1, 10, 2, 20)) // no cell replaces none
}

func TestWithoutTakesCellsAndEmptyRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		var pairs []int64
		for ts := int64(0); ts < 30; ts += 1 + rng.Int64N(4) {
			pairs = append(pairs, ts, rng.Int64N(3))
		}
		all := table(pairs...)
		from := rng.Int64N(30)
		tombs := []scan.Tombstone{{Column: 0, From: from, To: from + rng.Int64N(10)}}
		both := rng.IntN(2) == 0
		if both {
			tombs = append(tombs, scan.Tombstone{Column: 1, From: tombs[0].From, To: tombs[0].To})
		}
		got, changed := Without(all, tombs)
		any := false
		var want column.Table
		want.Reset(2)
		for i, ts := range all.Times {
			if ts < tombs[0].From || ts >= tombs[0].To {
				want.AppendRow(all, i)
				continue
			}
			any = any || both || !all.Columns[0].At(i).IsNone()
			if !both {
				want.Times = append(want.Times, ts)
				want.Columns[0].AppendNone(1)
				want.Columns[1].AppendFrom(&all.Columns[1], i)
			}
		}
		if changed != any || !same(got, &want) {
			t.Fatalf("%v without %v: changed %v, got %v %v", pairs, tombs, changed, got.Times, got.Columns[0].Bits)
		}
	}
}

// A snapshot that has a half is not given it again, and one that lacks it gets what it hides.
func TestAViewLeavesOutWhatTheSnapshotHas(t *testing.T) {
	view := func() *GroupView {
		v := &GroupView{n: 2}
		for i := range v.halves {
			h := &Half{}
			h.delete(1, int64(i)*100, int64(i)*100+10)
			v.halves[i] = halfView{tombs: h.tombs}
		}
		v.halves[0].upto, v.halves[1].upto = 5, 9
		return v
	}
	for flushed, want := range map[model.Position]int{4: 2, 5: 1, 8: 1, 9: 0} {
		if _, deleted := view().Resolve(flushed, 0); len(deleted) != want {
			t.Errorf("flushed up to %d: %d deletes are seen, want %d", flushed, len(deleted), want)
		}
	}
}
