package scan

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/twin"
)

// Some libraries start goroutines when the program starts; none of ours may outlive a test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// A fakeSource is real bytes in sorted slices.
type fakeSource struct {
	group   uint64
	rows    []item // row groups
	pages   []item
	heads   []Head
	deleted []Tombstone
	plain   bool // cursors hand out the stored bytes: for benchmarks
}

type item struct {
	first int64
	b     []byte
}

func (s *fakeSource) Heads() []Head        { return s.heads }
func (s *fakeSource) Deleted() []Tombstone { return s.deleted }
func (s *fakeSource) Cursor(space Space) (Cursor, error) {
	if space == Pages {
		return &fakeCursor{items: s.pages, plain: s.plain}, nil
	}
	return &fakeCursor{items: s.rows, plain: s.plain}, nil
}

// A fakeCursor overwrites what it returned before, as a real one may.
type fakeCursor struct {
	items  []item
	b      []byte
	plain  bool
	closed bool
}

func (c *fakeCursor) find(ts int64) (int, bool) {
	return slices.BinarySearchFunc(c.items, ts, func(i item, ts int64) int { return cmp.Compare(i.first, ts) })
}

func (c *fakeCursor) SeekGE(ts int64) (int64, []byte, error) {
	i, _ := c.find(ts)
	return c.at(i)
}

func (c *fakeCursor) SeekLE(ts int64) (int64, []byte, error) {
	i, exact := c.find(ts)
	if !exact {
		i--
	}
	return c.at(i)
}

func (c *fakeCursor) at(i int) (int64, []byte, error) {
	if c.closed {
		panic("cursor is closed")
	}
	if i < 0 || i >= len(c.items) {
		return 0, nil, nil
	}
	if c.plain {
		return c.items[i].first, c.items[i].b, nil
	}
	for j := range c.b {
		c.b[j] = 0xaa
	}
	c.b = append(c.b[:0], c.items[i].b...)
	return c.items[i].first, c.b, nil
}

func (c *fakeCursor) Close() error {
	if c.closed {
		panic("cursor is closed twice")
	}
	c.closed = true
	return nil
}

// put encodes t, whose rows are of one partition and come after those already there.
func (s *fakeSource) put(tb testing.TB, t *column.Table) {
	tb.Helper()
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(t.Times[0]), Group: s.group, First: t.Times[0]}
	b, err := rowgroup.Append(nil, k, t)
	if err != nil {
		tb.Fatal(err)
	}
	s.rows = append(s.rows, item{k.First, b})
}

// page makes pages of n row groups each of every partition, leaving out the last ones of it.
func (s *fakeSource) page(tb testing.TB, n, leave int) {
	tb.Helper()
	for lo := 0; lo < len(s.rows); {
		hi := lo
		for hi < len(s.rows) && rowgroup.PartitionOf(s.rows[hi].first) == rowgroup.PartitionOf(s.rows[lo].first) {
			hi++
		}
		for from := lo; from < hi-leave; from += n {
			s.pageOf(tb, s.rows[from:min(from+n, hi-leave)])
		}
		lo = hi
	}
}

func (s *fakeSource) pageOf(tb testing.TB, rows []item) {
	tb.Helper()
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(rows[0].first), Group: s.group, First: rows[0].first}
	var entries []rowgroup.PageEntry
	for _, i := range rows {
		var r rowgroup.Reader
		if err := r.Reset(rowgroup.Key{Partition: k.Partition, Group: s.group, First: i.first}, i.b); err != nil {
			tb.Fatal(err)
		}
		e := rowgroup.PageEntry{First: r.First(), Last: r.Last(), Rows: r.Rows()}
		for c := range r.Columns() {
			e.Summaries = append(e.Summaries, *r.Summary(c))
		}
		entries = append(entries, e)
	}
	b, err := rowgroup.AppendPage(nil, k, entries)
	if err != nil {
		tb.Fatal(err)
	}
	s.pages = append(s.pages, item{k.First, b})
}

// A history is a fakeSource and what its columns should read as.
type history struct {
	*fakeSource
	truth    []twin.Series
	from, to int64 // about where the points lie
}

