package tsdb

import (
	"errors"
	"fmt"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// storedCells reads single cells of the row groups of a group. It keeps the row group it read
// last, so asking for instants in order is cheap.
type storedCells struct {
	cursor scan.Cursor
	group  uint64
	hidden func(c int, ts int64) bool // what is deleted and still there

	reader rowgroup.Reader
	on     bool // reader has a row group
	cell   column.Column
}

func (s *storedCells) close() error {
	if s.cursor == nil {
		return nil
	}
	return s.cursor.Close()
}

// at returns the cell of an instant, a null included; of TypeNone where there is none.
func (s *storedCells) at(c int, ts int64) (v model.Value, err error) {
	if s.hidden(c, ts) {
		return v, nil
	}
	if !s.on || ts < s.reader.First() || ts > s.reader.Last() {
		s.on = false
		first, b, err := s.cursor.SeekLE(ts)
		if err != nil || b == nil {
			return v, err
		}
		k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: s.group, First: first}
		if err := s.reader.Reset(k, b); err != nil {
			return v, s.wrap(err)
		}
		s.on = true
	}
	if ts > s.reader.Last() || c >= s.reader.Columns() {
		return v, nil
	}
	row, err := s.reader.Search(ts)
	next, also := s.reader.Search(ts + 1)
	if err = errors.Join(err, also); err != nil || row == next {
		return v, s.wrap(err)
	}
	s.cell.Reset()
	if err := s.reader.Decode(c, row, next, &s.cell); err != nil {
		return v, s.wrap(err)
	}
	return s.cell.At(0), nil
}

func (s *storedCells) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: group %d, row group from %d: %w", ErrCorrupt, s.group, s.reader.First(), err)
}
