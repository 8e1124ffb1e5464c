package tsdb

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A cursor walks the row groups or pages of one group over an iterator. Keys are ordered by
// partition before group, so it leaps from one partition that exists to the next, which it
// learns from the keys it lands on.
type cursor struct {
	iter  *pebble.Iterator
	space byte
	group uint64
	key   []byte
	at    keys.Block // where the iterator stands, while on is true
	on    bool
}

func spaceByte(s scan.Space) byte {
	if s == scan.Pages {
		return keys.Pages
	}
	return keys.RowGroups
}

// newCursor opens a cursor over r.
func newCursor(r pebble.Reader, s scan.Space, group uint64) (*cursor, error) {
	return newCursorIn(r, spaceByte(s), group)
}

func newCursorIn(r pebble.Reader, space byte, group uint64) (*cursor, error) {
	c := &cursor{space: space, group: group}
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{c.space}, UpperBound: []byte{c.space + 1}})
	if err != nil {
		return nil, fmt.Errorf("open iterator: %w", err)
	}
	c.iter = iter
	return c, nil
}

// SeekGE implements scan.Cursor.
func (c *cursor) SeekGE(ts int64) (int64, []byte, error) {
	if c.on && ts > c.at.First && ts == c.at.First+1 {
		c.iter.Next()
	} else {
		c.seek(keys.Block{Partition: rowgroup.PartitionOf(ts), Group: c.group, First: ts})
	}
	for c.iter.Valid() {
		b, err := keys.ParseBlock(c.iter.Key())
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if b.Group == c.group && b.First >= ts {
			return c.take(b)
		}
		// Not our group: the least key that could be ours.
		next := keys.Block{Partition: b.Partition, Group: c.group, First: minInstant}
		if b.Group >= c.group {
			next.Partition++
		}
		c.seek(next)
	}
	c.on = false
	return 0, nil, c.iter.Error()
}

// SeekLE implements scan.Cursor.
func (c *cursor) SeekLE(ts int64) (int64, []byte, error) {
	if c.on && ts < c.at.First && ts == c.at.First-1 {
		c.iter.Prev()
	} else {
		c.key = append(keys.Block{Partition: rowgroup.PartitionOf(ts), Group: c.group, First: ts}.Append(c.key[:0], c.space), 0)
		c.iter.SeekLT(c.key)
	}
	for c.iter.Valid() {
		b, err := keys.ParseBlock(c.iter.Key())
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if b.Group == c.group && b.First <= ts {
			return c.take(b)
		}
		// Not our group: behind the greatest key that could be ours.
		last := keys.Block{Partition: b.Partition, Group: c.group}
		if b.Group <= c.group {
			last.Partition--
		}
		c.key = last.AppendEnd(c.key[:0], c.space)
		c.iter.SeekLT(c.key)
	}
	c.on = false
	return 0, nil, c.iter.Error()
}

const minInstant = -1 << 63

func (c *cursor) seek(b keys.Block) {
	c.key = b.Append(c.key[:0], c.space)
	c.iter.SeekGE(c.key)
}

func (c *cursor) take(b keys.Block) (int64, []byte, error) {
	value, err := c.iter.ValueAndErr()
	if err != nil {
		c.on = false
		return 0, nil, err
	}
	c.at, c.on = b, true
	return b.First, value, nil
}

// Close implements scan.Cursor.
func (c *cursor) Close() error { return c.iter.Close() }
