package thingsboard

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidewire/tidewire/model"
)

// The fast pass reads strict JSON in the forms devices really send, one byte after the
// other, straight into the write set. Its functions take the index where they begin and
// return the one behind what they read, or -1 for whatever they do not know: then the full
// parser decides, errors included. So nothing here words an error, and what both accept is
// the same (FuzzParseTelemetry).

// scanTelemetry reads a flat or timed object or an array of either.
func (p *Parser) scanTelemetry(b []byte) bool {
	i := skipSpace(b, 0)
	if i >= len(b) {
		return false
	}
	switch b[i] {
	case '{':
		i = p.scanElement(b, i, 1)
	case '[':
		i = p.scanElements(b, i)
	default:
		return false
	}
	return i >= 0 && skipSpace(b, i) == len(b)
}

// scanAttributes reads a flat object.
func (p *Parser) scanAttributes(b []byte) bool {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	p.depth = 1
	i = p.scanMembers(b, i, p.received, false)
	return i >= 0 && skipSpace(b, i) == len(b)
}

func (p *Parser) scanElements(b []byte, i int) int {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '{' {
			return -1
		}
		if i = p.scanElement(b, i, 2); i < 0 {
			return -1
		}
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}

// scanElement reads {"ts":integer,"values":{…}}, in this order and with nothing else, or a
// flat object without members of these names, depth deep.
func (p *Parser) scanElement(b []byte, i, depth int) int {
	p.depth = depth
	at := skipSpace(b, i+1)
	if !hasWord(b, at, `"ts"`) {
		return p.scanMembers(b, i, p.received, true)
	}
	if at = scanColon(b, at+len(`"ts"`)); at < 0 {
		return -1
	}
	negative := at < len(b) && b[at] == '-'
	if negative {
		at++
	}
	start, ts := at, int64(0)
	for at < len(b) && isDigit(b[at]) {
		ts = ts*10 + int64(b[at]-'0')
		at++
	}
	if n := at - start; n == 0 || n > 18 || n > 1 && b[start] == '0' {
		return -1
	}
	if negative {
		ts = -ts
	}
	if at = skipSpace(b, at); at >= len(b) || b[at] != ',' {
		return -1
	}
	at = skipSpace(b, at+1)
	if !hasWord(b, at, `"values"`) {
		return -1
	}
	at = scanColon(b, at+len(`"values"`))
	if at < 0 || at >= len(b) || b[at] != '{' {
		return -1
	}
	p.depth = depth + 1
	if at = p.scanMembers(b, at, ts, false); at < 0 {
		return -1
	}
	if at = skipSpace(b, at); at >= len(b) || b[at] != '}' {
		return -1
	}
	return at + 1
}

// scanMembers reads an object of keys and values as one row. In an element, members named
// ts and values are for the full parser.
//
// Rows of one body mostly have the same keys in the same order, and so have the bodies of
// one parser: the key after the one just read is tried first.
func (p *Parser) scanMembers(b []byte, i int, ts int64, element bool) int {
	if element && p.reserved {
		return -1
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	keys := p.guesses()
	row, next := len(p.set.Cells), 0
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		i++
		key, start, end := -1, i, 0
		if next < len(keys) && hasName(b[i:], keys[next]) {
			key, i = next, i+len(keys[next])+1
		} else {
			if end = scanName(b, i); end < 0 {
				return -1
			}
			i = end + 1
		}
		if i < len(b) && b[i] == ':' { // scanColon, without the call
			if i++; i < len(b) && b[i] <= ' ' {
				i = skipSpace(b, i)
			}
		} else if i = scanColon(b, i); i < 0 {
			return -1
		}
		if i >= len(b) {
			return -1
		}
		var v model.Value
		if c := b[i]; isDigit(c) || c == '-' {
			i, v = p.scanNumber(b, i)
		} else {
			i, v = p.scanOther(b, i)
		}
		if i < 0 {
			return -1
		}
		if !v.IsNone() {
			switch {
			case key < 0:
				if key = p.scannedKey(alias(b[start:end]), element); key < 0 {
					return -1
				}
				keys = p.guesses()
			case key == len(p.set.Keys):
				p.newKey(p.known[key])
			}
			if p.cellOf[key] > int32(row) {
				p.set.Cells[p.cellOf[key]-1].Value = v
			} else {
				n := len(p.set.Cells)
				if n == cap(p.set.Cells) {
					if p.isFull() {
						return -1
					}
					p.set.Cells = slices.Grow(p.set.Cells, 1)
				}
				p.set.Cells = p.set.Cells[:n+1]
				cell := &p.set.Cells[n] // in place: a Cell built first is copied once more
				cell.Key = key
				cell.Value = v
				p.cellOf[key] = int32(n + 1)
			}
			next = key + 1
		}
		if i < len(b) && b[i] == ',' {
			if i++; i < len(b) && b[i] <= ' ' {
				i = skipSpace(b, i)
			}
			continue
		}
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			p.endRow(ts, row)
			return i + 1
		default:
			return -1
		}
	}
}

