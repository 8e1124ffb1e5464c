package head

import (
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A Half is what one generation of the head has of a group.
type Half struct {
	main Rows // strictly ascending
	late Rows // in order of arrival; every one is newer knowledge than main's row of its instant
	// tombs hide what lies below: row groups, and the older generation.
	tombs []scan.Tombstone
	// upto is the position of the last entry that changed this half: a snapshot of the
	// store whose flush position reaches it has all of it.
	upto model.Position
	// kept is what writes that keep originals need beside the rows; nil while there is none.
	kept *kept
}

// append adds the rows of a section and reports by how much memory grew.
func (h *Half) append(s *entry.Section, times []int64, expiry int64, width int) (grown int64) {
	split := 0
	if n := h.main.Len(); n > 0 {
		last := h.main.times[n-1]
		if times[0] <= last {
			split, _ = slices.BinarySearch(times, last+1)
		}
	}
	if split > 0 {
		grown = h.late.append(s, times, expiry, 0, split, width)
	}
	if split < len(times) {
		grown += h.main.append(s, times, expiry, split, len(times), width)
	}
	return grown
}

// delete hides the range in the columns of mask, here and below.
func (h *Half) delete(mask uint32, from, to int64) {
	for c := range 32 {
		if mask&(1<<c) == 0 {
			continue
		}
		t := scan.Tombstone{Column: c, From: from, To: to}
		h.main.hide(t)
		h.late.hide(t)
		h.kept.hide(t)
		h.tombs = append(h.tombs, t)
	}
}

// views adds the views of both tables, the older knowledge first.
func (h *Half) views(dst []View, mask uint32) []View {
	if h.main.Len() > 0 {
		v := h.main.view(mask)
		v.sorted = true
		dst = append(dst, v)
	}
	if h.late.Len() > 0 {
		v := h.late.view(mask)
		v.late = true
		dst = append(dst, v)
	}
	return dst
}

// Table returns the rows as a flush writes them: ascending, one of an instant, hidden cells
// and empty rows gone. It is not called for a half that still changes; the result may share
// its memory.
func (h *Half) Table() *column.Table {
	if h.late.Len() == 0 && len(h.main.deleted) == 0 {
		return h.main.table()
	}
	main, late := clean(&h.main), clean(&h.late)
	if late.Len() == 0 {
		return main
	}
	return Merge(main, late)
}

// clean returns the rows of r in order, one of an instant, without what is hidden.
func clean(r *Rows) *column.Table {
	order, in := orderOf(r.times), r.table()
	if len(r.deleted) == 0 && order == nil {
		return in
	}
	var out column.Table
	out.Reset(len(in.Columns))
	for i := 0; i < r.Len(); {
		row := func(i int) int {
			if order == nil {
				return i
			}
			return int(order[i])
		}
		ts := in.Times[row(i)]
		next := i + 1
		for next < r.Len() && in.Times[row(next)] == ts {
			next++
		}
		any := false
		for c := range out.Columns {
			found := -1
			for k := next - 1; k >= i && found < 0; k-- {
				if n := row(k); in.Columns[c].Types[n] != model.TypeNone && !r.hidden(c, n, ts) {
					found = n
				}
			}
			if found < 0 {
				out.Columns[c].AppendNone(1)
				continue
			}
			any = true
			out.Columns[c].AppendFrom(&in.Columns[c], found)
		}
		if any {
			out.Times = append(out.Times, ts)
		} else {
			dropLast(&out, len(out.Times))
		}
		i = next
	}
	return &out
}

func (r *Rows) hidden(c, row int, ts int64) bool {
	for _, d := range r.deleted {
		if d.Column == c && row < d.Rows && ts >= d.From && ts < d.To {
			return true
		}
	}
	return false
}

// dropLast cuts the columns back to n rows; none of the rows cut has text.
func dropLast(t *column.Table, n int) {
	for i := range t.Columns {
		t.Columns[i].Cut(n)
	}
}

// Merge returns the rows of both tables; where both have a cell, that of newer wins.
func Merge(older, newer *column.Table) *column.Table {
	var out column.Table
	out.Reset(max(len(older.Columns), len(newer.Columns)))
	i, k := 0, 0
	for i < older.Len() || k < newer.Len() {
		switch {
		case k == newer.Len() || i < older.Len() && older.Times[i] < newer.Times[k]:
			out.AppendRow(older, i)
			i++
		case i == older.Len() || newer.Times[k] < older.Times[i]:
			out.AppendRow(newer, k)
			k++
		default:
			out.Times = append(out.Times, newer.Times[k])
			for c := range out.Columns {
				if newer.Columns[c].Types[k] != model.TypeNone {
					out.Columns[c].AppendFrom(&newer.Columns[c], k)
				} else {
					out.Columns[c].AppendFrom(&older.Columns[c], i)
				}
			}
			i++
			k++
		}
	}
	return &out
}

// Without returns the rows of t with the cells that tombs hide taken away, and rows left
// empty with them; changed is false when there was nothing to take.
func Without(t *column.Table, tombs []scan.Tombstone) (out *column.Table, changed bool) {
	hidden := func(c int, ts int64) bool {
		for _, d := range tombs {
			if d.Column == c && ts >= d.From && ts < d.To {
				return true
			}
		}
		return false
	}
	for c := range t.Columns {
		for i, ts := range t.Times {
			if t.Columns[c].Types[i] != model.TypeNone && hidden(c, ts) {
				changed = true
			}
		}
	}
	if !changed {
		return t, false
	}
	out = &column.Table{}
	out.Reset(len(t.Columns))
	for i, ts := range t.Times {
		any := false
		for c := range t.Columns {
			if t.Columns[c].Types[i] == model.TypeNone || hidden(c, ts) {
				out.Columns[c].AppendNone(1)
				continue
			}
			any = true
			out.Columns[c].AppendFrom(&t.Columns[c], i)
		}
		if any {
			out.Times = append(out.Times, ts)
		} else {
			dropLast(out, len(out.Times))
		}
	}
	return out, true
}
