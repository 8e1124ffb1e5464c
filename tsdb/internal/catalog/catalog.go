// Package catalog holds the names of groups in memory and the forms in which the catalog
// rows stand on disk.
//
// A group is at most 32 keys of an entity and scope that first arrived in one set; it never
// changes afterwards. A fleet of devices of one kind has groups of one [Shape], held once.
package catalog

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"sync"
	"weak"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// MaxColumns is the most keys of a group.
const MaxColumns = 32

// ErrRow marks a catalog row that cannot be read.
var ErrRow = errors.New("catalog: malformed row")

// A Shape is the names of a group's columns, in order. It is immutable and shared.
type Shape struct {
	Names []string
	index map[string]uint8 // nil when a walk over Names is as fast
	bytes int
}

// Find returns the column of key.
func (s *Shape) Find(key string) (column int, ok bool) {
	if s.index != nil {
		c, ok := s.index[key]
		return int(c), ok
	}
	for i, name := range s.Names {
		if name == key {
			return i, true
		}
	}
	return 0, false
}

// Shapes holds every Shape in use once. It is safe for concurrent use. It must not be a part of
// what holds shapes: each of them keeps it in memory until it is dropped, and would keep itself.
type Shapes struct {
	mu    sync.Mutex
	known map[string]weak.Pointer[Shape]
}

// Get returns the shape of names, which it does not keep.
func (s *Shapes) Get(names []string) *Shape {
	key := strings.Join(names, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]weak.Pointer[Shape]{}
	}
	if shape := s.known[key].Value(); shape != nil {
		return shape
	}
	key = strings.Clone(key) // Join of one name is that name, in the memory of a request
	shape := &Shape{bytes: len(key)}
	for _, name := range names {
		shape.Names = append(shape.Names, strings.Clone(name))
	}
	if len(names) > 4 {
		shape.index = make(map[string]uint8, len(names))
		for i, name := range shape.Names {
			shape.index[name] = uint8(i)
		}
	}
	s.known[key] = weak.Make(shape)
	runtime.AddCleanup(shape, s.drop, key)
	return shape
}

// drop forgets a shape nobody uses any more, unless it was made anew since.
func (s *Shapes) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[key].Value() == nil {
		delete(s.known, key)
	}
}

// Names are the content of a names row: whose group it is and what its columns are called.
type Names struct {
	Series  keys.Series
	Columns []string
}

const namesVersion = 1

// Append adds the row: version | tenant | entity | scope | columns <1> | per column: length, name.
func (n *Names) Append(dst []byte) []byte {
	dst = append(dst, namesVersion)
	dst = append(append(dst, n.Series.Tenant[:]...), n.Series.Entity[:]...)
	dst = append(dst, byte(n.Series.Scope), byte(len(n.Columns)))
	for _, name := range n.Columns {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	return dst
}

// ParseNames reads what Append wrote.
func ParseNames(b []byte) (Names, error) {
	var n Names
	if len(b) < 35 || b[0] != namesVersion {
		return n, ErrRow
	}
	copy(n.Series.Tenant[:], b[1:])
	copy(n.Series.Entity[:], b[17:])
	n.Series.Scope = model.Scope(b[33])
	count := int(b[34])
	if count == 0 || count > MaxColumns {
		return n, ErrRow
	}
	b = b[35:]
	for range count {
		size, w := binary.Uvarint(b)
		if w <= 0 || size > uint64(len(b)-w) {
			return n, ErrRow
		}
		n.Columns = append(n.Columns, string(b[w:w+int(size)]))
		b = b[w+int(size):]
	}
	if len(b) != 0 {
		return n, ErrRow
	}
	return n, nil
}

// A Ref says where a key lives.
type Ref struct {
	Group  uint64
	Column uint8
}

// Append adds the value of a catalog row: group uvarint | column <1>.
func (r Ref) Append(dst []byte) []byte {
	return append(binary.AppendUvarint(dst, r.Group), r.Column)
}

// ParseRef reads what Append wrote.
func ParseRef(b []byte) (Ref, error) {
	group, w := binary.Uvarint(b)
	if w <= 0 || len(b) != w+1 || b[w] >= MaxColumns {
		return Ref{}, ErrRow
	}
	return Ref{Group: group, Column: b[w]}, nil
}
