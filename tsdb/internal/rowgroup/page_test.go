package rowgroup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

func entryOf(t *column.Table) PageEntry {
	e := PageEntry{First: t.Times[0], Last: t.Times[t.Len()-1], Rows: t.Len()}
	e.Summaries = make([]summary.Summary, len(t.Columns))
	for c := range t.Columns {
		e.Summaries[c].AddColumn(t.Times, &t.Columns[c], 0, t.Len())
	}
	return e
}

// A page answers as its row groups' own summaries do, whichever of them are asked for.
func TestPagesAnswerAsTheirRowGroups(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var groups []PageEntry
		columns := 1 + rng.IntN(5)
		next := make([]func(int) model.Value, columns)
		for c := range next {
			next[c] = kinds[rng.IntN(len(kinds))](rng)
		}
		ts := rng.Int64N(1 << 40)
		for range 1 + rng.IntN(PageRowGroups) {
			table := new(column.Table)
			table.Reset(1 + rng.IntN(columns))
			for i := range 1 + rng.IntN(40) {
				table.Times = append(table.Times, ts)
				ts += 1 + rng.Int64N(10000)
				for c := range table.Columns {
					if rng.IntN(4) == 0 {
						table.Columns[c].AppendNone(1)
					} else {
						table.Columns[c].Append(next[c](i))
					}
				}
			}
			groups = append(groups, entryOf(table))
		}
		k := Key{Partition: PartitionOf(groups[0].First), Group: 3, First: groups[0].First}
		b, err := AppendPage(nil, k, groups)
		check(t, err)
		var p PageReader
		check(t, p.Reset(k, b))
		if p.Len() != len(groups) {
			t.Fatalf("%d row groups, want %d", p.Len(), len(groups))
		}
		for i, g := range groups {
			if p.First(i) != g.First || p.Last(i) != g.Last || p.Rows(i) != g.Rows {
				t.Fatalf("row group %d: %d to %d, %d rows", i, p.First(i), p.Last(i), p.Rows(i))
			}
		}
		for c := range columns {
			for range 10 {
				lo := rng.IntN(len(groups) + 1)
				hi := lo + rng.IntN(len(groups)-lo+1)
				var got, want summary.Summary
				check(t, p.Aggregate(c, lo, hi, model.AllAggregates, &got))
				for _, g := range groups[lo:hi] {
					if c < len(g.Summaries) {
						want.Merge(&g.Summaries[c])
					}
				}
				if err := sameBucket(&got, &want); err != nil {
					t.Fatalf("seed %d, column %d, %d to %d: %v", seed, c, lo, hi, err)
				}
				got = summary.Summary{}
				some := model.Aggregates(rng.IntN(1 + int(model.AllAggregates)))
				check(t, p.Aggregate(c, lo, hi, some, &got))
				if err := sameAnswer(&got, &want, some); err != nil {
					t.Fatalf("seed %d, column %d, %d to %d: %v", seed, c, lo, hi, err)
				}
			}
		}
	}
}

func goldenPage(t *testing.T) (Key, []byte) {
	var groups []PageEntry
	for i := range 3 {
		base := 1700000000000 + i*1000000
		groups = append(groups, entryOf(tableOf(2,
			[]any{base, 20.5 + float64(i), "on"},
			[]any{base + 10000, 21, true},
			[]any{base + 20000, 21.75, model.TypeNull})))
	}
	k := Key{Partition: PartitionOf(groups[0].First), Group: 7, First: groups[0].First}
	b, err := AppendPage(nil, k, groups)
	check(t, err)
	return k, b
}

// The bytes of a page do not change by accident.
func TestGoldenPage(t *testing.T) {
	k, b := goldenPage(t)
	golden(t, "page", "# page      regenerate: go test ./tsdb/internal/rowgroup -update\n"+
		"three row groups of 20.5+i, 21, 21.75 and \"on\", true, null\n----\n"+dumpPage(k, b), b)
}

func dumpPage(k Key, b []byte) string {
	d := &dumper{b: b}
	d.note(1, "version %d", b[0])
	n, columns := int(b[1]), int(b[2])
	d.note(1, "%d row groups", n)
	d.note(1, "%d columns", columns)
	first := d.ints(len(b), n, "first ts, less the key's")
	span := d.ints(len(b), n, "last ts less first ts")
	d.ints(len(b), n, "rows")
	lengths := make([]int, columns)
	for i := range lengths {
		lengths[i] = int(d.note(1, "column %d: %d bytes", i, b[d.at])[0])
	}
	for i, l := range lengths {
		fmt.Fprintf(&d.out, "# column %d\n", i)
		end := d.at + l
		if d.note(1, "form: %s", [...]string{"each by itself", "numbers"}[b[d.at]])[0] == pageNumbers {
			d.note(1, "scale: %d digits", b[d.at])
			for _, name := range [...]string{"cells", "ints", "min", "spread", "sum less cells*(min+max)/2",
				"first point less first row", "last row less last point", "first", "last", "type of first", "type of last"} {
				d.ints(end, n, name)
			}
			continue
		}
		for j := range n {
			d.note(len(b)-4-d.at-restOf(b[d.at:len(b)-4], k.First+first[j], span[j]), "summary of row group %d", j)
		}
	}
	d.note(4, "crc32c of key and bytes")
	return d.out.String()
}

// A flipped bit anywhere in a page, or a row group's key in the place of a page's, is noticed.
func TestEveryFlippedBitOfAPageIsNoticed(t *testing.T) {
	k, b := goldenPage(t)
	var p PageReader
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if err := p.Reset(k, b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	check(t, p.Reset(k, b))
	var r Reader
	if err := r.Reset(k, b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a page is read as a row group: %v", err)
	}
}

// restOf returns the bytes behind the summary at the front of b.
func restOf(b []byte, first, span int64) int {
	c := codec.NewCursor(b)
	var s summary.Summary
	s.Read(&c, first, first+span)
	return c.Len()
}
