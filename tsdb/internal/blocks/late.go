package blocks

import (
	"math"
	"sort"

	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// writeAll stores rows of the sealed part.
func (p *Placer) writeAll(t *column.Table) error {
	for lo := 0; lo < t.Len(); {
		hi := p.cut(t, lo)
		if err := p.write(t, lo, hi); err != nil {
			return err
		}
		lo = hi
	}
	return nil
}

// addLate adds rows that start before the seal: into the row groups they fall into, or
// between them.
func (p *Placer) addLate(rows *column.Table) error {
	for lo := 0; lo < rows.Len(); {
		ts := rows.Times[lo]
		start := partitionStart(ts)
		bound := start + rowgroup.PartitionMillis
		before, err := p.RowGroups.seekLE(ts)
		if err != nil {
			return err
		}
		into := before.Value != nil && before.First >= start
		var old *column.Table
		if into {
			if old, err = p.visible(before); err != nil {
				return err
			}
		}
		after, err := p.RowGroups.seekGE(ts + 1)
		if err != nil {
			return err
		}
		if after.Value != nil {
			bound = min(bound, after.First)
		}
		hi := lo + sort.Search(rows.Len()-lo, func(i int) bool { return rows.Times[lo+i] >= bound })
		part := slice(rows, lo, hi)
		if into {
			last := p.reader.Last()
			inside := sort.Search(part.Len(), func(i int) bool { return part.Times[i] > last })
			if inside > 0 || old.Len()+part.Len() <= p.rules.MergeRows {
				p.RowGroups.remove(before.First)
				p.touched = append(p.touched, span{before.First, max(last, rows.Times[hi-1])})
				if err := p.writeAll(head.Merge(old, part)); err != nil {
					return err
				}
				lo = hi
				continue
			}
		}
		p.touched = append(p.touched, span{ts, rows.Times[hi-1]})
		if err := p.writeAll(part); err != nil {
			return err
		}
		lo = hi
	}
	if rows.Len() > 0 {
		p.Tail.Last = max(p.Tail.Last, rows.Times[rows.Len()-1])
	}
	return nil
}

// page brings the pages up to date with the row groups.
func (p *Placer) page() error {
	done := map[int64]bool{}
	for _, s := range p.touched {
		for part := rowgroup.PartitionOf(s.from); part <= rowgroup.PartitionOf(s.to); part++ {
			p.due = append(p.due, part)
		}
	}
	for _, part := range p.due {
		if done[part] {
			continue
		}
		done[part] = true
		if err := p.pagePartition(part); err != nil {
			return err
		}
	}
	return nil
}

// pagePartition rewrites the pages over what was touched and adds pages for what has
// gathered behind the last one.
func (p *Placer) pagePartition(part int64) error {
	start := part * rowgroup.PartitionMillis
	end := start + rowgroup.PartitionMillis
	open := start // behind what pages list
	var pages []pageSpan
	for at := start; ; {
		item, err := p.Pages.seekGE(at)
		if err != nil {
			return err
		}
		if item.Value == nil || item.First >= end {
			break
		}
		last, err := p.lastOf(item)
		if err != nil {
			return err
		}
		pages = append(pages, pageSpan{item.First, last})
		at = item.First + 1
		open = last + 1
	}
	for i := range pages {
		from, to := start, pages[i].last // the territory of the page
		if i > 0 {
			from = pages[i].first
		}
		if i+1 < len(pages) {
			to = pages[i+1].first - 1
		}
		if !p.touches(from, to) || canary.Planted(canary.StaleSummary) {
			continue
		}
		p.Pages.remove(pages[i].first)
		groups, err := p.between(from, to)
		if err != nil {
			return err
		}
		for len(groups) > 0 {
			n := min(len(groups), p.rules.PageCount)
			if err := p.writePage(groups[:n]); err != nil {
				return err
			}
			groups = groups[n:]
		}
	}
	if len(pages) > 0 {
		// A row group that was rewritten at the end of the last page may end later now.
		if item, err := p.Pages.seekLE(end - 1); err != nil {
			return err
		} else if item.Value != nil && item.First >= start {
			last, err := p.lastOf(item)
			if err != nil {
				return err
			}
			open = max(open, last+1)
		}
	}
	groups, err := p.between(open, min(end, max(p.Tail.Sealed, math.MinInt64+1))-1)
	if err != nil {
		return err
	}
	for len(groups) >= p.rules.PageCount {
		if err := p.writePage(groups[:p.rules.PageCount]); err != nil {
			return err
		}
		groups = groups[p.rules.PageCount:]
	}
	switch {
	case part == p.Tail.Partition:
		p.Tail.Unpaged = len(groups)
	case part < p.Tail.Partition && (p.finished[part] && len(groups) > 1 || len(groups) >= restRowGroups):
		return p.writePage(groups)
	}
	return nil
}

type pageSpan struct{ first, last int64 }

func (p *Placer) touches(from, to int64) bool {
	for _, s := range p.touched {
		if s.from <= to && s.to >= from {
			return true
		}
	}
	return false
}

// between returns the row groups that start in [from, to].
func (p *Placer) between(from, to int64) ([]Item, error) {
	var items []Item
	for from <= to {
		item, err := p.RowGroups.seekGE(from)
		if err != nil {
			return nil, err
		}
		if item.Value == nil || item.First > to {
			break
		}
		items = append(items, Item{item.First, append([]byte(nil), item.Value...)})
		from = item.First + 1
	}
	return items, nil
}
