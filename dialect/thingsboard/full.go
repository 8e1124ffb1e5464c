package thingsboard

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidewire/tidewire/model"
)

// maxDepth bounds how deep objects and arrays may nest in a body.
const maxDepth = 100

// fullTelemetry reads every form of 4.1 the slow way, leniently. An object is first passed
// over to see whether it has both ts and values, then read.
func (p *Parser) fullTelemetry(body []byte) error {
	r, err := newLenient(body)
	if err != nil {
		return err
	}
	switch r.peek() {
	case '{':
		err = p.fullElement(r)
	case '[':
		err = r.array(func() error {
			if r.peek() != '{' {
				return r.cannotParse()
			}
			return p.fullElement(r)
		})
	default:
		return r.rootScalar(badValue)
	}
	if err != nil {
		return err
	}
	return r.end()
}

// fullAttributes reads a flat object.
func (p *Parser) fullAttributes(body []byte) error {
	r, err := newLenient(body)
	if err != nil {
		return err
	}
	if r.peek() != '{' {
		return r.rootScalar(badShape)
	}
	if err := p.fullMembers(r, p.received); err != nil {
		return err
	}
	return r.end()
}

// fullElement reads a flat or timed object.
func (p *Parser) fullElement(r *lenient) error {
	start, tsAt, valuesAt := r.i, -1, -1
	err := r.object(func(name string) error {
		switch name {
		case "ts":
			tsAt = r.i
		case "values":
			valuesAt = r.i
		}
		return r.skip()
	})
	if err != nil {
		return err
	}
	end := r.i
	if tsAt < 0 || valuesAt < 0 {
		r.i = start
		return p.fullMembers(r, p.received)
	}
	r.i = tsAt
	if c := r.peek(); c == '{' || c == '[' {
		return r.cannotParse()
	}
	text, _, err := r.text()
	if err != nil {
		return err
	}
	ts, err := tsValue(text)
	if err != nil {
		return err
	}
	r.i = valuesAt
	if r.peek() != '{' {
		return r.cannotParse()
	}
	if err := p.fullMembers(r, ts); err != nil {
		return err
	}
	r.i = end
	return nil
}

// fullMembers reads an object of keys and values as one row.
func (p *Parser) fullMembers(r *lenient, ts int64) error {
	row := len(p.set.Cells)
	err := r.object(func(name string) error {
		v, err := p.fullValue(r)
		if err != nil || v.IsNone() {
			return err
		}
		key, err := p.key(name)
		if err != nil {
			return err
		}
		if p.isFull() {
			return errOver
		}
		p.add(row, key, v)
		return nil
	})
	if err != nil {
		return err
	}
	p.endRow(ts, row)
	return nil
}

// fullValue reads and types one value; a null that is to be skipped is of TypeNone.
func (p *Parser) fullValue(r *lenient) (model.Value, error) {
	if c := r.peek(); c == '{' || c == '[' {
		p.scratch = p.scratch[:0]
		var err error
		if p.scratch, err = r.compact(p.scratch); err != nil {
			return model.Value{}, err
		}
		return model.JSON(string(p.scratch)), nil
	}
	text, quoted, err := r.text()
	switch {
	case err != nil:
		return model.Value{}, err
	case quoted:
		return p.stringValue(text)
	case strings.EqualFold(text, "true"):
		return model.Bool(true), nil
	case strings.EqualFold(text, "false"):
		return model.Bool(false), nil
	case strings.EqualFold(text, "null"):
		if p.o.REST {
			return model.Value{}, cannotParse("null")
		}
		return model.Value{}, nil
	case isNumber(text):
		return p.numberValue(text)
	}
	return p.stringValue(text)
}

// A lenient reads JSON the way Gson's lenient mode does, as far as contract 4.1 asks:
// names and strings may stand in single quotes or in none. Texts it returns alias the body
// unless an escape had to be resolved.
type lenient struct {
	b     []byte
	i     int
	depth int
}

func newLenient(body []byte) (*lenient, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, &problem{badSyntax, "invalid UTF-8"}
	}
	r := &lenient{b: body}
	if r.peek() == 0 && r.i == len(r.b) {
		return nil, &problem{badSyntax, "empty body"}
	}
	return r, nil
}

