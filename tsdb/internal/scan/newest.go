package scan

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// Newest calls yield once for each series that has a point before an instant, i being its
// index, with the newest one. A null counts: in an arrival-ordered scope it says that the key
// was gone by then. It walks a group backwards once for all columns, and passes over what
// pages know to hold none of them. Errors are as with Raw: a *DamageError tells that a newer
// point may have stood in what was stepped over on the way to one that was yielded, or not.
func (s *Scanner) Newest(ctx context.Context, c *Call, before int64, series []Series, yield func(i int, p model.Point) error) error {
	var n newestScan
	n.watch.start(c)
	done := make([]bool, len(series))
	for i, one := range series {
		if one.Source == nil || done[i] {
			continue
		}
		n.columns = n.columns[:0]
		for j := i; j < len(series); j++ {
			if other := series[j]; other.Source == one.Source {
				done[j] = true
				n.add(j, other, before)
			}
		}
		if err := n.group(ctx, one, before); err != nil {
			return err
		}
		for _, found := range n.columns {
			if found.point.Value.IsNone() {
				continue
			}
			if err := yield(found.index, found.point); err != nil {
				return err
			}
		}
	}
	return damageError(n.walk.takeDamage(nil))
}

// A newestScan looks for the newest points of columns of one group.
type newestScan struct {
	walk    rowWalk
	watch   watch
	columns []newestColumn
	cells   column.Column
}

// A newestColumn is one column on the way to its newest point.
type newestColumn struct {
	index  int
	column int
	memory memory // the newest cell of the heads
	hidden []span
	done   bool
	point  model.Point
}

func (n *newestScan) add(index int, s Series, before int64) {
	c := newestColumn{index: index, column: s.Column}
	c.memory.reset(s.Source.Heads(), s.Column, math.MinInt64, before, true)
	c.hidden = hiddenSpans(nil, s.Source.Deleted(), s.Column, math.MinInt64, before)
	n.columns = append(n.columns, c)
}

// fromMemory ends the search with the newest cell of the heads, or with nothing.
func (c *newestColumn) fromMemory() {
	c.done = true
	if c.memory.ok {
		col, row := c.memory.cell()
		c.point = pointOf(c.memory.ts, col, row)
	}
}

func pointOf(ts int64, col *column.Column, row int) model.Point {
	v := col.View(row)
	if v.Type().IsText() {
		v = textOf(v.Type(), col.TextAt(row))
	}
	return model.Point{TS: ts, Value: v}
}

// jumpAfter is after how many row groups with nothing wanted the pages are asked.
const jumpAfter = 4

func (n *newestScan) group(ctx context.Context, s Series, before int64) (err error) {
	if err := n.walk.open(s.Source, s.Group, math.MinInt64, before, true); err != nil {
		return err
	}
	defer closing(&err, n.walk.close)
	idle := 0
	ok, err := n.walk.first()
	for ok && err == nil {
		if err := n.watch.check(ctx); err != nil {
			return err
		}
		left, found, err := n.rowGroup()
		if err != nil || left == 0 {
			return err
		}
		if idle++; found {
			idle = 0
		}
		limit := n.walk.reader.First()
		if idle >= jumpAfter {
			if limit, err = n.jump(s); err != nil {
				return err
			}
			idle = 0
		}
		if limit == math.MinInt64 {
			break
		}
		if ok, err = n.walk.lower(limit - 1); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	for i := range n.columns {
		if c := &n.columns[i]; !c.done {
			c.fromMemory()
		}
	}
	return nil
}

// rowGroup looks into the current row group for the columns not found yet, and reports how
// many are left and whether one was found.
func (n *newestScan) rowGroup() (left int, found bool, err error) {
	r := &n.walk.reader
	_, hi, err := n.walk.clip()
	if err != nil {
		return 0, false, err
	}
	for i := range n.columns {
		c := &n.columns[i]
		if c.done {
			continue
		}
		if !c.memory.ok || c.memory.ts < r.Last() {
			if err := n.search(c, hi); err != nil {
				return 0, false, err
			}
		}
		if !c.done && c.memory.ok && c.memory.ts >= r.First() {
			c.fromMemory()
		}
		if c.done {
			found = true
		} else {
			left++
		}
	}
	return left, found, nil
}

// search looks for the newest cell of c in the first hi rows of the current row group.
func (n *newestScan) search(c *newestColumn, hi int) error {
	r := &n.walk.reader
	if c.column >= r.Columns() {
		return nil
	}
	for hi > 0 {
		lo := (hi - 1) / rowgroup.StepRows * rowgroup.StepRows
		if err := n.watch.call.scan(hi - lo); err != nil {
			return err
		}
		n.cells.Reset()
		if err := r.Decode(c.column, lo, hi, &n.cells); err != nil {
			return n.walk.wrap(err)
		}
		for i := hi - lo - 1; i >= 0; i-- {
			if n.cells.Types[i] == model.TypeNone {
				continue
			}
			times, err := r.TimesOf(lo, hi)
			if err != nil {
				return n.walk.wrap(err)
			}
			ts := times[i]
			if c.memory.ok && c.memory.ts >= ts {
				c.fromMemory()
				return nil
			}
			if !covers(c.hidden, ts) {
				c.done, c.point = true, pointOf(ts, &n.cells, i)
				return nil
			}
		}
		hi = lo
	}
	return nil
}

// jump returns from where on back to the current row group there is nothing of the columns
// not found yet, as far as the page that lists it knows.
func (n *newestScan) jump(s Series) (first int64, err error) {
	first = n.walk.reader.First()
	cursor, err := s.Source.Cursor(Pages)
	if err != nil {
		return 0, err
	}
	defer closing(&err, cursor.Close)
	at, b, err := cursor.SeekLE(first)
	if gap, ok := asGap(err); ok { // pages save time only
		n.walk.notePage(gap.From, gap.To, gap)
		return first, nil
	}
	if err != nil || b == nil {
		return first, err
	}
	var page rowgroup.PageReader
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(at), Group: s.Group, First: at}
	if err := page.Reset(k, b); errors.Is(err, rowgroup.ErrCorrupt) {
		n.walk.notePage(at, first+1, err)
		return first, nil
	} else if err != nil {
		return 0, fmt.Errorf("scan group %d, page from %d: %w", k.Group, at, err)
	}
	i := page.Len() - 1
	for i >= 0 && page.First(i) > first {
		i--
	}
	if i < 0 || page.First(i) != first {
		return first, nil // not listed
	}
	for ; i > 0; i-- {
		if any, err := n.listed(&page, i-1); any || err != nil {
			return page.First(i), err
		}
	}
	return page.First(0), nil
}

// listed reports whether row group i of a page may have the newest cell of a column not found
// yet, or stands where the heads have it.
func (n *newestScan) listed(page *rowgroup.PageReader, i int) (bool, error) {
	for k := range n.columns {
		c := &n.columns[k]
		if c.done {
			continue
		}
		if c.memory.ok && c.memory.ts >= page.First(i) {
			return true, nil
		}
		cells, err := page.Cells(c.column, i)
		if cells || err != nil {
			return true, err
		}
	}
	return false, n.watch.call.scan(1)
}
