package blocks

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A shelf is a store of one group.
type shelf [2]map[int64][]byte

func (s *shelf) Cursor(space scan.Space) (scan.Cursor, error) { return &shelfCursor{s[space]}, nil }

type shelfCursor struct{ items map[int64][]byte }

func (c *shelfCursor) SeekGE(ts int64) (int64, []byte, error) {
	for _, first := range slices.Sorted(maps.Keys(c.items)) {
		if first >= ts {
			return first, c.items[first], nil
		}
	}
	return 0, nil, nil
}

func (c *shelfCursor) SeekLE(ts int64) (int64, []byte, error) {
	firsts := slices.Sorted(maps.Keys(c.items))
	for _, first := range slices.Backward(firsts) {
		if first <= ts {
			return first, c.items[first], nil
		}
	}
	return 0, nil, nil
}

func (c *shelfCursor) Close() error { return nil }

// put carries out what a placer wants.
func (s *shelf) put(p *Placer) {
	for space, e := range []*Edit{scan.RowGroups: &p.RowGroups, scan.Pages: &p.Pages} {
		for _, span := range e.Ranges() {
			maps.DeleteFunc(s[space], func(first int64, _ []byte) bool { return first >= span.From && first < span.To })
		}
		e.Gone(func(first int64) { delete(s[space], first) })
		for _, item := range e.Put() {
			s[space][item.First] = item.Value
		}
	}
}

type cell struct {
	ts     int64
	column int
}

// contents returns the cells that are to be seen, and what is wrong with how they lie there.
func (s *shelf) contents(tail *catalog.Tail, columns int) (map[cell]model.Value, error) {
	seen := map[cell]model.Value{}
	var r rowgroup.Reader
	last := int64(-1 << 62)
	for _, first := range slices.Sorted(maps.Keys(s[scan.RowGroups])) {
		k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: 7, First: first}
		if err := r.Reset(k, s[scan.RowGroups][first]); err != nil {
			return nil, err
		}
		times, err := r.Times()
		if err != nil {
			return nil, err
		}
		if times[0] != first || first <= last || rowgroup.PartitionOf(times[len(times)-1]) != k.Partition {
			return nil, fmt.Errorf("row group at %d begins at %d, the one before ends at %d", first, times[0], last)
		}
		last = times[len(times)-1]
		for c := range r.Columns() {
			var cells column.Column
			if err := r.Decode(c, 0, len(times), &cells); err != nil {
				return nil, err
			}
			for i, ts := range times {
				hidden := slices.ContainsFunc(tail.Hidden, func(t catalog.Tomb) bool {
					return t.Columns&(1<<c) != 0 && ts >= t.From && ts < t.To
				})
				if v := cells.At(i); !v.IsNone() && !hidden {
					seen[cell{ts, c}] = v
				}
			}
		}
	}
	return seen, s.checkPages()
}

// checkPages verifies that the pages of a partition list a prefix of its row groups.
func (s *shelf) checkPages() error {
	firsts := slices.Sorted(maps.Keys(s[scan.RowGroups]))
	at, partition := 0, int64(-1<<62)
	for _, first := range slices.Sorted(maps.Keys(s[scan.Pages])) {
		k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: 7, First: first}
		if k.Partition != partition {
			partition = k.Partition
			at, _ = slices.BinarySearch(firsts, partition*rowgroup.PartitionMillis)
		}
		var p rowgroup.PageReader
		if err := p.Reset(k, s[scan.Pages][first]); err != nil {
			return fmt.Errorf("page %d: %w", first, err)
		}
		for i := range p.Len() {
			if at >= len(firsts) || firsts[at] != p.First(i) {
				return fmt.Errorf("page %d lists a row group at %d that is not the next one", first, p.First(i))
			}
			at++
		}
	}
	return nil
}

// Whatever is placed in whatever order, what is read is what a map holds, row groups do not
// overlap and pages list the first of them.
func TestPlacingGivesTheContentsOfAMap(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { placeAtRandom(t, seed) })
	}
}

func placeAtRandom(t *testing.T, seed uint64) {
	const columns, day = 3, int64(24 * 3600_000)
	rng := rand.New(rand.NewPCG(seed, 1))
	rules := Rules{JoinCount: 2 + rng.IntN(4), JoinRows: 8 + rng.IntN(40), MergeRows: 1 + rng.IntN(30), SealRows: 8 + rng.IntN(60), PageCount: 1 + rng.IntN(4)}.WithDefaults()
	s := &shelf{map[int64][]byte{}, map[int64][]byte{}}
	truth := map[cell]model.Value{}
	var tail catalog.Tail
	now := int64(1_700_000_000_000) / rowgroup.PartitionMillis * rowgroup.PartitionMillis
	for step := range 60 {
		p := New(s, 7, columns, tail, rules)
		p.Rewrites = rng.IntN(6)
		var err error
		switch what := rng.IntN(12); {
		case what == 0:
			err = p.Tidy()
		case what == 1:
			_, err = p.Reclaim(1 + rng.IntN(10))
		default:
			var tombs []scan.Tombstone
			for range rng.IntN(3) {
				d := scan.Tombstone{Column: rng.IntN(columns), From: now - rng.Int64N(20*day)}
				d.To = d.From + 1 + rng.Int64N(2*day)
				tombs = append(tombs, d)
				maps.DeleteFunc(truth, func(c cell, _ model.Value) bool { return c.column == d.Column && c.ts >= d.From && c.ts < d.To })
			}
			err = p.Rows(someRows(rng, &now, columns, truth), tombs)
		}
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		s.put(p)
		tail = p.Tail
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		seen, err := s.contents(&tail, columns)
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if !maps.Equal(seen, truth) {
			t.Fatalf("step %d: %d cells, want %d", step, len(seen), len(truth))
		}
	}
}

// someRows makes rows in order, late, or corrections, and notes them in truth.
func someRows(rng *rand.Rand, now *int64, columns int, truth map[cell]model.Value) *column.Table {
	var rows column.Table
	rows.Reset(columns)
	ts, step := *now, int64(60_000)*(1+rng.Int64N(240))
	if rng.IntN(3) == 0 {
		ts -= rng.Int64N(40*24) * 3600_000
	}
	for range rng.IntN(90) {
		rows.Times = append(rows.Times, ts)
		full := rng.IntN(columns)
		for c := range columns {
			if c != full && rng.IntN(3) == 0 {
				rows.Columns[c].AppendNone(1)
				continue
			}
			v := model.Int(rng.Int64N(1000))
			if rng.IntN(9) == 0 {
				v = model.String(fmt.Sprint("text ", rng.IntN(9)))
			}
			rows.Columns[c].Append(v)
			truth[cell{ts, c}] = v
		}
		ts += step
	}
	*now = max(*now, ts)
	return &rows
}
