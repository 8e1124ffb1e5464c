package scan

import (
	"cmp"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// A memory walks the cells one column has in the heads of a group, one an instant, up or
// down in time. Cells of TypeNone and deleted ones are not met; nulls are, because they
// replace what lies under them.
type memory struct {
	views []view // older heads first
	down  bool

	ok  bool // there is a current cell
	ts  int64
	cur int // the view that has it

	scratch column.Column // what run returned
}

// A view is a walk over one head.
type view struct {
	times  []int64
	order  []int32
	col    *column.Column
	hidden []HeadTombstone // those of this column

	pos, end int // the next place in order, and the first one not to visit

	ok  bool // there is a current cell
	ts  int64
	row int
}

// reset starts the walk over [from, to) of column c.
func (m *memory) reset(heads []Head, c int, from, to int64, down bool) {
	m.views, m.down = m.views[:0], down
	for i := range heads {
		h := &heads[i]
		if c >= len(h.Columns) || len(h.Columns[c].Types) == 0 {
			continue
		}
		v := view{times: h.Times, order: h.Order, col: &h.Columns[c]}
		lo, hi := v.search(from), v.search(to)
		if lo == hi {
			continue
		}
		for _, d := range h.Deleted {
			if d.Column == c && d.From < to && d.To > from {
				v.hidden = append(v.hidden, d)
			}
		}
		v.pos, v.end = lo, hi
		if down {
			v.pos, v.end = hi-1, lo-1
		}
		v.next(down)
		if v.ok {
			m.views = append(m.views, v)
		}
	}
	m.pick()
}

// release forgets the heads.
func (m *memory) release() {
	clear(m.views[:cap(m.views)])
	m.views, m.ok, m.scratch = m.views[:0], false, column.Column{}
}

// next moves to the next instant.
func (m *memory) next() {
	for i := range m.views {
		if v := &m.views[i]; v.ok && v.ts == m.ts {
			v.next(m.down)
		}
	}
	m.pick()
}

// pick makes the cell of the newest head current among those of the next instant.
func (m *memory) pick() {
	m.ok = false
	for i := range m.views {
		v := &m.views[i]
		if !v.ok {
			continue
		}
		if !m.ok || v.ts == m.ts || (v.ts < m.ts) != m.down {
			m.ok, m.ts, m.cur = true, v.ts, i
		}
	}
}

// cell returns where the current cell is.
func (m *memory) cell() (*column.Column, int) {
	v := &m.views[m.cur]
	return v.col, v.row
}

// run returns rows of one head from the current cell to before limit between which no
// other head has a cell, and moves behind them; false where that is not known to be so, and
// the cell is to be taken by itself. Rows of a run may lack the key. Runs go up in time only.
func (m *memory) run(limit int64) (times []int64, col *column.Column, ok bool) {
	v := &m.views[m.cur]
	if v.order != nil || len(v.hidden) > 0 {
		return nil, nil, false
	}
	for i := range m.views {
		if o := &m.views[i]; i != m.cur && o.ok {
			limit = min(limit, o.ts)
		}
	}
	if v.ts >= limit {
		return nil, nil, false
	}
	lo, hi := v.row, min(v.pos+lowerBound(v.times[v.pos:v.end], limit), len(v.col.Types))
	view := column.Column{Types: v.col.Types[lo:hi], Bits: v.col.Bits[lo:hi], Text: v.col.Text}
	times = v.times[lo:hi]
	v.pos = hi
	v.next(false)
	m.pick()
	m.scratch = view
	return times, &m.scratch, true
}

func (v *view) rowAt(pos int) int {
	if v.order == nil {
		return pos
	}
	return int(v.order[pos])
}

// search returns the first place in order at or after ts.
func (v *view) search(ts int64) int {
	if v.order == nil {
		return lowerBound(v.times, ts)
	}
	i, _ := slices.BinarySearchFunc(v.order, ts, func(row int32, ts int64) int {
		return cmp.Compare(v.times[row], ts)
	})
	return i
}

// next moves to the next instant that has a cell: of several rows of one instant it is the
// last to arrive that has one, which stands last in order.
func (v *view) next(down bool) {
	v.ok = false
	step := 1
	if down {
		step = -1
	}
	for v.pos != v.end {
		v.row = -1
		v.ts = v.times[v.rowAt(v.pos)]
		for v.pos != v.end {
			row := v.rowAt(v.pos)
			if v.times[row] != v.ts {
				break
			}
			if (v.row < 0 || !down) && v.visible(row) {
				v.row = row
			}
			v.pos += step
		}
		if v.row >= 0 {
			v.ok = true
			return
		}
	}
}

func (v *view) visible(row int) bool {
	if row >= len(v.col.Types) || v.col.Types[row] == model.TypeNone {
		return false
	}
	for _, d := range v.hidden {
		if row < d.Rows && d.From <= v.ts && v.ts < d.To {
			return false
		}
	}
	return true
}

// lowerBound returns the first index of ascending times at or after ts.
func lowerBound(times []int64, ts int64) int {
	lo, hi := 0, len(times)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if times[mid] < ts {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// gallop is lowerBound where the answer is expected to be near the beginning.
func gallop(times []int64, ts int64) int {
	step, lo := 1, 0
	for lo+step < len(times) && times[lo+step] < ts {
		lo += step
		step *= 2
	}
	return lo + lowerBound(times[lo:min(lo+step+1, len(times))], ts)
}

// count reports about how many cells there are from the current one to before limit, at
// most, in a walk upwards.
func (m *memory) count(limit int64) int {
	n := 0
	for i := range m.views {
		if v := &m.views[i]; v.ok && v.ts < limit {
			n += 1 + max(0, min(v.search(limit), v.end)-v.pos)
		}
	}
	return n
}
