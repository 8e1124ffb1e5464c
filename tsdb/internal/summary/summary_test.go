package summary

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

func summaryOf(values ...model.Value) *Summary {
	var c column.Column
	var times []int64
	for i, v := range values {
		c.Append(v)
		times = append(times, int64(i))
	}
	s := new(Summary)
	s.AddColumn(times, &c, 0, len(values))
	return s
}

// Buckets have the values and types of contract thingsboard 9.2.
func TestBucketsFollowTheContract(t *testing.T) {
	none := model.Value{}
	f := func(count int64, sum, avg, least, most model.Value, values ...model.Value) {
		t.Helper()
		var b model.Bucket
		summaryOf(values...).Bucket(&b, model.AllAggregates)
		if b.Count != count || b.Sum != sum || b.Avg != avg || b.Min != least || b.Max != most {
			t.Errorf("%#v:\n got %d, sum %#v, avg %#v, min %#v, max %#v\nwant %d, sum %#v, avg %#v, min %#v, max %#v",
				values, b.Count, b.Sum, b.Avg, b.Min, b.Max, count, sum, avg, least, most)
		}
	}
	i, d := model.Int, model.Float
	f(0, none, none, none, none)
	f(0, none, none, none, none, model.Null())
	f(2, i(3), d(1.5), i(1), i(2), i(1), i(2))
	f(2, d(3), d(1.5), d(1), d(2), i(1), d(2))
	f(2, d(-150), d(-75), d(-100), d(-50), i(-100), d(-50))
	f(3, i(0), d(0), i(-5), i(5), i(-5), i(0), i(5))
	f(3, d(0.6), d(0.2), d(0.1), d(0.3), d(0.1), d(0.2), d(0.3))
	f(2, d(0x1p64), d(0x1p63), i(math.MaxInt64), i(math.MaxInt64), i(math.MaxInt64), i(math.MaxInt64))
	f(2, i(-1), d(-0.5), i(math.MinInt64), i(math.MaxInt64), i(math.MinInt64), i(math.MaxInt64))
	f(2, d(math.MaxFloat64), d(1.5e308), d(1.5e308), d(1.5e308), d(1.5e308), d(1.5e308))
	f(3, d(1.5), d(0.5), d(-1e308), d(1e308), d(1e308), d(1.5), d(-1e308))
	f(2, none, none, none, none, model.Bool(true), model.JSON("{}"))
	f(2, none, none, none, none, model.String("a"), model.String("b"))
	f(3, i(7), d(7), i(7), i(7), model.String("a"), i(7), model.Bool(false))
	f(2, d(0), d(0), d(math.Copysign(0, -1)), d(0), d(0), d(math.Copysign(0, -1)))
}

// What is left to the scan is said.
func TestTextIsLeftToTheScan(t *testing.T) {
	f := func(want bool, values ...model.Value) {
		t.Helper()
		if got := summaryOf(values...).NeedsText(); got != want {
			t.Errorf("%#v: %v", values, got)
		}
	}
	f(false)
	f(true, model.String("a"), model.Bool(true))
	f(false, model.String("a"), model.Int(1))
	f(false, model.JSON("[]"))
	s := summaryOf(model.Null(), model.String("a"), model.Int(4), model.JSON("[]"))
	want := [2]Cell{{TS: 1, Type: model.TypeString}, {TS: 3, Type: model.TypeJSON}}
	if got := [2]Cell{s.First, s.Last}; got != want {
		t.Errorf("first and last %+v, want %+v", got, want)
	}
}

func randomValue(rng *rand.Rand) model.Value {
	switch rng.IntN(9) {
	case 0:
		return model.Null()
	case 1:
		return model.Bool(rng.IntN(2) == 0)
	case 2:
		return model.Int(int64(rng.Uint64()))
	case 3:
		return model.Int(rng.Int64N(100) - 50)
	case 4:
		return model.String("s")
	case 5:
		return model.Float(float64(rng.Int64N(codec.MaxDecimal)) / float64(codec.Pow10(uint8(rng.IntN(13)))))
	}
	return model.Float(float64(rng.IntN(20000)-10000) / 100)
}

