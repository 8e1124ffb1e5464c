package latest

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
)

// chunkRows is how many rows are copied at once: a tenth of a mebibyte takes some microseconds.
const chunkRows = 4096

// A chunk is some rows of a column. A view may share it: then it is not written any more.
type chunk struct {
	gen   uint64 // of the table when it was made
	ts    [chunkRows]int64
	bits  [chunkRows]uint64
	types [chunkRows]model.Type
	text  []string // of the rows, once there is one
}

// A column is one key of all entities.
type column struct {
	chunks []*chunk
	shared uint64 // chunks up to this generation are shared with a view
	used   time.Time
	// known is the position each row is known to be right at, while the column is built.
	known []model.Position
	built bool
	bytes int64
}

// A Table is the columns of one tenant.
type Table struct {
	total *atomic.Int64 // memory of all tables

	rows struct {
		sync.RWMutex
		of map[model.EntityID]int32
	}
	mu struct {
		sync.Mutex
		entities []model.EntityID
		columns  map[model.ScopeKey]*column
		// plans tells which columns of a group are kept.
		plans    map[plan][]planned
		gen      uint64
		position model.Position
		bytes    int64
		gone     int // entities that were erased
		dropped  bool
	}
}

// A plan is what the groups of one shape have to put.
type plan struct {
	scope model.Scope
	shape *catalog.Shape
}

type planned struct {
	number uint8 // in the group
	column *column
}

// rowBytes is about what a row of the table costs: an id and its place in the map.
const rowBytes = 64

// New returns an empty table whose memory is added to total.
func New(total *atomic.Int64) *Table {
	t := &Table{total: total}
	t.rows.of = map[model.EntityID]int32{}
	t.mu.columns = map[model.ScopeKey]*column{}
	t.mu.plans = map[plan][]planned{}
	t.mu.gen = 1 // nothing is shared yet
	return t
}

// Missing returns those of keys that have no column which can be viewed.
func (t *Table) Missing(keys []model.ScopeKey) (missing []model.ScopeKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if c := t.mu.columns[k]; (c == nil || !c.built) && !slices.Contains(missing, k) {
			missing = append(missing, k)
		}
	}
	return missing
}

// Register begins columns. Everything applied behind position must be put from now on. It
// reports false when the table has been dropped.
func (t *Table) Register(keys []model.ScopeKey, position model.Position) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.dropped {
		return false
	}
	for _, k := range keys {
		t.mu.columns[k] = &column{}
	}
	clear(t.mu.plans)
	t.mu.position = max(t.mu.position, position)
	return true
}

// A Loaded is the latest of one key as it was found at a position; TypeNone for none.
type Loaded struct {
	Entity   model.EntityID
	Key      model.ScopeKey
	Position model.Position
	Latest   catalog.Latest
}

// Load takes in what was there before a column was registered.
func (t *Table) Load(found []Loaded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range found {
		f := &found[i]
		if c := t.mu.columns[f.Key]; c != nil && !c.built {
			t.put(c, t.row(f.Entity), &f.Latest, f.Position)
		}
	}
}

// Finish makes columns ready to be viewed.
func (t *Table) Finish(keys []model.ScopeKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if c := t.mu.columns[k]; c != nil && !c.built {
			c.built, c.known, c.used = true, nil, now
		}
	}
}

// A Group is what an entry may have changed of one group of an entity.
type Group struct {
	Shape  *catalog.Shape
	Latest []catalog.Latest // as they are now
	Mask   uint32           // of the columns that may have changed
}

// Put takes over what an entry of an entity and scope has changed, all at once.
func (t *Table) Put(e model.EntityID, scope model.Scope, p model.Position, groups []Group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.position = p
	row := int32(-1)
	for i := range groups {
		g := &groups[i]
		for _, one := range t.planOf(scope, g.Shape) {
			if g.Mask&(1<<one.number) == 0 {
				continue
			}
			if row < 0 {
				row = t.row(e)
			}
			t.put(one.column, row, &g.Latest[one.number], p)
		}
	}
}

func (t *Table) planOf(scope model.Scope, shape *catalog.Shape) []planned {
	k := plan{scope, shape}
	list, ok := t.mu.plans[k]
	if ok {
		return list
	}
	for i, name := range shape.Names {
		if c := t.mu.columns[model.ScopeKey{Scope: scope, Key: name}]; c != nil {
			list = append(list, planned{uint8(i), c})
		}
	}
	t.mu.plans[k] = list
	return list
}

