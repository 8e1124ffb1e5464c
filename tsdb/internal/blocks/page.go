package blocks

import (
	"fmt"

	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// writePage stores the page of row groups.
func (p *Placer) writePage(groups []Item) error {
	entries := make([]rowgroup.PageEntry, len(groups))
	for i, item := range groups {
		k := rowgroup.Key{Partition: rowgroup.PartitionOf(item.First), Group: p.group, First: item.First}
		if err := p.reader.Reset(k, item.Value); err != nil {
			return fmt.Errorf("read row group %d of group %d: %w", item.First, p.group, err)
		}
		entries[i] = EntryOf(&p.reader)
	}
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(groups[0].First), Group: p.group, First: groups[0].First}
	value, err := rowgroup.AppendPage(nil, k, entries)
	if err != nil {
		return fmt.Errorf("write page %d of group %d: %w", k.First, p.group, err)
	}
	p.Pages.set(k.First, value)
	return nil
}

// EntryOf returns what a page says of a row group.
func EntryOf(r *rowgroup.Reader) rowgroup.PageEntry {
	e := rowgroup.PageEntry{First: r.First(), Last: r.Last(), Rows: r.Rows(), Summaries: make([]summary.Summary, r.Columns())}
	for c := range e.Summaries {
		e.Summaries[c] = *r.Summary(c)
	}
	return e
}

// lastOf returns the instant of the last row a page lists.
func (p *Placer) lastOf(page Item) (int64, error) {
	var r rowgroup.PageReader
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(page.First), Group: p.group, First: page.First}
	if err := r.Reset(k, page.Value); err != nil {
		return 0, fmt.Errorf("read page %d of group %d: %w", page.First, p.group, err)
	}
	return r.Last(r.Len() - 1), nil
}
