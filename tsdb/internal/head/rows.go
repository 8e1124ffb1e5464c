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

// Rows is an append-only table. All columns share two allocations, so a head of a hundred
// thousand groups is three objects a group to the garbage collector.
type Rows struct {
	table   column.Table
	deleted []scan.HeadTombstone
	// order caches the row numbers by instant for the length it was made for.
	order atomic.Pointer[[]int32]
}

// Len reports the number of rows.
func (r *Rows) Len() int { return len(r.table.Times) }

// minRows is the first capacity: a group that is written once a flush costs little.
const minRows = 4

// grow makes room for n more rows of width columns.
func (r *Rows) grow(n, width int) {
	t := &r.table
	have := len(t.Times)
	if t.Columns == nil {
		t.Columns = make([]column.Column, width)
	}
	if have+n <= cap(t.Times) {
		return
	}
	room := max(have+n, minRows)
	if have > 0 {
		room = max(room, have+have/2+have/4)
	}
	times := make([]int64, have, room)
	copy(times, t.Times)
	bits, types := make([]uint64, width*room), make([]model.Type, width*room)
	for i := range t.Columns {
		c := &t.Columns[i]
		b, y := bits[i*room:i*room+have:(i+1)*room], types[i*room:i*room+have:(i+1)*room]
		copy(b, c.Bits)
		copy(y, c.Types)
		c.Bits, c.Types = b, y
	}
	t.Times = times
	if have > 0 && t.Columns[0].Expiry != nil {
		r.expire(room)
	}
}

// expire gives every column room for expiries. Only a table that was handed an expiry has
// them, and then all its columns do.
func (r *Rows) expire(room int) {
	t := &r.table
	all := make([]int64, len(t.Columns)*room)
	have := len(t.Times)
	for i := range t.Columns {
		e := all[i*room : i*room+have : (i+1)*room]
		copy(e, t.Columns[i].Expiry)
		t.Columns[i].Expiry = e
	}
}

// append adds the rows [lo, hi) of a section, whose instants are times and which are kept
// until expiry (0: as the policy says), and reports by how much memory grew.
func (r *Rows) append(s *entry.Section, times []int64, expiry int64, lo, hi, width int) (grown int64) {
	n, room := hi-lo, cap(r.table.Times)
	r.grow(n, width)
	t := &r.table
	grown = int64(cap(t.Times)-room) * int64(8+9*width)
	if expires := t.Columns[0].Expiry != nil; expires || expiry != 0 {
		if !expires {
			r.expire(cap(t.Times))
			room = 0
		}
		grown += int64(cap(t.Times)-room) * int64(8*width)
	}
	from := len(t.Times)
	to := from + n
	t.Times = append(t.Times, times[lo:hi]...)
	for i := range t.Columns { // the room behind the length is zero: no key, unless set below
		c := &t.Columns[i]
		c.Types, c.Bits = c.Types[:to], c.Bits[:to]
		if c.Expiry != nil {
			c.Expiry = c.Expiry[:to]
		}
	}
	for i := range s.Columns {
		src := &s.Columns[i]
		c := &t.Columns[s.Numbers[i]]
		types, bits := c.Types[from:to], c.Bits[from:to]
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
					c.Expiry[from+k] = expiry
				}
			}
		}
		if src.HasText() {
			room := cap(c.Text)
			c.Text = appendText(c.Text, src, lo, hi, bits)
			grown += int64(cap(c.Text) - room)
		}
	}
	return grown
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
	v := View{rows: r, Head: scan.Head{Times: r.table.Times, Columns: make([]column.Column, len(r.table.Columns))}}
	for i := range r.table.Columns {
		if mask&(1<<i) != 0 {
			v.Columns[i] = r.table.Columns[i]
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
