package catalog

import (
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
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
	// Outlived has a bit for each column whose latest retention may have left behind when
	// it took the points: it need not be the newest point any more.
	Outlived uint32
	// Hidden is what is deleted in sealed row groups and still stands there. The slice is
	// replaced, never written: readers hold it.
	Hidden []Tomb
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

const stateVersion = 2

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
	dst = binary.LittleEndian.AppendUint32(dst, t.Outlived)
	dst = appendTombs(dst, t.Hidden)
	return append(dst, latest...)
}

// Parse reads a row into s, whose text it copies.
func (s *State) Parse(b []byte) error {
	d := codec.NewCursor(b)
	if d.Byte() != stateVersion {
		return ErrRow
	}
	s.Tail.Any = d.Byte() == 1
	s.Tail.Last = d.Varint()
	s.Tail.Sealed = d.Varint()
	s.Tail.Small = int(d.Uvarint())
	s.Tail.SmallRows = int(d.Uvarint())
	s.Tail.Partition = d.Varint()
	s.Tail.Unpaged = int(d.Uvarint())
	s.Tail.Outlived = d.Uint32()
	if err := s.Tail.parseTombs(&d); err != nil {
		return err
	}
	s.LastTS = d.Varint()
	s.Touched = d.Uint32()
	n := int(d.Byte())
	if d.Err() != nil || n > MaxColumns {
		return ErrRow
	}
	s.Latest = make([]Latest, n)
	for i := range s.Latest {
		l := &s.Latest[i]
		l.Type = model.Type(d.Byte())
		if l.Type == model.TypeNone {
			continue
		}
		l.TS = d.Varint()
		switch {
		case l.Type.IsText():
			l.Text = append([]byte(nil), d.Bytes(d.Int(d.Len()))...)
		case l.Type != model.TypeNull:
			l.Bits = d.Uint64()
		}
	}
	if d.Err() != nil || d.Len() != 0 {
		return ErrRow
	}
	return nil
}
