package head

import (
	"cmp"
	"slices"
	"sort"
	"unsafe"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// kept is what a half knows, beside its rows, of the sets that keep originals. The rows say
// nothing of it: those of a set stand together, so where it begins and ends in both tables
// tells which are its, and the rows of other sets cost nothing. Like rows, what was appended
// here is not written again. A nil kept is an empty one.
type kept struct {
	sets   []keptSet
	asides []aside
	// deleted hides asides as it does rows: those that were there.
	deleted []scan.HeadTombstone
}

// A keptSet is one set. The sets stand in order of arrival, so their bounds ascend.
type keptSet struct {
	position          model.Position
	received, expires int64
	bounds            [2]bounds // of its rows in main and in late
}

// bounds are row numbers, hi exclusive.
type bounds struct{ lo, hi int32 }

// An aside is a value of a set that is no point.
type aside struct {
	ts      int64
	value   model.Value
	set     int32
	column  uint8
	quality uint8
	after   bool // behind the point of the set
}

// Where the tables of a half stand in what goes over both.
const (
	inMain = iota
	inLate
)

// lengths returns how many rows h has, which may be nil.
func (h *Half) lengths() [2]int32 {
	if h == nil {
		return [2]int32{}
	}
	return [2]int32{inMain: int32(h.main.Len()), inLate: int32(h.late.Len())}
}

// keep notes that the rows behind those of before are of s.
func (h *Half) keep(s *entry.Set, p model.Position, before [2]int32) (grown int64) {
	if h.kept == nil {
		h.kept = &kept{}
	}
	k, after := h.kept, h.lengths()
	one := keptSet{position: p, received: s.Received, expires: s.Expires()}
	for i := range one.bounds {
		one.bounds[i] = bounds{before[i], after[i]}
	}
	room := cap(k.sets)
	k.sets = append(k.sets, one)
	return int64(cap(k.sets)-room) * int64(unsafe.Sizeof(one))
}

// setAside notes a value of s that is no point. The rows of s are in the half already.
func (g *Group) setAside(s *entry.Set, a *entry.Aside, p model.Position) (grown int64) {
	grown = g.touch(p)
	h := g.active
	if h.kept == nil || len(h.kept.sets) == 0 || h.kept.sets[len(h.kept.sets)-1].position != p {
		grown += h.keep(s, p, h.lengths())
	}
	k := h.kept
	room := cap(k.asides)
	k.asides = append(k.asides, aside{
		ts: a.TS, value: a.Value, set: int32(len(k.sets) - 1), column: a.Ref.Column, quality: a.Quality, after: a.After,
	})
	return grown + int64(cap(k.asides)-room)*int64(unsafe.Sizeof(aside{})) + int64(len(a.Value.Text()))
}

// hide deletes the asides there are.
func (k *kept) hide(t scan.Tombstone) {
	if k != nil && len(k.asides) > 0 {
		k.deleted = append(k.deleted, scan.HeadTombstone{Tombstone: t, Rows: len(k.asides)})
	}
}

func (k *kept) hidden(i int) bool {
	a := &k.asides[i]
	for _, d := range k.deleted {
		if d.Column == int(a.column) && i < d.Rows && a.ts >= d.From && a.ts < d.To {
			return true
		}
	}
	return false
}

// sorted returns the numbers of the asides by column, instant and arrival.
func (k *kept) sorted() []int32 {
	order := make([]int32, len(k.asides))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int {
		a, b := &k.asides[x], &k.asides[y]
		return cmp.Or(cmp.Compare(a.column, b.column), cmp.Compare(a.ts, b.ts), cmp.Compare(x, y))
	})
	return order
}

// of returns the place in order of the asides of a column and instant.
func (k *kept) of(order []int32, column int, ts int64) []int32 {
	lo := sort.Search(len(order), func(i int) bool {
		a := &k.asides[order[i]]
		return int(a.column) > column || int(a.column) == column && a.ts >= ts
	})
	hi := lo
	for hi < len(order) && int(k.asides[order[hi]].column) == column && k.asides[order[hi]].ts == ts {
		hi++
	}
	return order[lo:hi]
}

// setOf returns the last set that began before row number row of a table, or -1, and whether
// the row is its.
func (k *kept) setOf(table int, row int) (set int, own bool) {
	set = sort.Search(len(k.sets), func(i int) bool { return int(k.sets[i].bounds[table].lo) > row }) - 1
	return set, set >= 0 && row < int(k.sets[set].bounds[table].hi)
}
