package entry

import (
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A Delete is the entry of a range delete. What it does to latest values is worked out once,
// by the committer, and stands in the entry: a replay reads no row groups.
type Delete struct {
	Series   keys.Series
	From, To int64 // ms, To exclusive
	Received int64 // ms
	Groups   []DeleteGroup
	Changes  []LatestChange
}

// A DeleteGroup says which columns of a group lose the range.
type DeleteGroup struct {
	Group   uint64
	Columns uint32 // a bit a column
}

// A LatestChange is what a latest is after the delete; of TypeNone when it is gone.
type LatestChange struct {
	Ref    catalog.Ref
	Latest catalog.Latest
}

// Append adds the entry to dst.
func (e *Delete) Append(dst []byte) []byte {
	dst = appendHead(dst, KindDelete, 0, e.Series)
	dst = binary.AppendVarint(dst, e.From)
	dst = binary.AppendVarint(dst, e.To)
	dst = binary.AppendVarint(dst, e.Received)
	dst = binary.AppendUvarint(dst, uint64(len(e.Groups)))
	for _, g := range e.Groups {
		dst = binary.AppendUvarint(dst, g.Group)
		dst = binary.LittleEndian.AppendUint32(dst, g.Columns)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Changes)))
	for i := range e.Changes {
		c := &e.Changes[i]
		dst = append(binary.AppendUvarint(dst, c.Ref.Group), c.Ref.Column)
		dst = append(dst, byte(c.Latest.Type))
		dst = binary.AppendVarint(dst, c.Latest.TS)
		dst = binary.LittleEndian.AppendUint64(dst, c.Latest.Bits)
		dst = binary.AppendUvarint(dst, uint64(len(c.Latest.Text)))
		dst = append(dst, c.Latest.Text...)
	}
	return dst
}

// Parse reads the entry b; texts are views into it.
func (e *Delete) Parse(b []byte) error {
	kind, series, err := Head(b)
	if err != nil || kind != KindDelete {
		return ErrEntry
	}
	e.Series = series
	d := decoder{b: b[headLen:]}
	e.From, e.To, e.Received = d.varint(), d.varint(), d.varint()
	groups := d.uvarint()
	if groups > uint64(len(d.b)) {
		return ErrEntry
	}
	e.Groups, e.Changes = e.Groups[:0], e.Changes[:0]
	for range groups {
		e.Groups = append(e.Groups, DeleteGroup{Group: d.uvarint(), Columns: d.u32()})
	}
	changes := d.uvarint()
	if changes > uint64(len(d.b)) {
		return ErrEntry
	}
	for range changes {
		var c LatestChange
		c.Ref = catalog.Ref{Group: d.uvarint(), Column: d.byte()}
		c.Latest.Type = model.Type(d.byte())
		c.Latest.TS = d.varint()
		c.Latest.Bits = d.u64()
		c.Latest.Text = d.bytes(d.uvarint())
		if c.Ref.Column >= catalog.MaxColumns || c.Latest.Type > model.TypeJSON {
			return ErrEntry
		}
		e.Changes = append(e.Changes, c)
	}
	if d.bad || len(d.b) != 0 {
		return ErrEntry
	}
	return nil
}

// A Define is the entry that makes a group.
type Define struct {
	Series keys.Series
	Group  uint64
	Names  []string
}

// Append adds the entry to dst.
func (e *Define) Append(dst []byte) []byte {
	dst = appendHead(dst, KindDefine, 0, e.Series)
	dst = binary.AppendUvarint(dst, e.Group)
	dst = append(dst, byte(len(e.Names)))
	for _, name := range e.Names {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	return dst
}

// Parse reads the entry b.
func (e *Define) Parse(b []byte) error {
	kind, series, err := Head(b)
	if err != nil || kind != KindDefine {
		return ErrEntry
	}
	e.Series = series
	d := decoder{b: b[headLen:]}
	e.Group = d.uvarint()
	n := int(d.byte())
	e.Names = e.Names[:0]
	for range n {
		e.Names = append(e.Names, string(d.bytes(d.uvarint())))
	}
	if d.bad || len(d.b) != 0 || n == 0 || n > catalog.MaxColumns {
		return ErrEntry
	}
	return nil
}
