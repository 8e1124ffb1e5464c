package codec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Values of every width come back, read over the end or not.
func TestPackedValuesComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for width := range uint8(65) {
		for _, n := range []int{1, 2, 7, 8, 9, 31, 100, 127, 128} {
			u := make([]uint64, n)
			for i := range u {
				u[i] = rng.Uint64() >> (64 - width)
			}
			b := Pack([]byte{1}, u, width)[1:]
			if len(b) != PackedLen(n, width) {
				t.Fatalf("%d values of %d bits: %d bytes", n, width, len(b))
			}
			for _, src := range [][]byte{slices.Clip(b), append(slices.Clip(b), 0xff, 0xfe, 0xfd), append(slices.Clip(b), make([]byte, 40)...)} {
				got := make([]uint64, n)
				Unpack(got, src, width)
				if !slices.Equal(got, u) {
					t.Fatalf("%d values of %d bits, %d bytes behind:\n got %x\nwant %x", n, width, len(src)-len(b), got, u)
				}
				for i := range u {
					if At(src, i, width) != u[i] {
						t.Fatalf("value %d of %d bits", i, width)
					}
				}
			}
		}
	}
}

func TestIntsComeBack(t *testing.T) {
	f := func(v ...int64) {
		t.Helper()
		c := NewCursor(append(AppendInts(nil, v), 9))
		got := make([]int64, len(v))
		ReadInts(&c, got)
		if !slices.Equal(got, v) || c.Err() != nil || c.Len() != 1 {
			t.Errorf("%v: %v, %v, %d bytes left", v, got, c.Err(), c.Len())
		}
	}
	f()
	f(math.MinInt64)
	f(0, 0, 0, 0)
	f(math.MinInt64, math.MaxInt64, 0, -1, math.MinInt64)
	f(math.MaxInt64, math.MaxInt64-1, math.MaxInt64-2, math.MaxInt64-3)
	rng := rand.New(rand.NewPCG(2, 2))
	for range 3000 {
		v := make([]int64, rng.IntN(MaxRun+1))
		step := int64(rng.Uint64() >> rng.IntN(64))
		noise := rng.IntN(64)
		x := int64(rng.Uint64())
		for i := range v {
			v[i] = x + int64(rng.Uint64()>>noise)*int64(rng.IntN(2))
			x += step
		}
		f(v...)
	}
}

func TestFloatsComeBack(t *testing.T) {
	f := func(v ...float64) {
		t.Helper()
		bits := make([]uint64, len(v))
		for i := range v {
			bits[i] = math.Float64bits(v[i])
		}
		c := NewCursor(AppendFloats(nil, bits))
		got := make([]uint64, len(v))
		ReadFloats(&c, got)
		if !slices.Equal(got, bits) || c.Err() != nil || c.Len() != 0 {
			t.Errorf("%v: %x, want %x, %v", v, got, bits, c.Err())
		}
	}
	f()
	f(0, 0)
	f(math.Pi, math.Pi, math.Pi, math.E, math.E)
	f(math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, -math.MaxFloat64, math.Inf(1), math.NaN())
	rng := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		v := make([]float64, rng.IntN(MaxRun+1))
		for i := range v {
			switch v[i] = rng.NormFloat64(); rng.IntN(5) {
			case 2, 3, 4:
				if i > 0 {
					v[i] = v[i-1]
				}
			case 0:
				v[i] = float64(float32(v[i]))
			case 1:
				v[i] = math.Float64frombits(rng.Uint64())
			}
		}
		f(v...)
	}
}

// A decimal is found exactly when the float is the one its text is read as.
func TestDecimalsAreExact(t *testing.T) {
	f := func(v float64, n int64, digits uint8, ok bool) {
		t.Helper()
		gotN, scale, gotOK := Decimal(v)
		if gotOK != ok {
			t.Fatalf("Decimal(%v) = %v", v, gotOK)
		}
		if !ok {
			return
		}
		if d := Digits(gotN, scale); d != digits || gotN/int64(Pow10(scale-d)) != n {
			t.Errorf("Decimal(%v) = %d / 10^%d, want %d / 10^%d", v, gotN, scale, n, digits)
		}
	}
	f(0, 0, 0, true)
	f(21, 21, 0, true)
	f(-21.57, -2157, 2, true)
	f(1e-12, 1, 12, true)
	f(1e-13, 0, 0, false)
	f(999999999999999, 999999999999999, 0, true)
	f(1e15, 0, 0, false)
	f(99.9999999999999, 999999999999999, 13, false)
	f(999.999999999999, 999999999999999, 12, true)
	f(999.9999999999999, 0, 0, false)
	f(0.30000000000000004, 0, 0, false)
	f(math.Inf(1), 0, 0, false)
	f(math.NaN(), 0, 0, false)
	f(math.SmallestNonzeroFloat64, 0, 0, false)
	f(1e308, 0, 0, false)
	rng := rand.New(rand.NewPCG(4, 4))
	for range 20000 {
		digits := uint8(rng.IntN(DecimalDigits + 1))
		n := rng.Int64N(MaxDecimal)>>rng.IntN(50) - rng.Int64N(1000)
		if n <= -MaxDecimal || n%10 == 0 && digits > 0 {
			continue
		}
		f(float64(n)/floatPow10[digits], n, digits, true)
	}
}

