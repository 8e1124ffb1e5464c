package tsdb

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A cursor walks the row groups or pages of one group over an iterator. Keys are ordered by
// partition before group, so it leaps from one partition that exists to the next, which it
// learns from the keys it lands on.
//
// Where tables are damaged it keeps to the island between two damaged spans, and says what
// lies between islands by a *scan.Gap.
type cursor struct {
	iter  *pebble.Iterator
	store pebble.Reader
	space byte
	group uint64
	key   []byte
	room  [keys.BlockLen + 1]byte // of key
	at    keys.Block              // where the iterator stands, while on is true
	on    bool

	damage *damages // nil: an error of the store is an error of the cursor
	island          // where the iterator is
}

// An island is the keys between two damaged spans; without a span it ends with the keyspace.
type island struct{ below, above *keySpan }

func spaceByte(s scan.Space) byte {
	if s == scan.Pages {
		return keys.Pages
	}
	return keys.RowGroups
}

// newCursor opens a cursor over r. Damage unknown to d, which may be nil, is an error.
func newCursor(r pebble.Reader, s scan.Space, group uint64, d *damages) (*cursor, error) {
	return newCursorIn(r, spaceByte(s), group, d)
}

func newCursorIn(r pebble.Reader, space byte, group uint64, d *damages) (*cursor, error) {
	c := &cursor{store: r, space: space, group: group, damage: d}
	c.key = c.room[:0]
	return c, c.open()
}

// blockBounds are those of iterators over row groups and pages; Pebble copies them.
var blockBounds = map[byte]*pebble.IterOptions{
	keys.RowGroups: {LowerBound: []byte{keys.RowGroups}, UpperBound: []byte{keys.RowGroups + 1}},
	keys.Pages:     {LowerBound: []byte{keys.Pages}, UpperBound: []byte{keys.Pages + 1}},
}

func (c *cursor) open() (err error) {
	c.island, c.on = island{}, false
	c.iter, err = c.store.NewIter(blockBounds[c.space])
	if err != nil {
		return fmt.Errorf("open iterator: %w", err)
	}
	return nil
}

// SeekGE implements scan.Cursor.
func (c *cursor) SeekGE(ts int64) (int64, []byte, error) {
	for {
		first, b, err := c.seekGE(ts)
		switch known, err := c.learn(err); {
		case err != nil:
			return 0, nil, err
		case known == unknown:
			continue // around it
		case known == none:
			return first, b, nil
		}
		if c.above == nil {
			return 0, nil, err
		}
		return c.reopened(c.gap(c.above, false))
	}
}

// SeekLE implements scan.Cursor.
func (c *cursor) SeekLE(ts int64) (int64, []byte, error) {
	for {
		first, b, err := c.seekLE(ts)
		switch known, err := c.learn(err); {
		case err != nil:
			return 0, nil, err
		case known == unknown:
			continue
		case known == none:
			return first, b, nil
		}
		if c.below == nil {
			return 0, nil, err
		}
		return c.lowest(ts)
	}
}

// What is new about an error.
const (
	none    = iota // there is no error
	unknown        // damage that was met for the first time
	shore          // damage next to the island, into which Pebble looks for what comes next
)

// learn tells apart what went wrong; an error that is not of damage it returns.
func (c *cursor) learn(err error) (known int, _ error) {
	if err == nil {
		return none, nil
	}
	if _, ok := asGap(err); ok || c.damage == nil || pebble.ExtractDataCorruptionInfo(err) == nil {
		return none, err
	}
	if !c.damage.learn(err) && !c.stale() {
		return shore, nil
	}
	_ = c.iter.Close() // it would say the same for ever
	return unknown, c.open()
}

// stale reports whether damage is known on the island, which another cursor has met.
func (c *cursor) stale() bool {
	on := keySpan{[]byte{c.space}, []byte{c.space + 1}}
	if c.below != nil {
		on.start = c.below.end
	}
	if c.above != nil {
		on.end = c.above.start
	}
	return slices.ContainsFunc(c.damage.spans(), func(s keySpan) bool {
		_, in := s.within(on)
		return in
	})
}

func asGap(err error) (*scan.Gap, bool) { return errors.AsType[*scan.Gap](err) }

// reopened returns err, with the cursor good for another try.
func (c *cursor) reopened(err error) (int64, []byte, error) {
	_ = c.iter.Close()
	if failed := c.open(); failed != nil {
		return 0, nil, failed
	}
	return 0, nil, err
}

