package scan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// A Scanner answers queries. Its zero value is ready for use. It is safe for concurrent use
// and keeps what it needs for a query from one to the next.
type Scanner struct {
	raws  sync.Pool // of *rawScan
	works sync.Pool // of *work

	// always makes every aggregate query use all goroutines and pages, for tests.
	always bool
}

// PagePoints is the most points one call of Raw's yield brings.
const PagePoints = 1024

// Range returns the range of q with the rule of contract thingsboard 9.1: an end at or
// before the beginning is read as one millisecond.
func Range(q *model.RangeQuery) (from, to int64) {
	if q.To > q.From {
		return q.From, q.To
	}
	if q.From == math.MaxInt64 {
		return q.From - 1, q.From
	}
	return q.From, q.From + 1
}

// A rowWalk goes through the row groups of one group that touch [from, to), each of them
// verified in reader while it is the current one. What cannot be read is stepped over and
// noted.
type rowWalk struct {
	reader rowgroup.Reader
	group  uint64
	from   int64
	to     int64
	down   bool
	cursor Cursor
	damage []Damage
}

// open gets the cursor; close must follow.
func (w *rowWalk) open(src Source, group uint64, from, to int64, down bool) (err error) {
	w.group, w.from, w.to, w.down = group, from, to, down
	w.cursor, err = src.Cursor(RowGroups)
	return err
}

func (w *rowWalk) close() error {
	c := w.cursor
	w.cursor = nil
	if c == nil {
		return nil
	}
	return c.Close()
}

// first moves to the row group with which the walk begins; false when there is none.
func (w *rowWalk) first() (bool, error) {
	if w.down {
		return w.lower(w.to - 1)
	}
	for ts := w.from; ; {
		first, b, err := w.cursor.SeekLE(ts)
		if gap, ok := asGap(err); ok {
			if err := w.gone(gap); err != nil {
				return false, err
			}
			if gap.From <= rowgroup.PartitionOf(w.from)*rowgroup.PartitionMillis || gap.From > ts {
				return w.upper(w.from)
			}
			ts = gap.From - 1 // what begins there may reach across
			continue
		}
		if err != nil {
			return false, err
		}
		if b == nil {
			return w.upper(w.from)
		}
		if ok, err := w.load(first, b); err != nil {
			return false, err
		} else if ok && w.reader.Last() >= w.from {
			return true, nil
		}
		return w.upper(first + 1)
	}
}

// next moves on; false behind the last one.
func (w *rowWalk) next() (bool, error) {
	if w.down {
		if w.reader.First() <= w.from {
			return false, nil
		}
		return w.lower(w.reader.First() - 1)
	}
	if w.reader.Last() >= w.to-1 {
		return false, nil
	}
	return w.upper(w.reader.First() + 1)
}

// upper moves to the first row group that starts at or after ts.
func (w *rowWalk) upper(ts int64) (bool, error) {
	for ts < w.to {
		first, b, err := w.cursor.SeekGE(ts)
		if gap, ok := asGap(err); ok {
			if err := w.gone(gap); err != nil {
				return false, err
			}
			ts = max(after(ts), gap.To)
			continue
		}
		if err != nil || b == nil || first >= w.to {
			return false, err
		}
		if ok, err := w.load(first, b); ok || err != nil {
			return ok, err
		}
		ts = first + 1
	}
	return false, nil
}

// lower moves to the last row group that starts at or before ts.
func (w *rowWalk) lower(ts int64) (bool, error) {
	for {
		first, b, err := w.cursor.SeekLE(ts)
		if gap, ok := asGap(err); ok {
			if err := w.gone(gap); err != nil {
				return false, err
			}
			if gap.From <= w.from {
				return false, nil
			}
			ts = min(ts, gap.From) - 1
			continue
		}
		if err != nil || b == nil {
			return false, err
		}
		if ok, err := w.load(first, b); err != nil {
			return false, err
		} else if ok {
			return w.reader.Last() >= w.from, nil
		}
		if first <= w.from {
			return false, nil
		}
		ts = first - 1
	}
}

// load reads a row group; ok false says that it is damaged, which was noted.
func (w *rowWalk) load(first int64, b []byte) (ok bool, err error) {
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: w.group, First: first}
	err = w.reader.Reset(k, b)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, rowgroup.ErrCorrupt) {
		return false, fmt.Errorf("scan group %d, row group from %d: %w", w.group, first, err)
	}
	end, failed := Reach(w.cursor, first+1) // what it says itself is not to be believed
	if failed != nil {
		return false, failed
	}
	w.lost(first, end, err)
	return false, nil
}

// clip returns the rows of the current row group in [from, to).
func (w *rowWalk) clip() (lo, hi int, err error) {
	hi = w.reader.Rows()
	if w.reader.First() < w.from {
		if lo, err = w.reader.Search(w.from); err != nil {
			return 0, 0, w.wrap(err)
		}
	}
	if w.reader.Last() >= w.to {
		if hi, err = w.reader.Search(w.to); err != nil {
			return 0, 0, w.wrap(err)
		}
	}
	return lo, hi, nil
}

// wrap says where reading went wrong.
func (w *rowWalk) wrap(err error) error {
	return fmt.Errorf("scan group %d, row group from %d: %w", w.group, w.reader.First(), err)
}

// closing closes what fn closes; of two errors the first one counts.
func closing(err *error, fn func() error) {
	if e := fn(); *err == nil {
		*err = e
	}
}

func stopped(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return nil
}
