package head

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// Rows is an append-only table. Cells of all columns share one array of bits and one of
// types, a stretch of cap(times) for each column, and a column is cut out of them when it is
// asked for: a slice header for each would cost a group of ten keys more than its first
// thirty rows, and a dozen cache lines more to touch for every row.
type Rows struct {
	times  []int64
	bits   []uint64
	types  []model.Type
	expiry []int64  // nil until a cell has one
	texts  [][]byte // by column; nil until there is text
	width  int      // columns

	deleted []scan.HeadTombstone
	// order caches the row numbers by instant for the length it was made for.
	order atomic.Pointer[[]int32]
}

// Len reports the number of rows.
func (r *Rows) Len() int { return len(r.times) }

// column returns the cells of column i, sharing their memory.
func (r *Rows) column(i int) (c column.Column) {
	from := i * cap(r.times)
	to := from + len(r.times)
	c.Types, c.Bits = r.types[from:to:to], r.bits[from:to:to]
	if r.texts != nil {
		c.Text = r.texts[i]
	}
	if r.expiry != nil {
		c.Expiry = r.expiry[from:to:to]
	}
	return c
}

// table returns all of it, sharing its memory.
func (r *Rows) table() *column.Table {
	t := &column.Table{Times: r.times, Columns: make([]column.Column, r.width)}
	for i := range t.Columns {
		t.Columns[i] = r.column(i)
	}
	return t
}

// minRows is the first capacity: a group that is written once a flush costs little.
const minRows = 4

// grow makes room for n more rows of width columns. What it leaves behind stays as readers
// know it.
func (r *Rows) grow(n, width int) {
	have := len(r.times)
	r.width = width
	if have+n <= cap(r.times) {
		return
	}
	room := max(have+n, minRows)
	if have > 0 {
		room = max(room, have+have/2+have/4)
	}
	r.bits, r.types = spread(r.bits, cap(r.times), have, room, width), spread(r.types, cap(r.times), have, room, width)
	if r.expiry != nil {
		r.expiry = spread(r.expiry, cap(r.times), have, room, width)
	}
	times := make([]int64, have, room)
	copy(times, r.times)
	r.times = times
}

// spread copies the first have cells of each column to where they stand with more room.
func spread[T any](old []T, from, have, to, width int) []T {
	all := make([]T, width*to)
	for i := range width {
		copy(all[i*to:], old[i*from:i*from+have])
	}
	return all
}

// append adds the rows [lo, hi) of a section, whose instants are times and which are kept
// until expiry (0: as the policy says), and reports by how much memory grew.
func (r *Rows) append(s *entry.Section, times []int64, expiry int64, lo, hi, width int) (grown int64) {
	n, room := hi-lo, cap(r.times)
	r.grow(n, width)
	grown = int64(cap(r.times)-room) * int64(8+9*width)
	if r.expiry != nil || expiry != 0 {
		if r.expiry == nil {
			r.expiry = make([]int64, width*cap(r.times))
			room = 0
		}
		grown += int64(cap(r.times)-room) * int64(8*width)
	}
	from := len(r.times)
	room = cap(r.times)
	r.times = append(r.times, times[lo:hi]...)
	// What lies behind the length of a column is zero: no key, unless set here.
	for i := range s.Columns {
		src, column := &s.Columns[i], int(s.Numbers[i])
		at := column*room + from
		types, bits := r.types[at:at+n], r.bits[at:at+n]
		if src.Types == nil {
			for k := range types {
				types[k] = src.Type
			}
		} else {
			for k := range types {
				types[k] = model.Type(src.Types[lo+k])
			}
		}
		raw := src.Bits[8*lo : 8*hi]
		for k := range bits {
			bits[k] = binary.LittleEndian.Uint64(raw[8*k:])
		}
		if expiry != 0 {
			for k, t := range types {
				if t != model.TypeNone {
					r.expiry[at+k] = expiry
				}
			}
		}
		if src.HasText() {
			grown += r.addText(src, column, lo, hi, bits)
		}
	}
	return grown
}

// addText adds the texts of the rows [lo, hi) to a column and makes bits point at them.
func (r *Rows) addText(src *entry.Column, column, lo, hi int, bits []uint64) (grown int64) {
	if r.texts == nil {
		r.texts = make([][]byte, r.width)
		grown = 24 * int64(r.width)
	}
	room := cap(r.texts[column])
	r.texts[column] = appendText(r.texts[column], src, lo, hi, bits)
	return grown + int64(cap(r.texts[column])-room)
}

// appendText adds the texts of the rows [lo, hi) and makes bits point at them.
func appendText(dst []byte, src *entry.Column, lo, hi int, bits []uint64) []byte {
	at := 0
	for row := range hi {
		if !src.TypeAt(row).IsText() {
			continue
		}
		n := int(src.BitsAt(row))
		if row >= lo {
			bits[row-lo] = uint64(len(dst))<<32 | uint64(n)
			dst = append(dst, src.Text[at:at+n]...)
		}
		at += n
	}
	return dst
}

// hide deletes cells of the rows there are.
func (r *Rows) hide(t scan.Tombstone) {
	if r.Len() > 0 {
		r.deleted = append(r.deleted, scan.HeadTombstone{Tombstone: t, Rows: r.Len()})
	}
}

// view copies what a reader of the columns in mask needs. The lock must be held.
func (r *Rows) view(mask uint32) View {
	v := View{rows: r, Head: scan.Head{Times: r.times, Columns: make([]column.Column, r.width)}}
	for i := range v.Columns {
		if mask&(1<<i) != 0 {
			v.Columns[i] = r.column(i)
			v.Columns[i].Expiry = nil
		}
	}
	for _, d := range r.deleted {
		if mask&(1<<d.Column) != 0 {
			v.Deleted = append(v.Deleted, d)
		}
	}
	return v
}

// A View is rows as one reader sees them. Its Order is filled by Sort.
type View struct {
	scan.Head
	rows   *Rows
	sorted bool
	late   bool // of the rows that did not arrive in order
}

// Sort fills Order where the rows do not stand in order. It is called without the lock.
func (v *View) Sort() {
	if v.sorted {
		return
	}
	if cached := v.rows.order.Load(); cached != nil && len(*cached) == len(v.Times) {
		v.Order = *cached
		return
	}
	v.Order = orderOf(v.Times)
	v.rows.order.Store(&v.Order)
}

// orderOf returns the row numbers by instant, then by arrival; nil when times ascend.
func orderOf(times []int64) []int32 {
	ascending := true
	for i := 1; i < len(times) && ascending; i++ {
		ascending = times[i] > times[i-1]
	}
	if ascending {
		return nil
	}
	order := make([]int32, len(times))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case times[a] < times[b]:
			return -1
		case times[a] > times[b]:
			return 1
		}
		return int(a - b)
	})
	return order
}
