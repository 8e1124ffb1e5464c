package codec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCountMultiplesAgreesWithDivision(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for digits := range uint8(DecimalDigits + 1) {
		pow := int64(Pow10(digits))
		v := []int64{0, 1, -1, pow, -pow, pow - 1, 1 - pow, pow + 1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1,
			math.MaxInt64 / pow * pow, math.MinInt64 / pow * pow, pow / 2, pow / 5}
		for range 10_000 {
			x := int64(rng.Uint64()) >> rng.IntN(64)
			v = append(v, x, x/pow*pow, x/pow*pow+1)
		}
		for _, x := range v {
			want := 0
			if x%pow == 0 {
				want = 1
			}
			if got := CountMultiples([]int64{x}, digits); got != want {
				t.Fatalf("%d is a multiple of %d: %d, want %d", x, pow, got, want)
			}
		}
	}
}
