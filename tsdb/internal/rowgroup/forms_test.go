package rowgroup

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// A form is a kind of series, the rule it must be stored by, and what a cell may cost then.
type form struct {
	name  string
	rule  rule
	bytes float64 // a cell, heads and summaries included
	next  func(rng *rand.Rand) func(i int) model.Value
}

// plain is a form whose values depend on their number alone.
func plain(value func(i int) model.Value) func(*rand.Rand) func(int) model.Value {
	return func(*rand.Rand) func(int) model.Value { return value }
}

// walk returns a random walk whose steps are at most by.
func walk(rng *rand.Rand, from, by int64) func() int64 {
	return func() int64 { from += rng.Int64N(2*by+1) - by; return from }
}

var forms = []form{
	{"constant float", ruleFloat, 0.02, plain(func(int) model.Value { return model.Float(20.5) })},
	{"constant int", ruleInt, 0.02, plain(func(int) model.Value { return model.Int(math.MaxInt32) })},
	{"constant bool", ruleBool, 0.02, plain(func(int) model.Value { return model.Bool(true) })},
	{"constant beyond 2^53", ruleMixed, 0.05, plain(func(int) model.Value { return model.Int(math.MinInt64) })},
	{"constant text", ruleMixed, 0.02, plain(func(int) model.Value { return model.String("running") })},
	{"null", ruleMixed, 0.02, plain(func(int) model.Value { return model.Null() })},
	{"bool", ruleBool, 1./8 + 0.02, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Bool(rng.IntN(2) == 0) }
	}},
	{"steady counter", ruleInt, 0.1, plain(func(i int) model.Value { return model.Int(1<<40 + int64(i)*3600) })},
	{"counter of 6-bit steps", ruleInt, 6./8 + 0.1, func(rng *rand.Rand) func(int) model.Value {
		v := int64(1) << 40
		return func(int) model.Value { v += rng.Int64N(64); return model.Int(v) }
	}},
	{"walk of two decimals, 3-bit steps", ruleFloat, 3./8 + 0.1, func(rng *rand.Rand) func(int) model.Value {
		v := walk(rng, 2000, 3)
		return func(int) model.Value { return model.Float(float64(v()) / 100) }
	}},
	{"the same as JSON clients send it", ruleWhenIntegral, 3./8 + 0.1, func(rng *rand.Rand) func(int) model.Value {
		v := walk(rng, 2000, 3)
		return func(int) model.Value {
			if n := v(); n%100 != 0 {
				return model.Float(float64(n) / 100)
			} else {
				return model.Int(n / 100)
			}
		}
	}},
	{"noise of one decimal, 7 bits", ruleFloat, 7./8 + 0.1, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Float(float64(rng.IntN(128)) / 10) }
	}},
	{"the full range of int64", ruleMixed, 8.6, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Int(int64(rng.Uint64())) }
	}},
	{"floats of full precision, one binade", ruleMixed, 52./8 + 0.6, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Float(1 + rng.Float64()) }
	}},
	{"floats of full precision, any exponent", ruleMixed, 8.6, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.FromBits(model.TypeFloat, rng.Uint64()&^(1<<62)) }
	}},
	{"floats that were float32", ruleMixed, 25./8 + 0.6, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Float(float64(1 + rng.Float32())) }
	}},
	{"floats of full precision that stay for ten rows", ruleMixed, 52./8/10 + 1, func(rng *rand.Rand) func(int) model.Value {
		v := 1.0
		return func(int) model.Value {
			if rng.IntN(10) == 0 {
				v = 1 + rng.Float64()
			}
			return model.Float(v)
		}
	}},
	{"floats two of which alternate", ruleMixed, 52./8 + 0.6, plain(func(i int) model.Value {
		return model.Float([...]float64{math.Pi, math.E}[i%2])
	})},
	{"four texts", ruleMixed, 2./8 + 0.2, func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.String([]string{"on", "off", "fault", ""}[rng.IntN(4)]) }
	}},
	{"JSON documents that differ in a number", ruleMixed, 6, plain(func(i int) model.Value {
		return model.JSON(fmt.Sprintf(`{"sequence":%d,"state":"running","mode":"automatic"}`, i))
	})},
}

func columnOf(rows int, value func(i int) model.Value) *column.Table {
	t := new(column.Table)
	t.Reset(1)
	for i := range rows {
		t.Times = append(t.Times, 1_700_000_000_000+int64(i)*1000)
		t.Columns[0].Append(value(i))
	}
	return t
}

