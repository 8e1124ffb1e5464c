package rowgroup

import (
	"encoding/binary"
	"fmt"

	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// PageRowGroups is the number of sealed row groups a full page covers: a month of rows each
// ten seconds.
const PageRowGroups = 64

// pageSpace is the first byte of the keys of pages.
const pageSpace = 'p'

// A PageEntry describes one row group of a page.
type PageEntry struct {
	First, Last int64             // instants of its first and last row, ms
	Rows        int               //
	Summaries   []summary.Summary // one a column
}

// AppendPage adds the page of groups to dst: ascending row groups of one partition and
// group, at most PageRowGroups. The key is that of the first one.
func AppendPage(dst []byte, k Key, groups []PageEntry) ([]byte, error) {
	if len(groups) == 0 || len(groups) > PageRowGroups || groups[0].First != k.First {
		return dst, fmt.Errorf("%w: page of %d row groups", errTable, len(groups))
	}
	start := len(dst)
	dst = append(dst, 0, byte(len(groups)))
	for i := range groups {
		g := &groups[i]
		dst = binary.AppendVarint(dst, g.First)
		dst = binary.AppendVarint(dst, g.Last)
		dst = binary.AppendUvarint(dst, uint64(g.Rows))
		dst = append(dst, byte(len(g.Summaries)))
		for c := range g.Summaries {
			dst = g.Summaries[c].Append(dst, g.First, g.Last)
		}
	}
	return binary.LittleEndian.AppendUint32(dst, checksum(pageSpace, k, dst[start:])), nil
}

// A PageReader reads one page at a time. It keeps its memory from one Reset to the next.
type PageReader struct {
	groups []PageEntry
}

// Reset makes p read the page b, stored under k (as a page's), once it verifies. After an
// error it is empty.
func (p *PageReader) Reset(k Key, b []byte) error {
	p.groups = p.groups[:0]
	if len(b) < 6 || checksum(pageSpace, k, b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	c := codec.NewCursor(b[1 : len(b)-4])
	for range c.Int(PageRowGroups) {
		g := PageEntry{First: c.Varint(), Last: c.Varint(), Rows: c.Int(MaxRows)}
		g.Summaries = make([]summary.Summary, c.Int(MaxColumns))
		for i := range g.Summaries {
			g.Summaries[i].Read(&c, g.First, g.Last)
		}
		p.groups = append(p.groups, g)
	}
	return c.Err()
}

// Len reports the number of row groups.
func (p *PageReader) Len() int { return len(p.groups) }

// Columns reports the number of columns of the widest row group.
func (p *PageReader) Columns() int {
	n := 0
	for i := range p.groups {
		n = max(n, len(p.groups[i].Summaries))
	}
	return n
}

// First returns the instant of the first row of row group i.
func (p *PageReader) First(i int) int64 { return p.groups[i].First }

// Last returns the instant of the last row of row group i.
func (p *PageReader) Last(i int) int64 { return p.groups[i].Last }

// Rows reports the number of rows of row group i.
func (p *PageReader) Rows(i int) int { return p.groups[i].Rows }

// Aggregate adds the summaries of a column of row groups [lo, hi) to acc, whose cells lie
// before them. A column a row group does not have is empty there.
func (p *PageReader) Aggregate(col, lo, hi int, acc *summary.Summary) error {
	for i := lo; i < hi; i++ {
		if col < len(p.groups[i].Summaries) {
			acc.Merge(&p.groups[i].Summaries[col])
		}
	}
	return nil
}
