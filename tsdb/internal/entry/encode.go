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
	times    []int64 // of the whole entry
	limit    int     // bytes of an entry; longer ones are not made
	here     []int32 // row of the whole entry → row of the section, or -1
	columns  []byte
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
	at, n := len(dst), uint16(0)
	dst = append(dst, 0, 0)
	for i := range e.sections {
		before := len(dst)
		if dst = e.section(dst, s, i, refs); len(dst) > before {
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

// placeKeys gathers the groups the set meets; it reports whether all places differ.
func (e *Encoder) placeKeys(refs []catalog.Ref) bool {
	e.places, e.sections, e.taken = e.places[:0], e.sections[:0], e.taken[:0]
	for _, ref := range refs {
		section := slices.Index(e.sections, ref.Group)
		if section < 0 {
			section = len(e.sections)
			e.sections = append(e.sections, ref.Group)
			e.taken = append(e.taken, 0)
		}
		bit := uint32(1) << ref.Column
		if e.taken[section]&bit != 0 {
			return false
		}
		e.places = append(e.places, place{section: section, column: bits.OnesCount32(e.taken[section])})
		e.taken[section] |= bit
	}
	return true
}

// section adds the rows of one group, or nothing when it has no cell.
func (e *Encoder) section(dst []byte, s *model.WriteSet, number int, refs []catalog.Ref) []byte {
	e.columns = e.columns[:0]
	for key, ref := range refs {
		if e.places[key].section == number {
			e.columns = append(e.columns, ref.Column)
		}
	}
	rows := e.pickRows(s, number)
	if rows == 0 {
		return dst
	}
	times := e.times
	if rows != len(e.times) {
		e.picked = e.picked[:0]
		for row, here := range e.here {
			if here >= 0 {
				e.picked = append(e.picked, e.times[row])
			}
		}
		times = e.picked
	}

	cells := rows * len(e.columns)
	if 8*cells > e.limit-len(dst) { // every row has a place for every column, filled or not
		return append(dst, make([]byte, max(0, e.limit+1-len(dst)))...)
	}
	e.types = slices.Grow(e.types[:0], cells)[:cells]
	e.bits = slices.Grow(e.bits[:0], cells)[:cells]
	clear(e.types)
	at := 0
	for i := range s.Rows {
		row := int(e.here[e.out[i]])
		for j := at; j < at+s.Rows[i].Cells; j++ {
			cell := &s.Cells[j]
			p := e.places[cell.Key]
			if p.section != number {
				continue
			}
			k := p.column*rows + row
			t := cell.Value.Type()
			e.types[k] = t
			if t.IsText() {
				e.bits[k] = uint64(j) // where the text is, until it is written
			} else {
				e.bits[k] = cell.Value.Bits()
			}
		}
		at += s.Rows[i].Cells
	}

	dst = binary.AppendUvarint(dst, e.sections[number])
	dst = append(dst, byte(len(e.columns)))
	dst = append(dst, e.columns...)
	dst = binary.AppendUvarint(dst, uint64(rows))
	dst = appendTimes(dst, times)
	for c := range e.columns {
		dst = e.column(dst, s, e.types[c*rows:(c+1)*rows], e.bits[c*rows:(c+1)*rows])
	}
	return dst
}

// pickRows numbers the rows in which the section has a cell and counts them.
func (e *Encoder) pickRows(s *model.WriteSet, number int) int {
	n := len(e.times)
	e.here = slices.Grow(e.here[:0], n)[:n]
	if len(e.sections) == 1 && !slices.ContainsFunc(s.Rows, func(r model.Row) bool { return r.Cells == 0 }) {
		for i := range e.here {
			e.here[i] = int32(i)
		}
		return n
	}
	for i := range e.here {
		e.here[i] = -1
	}
	at := 0
	for i, r := range s.Rows {
		for _, cell := range s.Cells[at : at+r.Cells] {
			if e.places[cell.Key].section == number {
				e.here[e.out[i]] = 0
				break
			}
		}
		at += r.Cells
	}
	rows := 0
	for i := range e.here {
		if e.here[i] == 0 {
			e.here[i] = int32(rows)
			rows++
		}
	}
	return rows
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
