package thingsboard

import (
	"strings"
	"unicode/utf8"
)

// The texts of the key rules (contract 4.3).
const (
	blankKey     = "Key can't be null or empty"
	longKey      = "Validation error: key length must be equal or less than 255"
	malformedKey = "Validation error: key is malformed"
)

// MaxKeyLength is how many characters a key may have (contract 4.3).
const MaxKeyLength = 255

// checkKey holds key against the rules of 4.3.
func checkKey(key string) error {
	if strings.TrimSpace(key) == "" {
		return &problem{badKey, blankKey}
	}
	if len(key) > MaxKeyLength && utf8.RuneCountInString(key) > MaxKeyLength {
		return &problem{badKey, longKey}
	}
	if hasMarkup(key) || strings.IndexByte(key, 0) >= 0 { // no SQL text can hold a NUL either
		return &problem{badKey, malformedKey}
	}
	return nil
}

// hasMarkup reports whether key holds HTML (a < that begins a tag, an end tag, a comment or
// an instruction) or a template, {{ and later }}. "a < b" is neither.
func hasMarkup(key string) bool {
	for rest := key; ; {
		at := strings.IndexByte(rest, '<')
		if at < 0 || at+1 == len(rest) {
			break
		}
		rest = rest[at+1:]
		if c := rest[0]; c == '/' || c == '!' || c == '?' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			return true
		}
	}
	at := strings.Index(key, "{{")
	return at >= 0 && strings.Contains(key[at+2:], "}}")
}

// An interner numbers the distinct keys of one set. Few keys are compared one by one, more
// are found by a map, so that a body with very many keys is still read in linear time.
type interner struct {
	index map[string]int // used once there are more than linearKeys
}

const linearKeys = 16

func (n *interner) reset() {
	if len(n.index) > 0 {
		clear(n.index)
	}
}

// find returns the number of key among keys, or -1.
func (n *interner) find(keys []string, key string) int {
	if len(keys) <= linearKeys {
		for i, k := range keys {
			if k == key {
				return i
			}
		}
		return -1
	}
	if len(n.index) == 0 {
		if n.index == nil {
			n.index = make(map[string]int, 4*linearKeys)
		}
		for i, k := range keys {
			n.index[k] = i
		}
	}
	if i, ok := n.index[key]; ok {
		return i
	}
	return -1
}

// added tells that keys got one more.
func (n *interner) added(keys []string) {
	if len(n.index) > 0 {
		n.index[keys[len(keys)-1]] = len(keys) - 1
	}
}

// key returns the number of key in the set. A new key is checked; it must stay valid as
// long as the set.
func (p *Parser) key(key string) (int, error) {
	if i := p.keys.find(p.set.Keys, key); i >= 0 {
		return i, nil
	}
	if err := checkKey(key); err != nil {
		return 0, err
	}
	return p.newKey(key), nil
}

func (p *Parser) newKey(key string) int {
	p.over = p.over || p.o.MaxKeys > 0 && len(p.set.Keys) >= p.o.MaxKeys
	p.set.Keys = append(p.set.Keys, key)
	p.cellOf = append(p.cellOf, 0)
	p.keys.added(p.set.Keys)
	return len(p.set.Keys) - 1
}
