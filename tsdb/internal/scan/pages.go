package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// finishPaged adds up what start began, with pages: row groups they list are read only
// where a bucket's edge, a delete or the heads cut them.
func (p *pass) finishPaged(ctx context.Context) (err error) {
	cursor, err := p.series.Source.Cursor(Pages)
	if err != nil {
		return err
	}
	defer closing(&err, cursor.Close)

	pos := p.walk.reader.First() // row groups that start before are done
	first, b, err := cursor.SeekLE(pos)
	if gap, ok := asGap(err); ok {
		p.walk.notePage(gap.From, gap.To, gap)
		first, b, err = 0, nil, nil
	}
	if err == nil && b == nil {
		first, b, _, err = p.pageFrom(cursor, pos)
	}
	// Behind a page, up to the last page of its partition, there are listed ones only.
	covered, partition := false, int64(0)
	for err == nil && b != nil && first < p.walk.to {
		if err := p.watch.check(ctx); err != nil {
			return err
		}
		k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: p.series.Group, First: first}
		switch err := p.page.Reset(k, b); {
		case errors.Is(err, rowgroup.ErrCorrupt):
			p.walk.notePage(first, first+1, err)
			covered = false // its row groups are found without it
		case err != nil:
			return fmt.Errorf("scan group %d, page from %d: %w", k.Group, first, err)
		default:
			if !covered || partition != k.Partition {
				if pos, err = p.single(ctx, pos, first); err != nil {
					return err
				}
			}
			covered, partition = true, k.Partition
			if pos, err = p.listed(pos); err != nil {
				return err
			}
		}
		var torn bool
		first, b, torn, err = p.pageFrom(cursor, first+1)
		covered = covered && !torn
	}
	if err != nil {
		return err
	}
	_, err = p.single(ctx, pos, p.walk.to)
	return err
}

// pageFrom returns the first page that starts at or after ts and can be read; torn says that
// others may have been stepped over.
func (p *pass) pageFrom(c Cursor, ts int64) (first int64, b []byte, torn bool, err error) {
	for {
		first, b, err = c.SeekGE(ts)
		gap, ok := asGap(err)
		if !ok {
			return first, b, torn, err
		}
		p.walk.notePage(gap.From, gap.To, gap)
		torn = true
		if gap.To <= ts {
			return 0, nil, torn, nil
		}
		ts = gap.To
	}
}

// single adds the row groups that start in [pos, limit) and returns where they end.
func (p *pass) single(ctx context.Context, pos, limit int64) (int64, error) {
	for pos < limit {
		ok, err := p.walk.upper(pos)
		if err != nil || !ok || p.walk.reader.First() >= limit {
			return pos, err
		}
		if err := p.watch.check(ctx); err != nil {
			return pos, err
		}
		if err := p.rowGroup(); err != nil {
			return pos, err
		}
		pos = after(p.walk.reader.Last())
	}
	return pos, nil
}

// listed adds the row groups which the current page lists and which start at or after pos,
// and returns where they end.
func (p *pass) listed(pos int64) (int64, error) {
	page, w := &p.page, &p.walk
	n := page.Len()
	i := 0
	for i < n && page.First(i) < pos {
		i++
	}
	for i < n && page.First(i) < w.to {
		first, last, next := page.First(i), page.Last(i), i+1
		whole := false
		if first >= w.from && last < w.to {
			_, end := p.cut.Find(first)
			if whole = last < end; whole {
				for next < n && page.Last(next) < end {
					next++
				}
			}
		}
		var err error
		if whole {
			err = p.wholes(i, next)
		} else {
			var ok bool
			if ok, err = p.loadListed(i); ok {
				err = p.rowGroup()
			}
		}
		if err != nil {
			return pos, err
		}
		i = next
	}
	return max(pos, after(page.Last(n-1))), nil
}

// wholes adds the page's row groups [i, j), which lie in one bucket: by their summaries,
// but for columns which the heads or a delete touch or whose texts count.
func (p *pass) wholes(i, j int) error {
	p.rest = p.rest[:0]
	for _, f := range p.folds {
		if taken, err := p.takeListed(f, i, j); err != nil {
			return err
		} else if !taken {
			p.rest = append(p.rest, f)
		}
	}
	for k := i; k < j && len(p.rest) > 0; k++ {
		loaded, there := false, false
		for _, f := range p.rest {
			if i+1 < j {
				if taken, err := p.takeListed(f, k, k+1); err != nil {
					return err
				} else if taken {
					continue
				}
			}
			if !loaded {
				var err error
				if there, err = p.loadListed(k); err != nil {
					return err
				}
				p.fresh()
				loaded = true
			}
			if !there {
				continue
			}
			if err := p.foldGroup(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeListed adds the page's row groups [i, j) to one column by their summaries; false
// where that would not be right, and nothing but what the heads have before was added.
func (p *pass) takeListed(f *fold, i, j int) (bool, error) {
	first := p.page.First(i)
	f.before(first)
	if f.err != nil {
		return false, f.err
	}
	if last := p.page.Last(j - 1); f.gone(first, last) {
		return true, nil
	} else if f.touched(first, last) {
		return false, nil
	}
	if err := p.watch.call.scan(j - i); err != nil {
		return false, err
	}
	f.enter(first)
	if !f.text {
		return true, p.page.Aggregate(f.column, i, j, f.want, &f.sum)
	}
	before := f.sum
	if err := p.page.Aggregate(f.column, i, j, f.want, &f.sum); err != nil {
		return false, err
	}
	if f.sum.Texts() != before.Texts() {
		f.sum = before
		return false, nil
	}
	return true, nil
}

// loadListed makes the page's row group i the current one; ok false says that it cannot be
// read, which was noted.
func (p *pass) loadListed(i int) (ok bool, err error) {
	first := p.page.First(i)
	noted := len(p.walk.damage)
	ok, err = p.walk.upper(first)
	if err != nil {
		return false, err
	}
	if ok && p.walk.reader.First() == first {
		return true, nil
	}
	if len(p.walk.damage) == noted {
		p.walk.lost(first, after(p.page.Last(i)), fmt.Errorf("page lists a row group that is not there: %w", rowgroup.ErrCorrupt))
	}
	return false, nil
}

// after returns the instant after ts, unless it is the last there is.
func after(ts int64) int64 { return max(ts, ts+1) }
