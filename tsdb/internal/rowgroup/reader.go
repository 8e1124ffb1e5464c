package rowgroup

import (
	"encoding/binary"
	"fmt"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A Reader reads one row group at a time. It keeps its memory from one Reset to the next,
// and what it decoded last of each column: asking for neighboring spans in turn is cheap.
type Reader struct {
	rows        int
	first, last int64
	times       *timesReader
	columns     []columnReader
	n           int // columns of this row group
	err         error
	optional    []optional
}

func corrupt(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, what, err)
}

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Reset makes r read the row group b, stored under k, once its checksum and directory
// verify. The Reader refers to b until the next Reset. After an error it has no rows.
func (r *Reader) Reset(k Key, b []byte) error {
	r.rows, r.n, r.err = 0, 0, nil
	if len(b) < headLen+sumLen {
		return corruptf("%d bytes", len(b))
	}
	body, sum := b[:len(b)-sumLen], binary.LittleEndian.Uint32(b[len(b)-sumLen:])
	if checksum(keySpace, k, body) != sum && !canary.Planted(canary.NoChecksum) {
		return corruptf("checksum")
	}
	if body[0] != version {
		return corruptf("version %d", body[0])
	}
	rows, n := int(binary.LittleEndian.Uint16(body[1:])), int(body[3])
	r.first = int64(binary.LittleEndian.Uint64(body[4:]))
	r.last = int64(binary.LittleEndian.Uint64(body[12:]))
	if rows == 0 || rows > MaxRows || n > MaxColumns || r.first != k.First || r.last < r.first {
		return corruptf("%d rows of %d columns from %d to %d", rows, n, r.first, r.last)
	}
	if err := r.readDirectory(body[headLen:], rows, n); err != nil {
		return err
	}
	r.rows, r.n = rows, n
	return nil
}

// readDirectory reads lengths and cuts what lies behind them:
//
//	length of timestamps, of each column <uvarint> | optional columns <uvarint> | for each: column <1>, kind <1>, length <uvarint>
//
// Optional columns lie behind the others; a kind that is not known is passed over.
func (r *Reader) readDirectory(b []byte, rows, n int) error {
	c := codec.NewCursor(b)
	var lengths [1 + MaxColumns]int
	for i := range n + 1 {
		lengths[i] = c.Int(len(b))
	}
	r.optional = r.optional[:0]
	for range c.Int(2 * MaxColumns) {
		r.optional = append(r.optional, optional{column: c.Byte(), kind: c.Byte(), length: c.Int(len(b))})
	}
	if r.times == nil {
		r.times = new(timesReader)
	}
	times := c.Bytes(lengths[0])
	for len(r.columns) < n {
		r.columns = append(r.columns, columnReader{})
	}
	for i := range n {
		r.columns[i].reset(r.times, rows, c.Bytes(lengths[1+i]))
	}
	for i := range r.optional {
		r.optional[i].body = c.Bytes(r.optional[i].length)
	}
	if c.Err() == nil && c.Len() > 0 {
		return corruptf("%d bytes behind the columns", c.Len())
	}
	if err := c.Err(); err != nil {
		return corrupt("directory", err)
	}
	r.times.reset(r.first, rows, times)
	return nil
}

// Rows reports the number of rows.
func (r *Reader) Rows() int { return r.rows }

// Columns reports the number of columns.
func (r *Reader) Columns() int { return r.n }

// First returns the instant of the first row, ms.
func (r *Reader) First() int64 { return r.first }

// Last returns the instant of the last row, ms.
func (r *Reader) Last() int64 { return r.last }

// Err returns the first failure of Summary since Reset. Bytes whose checksum verified fail
// only if no encoder wrote them.
func (r *Reader) Err() error { return r.err }

// Summary returns the summary of all rows of a column; it is r's until the next Reset.
// Where it cannot be read it is empty and Err says why.
func (r *Reader) Summary(col int) *summary.Summary {
	c := &r.columns[:r.n][col]
	if !c.summed {
		c.summed = true
		c.summary = summary.Summary{}
		if err := c.aggregate(0, r.rows, model.AllAggregates, &c.summary); err != nil && r.err == nil {
			r.err = err
		}
	}
	return &c.summary
}

// Times returns the instants of all rows; they are r's until the next Reset.
func (r *Reader) Times() ([]int64, error) {
	if r.rows == 0 {
		return nil, nil
	}
	return r.times.times()
}

// TimesOf returns the instants of rows [lo, hi), of which there are some; they are r's until
// the next Reset. Only the steps they lie in are decoded.
func (r *Reader) TimesOf(lo, hi int) ([]int64, error) {
	if lo < 0 || lo >= hi || hi > r.rows {
		return nil, fmt.Errorf("rowgroup: instants of rows %d to %d of %d asked for", lo, hi, r.rows)
	}
	return r.times.timesOf(lo, hi)
}

// Search returns the first row with an instant at or after ts, or Rows() if there is none.
// It decodes the instants of one step at most.
func (r *Reader) Search(ts int64) (int, error) {
	switch {
	case r.rows == 0 || ts > r.last:
		return r.rows, nil
	case ts <= r.first:
		return 0, nil
	}
	return r.times.search(ts)
}

// Decode adds rows [lo, hi) of a column to dst.
func (r *Reader) Decode(col, lo, hi int, dst *column.Column) error {
	if err := r.check(col, lo, hi); err != nil {
		return err
	}
	return r.columns[col].decode(lo, hi, dst)
}

// Aggregate adds rows [lo, hi) of a column to acc, whose cells lie before them. Whole steps
// are taken from their summaries, cut ones are decoded. Counts are always right, all else
// only where want has an aggregate that needs it: who asks for AVG does not pay for MIN and
// MAX. It does not allocate.
func (r *Reader) Aggregate(col, lo, hi int, want model.Aggregates, acc *summary.Summary) error {
	if err := r.check(col, lo, hi); err != nil {
		return err
	}
	return r.columns[col].aggregate(lo, hi, want, acc)
}

func (r *Reader) check(col, lo, hi int) error {
	if col < 0 || col >= r.n || lo < 0 || lo > hi || hi > r.rows {
		return fmt.Errorf("rowgroup: rows %d to %d of column %d asked for, there are %d of %d columns", lo, hi, col, r.rows, r.n)
	}
	return nil
}