// lowest ends a walk down at the low shore of an island. A step down reads one key more than
// it returns, so the lowest key is met on the way up only.
func (c *cursor) lowest(ts int64) (int64, []byte, error) {
	below, key := c.below, bytes.Clone(c.key)
	if _, _, err := c.reopened(nil); err != nil {
		return 0, nil, err
	}
	c.island = island{below: below}
	c.iter.SetBounds(below.end, key)
	found := false
	var last keys.Block
	for ok := c.iter.First(); ok; ok = c.iter.Next() {
		b, err := keys.ParseBlock(c.iter.Key())
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if b.Group == c.group && b.First <= ts {
			found, last = true, b
		}
	}
	if !found {
		return c.reopened(c.gap(below, true))
	}
	if c.iter.SeekGE(last.Append(nil, c.space)) {
		return c.take(last)
	}
	return 0, nil, c.iter.Error()
}

func (c *cursor) seekGE(ts int64) (int64, []byte, error) {
	if c.on && ts > c.at.First && ts == c.at.First+1 {
		c.iter.Next()
	} else if gap := c.seek(keys.Block{Partition: rowgroup.PartitionOf(ts), Group: c.group, First: ts}); gap != nil {
		return 0, nil, gap
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
		if gap := c.seek(next); gap != nil {
			return 0, nil, gap
		}
	}
	c.on = false
	if err := c.iter.Error(); err != nil || c.above == nil {
		return 0, nil, err
	}
	return 0, nil, c.gap(c.above, false)
}

func (c *cursor) seekLE(ts int64) (int64, []byte, error) {
	if c.on && ts < c.at.First && ts == c.at.First-1 {
		c.iter.Prev()
	} else {
		c.key = append(keys.Block{Partition: rowgroup.PartitionOf(ts), Group: c.group, First: ts}.Append(c.key[:0], c.space), 0)
		if gap := c.seekLT(); gap != nil {
			return 0, nil, gap
		}
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
		if gap := c.seekLT(); gap != nil {
			return 0, nil, gap
		}
	}
	c.on = false
	if err := c.iter.Error(); err != nil || c.below == nil {
		return 0, nil, err
	}
	return 0, nil, c.gap(c.below, true)
}

const minInstant = -1 << 63

// seek moves to the first key at or after that of b; into damage it returns the gap.
func (c *cursor) seek(b keys.Block) error {
	c.key = b.Append(c.key[:0], c.space)
	if span := c.land(c.key); span != nil {
		return c.gap(span, false)
	}
	c.iter.SeekGE(c.key)
	return nil
}

// seekLT moves to the last key before c.key, likewise.
func (c *cursor) seekLT() error {
	before := c.key
	if n := len(before) - 1; before[n] == 0 {
		before = before[:n] // of the two kinds of ends there are, the greatest key before it
	}
	if span := c.land(before); span != nil {
		return c.gap(span, true)
	}
	c.iter.SeekLT(c.key)
	return nil
}

// land makes the island of key that of the iterator, or returns the damaged span it lies in.
func (c *cursor) land(key []byte) *keySpan {
	if c.damage == nil {
		return nil
	}
	i, in := c.damage.island(key)
	if in != nil || i == c.island {
		return in
	}
	c.island = i
	lower, upper := []byte{c.space}, []byte{c.space + 1}
	if i.below != nil && bytes.Compare(i.below.end, lower) > 0 {
		lower = i.below.end
	} else {
		c.below = nil
	}
	if i.above != nil && bytes.Compare(i.above.start, upper) < 0 {
		upper = i.above.start
	} else {
		c.above = nil
	}
	c.iter.SetBounds(lower, upper)
	return nil
}

// gap says what of the group may stand in a damaged span: where none of it can, the gap is
// empty and lies where the walk has to go on.
func (c *cursor) gap(span *keySpan, down bool) error {
	c.on = false
	from, to, ok := span.instants(c.space, c.group)
	if !ok {
		at := span.end
		if down {
			at = span.start
		}
		b := blockAt(at, c.space)
		if b.Group > c.group {
			b.Partition = partitionAfter(b.Partition)
		}
		from = partitionStart(b.Partition)
		to = from
	}
	return &scan.Gap{From: from, To: to, Err: fmt.Errorf("%w: a table of the store", ErrCorrupt)}
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
