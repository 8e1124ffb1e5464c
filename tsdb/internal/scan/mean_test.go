package scan

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

func TestMeansAreRoundedOnce(t *testing.T) {
	const unit = 1_000_000_000_000
	rng := rand.New(rand.NewPCG(1, 5))
	random := func() summary.Int128 {
		v := summary.FromInt64(int64(rng.Uint64()) >> rng.IntN(64))
		if rng.IntN(3) == 0 {
			v.Hi = v.Hi<<1 ^ int64(rng.Uint64()>>(2+rng.IntN(62)))
		}
		if rng.IntN(3) == 0 {
			return summary.Int128{}
		}
		return v
	}
	big128 := func(v summary.Int128) *big.Int {
		b := new(big.Int).Lsh(big.NewInt(v.Hi), 64)
		return b.Add(b, new(big.Int).SetUint64(v.Lo))
	}
	for i := range 200_000 {
		s := summary.Summary{IntSum: random(), DecimalSum: random()}
		n := 1 + int64(rng.Uint64()>>(1+rng.IntN(63)))
		s.Ints, s.Floats = n/2, n-n/2
		num := new(big.Int).Mul(big128(s.IntSum), big.NewInt(unit))
		num.Add(num, big128(s.DecimalSum))
		want, _ := new(big.Rat).SetFrac(num, new(big.Int).Mul(big.NewInt(unit), big.NewInt(n))).Float64()
		if got, ok := mean(&s); !ok || got.Float() != want {
			t.Fatalf("case %d: (%+v + %+v/10^12)/%d is %v, want %v", i, s.IntSum, s.DecimalSum, n, got.Float(), want)
		}
	}
}

func TestMeansOfOtherFloatsAreLeftAlone(t *testing.T) {
	for _, s := range []summary.Summary{{}, {Floats: 2, Hi: 1}, {Floats: 2, Lo: 1}, {Floats: 2, Huge: 1}} {
		if v, ok := mean(&s); ok {
			t.Errorf("%+v: %#v", s, v)
		}
	}
}
