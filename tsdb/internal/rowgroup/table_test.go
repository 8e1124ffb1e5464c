package rowgroup

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(t *column.Table) Key {
	return Key{Partition: PartitionOf(t.Times[0]), Group: 7, First: t.Times[0]}
}

func encode(t testing.TB, table *column.Table) []byte {
	t.Helper()
	b, err := Append(nil, keyOf(table), table)
	check(t, err)
	return b
}

func open(t testing.TB, k Key, b []byte) *Reader {
	t.Helper()
	r := new(Reader)
	check(t, r.Reset(k, b))
	return r
}

var extremes = []uint64{
	0, 1 << 63, 1, math.Float64bits(math.SmallestNonzeroFloat64), math.Float64bits(math.MaxFloat64),
	math.Float64bits(-1e308), math.Float64bits(1 << 53), math.Float64bits(1<<53 + 2), math.Float64bits(0.30000000000000004),
	math.Float64bits(999999999999999), math.Float64bits(1e15), math.Float64bits(1e-12), math.Float64bits(-1e-13),
	math.Float64bits(21), math.Float64bits(1e22),
}

// A kind of column a test table can have.
var kinds = []func(rng *rand.Rand) func(i int) model.Value{
	func(rng *rand.Rand) func(int) model.Value { // slow walk of two decimals
		v := rng.Int64N(4000)
		return func(int) model.Value { v += rng.Int64N(7) - 3; return model.Float(float64(v) / 100) }
	},
	func(rng *rand.Rand) func(int) model.Value { // the same as JSON clients send it
		v := rng.Int64N(4000)
		return func(int) model.Value {
			if v += rng.Int64N(7) - 3; v%100 == 0 {
				return model.Int(v / 100)
			}
			return model.Float(float64(v) / 100)
		}
	},
	func(rng *rand.Rand) func(int) model.Value { // mostly ints
		return func(int) model.Value {
			if v := rng.Int64N(1000); rng.IntN(10) < 4 {
				return model.Float(float64(v*10+5) / 10)
			} else {
				return model.Int(v)
			}
		}
	},
	func(rng *rand.Rand) func(int) model.Value { // ints and integral floats alternate
		return func(i int) model.Value {
			if i%2 == 0 {
				return model.Int(21)
			}
			return model.Float(21)
		}
	},
	func(rng *rand.Rand) func(int) model.Value { // counter
		v := rng.Int64()
		return func(int) model.Value { v += rng.Int64N(50); return model.Int(v) }
	},
	func(rng *rand.Rand) func(int) model.Value {
		v := rng.Int64N(1 << 40)
		return func(int) model.Value { v += rng.Int64N(50); return model.Int(v) }
	},
	func(rng *rand.Rand) func(int) model.Value { // full int64 range
		return func(int) model.Value {
			switch rng.IntN(8) {
			case 0:
				return model.Int(math.MinInt64)
			case 1:
				return model.Int(math.MaxInt64)
			case 2:
				return model.Int(1<<53 + 1)
			}
			return model.Int(int64(rng.Uint64()))
		}
	},
	func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Float(rng.NormFloat64()) }
	},
	func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Float(float64(rng.Float32()) * 100) }
	},
	func(rng *rand.Rand) func(int) model.Value { // extreme floats
		return func(int) model.Value { return model.FromBits(model.TypeFloat, extremes[rng.IntN(len(extremes))]) }
	},
	func(rng *rand.Rand) func(int) model.Value { // decimals with a −0.0 now and then
		return func(int) model.Value {
			if rng.IntN(300) == 0 {
				return model.Float(math.Copysign(0, -1))
			}
			return model.Float(float64(rng.IntN(100)-50) / 10)
		}
	},
	func(rng *rand.Rand) func(int) model.Value {
		return func(int) model.Value { return model.Bool(rng.IntN(9) == 0) }
	},
	func(rng *rand.Rand) func(int) model.Value { return func(int) model.Value { return model.Null() } },
	func(rng *rand.Rand) func(int) model.Value { // few texts
		return func(int) model.Value { return model.String([]string{"on", "off", "", "fault"}[rng.IntN(4)]) }
	},
	func(rng *rand.Rand) func(int) model.Value { // texts that differ
		return func(i int) model.Value {
			return model.JSON(fmt.Sprintf(`{"seq":%d,"pad":"%s"}`, i, strings.Repeat("x", i%50)))
		}
	},
	func(rng *rand.Rand) func(int) model.Value { return func(int) model.Value { return model.Float(20.5) } },
	func(rng *rand.Rand) func(int) model.Value { // everything
		return func(i int) model.Value {
			switch rng.IntN(8) {
			case 0:
				return model.Null()
			case 1:
				return model.Bool(rng.IntN(2) == 0)
			case 2:
				return model.Int(int64(rng.Uint64()))
			case 3:
				return model.FromBits(model.TypeFloat, extremes[rng.IntN(len(extremes))])
			case 4:
				return model.String(strings.Repeat("s", rng.IntN(20)))
			case 5:
				return model.JSON("[]")
			case 6:
				return model.Int(rng.Int64N(100))
			}
			return model.Float(float64(rng.IntN(1000)) / 10)
		}
	},
}

