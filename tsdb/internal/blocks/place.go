package blocks

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A Placer changes the row groups of one group. Use it once: New, then Rows or Tidy, then
// read Tail, RowGroups and Pages, and Close it.
type Placer struct {
	// Tail is that of the group after the changes.
	Tail catalog.Tail
	// RowGroups and Pages are the changes.
	RowGroups, Pages Edit

	// Rewrites is how many row groups Rows may rewrite for deletes; beyond it they are
	// hidden by the tail's tombs.
	Rewrites int

	rules    Rules
	group    uint64
	columns  int
	touched  []span         // where sealed row groups changed
	due      []int64        // partitions with enough row groups for a page
	finished map[int64]bool // those that get no more in order
	reader   rowgroup.Reader
}

type span struct{ from, to int64 } // inclusive

// New returns a Placer for a group of columns columns with the given tail. The rules are
// complete.
func New(r Reader, group uint64, columns int, tail catalog.Tail, rules Rules) *Placer {
	return &Placer{
		Tail: tail, Rewrites: DefaultRewrites, rules: rules, group: group, columns: columns,
		RowGroups: Edit{space: scan.RowGroups, reader: r},
		Pages:     Edit{space: scan.Pages, reader: r},
	}
}

// Close releases what reading needed.
func (p *Placer) Close() error { return errors.Join(p.RowGroups.close(), p.Pages.close()) }

// Rows deletes what tombs hide, then adds rows, which may be nil: they replace cells of the
// same instant. Rows are strictly ascending.
func (p *Placer) Rows(rows *column.Table, tombs []scan.Tombstone) error {
	if rows == nil {
		rows = &column.Table{}
	}
	late := 0
	if p.Tail.Any {
		late = sort.Search(rows.Len(), func(i int) bool { return rows.Times[i] >= p.Tail.Sealed })
		if err := p.hide(tombs); err != nil {
			return err
		}
	}
	if late > 0 {
		old := column.Table{}
		old.Reset(p.columns)
		for i := range late {
			old.AppendRow(rows, i)
		}
		if err := p.addLate(&old); err != nil {
			return err
		}
		if late == rows.Len() {
			rows = &column.Table{}
		} else {
			young := column.Table{}
			young.Reset(p.columns)
			for i := late; i < rows.Len(); i++ {
				young.AppendRow(rows, i)
			}
			rows = &young
		}
	}
	if err := p.addTail(rows, tombs); err != nil {
		return err
	}
	return p.page()
}

// Tidy joins what is left small into at most one unsealed row group.
func (p *Placer) Tidy() error {
	if p.Tail.Small <= 1 {
		return nil
	}
	rows, err := p.takeTail(nil)
	if err != nil {
		return err
	}
	if err := p.seal(rows, false); err != nil {
		return err
	}
	return p.page()
}

// decode returns the rows of a row group.
func (p *Placer) decode(item Item) (*column.Table, error) {
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(item.First), Group: p.group, First: item.First}
	if err := p.reader.Reset(k, item.Value); err != nil {
		return nil, fmt.Errorf("read row group %d of group %d: %w", item.First, p.group, err)
	}
	times, err := p.reader.Times()
	if err != nil {
		return nil, fmt.Errorf("read times of row group %d of group %d: %w", item.First, p.group, err)
	}
	t := &column.Table{}
	t.Reset(p.columns)
	t.Times = append(t.Times, times...)
	for c := range t.Columns {
		if c >= p.reader.Columns() {
			t.Columns[c].AppendNone(len(times))
			continue
		}
		if err := p.reader.Decode(c, 0, len(times), &t.Columns[c]); err != nil {
			return nil, fmt.Errorf("read column %d of row group %d of group %d: %w", c, item.First, p.group, err)
		}
	}
	if err := p.reader.DecodeExpiries(t); err != nil {
		return nil, fmt.Errorf("read expiries of row group %d of group %d: %w", item.First, p.group, err)
	}
	return t, nil
}

// write stores rows [lo, hi) of t as one row group.
func (p *Placer) write(t *column.Table, lo, hi int) error {
	part := slice(t, lo, hi)
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(part.Times[0]), Group: p.group, First: part.Times[0]}
	value, err := rowgroup.Append(nil, k, part)
	if err != nil {
		return fmt.Errorf("write row group %d of group %d: %w", k.First, p.group, err)
	}
	p.RowGroups.set(k.First, value)
	p.uncover(k.First, part.Times[part.Len()-1])
	return nil
}

// slice returns the rows [lo, hi) of t, sharing its memory.
func slice(t *column.Table, lo, hi int) *column.Table {
	if lo == 0 && hi == t.Len() {
		return t
	}
	out := &column.Table{Times: t.Times[lo:hi], Columns: make([]column.Column, len(t.Columns))}
	for i := range t.Columns {
		out.Columns[i] = t.Columns[i].Slice(lo, hi)
	}
	return out
}

// fit returns where a row group that begins with row lo has to end.
func (p *Placer) fit(t *column.Table, lo int) int {
	return min(rowgroup.Fit(t, lo), lo+p.rules.SealRows)
}

