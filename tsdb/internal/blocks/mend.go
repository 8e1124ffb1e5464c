package blocks

import (
	"maps"
	"math"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// Mend makes a group whole of which something was lost: row groups that cannot be read go, and
// lost is told from when to when they may have held rows; row groups that overlap, because
// what had replaced one of them is lost, become one; pages and counts are made anew from what
// is there. Where the tail is not Any, it is made from the row groups too, which then are all
// sealed. It returns the newest point of each column, and reads all of the group.
func (p *Placer) Mend(lost func(from, to int64, cause error)) (newest []catalog.Latest, err error) {
	if err := p.mendRows(lost); err != nil {
		return nil, err
	}
	newest, parts, err := p.recount()
	if err != nil {
		return nil, err
	}
	for from := int64(math.MinInt64); ; {
		item, err := p.Pages.seekGE(from)
		if err != nil {
			return nil, err
		}
		if item.Value == nil {
			break
		}
		p.Pages.remove(item.First)
		from = item.First + 1
	}
	p.finished = map[int64]bool{}
	for _, part := range parts {
		p.finished[part] = part < p.Tail.Partition
		if err := p.pagePartition(part); err != nil {
			return nil, err
		}
	}
	return newest, nil
}

// mendRows leaves only row groups that can be read and do not overlap.
func (p *Placer) mendRows(lost func(from, to int64, cause error)) error {
	var before Item
	var last int64 // of before
	for from := int64(math.MinInt64); ; {
		item, err := p.RowGroups.seekGE(from)
		if err != nil || item.Value == nil {
			return err
		}
		item.Value = slices.Clone(item.Value)
		rows, err := p.visible(item)
		if err != nil {
			end := partitionStart(item.First) + rowgroup.PartitionMillis
			next, seek := p.RowGroups.seekGE(item.First + 1)
			if seek != nil {
				return seek
			}
			if next.Value != nil {
				end = min(end, next.First)
			}
			lost(item.First, end, err)
			p.RowGroups.remove(item.First)
			from = item.First + 1
			continue
		}
		if before.Value == nil || item.First > last {
			before, last, from = item, p.reader.Last(), item.First+1
			continue
		}
		old, err := p.visible(before)
		if err != nil {
			return err
		}
		p.RowGroups.remove(before.First)
		p.RowGroups.remove(item.First)
		if err := p.writeAll(head.Merge(old, rows)); err != nil {
			return err
		}
		from, before = before.First, Item{}
	}
}

// recount makes the tail agree with the row groups.
func (p *Placer) recount() (newest []catalog.Latest, parts []int64, err error) {
	newest = make([]catalog.Latest, p.columns)
	seen := map[int64]bool{}
	type counted struct {
		first int64
		rows  int
	}
	var all []counted
	last := int64(math.MinInt64)
	for from := int64(math.MinInt64); ; {
		item, err := p.RowGroups.seekGE(from)
		if err != nil {
			return nil, nil, err
		}
		if item.Value == nil {
			break
		}
		rows, err := p.visible(item)
		if err != nil {
			return nil, nil, err
		}
		least, err := p.reader.Expires()
		if err != nil {
			return nil, nil, err
		}
		p.Tail.Expire(least)
		last, from = p.reader.Last(), item.First+1
		all = append(all, counted{item.First, p.reader.Rows()})
		seen[rowgroup.PartitionOf(item.First)] = true
		for c := range newest {
			cells := &rows.Columns[c]
			for i, t := range cells.Types {
				if t == model.TypeNone {
					continue
				}
				newest[c] = catalog.Latest{TS: rows.Times[i], Type: t, Bits: cells.Bits[i]}
				if t.IsText() {
					newest[c].Bits, newest[c].Text = 0, slices.Clone(cells.TextAt(i))
				}
			}
		}
	}
	t := &p.Tail
	t.Small, t.SmallRows, t.Unpaged = 0, 0, 0
	if len(all) == 0 {
		return newest, nil, nil
	}
	if !t.Any {
		t.Any, t.Last, t.Sealed = true, last, last+1
	}
	t.Last = max(t.Last, last)
	for _, g := range all {
		if g.first >= t.Sealed {
			t.Small++
			t.SmallRows += g.rows
		} else {
			t.Partition = rowgroup.PartitionOf(g.first)
		}
	}
	return newest, slices.Sorted(maps.Keys(seen)), nil
}