// randomTable returns rows of all kinds of columns, in some of which cells are missing.
func randomTable(rng *rand.Rand, rows int) *column.Table {
	t := new(column.Table)
	n := 1 + rng.IntN(6)
	t.Reset(n)
	ts := rng.Int64N(1<<41) - 1<<40
	ts = PartitionOf(ts)*PartitionMillis + rng.Int64N(1000)
	clock := rng.IntN(4)
	for range rows {
		t.Times = append(t.Times, ts)
		switch clock {
		case 0:
			ts += 10000
		case 1:
			ts += 10000 - 50 + rng.Int64N(100)
		case 2:
			ts += 1 + int64(rng.ExpFloat64()*float64(min(rng.IntN(1000)*rng.IntN(1000), PartitionMillis/(40*rows))))
		case 3:
			if ts += 1; rng.IntN(500) == 0 {
				ts += 3600_000
			}
		}
	}
	for c := range t.Columns {
		next := kinds[rng.IntN(len(kinds))](rng)
		presence := rng.IntN(4)
		present := true
		for i := range rows {
			switch presence {
			case 0:
				present = rng.IntN(10) != 0
			case 1:
				if rng.IntN(100) == 0 {
					present = !present
				}
			case 2:
				present = rng.IntN(200) == 0
			}
			if present {
				t.Columns[c].Append(next(i))
			} else {
				t.Columns[c].AppendNone(1)
			}
		}
	}
	return t
}

// sameBucket compares what two summaries answer: bit for bit, but for sums that hold floats
// without a short decimal.
func sameBucket(got, want *summary.Summary) error {
	if got.Bools != want.Bools || got.Ints != want.Ints || got.Floats != want.Floats || got.Nulls != want.Nulls ||
		got.Strings != want.Strings || got.JSONs != want.JSONs || got.First != want.First || got.Last != want.Last {
		return fmt.Errorf("counts, first or last:\n got %+v\nwant %+v", got, want)
	}
	return sameAnswer(got, want, model.AllAggregates)
}

// sameAnswer is sameBucket for those who ask for some aggregates only.
func sameAnswer(got, want *summary.Summary, some model.Aggregates) error {
	var a, b model.Bucket
	got.Bucket(&a, some)
	want.Bucket(&b, some)
	if inexact := want.Hi != 0 || want.Lo != 0 || want.Huge != 0; inexact {
		for _, v := range [...][2]model.Value{{a.Sum, b.Sum}, {a.Avg, b.Avg}} {
			if math.Abs(v[0].Float()-v[1].Float()) > 1e-12*(math.Abs(want.Hi)+math.Abs(want.Huge)*0x1p64+math.Abs(v[1].Float())) {
				return fmt.Errorf("sum %v, want %v", v[0], v[1])
			}
		}
		a.Sum, a.Avg = b.Sum, b.Avg
	}
	if a != b {
		return fmt.Errorf("bucket of aggregates %07b\n got %+v\nwant %+v", some, a, b)
	}
	return nil
}

func compareColumns(t *testing.T, got, want *column.Column, lo, hi int) {
	t.Helper()
	if got.Len() != hi-lo {
		t.Fatalf("%d cells, want %d", got.Len(), hi-lo)
	}
	for i := lo; i < hi; i++ {
		if g, w := got.At(i-lo), want.At(i); g != w {
			t.Fatalf("row %d: %#v (%x), want %#v (%x)", i, g, g.Bits(), w, w.Bits())
		}
	}
}

