package entityquery

import (
	"strings"
	"unicode/utf8"
)

// A pattern matches names, whatever the case: '%' stands for any text, '_' for any one
// character. One that neither begins nor ends with '%' matches the beginning of a name.
type pattern struct {
	text string // lower case, as a whole pattern
	all  bool
}

func newPattern(s string) pattern {
	if s == "" {
		return pattern{all: true}
	}
	if !strings.HasPrefix(s, "%") && !strings.HasSuffix(s, "%") {
		s += "%"
	}
	return pattern{text: strings.ToLower(s)}
}

func (p pattern) matches(name string) bool { return p.all || like(strings.ToLower(name), p.text) }

// like matches without recursion: on a mismatch it goes back to the last '%' and lets that
// take one character more.
func like(s, p string) bool {
	star, from := -1, 0 // the last '%' in p, and where in s what follows it was tried
	i, k := 0, 0
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if k < len(p) && p[k] == '%' {
			star, from = k, i
			k++
			continue
		}
		if k < len(p) {
			if want, w := utf8.DecodeRuneInString(p[k:]); want == '_' || want == r {
				i, k = i+n, k+w
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, n = utf8.DecodeRuneInString(s[from:])
		from += n
		i, k = from, star+1
	}
	return strings.Trim(p[k:], "%") == ""
}
