package rowgroup

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A Reader reads one row group at a time. It keeps its memory from one Reset to the next.
type Reader struct {
	table     column.Table
	summaries []summary.Summary
}

// Reset makes r read the row group b, stored under k, once its checksum and directory
// verify. The Reader refers to b until the next Reset. After an error it is empty.
func (r *Reader) Reset(k Key, b []byte) error {
	r.table.Reset(0)
	if len(b) < 8 || checksum(keySpace, k, b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	c := codec.NewCursor(b[:len(b)-4])
	c.Byte()
	n := int(c.Byte()) | int(c.Byte())<<8
	r.table.Reset(int(c.Byte()))
	for range n {
		r.table.Times = append(r.table.Times, int64(c.Uint64()))
	}
	r.summaries = slices.Grow(r.summaries[:0], len(r.table.Columns))[:len(r.table.Columns)]
	for i := range r.table.Columns {
		for range n {
			t, u := model.Type(c.Byte()), c.Uvarint()
			switch t {
			case model.TypeString:
				r.table.Columns[i].Append(model.String(string(c.Bytes(int(u)))))
			case model.TypeJSON:
				r.table.Columns[i].Append(model.JSON(string(c.Bytes(int(u)))))
			default:
				r.table.Columns[i].Append(model.FromBits(t, u))
			}
		}
		r.summaries[i] = summary.Summary{}
		r.summaries[i].AddColumn(r.table.Times, &r.table.Columns[i], 0, n)
	}
	return c.Err()
}

// Rows reports the number of rows.
func (r *Reader) Rows() int { return r.table.Len() }

// Columns reports the number of columns.
func (r *Reader) Columns() int { return len(r.table.Columns) }

// First returns the instant of the first row.
func (r *Reader) First() int64 { return r.table.Times[0] }

// Last returns the instant of the last row.
func (r *Reader) Last() int64 { return r.table.Times[r.table.Len()-1] }

// Summary returns the summary of all rows of a column; it is r's.
func (r *Reader) Summary(col int) *summary.Summary { return &r.summaries[col] }

// Times returns the instants of all rows; they are r's.
func (r *Reader) Times() ([]int64, error) { return r.table.Times, nil }

// Search returns the first row with an instant at or after ts, or Rows().
func (r *Reader) Search(ts int64) (int, error) {
	i, _ := slices.BinarySearch(r.table.Times, ts)
	return i, nil
}

// Decode adds rows [lo, hi) of a column to dst.
func (r *Reader) Decode(col, lo, hi int, dst *column.Column) error {
	for i := lo; i < hi; i++ {
		dst.AppendFrom(&r.table.Columns[col], i)
	}
	return nil
}

// Aggregate adds rows [lo, hi) of a column to acc, whose cells lie before them. Whole steps
// are taken from their summaries.
func (r *Reader) Aggregate(col, lo, hi int, acc *summary.Summary) error {
	acc.AddColumn(r.table.Times, &r.table.Columns[col], lo, hi)
	return nil
}
