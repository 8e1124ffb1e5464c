package rowgroup

import (
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// kindExpiry is the optional column of cells that have a time to live of their own:
//
//	least <varint> | which rows: presence | expiry - instant: ints, 128 at a time
//
// It is of one column, or with the number everyColumn of all cells of a row, where those of
// each row agree: what one write brought. A row group of cells without one has none.
const (
	kindExpiry  = 1
	everyColumn = 255
)

// appendExpiries adds the optional columns of t to dst, and their number and places to dir.
func appendExpiries(dst, dir []byte, t *column.Table) (_, _ []byte) {
	var columns []int
	for i := range t.Columns {
		for _, e := range t.Columns[i].Expiry {
			if e != 0 {
				columns = append(columns, i)
				break
			}
		}
	}
	if columns == nil {
		return dst, append(dir, 0)
	}
	expiries := make([]int64, t.Len())
	if shared(t, expiries) {
		dir = append(dir, 1)
		return appendExpiry(dst, dir, everyColumn, t.Times, expiries)
	}
	dir = append(dir, byte(len(columns)))
	for _, c := range columns {
		dst, dir = appendExpiry(dst, dir, byte(c), t.Times, t.Columns[c].Expiry)
	}
	return dst, dir
}

// shared fills expiries with those of the rows and reports whether the cells of each agree.
func shared(t *column.Table, expiries []int64) bool {
	for row := range expiries {
		first := true
		for i := range t.Columns {
			c := &t.Columns[i]
			if c.Types[row] == model.TypeNone {
				continue
			}
			e := int64(0)
			if c.Expiry != nil {
				e = c.Expiry[row]
			}
			if !first && e != expiries[row] {
				return false
			}
			expiries[row], first = e, false
		}
	}
	return true
}

func appendExpiry(dst, dir []byte, number byte, times, expiries []int64) (_, _ []byte) {
	start := len(dst)
	var rows [maxWords]uint64
	var left [MaxRows]int64
	n, least := 0, int64(0)
	for i, e := range expiries {
		if e == 0 {
			continue
		}
		if least == 0 || e < least {
			least = e
		}
		rows[i/64] |= 1 << (i % 64)
		left[n] = e - times[i]
		n++
	}
	dst = binary.AppendVarint(dst, least)
	dst = codec.AppendBitmap(dst, rows[:], len(times))
	for lo := 0; lo < n; lo += StepRows {
		dst = codec.AppendInts(dst, left[lo:min(lo+StepRows, n)])
	}
	dir = append(dir, number, kindExpiry)
	return dst, binary.AppendUvarint(dir, uint64(len(dst)-start))
}

// An optional column of the row group that is open.
type optional struct {
	column, kind byte
	length       int
	body         []byte
}

// Expires returns the least expiry of a cell, ms; 0 when none has one.
func (r *Reader) Expires() (least int64, err error) {
	for i := range r.optional {
		if r.optional[i].kind != kindExpiry {
			continue
		}
		c := codec.NewCursor(r.optional[i].body)
		e := c.Varint()
		if err := c.Err(); err != nil {
			return 0, corrupt("expiry", err)
		}
		if least == 0 || e < least {
			least = e
		}
	}
	return least, nil
}

// DecodeExpiries gives the columns of t, which hold all rows of the row group, their expiries.
func (r *Reader) DecodeExpiries(t *column.Table) error {
	for i := range r.optional {
		o := &r.optional[i]
		if o.kind != kindExpiry {
			continue
		}
		if err := r.decodeExpiry(o, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) decodeExpiry(o *optional, t *column.Table) error {
	times, err := r.Times()
	if err != nil {
		return err
	}
	c := codec.NewCursor(o.body)
	c.Varint()
	var rows [maxWords]uint64
	codec.ReadBitmap(&c, rows[:], r.rows)
	expiries := make([]int64, r.rows)
	n := codec.CountBits(rows[:], 0, r.rows)
	left := make([]int64, n)
	for lo := 0; lo < n; lo += StepRows {
		codec.ReadInts(&c, left[lo:min(lo+StepRows, n)])
	}
	if c.Err() != nil {
		return corrupt("expiry", c.Err())
	}
	if c.Len() > 0 {
		return corruptf("%d bytes behind an expiry", c.Len())
	}
	row := 0
	for i := range left {
		row = codec.NextBit(rows[:], row, r.rows)
		expiries[row] = times[row] + left[i]
		row++
	}
	if o.column == everyColumn {
		for i := range t.Columns {
			t.Columns[i].SetExpiry(expiries)
		}
		return nil
	}
	if int(o.column) >= len(t.Columns) {
		return corruptf("expiry of column %d of %d", o.column, len(t.Columns))
	}
	t.Columns[o.column].SetExpiry(expiries)
	return nil
}