// Every kind of series is stored by the rule meant for it, in the bytes that rule promises,
// and comes back bit for bit.
func TestEveryFormIsTheSmallest(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			table := columnOf(MaxRows, f.next(rand.New(rand.NewPCG(1, 2))))
			if n := Fit(table, 0); n < MaxRows { // large values: as many as a row group takes
				table = firstRows(table, n)
			}
			empty := columnOf(table.Len(), func(int) model.Value { return model.Value{} })
			b := encode(t, table)
			r := open(t, keyOf(table), b)
			if err := r.columns[0].open(); err != nil || r.columns[0].rule != f.rule {
				t.Errorf("stored by rule %s (%v), want %s", ruleNames[r.columns[0].rule], err, ruleNames[f.rule])
			}
			cell := float64(len(b)-len(encode(t, empty))) / float64(table.Len())
			t.Logf("%.3f bytes a cell", cell)
			if cell > f.bytes {
				t.Errorf("%.3f bytes a cell, want at most %.3f", cell, f.bytes)
			}
			var got column.Column
			check(t, r.Decode(0, 0, r.Rows(), &got))
			compareColumns(t, &got, &table.Columns[0], 0, r.Rows())
		})
	}
}

// Clocks cost what they are irregular by: nothing, the bits of their jitter, a few bytes.
func TestEveryClockIsTheSmallest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	now := int64(1_700_000_000_000)
	missing := int64(0)
	for _, c := range []struct {
		name  string
		bytes float64 // a row
		next  func(i int) int64
	}{
		{"regular", 0.01, func(i int) int64 { return now + int64(i)*1000 }},
		{"regular, one in a hundred missing", 0.15, func(i int) int64 {
			if rng.IntN(100) == 0 {
				missing++
			}
			return now + (int64(i)+missing)*1000
		}},
		{"jitter of 63 ms", 6./8 + 0.1, func(i int) int64 { return now + int64(i)*1000 + rng.Int64N(64) }},
		{"bursts of ten between long gaps", 1.7, func(i int) int64 { return now + int64(i/10)*60_000 + int64(i%10) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := columnOf(MaxRows, func(int) model.Value { return model.Int(1) })
			for i := range table.Times {
				table.Times[i] = c.next(i)
			}
			b := encode(t, table)
			row := float64(len(b)-100) / MaxRows // 100: what a row group of one constant column takes
			t.Logf("%.3f bytes a row", row)
			if row > c.bytes {
				t.Errorf("%.3f bytes a row, want at most %.3f", row, c.bytes)
			}
			got, err := open(t, keyOf(table), b).Times()
			check(t, err)
			for i, ts := range got {
				if ts != table.Times[i] {
					t.Fatalf("row %d at %d, want %d", i, ts, table.Times[i])
				}
			}
		})
	}
}

// A client that sends 21 or 21.0 as it likes must not pay for it with row groups.
func TestAlternatingTypesMakeNoMoreRowGroups(t *testing.T) {
	const rows = 100_000
	count := func(value func(i int) model.Value) (groups int) {
		table := columnOf(rows, value)
		for lo := 0; lo < rows; groups++ {
			lo = Fit(table, lo)
		}
		return groups
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		name          string
		steady, mixed func(v int64) model.Value
	}{
		{"integral",
			func(v int64) model.Value { return model.Int(v) },
			func(v int64) model.Value {
				if rng.IntN(2) == 0 {
					return model.Int(v)
				}
				return model.Float(float64(v))
			}},
		{"two decimals",
			func(v int64) model.Value { return model.Float(float64(v) / 100) },
			func(v int64) model.Value {
				if rng.IntN(2) == 0 {
					return model.Int(v)
				}
				return model.Float(float64(v) / 100)
			}},
		{"full precision",
			func(v int64) model.Value { return model.Float(float64(v) / 7) },
			func(v int64) model.Value {
				if rng.IntN(2) == 0 {
					return model.Int(v)
				}
				return model.Float(float64(v) / 7)
			}},
	} {
		steps := walk(rng, 2000, 50)
		values := make([]int64, rows)
		for i := range values {
			values[i] = steps()
		}
		steady := count(func(i int) model.Value { return c.steady(values[i]) })
		mixed := count(func(i int) model.Value { return c.mixed(values[i]) })
		t.Logf("%s: %d row groups, %d with types at random", c.name, steady, mixed)
		if float64(mixed) > 1.1*float64(steady) {
			t.Errorf("%s: %d row groups with types at random, %d without: more than 1.1 times", c.name, mixed, steady)
		}
	}
}
