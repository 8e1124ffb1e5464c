package head

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A Record is the memory of one entity in one scope. The exported fields are guarded by the
// lock it embeds.
type Record struct {
	sync.RWMutex
	Series keys.Series

	Groups []*Group
	// Last is the position up to which every entry of this entity and scope is in what a
	// reader sees.
	Last model.Position
	// Size is what the engine has accounted for the record.
	Size int64

	// Ready is closed when the record was loaded; Err says why it was not.
	Ready chan struct{}
	Err   error

	// version changes when groups go away: refs made before are void.
	version atomic.Uint32
	// pins keeps the record in memory while somebody who holds no lock relies on it.
	pins atomic.Int32
	used atomic.Bool

	columns int                    // of all groups
	indexed int                    // bytes of index
	index   map[string]catalog.Ref // nil while a walk over few groups does
	sorted  []catalog.Ref          // every key, sorted by name; nil when out of date

	gen     uint64 // of what is active
	inDirty bool   // the engine's list of this generation has the record
	frozen  *Frozen
	gone    []*Group // removed in this generation, catalog and row groups still stored
	lastTS  int64    // greatest instant given in an arrival-ordered scope
	flight  uint64   // number of the commit group that touches the record last
	flyTS   int64    // lastTS as it will be
}

// NewRecord returns a record that is being loaded.
func NewRecord(s keys.Series) *Record {
	return &Record{Series: s, Ready: make(chan struct{}), lastTS: noTime, flyTS: noTime}
}

// Loaded is called once the groups are filled in.
func (r *Record) Loaded() {
	for _, g := range r.Groups {
		r.lastTS = max(r.lastTS, g.State.LastTS)
	}
	r.flyTS = r.lastTS
	r.reindex()
}

func (r *Record) reindex() {
	r.index, r.sorted, r.columns, r.indexed = nil, nil, 0, 0
	for _, g := range r.Groups {
		r.columns += g.width()
	}
	if len(r.Groups) <= 3 {
		return
	}
	r.index = map[string]catalog.Ref{}
	for _, g := range r.Groups {
		r.addIndex(g)
	}
}

func (r *Record) addIndex(g *Group) {
	for c, name := range g.Shape.Names {
		r.index[name] = catalog.Ref{Group: g.ID, Column: uint8(c)}
		r.indexed += 48 + len(name)
	}
}

// Columns returns how many series there are. The lock must be held, or the caller be the one
// who alone defines them.
func (r *Record) Columns() int { return r.columns }

// Pin keeps the record in memory until Unpin.
func (r *Record) Pin() { r.pins.Add(1); r.used.Store(true) }

// Unpin undoes Pin.
func (r *Record) Unpin() { r.pins.Add(-1) }

// Version changes when refs found before are void.
func (r *Record) Version() uint32 { return r.version.Load() }

// Find returns where key lives. The lock must be held.
func (r *Record) Find(key string) (catalog.Ref, bool) {
	if r.index != nil {
		ref, ok := r.index[key]
		return ref, ok
	}
	for _, g := range r.Groups {
		if c, ok := g.Shape.Find(key); ok {
			return catalog.Ref{Group: g.ID, Column: uint8(c)}, true
		}
	}
	return catalog.Ref{}, false
}

// Resolve fills refs with where the keys live and reports whether all of them do. A device
// that sends its keys as it always did is recognized by position.
func (r *Record) Resolve(names []string, refs []catalog.Ref) ([]catalog.Ref, bool) {
	all := true
	for i, name := range names {
		if len(r.Groups) > 0 {
			g := r.Groups[0]
			if i < len(g.Shape.Names) && g.Shape.Names[i] == name {
				refs = append(refs, catalog.Ref{Group: g.ID, Column: uint8(i)})
				continue
			}
		}
		ref, ok := r.Find(name)
		all = all && ok
		refs = append(refs, ref)
	}
	return refs, all
}

// Group returns the group with a number, or nil. The lock must be held.
func (r *Record) Group(id uint64) *Group {
	if len(r.Groups) <= 8 {
		for _, g := range r.Groups {
			if g.ID == id {
				return g
			}
		}
		return nil
	}
	i, ok := slices.BinarySearchFunc(r.Groups, id, func(g *Group, id uint64) int { return cmp.Compare(g.ID, id) })
	if !ok {
		return nil
	}
	return r.Groups[i]
}

