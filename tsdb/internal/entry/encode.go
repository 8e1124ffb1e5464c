package entry

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

const (
	timesRaw   = 0
	timesStep  = 1
	timesDelta = 2

	mixed = 255
)

// An Encoder turns write sets into entries. It keeps its scratch memory between calls and
// belongs to one goroutine.
type Encoder struct {
	places   []place // by index into the set's Keys
	sections []uint64
	taken    []uint32 // columns, by section
	out      []int32  // row of the set → row of the whole entry
	order    []int32
	times    []int64          // of the whole entry
	limit    int              // bytes of an entry; longer ones are not made
	index    map[uint64]int32 // of sections, by group, when there are many
	starts   []bounds         // by section
	columns  []byte           // their numbers, section by section
	whole    bool             // one section has a cell in every row; else it needs
	cells    []placed         // section by section: none looks at what belongs to another
	rows     []int32          // of the whole entry in which the section has a cell, ascending
	here     []int32          // row of the whole entry → row of the section, or -1
	types    []model.Type
	bits     []uint64
	picked   []int64
	asides   []Aside
}

// A place is where the cells of a key go.
type place struct {
	section int
	column  int // among the columns of the section
}

// A placed is a cell of the set and its row of the whole entry.
type placed struct{ cell, row int32 }

// bounds tell where a section's columns and cells begin.
type bounds struct{ column, cell int32 }

// Set adds the entry of s to dst. refs tells where each of s.Keys lives; every key has a
// place of its own, or else ErrTwice is returned. Rows come out in ascending order, those of
// one instant merged; what a set that keeps originals loses by that is set aside. An entry of
// more than limit bytes is ErrLong.
func (e *Encoder) Set(dst []byte, s *model.WriteSet, refs []catalog.Ref, limit int) ([]byte, error) {
	e.limit = len(dst) + limit
	var flags byte
	if s.Scope.Arrival() {
		flags |= Arrival
	}
	if s.KeepOriginals {
		flags |= Originals
		var err error
		if s, err = e.setAside(s, refs); err != nil {
			return dst, err
		}
		if len(e.asides) > 0 {
			flags |= HasAsides
		}
	}
	dst = appendHead(dst, KindSet, flags, keys.Series{Tenant: s.Tenant, Entity: s.Entity, Scope: s.Scope})
	dst = binary.AppendVarint(dst, s.Received)
	dst = binary.AppendUvarint(dst, uint64(max(s.TTL, 0)))

	if !e.placeKeys(refs) {
		return dst, ErrTwice
	}
	e.placeRows(s)
	e.gather(s)
	at, n := len(dst), uint16(0)
	dst = append(dst, 0, 0)
	for i := range e.sections {
		before := len(dst)
		if dst = e.section(dst, s, i); len(dst) > before {
			n++
		}
		if len(dst) > e.limit {
			return dst, ErrLong
		}
	}
	binary.LittleEndian.PutUint16(dst[at:], n)
	if flags&HasAsides != 0 {
		dst = e.appendAsides(dst)
	}
	if len(dst) > e.limit {
		return dst, ErrLong
	}
	return dst, nil
}

// ErrTwice says that two keys of a set live in one place.
var ErrTwice = errors.New("entry: a key stands twice")

// ErrLong says that an entry would be longer than its limit.
var ErrLong = errors.New("entry: too long")

// placeRows finds the row of the entry for each row of the set.
func (e *Encoder) placeRows(s *model.WriteSet) {
	e.out, e.times = e.out[:0], e.times[:0]
	ascending := true
	for i, r := range s.Rows {
		ts := r.TS
		if s.Scope.Arrival() {
			ts = int64(i)
		} else if i > 0 && ts <= s.Rows[i-1].TS {
			ascending = false
		}
		e.out = append(e.out, int32(i))
		e.times = append(e.times, ts)
	}
	if ascending {
		return
	}
	e.order = append(e.order[:0], e.out...)
	slices.SortStableFunc(e.order, func(a, b int32) int {
		switch ta, tb := s.Rows[a].TS, s.Rows[b].TS; {
		case ta < tb:
			return -1
		case ta > tb:
			return 1
		}
		return 0
	})
	e.times = e.times[:0]
	for _, row := range e.order {
		ts := s.Rows[row].TS
		if n := len(e.times); n == 0 || e.times[n-1] != ts {
			e.times = append(e.times, ts)
		}
		e.out[row] = int32(len(e.times) - 1)
	}
}

