package blocks

import (
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
)

// Outlive removes the cells whose time to live has ended at now, ms, calls dropped with the
// column and instant of each, and works out p.Tail.Expires anew. Row groups in which nothing
// has ended are told by their heads. It reports how many row groups it has changed.
func (p *Placer) Outlive(now int64, dropped func(column int, ts int64)) (n int, err error) {
	p.Tail.Expires = 0
	young := false
	for from := int64(math.MinInt64); ; {
		item, err := p.RowGroups.seekGE(from)
		if err != nil {
			return n, err
		}
		if item.Value == nil {
			break
		}
		if err := p.open(item); err != nil {
			return n, err
		}
		first, last := item.First, p.reader.Last()
		from = last + 1
		least, err := p.reader.Expires()
		if err != nil {
			return n, err
		}
		switch {
		case least == 0:
		case least > now:
			p.Tail.Expire(least)
		case first >= p.Tail.Sealed:
			young = true
		default:
			t, err := p.visible(item)
			if err != nil {
				return n, err
			}
			p.touched = append(p.touched, span{first, last})
			p.RowGroups.remove(first)
			if err := p.writeAll(p.outlive(t, now, dropped)); err != nil {
				return n, err
			}
			p.uncover(first, last)
			n++
		}
	}
	if young {
		n += p.Tail.Small
		t, err := p.takeTail(nil)
		if err != nil {
			return n, err
		}
		if err := p.seal(p.outlive(t, now, dropped), false); err != nil {
			return n, err
		}
	}
	return n, p.page()
}

// outlive returns the rows of t without the cells that have ended, and rows left empty with
// them.
func (p *Placer) outlive(t *column.Table, now int64, dropped func(column int, ts int64)) *column.Table {
	out := &column.Table{}
	out.Reset(len(t.Columns))
	for i, ts := range t.Times {
		any := false
		for c := range t.Columns {
			cells := &t.Columns[c]
			switch {
			case cells.Types[i] == model.TypeNone:
				out.Columns[c].AppendNone(1)
			case cells.Expiry != nil && cells.Expiry[i] != 0 && cells.Expiry[i] <= now:
				out.Columns[c].AppendNone(1)
				p.Tail.Outlived |= 1 << c
				dropped(c, ts)
			default:
				any = true
				out.Columns[c].AppendFrom(cells, i)
			}
		}
		if any {
			out.Times = append(out.Times, ts)
			continue
		}
		for c := range out.Columns {
			out.Columns[c].Cut(len(out.Times))
		}
	}
	p.Tail.Expire(out.Expires())
	return out
}
