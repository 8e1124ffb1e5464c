package rowgroup

import (
	"math"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A columnReader reads one column of a row group. Its heads are read when it is first
// asked for something.
type columnReader struct {
	times *timesReader
	rows  int
	body  []byte

	ready   bool
	err     error
	full    bool // every row has a cell
	present [maxWords]uint64
	cells   [maxSteps]uint8 // of each step
	start   [maxSteps]int   // of each step in body
	rule    rule
	digits  uint8
	heads   heads // of a regular column

	mixed mixedReader

	cached int             // step in values, or -1
	values [StepRows]int64 // scaled, of a regular column
	cut    cutStep         // the step that was cut in two last

	summed  bool
	summary summary.Summary
}

// A mixedReader is what a column without regular form needs beside.
type mixedReader struct {
	texts []byte // undecoded
	known bool   // text is decoded
	text  codec.Texts
	types [StepRows]model.Type
	bits  [StepRows]uint64
}

func (c *columnReader) reset(times *timesReader, rows int, body []byte) {
	c.times, c.rows, c.body = times, rows, body
	c.ready, c.summed, c.cached, c.err = false, false, -1, nil
	c.cut.at = 0
	c.mixed.known = false
	c.mixed.texts = nil
}

// open reads the heads, once.
func (c *columnReader) open() error {
	if !c.ready {
		c.ready = true
		c.err = c.read()
	}
	return c.err
}

func (c *columnReader) read() error {
	c.full = false
	if len(c.body) == 0 {
		clear(c.present[:])
		clear(c.cells[:])
		return nil
	}
	if err := c.times.open(); err != nil {
		return err
	}
	r := codec.NewCursor(c.body)
	steps := stepsOf(c.rows)
	c.full = codec.ReadBitmap(&r, c.present[:], c.rows)
	for k := range steps {
		c.cells[k] = uint8(c.cellsIn(k*StepRows, c.stepEnd(k)))
	}
	c.rule = rule(r.Byte())
	if c.rule >= rules {
		return corruptf("type rule %d", c.rule)
	}
	if c.rule == ruleMixed {
		c.readMixed(&r)
	} else {
		c.readRegular(&r)
	}
	if err := r.Err(); err != nil {
		return corrupt("column", err)
	}
	return nil
}

func (c *columnReader) readRegular(r *codec.Cursor) {
	c.digits = 0
	if c.rule == ruleFloat || c.rule == ruleWhenIntegral {
		if c.digits = r.Byte(); c.digits > codec.DecimalDigits {
			r.Fail(corruptf("%d digits", c.digits))
			return
		}
	}
	steps := stepsOf(c.rows)
	c.heads.read(r, c.rule, steps)
	at := 0
	for k := range steps {
		p := c.heads.packing[k]
		if p < 0 || p > 2*64+1 {
			r.Fail(corruptf("packing %d", p))
			return
		}
		c.start[k] = at
		at += codec.PackedLen(int(c.cells[k]), uint8(p/2))
	}
	c.body = r.Rest()
	if at > len(c.body) {
		r.Fail(corruptf("steps of %d bytes, %d there", at, len(c.body)))
	}
}

func (c *columnReader) readMixed(r *codec.Cursor) {
	if r.Byte() != 0 {
		c.mixed.texts = r.Rest()
		codec.SkipTexts(r, c.rows)
	}
	var lengths [maxSteps]int64
	steps := stepsOf(c.rows)
	codec.ReadInts(r, lengths[:steps])
	c.body = r.Rest()
	at, before := 0, 0
	for k := range steps {
		if lengths[k] < 0 || lengths[k] > int64(len(c.body)-at) {
			r.Fail(corruptf("step of %d bytes", lengths[k]))
			return
		}
		if lengths[k] > 0 {
			before = at
		}
		c.start[k] = before
		at += int(lengths[k])
	}
}

func (c *columnReader) stepEnd(k int) int { return min((k+1)*StepRows, c.rows) }

// regularStep returns the scaled values of step k.
func (c *columnReader) regularStep(k int) []int64 {
	v := c.values[:c.cells[k]]
	if c.cached == k {
		return v
	}
	h, src := &c.heads, c.body[c.start[k]:]
	width := uint8(h.packing[k] / 2)
	if h.packing[k]%2 == 0 {
		codec.UnpackBase(v, src, h.min[k], width)
	} else {
		codec.UnpackLast(v, src, int64(uint64(h.min[k])+uint64(h.first[k])), h.step[k], width)
	}
	c.cached = k
	return v
}

// mixedStep returns the cells of step k; the bits of a text are its number.
func (c *columnReader) mixedStep(k int) ([]model.Type, []uint64, error) {
	types, bits := c.mixed.types[:c.cells[k]], c.mixed.bits[:c.cells[k]]
	if c.cached == k || len(types) == 0 {
		return types, bits, nil
	}
	c.cached = -1
	r := codec.NewCursor(c.body[c.start[k]:])
	var s summary.Summary
	s.Read(&r, 0, 0)
	readMixedStep(&r, types, bits)
	if err := r.Err(); err != nil {
		return nil, nil, corrupt("step", err)
	}
	c.cached = k
	return types, bits, nil
}

// text returns text number i.
func (c *columnReader) text(i uint64) ([]byte, error) {
	if !c.mixed.known {
		r := codec.NewCursor(c.mixed.texts)
		c.mixed.text.Read(&r, c.rows)
		if err := r.Err(); err != nil {
			return nil, corrupt("texts", err)
		}
		c.mixed.known = true
	}
	if i >= uint64(c.mixed.text.Len()) {
		return nil, corruptf("text %d of %d", i, c.mixed.text.Len())
	}
	return c.mixed.text.At(i), nil
}

// decode adds rows [lo, hi) to dst.
func (c *columnReader) decode(lo, hi int, dst *column.Column) error {
	if err := c.open(); err != nil {
		return err
	}
	if !c.full && c.none() {
		dst.AppendNone(hi - lo)
		return nil
	}
	dst.Types = slices.Grow(dst.Types, hi-lo)
	dst.Bits = slices.Grow(dst.Bits, hi-lo)
	for lo < hi {
		k := lo / StepRows
		end := min(hi, c.stepEnd(k))
		if err := c.decodeStep(k, lo, end, dst); err != nil {
			return err
		}
		lo = end
	}
	return nil
}

// none reports that no row has the key.
func (c *columnReader) none() bool {
	for _, n := range c.cells[:stepsOf(c.rows)] {
		if n > 0 {
			return false
		}
	}
	return true
}

// decodeStep adds rows [lo, hi), all of step k.
func (c *columnReader) decodeStep(k, lo, hi int, dst *column.Column) error {
	from := c.cellsIn(k*StepRows, lo)
	to := from + c.cellsIn(lo, hi)
	at := len(dst.Types)
	if c.rule != ruleMixed {
		dst.Types, dst.Bits = c.appendCells(c.regularStep(k)[from:to], dst.Types, dst.Bits)
	} else if err := c.appendMixedCells(k, from, to, dst); err != nil {
		return err
	}
	if n := hi - lo; to-from < n { // spread the cells over their rows, from the last one on
		dst.Types = dst.Types[:at+n]
		dst.Bits = dst.Bits[:at+n]
		src := at + to - from
		for i := n - 1; i >= 0; i-- {
			row := lo + i
			if c.present[row/64]>>(row%64)&1 == 0 {
				dst.Types[at+i], dst.Bits[at+i] = model.TypeNone, 0
				continue
			}
			src--
			dst.Types[at+i], dst.Bits[at+i] = dst.Types[src], dst.Bits[src]
		}
	}
	return nil
}

// appendCells adds scaled values of a regular column; there is room for them.
func (c *columnReader) appendCells(v []int64, types []model.Type, bits []uint64) ([]model.Type, []uint64) {
	at := len(types)
	types, bits = types[:at+len(v)], bits[:at+len(v)]
	t, b := types[at:], bits[at:]
	pow := codec.Pow10(c.digits)
	switch c.rule {
	case ruleInt, ruleBool:
		typ := model.TypeInt
		if c.rule == ruleBool {
			typ = model.TypeBool
		}
		copy(t, typeRuns[typ][:])
		for i, x := range v {
			b[i] = uint64(x)
		}
	case ruleFloat:
		copy(t, typeRuns[model.TypeFloat][:])
		pow := float64(pow)
		for i, x := range v {
			b[i] = math.Float64bits(float64(x) / pow)
		}
	case ruleWhenIntegral:
		for i, x := range v {
			t[i], b[i] = c.cell(x)
		}
	}
	return types, bits
}

// typeRuns hold a step of each type that fills whole columns: copying is faster than a loop.
var typeRuns = func() (runs [model.TypeFloat + 1][StepRows]model.Type) {
	for t := range runs {
		for i := range runs[t] {
			runs[t][i] = model.Type(t)
		}
	}
	return runs
}()

// cell returns the cell of a scaled value.
func (c *columnReader) cell(v int64) (model.Type, uint64) {
	switch c.rule {
	case ruleInt:
		return model.TypeInt, uint64(v)
	case ruleBool:
		return model.TypeBool, uint64(v)
	case ruleWhenIntegral:
		if pow := int64(codec.Pow10(c.digits)); v%pow == 0 {
			return model.TypeInt, uint64(v / pow)
		}
	}
	return model.TypeFloat, math.Float64bits(float64(v) / float64(codec.Pow10(c.digits)))
}

func (c *columnReader) appendMixedCells(k, from, to int, dst *column.Column) error {
	types, bits, err := c.mixedStep(k)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		b := bits[i]
		if types[i].IsText() {
			text, err := c.text(b)
			if err != nil {
				return err
			}
			b = uint64(len(dst.Text))<<32 | uint64(len(text))
			dst.Text = append(dst.Text, text...)
		}
		dst.Types, dst.Bits = append(dst.Types, types[i]), append(dst.Bits, b)
	}
	return nil
}
