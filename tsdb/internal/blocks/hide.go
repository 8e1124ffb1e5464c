package blocks

import (
	"fmt"
	"math"
	"slices"

	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// hide deletes what tombs hide in the sealed row groups: now, or, where that would rewrite
// more than p.Rewrites of them, by adding to the tail's tombs.
func (p *Placer) hide(tombs []scan.Tombstone) error {
	if canary.Planted(canary.Revive) {
		return nil
	}
	fresh, err := p.fresh(tombs)
	if err != nil || len(fresh) == 0 {
		return err
	}
	for _, t := range fresh {
		p.Tail.Hidden = catalog.Add(p.Tail.Hidden, t)
	}
	if err := p.dropWhole(catalog.Spans(fresh, math.MaxUint32)); err != nil {
		return err
	}
	spans := catalog.Spans(fresh, math.MaxUint32)
	n, err := p.countTouched(spans, p.Rewrites+1)
	if err != nil {
		return err
	}
	if len(p.Tail.Hidden) > maxTombs {
		spans, n = deleted(p.Tail.Hidden), 0
	}
	if n > p.Rewrites {
		return nil
	}
	for _, s := range spans {
		if _, err := p.carryOut(s, math.MaxInt); err != nil {
			return err
		}
	}
	return nil
}

// Expire deletes what tombs, which expire, hide: row groups they cover whole go, the others
// stay hidden until they are. Rows that are not sealed yet are rewritten.
func (p *Placer) Expire(tombs []catalog.Tomb) error {
	if !p.Tail.Any {
		return nil
	}
	end := int64(math.MinInt64)
	for _, t := range tombs {
		end = max(end, t.To)
		if t.To = min(t.To, p.Tail.Sealed); t.From < t.To {
			p.Tail.Hidden = catalog.Add(p.Tail.Hidden, t)
		}
	}
	if err := p.dropWhole([]catalog.Span{{From: math.MinInt64, To: end}}); err != nil {
		return err
	}
	if err := p.narrowExpired(); err != nil {
		return err
	}
	if young, err := p.RowGroups.seekGE(p.Tail.Sealed); err != nil {
		return err
	} else if young.Value != nil && young.First < end {
		if err := p.addTail(&column.Table{}, expand(tombs, p.columns, math.MinInt64, math.MaxInt64)); err != nil {
			return err
		}
	}
	return p.page()
}

// narrowExpired gives the tombs of retention the range in which there are row groups.
func (p *Placer) narrowExpired() error {
	kept := make([]catalog.Tomb, 0, len(p.Tail.Hidden))
	for _, t := range p.Tail.Hidden {
		if t.Expired {
			s, err := p.narrow(catalog.Span{From: t.From, To: t.To})
			if err != nil {
				return err
			}
			t.From, t.To = s.From, s.To
		}
		if t.From < t.To {
			kept = append(kept, t)
		}
	}
	p.Tail.Hidden = kept
	return nil
}

// Reclaim carries out what deletes have hidden, oldest first, until it has gone through
// budget row groups, and reports how many it has.
func (p *Placer) Reclaim(budget int) (done int, err error) {
	if err := p.dropWhole(deleted(p.Tail.Hidden)); err != nil {
		return 0, err
	}
	for _, s := range deleted(p.Tail.Hidden) {
		if done >= budget {
			break
		}
		n, err := p.carryOut(s, budget-done)
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, p.page()
}

// Owes reports whether a group has something for Reclaim to do.
func Owes(t *catalog.Tail) bool {
	return slices.ContainsFunc(t.Hidden, func(h catalog.Tomb) bool { return !h.Expired })
}

// deleted returns where something is hidden that retention has not hidden.
func deleted(tombs []catalog.Tomb) []catalog.Span {
	var mine []catalog.Tomb
	for _, t := range tombs {
		if !t.Expired {
			mine = append(mine, t)
		}
	}
	return catalog.Spans(mine, math.MaxUint32)
}

// fresh returns what tombs hide in sealed row groups: one tomb for the columns of a range,
// and none where there are no row groups.
func (p *Placer) fresh(tombs []scan.Tombstone) ([]catalog.Tomb, error) {
	var out []catalog.Tomb
next:
	for _, t := range tombs {
		to := min(t.To, p.Tail.Sealed)
		if t.From >= to {
			continue
		}
		for i := range out {
			if out[i].From == t.From && out[i].To == to {
				out[i].Columns |= 1 << t.Column
				continue next
			}
		}
		out = append(out, catalog.Tomb{Columns: 1 << t.Column, From: t.From, To: to})
	}
	n := 0
	for _, t := range out {
		s, err := p.narrow(catalog.Span{From: t.From, To: t.To})
		if err != nil {
			return nil, err
		}
		if s.From < s.To {
			t.From, t.To = s.From, s.To
			out[n] = t
			n++
		}
	}
	return out[:n], nil
}

// narrow returns the part of s from the first row group that it touches to the last one; it
// is empty when there is none.
func (p *Placer) narrow(s catalog.Span) (catalog.Span, error) {
	none := catalog.Span{}
	item, err := p.RowGroups.seekLE(s.To - 1)
	if err != nil || item.Value == nil {
		return none, err
	}
	if err := p.open(item); err != nil {
		return none, err
	}
	s.To = min(s.To, p.reader.Last()+1)
	item, err = p.touching(s.From)
	if err != nil || item.Value == nil || item.First >= s.To {
		return none, err
	}
	s.From = max(s.From, item.First)
	return s, nil
}

// touching returns the first row group that ends at or after ts.
func (p *Placer) touching(ts int64) (Item, error) {
	item, err := p.RowGroups.seekLE(ts)
	if err != nil {
		return Item{}, err
	}
	if item.Value != nil {
		if err := p.open(item); err != nil {
			return Item{}, err
		}
		if p.reader.Last() >= ts {
			return item, nil
		}
	}
	return p.RowGroups.seekGE(ts)
}

// fewDrops is how many row groups are deleted one by one: a range deletion costs every read
// nearby a little until it is compacted away.
const fewDrops = 16

// dropWhole removes, without reading them, the row groups within spans of which everything
// is hidden.
func (p *Placer) dropWhole(within []catalog.Span) error {
	for _, s := range catalog.Whole(p.Tail.Hidden, p.columns) {
		s.To = min(s.To, p.Tail.Sealed)
		for _, w := range within {
			if w.From < s.To && s.From < w.To {
				if err := p.drop(s); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// drop removes the row groups within s, and what hid them.
func (p *Placer) drop(s catalog.Span) error {
	first, err := p.RowGroups.seekGE(s.From)
	if err != nil || first.Value == nil || first.First >= s.To {
		return err
	}
	last, err := p.RowGroups.seekLE(s.To - 1)
	if err != nil {
		return err
	}
	if err := p.open(last); err != nil {
		return err
	}
	end := s.To
	if p.reader.Last() >= s.To {
		if end = last.First; end <= first.First {
			return nil
		}
	}
	s = catalog.Span{From: first.First, To: end}
	firsts := []int64{}
	for at := s.From; len(firsts) <= fewDrops; {
		item, err := p.RowGroups.seekGE(at)
		if err != nil {
			return err
		}
		if item.Value == nil || item.First >= s.To {
			break
		}
		firsts = append(firsts, item.First)
		at = item.First + 1
	}
	if len(firsts) <= fewDrops {
		for _, f := range firsts {
			p.RowGroups.remove(f)
		}
	} else {
		p.RowGroups.removeRange(s)
	}
	p.touched = append(p.touched, span{s.From, s.To - 1})
	p.Tail.Hidden = catalog.Cut(p.Tail.Hidden, math.MaxUint32, s.From, s.To)
	return nil
}

// countTouched counts the row groups that spans touch, up to limit.
func (p *Placer) countTouched(spans []catalog.Span, limit int) (n int, err error) {
	for _, s := range spans {
		item, err := p.touching(s.From)
		for ; err == nil && n < limit && item.Value != nil && item.First < s.To; item, err = p.RowGroups.seekGE(item.First + 1) {
			n++
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// carryOut rewrites the row groups in s in which something is hidden, budget of them at
// most, and takes away the tombs as far as it came. It reports how many it has looked at.
func (p *Placer) carryOut(s catalog.Span, budget int) (n int, err error) {
	item, err := p.touching(s.From)
	for ; err == nil && item.Value != nil && item.First < s.To; n++ {
		if n == budget {
			p.forget(s.From, item.First)
			return n, nil
		}
		last, err := p.clean(item)
		if err != nil {
			return n, err
		}
		if item, err = p.RowGroups.seekGE(last + 1); err != nil {
			return n, err
		}
	}
	if err != nil {
		return n, err
	}
	p.forget(s.From, s.To)
	return n, nil
}

// forget takes away the tombs of deletes in [from, to), where nothing is left to hide.
func (p *Placer) forget(from, to int64) {
	var mine, kept []catalog.Tomb
	for _, t := range p.Tail.Hidden {
		if t.Expired {
			kept = append(kept, t)
		} else {
			mine = append(mine, t)
		}
	}
	p.Tail.Hidden = append(kept, catalog.Cut(mine, math.MaxUint32, from, to)...)
}

// clean rewrites a row group without what is hidden in it, and returns its last instant.
func (p *Placer) clean(item Item) (last int64, err error) {
	first := item.First
	t, changed, err := p.seen(item)
	if err != nil {
		return 0, err
	}
	last = p.reader.Last()
	if changed {
		p.touched = append(p.touched, span{first, last})
		p.RowGroups.remove(first)
		if err := p.writeAll(t); err != nil {
			return 0, err
		}
	}
	p.uncover(first, last)
	return last, nil
}

// uncover takes away the tombs in [first, last], where rows stand that they must not hide.
func (p *Placer) uncover(first, last int64) {
	p.Tail.Hidden = catalog.Cut(p.Tail.Hidden, math.MaxUint32, first, last+1)
}

// visible returns the rows of a row group that are not hidden. p.reader stays at it.
func (p *Placer) visible(item Item) (*column.Table, error) {
	t, _, err := p.seen(item)
	return t, err
}

func (p *Placer) seen(item Item) (t *column.Table, changed bool, err error) {
	if t, err = p.decode(item); err != nil {
		return nil, false, err
	}
	tombs := expand(p.Tail.Hidden, p.columns, p.reader.First(), p.reader.Last())
	if len(tombs) == 0 {
		return t, false, nil
	}
	t, changed = head.Without(t, tombs)
	return t, changed, nil
}

// expand returns tombs column by column, as far as they touch [first, last].
func expand(tombs []catalog.Tomb, columns int, first, last int64) (out []scan.Tombstone) {
	for _, t := range tombs {
		if t.From > last || t.To <= first {
			continue
		}
		for c := range columns {
			if t.Columns&(1<<c) != 0 {
				out = append(out, scan.Tombstone{Column: c, From: t.From, To: t.To})
			}
		}
	}
	return out
}

// open makes p.reader read an item.
func (p *Placer) open(item Item) error {
	k := rowgroup.Key{Partition: rowgroup.PartitionOf(item.First), Group: p.group, First: item.First}
	if err := p.reader.Reset(k, item.Value); err != nil {
		return fmt.Errorf("read row group %d of group %d: %w", item.First, p.group, err)
	}
	return nil
}