// Sorted returns where every key lives, by name. The write lock must be held, or the result
// of an earlier call be current: see NeedsSort.
func (r *Record) Sorted() []catalog.Ref {
	if r.sorted != nil {
		return r.sorted
	}
	type named struct {
		name string
		ref  catalog.Ref
	}
	var all []named
	for _, g := range r.Groups {
		for c, name := range g.Shape.Names {
			all = append(all, named{name, catalog.Ref{Group: g.ID, Column: uint8(c)}})
		}
	}
	slices.SortFunc(all, func(a, b named) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	r.sorted = make([]catalog.Ref, len(all))
	for i := range all {
		r.sorted[i] = all[i].ref
	}
	return r.sorted
}

// NeedsSort reports whether Sorted would change the record.
func (r *Record) NeedsSort() bool { return r.sorted == nil }

// Bytes estimates the memory of the record without rows.
func (r *Record) Bytes() int64 {
	n := 400
	for _, g := range r.Groups {
		n += 260 + 48*len(g.State.Latest)
		for i := range g.State.Latest {
			n += cap(g.State.Latest[i].Text)
		}
	}
	return int64(n + r.indexed)
}

// Idle reports whether the record can be dropped from memory: all of it is in the store,
// and nobody relies on it or did since the last call.
func (r *Record) Idle() bool {
	return !r.inDirty && r.frozen == nil && r.pins.Load() == 0 && !r.used.Swap(false)
}

// touch makes the record part of generation gen and reports whether the engine has to put
// it on the list of that generation.
func (r *Record) touch(gen uint64) (first bool) {
	r.Roll(gen)
	first = !r.inDirty
	r.inDirty = true
	return first
}

// Apply adds the rows of a set. It reports by how much memory grew, and whether the record
// is new in the generation. Sections of groups that are gone are left out.
func (r *Record) Apply(s *entry.Set, p model.Position, gen uint64, scratch []int64) (grown int64, first bool, times []int64) {
	first = r.touch(gen)
	expiry, keeps := s.Expires(), s.Flags&entry.Originals != 0
	for i := range s.Sections {
		section := &s.Sections[i]
		g := r.Group(section.Group)
		if canary.Planted(canary.HalfSet) && i > 0 {
			continue
		}
		if g == nil || int(slices.Max(section.Numbers)) >= g.width() {
			continue
		}
		scratch = section.AppendTimes(scratch[:0], s.Base)
		var before [2]int32
		if keeps {
			before = g.active.lengths()
		}
		grown += g.apply(section, scratch, expiry, p)
		if keeps {
			grown += g.active.keep(s, p, before)
		}
		r.lastTS = max(r.lastTS, g.State.LastTS)
	}
	for i := range s.Asides {
		if g := r.Group(s.Asides[i].Ref.Group); g != nil && int(s.Asides[i].Ref.Column) < g.width() {
			grown += g.setAside(s, &s.Asides[i], p)
		}
	}
	r.Last = p
	return grown, first, scratch
}

// Delete hides a range.
func (r *Record) Delete(d *entry.Delete, p model.Position, gen uint64) (grown int64, first bool) {
	first = r.touch(gen)
	for _, dg := range d.Groups {
		if g := r.Group(dg.Group); g != nil {
			mask := dg.Columns & (1<<g.width() - 1)
			grown += g.delete(mask, d.From, d.To, d.Changes, p)
		}
	}
	r.Last = p
	return grown, first
}

// Erase removes every group.
func (r *Record) Erase(p model.Position, gen uint64) (first bool) {
	r.Last = p
	if len(r.Groups) == 0 {
		return false
	}
	first = r.touch(gen)
	r.gone = append(r.gone, r.Groups...)
	r.Groups = nil
	r.lastTS, r.flyTS = noTime, noTime // as in a record that was never there
	r.version.Add(1)
	r.reindex()
	return first
}

// Define adds a group.
func (r *Record) Define(id uint64, shape *catalog.Shape, gen uint64) (first bool) {
	first = r.touch(gen)
	if r.Group(id) == nil {
		g := NewGroup(id, shape)
		g.dirty = true
		r.Groups = append(r.Groups, g) // who copied the slice does not see it grow
		if r.index == nil {
			r.reindex()
		} else { // a device with thousands of groups must not pay for all of them each time
			r.sorted = nil
			r.columns += g.width()
			r.addIndex(g)
		}
	}
	return first
}

// Fits reports whether the outcome of the set can be fixed while the commit group with
// number flight is being built, and fixes it: base for arrival-ordered sets; inOrder when
// every cell becomes latest. When neither holds, the caller needs the state as it will be:
// ok false asks it to apply the group first, and else to work the outcome out cell by cell.
// Only the committer calls it; it needs no lock.
func (r *Record) Fits(s *entry.Set, flight uint64) (base int64, inOrder, ok bool) {
	fresh := r.flight != flight
	if fresh {
		r.flight, r.flyTS = flight, r.lastTS
		for _, g := range r.Groups {
			g.flight, g.fly = g.newest, g.any
		}
	}
	rows := int64(0)
	if s.Flags&entry.Arrival != 0 {
		base = max(s.Received, r.flyTS+1)
		for i := range s.Sections {
			rows = max(rows, s.Sections[i].Last()+1)
		}
		r.flyTS = base + rows - 1
		return base, true, true
	}
	inOrder = true
	for i := range s.Sections {
		section := &s.Sections[i]
		g := r.Group(section.Group)
		if g == nil {
			continue
		}
		if g.fly && section.First() < g.flight {
			inOrder = false
		}
	}
	if !inOrder && !fresh {
		r.flight = 0
		return 0, false, false
	}
	for i := range s.Sections {
		section := &s.Sections[i]
		if g := r.Group(section.Group); g != nil {
			last := section.Last()
			if !g.fly || last > g.flight {
				g.flight, g.fly = last, true
			}
		}
	}
	return 0, inOrder, true
}
