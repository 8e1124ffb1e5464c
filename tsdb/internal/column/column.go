// Package column is the in-memory shape of telemetry inside the engine: the head keeps
// rows in it, row groups are encoded from it and decoded into it, the scan walks it.
//
// A cell costs nine bytes and holds no pointer, so a head of ten million points is a few
// hundred slices to the garbage collector.
package column

import (
	"unsafe"

	"github.com/tidewire/tidewire/model"
)

// A Column is the cells of one key over consecutive rows. A column may mix types.
type Column struct {
	Types []model.Type // one a row; TypeNone where the row lacks the key
	Bits  []uint64     // int64, bits of a float64, 0 or 1; of text: offset<<32 | length in Text
	Text  []byte
	// Expiry is until when each cell is kept, ms; 0: as the policy says. Nil means that no
	// cell has a time of its own. Only who writes row groups needs it: readers leave it out.
	Expiry []int64
}

// Len reports the number of rows.
func (c *Column) Len() int { return len(c.Types) }

// Reset empties c and keeps its memory.
func (c *Column) Reset() {
	c.Types, c.Bits, c.Text, c.Expiry = c.Types[:0], c.Bits[:0], c.Text[:0], nil
}

// Append adds a row that holds v; a Value of TypeNone adds a row without the key. The text
// of v is copied.
func (c *Column) Append(v model.Value) {
	bits := v.Bits()
	if v.Type().IsText() {
		bits = uint64(len(c.Text))<<32 | uint64(len(v.Text()))
		c.Text = append(c.Text, v.Text()...)
	}
	c.Types = append(c.Types, v.Type())
	c.Bits = append(c.Bits, bits)
	if c.Expiry != nil {
		c.Expiry = append(c.Expiry, 0)
	}
}

// AppendNone adds n rows without the key.
func (c *Column) AppendNone(n int) {
	for range n {
		c.Types = append(c.Types, model.TypeNone)
		c.Bits = append(c.Bits, 0)
		if c.Expiry != nil {
			c.Expiry = append(c.Expiry, 0)
		}
	}
}

// AppendFrom adds row i of src.
func (c *Column) AppendFrom(src *Column, i int) {
	bits := src.Bits[i]
	if src.Types[i].IsText() {
		text := src.TextAt(i)
		bits = uint64(len(c.Text))<<32 | uint64(len(text))
		c.Text = append(c.Text, text...)
	}
	c.Types = append(c.Types, src.Types[i])
	c.Bits = append(c.Bits, bits)
	if src.Expiry != nil || c.Expiry != nil {
		c.expire(src, i)
	}
}

// expire gives the last cell the expiry of row i of src.
func (c *Column) expire(src *Column, i int) {
	expiry := int64(0)
	if src.Expiry != nil {
		expiry = src.Expiry[i]
	}
	if c.Expiry == nil {
		if expiry == 0 {
			return
		}
		c.Expiry = make([]int64, len(c.Types)-1, cap(c.Types))
	}
	c.Expiry = append(c.Expiry, expiry)
}

// SetExpiry gives the cells there are the expiries of their rows.
func (c *Column) SetExpiry(expiries []int64) {
	c.Expiry = make([]int64, len(c.Types))
	for i, t := range c.Types {
		if t != model.TypeNone {
			c.Expiry[i] = expiries[i]
		}
	}
}

// Cut drops the rows from n on; their texts stay where they are.
func (c *Column) Cut(n int) {
	c.Types, c.Bits = c.Types[:n], c.Bits[:n]
	if c.Expiry != nil {
		c.Expiry = c.Expiry[:n]
	}
}

// Slice returns the rows [lo, hi), sharing their memory.
func (c *Column) Slice(lo, hi int) Column {
	part := Column{Types: c.Types[lo:hi], Bits: c.Bits[lo:hi], Text: c.Text}
	if c.Expiry != nil {
		part.Expiry = c.Expiry[lo:hi]
	}
	return part
}

// TextAt returns the text of row i, a view into Text.
func (c *Column) TextAt(i int) []byte {
	from, n := c.Bits[i]>>32, c.Bits[i]&(1<<32-1)
	return c.Text[from : from+n : from+n]
}

// At returns the value of row i with text of its own.
func (c *Column) At(i int) model.Value {
	switch c.Types[i] {
	case model.TypeString:
		return model.String(string(c.TextAt(i)))
	case model.TypeJSON:
		return model.JSON(string(c.TextAt(i)))
	}
	return model.FromBits(c.Types[i], c.Bits[i])
}

// View returns the value of row i; its text is a view into Text and lives as long as c is
// not changed.
func (c *Column) View(i int) model.Value {
	switch t := c.Types[i]; t {
	case model.TypeString:
		return model.String(unsafeString(c.TextAt(i)))
	case model.TypeJSON:
		return model.JSON(unsafeString(c.TextAt(i)))
	default:
		return model.FromBits(t, c.Bits[i])
	}
}

// Bytes reports the memory c holds.
func (c *Column) Bytes() int { return cap(c.Types) + 8*cap(c.Bits) + cap(c.Text) + 8*cap(c.Expiry) }

func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// A Table is rows: instants in ascending order, and for each of them a cell a column.
type Table struct {
	Times   []int64 // ms, strictly ascending unless the owner says otherwise
	Columns []Column
}

// Len reports the number of rows.
func (t *Table) Len() int { return len(t.Times) }

// Reset empties t, gives it columns columns and keeps its memory.
func (t *Table) Reset(columns int) {
	t.Times = t.Times[:0]
	for len(t.Columns) < columns {
		t.Columns = append(t.Columns, Column{})
	}
	t.Columns = t.Columns[:columns]
	for i := range t.Columns {
		t.Columns[i].Reset()
	}
}

// Expires returns the least expiry of a cell; 0 when no cell has one.
func (t *Table) Expires() (least int64) {
	for i := range t.Columns {
		for _, e := range t.Columns[i].Expiry {
			if e != 0 && (least == 0 || e < least) {
				least = e
			}
		}
	}
	return least
}

// AppendRow adds row i of src, which has the same columns.
func (t *Table) AppendRow(src *Table, i int) {
	t.Times = append(t.Times, src.Times[i])
	for c := range t.Columns {
		t.Columns[c].AppendFrom(&src.Columns[c], i)
	}
}
