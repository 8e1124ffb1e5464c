// Package keys builds and reads the keys of the store. The first byte tells the keyspace;
// numbers are big-endian, signed ones with the sign flipped, so order is meaning.
//
//	m  name                                        meta
//	l  position <8>                                log: position of the first entry of a commit group
//	c  tenant <16> entity <16> scope <1> key       catalog
//	g  group <8>                                   names of a group
//	b  partition <8> group <8> first ts <8>        row groups
//	p  partition <8> group <8> first ts <8>        pages
//	r  group <8> column <1> ts <8> position <8> n <2>   revisions
//	t  group <8>                                   state of a group: latest, tail
package keys

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tidewire/tidewire/model"
)

// The keyspaces. The bytes are part of the disk format.
const (
	Meta      byte = 'm'
	Log       byte = 'l'
	Catalog   byte = 'c'
	Names     byte = 'g'
	RowGroups byte = 'b'
	Pages     byte = 'p'
	Revisions byte = 'r'
	States    byte = 't'
)

// ErrKey marks a key that is not of its keyspace.
var ErrKey = errors.New("keys: malformed key")

const flip = 1 << 63

// AppendMeta adds the key of a meta row.
func AppendMeta(dst []byte, name string) []byte { return append(append(dst, Meta), name...) }

// owed begins the names of the meta rows of groups that have something to reclaim.
const owed = "owed/"

// AppendOwed adds the key of the meta row that says what group has to reclaim.
func AppendOwed(dst []byte, group uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendMeta(dst, owed), group)
}

// ParseOwed reads what AppendOwed wrote.
func ParseOwed(k []byte) (uint64, error) {
	if len(k) != 1+len(owed)+8 || k[0] != Meta || string(k[1:1+len(owed)]) != owed {
		return 0, ErrKey
	}
	return binary.BigEndian.Uint64(k[1+len(owed):]), nil
}

// AppendLog adds the key of the commit group whose first entry has position p.
func AppendLog(dst []byte, p model.Position) []byte {
	return binary.BigEndian.AppendUint64(append(dst, Log), uint64(p))
}

// ParseLog reads what AppendLog wrote.
func ParseLog(k []byte) (model.Position, error) {
	if len(k) != 9 || k[0] != Log {
		return 0, ErrKey
	}
	return model.Position(binary.BigEndian.Uint64(k[1:])), nil
}

// A Series names the keys of an entity in one scope.
type Series struct {
	Tenant model.TenantID
	Entity model.EntityID
	Scope  model.Scope
}

// SeriesLen is the length of the catalog prefix of a Series.
const SeriesLen = 1 + 16 + 16 + 1

// AppendSeries adds the prefix of the catalog rows of s.
func AppendSeries(dst []byte, s Series) []byte {
	dst = append(append(append(dst, Catalog), s.Tenant[:]...), s.Entity[:]...)
	return append(dst, byte(s.Scope))
}

// AppendCatalog adds the key of the catalog row of key.
func AppendCatalog(dst []byte, s Series, key string) []byte {
	return append(AppendSeries(dst, s), key...)
}

// ParseCatalog reads what AppendCatalog wrote; key is a view into k.
func ParseCatalog(k []byte) (s Series, key []byte, err error) {
	if len(k) <= SeriesLen || k[0] != Catalog {
		return s, nil, ErrKey
	}
	copy(s.Tenant[:], k[1:])
	copy(s.Entity[:], k[17:])
	s.Scope = model.Scope(k[33])
	return s, k[SeriesLen:], nil
}

// AppendNames adds the key of the names of group.
func AppendNames(dst []byte, group uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, Names), group)
}

// AppendState adds the key of the state of group.
func AppendState(dst []byte, group uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, States), group)
}

// ParseGroup reads what AppendNames or AppendState wrote.
func ParseGroup(k []byte) (uint64, error) {
	if len(k) != 9 || (k[0] != Names && k[0] != States) {
		return 0, ErrKey
	}
	return binary.BigEndian.Uint64(k[1:]), nil
}

// BlockLen is the length of the keys of row groups and pages.
const BlockLen = 25

// A Block is the place of a row group or page.
type Block struct {
	Partition int64
	Group     uint64
	First     int64 // ms
}

// Append adds the key of b in space, RowGroups or Pages.
func (b Block) Append(dst []byte, space byte) []byte {
	dst = append(dst, space)
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.Partition)^flip)
	dst = binary.BigEndian.AppendUint64(dst, b.Group)
	return binary.BigEndian.AppendUint64(dst, uint64(b.First)^flip)
}

// AppendEnd adds the least key behind every one of the partition and group of b.
func (b Block) AppendEnd(dst []byte, space byte) []byte {
	return append(Block{b.Partition, b.Group, math.MaxInt64}.Append(dst, space), 0)
}

// ParseBlock reads what Append wrote.
func ParseBlock(k []byte) (Block, error) {
	if len(k) != BlockLen || (k[0] != RowGroups && k[0] != Pages) {
		return Block{}, ErrKey
	}
	return Block{
		Partition: int64(binary.BigEndian.Uint64(k[1:]) ^ flip),
		Group:     binary.BigEndian.Uint64(k[9:]),
		First:     int64(binary.BigEndian.Uint64(k[17:]) ^ flip),
	}, nil
}

// RevisionLen is the length of the key of a revision, RevisionPrefixLen that of what those of
// one instant share.
const (
	RevisionLen       = RevisionPrefixLen + 8 + 2
	RevisionPrefixLen = 1 + 8 + 1 + 8
)

// A Revision is the place of a revision: the N-th of its instant that the set at Position made.
type Revision struct {
	Group    uint64
	Column   uint8
	TS       int64 // ms
	Position model.Position
	N        uint16
}

// AppendRevisions adds what the keys of the revisions of one instant begin with.
func AppendRevisions(dst []byte, group uint64, column uint8, ts int64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, Revisions), group)
	return binary.BigEndian.AppendUint64(append(dst, column), uint64(ts)^flip)
}

// AppendRevisionsEnd adds the least key behind every revision of the column.
func AppendRevisionsEnd(dst []byte, group uint64, column uint8) []byte {
	return append(binary.BigEndian.AppendUint64(append(dst, Revisions), group), column+1)
}

// Append adds the key of r.
func (r Revision) Append(dst []byte) []byte {
	dst = AppendRevisions(dst, r.Group, r.Column, r.TS)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Position))
	return binary.BigEndian.AppendUint16(dst, r.N)
}

// ParseRevision reads what Append wrote.
func ParseRevision(k []byte) (Revision, error) {
	if len(k) != RevisionLen || k[0] != Revisions {
		return Revision{}, ErrKey
	}
	return Revision{
		Group:    binary.BigEndian.Uint64(k[1:]),
		Column:   k[9],
		TS:       int64(binary.BigEndian.Uint64(k[10:]) ^ flip),
		Position: model.Position(binary.BigEndian.Uint64(k[18:])),
		N:        binary.BigEndian.Uint16(k[26:]),
	}, nil
}
