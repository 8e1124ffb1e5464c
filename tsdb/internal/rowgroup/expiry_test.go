package rowgroup

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// mortal gives cells of t expiries: those of a row alike, or of some columns only.
func mortal(rng *rand.Rand, t *column.Table) {
	whole := rng.IntN(2) == 0
	for c := range t.Columns {
		if !whole && rng.IntN(3) == 0 {
			continue
		}
		expiries := make([]int64, t.Len())
		for i, ts := range t.Times {
			switch {
			case whole && i%7 != 3:
				expiries[i] = ts + 60_000 + int64(i%5)
			case !whole && rng.IntN(3) > 0:
				expiries[i] = ts + rng.Int64N(1e12) - 1e6
			}
		}
		t.Columns[c].SetExpiry(expiries)
	}
}

func TestExpiriesComeBack(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		table := randomTable(rng, 1+rng.IntN(700))
		table = firstRows(table, Fit(table, 0))
		plain := encode(t, table)
		mortal(rng, table)
		b := encode(t, table)
		r := open(t, keyOf(table), b)
		least, err := r.Expires()
		check(t, err)
		if least != table.Expires() {
			t.Fatalf("seed %d: least expiry %d, want %d", seed, least, table.Expires())
		}
		if least == 0 && len(b) != len(plain) {
			t.Fatalf("seed %d: without an expiry %d bytes, %d with none", seed, len(plain), len(b))
		}
		got := new(column.Table)
		got.Reset(r.Columns())
		for c := range got.Columns {
			check(t, r.Decode(c, 0, r.Rows(), &got.Columns[c]))
		}
		check(t, r.DecodeExpiries(got))
		for c := range table.Columns {
			want := table.Columns[c].Expiry
			if want == nil {
				want = make([]int64, table.Len())
			}
			have := got.Columns[c].Expiry
			if have == nil {
				have = make([]int64, table.Len())
			}
			if !slices.Equal(want, have) {
				t.Fatalf("seed %d: expiries of column %d: %v, want %v", seed, c, have, want)
			}
			compareColumns(t, &got.Columns[c], &table.Columns[c], 0, r.Rows())
		}
	}
}

// Points that arrive regularly with one time to live cost next to nothing more.
func TestOneTimeToLiveIsSmall(t *testing.T) {
	table := newFleet(1).table(1000, 0, false)
	plain := len(encode(t, table))
	for c := range table.Columns {
		expiries := make([]int64, table.Len())
		for i, ts := range table.Times {
			expiries[i] = ts + 3600_000
		}
		table.Columns[c].SetExpiry(expiries)
	}
	if more := len(encode(t, table)) - plain; more > 64 {
		t.Errorf("%d rows with one time to live take %d bytes more", table.Len(), more)
	}
}

func TestAnExpiryOfAColumnThatIsNotThereIsDamage(t *testing.T) {
	table := tableOf(1, []any{1700000000000, 1}, []any{1700000010000, 2})
	table.Columns[0].SetExpiry([]int64{1700000060000, 0})
	b := encode(t, table)
	r := open(t, keyOf(table), b)
	r.optional[0].column = 1
	one := new(column.Table)
	one.Reset(1)
	one.Columns[0].Append(model.Int(1))
	if err := r.DecodeExpiries(one); err == nil {
		t.Error("no error")
	}
	for n := range r.optional[0].body {
		cut := *r
		cut.optional = []optional{{column: everyColumn, kind: kindExpiry, body: r.optional[0].body[:n]}}
		if err := cut.DecodeExpiries(one); err == nil {
			t.Errorf("no error after %d bytes", n)
		}
	}
}

// dumpExpiry notes an optional column.
func (d *dumper) dumpExpiry(end int, number byte, rows int) {
	if number == everyColumn {
		fmt.Fprintln(&d.out, "# expiry of every column")
	} else {
		fmt.Fprintf(&d.out, "# expiry of column %d\n", number)
	}
	d.run(end, func(c *codec.Cursor) string { return fmt.Sprintf("least: %d", c.Varint()) })
	var present [maxWords]uint64
	d.run(end, func(c *codec.Cursor) string {
		codec.ReadBitmap(c, present[:], rows)
		return fmt.Sprintf("cells that have one: %d", codec.CountBits(present[:], 0, rows))
	})
	n := codec.CountBits(present[:], 0, rows)
	for lo := 0; lo < n; lo += StepRows {
		d.ints(end, min(StepRows, n-lo), "ms behind the instant")
	}
}