// cut returns where the row group that begins with row lo ends. It ends at a midnight, or
// divides the rows up to the next one evenly.
func (p *Placer) cut(t *column.Table, lo int) int {
	hi := p.fit(t, lo)
	if hi == t.Len() {
		return hi
	}
	today := dayOf(t.Times[lo])
	if last := dayOf(t.Times[hi]); last != today {
		for k := hi; k > lo; k-- { // the last midnight that fits
			if dayOf(t.Times[k-1]) != last {
				if k-lo >= p.rules.JoinRows/2 {
					return k
				}
				break
			}
		}
		return hi
	}
	midnight := lo + sort.Search(t.Len()-lo, func(i int) bool { return dayOf(t.Times[lo+i]) != today })
	left := midnight - lo
	pieces := (left + (hi - lo) - 1) / (hi - lo)
	return min(hi, lo+(left+pieces-1)/pieces)
}

// addTail adds rows that start at or after the seal.
func (p *Placer) addTail(rows *column.Table, tombs []scan.Tombstone) error {
	inTail := slices.ContainsFunc(tombs, func(t scan.Tombstone) bool {
		return p.Tail.Small > 0 && t.To > p.Tail.Sealed && t.From <= p.Tail.Last
	})
	n := rows.Len()
	if n == 0 && !inTail {
		return nil
	}
	behind := n > 0 && (!p.Tail.Any || rows.Times[0] > p.Tail.Last)
	if p.Tail.Small > 0 && (inTail || !behind || p.Tail.Small+1 >= p.rules.JoinCount || p.Tail.SmallRows+n >= p.rules.JoinRows ||
		rowgroup.PartitionOf(rows.Times[n-1]) != rowgroup.PartitionOf(p.Tail.Sealed)) {
		full := p.Tail.Small+1 >= p.rules.JoinCount
		tail, err := p.takeTail(tombs)
		if err != nil {
			return err
		}
		if n > 0 {
			tail = head.Merge(tail, rows)
		}
		return p.seal(tail, full)
	}
	if p.Tail.Small == 0 {
		return p.seal(rows, false)
	}
	if p.fit(rows, 0) != n {
		tail, err := p.takeTail(nil)
		if err != nil {
			return err
		}
		return p.seal(head.Merge(tail, rows), false)
	}
	if err := p.write(rows, 0, n); err != nil {
		return err
	}
	p.Tail.Last = rows.Times[n-1]
	p.Tail.Small++
	p.Tail.SmallRows += n
	return nil
}

// takeTail removes the unsealed row groups and returns their rows, without what is hidden.
func (p *Placer) takeTail(tombs []scan.Tombstone) (*column.Table, error) {
	all := &column.Table{}
	all.Reset(p.columns)
	for from := p.Tail.Sealed; ; {
		item, err := p.RowGroups.seekGE(from)
		if err != nil {
			return nil, err
		}
		if item.Value == nil {
			break
		}
		t, err := p.decode(item)
		if err != nil {
			return nil, err
		}
		t, _ = head.Without(t, tombs)
		for i := range t.Len() {
			all.AppendRow(t, i)
		}
		p.RowGroups.remove(item.First)
		from = item.First + 1
	}
	p.Tail.Small, p.Tail.SmallRows = 0, 0
	return all, nil
}

// seal writes rows, which are all that stands at or behind the seal. What is large enough,
// of an older partition, or has waited long enough (full) is sealed; the rest is one small
// row group.
func (p *Placer) seal(rows *column.Table, full bool) error {
	n := rows.Len()
	if n == 0 {
		return nil
	}
	newest := rowgroup.PartitionOf(rows.Times[n-1])
	open := sort.Search(n, func(i int) bool { return rowgroup.PartitionOf(rows.Times[i]) >= newest })
	sealed := n
	switch {
	case n-open >= p.rules.JoinRows:
		today := dayOf(rows.Times[n-1])
		midnight := open + sort.Search(n-open, func(i int) bool { return dayOf(rows.Times[open+i]) >= today })
		if midnight-open >= p.rules.JoinRows && n-midnight < p.rules.JoinRows {
			sealed = midnight
		}
	case !full:
		sealed = open
	}
	if n-sealed > 0 && p.fit(rows, sealed) != n {
		sealed = n // too many bytes for one small row group
	}
	for lo := 0; lo < sealed; {
		hi := min(p.cut(rows, lo), sealed)
		if err := p.write(rows, lo, hi); err != nil {
			return err
		}
		p.sealedOne(rowgroup.PartitionOf(rows.Times[lo]))
		lo = hi
	}
	last := rows.Times[n-1]
	if p.Tail.Any {
		last = max(last, p.Tail.Last)
	}
	p.Tail.Any, p.Tail.Last = true, last
	p.Tail.Small, p.Tail.SmallRows = 0, n-sealed
	if sealed < n {
		if err := p.write(rows, sealed, n); err != nil {
			return err
		}
		p.Tail.Small, p.Tail.Sealed = 1, rows.Times[sealed]
	} else {
		p.Tail.Sealed = rows.Times[n-1] + 1
	}
	return nil
}

// sealedOne counts what waits for a page.
func (p *Placer) sealedOne(partition int64) {
	if partition != p.Tail.Partition {
		if p.Tail.Unpaged > 0 {
			p.finish(p.Tail.Partition)
		}
		p.Tail.Partition, p.Tail.Unpaged = partition, 0
	}
	p.Tail.Unpaged++
	if p.Tail.Unpaged == p.rules.PageCount {
		p.due = append(p.due, partition)
	}
}

// finish has what a partition left without a page put into one: nothing more comes there but
// late rows.
func (p *Placer) finish(partition int64) {
	if p.finished == nil {
		p.finished = map[int64]bool{}
	}
	p.finished[partition] = true
	p.due = append(p.due, partition)
}
