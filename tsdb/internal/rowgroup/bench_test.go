package rowgroup

import (
	"fmt"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// fleet is the workload the format is measured with: a device with slow random walks of two
// decimals, noise, two counters, two flags and a setpoint, one row each ten seconds.
type fleet struct {
	seed, i [10]uint64
	v       [10]int64
}

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func newFleet(device int) *fleet {
	f := new(fleet)
	for k := range f.v {
		f.seed[k] = mix(uint64(device)*1000003 + uint64(k) + 12345)
		r := int64(mix(f.seed[k]) % 1000)
		f.v[k] = [...]int64{1500 + r, 4000 + r, 101300 + r, 23000, 500 + r, r * 1000, r, 0, 1, 200}[k]
	}
	return f
}

// next returns the scaled value of a key in the next row, and its digits.
func (f *fleet) next(k int) (int64, int) {
	f.i[k]++
	r := mix(f.seed[k] + f.i[k]*0x9e3779b97f4a7c15)
	v := &f.v[k]
	switch k {
	case 0:
		*v = min(max(*v+int64(r%7)-3, -3000), 8000)
	case 1:
		*v = min(max(*v+int64(r%31)-15, 0), 10000)
	case 2:
		*v = min(max(*v+int64(r%11)-5, 95000), 106000)
	case 3:
		*v = 23000 + int64(r%401) - 200
	case 4:
		*v = min(max(*v+int64(r%61)-30, 0), 3200)
	case 5:
		*v += int64(r % 51)
	case 6:
		*v += 1 + int64(r%3)
	case 7:
		if r%128 == 0 {
			*v ^= 1
		}
	case 8:
		if r%8192 == 0 {
			*v ^= 1
		}
	case 9:
		if r%2160 == 0 {
			*v = 160 + 5*int64((r>>20)%17)
		}
		return *v, 1
	}
	if k < 5 {
		return *v, 2
	}
	return *v, 0
}

// table returns the next rows, up to jitter ms late. As sent in JSON, integral values are
// ints; else they are floats but for counters and flags.
func (f *fleet) table(rows int, jitter uint64, json bool) *column.Table {
	t := new(column.Table)
	t.Reset(10)
	const base = PartitionMillis * 678
	for range rows {
		row := f.i[0]
		ts := int64(base + row*10000)
		if jitter > 0 {
			ts += int64(mix(row) % jitter)
		}
		t.Times = append(t.Times, ts)
		for k := range t.Columns {
			v, digits := f.next(k)
			pow := [...]int64{1, 10, 100}[digits]
			if digits == 0 || json && v%pow == 0 {
				t.Columns[k].Append(model.Int(v / pow))
			} else {
				t.Columns[k].Append(model.Float(float64(v) / float64(pow)))
			}
		}
	}
	return t
}

// The bytes of the fleet, heads and summaries included, are those the format promises.
func TestFleetIsSmall(t *testing.T) {
	for _, c := range []struct {
		rows   int
		jitter uint64
		json   bool
		most   float64
	}{
		{MaxRows, 0, false, 0.50}, {MaxRows, 50, false, 0.58}, {MaxRows, 0, true, 0.52}, {60, 0, false, 1.6},
	} {
		bytes, points := 0, 0
		for device := range 10 {
			table := newFleet(device).table(c.rows, c.jitter, c.json)
			bytes += len(encode(t, table)) + keyLen
			points += c.rows * 10
		}
		got := float64(bytes) / float64(points)
		t.Logf("%d rows, jitter %d ms, json %v: %.4f bytes/point", c.rows, c.jitter, c.json, got)
		if got > c.most {
			t.Errorf("%d rows, jitter %d ms, json %v: %.4f bytes/point, want at most %.2f", c.rows, c.jitter, c.json, got, c.most)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, jitter := range []uint64{0, 50} {
		b.Run(fmt.Sprintf("jitter=%d", jitter), func(b *testing.B) {
			table := newFleet(1).table(MaxRows, jitter, false)
			k := keyOf(table)
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				dst, err = Append(dst[:0], k, table)
				if err != nil {
					b.Fatal(err)
				}
			}
			points := float64(MaxRows * 10)
			b.ReportMetric(float64(len(dst)+keyLen)/points, "bytes/point")
			b.ReportMetric(points*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	table := newFleet(1).table(MaxRows, 0, false)
	k := keyOf(table)
	raw := encode(b, table)
	r := new(Reader)
	var dst column.Column
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Reset(k, raw); err != nil {
			b.Fatal(err)
		}
		for c := range 10 {
			dst.Reset()
			if err := r.Decode(c, 0, MaxRows, &dst); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(MaxRows*10*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}

// BenchmarkAggregate asks what a query per hour at any offset asks: buckets of 360 rows.
func BenchmarkAggregate(b *testing.B) {
	bench := func(width int, want model.Aggregates, name string) {
		b.Run(fmt.Sprintf("rows=%d/%s", width, name), func(b *testing.B) {
			table := newFleet(1).table(MaxRows, 0, false)
			k := keyOf(table)
			raw := encode(b, table)
			r := new(Reader)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Reset(k, raw); err != nil {
					b.Fatal(err)
				}
				for c := range 10 {
					for lo := -(17 % width); lo < MaxRows; lo += width {
						var s summary.Summary
						if err := r.Aggregate(c, max(lo, 0), min(lo+width, MaxRows), want, &s); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(MaxRows*10*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
	for _, width := range []int{6, 100, 360, MaxRows} {
		bench(width, model.AllAggregates, "all")
		bench(width, model.Avg, "avg")
		bench(width, model.Avg|model.Min|model.Max, "avg-min-max")
	}
}
