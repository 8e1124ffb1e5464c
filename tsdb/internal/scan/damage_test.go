package scan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// A tornSource has places that cannot be read at all.
type tornSource struct {
	*fakeSource
	rowGaps, pageGaps []Gap
}

func (s *tornSource) Cursor(space Space) (Cursor, error) {
	c, err := s.fakeSource.Cursor(space)
	gaps := s.rowGaps
	if space == Pages {
		gaps = s.pageGaps
	}
	return &tornCursor{c, gaps}, err
}

type tornCursor struct {
	Cursor
	gaps []Gap
}

func (c *tornCursor) SeekGE(ts int64) (int64, []byte, error) {
	first, b, err := c.Cursor.SeekGE(ts)
	for i := range c.gaps { // whatever comes first, item or gap, is met
		if g := &c.gaps[i]; g.To > ts && (b == nil || first >= g.From) {
			return 0, nil, fmt.Errorf("read: %w", g)
		}
	}
	return first, b, err
}

func (c *tornCursor) SeekLE(ts int64) (int64, []byte, error) {
	first, b, err := c.Cursor.SeekLE(ts)
	for i := len(c.gaps) - 1; i >= 0; i-- {
		if g := &c.gaps[i]; g.From <= ts && (b == nil || first < g.To) {
			return 0, nil, fmt.Errorf("read: %w", g)
		}
	}
	return first, b, err
}

// answers lists what a source is asked and answers.
func answers(t *testing.T, src Source, s *Scanner, q *model.RangeQuery) (raw, agg []string, told []Damage) {
	t.Helper()
	series := []Series{{src, 7, 0}}
	keep := func(err error) {
		if err == nil {
			return
		}
		e, ok := errors.AsType[*DamageError](err)
		if !ok {
			t.Fatalf("%+v: %v", q, err)
		}
		for _, d := range e.Damage {
			if !d.Page {
				told = append(told, d)
			}
		}
	}
	keep(s.Raw(t.Context(), nil, q, series, func(_ int, points []model.Point) error {
		for _, p := range points {
			raw = append(raw, fmt.Sprintf("%d %#v", p.TS, p.Value))
		}
		return nil
	}))
	keep(s.Aggregate(t.Context(), nil, q, series, func(_ int, buckets []model.Bucket) error {
		for _, b := range buckets {
			agg = append(agg, fmt.Sprintf("%d %d %#v %#v", b.From, b.Count, b.Min, b.Last))
		}
		return nil
	}))
	return raw, agg, told
}

// Whatever is damaged, the rest is answered, and what may be missing is told: neither more
// nor less than where the damaged row groups stand.
func TestDamageIsSteppedOverAndTold(t *testing.T) {
	const groups, rows, step = 100, 50, 1000
	struck := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 9))
		torn := &tornSource{fakeSource: regular(t, groups, rows, 1, step)}
		whole := regular(t, groups, rows, 1, step)
		paged := rng.IntN(2) == 0
		if paged {
			torn.page(t, 10, rng.IntN(12))
			for range rng.IntN(3) {
				b := torn.pages[rng.IntN(len(torn.pages))].b
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
			if rng.IntN(4) == 0 {
				from := torn.pages[rng.IntN(len(torn.pages))].first
				torn.pageGaps = []Gap{{From: from, To: from + int64(1+rng.IntN(30))*rows*step, Err: errors.New("torn")}}
			}
		}
		var lost []Damage
		gone := map[int64]bool{}
		lose := func(from, to int64) {
			for i := from; i < to; i++ {
				gone[i*rows*step] = true
			}
			lost = append(lost, Damage{From: from * rows * step, To: to * rows * step})
		}
		at := int64(rng.IntN(groups - 40))
		switch rng.IntN(3) {
		case 0: // bytes of a row group
			b := torn.rows[at].b
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			lose(at, at+1)
		case 1: // several cannot be read
			n := int64(1 + rng.IntN(20))
			torn.rowGaps = []Gap{{From: at * rows * step, To: (at + n) * rows * step, Err: errors.New("torn")}}
			lose(at, at+n)
		default: // one behind the other
			torn.rowGaps = []Gap{
				{From: at * rows * step, To: (at + 2) * rows * step, Err: errors.New("torn")},
				{From: (at + 5) * rows * step, To: (at + 6) * rows * step, Err: errors.New("torn")},
			}
			lose(at, at+2)
			lose(at+5, at+6)
		}
		whole.rows = slices.DeleteFunc(whole.rows, func(i item) bool { return gone[i.first] })
		for range 8 {
			from := int64(rng.IntN(groups * rows * step))
			q := &model.RangeQuery{
				From: from, To: from + 1 + int64(rng.IntN(groups*rows*step)), Descending: rng.IntN(2) == 0,
				Every: model.Interval{Width: 1 + int64(rng.IntN(20*rows*step))}, Aggregates: model.Count | model.Min | model.Last,
			}
			s := &Scanner{always: paged && rng.IntN(2) == 0}
			raw, agg, told := answers(t, torn, s, q)
			wantRaw, _, _ := answers(t, whole, s, q)
			if !slices.Equal(raw, wantRaw) {
				t.Fatalf("seed %d, %+v: %d points, want %d", seed, q, len(raw), len(wantRaw))
			}
			if _, wantAgg, _ := answers(t, whole, s, q); !paged && !slices.Equal(agg, wantAgg) {
				t.Fatalf("seed %d, %+v:\n%q\nwant\n%q", seed, q, agg, wantAgg)
			}
			for _, l := range lost {
				from, to := max(l.From, q.From), min(l.To, q.To)
				if from >= to {
					continue
				}
				struck++
				if !slices.ContainsFunc(told, func(d Damage) bool { return d.Group == 7 && d.From <= from && d.To >= to }) {
					t.Fatalf("seed %d, %+v: %d to %d is missing, told %v", seed, q, from, to, told)
				}
			}
			for _, d := range told {
				if !slices.ContainsFunc(lost, func(l Damage) bool { return l.From <= d.From && d.To <= l.To }) {
					t.Fatalf("seed %d, %+v: told %d to %d, lost is %v", seed, q, d.From, d.To, lost)
				}
			}
		}
	}
	t.Logf("%d damaged spans struck", struck)
	if struck == 0 {
		t.Error("no damage was met")
	}
}

// A summary in a page serves although the row group behind it is damaged.
func TestAPageAnswersForADamagedRowGroup(t *testing.T) {
	src := regular(t, 100, 50, 1, 1000)
	src.page(t, 10, 0)
	src.rows[50].b[30] ^= 1
	q := &model.RangeQuery{From: 0, To: 5_000_000, Every: model.Interval{Width: 500_000}, Aggregates: model.Count}
	total := int64(0)
	err := (&Scanner{always: true}).Aggregate(t.Context(), nil, q, []Series{{src, 7, 0}}, func(_ int, buckets []model.Bucket) error {
		for _, b := range buckets {
			total += b.Count
		}
		return nil
	})
	if err != nil || total != 5000 {
		t.Errorf("%d points, %v", total, err)
	}
	src.pages[5].b[9] ^= 1
	err = (&Scanner{always: true}).Aggregate(t.Context(), nil, q, []Series{{src, 7, 0}}, func(int, []model.Bucket) error { return nil })
	if !errors.Is(err, rowgroup.ErrCorrupt) {
		t.Errorf("page and row group are damaged: %v", err)
	}
}