func (r *lenient) fail() error {
	if r.i >= len(r.b) {
		return &problem{badSyntax, "unexpected end"}
	}
	c, _ := utf8.DecodeRune(r.b[r.i:])
	return &problem{badSyntax, fmt.Sprintf("unexpected %q at offset %d", c, r.i)}
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *lenient) peek() byte {
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

// end fails unless nothing but white space is left.
func (r *lenient) end() error {
	if r.peek(); r.i < len(r.b) {
		return r.fail()
	}
	return nil
}

// rootScalar returns the problem of a body that is JSON but not of the shape asked for.
func (r *lenient) rootScalar(kind problemKind) error {
	start := r.i
	if err := r.skip(); err != nil {
		return err
	}
	raw := string(r.b[start:r.i])
	if err := r.end(); err != nil {
		return err
	}
	err := cannotParse(raw)
	err.kind = kind
	return err
}

// cannotParse returns the problem of the value that begins here, or of its syntax.
func (r *lenient) cannotParse() error {
	start := r.i
	if err := r.skip(); err != nil {
		return err
	}
	return cannotParse(string(r.b[start:r.i]))
}

// object calls member for each member, before its value, which member has to read.
func (r *lenient) object(member func(name string) error) error {
	if r.depth++; r.depth > maxDepth {
		return &problem{badSyntax, fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	r.i++ // {
	if r.peek() == '}' {
		r.i++
		r.depth--
		return nil
	}
	for {
		r.peek()
		name, _, err := r.text()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.fail()
		}
		r.i++
		r.peek()
		if err := member(name); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.i++
		case '}':
			r.i++
			r.depth--
			return nil
		default:
			return r.fail()
		}
	}
}

// array calls element before each element, which element has to read.
func (r *lenient) array(element func() error) error {
	if r.depth++; r.depth > maxDepth {
		return &problem{badSyntax, fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	r.i++ // [
	if r.peek() == ']' {
		r.i++
		r.depth--
		return nil
	}
	for {
		r.peek()
		if err := element(); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.i++
		case ']':
			r.i++
			r.depth--
			return nil
		default:
			return r.fail()
		}
	}
}

// skip passes over one value.
func (r *lenient) skip() error {
	switch r.peek() {
	case '{':
		return r.object(func(string) error { return r.skip() })
	case '[':
		return r.array(r.skip)
	}
	_, _, err := r.text()
	return err
}

// compact adds the value that begins here as strict JSON without white space. Strings that
// are strict already keep their bytes.
func (r *lenient) compact(dst []byte) ([]byte, error) {
	first := true
	comma := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
	}
	var err error
	switch r.peek() {
	case '{':
		dst = append(dst, '{')
		start := r.nameStart()
		err = r.object(func(name string) (err error) {
			comma()
			dst = appendStrict(dst, r.b[start:], name)
			dst = append(dst, ':')
			dst, err = r.compact(dst)
			start = r.nameStart()
			return err
		})
		return append(dst, '}'), err
	case '[':
		dst = append(dst, '[')
		err = r.array(func() (err error) {
			comma()
			dst, err = r.compact(dst)
			return err
		})
		return append(dst, ']'), err
	}
	start := r.i
	text, quoted, err := r.text()
	switch {
	case err != nil:
		return dst, err
	case quoted:
		return appendStrict(dst, r.b[start:], text), nil
	case isNumber(text):
		return append(dst, text...), nil
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.EqualFold(text, word) {
			return append(dst, word...), nil
		}
	}
	return AppendString(dst, text), nil
}

// nameStart returns where the next member's name begins, behind { or a comma.
func (r *lenient) nameStart() int {
	for i := r.i; i < len(r.b); i++ {
		switch r.b[i] {
		case ' ', '\t', '\n', '\r', '{', ',':
		default:
			return i
		}
	}
	return len(r.b)
}

// appendStrict adds text, read from the beginning of raw, as a JSON string: with the bytes
// of raw where they are a strict string, otherwise anew.
func appendStrict(dst, raw []byte, text string) []byte {
	if end := strictString(raw); end > 0 {
		return append(dst, raw[:end]...)
	}
	return AppendString(dst, text)
}

// strictString returns the end of the strict JSON string raw begins with, or 0.
func strictString(raw []byte) int {
	if len(raw) == 0 || raw[0] != '"' {
		return 0
	}
	for i := 1; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return i + 1
		case c < 0x20:
			return 0
		case c == '\\':
			if i++; i < len(raw) && raw[i] == '\'' {
				return 0
			}
		}
	}
	return 0
}
