package bucket

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/tidewire/tidewire/model"
)

// A cut is one bucket.
type cut struct{ start, end int64 }

func all(t testing.TB, from, to int64, every model.Interval) []cut {
	t.Helper()
	c, err := New(from, to, every)
	if err != nil {
		t.Fatalf("New(%d, %d, %+v): %v", from, to, every, err)
	}
	var out []cut
	for {
		start, end, ok := c.Next()
		if !ok {
			return out
		}
		out = append(out, cut{start, end})
	}
}

func TestFixedBucketsStartWithTheRange(t *testing.T) {
	f := func(from, to, width int64, want ...cut) {
		t.Helper()
		every := model.Interval{Unit: model.Fixed, Width: width}
		if got := all(t, from, to, every); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("[%d,%d) by %d: %v, want %v", from, to, width, got, want)
		}
		c, _ := New(from, to, every)
		if c.Count() != int64(len(want)) {
			t.Errorf("[%d,%d) by %d: Count %d, want %d", from, to, width, c.Count(), len(want))
		}
	}
	f(0, 80000, 50000, cut{0, 50000}, cut{50000, 80000})
	f(7, 27, 10, cut{7, 17}, cut{17, 27})
	f(-15, 6, 10, cut{-15, -5}, cut{-5, 5}, cut{5, 6})
	f(5, 5, 10, cut{5, 6})
	f(5, -100, 10, cut{5, 6})
	f(0, 1, math.MaxInt64, cut{0, 1})
	f(math.MinInt64, math.MaxInt64, math.MaxInt64,
		cut{math.MinInt64, -1}, cut{-1, math.MaxInt64 - 1}, cut{math.MaxInt64 - 1, math.MaxInt64})
	f(math.MaxInt64, math.MaxInt64, 1, cut{math.MaxInt64 - 1, math.MaxInt64})
}

// Aligned to another instant they are what fixed ones are that begin there.
func TestAlignedBucketsMayBeginAtAnyInstant(t *testing.T) {
	for _, offset := range []int64{0, 1, 49, 50, 51, -1, -175, 1_700_000_000_007, math.MinInt64, math.MaxInt64} {
		every := model.Interval{Unit: model.Aligned, Width: 50, Offset: offset}
		for _, from := range []int64{-120, 0, 33, 1_700_000_000_000, math.MinInt64, math.MaxInt64 - 500} {
			c, err := New(from, from+400, every)
			if err != nil {
				t.Fatal(err)
			}
			n := int64(0)
			for start, end, ok := c.Next(); ok; start, end, ok = c.Next() {
				n++
				since := new(big.Int).Sub(big.NewInt(start), big.NewInt(offset))
				if start != from && since.Mod(since, big.NewInt(50)).Sign() != 0 {
					t.Errorf("offset %d: a bucket begins at %d", offset, start)
				}
				if end != from+400 && end-start > 50 {
					t.Errorf("offset %d: [%d,%d)", offset, start, end)
				}
			}
			if n != c.Count() || n < 8 || n > 9 {
				t.Errorf("offset %d from %d: %d buckets, counted %d", offset, from, n, c.Count())
			}
		}
	}
}

func TestAlignedBucketsAreMultiplesSinceTheEpoch(t *testing.T) {
	f := func(from, to, width int64, want ...cut) {
		t.Helper()
		every := model.Interval{Unit: model.Aligned, Width: width}
		if got := all(t, from, to, every); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("[%d,%d) by %d: %v, want %v", from, to, width, got, want)
		}
		c, _ := New(from, to, every)
		if c.Count() != int64(len(want)) {
			t.Errorf("[%d,%d) by %d: Count %d, want %d", from, to, width, c.Count(), len(want))
		}
	}
	f(7, 27, 10, cut{7, 10}, cut{10, 20}, cut{20, 27})
	f(-15, 6, 10, cut{-15, -10}, cut{-10, 0}, cut{0, 6})
	f(10, 20, 10, cut{10, 20})
	f(math.MinInt64, math.MinInt64+2, 1000, cut{math.MinInt64, math.MinInt64 + 2})
}