// randomHistory makes the history of one group: row groups, perhaps of several partitions,
// some of them in pages; then up to two heads with late, corrected and new rows; deletes at
// any time. It begins about at, or anywhere when at is zero.
func randomHistory(tb testing.TB, rng *rand.Rand, at int64) *history {
	tb.Helper()
	kinds := make([]int, 1+rng.IntN(4))
	for i := range kinds {
		kinds[i] = rng.IntN(9)
	}
	h := &history{
		fakeSource: &fakeSource{group: rng.Uint64()},
		truth:      make([]twin.Series, len(kinds)),
	}
	for c := range h.truth {
		h.truth[c] = twin.Series{}
	}
	every := []int64{1, 1000, 1000, 10_000, 60_000, 3600_000, 86_400_000}[rng.IntN(7)]
	n := rng.IntN([]int{3, 60, 400, 1500, 5000}[rng.IntN(5)])
	h.from = at
	if at == 0 {
		h.from = rng.Int64N(60*365*86_400_000) - 5*365*86_400_000
	}
	if rng.IntN(4) == 0 { // across a partition's end
		h.from = rowgroup.PartitionOf(h.from)*rowgroup.PartitionMillis - int64(n/2)*every
	}
	size := 1 + rng.IntN([]int{5, 40, 300, rowgroup.MaxRows}[rng.IntN(4)])
	var t column.Table
	t.Reset(1 + rng.IntN(len(kinds)))
	flush := func() {
		if t.Len() == 0 {
			return
		}
		h.put(tb, &t)
		t.Reset(1 + rng.IntN(len(kinds)))
	}
	jitter := rng.IntN(3) == 0
	ts := h.from
	for range n {
		if jitter {
			ts += rng.Int64N(every)
		}
		if rng.IntN(200) == 0 {
			ts += every * rng.Int64N(500)
		}
		if t.Len() > 0 && rowgroup.PartitionOf(t.Times[0]) != rowgroup.PartitionOf(ts) || t.Len() >= size {
			flush()
		}
		t.Times = append(t.Times, ts)
		for c := range t.Columns {
			v := randomValue(rng, kinds[c])
			if v.IsNone() && t.Len() > 0 {
				t.Columns[c].AppendNone(1)
				continue
			}
			t.Columns[c].Append(v)
			h.truth[c][ts] = v
		}
		ts += every
	}
	flush()
	h.to = ts + every
	h.page(tb, 1+rng.IntN(8), rng.IntN(3))

	remove := func() {
		d := Tombstone{Column: rng.IntN(len(kinds)), From: h.from + rng.Int64N(h.to-h.from+1)}
		d.To = d.From + rng.Int64N((h.to-h.from)/int64(1+rng.IntN(50))+1)
		h.deleted = append(h.deleted, d)
		for i := range h.heads {
			h.heads[i].Deleted = append(h.heads[i].Deleted, HeadTombstone{d, len(h.heads[i].Times)})
		}
		for ts := range h.truth[d.Column] {
			if d.From <= ts && ts < d.To {
				delete(h.truth[d.Column], ts)
			}
		}
	}
	deletes := rng.IntN(4) == 0
	for range rng.IntN(4) {
		if deletes {
			remove()
		}
	}
	for range rng.IntN(3) {
		h.heads = append(h.heads, Head{Columns: make([]column.Column, 1+rng.IntN(len(kinds)))})
		head := &h.heads[len(h.heads)-1]
		late := rng.IntN(2) == 0
		for range rng.IntN([]int{2, 30, 300}[rng.IntN(3)]) {
			at := ts
			switch {
			case late && rng.IntN(2) == 0 && len(h.rows) > 0: // very often a stored instant
				at = h.from + rng.Int64N(h.to-h.from)
				if every > 1 && !jitter {
					at = h.from + (at-h.from)/every*every
				}
			case late && rng.IntN(4) == 0 && len(head.Times) > 0:
				at = head.Times[rng.IntN(len(head.Times))]
			default:
				ts += 1 + rng.Int64N(2*every)
			}
			head.Times = append(head.Times, at)
			for c := range head.Columns {
				v := randomValue(rng, kinds[c])
				if v.IsNone() {
					head.Columns[c].AppendNone(1)
					continue
				}
				head.Columns[c].Append(v)
				h.truth[c][at] = v
			}
			if deletes && rng.IntN(50) == 0 {
				remove()
			}
		}
		h.to = max(h.to, ts)
		head.order()
	}
	return h
}

// order fills Order if it is needed.
func (h *Head) order() {
	if strictly := func() bool {
		for i := 1; i < len(h.Times); i++ {
			if h.Times[i] <= h.Times[i-1] {
				return false
			}
		}
		return true
	}(); strictly {
		return
	}
	for i := range h.Times {
		h.Order = append(h.Order, int32(i))
	}
	slices.SortStableFunc(h.Order, func(a, b int32) int { return cmp.Compare(h.Times[a], h.Times[b]) })
}

// randomValue returns a value of a column of some kind, or none.
func randomValue(rng *rand.Rand, kind int) model.Value {
	if rng.IntN(12) == 0 {
		return model.Value{}
	}
	if kind > 1 && rng.IntN(30) == 0 {
		return model.Null()
	}
	if kind == 8 {
		kind = rng.IntN(8)
	}
	switch kind {
	case 0, 2:
		return model.Int(rng.Int64N(2000) - 1000)
	case 1:
		return decimal(rng.Int64N(100000)-50000, 2)
	case 3: // 21 between 20.99 and 21.01
		n := 2000 + rng.Int64N(300)
		if n%100 == 0 {
			return model.Int(n / 100)
		}
		return decimal(n, 2)
	case 4:
		return model.String(strings.Repeat(string(rune('a'+rng.IntN(20))), rng.IntN(9)))
	case 5:
		return model.Bool(rng.IntN(2) == 0)
	case 6:
		return model.JSON(fmt.Sprintf(`{"n":%d}`, rng.IntN(1000)))
	}
	switch rng.IntN(8) {
	case 0:
		return model.Int(math.MaxInt64 - rng.Int64N(3))
	case 1:
		return model.Int(math.MinInt64 + rng.Int64N(3))
	case 2:
		return model.Float(math.Copysign(0, -1))
	case 3:
		return decimal(rng.Int64N(1e15), rng.IntN(13))
	case 4:
		return model.Float(rng.NormFloat64() * 1e6)
	case 5:
		return model.Float(rng.Float64())
	}
	return model.Int(rng.Int64N(1 << 40))
}

// decimal returns the float nearest to n / 10^scale.
func decimal(n int64, scale int) model.Value { return model.Float(float64(n) / math.Pow10(scale)) }