// fewSections are searched faster one by one.
const fewSections = 16

// placeKeys gathers the groups the set meets; it reports whether all places differ.
func (e *Encoder) placeKeys(refs []catalog.Ref) bool {
	e.places, e.sections, e.taken = e.places[:0], e.sections[:0], e.taken[:0]
	clear(e.index)
	for _, ref := range refs {
		section := e.sectionOf(ref.Group)
		bit := uint32(1) << ref.Column
		if e.taken[section]&bit != 0 {
			return false
		}
		e.places = append(e.places, place{section: section, column: bits.OnesCount32(e.taken[section])})
		e.taken[section] |= bit
	}
	e.starts = append(e.starts[:0], bounds{})
	for _, taken := range e.taken {
		last := e.starts[len(e.starts)-1]
		e.starts = append(e.starts, bounds{column: last.column + int32(bits.OnesCount32(taken))})
	}
	e.columns = slices.Grow(e.columns[:0], len(refs))[:len(refs)]
	for i, ref := range refs {
		p := &e.places[i]
		e.columns[int(e.starts[p.section].column)+p.column] = ref.Column
	}
	return true
}

// sectionOf returns the section of a group, which is new when the group is.
func (e *Encoder) sectionOf(group uint64) int {
	n := len(e.sections)
	if n <= fewSections {
		if section := slices.Index(e.sections, group); section >= 0 {
			return section
		}
	} else if section, ok := e.index[group]; ok {
		return int(section)
	}
	e.sections, e.taken = append(e.sections, group), append(e.taken, 0)
	switch {
	case n < fewSections:
	case n == fewSections:
		if e.index == nil {
			e.index = make(map[uint64]int32)
		}
		for section, group := range e.sections {
			e.index[group] = int32(section)
		}
	default:
		e.index[group] = int32(n)
	}
	return n
}

// gather sorts the cells by section, and leaves each section's in the order of the set.
func (e *Encoder) gather(s *model.WriteSet) {
	e.whole = len(e.sections) == 1 && len(s.Rows) > 0 && !slices.ContainsFunc(s.Rows, func(r model.Row) bool { return r.Cells == 0 })
	if e.whole {
		return
	}
	n := len(e.times)
	e.here = slices.Grow(e.here[:0], n)[:n]
	for i := range e.here {
		e.here[i] = -1
	}
	for i := range s.Cells {
		e.starts[e.places[s.Cells[i].Key].section+1].cell++
	}
	for i := 1; i < len(e.starts); i++ {
		e.starts[i].cell += e.starts[i-1].cell
	}
	e.cells = slices.Grow(e.cells[:0], len(s.Cells))[:len(s.Cells)]
	at := int32(0)
	for i := range s.Rows {
		for range s.Rows[i].Cells {
			start := &e.starts[e.places[s.Cells[at].Key].section].cell
			e.cells[*start] = placed{at, e.out[i]}
			*start++ // ends as the start of the section behind
			at++
		}
	}
}

// cellsOf returns the cells gathered for a section.
func (e *Encoder) cellsOf(number int) []placed {
	from := int32(0)
	if number > 0 {
		from = e.starts[number-1].cell
	}
	return e.cells[from:e.starts[number].cell]
}

