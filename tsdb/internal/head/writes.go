package head

import (
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/revision"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// Writes is what one generation of the head knows of what was written to single instants, in
// order of arrival: for whoever works out revisions. It never changes and needs no lock.
type Writes struct {
	tables [2]*scan.Head // main and late; nil: no rows
	kept   kept
	asides []int32 // numbers of kept.asides, sorted
	tombs  []scan.Tombstone
}

func newWrites(h *halfView) Writes {
	w := Writes{kept: h.kept, tombs: h.tombs, asides: h.kept.sorted()}
	for i := range h.views {
		v := &h.views[i]
		v.Sort()
		table := inMain
		if v.late {
			table = inLate
		}
		w.tables[table] = &v.Head
	}
	return w
}

// Writes returns, of the heads that Resolve returns, what was written to single instants.
func (v *GroupView) Writes(flushed model.Position) (writes []Writes) {
	for i := range v.n {
		if h := &v.halves[i]; h.upto > flushed {
			writes = append(writes, newWrites(h))
		}
	}
	return writes
}

// Writes returns what the flush has to work revisions out from; nil when there are none to
// be kept.
func (f *FrozenGroup) Writes() *Writes {
	if f.half == nil || f.half.kept == nil {
		return nil
	}
	w := newWrites(&halfView{views: f.half.views(nil, 1<<f.Group.width()-1), tombs: f.half.tombs, kept: *f.half.kept})
	return &w
}

// Hides reports whether what lies below was deleted.
func (w *Writes) Hides(c int, ts int64) bool {
	for _, t := range w.tombs {
		if t.Column == c && ts >= t.From && ts < t.To {
			return true
		}
	}
	return false
}

// AppendInstants adds to dst, in any order and maybe several times, the instants of a column in
// [from, to) that writes which keep originals met.
func (w *Writes) AppendInstants(dst []int64, c int, from, to int64) []int64 {
	for i := range w.kept.sets {
		for table, b := range w.kept.sets[i].bounds {
			head := w.tables[table]
			if head == nil || c >= len(head.Columns) {
				continue
			}
			types := head.Columns[c].Types
			for row := int(b.lo); row < min(int(b.hi), len(types)); row++ {
				if ts := head.Times[row]; types[row] != model.TypeNone && ts >= from && ts < to {
					dst = append(dst, ts)
				}
			}
		}
	}
	for i := range w.kept.asides {
		if a := &w.kept.asides[i]; int(a.column) == c && a.ts >= from && a.ts < to {
			dst = append(dst, a.ts)
		}
	}
	return dst
}

// Keeps reports whether a write that keeps originals met the column.
func (w *Writes) Keeps() bool { return len(w.kept.sets) > 0 }

// Fold tells f what was written to an instant of a column and not deleted after, in order of
// arrival. What lies below comes before it, unless Hides says that it was deleted.
func (w *Writes) Fold(c int, ts int64, f *revision.Fold) {
	asides := w.kept.of(w.asides, c, ts)
	for table := range w.tables {
		w.eachRow(table, c, ts, func(row int) {
			set, own := w.kept.setOf(table, row)
			for len(asides) > 0 && w.before(asides[0], set, own) {
				w.foldAside(asides[0], f)
				asides = asides[1:]
			}
			v := w.tables[table].Columns[c].At(row)
			if own {
				s := &w.kept.sets[set]
				f.Keep(s.position, s.received, 0, 0, v)
			} else {
				f.Write(v)
			}
		})
	}
	for _, i := range asides {
		w.foldAside(i, f)
	}
}

// before reports whether an aside arrived before a row which is of set, or came behind it.
func (w *Writes) before(i int32, set int, own bool) bool {
	a := &w.kept.asides[i]
	return int(a.set) < set || int(a.set) == set && (!own || !a.after)
}

func (w *Writes) foldAside(i int32, f *revision.Fold) {
	if w.kept.hidden(int(i)) {
		return
	}
	a := &w.kept.asides[i]
	s := &w.kept.sets[a.set]
	f.Keep(s.position, s.received, a.quality, s.expires, a.value)
}

// eachRow calls fn with the rows of a table that have a cell of an instant which is not
// deleted, in order of arrival.
func (w *Writes) eachRow(table, c int, ts int64, fn func(row int)) {
	h := w.tables[table]
	if h == nil || c >= len(h.Columns) {
		return
	}
	rowAt := func(i int) int {
		if h.Order == nil {
			return i
		}
		return int(h.Order[i])
	}
	n := len(h.Times)
	lo, hi := 0, n
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); h.Times[rowAt(mid)] < ts {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < n && h.Times[rowAt(lo)] == ts; lo++ {
		row := rowAt(lo)
		if row >= len(h.Columns[c].Types) || h.Columns[c].Types[row] == model.TypeNone {
			continue
		}
		if !slices.ContainsFunc(h.Deleted, func(d scan.HeadTombstone) bool {
			return d.Column == c && row < d.Rows && ts >= d.From && ts < d.To
		}) {
			fn(row)
		}
	}
}
