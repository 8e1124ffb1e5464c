package rowgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// errTable marks a table the caller should not have handed in: a bug, not bad data.
var errTable = errors.New("rowgroup: not a table of one row group")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the key as well: a row group under a wrong key does not verify.
func checksum(space byte, k Key, b []byte) uint32 {
	var key [keyLen]byte
	k.Append(key[:0])
	key[0] = space
	return crc32.Update(crc32.Checksum(key[:], castagnoli), castagnoli, b)
}

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
		bytes += 8
		for c := range t.Columns {
			if typ := t.Columns[c].Types[i]; typ.IsText() {
				bytes += int(t.Columns[c].Bits[i] & (1<<32 - 1))
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
	start := len(dst)
	n := t.Len()
	dst = append(dst, 0, byte(n), byte(n>>8), byte(len(t.Columns)))
	for _, ts := range t.Times {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(ts))
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		for j := range c.Types {
			dst = append(dst, byte(c.Types[j]))
			if c.Types[j].IsText() {
				dst = binary.AppendUvarint(dst, uint64(len(c.TextAt(j))))
				dst = append(dst, c.TextAt(j)...)
			} else {
				dst = binary.AppendUvarint(dst, c.Bits[j])
			}
		}
	}
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
	}
	return nil
}