// What is written comes back bit for bit, whole and in parts.
func TestTablesRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rows := 1 + rng.IntN(20)
		if seed%2 == 0 {
			rows = 1 + rng.IntN(900)
		} else if seed%21 == 0 {
			rows = MaxRows
		}
		table := randomTable(rng, rows)
		rows = Fit(table, 0)
		cut := new(column.Table)
		cut.Reset(len(table.Columns))
		for i := range rows {
			cut.AppendRow(table, i)
		}
		table = cut
		r := open(t, keyOf(table), encode(t, table))
		if r.Rows() != rows || r.Columns() != len(table.Columns) || r.First() != table.Times[0] || r.Last() != table.Times[rows-1] {
			t.Fatalf("seed %d: head %d %d %d %d", seed, r.Rows(), r.Columns(), r.First(), r.Last())
		}
		for range 20 {
			at := rng.IntN(rows)
			for d := range int64(3) {
				ts := table.Times[at] + d - 1
				got, err := r.Search(ts)
				check(t, err)
				want := 0
				for want < rows && table.Times[want] < ts {
					want++
				}
				if got != want {
					t.Fatalf("seed %d: Search(%d) = %d, want %d", seed, ts, got, want)
				}
			}
		}
		for c := range table.Columns {
			t.Run(fmt.Sprintf("seed=%d/%d", seed, c), func(t *testing.T) {
				var dst column.Column
				check(t, r.Decode(c, 0, rows, &dst))
				compareColumns(t, &dst, &table.Columns[c], 0, rows)
				for range 10 {
					lo := rng.IntN(rows + 1)
					hi := lo + rng.IntN(rows-lo+1)
					dst.Reset()
					check(t, r.Decode(c, lo, hi, &dst))
					compareColumns(t, &dst, &table.Columns[c], lo, hi)
					var got, want summary.Summary
					check(t, r.Aggregate(c, lo, hi, model.AllAggregates, &got))
					want.AddColumn(table.Times, &table.Columns[c], lo, hi)
					if err := sameBucket(&got, &want); err != nil {
						t.Fatalf("rows %d to %d of %d: %v", lo, hi, rows, err)
					}
					got = summary.Summary{}
					some := model.Aggregates(rng.IntN(1 + int(model.AllAggregates)))
					check(t, r.Aggregate(c, lo, hi, some, &got))
					if err := sameAnswer(&got, &want, some); err != nil {
						t.Fatalf("rows %d to %d of %d: %v", lo, hi, rows, err)
					}
				}
				var want summary.Summary
				want.AddColumn(table.Times, &table.Columns[c], 0, rows)
				if err := sameBucket(r.Summary(c), &want); err != nil {
					t.Fatal(err)
				}
				check(t, r.Err())
			})
		}
		times, err := r.Times()
		check(t, err)
		for i, ts := range table.Times {
			if times[i] != ts {
				t.Fatalf("seed %d: row %d at %d, want %d", seed, i, times[i], ts)
			}
		}
	}
}

// Whatever is asked for beside it, an aggregate is the same: also of a column whose steps are cut
// where as many values are left as the whole step has ints.
func TestAnAggregateIsTheSameWhateverElseIsWanted(t *testing.T) {
	table := new(column.Table)
	table.Reset(1)
	const rows = 2*StepRows + 9
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range rows {
		table.Times = append(table.Times, int64(i)*1000)
		v := model.Float(float64(i) + 0.5)
		if i%StepRows <= StepRows/2 || i > StepRows && rng.IntN(2) == 0 {
			v = model.Int(int64(i))
		}
		table.Columns[0].Append(v)
	}
	r := open(t, keyOf(table), encode(t, table))
	for _, edge := range []int{0, StepRows, 2 * StepRows, rows} {
		for at := range rows + 1 {
			lo, hi := min(edge, at), max(edge, at)
			var want summary.Summary
			want.AddColumn(table.Times, &table.Columns[0], lo, hi)
			for some := range model.AllAggregates + 1 {
				var got summary.Summary
				check(t, r.Aggregate(0, lo, hi, some, &got))
				if err := sameAnswer(&got, &want, some); err != nil {
					t.Fatalf("rows %d to %d of %d: %v", lo, hi, rows, err)
				}
			}
		}
	}
}