// Erase takes every value of an entity in one scope away. It reports that the table is of no
// more use when most of its rows are of entities that are gone: it is to be built anew.
func (t *Table) Erase(e model.EntityID, scope model.Scope, p model.Position) (useless bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.position = p
	_, known := t.rows.of[e]
	none := catalog.Latest{}
	building := false
	for k, c := range t.mu.columns {
		if building = building || !c.built; k.Scope == scope && (known || !c.built) {
			t.put(c, t.row(e), &none, p)
		}
	}
	if known && scope == model.Timeseries {
		t.mu.gone++
	}
	if building || t.mu.gone < chunkRows || t.mu.gone < len(t.mu.entities)/2 {
		return false
	}
	return t.dropLocked(slices.Collect(maps.Keys(t.mu.columns)))
}

// row returns the number of an entity, a new one for a new entity.
func (t *Table) row(e model.EntityID) int32 {
	if row, ok := t.rows.of[e]; ok { // it is only written under mu
		return row
	}
	row := int32(len(t.mu.entities))
	t.mu.entities = append(t.mu.entities, e)
	t.rows.Lock()
	t.rows.of[e] = row
	t.rows.Unlock()
	t.grow(rowBytes)
	return row
}

func (t *Table) grow(n int64) {
	t.mu.bytes += n
	t.total.Add(n)
}

// put sets one value, unless a later one is known.
func (t *Table) put(c *column, row int32, l *catalog.Latest, p model.Position) {
	n := int(row)
	if !c.built {
		for len(c.known) <= n {
			c.known = append(c.known, 0)
		}
		if p < c.known[n] {
			return
		}
		c.known[n] = p
	}
	at, i := n/chunkRows, n%chunkRows
	if at >= len(c.chunks) {
		if l.Type == model.TypeNone {
			return
		}
		for at >= len(c.chunks) {
			c.chunks = append(c.chunks, &chunk{gen: t.mu.gen})
			t.resize(c, int64(unsafe.Sizeof(chunk{})))
		}
	}
	k := c.chunks[at]
	if k.types[i] == l.Type && k.ts[i] == l.TS && k.bits[i] == l.Bits && !l.Type.IsText() {
		return
	}
	if k.gen <= c.shared {
		k = k.clone(t.mu.gen)
		c.chunks[at] = k
	}
	k.types[i], k.ts[i], k.bits[i] = l.Type, l.TS, l.Bits
	if k.text == nil {
		if !l.Type.IsText() {
			return
		}
		k.text = make([]string, chunkRows)
		t.resize(c, chunkRows*int64(unsafe.Sizeof("")))
	}
	text := ""
	if l.Type.IsText() {
		k.bits[i] = 0
		if text = k.text[i]; text != string(l.Text) {
			text = string(l.Text)
		}
	}
	t.resize(c, int64(len(text)-len(k.text[i])))
	k.text[i] = text
}

func (k *chunk) clone(gen uint64) *chunk {
	c := *k
	c.gen, c.text = gen, slices.Clone(k.text)
	return &c
}

func (t *Table) resize(c *column, n int64) {
	c.bytes += n
	t.grow(n)
}

// Drop forgets columns, and reports whether none is left: then the table is of no more use.
func (t *Table) Drop(keys []model.ScopeKey) (empty bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropLocked(keys)
}

func (t *Table) dropLocked(keys []model.ScopeKey) bool {
	for _, k := range keys {
		if c := t.mu.columns[k]; c != nil {
			t.grow(-c.bytes)
			delete(t.mu.columns, k)
		}
	}
	clear(t.mu.plans)
	if len(t.mu.columns) > 0 {
		return false
	}
	t.grow(-t.mu.bytes)
	t.mu.dropped = true
	return true
}

// An Idle column was viewed long ago.
type Idle struct {
	Key   model.ScopeKey
	Used  time.Time
	Bytes int64
}

// Columns lists the columns that can be viewed, with what they cost.
func (t *Table) Columns() (list []Idle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, c := range t.mu.columns {
		if c.built {
			list = append(list, Idle{k, c.used, c.bytes})
		}
	}
	return list
}
