package registry

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// The first n come out as a sort would leave them, however few they are.
func TestSortFirstIsASort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		items := make([]*int, rng.IntN(200))
		for i := range items {
			items[i] = new(rng.IntN(50))
		}
		n := 0
		if len(items) > 0 {
			n = rng.IntN(len(items) + 1)
		}
		compare := func(a, b *int) int { return cmp.Compare(*a, *b) }
		var got, want []int
		for _, v := range slices.SortedFunc(slices.Values(items), compare)[:n] {
			want = append(want, *v)
		}
		sortFirst(items, n, compare)
		for _, v := range items[:n] {
			got = append(got, *v)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("first %d of %d: %v, want %v", n, len(items), got, want)
		}
	}
}

// A walk that began sees what was there then, whatever is put and removed meanwhile.
func TestListHandedOutNeverChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := &index{members: map[model.EntityID]*model.Entity{}}
	var handed, copies [][]*model.Entity
	naive := map[model.EntityID]*model.Entity{}
	for i := range 2000 {
		id := model.EntityID{byte(i >> 8), byte(i)}
		switch old := x.list(); {
		case rng.IntN(4) == 0 && len(old) > 0:
			id = old[rng.IntN(len(old))].ID
			x.remove(id)
			delete(naive, id)
		case rng.IntN(4) == 0 && len(old) > 0:
			e := *old[rng.IntN(len(old))]
			x.put(&e)
			naive[e.ID] = &e
		default:
			e := &model.Entity{ID: id, Created: int64(i - rng.IntN(3))}
			x.put(e)
			naive[id] = e
		}
		l := x.list()
		handed, copies = append(handed, l), append(copies, slices.Clone(l))
		want := make([]*model.Entity, 0, len(naive))
		for _, e := range naive {
			want = append(want, e)
		}
		slices.SortFunc(want, byCreation)
		if !slices.Equal(l, want) {
			t.Fatalf("step %d: %d listed, want %d", i, len(l), len(want))
		}
	}
	for i := range handed {
		if !slices.Equal(handed[i], copies[i]) {
			t.Fatalf("list %d changed after it was handed out", i)
		}
	}
}

func TestCompareTextIgnoresCase(t *testing.T) {
	texts := []string{"b", "B", "a1", "A", "", "ab", "é", "a"}
	slices.SortFunc(texts, compareText)
	if !slices.Equal(texts, []string{"", "A", "a", "a1", "ab", "B", "b", "é"}) {
		t.Errorf("%q", texts)
	}
}