func TestTextsComeBack(t *testing.T) {
	f := func(texts ...string) {
		t.Helper()
		var lengths []int64
		for _, s := range texts {
			lengths = append(lengths, int64(len(s)))
		}
		b := append(AppendTexts(nil, []byte(strings.Join(texts, "")), lengths), 7)
		c := NewCursor(b)
		var got Texts
		got.Read(&c, len(texts))
		if c.Err() != nil || c.Len() != 1 || got.Len() != len(texts) {
			t.Fatalf("%d texts: %d, %v", len(texts), got.Len(), c.Err())
		}
		for i, s := range texts {
			if string(got.At(uint64(i))) != s {
				t.Errorf("text %d: %q, want %q", i, got.At(uint64(i)), s)
			}
		}
		c = NewCursor(b)
		SkipTexts(&c, len(texts))
		if c.Err() != nil || c.Len() != 1 {
			t.Errorf("skipping leaves %d bytes, %v", c.Len(), c.Err())
		}
	}
	f()
	f("")
	f("on", "", "off", "ü")
	f(strings.Repeat("same ", 5000))
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf(`{"code":%d}`, i))
	}
	f(many...)
}

func TestClocksComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		times := make([]int64, 3+rng.IntN(4094))
		ts := rng.Int64N(1<<50) - 1<<49
		for i := range times {
			times[i] = ts
			if ts++; rng.IntN(100) == 0 {
				ts += rng.Int64N(1 << 30)
			}
		}
		c := NewCursor(append(AppendClock(nil, times), 1))
		got := make([]int64, len(times))
		ReadClock(&c, got)
		if !slices.Equal(got, times) || c.Err() != nil || c.Len() != 1 {
			t.Fatalf("%d instants: %v", len(times), c.Err())
		}
	}
}

func TestBitmapsComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 3000 {
		n := 1 + rng.IntN(4096)
		if rng.IntN(2) == 0 {
			n = 1 + rng.IntN(130)
		}
		words := make([]uint64, 64)
		change := 1 + rng.IntN(1+rng.IntN(2*n))
		set, count := rng.IntN(2) == 0, 0
		for i := range n {
			if rng.IntN(change) == 0 {
				set = !set
			}
			if set {
				words[i/64] |= 1 << (i % 64)
				count++
			}
		}
		b := AppendBitmap(nil, words, n)
		if len(b) > 1+(n+7)/8 {
			t.Fatalf("%d bits take %d bytes", n, len(b))
		}
		c := NewCursor(append(b, 3))
		got := make([]uint64, 64)
		if full := ReadBitmap(&c, got, n); full != (count == n) {
			t.Fatalf("%d of %d bits: full is %v", count, n, full)
		}
		if !slices.Equal(got[:(n+63)/64], words[:(n+63)/64]) || c.Err() != nil || c.Len() != 1 {
			t.Fatalf("%d bits: %v", n, c.Err())
		}
		lo := rng.IntN(n)
		hi := lo + rng.IntN(n-lo+1)
		sum, next, last := 0, hi, -1
		for i := lo; i < hi; i++ {
			if words[i/64]>>(i%64)&1 == 1 {
				sum, next, last = sum+1, min(next, i), i
			}
		}
		if CountBits(words, lo, hi) != sum || NextBit(words, lo, hi) != next || LastBit(words, lo, hi) != last {
			t.Fatalf("bits %d to %d: %d, next %d, last %d", lo, hi, CountBits(words, lo, hi), NextBit(words, lo, hi), LastBit(words, lo, hi))
		}
	}
}

// FuzzDecoders holds that no decoder panics or unfolds more than it may.
func FuzzDecoders(f *testing.F) {
	v := []int64{5, 7, 1000, -3, 12}
	f.Add(AppendInts(nil, v), uint8(5))
	f.Add(AppendFloats(nil, []uint64{1, 1 << 63, 77}), uint8(3))
	f.Add(AppendFloats(nil, []uint64{77, 77, 77, 1 << 63, 1 << 63}), uint8(5))
	f.Add(AppendTexts(nil, []byte(strings.Repeat("fault", 50)), []int64{100, 150}), uint8(2))
	f.Add(AppendClock(nil, []int64{1, 2, 500, 70000, 70001, 70002}), uint8(6))
	f.Add(AppendBitmap(nil, []uint64{0xff00}, 40), uint8(40))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		run := int(n) % (MaxRun + 1)
		c := NewCursor(b)
		ReadInts(&c, make([]int64, run))
		c = NewCursor(b)
		ReadFloats(&c, make([]uint64, run))
		c = NewCursor(b)
		var texts Texts
		if texts.Read(&c, run); texts.Len() > run {
			t.Errorf("%d texts", texts.Len())
		}
		for i := range texts.Len() {
			texts.At(uint64(i))
		}
		c = NewCursor(b)
		SkipTexts(&c, run)
		c = NewCursor(b)
		ReadClock(&c, make([]int64, run))
		c = NewCursor(b)
		ReadBitmap(&c, make([]uint64, 64), run+1)
	})
}
