package head

import (
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// Frozen is what a flush has to write of a record: its state when the head was frozen.
type Frozen struct {
	Series keys.Series
	Groups []FrozenGroup
	// Gone are groups to remove, with everything of them.
	Gone []*Group
}

// A FrozenGroup is a group that changed.
type FrozenGroup struct {
	Group  *Group
	Define bool   // the catalog rows are to be written
	Latest []byte // as catalog.State.AppendLatest wrote it
	half   *Half
}

// Table returns the rows to write, or nil.
func (f *FrozenGroup) Table() *column.Table {
	if f.half == nil {
		return nil
	}
	return f.half.Table()
}

// Tombstones returns what is to be deleted from row groups first.
func (f *FrozenGroup) Tombstones() []scan.Tombstone {
	if f.half == nil {
		return nil
	}
	return f.half.tombs
}

// Roll makes what is active frozen when gen is a new generation. The write lock must be
// held, and what was frozen before have been dropped.
func (r *Record) Roll(gen uint64) {
	if r.gen == gen {
		return
	}
	r.gen = gen
	if !r.inDirty {
		return
	}
	r.inDirty = false
	f := &Frozen{Series: r.Series, Gone: r.gone}
	r.gone = nil
	for _, g := range r.Groups {
		if !g.dirty {
			continue
		}
		g.dirty = false
		g.frozen, g.active = g.active, nil
		f.Groups = append(f.Groups, FrozenGroup{
			Group: g, Define: !g.Stored, Latest: g.State.AppendLatest(nil), half: g.frozen,
		})
		g.Stored = true
	}
	r.frozen = f
}

// Frozen returns what a flush has to write, or nil.
func (r *Record) Frozen() *Frozen { return r.frozen }

// Thaw drops what a flush has written.
func (r *Record) Thaw() {
	for _, fg := range r.frozen.Groups {
		fg.Group.frozen = nil
	}
	r.frozen = nil
}
