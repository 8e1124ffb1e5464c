package thingsboard

import "unicode/utf8"

// A compactor passes over a strict JSON value and notes whether it is compact already, so
// that it can be kept without a copy.
type compactor struct {
	b      []byte
	spaced bool // white space between tokens
	high   bool // bytes beyond ASCII
}

// skip returns the end of the value that begins at i, or -1 where it is not strict JSON.
// depth counts the objects and arrays around it.
func (c *compactor) skip(i, depth int) int {
	if i >= len(c.b) {
		return -1
	}
	switch c.b[i] {
	case '{':
		return c.skipList(i, depth+1, '}')
	case '[':
		return c.skipList(i, depth+1, ']')
	case '"':
		return c.skipString(i)
	case 't', 'n':
		if hasWord(c.b, i, "true") || hasWord(c.b, i, "null") {
			return i + 4
		}
		return -1
	case 'f':
		if hasWord(c.b, i, "false") {
			return i + 5
		}
		return -1
	}
	end, ok := scanNumber(c.b, i)
	if !ok {
		return -1
	}
	return end
}

// skipList passes over an object or an array.
func (c *compactor) skipList(i, depth int, closing byte) int {
	if depth > maxDepth {
		return -1
	}
	i = c.space(i + 1)
	if i < len(c.b) && c.b[i] == closing {
		return i + 1
	}
	for {
		if closing == '}' {
			if i >= len(c.b) || c.b[i] != '"' {
				return -1
			}
			if i = c.skipString(i); i < 0 {
				return -1
			}
			if i = c.space(i); i >= len(c.b) || c.b[i] != ':' {
				return -1
			}
			i = c.space(i + 1)
		}
		if i = c.skip(i, depth); i < 0 {
			return -1
		}
		if i = c.space(i); i >= len(c.b) {
			return -1
		}
		switch c.b[i] {
		case ',':
			i = c.space(i + 1)
		case closing:
			return i + 1
		default:
			return -1
		}
	}
}

// skipString passes over a string whose escapes all stand for text.
func (c *compactor) skipString(i int) int {
	for i++; i < len(c.b); i++ {
		switch ch := c.b[i]; {
		case ch == '"':
			return i + 1
		case ch < 0x20:
			return -1
		case ch == '\\':
			var buf [utf8.UTFMax]byte
			_, n, ok := appendEscape(buf[:0], c.b[i:])
			if !ok || c.b[i+1] == '\'' {
				return -1
			}
			i += n - 1
		case ch >= utf8.RuneSelf:
			c.high = true
		}
	}
	return -1
}

func (c *compactor) space(i int) int {
	end := skipSpace(c.b, i)
	if end > i {
		c.spaced = true
	}
	return end
}

// withoutSpace adds strict JSON without the white space between its tokens.
func withoutSpace(dst, b []byte) []byte {
	quoted := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			dst = append(dst, c)
			i++
			c = b[i]
		case !quoted && c <= ' ':
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
