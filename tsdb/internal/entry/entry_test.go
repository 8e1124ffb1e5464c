package entry

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
)

func sample() (*model.WriteSet, []catalog.Ref) {
	s := &model.WriteSet{
		Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Timeseries, Received: 5, TTL: 6, KeepOriginals: true,
		Keys: []string{"a", "b", "c"},
		Rows: []model.Row{{TS: 30, Cells: 2}, {TS: 10, Cells: 1}, {TS: 30, Cells: 2}, {TS: 20, Cells: 0}},
		Cells: []model.Cell{
			{Key: 0, Value: model.Int(1)}, {Key: 1, Value: model.String("old")},
			{Key: 0, Value: model.Float(-0.5)},
			{Key: 1, Value: model.String("new")}, {Key: 2, Value: model.JSON("{}")},
		},
	}
	return s, []catalog.Ref{{Group: 7, Column: 1}, {Group: 7, Column: 0}, {Group: 9, Column: 31}}
}

func names(group uint64) ([]string, bool) {
	if group == 7 {
		return []string{"b", "a"}, true
	}
	all := make([]string, 32)
	all[31] = "c"
	return all, true
}

func TestASetComesBackAscendingWithTheLaterCellOfAnInstant(t *testing.T) {
	set, refs := sample()
	var e Encoder
	b, err := e.Set(nil, set, refs, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var s Set
	if err := s.Parse(b, false); err != nil {
		t.Fatal(err)
	}
	// The latest of column 1 stands at 20: of key a, the cell at 10 is late.
	outcome := s.AppendNewest(nil, func(section, column int) (int64, bool) { return 20, section == 0 && column == 0 })
	if err := s.Parse(append(b, outcome...), true); err != nil {
		t.Fatal(err)
	}
	got := s.Change(3, names)
	want := &model.Change{
		Position: 3, Tenant: set.Tenant, Entity: set.Entity, Scope: set.Scope,
		Keys: []string{"a", "b", "c"},
		Rows: []model.Row{{TS: 10, Cells: 1}, {TS: 30, Cells: 3}},
		Cells: []model.Cell{
			{Key: 0, Value: model.Float(-0.5)},
			{Key: 0, Value: model.Int(1)}, {Key: 1, Value: model.String("new")}, {Key: 2, Value: model.JSON("{}")},
		},
		Newest: []bool{false, true, true, true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestTwoKeysOfOnePlaceAreRefused(t *testing.T) {
	set, refs := sample()
	refs[1] = refs[0]
	var e Encoder
	if _, err := e.Set(nil, set, refs, 1<<30); !errors.Is(err, ErrTwice) {
		t.Errorf("got %v", err)
	}
}

func TestADeleteComesBack(t *testing.T) {
	d := Delete{
		From: -5, To: 9, Received: 3, Groups: []DeleteGroup{{Group: 1, Columns: 1 << 31}, {Group: 300, Columns: 7}},
		Changes: []LatestChange{{Ref: catalog.Ref{Group: 300, Column: 2}, Latest: catalog.Latest{TS: -6, Type: model.TypeString, Text: []byte("x")}}},
	}
	var got Delete
	if err := got.Parse(d.Append(nil)); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnEraseComesBack(t *testing.T) {
	e := Erase{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Lost: []Lost{{model.Timeseries, []string{"a", "bb"}}, {model.State, []string{"c"}}}}
	b := e.Append(nil)
	var got Erase
	if err := got.Parse(b); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v, %v", got, err)
	}
	for n := headLen + 1; n < len(b); n++ {
		if err := got.Parse(b[:n]); err == nil && len(got.Lost) == len(e.Lost) {
			t.Errorf("%d of %d bytes are an entry", n, len(b))
		}
	}
}

// FuzzParse: whatever stands in the log, reading it ends in an error or in an entry that can
// be used.
func FuzzParse(f *testing.F) {
	set, refs := sample()
	var e Encoder
	b, err := e.Set(nil, set, refs, 1<<30)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	SetFlags(b, InOrder)
	f.Add(b)
	f.Add((&Delete{Groups: []DeleteGroup{{Group: 1, Columns: 3}}}).Append(nil))
	f.Add((&Erase{Lost: []Lost{{model.Client, []string{"a"}}}}).Append(nil))
	f.Add((&Define{Group: 1, Names: []string{"a"}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Set
		for _, stamped := range []bool{false, true} {
			if s.Parse(b, stamped) == nil {
				s.Change(1, func(uint64) ([]string, bool) { return make([]string, 32), true })
				for i := range s.Sections {
					s.Sections[i].Last()
				}
			}
		}
		var d Delete
		_ = d.Parse(b)
		var x Erase
		_ = x.Parse(b)
		var n Define
		_ = n.Parse(b)
		_ = Each(1, b, func(model.Position, []byte) error { return nil })
	})
}

// However the keys of a set lie in groups, a follower sees the same rows.
func TestWhereKeysLieChangesNothingOfASet(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		keys, groups := 1+rng.IntN(60), 1+rng.IntN(60)
		set := &model.WriteSet{Scope: model.Timeseries}
		refs, byGroup := make([]catalog.Ref, keys), map[uint64][]string{}
		for k := range keys {
			name, group := fmt.Sprint("key", k), uint64(rng.IntN(groups))
			if len(byGroup[group]) == catalog.MaxColumns {
				group = uint64(groups + k)
			}
			refs[k] = catalog.Ref{Group: group, Column: uint8(len(byGroup[group]))}
			byGroup[group], set.Keys = append(byGroup[group], name), append(set.Keys, name)
		}
		want := map[string]model.Value{}
		for range rng.IntN(20) {
			row := model.Row{TS: rng.Int64N(30), Cells: rng.IntN(2 * keys)}
			for range row.Cells {
				c := model.Cell{Key: rng.IntN(keys), Value: model.Int(rng.Int64N(99))}
				if rng.IntN(3) == 0 {
					c.Value = model.String(fmt.Sprint(rng.IntN(99)))
				}
				set.Cells = append(set.Cells, c)
				want[fmt.Sprint(set.Keys[c.Key], "@", row.TS)] = c.Value
			}
			set.Rows = append(set.Rows, row)
		}
		var e Encoder
		for range 2 { // and nothing of the first time is left
			b, err := e.Set(nil, set, refs, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			var s Set
			if err := s.Parse(b, false); err != nil {
				t.Fatal(err)
			}
			got := map[string]model.Value{}
			c := s.Change(1, func(group uint64) ([]string, bool) { return byGroup[group], true })
			cell := 0
			for i, row := range c.Rows {
				if i > 0 && row.TS <= c.Rows[i-1].TS {
					t.Fatalf("seed %d: instant %d behind %d", seed, row.TS, c.Rows[i-1].TS)
				}
				for range row.Cells {
					got[fmt.Sprint(c.Keys[c.Cells[cell].Key], "@", row.TS)] = c.Cells[cell].Value
					cell++
				}
			}
			if cell != len(got) || !maps.Equal(got, want) {
				t.Fatalf("seed %d: %d cells at %d places, want %d", seed, cell, len(got), len(want))
			}
		}
	}
}