// guesses returns the keys that probably follow each other: those seen in this body, or, as
// long as it looks like the bodies before, all of theirs.
func (p *Parser) guesses() []string {
	if p.alike && len(p.known) > len(p.set.Keys) {
		return p.known
	}
	return p.set.Keys
}

// hasName reports whether b begins with name and a closing quote.
func hasName(b []byte, name string) bool {
	return len(b) > len(name) && b[len(name)] == '"' && string(b[:len(name)]) == name
}

// scannedKey returns the number of a key without escapes, or -1 where the full parser is to
// decide.
func (p *Parser) scannedKey(name string, element bool) int {
	if key := p.keys.find(p.set.Keys, name); key >= 0 {
		return key
	}
	if name == "ts" || name == "values" {
		if element {
			return -1
		}
		p.reserved = true
	}
	if checkKey(name) != nil {
		return -1
	}
	p.alike = false
	if key := p.newKey(name); !p.over {
		return key
	}
	return -1
}

// learn remembers the keys of a body that was not like those before, as copies that do not
// hold on to it. Bodies of several kinds in turn are not learned each time.
func (p *Parser) learn() {
	if p.alike {
		return
	}
	if p.strays++; p.strays%8 != 1 || len(p.set.Keys) > maxKnown {
		return
	}
	all := strings.Clone(strings.Join(p.set.Keys, "")) // a Join of one is no copy
	p.known = p.known[:0]
	for _, key := range p.set.Keys {
		p.known = append(p.known, all[:len(key)])
		all = all[len(key):]
	}
	for _, key := range p.known {
		if key == "ts" || key == "values" {
			p.known = p.known[:0] // they have to come through scannedKey
			return
		}
	}
}

const maxKnown = 256

// scanOther reads and types a value that is no number; a null that is to be skipped is of
// TypeNone.
func (p *Parser) scanOther(b []byte, i int) (int, model.Value) {
	switch b[i] {
	case '"':
		return p.scanString(b, i+1)
	case 't':
		if hasWord(b, i, "true") {
			return i + 4, model.Bool(true)
		}
	case 'f':
		if hasWord(b, i, "false") {
			return i + 5, model.Bool(false)
		}
	case 'n':
		if hasWord(b, i, "null") && !p.o.REST {
			return i + 4, model.Value{}
		}
	case '{', '[':
		c := compactor{b: b}
		end := c.skip(i, p.depth)
		if end < 0 || c.high && !utf8.Valid(b[i:end]) {
			return -1, model.Value{}
		}
		if !c.spaced {
			return end, model.JSON(alias(b[i:end]))
		}
		return end, model.JSON(string(withoutSpace(nil, b[i:end])))
	}
	return -1, model.Value{}
}

// scanString reads and types the string whose first byte is at i.
func (p *Parser) scanString(b []byte, i int) (int, model.Value) {
	start, high := i, byte(0)
	for ; i < len(b); i++ {
		c := b[i]
		if c == '"' || c == '\\' || c < 0x20 {
			break
		}
		high |= c
	}
	if i >= len(b) || b[i] < 0x20 {
		return -1, model.Value{}
	}
	if high >= utf8.RuneSelf && !utf8.Valid(b[start:i]) {
		return -1, model.Value{}
	}
	text := alias(b[start:i])
	if b[i] == '\\' {
		end := strictString(b[start-1:])
		if end == 0 {
			return -1, model.Value{}
		}
		end += start - 1
		if !utf8.Valid(b[start:end]) {
			return -1, model.Value{}
		}
		r := lenient{b: b[:end], i: i}
		var err error
		if text, err = r.escaped('"', start); err != nil {
			return -1, model.Value{}
		}
		i = end - 1
	}
	v, err := p.stringValue(text)
	if err != nil {
		return -1, model.Value{}
	}
	return i + 1, v
}

// scanName returns the end of a name without escapes that begins at i.
func scanName(b []byte, i int) int {
	start, high := i, byte(0)
	for ; i < len(b); i++ {
		c := b[i]
		if c == '"' {
			if high >= utf8.RuneSelf && !utf8.Valid(b[start:i]) {
				return -1
			}
			return i
		}
		if c == '\\' || c < 0x20 {
			return -1
		}
		high |= c
	}
	return -1
}

func scanColon(b []byte, i int) int {
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return skipSpace(b, i+1)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

func hasWord(b []byte, i int, word string) bool {
	return len(b)-i >= len(word) && string(b[i:i+len(word)]) == word
}
