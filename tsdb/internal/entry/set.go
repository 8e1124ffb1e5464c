package entry

import (
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A Set is a view of the entry of a write set. It refers to the bytes it was read from, and
// is reusable.
type Set struct {
	Series   keys.Series
	Flags    byte
	Received int64 // ms
	TTL      int64 // ms
	Sections []Section
	// Asides are the cells that do not become points, in the order of the set.
	Asides []Aside
	// Base is added to the times of an arrival-ordered set; the committer fixes it.
	Base int64
	// newest has a bit a cell, section by section and column by column; nil when the
	// flags say that all became latest.
	newest []byte
}

// A Section is the rows of one group.
type Section struct {
	Group   uint64
	Numbers []byte // of the columns in the group
	Rows    int
	Columns []Column

	mode  byte
	first int64
	step  int64
	rest  []byte
}

// A Column is the cells of one key.
type Column struct {
	Type  model.Type // of every cell; TypeNone when Types tells
	Types []byte
	Bits  []byte // 8 bytes a row; of text: its length
	Text  []byte
}

// Parse reads the entry b. When stamped is false, b has no outcome yet.
func (s *Set) Parse(b []byte, stamped bool) error {
	kind, series, err := Head(b)
	if err != nil || kind != KindSet {
		return ErrEntry
	}
	s.Series, s.Flags = series, b[flagsAt]
	d := decoder{b: b[headLen:]}
	s.Received, s.TTL = d.varint(), int64(d.uvarint())
	sections := d.u16()
	if d.bad {
		return ErrEntry
	}
	s.Sections = s.Sections[:0]
	cells := 0
	for range sections {
		if len(s.Sections) < cap(s.Sections) {
			s.Sections = s.Sections[:len(s.Sections)+1]
		} else {
			s.Sections = append(s.Sections, Section{})
		}
		section := &s.Sections[len(s.Sections)-1]
		if !section.parse(&d) {
			return ErrEntry
		}
		cells += section.Rows * len(section.Columns)
	}
	s.Asides = s.Asides[:0]
	if s.Flags&HasAsides != 0 && !s.parseAsides(&d) {
		return ErrEntry
	}
	s.Base, s.newest = 0, nil
	if stamped {
		switch {
		case s.Flags&Arrival != 0:
			s.Base = int64(d.u64())
		case s.Flags&InOrder == 0:
			s.newest = d.bytes(uint64(cells+7) / 8)
		}
	}
	if d.bad || len(d.b) != 0 {
		return ErrEntry
	}
	return nil
}

func (s *Section) parse(d *decoder) bool {
	s.Group = d.uvarint()
	s.Numbers = d.bytes(uint64(d.byte()))
	rows := d.uvarint()
	if d.bad || len(s.Numbers) == 0 || len(s.Numbers) > catalog.MaxColumns || rows == 0 || rows > uint64(len(d.b))/8 && rows > 1 {
		return false
	}
	s.Rows = int(rows)
	for _, n := range s.Numbers {
		if n >= catalog.MaxColumns {
			return false
		}
	}
	s.mode = d.byte()
	switch s.mode {
	case timesRaw:
		s.rest = d.bytes(8 * rows)
	case timesStep:
		s.first, s.step = int64(d.u64()), int64(d.u64())
	case timesDelta:
		s.first = int64(d.u64())
		s.rest = d.bytes(4 * (rows - 1))
	default:
		return false
	}
	if cap(s.Columns) < len(s.Numbers) {
		s.Columns = make([]Column, len(s.Numbers))
	}
	s.Columns = s.Columns[:len(s.Numbers)]
	for i := range s.Columns {
		if !s.Columns[i].parse(d, rows) {
			return false
		}
	}
	return !d.bad
}

func (c *Column) parse(d *decoder, rows uint64) bool {
	mode := d.byte()
	c.Type, c.Types, c.Text = model.TypeNone, nil, nil
	text := false
	if mode == mixed {
		c.Types = d.bytes(rows)
		for _, t := range c.Types {
			if model.Type(t) > model.TypeJSON {
				return false
			}
			text = text || model.Type(t).IsText()
		}
	} else {
		c.Type = model.Type(mode)
		if c.Type == model.TypeNone || c.Type > model.TypeJSON {
			return false
		}
		text = c.Type.IsText()
	}
	c.Bits = d.bytes(8 * rows)
	if !text {
		return !d.bad
	}
	c.Text = d.bytes(d.uvarint())
	if d.bad {
		return false
	}
	left := uint64(len(c.Text))
	for i := range int(rows) {
		if !c.TypeAt(i).IsText() {
			continue
		}
		n := c.BitsAt(i)
		if n > left {
			return false
		}
		left -= n
	}
	return left == 0
}

// TypeAt returns the type of row i.
func (c *Column) TypeAt(i int) model.Type {
	if c.Types == nil {
		return c.Type
	}
	return model.Type(c.Types[i])
}

// BitsAt returns the bits of row i; of text, its length.
func (c *Column) BitsAt(i int) uint64 { return binary.LittleEndian.Uint64(c.Bits[8*i:]) }

// HasText reports whether any cell is text.
func (c *Column) HasText() bool { return c.Text != nil }

// First returns the instant of the first row, without the set's Base.
func (s *Section) First() int64 {
	if s.mode == timesRaw {
		return int64(binary.LittleEndian.Uint64(s.rest))
	}
	return s.first
}

// AppendTimes adds the instants of the rows to dst, each with base added.
func (s *Section) AppendTimes(dst []int64, base int64) []int64 {
	switch s.mode {
	case timesRaw:
		for i := range s.Rows {
			dst = append(dst, base+int64(binary.LittleEndian.Uint64(s.rest[8*i:])))
		}
	case timesStep:
		for i := range s.Rows {
			dst = append(dst, base+s.first+int64(i)*s.step)
		}
	case timesDelta:
		ts := base + s.first
		dst = append(dst, ts)
		for i := range s.Rows - 1 {
			ts += int64(binary.LittleEndian.Uint32(s.rest[4*i:]))
			dst = append(dst, ts)
		}
	}
	return dst
}

// Last returns the instant of the last row, without the set's Base.
func (s *Section) Last() int64 {
	switch s.mode {
	case timesRaw:
		return int64(binary.LittleEndian.Uint64(s.rest[8*(s.Rows-1):]))
	case timesStep:
		return s.first + int64(s.Rows-1)*s.step
	}
	ts := s.first
	for i := range s.Rows - 1 {
		ts += int64(binary.LittleEndian.Uint32(s.rest[4*i:]))
	}
	return ts
}

// Expires returns until when the points of the set are kept, ms; 0: as the policy says.
func (s *Set) Expires() int64 {
	if s.TTL == 0 {
		return 0
	}
	return s.Received + s.TTL
}
