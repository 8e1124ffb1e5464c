package thingsboard

import (
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// text reads a name, a string or a bare word.
func (r *lenient) text() (text string, quoted bool, err error) {
	if r.i < len(r.b) && (r.b[r.i] == '"' || r.b[r.i] == '\'') {
		text, err = r.quoted(r.b[r.i])
		return text, true, err
	}
	start := r.i
	for r.i < len(r.b) && !endsBareWord(r.b[r.i]) {
		r.i++
	}
	if r.i == start {
		return "", false, r.fail()
	}
	return alias(r.b[start:r.i]), false, nil
}

func endsBareWord(c byte) bool {
	return c <= ' ' || strings.IndexByte(",:;={}[]\"'\\/#", c) >= 0
}

func (r *lenient) quoted(quote byte) (string, error) {
	r.i++
	start := r.i
	for ; r.i < len(r.b); r.i++ {
		switch r.b[r.i] {
		case quote:
			r.i++
			return alias(r.b[start : r.i-1]), nil
		case '\\':
			return r.escaped(quote, start)
		}
	}
	return "", r.fail()
}

// escaped reads on at the first escape of a string that began at start.
func (r *lenient) escaped(quote byte, start int) (string, error) {
	text := append([]byte(nil), r.b[start:r.i]...)
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case quote:
			r.i++
			return alias(text), nil
		case '\\':
			out, n, ok := appendEscape(text, r.b[r.i:])
			if !ok {
				return "", &problem{badSyntax, fmt.Sprintf("bad escape at offset %d", r.i)}
			}
			text = out
			r.i += n
		default:
			text = append(text, c)
			r.i++
		}
	}
	return "", r.fail()
}

// appendEscape adds what the escape at the beginning of b stands for and returns the
// length of the escape. Half a surrogate pair is no text and not ok.
func appendEscape(dst, b []byte) (out []byte, n int, ok bool) {
	if len(b) < 2 {
		return dst, 0, false
	}
	switch b[1] {
	case '"', '\'', '\\', '/':
		return append(dst, b[1]), 2, true
	case 'b':
		return append(dst, '\b'), 2, true
	case 'f':
		return append(dst, '\f'), 2, true
	case 'n':
		return append(dst, '\n'), 2, true
	case 'r':
		return append(dst, '\r'), 2, true
	case 't':
		return append(dst, '\t'), 2, true
	case 'u':
		c, ok := hex4(b[2:])
		if !ok || c >= 0xdc00 && c < 0xe000 {
			return dst, 0, false
		}
		if c < 0xd800 || c >= 0xe000 {
			return utf8.AppendRune(dst, c), 6, true
		}
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return dst, 0, false
		}
		low, ok := hex4(b[8:])
		if !ok || low < 0xdc00 || low >= 0xe000 {
			return dst, 0, false
		}
		return utf8.AppendRune(dst, (c-0xd800)<<10+(low-0xdc00)+0x10000), 12, true
	}
	return dst, 0, false
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// alias returns b as a string without copying it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
