package rowgroup

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/model"
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
	Summaries   []summary.Summary // one a column; columns it does not have may be left off
}

// AppendPage adds the page of groups to dst: ascending row groups of one partition and
// group, at most PageRowGroups. The key is that of the first one.
//
//	version <1> | row groups <1> | columns <1> | first, span, rows: ints a row group | length of each column <uvarint> | columns | crc32c <4>
func AppendPage(dst []byte, k Key, groups []PageEntry) ([]byte, error) {
	n := len(groups)
	if n == 0 || n > PageRowGroups || groups[0].First != k.First {
		return dst, fmt.Errorf("%w: page of %d row groups", errTable, n)
	}
	var first, span, rows [PageRowGroups]int64
	columns := 0
	for i := range groups {
		g := &groups[i]
		if i > 0 && g.First <= groups[i-1].Last || g.Last < g.First || g.Rows <= 0 || g.Rows > MaxRows || len(g.Summaries) > MaxColumns {
			return dst, fmt.Errorf("%w: page's row group %d from %d to %d", errTable, i, g.First, g.Last)
		}
		first[i], span[i], rows[i] = g.First-k.First, g.Last-g.First, int64(g.Rows)
		columns = max(columns, len(g.Summaries))
	}
	start := len(dst)
	dst = append(dst, version, byte(n), byte(columns))
	dst = codec.AppendInts(dst, first[:n])
	dst = codec.AppendInts(dst, span[:n])
	dst = codec.AppendInts(dst, rows[:n])
	var dir, body []byte
	for c := range columns {
		before := len(body)
		body = appendPageColumn(body, c, groups)
		dir = binary.AppendUvarint(dir, uint64(len(body)-before))
	}
	dst = append(append(dst, dir...), body...)
	return binary.LittleEndian.AppendUint32(dst, checksum(pageSpace, k, dst[start:])), nil
}

// The forms of a page's column.
const (
	pageEach    = iota // summaries one behind the other
	pageNumbers        // of numbers of one scale, kind by kind
)

func appendPageColumn(dst []byte, c int, groups []PageEntry) []byte {
	var p pageNumberColumn
	if digits, ok := p.gather(c, groups); ok {
		dst = append(dst, pageNumbers, digits)
		for _, run := range p.runs() {
			dst = codec.AppendInts(dst, run[:len(groups)])
		}
		return dst
	}
	dst = append(dst, pageEach)
	for i := range groups {
		g := &groups[i]
		s := new(summary.Summary)
		if c < len(g.Summaries) {
			s = &g.Summaries[c]
		}
		dst = s.Append(dst, g.First, g.Last)
	}
	return dst
}

// A PageReader reads one page at a time. It keeps its memory from one Reset to the next.
type PageReader struct {
	n       int
	first   [PageRowGroups]int64
	last    [PageRowGroups]int64
	rows    [PageRowGroups]int64
	columns []pageColumn
	width   int // columns of this page
}

// A pageColumn is a column of a page, read when it is first asked for.
type pageColumn struct {
	body    []byte
	ready   bool
	ends    bool // what first and last values need was read, too
	err     error
	numbers bool
	regular pageNumberColumn  // if numbers
	each    []summary.Summary // if not
}

