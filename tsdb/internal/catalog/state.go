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
	// Kept says that revisions were kept, and KeptTo at which newest instant: behind it there
	// are none.
	Kept   bool
	KeptTo int64
	// Expires is the least instant at which something of the group may have outlived its time
	// to live; 0: nothing has one. It may be early, never late.
	Expires int64
	// Outlived has a bit for each column whose latest retention may have left behind when
	// it took the points: it need not be the newest point any more.
	Outlived uint32
	// Hidden is what is deleted in sealed row groups and still stands there. The slice is
	// replaced, never written: readers hold it.
	Hidden []Tomb
}

// Keep takes in a revision at ts, which goes by itself when expires is not 0.
func (t *Tail) Keep(ts, expires int64) {
	if !t.Kept || ts > t.KeptTo {
		t.Kept, t.KeptTo = true, ts
	}
	t.Expire(expires)
}

// Expire takes in an expiry, unless it is 0.
func (t *Tail) Expire(expires int64) { t.Expires = Sooner(t.Expires, expires) }

// Sooner returns the lesser of two expiries, of which 0 is none.
func Sooner(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// What a tail has, the first byte of it.
const (
	tailAny = 1 << iota
	tailKept
	tailExpires
)

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

// Touch marks columns as touched in what AppendLatest wrote.
func Touch(latest []byte, columns uint32) {
	_, n := binary.Varint(latest)
	b := latest[n:]
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)|columns)
}

// Append adds the row: version | tail, which a flush changes | latest, as AppendLatest
// wrote it when the head was frozen.
func (t *Tail) Append(dst, latest []byte) []byte {
	has := byte(0)
	if t.Any {
		has |= tailAny
	}
	if t.Kept {
		has |= tailKept
	}
	if t.Expires != 0 {
		has |= tailExpires
	}
	dst = append(dst, stateVersion, has)
	dst = binary.AppendVarint(dst, t.Last)
	dst = binary.AppendVarint(dst, t.Sealed)
	dst = binary.AppendUvarint(dst, uint64(t.Small))
	dst = binary.AppendUvarint(dst, uint64(t.SmallRows))
	dst = binary.AppendVarint(dst, t.Partition)
	dst = binary.AppendUvarint(dst, uint64(t.Unpaged))
	if t.Kept {
		dst = binary.AppendVarint(dst, t.KeptTo)
	}
	if t.Expires != 0 {
		dst = binary.AppendVarint(dst, t.Expires)
	}
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
	has := d.Byte()
	s.Tail.Any, s.Tail.Kept = has&tailAny != 0, has&tailKept != 0
	s.Tail.Last = d.Varint()
	s.Tail.Sealed = d.Varint()
	s.Tail.Small = int(d.Uvarint())
	s.Tail.SmallRows = int(d.Uvarint())
	s.Tail.Partition = d.Varint()
	s.Tail.Unpaged = int(d.Uvarint())
	if has&^(tailAny|tailKept|tailExpires) != 0 {
		return ErrRow
	}
	s.Tail.KeptTo, s.Tail.Expires = 0, 0
	if s.Tail.Kept {
		s.Tail.KeptTo = d.Varint()
	}
	if has&tailExpires != 0 {
		s.Tail.Expires = d.Varint()
	}
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