// section adds the rows of one group, or nothing when it has no cell.
func (e *Encoder) section(dst []byte, s *model.WriteSet, number int) []byte {
	columns := e.columns[e.starts[number].column:e.starts[number+1].column]
	rows, times := len(e.times), e.times
	if !e.whole {
		e.pickRows(number)
		if rows = len(e.rows); rows == 0 {
			return dst
		}
		e.picked = e.picked[:0]
		for _, row := range e.rows {
			e.picked = append(e.picked, e.times[row])
		}
		times = e.picked
	}
	cells := rows * len(columns)
	if 8*cells > e.limit-len(dst) { // every row has a place for every column, filled or not
		return append(dst, make([]byte, max(0, e.limit+1-len(dst)))...)
	}
	e.types = slices.Grow(e.types[:0], cells)[:cells]
	e.bits = slices.Grow(e.bits[:0], cells)[:cells]
	clear(e.types)
	if e.whole {
		at := 0
		for i := range s.Rows {
			row := int(e.out[i])
			for range s.Rows[i].Cells {
				e.put(s, at, e.places[s.Cells[at].Key].column*rows+row)
				at++
			}
		}
	} else {
		for _, c := range e.cellsOf(number) {
			e.put(s, int(c.cell), e.places[s.Cells[c.cell].Key].column*rows+int(e.here[c.row]))
		}
		for _, row := range e.rows {
			e.here[row] = -1
		}
	}

	dst = binary.AppendUvarint(dst, e.sections[number])
	dst = append(dst, byte(len(columns)))
	dst = append(dst, columns...)
	dst = binary.AppendUvarint(dst, uint64(rows))
	dst = appendTimes(dst, times)
	for c := range columns {
		dst = e.column(dst, s, e.types[c*rows:(c+1)*rows], e.bits[c*rows:(c+1)*rows])
	}
	return dst
}

// put notes the type and bits of a cell.
func (e *Encoder) put(s *model.WriteSet, cell, k int) {
	v := &s.Cells[cell].Value
	t := v.Type()
	e.types[k] = t
	if t.IsText() {
		e.bits[k] = uint64(cell) // where the text is, until it is written
	} else {
		e.bits[k] = v.Bits()
	}
}

// pickRows finds and numbers the rows in which a section has a cell.
func (e *Encoder) pickRows(number int) {
	e.rows = e.rows[:0]
	ascending := true
	for _, c := range e.cellsOf(number) {
		if e.here[c.row] < 0 {
			e.here[c.row] = 0
			ascending = ascending && (len(e.rows) == 0 || e.rows[len(e.rows)-1] < c.row)
			e.rows = append(e.rows, c.row)
		}
	}
	if !ascending {
		slices.Sort(e.rows)
	}
	for i, row := range e.rows {
		e.here[row] = int32(i)
	}
}

func appendTimes(dst []byte, times []int64) []byte {
	if len(times) == 0 {
		return append(dst, timesRaw)
	}
	step, regular, short := int64(0), true, true
	if len(times) > 1 {
		step = times[1] - times[0]
	}
	for i := 1; i < len(times); i++ {
		d := times[i] - times[i-1]
		regular = regular && d == step
		short = short && uint64(d) <= math.MaxUint32
		if !regular && !short {
			break
		}
	}
	switch {
	case regular:
		dst = binary.LittleEndian.AppendUint64(append(dst, timesStep), uint64(times[0]))
		return binary.LittleEndian.AppendUint64(dst, uint64(step))
	case short:
		dst = binary.LittleEndian.AppendUint64(append(dst, timesDelta), uint64(times[0]))
		for i := 1; i < len(times); i++ {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(times[i]-times[i-1]))
		}
		return dst
	}
	dst = append(dst, timesRaw)
	for _, ts := range times {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(ts))
	}
	return dst
}

func (e *Encoder) column(dst []byte, s *model.WriteSet, types []model.Type, raw []uint64) []byte {
	uniform, text := true, false
	for _, t := range types {
		uniform = uniform && t == types[0]
		text = text || t.IsText()
	}
	if uniform && types[0] != model.TypeNone {
		dst = append(dst, byte(types[0]))
	} else {
		dst = append(dst, mixed)
		for _, t := range types {
			dst = append(dst, byte(t))
		}
	}
	at, size := len(dst), 0
	dst = slices.Grow(dst, 8*len(raw))[:at+8*len(raw)]
	for i, b := range raw {
		if types[i] == model.TypeNone {
			b = 0
		} else if text && types[i].IsText() {
			n := len(s.Cells[b].Value.Text())
			b = uint64(n)
			size += n
		}
		binary.LittleEndian.PutUint64(dst[at+8*i:], b)
	}
	if !text {
		return dst
	}
	dst = slices.Grow(binary.AppendUvarint(dst, uint64(size)), size)
	for i, b := range raw {
		if types[i].IsText() {
			dst = append(dst, s.Cells[b].Value.Text()...)
		}
	}
	return dst
}