func TestAWidthThatIsNotPositiveIsInvalid(t *testing.T) {
	for _, every := range []model.Interval{
		{Unit: model.Fixed}, {Unit: model.Fixed, Width: -1}, {Unit: model.Aligned}, {Unit: model.Unit(200)},
	} {
		if _, err := New(0, 10, every); model.KindOf(err) != model.Invalid {
			t.Errorf("%+v: %v, want Invalid", every, err)
		}
	}
}

func TestBucketsTileTheRange(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		zone, err := time.LoadLocation(zones[rng.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		unit := model.Unit(rng.IntN(int(model.Year) + 1))
		from := rng.Int64N(2200*365*day) - 400*365*day
		length := 1 + rng.Int64N([]int64{100, hour, 30 * day, 3000 * day}[rng.IntN(4)])
		every := model.Interval{Unit: unit, Width: 1 + length/(1+rng.Int64N(500)), Zone: zone}

		buckets := all(t, from, from+length, every)
		c, _ := New(from, from+length, every)
		pos := from
		for _, b := range buckets {
			if b.start != pos || b.end <= b.start {
				t.Fatalf("seed %d: %+v of %+v does not begin at %d", seed, b, every, pos)
			}
			for _, ts := range []int64{b.start, b.end - 1, b.start + rng.Int64N(b.end-b.start)} {
				if start, end := c.Find(ts); start != b.start || end != b.end {
					t.Fatalf("seed %d: Find(%d) = %d,%d, want %+v", seed, ts, start, end, b)
				}
			}
			c.Skip(b.start + rng.Int64N(b.end-b.start))
			if start, end, ok := c.Next(); !ok || start != b.start || end != b.end {
				t.Fatalf("seed %d: Next after Skip = %d,%d, want %+v", seed, start, end, b)
			}
			pos = b.end
		}
		if pos != from+length {
			t.Fatalf("seed %d: %+v ends at %d, want %d", seed, every, pos, from+length)
		}
		n := int64(len(buckets))
		if got := c.Count(); got != n && (unit != model.Day || got != n+1) {
			t.Fatalf("seed %d: Count of %+v over [%d,%d) in %s is %d, want %d", seed, every, from, from+length, zone, got, n)
		}
	}
}

// Clients send ranges like [0, 9223372036854775807); they must be counted, not walked.
func TestTheEndsOfTimeAreCounted(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for unit := model.Fixed; unit <= model.Year; unit++ {
		for _, r := range []cut{{math.MinInt64, math.MaxInt64}, {0, math.MaxInt64}, {math.MinInt64, 0}} {
			c, err := New(r.start, r.end, model.Interval{Unit: unit, Width: 1, Zone: zone})
			if err != nil {
				t.Fatal(err)
			}
			if c.Count() < 1e8 {
				t.Errorf("unit %d over %+v: %d buckets", unit, r, c.Count())
			}
			for _, ts := range []int64{r.start, r.start/2 + r.end/2, r.end - 1} {
				if start, end := c.Find(ts); start > ts || end <= ts {
					t.Errorf("unit %d: Find(%d) = [%d,%d)", unit, ts, start, end)
				}
			}
		}
	}
}

func TestCuttingAllocatesNothing(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, zone).UnixMilli()
	for unit := model.Fixed; unit <= model.Year; unit++ {
		c, err := New(from, from+400*day, model.Interval{Unit: unit, Width: hour, Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() {
			walk := *c
			for _, _, ok := walk.Next(); ok; _, _, ok = walk.Next() {
			}
			walk.Count()
		}); n != 0 {
			t.Errorf("unit %d: %v allocations", unit, n)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, zone).UnixMilli()
	for _, unit := range []model.Unit{model.Fixed, model.Hour, model.Day, model.Month} {
		b.Run(fmt.Sprint("unit=", unit), func(b *testing.B) {
			c, _ := New(from, math.MaxInt64/2, model.Interval{Unit: unit, Width: hour, Zone: zone})
			for i := 0; b.Loop(); i++ {
				if i%10000 == 0 {
					c.Skip(from)
				}
				c.Next()
			}
		})
	}
}