// Ints and decimals sum to the same number, the exact one rounded once, however they are cut.
func TestSumsDoNotDependOnTheCut(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 0))
		values := make([]model.Value, 1+rng.IntN(300))
		exact := new(big.Rat)
		floats := false
		for i := range values {
			values[i] = randomValue(rng)
			switch v := values[i]; v.Type() {
			case model.TypeInt:
				exact.Add(exact, new(big.Rat).SetInt64(v.Int()))
			case model.TypeFloat:
				floats = true
				n, scale, _ := codec.Decimal(v.Float())
				exact.Add(exact, big.NewRat(n, int64(codec.Pow10(scale))))
			}
		}
		var whole model.Bucket
		summaryOf(values...).Bucket(&whole, model.AllAggregates)
		for range 5 {
			var merged Summary
			for lo := 0; lo < len(values); {
				hi := lo + rng.IntN(len(values)-lo+1)
				var part Summary
				for i := lo; i < hi; i++ {
					part.AddCell(int64(i), values[i].Type(), values[i].Bits())
				}
				merged.Merge(&part)
				lo = hi
			}
			var b model.Bucket
			merged.Bucket(&b, model.AllAggregates)
			if b != whole {
				t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, b, whole)
			}
		}
		if want, _ := exact.Float64(); floats && whole.Sum != model.Float(want) {
			t.Fatalf("seed %d: sum %#v, want %v", seed, whole.Sum, want)
		}
		if numbers := summaryOf(values...).Numbers(); numbers > 0 {
			exact.Quo(exact, new(big.Rat).SetInt64(numbers))
			if want, _ := exact.Float64(); whole.Avg != model.Float(want) {
				t.Fatalf("seed %d: mean %#v, want %v", seed, whole.Avg, want)
			}
		}
	}
}

func TestSummariesComeBack(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		values := make([]model.Value, rng.IntN(50))
		for i := range values {
			if values[i] = randomValue(rng); rng.IntN(20) == 0 {
				values[i] = model.Float(math.Float64frombits(rng.Uint64() &^ (1 << 62)))
			} else if rng.IntN(60) == 0 {
				values[i] = model.Float(1e305)
			}
		}
		s := summaryOf(values...)
		c := codec.NewCursor(append(s.Append(nil, 3, 20), 1))
		var got Summary
		got.Read(&c, 3, 20)
		if got != *s || c.Err() != nil || c.Len() != 1 {
			t.Fatalf("seed %d: %v\n got %+v\nwant %+v", seed, c.Err(), got, *s)
		}
	}
}

// Summaries are added without allocating: a query makes one per bucket.
func TestSummariesDoNotAllocate(t *testing.T) {
	a, b := summaryOf(model.Int(5), model.Float(0.5)), summaryOf(model.Float(1e-300), model.Bool(true))
	var bucket model.Bucket
	if n := testing.AllocsPerRun(100, func() {
		var s Summary
		s.Merge(a)
		s.Merge(b)
		s.AddCell(9, model.TypeFloat, math.Float64bits(21.5))
		s.Bucket(&bucket, model.AllAggregates)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRead(f *testing.F) {
	for i, v := range []model.Value{model.Int(math.MinInt64), model.Float(21.5), model.Float(0.30000000000000004), model.String("a"), model.Bool(true)} {
		f.Add(summaryOf(v, model.Null(), v).Append(nil, int64(i), 9))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := codec.NewCursor(b)
		var s Summary
		s.Read(&c, 0, 0)
		var bucket model.Bucket
		s.Bucket(&bucket, model.AllAggregates)
		_ = fmt.Sprint(bucket)
	})
}

func BenchmarkAddColumn(b *testing.B) {
	var c column.Column
	var times []int64
	for i := range 4096 {
		c.Append(model.Float(float64(2000+i%100) / 100))
		times = append(times, int64(i))
	}
	for b.Loop() {
		var s Summary
		s.AddColumn(times, &c, 0, 4096)
	}
	b.ReportMetric(4096*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}

// The short way of a division gives the float that the long one gives.
func TestSmallQuotientsAreRoundedLikeLargeOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	short := 0
	for range 200_000 {
		ints := FromInt64((rng.Int64N(1<<62) - 1<<61) >> rng.IntN(64))
		decimals := Mul((rng.Int64N(1<<62)-1<<61)>>rng.IntN(64), codec.Pow10(uint8(rng.IntN(codec.DecimalDigits+1))))
		switch rng.IntN(4) {
		case 0:
			ints = Int128{}
		case 1:
			decimals = Int128{}
		}
		n := 1 + rng.Uint64N(maxParts)>>rng.IntN(25) // beyond, the long way rounds twice
		f, ok := smallQuotient(ints, decimals, n)
		if !ok {
			continue
		}
		short++
		if want := totalOf(ints, decimals).float(n); math.Float64bits(f) != math.Float64bits(want) {
			t.Fatalf("(%v + %v/10^12) / %d = %v, want %v", ints, decimals, n, f, want)
		}
	}
	if short < 10_000 {
		t.Errorf("%d took the short way", short)
	}
}
