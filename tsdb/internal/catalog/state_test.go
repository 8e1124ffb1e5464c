package catalog

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// states are what a row may hold: nothing, and a value of every type behind extreme instants.
func states() []State {
	return []State{
		{Latest: []Latest{}},
		{
			Tail: Tail{
				Last: math.MaxInt64, Any: true, Sealed: math.MinInt64, Small: 3, SmallRows: 4096,
				Partition: -7, Unpaged: 63, Outlived: 1 << 31,
				Hidden: []Tomb{
					{Columns: 1, From: math.MinInt64, To: math.MaxInt64, Expired: true},
					{Columns: 1<<31 | 2, From: -5, To: -4},
				},
			},
			LastTS:  -1,
			Touched: 1<<31 | 5,
			Latest: []Latest{
				{Type: model.TypeFloat, TS: 1_700_000_000_000, Bits: math.Float64bits(-0.5)},
				{},
				{Type: model.TypeNull, TS: math.MinInt64},
				{Type: model.TypeString, TS: 0, Text: []byte("väl\x00ue")},
				{Type: model.TypeInt, TS: math.MaxInt64, Bits: 1 << 63},
				{Type: model.TypeJSON, TS: 1, Text: []byte(`{"a":1}`)},
				{Type: model.TypeBool, TS: 2, Bits: 1},
			},
		},
	}
}

func row(s *State) []byte { return s.Tail.Append(nil, s.AppendLatest(nil)) }

func TestStatesComeBack(t *testing.T) {
	for _, want := range states() {
		var got State
		if err := got.Parse(row(&want)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	}
}

func TestEveryCutOfAStateIsNoticed(t *testing.T) {
	for _, state := range states() {
		b := row(&state)
		for n := range b {
			if err := new(State).Parse(b[:n]); !errors.Is(err, ErrRow) {
				t.Errorf("%d of %d bytes: %v", n, len(b), err)
			}
		}
		if err := new(State).Parse(append(b, 0)); !errors.Is(err, ErrRow) {
			t.Errorf("a byte more: %v", err)
		}
		b[0]++
		if err := new(State).Parse(b); !errors.Is(err, ErrRow) {
			t.Errorf("another version: %v", err)
		}
	}
}

func FuzzStateParse(f *testing.F) {
	for _, s := range states() {
		f.Add(row(&s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again State
		if s.Parse(b) != nil {
			return
		}
		if err := again.Parse(row(&s)); err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("%v: %+v, then %+v", err, s, again)
		}
	})
}
