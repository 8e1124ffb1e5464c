package catalog

import (
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
)

// A Tail is what a flush must know of the row groups of a group in order to add to them
// without reading any.
type Tail struct {
	// Last is the newest instant in row groups; meaningless while Any is false.
	Last int64
	Any  bool
	// Sealed is the first instant that may still be joined: row groups that start before
	// it are sealed, the others are not. Meaningless while Any is false.
	Sealed int64
	// Small and SmallRows count the unsealed row groups and their rows.
	Small, SmallRows int
	// Partition is that of the newest sealed row group, and Unpaged how many sealed ones
	// stand there behind its last page.
	Partition int64
	Unpaged   int
}

// A Latest is the latest point of a column. Type is TypeNone where there is none.
type Latest struct {
	TS   int64 // ms
	Bits uint64
	Type model.Type
	Text []byte // of a text type; reused by its owner
}

// Value returns the value, with text of its own.
func (l *Latest) Value() model.Value {
	switch l.Type {
	case model.TypeString:
		return model.String(string(l.Text))
	case model.TypeJSON:
		return model.JSON(string(l.Text))
	}
	return model.FromBits(l.Type, l.Bits)
}

// A State is the content of a state row.
type State struct {
	Tail Tail
	// LastTS is the greatest instant ever given to a row of the group; arrival-ordered
	// scopes continue behind it even when that row was deleted.
	LastTS int64
	// Touched has a bit for each column whose latest a delete kept, dropped or rewrote: it
	// need not be the newest point any more.
	Touched uint32
	Latest  []Latest
}

const stateVersion = 1

// AppendLatest adds the part of the row that an apply changes:
// last ts varint | touched <4> | columns <1> | per column: type <1> [ts varint | value].
func (s *State) AppendLatest(dst []byte) []byte {
	dst = binary.AppendVarint(dst, s.LastTS)
	dst = binary.LittleEndian.AppendUint32(dst, s.Touched)
	dst = append(dst, byte(len(s.Latest)))
	for i := range s.Latest {
		l := &s.Latest[i]
		dst = append(dst, byte(l.Type))
		if l.Type == model.TypeNone {
			continue
		}
		dst = binary.AppendVarint(dst, l.TS)
		switch {
		case l.Type.IsText():
			dst = binary.AppendUvarint(dst, uint64(len(l.Text)))
			dst = append(dst, l.Text...)
		case l.Type != model.TypeNull:
			dst = binary.LittleEndian.AppendUint64(dst, l.Bits)
		}
	}
	return dst
}

// Append adds the row: version | tail, which a flush changes | latest, as AppendLatest
// wrote it when the head was frozen.
func (t *Tail) Append(dst, latest []byte) []byte {
	any := byte(0)
	if t.Any {
		any = 1
	}
	dst = append(dst, stateVersion, any)
	dst = binary.AppendVarint(dst, t.Last)
	dst = binary.AppendVarint(dst, t.Sealed)
	dst = binary.AppendUvarint(dst, uint64(t.Small))
	dst = binary.AppendUvarint(dst, uint64(t.SmallRows))
	dst = binary.AppendVarint(dst, t.Partition)
	dst = binary.AppendUvarint(dst, uint64(t.Unpaged))
	return append(dst, latest...)
}

// Parse reads a row into s, whose text it copies.
func (s *State) Parse(b []byte) error {
	d := decoder{b: b}
	if d.byte() != stateVersion {
		return ErrRow
	}
	s.Tail.Any = d.byte() == 1
	s.Tail.Last = d.varint()
	s.Tail.Sealed = d.varint()
	s.Tail.Small = int(d.uvarint())
	s.Tail.SmallRows = int(d.uvarint())
	s.Tail.Partition = d.varint()
	s.Tail.Unpaged = int(d.uvarint())
	s.LastTS = d.varint()
	s.Touched = uint32(d.fixed(4))
	n := int(d.byte())
	if d.bad || n > MaxColumns {
		return ErrRow
	}
	s.Latest = make([]Latest, n)
	for i := range s.Latest {
		l := &s.Latest[i]
		l.Type = model.Type(d.byte())
		if l.Type == model.TypeNone {
			continue
		}
		l.TS = d.varint()
		switch {
		case l.Type.IsText():
			l.Text = append([]byte(nil), d.bytes(d.uvarint())...)
		case l.Type != model.TypeNull:
			l.Bits = d.fixed(8)
		}
	}
	if d.bad || len(d.b) != 0 {
		return ErrRow
	}
	return nil
}

// A decoder reads fields one after the other; bad is tested once at the end.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) fixed(n int) uint64 {
	var le [8]byte
	copy(le[:], d.bytes(uint64(n)))
	return binary.LittleEndian.Uint64(le[:])
}

func (d *decoder) uvarint() uint64 {
	v, w := binary.Uvarint(d.b)
	if w <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[w:]
	return v
}

func (d *decoder) varint() int64 {
	v, w := binary.Varint(d.b)
	if w <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[w:]
	return v
}
