package head

import (
	"math/bits"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/canary"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A Group is the memory of one group: its names, its latest values, its recent rows.
type Group struct {
	ID    uint64
	Shape *catalog.Shape
	// State is the latest of each column as of the last entry applied, and the tail of the
	// row groups: the flusher alone changes that, under the lock, because readers look at
	// its tombs.
	State catalog.State
	// Coming is the tail's tombs in a batch about to be committed; nil when there is none.
	Coming *Coming
	// Stored says that the catalog rows are in the store.
	Stored bool

	// Mended has a bit for each column whose newest point was lost, as [catalog.State.Touched]
	// has. It is the flusher's.
	Mended uint32

	active *Half
	frozen *Half
	// dirty: something of the group changed in this generation.
	dirty bool
	// newest is the greatest instant of State.Latest, valid while any is true.
	newest int64
	any    bool
	// flight is newest as it will be when the commit group being built is applied.
	flight int64
	fly    bool
}

// A Coming is the tombs a group has from the batch with number Batch on. It is told before
// the batch is committed: a reader's snapshot shows the one or the other state, and the
// number in it says which.
type Coming struct {
	Batch  uint64
	Hidden []catalog.Tomb
}

// NewGroup returns a group without rows.
func NewGroup(id uint64, shape *catalog.Shape) *Group {
	return &Group{ID: id, Shape: shape, State: catalog.State{Latest: make([]catalog.Latest, len(shape.Names)), LastTS: noTime}}
}

const noTime = -1 << 63

// Restored makes the group usable after its State was read from the store.
func (g *Group) Restored() {
	g.Stored = true
	g.recount()
}

func (g *Group) recount() {
	g.any, g.newest = false, noTime
	for i := range g.State.Latest {
		if l := &g.State.Latest[i]; l.Type != model.TypeNone {
			g.any, g.newest = true, max(g.newest, l.TS)
		}
	}
}

// width is the number of columns.
func (g *Group) width() int { return len(g.Shape.Names) }

// touch makes the group part of the active head at p.
func (g *Group) touch(p model.Position) (grown int64) {
	if g.active == nil {
		g.active = &Half{}
		grown = halfBytes
	}
	g.dirty = true
	g.active.upto = p
	return grown
}

// apply adds the rows of a section whose instants are times, and moves the latest values.
func (g *Group) apply(s *entry.Section, times []int64, expiry int64, p model.Position) (grown int64) {
	grown = g.touch(p)
	grown += g.active.append(s, times, expiry, g.width())
	last := times[len(times)-1]
	g.State.LastTS = max(g.State.LastTS, last)
	for i := range s.Columns {
		c := &s.Columns[i]
		row := len(times) - 1
		for row >= 0 && c.TypeAt(row) == model.TypeNone {
			row--
		}
		if row < 0 {
			continue
		}
		l := &g.State.Latest[s.Numbers[i]]
		if l.Type != model.TypeNone && times[row] < l.TS {
			continue
		}
		l.TS, l.Type = times[row], c.TypeAt(row)
		if l.Type.IsText() {
			n := int(c.BitsAt(row)) // the last text of the column: nothing stands behind it
			l.Bits, l.Text = 0, append(l.Text[:0], c.Text[len(c.Text)-n:]...)
		} else {
			l.Bits, l.Text = c.BitsAt(row), nil
		}
		if !g.any || l.TS > g.newest {
			g.any, g.newest = true, l.TS
		}
	}
	return grown
}

// halfBytes is what a half costs before it has rows, and then a little.
const halfBytes = 512

// delete hides a range and changes latest values as the entry says.
func (g *Group) delete(mask uint32, from, to int64, changes []entry.LatestChange, p model.Position) (grown int64) {
	grown = g.touch(p)
	g.active.delete(mask, from, to)
	grown += 128
	g.State.Touched |= mask
	for i := range changes {
		c := &changes[i]
		if canary.Planted(canary.KeepLatest) {
			continue
		}
		if c.Ref.Group != g.ID || int(c.Ref.Column) >= len(g.State.Latest) {
			continue
		}
		l := &g.State.Latest[c.Ref.Column]
		text := append([]byte(nil), c.Latest.Text...)
		*l = c.Latest
		l.Text = text
	}
	g.recount()
	return grown
}

// Latest returns the latest of a column.
func (g *Group) Latest(column int) *catalog.Latest { return &g.State.Latest[column] }

// A GroupView is what one reader sees of the rows of a group in memory.
type GroupView struct {
	halves [2]halfView
	n      int
	mask   uint32
	hidden []catalog.Tomb // in row groups, as of the last batch known
	coming *Coming
}

type halfView struct {
	upto  model.Position
	views []View
	tombs []scan.Tombstone
	kept  kept
}

// View copies what a reader of the columns in mask needs. The record's lock must be held.
func (g *Group) View(mask uint32) (v GroupView) {
	v.mask, v.hidden, v.coming = mask, g.State.Tail.Hidden, g.Coming
	for _, h := range [...]*Half{g.frozen, g.active} {
		if h == nil {
			continue
		}
		hv := halfView{upto: h.upto, tombs: pick(nil, h.tombs, mask)}
		hv.views = h.views(nil, mask)
		if h.kept != nil {
			hv.kept = *h.kept
		}
		v.halves[v.n] = hv
		v.n++
	}
	return v
}

// Resolve returns the heads that a snapshot of the store with flush position flushed does
// not cover, older knowledge first, and what is hidden in the row groups it has after the
// batch with number batch. So nothing is there twice. It needs no lock.
func (v *GroupView) Resolve(flushed model.Position, batch uint64) (heads []scan.Head, deleted []scan.Tombstone) {
	hidden := v.hidden
	if v.coming != nil && v.coming.Batch <= batch {
		hidden = v.coming.Hidden
	}
	for _, t := range hidden {
		for columns := t.Columns & v.mask; columns != 0; columns &= columns - 1 {
			deleted = append(deleted, scan.Tombstone{Column: bits.TrailingZeros32(columns), From: t.From, To: t.To})
		}
	}
	for i := range v.n {
		h := &v.halves[i]
		if h.upto <= flushed || canary.Planted(canary.HeadMissed) && i == 0 && v.n == 2 {
			continue
		}
		for k := range h.views {
			h.views[k].Sort()
			head := h.views[k].Head
			if i == 0 && v.n == 2 { // what was deleted after the freeze
				for _, t := range v.halves[1].tombs {
					head.Deleted = append(head.Deleted, scan.HeadTombstone{Tombstone: t, Rows: len(head.Times)})
				}
			}
			heads = append(heads, head)
		}
		deleted = append(deleted, h.tombs...)
	}
	return heads, deleted
}

func pick(dst, tombs []scan.Tombstone, mask uint32) []scan.Tombstone {
	for _, t := range tombs {
		if mask&(1<<t.Column) != 0 {
			dst = append(dst, t)
		}
	}
	return dst
}
