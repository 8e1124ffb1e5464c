package entityquery

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// However many there are and whichever page is asked for, it is what sorting all would give.
func TestAPageIsWhatSortingEverythingWouldGive(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		list := make([]ranked, rng.IntN(300))
		for i := range list {
			list[i].e = &model.Entity{ID: model.EntityID{byte(i), byte(i >> 8)}, Created: rng.Int64N(20)}
			switch rng.IntN(4) {
			case 0:
				list[i].value = model.Int(rng.Int64N(10))
			case 1:
				list[i].value = model.Float(rng.Float64() * 10)
			case 2:
				list[i].value = model.String(string(rune('a' + rng.IntN(5))))
			}
		}
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		by := order(&model.FindQuery{Sort: model.EntityKey{Kind: model.KeyKind(seed % 2)}, Descending: rng.IntN(2) == 0})
		all := slices.Clone(list)
		slices.SortFunc(all, by)
		n := rng.IntN(len(list) + 1)
		if got := first(slices.Clone(list), n, by); !slices.Equal(got, all[:n]) {
			t.Fatalf("seed %d: the first %d of %d are not those of the sorted list", seed, n, len(list))
		}
	}
}
