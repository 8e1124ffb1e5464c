package blocks

import (
	"cmp"
	"slices"

	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A Reader reads the group as it is stored.
type Reader interface {
	Cursor(scan.Space) (scan.Cursor, error)
}

// An Edit is the changes to the row groups or pages of a group, and a cursor over the store
// as it will be.
type Edit struct {
	space  scan.Space
	reader Reader
	stored scan.Cursor // opened when first needed
	put    []Item      // by First
	gone   map[int64]bool
	ranges []catalog.Span // ascending; whatever was stored there is gone
}

// An Item is a row group or page.
type Item struct {
	First int64
	Value []byte
}

// Put returns what to write, by instant.
func (e *Edit) Put() []Item { return e.put }

// Gone calls fn with the first instants of what to delete.
func (e *Edit) Gone(fn func(first int64)) {
	for first := range e.gone {
		fn(first)
	}
}

// Ranges returns where everything stored is to be deleted, before Put is written.
func (e *Edit) Ranges() []catalog.Span { return e.ranges }

// Changed reports whether there is anything to write.
func (e *Edit) Changed() bool { return len(e.put)+len(e.gone)+len(e.ranges) > 0 }

func (e *Edit) close() error {
	if e.stored == nil {
		return nil
	}
	err := e.stored.Close()
	e.stored = nil
	return err
}

func byFirst(i Item, first int64) int {
	switch {
	case i.First < first:
		return -1
	case i.First > first:
		return 1
	}
	return 0
}

func (e *Edit) set(first int64, value []byte) {
	at, found := slices.BinarySearchFunc(e.put, first, byFirst)
	if found {
		e.put[at].Value = value
	} else {
		e.put = slices.Insert(e.put, at, Item{first, value})
	}
	delete(e.gone, first)
}

func (e *Edit) remove(first int64) {
	if at, found := slices.BinarySearchFunc(e.put, first, byFirst); found {
		e.put = slices.Delete(e.put, at, at+1)
	}
	if e.gone == nil {
		e.gone = map[int64]bool{}
	}
	e.gone[first] = true
}

func (e *Edit) cursor() (scan.Cursor, error) {
	if e.stored != nil {
		return e.stored, nil
	}
	c, err := e.reader.Cursor(e.space)
	e.stored = c
	return c, err
}

// removeRange removes everything that starts in s. It is called before anything is put there.
func (e *Edit) removeRange(s catalog.Span) {
	at, _ := slices.BinarySearchFunc(e.ranges, s.From, func(r catalog.Span, from int64) int { return cmp.Compare(r.From, from) })
	e.ranges = slices.Insert(e.ranges, at, s)
}

// in returns the removed range that first lies in.
func (e *Edit) in(first int64) (catalog.Span, bool) {
	for _, r := range e.ranges {
		if r.From <= first && first < r.To {
			return r, true
		}
	}
	return catalog.Span{}, false
}

// hides reports whether the stored item at first is not there any more.
func (e *Edit) hides(first int64) bool {
	if e.gone[first] {
		return true
	}
	_, found := slices.BinarySearchFunc(e.put, first, byFirst)
	return found
}

// seekGE returns the first item that starts at or after ts; a nil value means none. The
// value is good until the next call.
func (e *Edit) seekGE(ts int64) (Item, error) {
	c, err := e.cursor()
	if err != nil {
		return Item{}, err
	}
	first, value, err := c.SeekGE(ts)
	for err == nil && value != nil {
		if r, removed := e.in(first); removed {
			first, value, err = c.SeekGE(r.To)
		} else if e.hides(first) {
			first, value, err = c.SeekGE(first + 1)
		} else {
			break
		}
	}
	if err != nil {
		return Item{}, err
	}
	at, _ := slices.BinarySearchFunc(e.put, ts, byFirst)
	if at < len(e.put) && (value == nil || e.put[at].First < first) {
		return e.put[at], nil
	}
	return Item{first, value}, nil
}

// seekLE returns the last item that starts at or before ts, likewise.
func (e *Edit) seekLE(ts int64) (Item, error) {
	c, err := e.cursor()
	if err != nil {
		return Item{}, err
	}
	first, value, err := c.SeekLE(ts)
	for err == nil && value != nil {
		if r, removed := e.in(first); removed {
			first, value, err = c.SeekLE(r.From - 1)
		} else if e.hides(first) {
			first, value, err = c.SeekLE(first - 1)
		} else {
			break
		}
	}
	if err != nil {
		return Item{}, err
	}
	at, found := slices.BinarySearchFunc(e.put, ts, byFirst)
	if !found {
		at--
	}
	if at >= 0 && (value == nil || e.put[at].First > first) {
		return e.put[at], nil
	}
	return Item{first, value}, nil
}

// partitionStart returns the first instant of the partition of ts.
func partitionStart(ts int64) int64 { return rowgroup.PartitionOf(ts) * rowgroup.PartitionMillis }