// Reset makes p read the page b, stored under k, once it verifies. After an error it is
// empty.
func (p *PageReader) Reset(k Key, b []byte) error {
	p.n, p.width = 0, 0
	if len(b) < 3+sumLen {
		return corruptf("page of %d bytes", len(b))
	}
	body, sum := b[:len(b)-sumLen], binary.LittleEndian.Uint32(b[len(b)-sumLen:])
	if checksum(pageSpace, k, body) != sum {
		return corruptf("checksum of page")
	}
	c := codec.NewCursor(body[3:])
	n, columns := int(body[1]), int(body[2])
	if body[0] != version || n == 0 || n > PageRowGroups || columns > MaxColumns {
		return corruptf("page version %d of %d row groups, %d columns", body[0], n, columns)
	}
	codec.ReadInts(&c, p.first[:n])
	codec.ReadInts(&c, p.last[:n])
	codec.ReadInts(&c, p.rows[:n])
	for i := range n {
		p.first[i] += k.First
		p.last[i] += p.first[i]
		if p.last[i] < p.first[i] || p.rows[i] <= 0 || p.rows[i] > MaxRows || i > 0 && p.first[i] <= p.last[i-1] {
			return corruptf("page's row group %d from %d to %d", i, p.first[i], p.last[i])
		}
	}
	var lengths [MaxColumns]int
	for i := range columns {
		lengths[i] = c.Int(len(b))
	}
	for len(p.columns) < columns {
		p.columns = append(p.columns, pageColumn{})
	}
	for i := range columns {
		p.columns[i].body, p.columns[i].ready = c.Bytes(lengths[i]), false
	}
	if c.Err() == nil && c.Len() > 0 {
		return corruptf("%d bytes behind the page", c.Len())
	}
	if err := c.Err(); err != nil {
		return corrupt("page", err)
	}
	p.n, p.width = n, columns
	return nil
}

// Len reports the number of row groups.
func (p *PageReader) Len() int { return p.n }

// Columns reports the number of columns of the widest row group.
func (p *PageReader) Columns() int { return p.width }

// First returns the instant of the first row of row group i, ms.
func (p *PageReader) First(i int) int64 { return p.first[:p.n][i] }

// Last returns the instant of the last row of row group i, ms.
func (p *PageReader) Last(i int) int64 { return p.last[:p.n][i] }

// Rows reports the number of rows of row group i.
func (p *PageReader) Rows(i int) int { return int(p.rows[:p.n][i]) }

// Aggregate adds the summaries of a column of row groups [lo, hi) to acc, whose cells lie
// before them, as far as want needs it (see Reader.Aggregate). A column a row group does not
// have is empty there.
func (p *PageReader) Aggregate(col, lo, hi int, want model.Aggregates, acc *summary.Summary) error {
	if col < 0 || lo < 0 || lo > hi || hi > p.n {
		return fmt.Errorf("rowgroup: row groups %d to %d of %d asked of a page", lo, hi, p.n)
	}
	if col >= p.width {
		return nil
	}
	c := &p.columns[col]
	if ends := want.Any(endsFor); !c.ready || ends && !c.ends {
		c.ready, c.ends = true, ends
		c.err = p.open(c)
	}
	if c.err != nil {
		return c.err
	}
	if c.numbers {
		c.regular.aggregate(p, lo, hi, want, acc)
		return nil
	}
	for i := lo; i < hi; i++ {
		acc.Merge(&c.each[i])
	}
	return nil
}

// Cells reports whether row group i has cells of a column, nulls among them.
func (p *PageReader) Cells(col, i int) (bool, error) {
	var s summary.Summary
	err := p.Aggregate(col, i, i+1, model.Count, &s)
	return s.Count()+s.Nulls > 0, err
}

func (p *PageReader) open(c *pageColumn) error {
	r := codec.NewCursor(c.body)
	switch form := r.Byte(); form {
	case pageNumbers:
		c.numbers = true
		if c.regular.digits = r.Byte(); c.regular.digits > codec.DecimalDigits {
			return corruptf("%d digits", c.regular.digits)
		}
		for i, run := range c.regular.runs() {
			if i < pageSums || c.ends {
				codec.ReadInts(&r, run[:p.n])
			} else {
				codec.SkipInts(&r, p.n)
			}
		}
	case pageEach:
		c.numbers = false
		c.each = slices.Grow(c.each[:0], p.n)[:p.n]
		for i := range c.each {
			c.each[i].Read(&r, p.first[i], p.last[i])
		}
	default:
		return corruptf("page column of form %d", form)
	}
	if err := r.Err(); err != nil {
		return corrupt("page column", err)
	}
	return nil
}
