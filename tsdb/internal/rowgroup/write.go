package rowgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// version is the first byte of a row group and of a page.
const version = 1

// headLen is the length of version, rows, columns, first and last instant.
const headLen = 1 + 2 + 1 + 8 + 8

const (
	maxSteps = MaxRows / StepRows
	maxWords = MaxRows / 64 // of a presence bitmap
	sumLen   = 4            // of the checksum
)

// errTable marks a table the caller should not have handed in: a bug, not bad data.
var errTable = errors.New("rowgroup: not a table of one row group")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the key as well: a row group under a wrong key does not verify.
func checksum(space byte, k Key, b []byte) uint32 {
	var key [keyLen]byte
	k.Append(key[:0])
	key[0] = space
	// crc32.Update would move the key to the heap, so its few bytes go by the table.
	sum := ^uint32(0)
	for _, x := range key {
		sum = castagnoli[byte(sum)^x] ^ sum>>8
	}
	return crc32.Update(^sum, castagnoli, b)
}

// sampleRows is the distance of the rows whose floats Fit looks at.
const sampleRows = 16

// Fit returns hi so that rows [lo, hi) of t make one row group: at most MaxRows, about
// MaxBytes, one partition. At least one row fits if there is one.
func Fit(t *column.Table, lo int) (hi int) {
	if lo >= t.Len() {
		return lo
	}
	partition := PartitionOf(t.Times[lo])
	hi = min(t.Len(), lo+MaxRows)
	bytes := 0
	for i := lo; i < hi; i++ {
		bytes += 1 + len(t.Columns)
		for c := range t.Columns {
			switch typ, bits := t.Columns[c].Types[i], t.Columns[c].Bits[i]; {
			case typ.IsText():
				bytes += int(bits & (1<<32 - 1))
			case typ == model.TypeFloat && i%sampleRows == 0 && !codec.IsDecimal(bits):
				bytes += 8 * sampleRows
			}
		}
		if i > lo && (bytes > MaxBytes || PartitionOf(t.Times[i]) != partition) {
			return i
		}
	}
	return hi
}

// Append adds the row group of all rows of t to dst. The table must be one Fit would make
// and strictly ascending, and k that of its first row.
func Append(dst []byte, k Key, t *column.Table) ([]byte, error) {
	if err := checkTable(k, t); err != nil {
		return dst, err
	}
	start, n := len(dst), t.Len()
	dst = append(dst, version, byte(n), byte(n>>8), byte(len(t.Columns)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Times[0]))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.Times[n-1]))
	body := len(dst)

	var directory [(MaxColumns + 2) * binary.MaxVarintLen64]byte
	dir := directory[:0]
	var cells cellRun
	dst = appendTimes(dst, t.Times)
	dir = binary.AppendUvarint(dir, uint64(len(dst)-body))
	for i := range t.Columns {
		before, err := len(dst), error(nil)
		if dst, err = appendColumn(dst, &t.Columns[i], &cells); err != nil {
			return dst[:start], fmt.Errorf("column %d: %w", i, err)
		}
		dir = binary.AppendUvarint(dir, uint64(len(dst)-before))
	}
	dst, dir = appendExpiries(dst, dir, t)
	dst = slices.Insert(dst, body, dir...)
	return binary.LittleEndian.AppendUint32(dst, checksum(keySpace, k, dst[start:])), nil
}

func checkTable(k Key, t *column.Table) error {
	n := t.Len()
	if n == 0 || n > MaxRows || len(t.Columns) > MaxColumns {
		return fmt.Errorf("%w: %d rows of %d columns", errTable, n, len(t.Columns))
	}
	if k.First != t.Times[0] || k.Partition != PartitionOf(t.Times[0]) || k.Partition != PartitionOf(t.Times[n-1]) {
		return fmt.Errorf("%w: times %d to %d under partition %d, first %d", errTable, t.Times[0], t.Times[n-1], k.Partition, k.First)
	}
	for i := 1; i < n; i++ {
		if t.Times[i] <= t.Times[i-1] {
			return fmt.Errorf("%w: time %d after %d", errTable, t.Times[i], t.Times[i-1])
		}
	}
	for i := range t.Columns {
		if t.Columns[i].Len() != n {
			return fmt.Errorf("%w: column %d has %d of %d rows", errTable, i, t.Columns[i].Len(), n)
		}
		if e := t.Columns[i].Expiry; e != nil && len(e) != n {
			return fmt.Errorf("%w: column %d has expiries of %d of %d rows", errTable, i, len(e), n)
		}
	}
	return nil
}

// stepsOf reports the steps of n rows.
func stepsOf(n int) int { return (n + StepRows - 1) / StepRows }

// appendColumn adds a column: nothing when no row has the key, else presence and cells, in
// the regular form if they have one.
func appendColumn(dst []byte, c *column.Column, cells *cellRun) ([]byte, error) {
	cells.gather(c)
	if cells.n == 0 {
		return dst, nil
	}
	dst = codec.AppendBitmap(dst, cells.present[:], c.Len())
	if cells.scale() {
		return cells.appendRegular(dst), nil
	}
	return cells.appendMixed(dst, c)
}

// A cellRun is the cells of a column, one behind the other whichever rows they are of. It
// is large and made once for all columns of a row group.
type cellRun struct {
	rows    int
	n       int // cells
	column  *column.Column
	all     bool // every row has a cell
	present [maxWords]uint64
	ends    [maxSteps]int // of the cells of each step
	of      [model.TypeJSON + 1]int

	// The regular form, once scale has found one.
	rule    rule
	digits  uint8
	intsOf  [maxSteps]int64
	hasInts bool
	scaled  [MaxRows]int64

	// The cells where some rows have none; else they are read where they are.
	someTypes [MaxRows]model.Type
	someBits  [MaxRows]uint64
}

func (r *cellRun) gather(c *column.Column) {
	r.rows, r.n, r.column, r.all = c.Len(), 0, c, false
	clear(r.present[:])
	clear(r.of[:])
	if one := c.Types[0]; one != model.TypeNone && allAre(c.Types, one) {
		r.n, r.all = r.rows, true
		r.of[one] = r.rows
		codec.SetBits(r.present[:], 0, r.rows)
		for k := range stepsOf(r.rows) {
			r.ends[k] = min((k+1)*StepRows, r.rows)
		}
		return
	}
	for k := range stepsOf(r.rows) {
		lo := k * StepRows
		hi := min(lo+StepRows, r.rows)
		n := r.n
		for i, t := range c.Types[lo:hi] {
			if t == model.TypeNone {
				continue
			}
			r.someTypes[n], r.someBits[n] = t, c.Bits[lo+i]
			r.of[t]++
			r.present[(lo+i)/64] |= 1 << ((lo + i) % 64)
			n++
		}
		r.n, r.ends[k] = n, n
	}
}

// cells returns types and bits of cells [lo, hi). They are not kept in r: a pointer into
// itself would move it to the heap.
func (r *cellRun) cells(lo, hi int) ([]model.Type, []uint64) {
	if r.all {
		return r.column.Types[lo:hi], r.column.Bits[lo:hi]
	}
	return r.someTypes[lo:hi], r.someBits[lo:hi]
}

func allAre(types []model.Type, t model.Type) bool {
	for _, x := range types {
		if x != t {
			return false
		}
	}
	return true
}

// step returns the range of the cells of step k.
func (r *cellRun) step(k int) (lo, hi int) {
	if k > 0 {
		lo = r.ends[k-1]
	}
	return lo, r.ends[k]
}