// A Reader that is used again, and an Append into memory that is there, allocate nothing.
func TestReadingAndWritingAllocateNothing(t *testing.T) {
	tables := []*column.Table{newFleet(1).table(MaxRows, 0, true), newFleet(2).table(300, 50, false), goldens()["mixed"]}
	var raw [][]byte
	for _, table := range tables {
		raw = append(raw, encode(t, table))
	}
	r := new(Reader)
	dst := make([]byte, 0, 1<<16)
	var cells column.Column
	run := func() {
		for i, table := range tables {
			check(t, r.Reset(keyOf(table), raw[i]))
			for c := range table.Columns {
				var s summary.Summary
				check(t, r.Aggregate(c, 1, r.Rows()-1, model.AllAggregates, &s))
				r.Summary(c)
				cells.Reset()
				check(t, r.Decode(c, 0, r.Rows(), &cells))
			}
			_, err := r.Times()
			check(t, err)
			if i < 2 {
				_, err = Append(dst, keyOf(table), table)
				check(t, err)
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Partitions are told by floor division, and their order is that of the keys on disk.
func TestKeysKeepTheOrderOfTime(t *testing.T) {
	f := func(ts, partition int64) {
		t.Helper()
		if got := PartitionOf(ts); got != partition {
			t.Errorf("PartitionOf(%d) = %d, want %d", ts, got, partition)
		}
	}
	f(0, 0)
	f(-1, -1)
	f(PartitionMillis-1, 0)
	f(PartitionMillis, 1)
	f(-PartitionMillis, -1)
	f(-PartitionMillis-1, -2)
	f(math.MinInt64, math.MinInt64/PartitionMillis-1)
	var last []byte
	for _, ts := range []int64{math.MinInt64, -PartitionMillis - 1, -5, -1, 0, 1, PartitionMillis, math.MaxInt64} {
		k := Key{Partition: PartitionOf(ts), Group: 1 << 63, First: ts}
		b := k.Append(nil)
		if string(b) <= string(last) {
			t.Errorf("the key of %d is not behind the one before", ts)
		}
		last = b
		if got, err := ParseKey(b); err != nil || got != k {
			t.Errorf("%+v is read as %+v, %v", k, got, err)
		}
	}
}

// Fit stops at the rows, the bytes and the partition of one row group, and never at none.
func TestFitKeepsTheLimits(t *testing.T) {
	long := strings.Repeat("x", MaxBytes/10)
	f := func(want int, rows int, step int64, value func(i int) model.Value) {
		t.Helper()
		table := new(column.Table)
		table.Reset(1)
		for i := range rows {
			table.Times = append(table.Times, int64(i)*step)
			table.Columns[0].Append(value(i))
		}
		if got := Fit(table, 0); got != want {
			t.Errorf("%d rows of %d: %d fit, want %d", rows, step, got, want)
		}
		for lo := 0; lo < rows; {
			hi := Fit(table, lo)
			part := new(column.Table)
			part.Reset(1)
			for i := lo; i < hi; i++ {
				part.AppendRow(table, i)
			}
			if b := encode(t, part); hi > lo+1 && len(b) > MaxBytes+4096 {
				t.Errorf("rows %d to %d take %d bytes", lo, hi, len(b))
			}
			lo = hi
		}
	}
	one := func(int) model.Value { return model.Int(1) }
	f(1, 1, 1, one)
	f(MaxRows, MaxRows+1, 1, one)
	f(31, 40, 24*3600*1000-1, one)
	f(9, 20, 1, func(int) model.Value { return model.String(long) })
	f(1, 3, 1, func(int) model.Value { return model.String(strings.Repeat("y", 2*MaxBytes)) })
	rng := rand.New(rand.NewPCG(9, 9))
	f(MaxRows, MaxRows, 1, func(int) model.Value { return model.Float(rng.NormFloat64()) })
}

// A table that is no row group is refused, and dst comes back as it was.
func TestTablesThatAreNoneAreRefused(t *testing.T) {
	f := func(k Key, table *column.Table) {
		t.Helper()
		if b, err := Append([]byte{1}, k, table); err == nil || len(b) != 1 {
			t.Errorf("%v: %v, %d bytes", table.Times, err, len(b))
		}
	}
	good := func() *column.Table { return tableOf(1, []any{5, 1}, []any{6, 2}) }
	k := keyOf(good())
	f(Key{First: 4}, good())
	f(Key{Partition: 1, First: 5}, good())
	f(k, new(column.Table))
	bad := good()
	bad.Times[1] = 5
	f(k, bad)
	bad = good()
	bad.Times[1] = PartitionMillis
	f(k, bad)
	bad = good()
	bad.Columns[0].Append(model.Int(3))
	f(k, bad)
}
