package entry

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// AppendBase adds the outcome of an arrival-ordered set: the instant of its first row.
func AppendBase(dst []byte, base int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(base))
}

// AppendNewest adds the outcome of a set that is not in order: of each cell, whether it
// becomes the latest. latest returns the instant of a column's latest before the set, and
// whether there is one; a row is the later the further down it stands, so a cell becomes
// latest when it is not older than that.
func (s *Set) AppendNewest(dst []byte, latest func(section, column int) (int64, bool)) []byte {
	var bits byte
	n := 0
	var times []int64
	for i := range s.Sections {
		section := &s.Sections[i]
		times = section.AppendTimes(times[:0], 0)
		for c := range section.Columns {
			ts, any := latest(i, c)
			for row := range section.Rows {
				if section.Columns[c].TypeAt(row) != model.TypeNone && (!any || times[row] >= ts) {
					bits |= 1 << (n & 7)
				}
				if n++; n&7 == 0 {
					dst, bits = append(dst, bits), 0
				}
			}
		}
	}
	if n&7 != 0 {
		dst = append(dst, bits)
	}
	return dst
}

// Change builds what followers see of the set. names returns the column names of a group;
// ok false leaves its rows out. Nothing in the change refers to the entry.
func (s *Set) Change(p model.Position, names func(group uint64) ([]string, bool)) *model.Change {
	c := &model.Change{Position: p, Tenant: s.Series.Tenant, Entity: s.Series.Entity, Scope: s.Series.Scope}
	parts := make([]part, 0, len(s.Sections))
	cell := 0
	for i := range s.Sections {
		section := &s.Sections[i]
		if all, ok := names(section.Group); ok {
			parts = append(parts, newPart(section, s.Base, len(c.Keys), cell))
			for _, n := range section.Numbers {
				c.Keys = append(c.Keys, all[n])
			}
		}
		cell += section.Rows * len(section.Columns)
	}
	for due := timeline(parts); len(due) > 0; {
		ts, before := due[0].ts, len(c.Cells)
		for len(due) > 0 && due[0].ts == ts {
			p := &parts[due[0].part]
			s.appendRow(c, p)
			p.row++
			due = due[1:]
		}
		c.Rows = append(c.Rows, model.Row{TS: ts, Cells: len(c.Cells) - before})
	}
	return c
}

// A part walks the rows of a section.
type part struct {
	section *Section
	times   []int64
	text    [][]int // per column: where the text of each row starts; nil without text
	row     int
	key     int // index of the first column in Change.Keys
	cell    int // index of the first cell in the bits of the outcome
}

func newPart(s *Section, base int64, key, cell int) part {
	p := part{section: s, times: s.AppendTimes(nil, base), key: key, cell: cell, text: make([][]int, len(s.Columns))}
	for c := range s.Columns {
		column := &s.Columns[c]
		if !column.HasText() {
			continue
		}
		at := 0
		p.text[c] = make([]int, s.Rows)
		for row := range s.Rows {
			p.text[c][row] = at
			if column.TypeAt(row).IsText() {
				at += int(column.BitsAt(row))
			}
		}
	}
	return p
}

// A due says that a part has its next row at an instant.
type due struct {
	ts   int64
	part int
}

// timeline returns the rows of all parts in the order of time, those of one instant in the
// order of the parts.
func timeline(parts []part) []due {
	n := 0
	for i := range parts {
		n += len(parts[i].times)
	}
	all := make([]due, 0, n)
	for i := range parts {
		for _, ts := range parts[i].times {
			all = append(all, due{ts, i})
		}
	}
	if len(parts) > 1 {
		slices.SortFunc(all, func(a, b due) int { return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.part, b.part)) })
	}
	return all
}

func (s *Set) appendRow(c *model.Change, p *part) {
	for i := range p.section.Columns {
		column := &p.section.Columns[i]
		t := column.TypeAt(p.row)
		if t == model.TypeNone {
			continue
		}
		v := model.FromBits(t, column.BitsAt(p.row))
		if t.IsText() {
			at := p.text[i][p.row]
			text := string(column.Text[at : at+int(column.BitsAt(p.row))])
			if t == model.TypeString {
				v = model.String(text)
			} else {
				v = model.JSON(text)
			}
		}
		bit := p.cell + i*p.section.Rows + p.row
		c.Cells = append(c.Cells, model.Cell{Key: p.key + i, Value: v})
		c.Newest = append(c.Newest, s.newest == nil || s.newest[bit>>3]&(1<<(bit&7)) != 0)
	}
}

// SetOutcome gives a set just encoded what the committer has added to its entry: the bits
// of AppendNewest, or nil.
func (s *Set) SetOutcome(base int64, newest []byte) { s.Base, s.newest = base, newest }
