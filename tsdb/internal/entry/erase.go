package entry

import (
	"encoding/binary"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// An Erase is the entry that removes an entity in every scope. The keys that lose their
// latest value stand in it: who follows the log finds them nowhere else any more.
type Erase struct {
	Tenant model.TenantID
	Entity model.EntityID
	Lost   []Lost
}

// Lost are keys of a scope.
type Lost struct {
	Scope model.Scope
	Names []string
}

// Append adds the entry to dst.
func (e *Erase) Append(dst []byte) []byte {
	dst = appendHead(dst, KindErase, 0, keys.Series{Tenant: e.Tenant, Entity: e.Entity})
	for _, l := range e.Lost {
		dst = binary.AppendUvarint(append(dst, byte(l.Scope)), uint64(len(l.Names)))
		for _, name := range l.Names {
			dst = append(binary.AppendUvarint(dst, uint64(len(name))), name...)
		}
	}
	return dst
}

// Parse reads the entry b.
func (e *Erase) Parse(b []byte) error {
	kind, series, err := Head(b)
	if err != nil || kind != KindErase {
		return ErrEntry
	}
	e.Tenant, e.Entity, e.Lost = series.Tenant, series.Entity, nil
	for d := (decoder{b: b[headLen:]}); len(d.b) > 0; {
		l := Lost{Scope: model.Scope(d.byte())}
		n := d.uvarint()
		if n == 0 || n > uint64(len(d.b)) {
			return ErrEntry
		}
		l.Names = make([]string, 0, n)
		for range n {
			l.Names = append(l.Names, string(d.bytes(d.uvarint())))
		}
		if d.bad {
			return ErrEntry
		}
		e.Lost = append(e.Lost, l)
	}
	return nil
}
