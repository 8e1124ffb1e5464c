// Package entry is the form of what the log holds: write sets, deletes, and the definitions
// of groups. Applying an entry is a pure function of the entry and the state before it.
//
//	commit group  version <1> | per entry: length uvarint, entry
//	entry         kind <1> | flags <1> | tenant <16> | entity <16> | scope <1> | …
//
//	set      received varint | ttl uvarint | sections <2> | section… | asides | outcome
//	section  group uvarint | columns <1> | column numbers | rows uvarint | times | column…
//	times    0: rows × <8>    1: first <8>, step <8>    2: first <8>, (rows-1) × delta <4>
//	column   type <1>, or 255 and rows × type <1> | rows × bits <8> | text: length uvarint, bytes
//	asides   with flag HasAsides only: count uvarint | per cell: group uvarint, column <1>, ts varint,
//	         type <1> with 128 for After, quality <1>, <8> or text: length uvarint, bytes
//	outcome  in order: nothing    arrival: first instant <8>    else: a bit a place of a section, "became latest"
//
//	delete   from varint | to varint | received varint | groups uvarint | per group: number
//	         uvarint, columns <4> | changes uvarint | per change: group uvarint, column <1>, latest
//	erase    per scope: scope <1> | keys uvarint | per key that loses its latest: length uvarint, name
//	define   group uvarint | columns <1> | per column: length uvarint, name
//
// Fixed numbers are little-endian. A set's values stand column by column as in the head, so
// that applying copies and does not convert: raw bits cost the log 8 bytes a point and the
// committer a few nanoseconds. What depends on the state before the entry and a follower
// needs later, the outcome, is added by the committer when it fixes the order.
package entry

import (
	"encoding/binary"
	"errors"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// ErrEntry marks an entry that cannot be read.
var ErrEntry = errors.New("entry: malformed")

// A Kind tells entries apart. The numbers are part of the disk format.
type Kind byte

// The kinds.
const (
	KindSet    Kind = 1
	KindDelete Kind = 2
	KindErase  Kind = 3
	KindDefine Kind = 4
)

// GroupVersion begins a commit group.
const GroupVersion = 1

// The flags of a set, and of a delete.
const (
	// InOrder: no row is older than what the group had, so every cell became latest.
	InOrder byte = 1 << iota
	// Arrival: the rows' times count from the instant in the outcome.
	Arrival
	// Originals: the values of the set, and those it replaces, are to be kept.
	Originals
	// HasAsides: there are cells that do not become points, behind the sections.
	HasAsides
)

// headLen is the length of what every entry begins with; flagsAt is where its flags stand.
const (
	headLen = 1 + 1 + 16 + 16 + 1
	flagsAt = 1
)

// SetFlags adds flags to an entry already encoded.
func SetFlags(b []byte, flags byte) { b[flagsAt] |= flags }

func appendHead(dst []byte, k Kind, flags byte, s keys.Series) []byte {
	dst = append(dst, byte(k), flags)
	dst = append(append(dst, s.Tenant[:]...), s.Entity[:]...)
	return append(dst, byte(s.Scope))
}

// Head reads what every entry begins with.
func Head(b []byte) (k Kind, s keys.Series, err error) {
	if len(b) < headLen {
		return 0, s, ErrEntry
	}
	copy(s.Tenant[:], b[2:])
	copy(s.Entity[:], b[18:])
	s.Scope = model.Scope(b[34])
	return Kind(b[0]), s, nil
}

// Each calls fn with the entries of a commit group whose first one has position first.
func Each(first model.Position, group []byte, fn func(model.Position, []byte) error) error {
	if len(group) == 0 || group[0] != GroupVersion {
		return ErrEntry
	}
	group = group[1:]
	for p := first; len(group) > 0; p++ {
		n, w := binary.Uvarint(group)
		if w <= 0 || n > uint64(len(group)-w) {
			return ErrEntry
		}
		if err := fn(p, group[w:w+int(n)]); err != nil {
			return err
		}
		group = group[w+int(n):]
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
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u16() uint16 {
	if len(d.b) < 2 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint16(d.b)
	d.b = d.b[2:]
	return v
}

func (d *decoder) u32() uint32 {
	if len(d.b) < 4 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

func (d *decoder) u64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
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
