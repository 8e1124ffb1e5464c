package rowgroup

import (
	"bytes"
	"fmt"
	"math"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// How a step of a mixed column tells the types of its cells; a code below these is the
// model.Type of all of them.
const (
	codesWhenIntegral = 0x10 // ints where the decimal is integral, else floats
	codesEach         = 0x11 // one code per cell, as ints
)

// separate stands where the digits of scaled numbers would: ints and floats apart.
const separate = 0xff

// appendMixed adds a column that has no regular form. Every step carries its own summary,
// whose instants are row numbers.
//
//	rule 0 <1> | has texts <1> | texts | lengths of steps, ints, 0: as the step before | steps
//	step   summary | codes <1> | codes each, ints | bools, ints | digits <1> | numbers | text numbers, ints
func (r *cellRun) appendMixed(dst []byte, c *column.Column) ([]byte, error) {
	dst = append(dst, byte(ruleMixed), 0)
	texts, err := r.appendTexts(&dst, c)
	if err != nil {
		return dst, err
	}
	var lengths [maxSteps]int64
	var body []byte
	row := 0
	var last []byte // the step written last
	for k := range stepsOf(r.rows) {
		lo, hi := r.step(k)
		var s summary.Summary
		types, bits := r.cells(lo, hi)
		for i, t := range types {
			row = codec.NextBit(r.present[:], row, r.rows)
			s.AddCell(int64(row), t, bits[i])
			row++
		}
		before := len(body)
		if lo < hi {
			body = s.Append(body, int64(k*StepRows), int64((k+1)*StepRows-1))
			body = appendMixedStep(body, types, bits, &texts)
			if step := body[before:]; bytes.Equal(step, last) {
				body = body[:before]
			} else {
				last = step
			}
		}
		lengths[k] = int64(len(body) - before)
	}
	dst = codec.AppendInts(dst, lengths[:stepsOf(r.rows)])
	return append(dst, body...), nil
}

// appendTexts adds the texts of the column, each once, and returns the number of the text
// of each text cell in their order.
func (r *cellRun) appendTexts(dst *[]byte, c *column.Column) (numbers []int64, err error) {
	if r.of[model.TypeString]+r.of[model.TypeJSON] == 0 {
		return nil, nil
	}
	(*dst)[len(*dst)-1] = 1
	known := map[string]int64{}
	var all []byte
	var lengths []int64
	for i, t := range c.Types {
		if !t.IsText() {
			continue
		}
		text := c.TextAt(i)
		number, ok := known[string(text)]
		if !ok {
			number = int64(len(lengths))
			known[string(text)] = number
			all = append(all, text...)
			lengths = append(lengths, int64(len(text)))
			if len(all) > codec.MaxText {
				return nil, fmt.Errorf("%w: texts of more than %d bytes", errTable, codec.MaxText)
			}
		}
		numbers = append(numbers, number)
	}
	*dst = codec.AppendTexts(*dst, all, lengths)
	return numbers, nil
}

// appendMixedStep adds the cells of a step and takes the numbers of its texts off texts.
func appendMixedStep(dst []byte, types []model.Type, bits []uint64, texts *[]int64) []byte {
	var bools, ints, scaled, codes [StepRows]int64
	var floats [StepRows]uint64
	var nb, ni, nf, nt int
	for i, t := range types {
		codes[i] = int64(t)
		switch t {
		case model.TypeBool:
			bools[nb] = int64(bits[i])
			nb++
		case model.TypeInt:
			ints[ni] = int64(bits[i])
			ni++
		case model.TypeFloat:
			floats[nf] = bits[i]
			nf++
		case model.TypeString, model.TypeJSON:
			nt++
		}
	}
	digits, whenIntegral := uint8(separate), false
	if nf > 0 && nf+ni == len(types)-nb-nt-countOf(types, model.TypeNull) {
		digits, whenIntegral = scaleStep(&scaled, types, bits)
	}
	span := codec.SpanOf(codes[:len(types)])
	switch {
	case span.Min == span.Max:
		dst = append(dst, byte(span.Min))
	case whenIntegral && ni+nf == len(types):
		dst = append(dst, codesWhenIntegral)
	default:
		dst = append(dst, codesEach)
		dst = codec.AppendInts(dst, codes[:len(types)])
	}
	dst = codec.AppendInts(dst, bools[:nb])
	if ni+nf > 0 {
		dst = append(dst, digits)
		if digits != separate {
			dst = codec.AppendInts(dst, scaled[:ni+nf])
		} else {
			dst = codec.AppendInts(dst, ints[:ni])
			dst = codec.AppendFloats(dst, floats[:nf])
		}
	}
	dst = codec.AppendInts(dst, (*texts)[:nt])
	*texts = (*texts)[nt:]
	return dst
}

func countOf(types []model.Type, t model.Type) (n int) {
	for _, x := range types {
		if x == t {
			n++
		}
	}
	return n
}

// scaleStep scales the numbers of a step, if one scale holds them all, and reports whether
// their types follow from their values.
func scaleStep(scaled *[StepRows]int64, types []model.Type, bits []uint64) (digits uint8, whenIntegral bool) {
	for i, t := range types {
		if t == model.TypeFloat {
			n, scale, ok := codec.Decimal(math.Float64frombits(bits[i]))
			if !ok {
				return separate, false
			}
			digits = max(digits, codec.Digits(n, scale))
		}
	}
	whenIntegral = true
	pow := int64(codec.Pow10(digits))
	n := 0
	for i, t := range types {
		if !t.IsNumber() {
			continue
		}
		if scaleCells(scaled[n:n+1], types[i:i+1], bits[i:i+1], digits) == 0 {
			return separate, false
		}
		whenIntegral = whenIntegral && (t == model.TypeInt) == (scaled[n]%pow == 0)
		n++
	}
	return digits, whenIntegral
}

// readMixedStep fills types and bits, which have one length, with the cells of a step; the
// bits of a text are its number. What is wrong with it is c's error.
func readMixedStep(c *codec.Cursor, types []model.Type, bits []uint64) {
	var nb, ni, nf, nt int
	code := c.Byte()
	if code == codesEach {
		var codes [StepRows]int64
		codec.ReadInts(c, codes[:len(types)])
		for i := range types {
			types[i] = model.Type(codes[i])
		}
	} else {
		t := model.Type(code)
		if code == codesWhenIntegral {
			t = model.TypeFloat
		}
		for i := range types {
			types[i] = t
		}
	}
	for _, t := range types {
		switch t {
		case model.TypeBool:
			nb++
		case model.TypeInt:
			ni++
		case model.TypeFloat:
			nf++
		case model.TypeString, model.TypeJSON:
			nt++
		case model.TypeNull:
		default:
			c.Fail(corruptf("cell of type %d", t))
			return
		}
	}
	var bools, numbers, texts [StepRows]int64
	var floats [StepRows]uint64
	codec.ReadInts(c, bools[:nb])
	digits := uint8(separate)
	if ni+nf > 0 {
		if digits = c.Byte(); digits != separate && digits > codec.DecimalDigits {
			c.Fail(corruptf("%d digits", digits))
			return
		}
		if digits != separate {
			codec.ReadInts(c, numbers[:ni+nf])
		} else {
			codec.ReadInts(c, numbers[:ni])
			codec.ReadFloats(c, floats[:nf])
		}
	}
	codec.ReadInts(c, texts[:nt])
	if c.Err() != nil {
		return
	}
	pow := int64(codec.Pow10(digits % (codec.DecimalDigits + 1)))
	nb, ni, nf, nt = 0, 0, 0, 0
	for i, t := range types {
		switch t {
		case model.TypeNull:
			bits[i] = 0
		case model.TypeBool:
			bits[i] = uint64(bools[nb])
			nb++
		case model.TypeString, model.TypeJSON:
			bits[i] = uint64(texts[nt])
			nt++
		case model.TypeInt:
			bits[i] = uint64(numbers[ni])
			if digits != separate {
				bits[i] = uint64(numbers[ni] / pow)
			}
			ni++
		case model.TypeFloat:
			if digits == separate {
				bits[i] = floats[nf]
				nf++
				continue
			}
			v := numbers[ni]
			ni++
			if code == codesWhenIntegral && v%pow == 0 {
				types[i], bits[i] = model.TypeInt, uint64(v/pow)
			} else {
				bits[i] = math.Float64bits(float64(v) / float64(pow))
			}
		}
	}
}
