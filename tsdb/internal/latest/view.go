package latest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A View is some columns of a table at one position. It never changes, and implements
// [model.LatestView].
type View struct {
	table    *Table
	position model.Position
	entities []model.EntityID
	columns  [][]*chunk
}

// View returns columns as they are now, in the order of keys; false when one cannot be viewed.
func (t *Table) View(keys []model.ScopeKey, now time.Time) (*View, bool) {
	return t.view(keys, now, false)
}

// Part is View of columns that may lack something: they need not be finished.
func (t *Table) Part(keys []model.ScopeKey, now time.Time) (*View, bool) {
	return t.view(keys, now, true)
}

func (t *Table) view(keys []model.ScopeKey, now time.Time, unfinished bool) (*View, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := &View{table: t, position: t.mu.position, entities: t.mu.entities, columns: make([][]*chunk, len(keys))}
	for i, k := range keys {
		c := t.mu.columns[k]
		if c == nil || !c.built && !unfinished {
			return nil, false
		}
		c.used, c.shared = now, t.mu.gen
		v.columns[i] = slices.Clone(c.chunks)
	}
	t.mu.gen++
	return v, true
}

// Position returns up to where every entry of the tenant is in the view, and none behind.
func (v *View) Position() model.Position { return v.position }

// Len reports the number of rows: entities that have, or had, a value of some column.
func (v *View) Len() int { return len(v.entities) }

// Entity returns the entity of a row.
func (v *View) Entity(row int32) model.EntityID { return v.entities[row] }

// Rows sets of each of entities its row, -1 where it has none.
func (v *View) Rows(entities []*model.Entity, rows []int32) {
	v.table.rows.RLock()
	defer v.table.rows.RUnlock()
	for i, e := range entities {
		row, ok := v.table.rows.of[e.ID]
		if !ok || int(row) >= len(v.entities) {
			row = -1
		}
		rows[i] = row
	}
}

// Point returns the latest of a column; its value is of TypeNone where there is none.
func (v *View) Point(column int, row int32) model.Point {
	chunks := v.columns[column]
	at, i := int(row)/chunkRows, int(row)%chunkRows
	if at >= len(chunks) {
		return model.Point{}
	}
	return chunks[at].point(i)
}

func (k *chunk) point(i int) model.Point {
	switch t := k.types[i]; t {
	case model.TypeString:
		return model.Point{TS: k.ts[i], Value: model.String(k.text[i])}
	case model.TypeJSON:
		return model.Point{TS: k.ts[i], Value: model.JSON(k.text[i])}
	case model.TypeNone, model.TypeNull:
		return model.Point{}
	default:
		return model.Point{TS: k.ts[i], Value: model.FromBits(t, k.bits[i])}
	}
}

// Filter returns those of rows, or of all when rows is nil, of which keep is true.
func (v *View) Filter(rows []int32, column int, keep func(model.Point) bool) []int32 {
	if rows != nil {
		out := make([]int32, 0, len(rows))
		for _, row := range rows {
			if keep(v.Point(column, row)) {
				out = append(out, row)
			}
		}
		return out
	}
	out := make([]int32, 0, len(v.entities))
	for at, k := range v.columns[column] {
		base := at * chunkRows
		for i := range min(chunkRows, len(v.entities)-base) {
			if keep(k.point(i)) {
				out = append(out, int32(base+i))
			}
		}
	}
	for row := len(v.columns[column]) * chunkRows; row < len(v.entities); row++ {
		if keep(model.Point{}) {
			out = append(out, int32(row))
		}
	}
	return out
}

// SortNumbers sorts rows by the numbers of a column; those without one stand last either way.
// Rows of equal numbers keep their order. Integers beyond 2^53 are ordered as floats.
func (v *View) SortNumbers(rows []int32, column int, descending bool) {
	keyed := make([]keyedRow, 0, 2*len(rows))
	rest := make([]int32, 0, len(rows))
	for _, row := range rows {
		f, ok := v.Point(column, row).Value.Number()
		if !ok {
			rest = append(rest, row)
			continue
		}
		key := math.Float64bits(f + 0) // one zero
		if key>>63 != 0 {
			key = ^key
		} else {
			key |= 1 << 63
		}
		if descending {
			key = ^key
		}
		keyed = append(keyed, keyedRow{key, row})
	}
	for i, k := range radixSort(keyed, keyed[len(keyed):cap(keyed)]) {
		rows[i] = k.row
	}
	copy(rows[len(keyed):], rest)
}

// SortTexts sorts rows by the strings of a column, byte by byte; those without one stand last
// either way. Rows of equal texts keep their order.
func (v *View) SortTexts(rows []int32, column int, descending bool) {
	type named struct {
		text string
		row  int32
	}
	texts := make([]named, 0, len(rows))
	rest := make([]int32, 0, len(rows))
	for _, row := range rows {
		if p := v.Point(column, row); p.Value.Type() == model.TypeString {
			texts = append(texts, named{p.Value.Text(), row})
		} else {
			rest = append(rest, row)
		}
	}
	slices.SortStableFunc(texts, func(a, b named) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(a.text, b.text)
	})
	for i := range texts {
		rows[i] = texts[i].row
	}
	copy(rows[len(texts):], rest)
}

// A keyedRow is a row and what it is sorted by.
type keyedRow struct {
	key uint64
	row int32
}

// radixSort sorts by key, stable, with the help of scratch, and returns where the result is:
// in either. Digits that all keys share are passed over.
func radixSort(a, scratch []keyedRow) []keyedRow {
	const digit, digits = 11, 6
	var counts [digits][1 << digit]int32
	for _, k := range a {
		for d := range digits {
			counts[d][k.key>>(d*digit)&(1<<digit-1)]++
		}
	}
	b := scratch[:len(a)]
	for d := range digits {
		c := &counts[d]
		if len(a) == 0 || int(c[a[0].key>>(d*digit)&(1<<digit-1)]) == len(a) {
			continue
		}
		sum := int32(0)
		for i := range c {
			c[i], sum = sum, sum+c[i]
		}
		for _, k := range a {
			i := k.key >> (d * digit) & (1<<digit - 1)
			b[c[i]] = k
			c[i]++
		}
		a, b = b, a
	}
	return a
}
