package importer

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// parseValue types a field: a JSON number is an int where it is written as one and fits,
// else a float; true and false are booleans; anything else is text. An empty field and
// the usual words for "missing" are no value.
func parseValue(s string) model.Value {
	switch s {
	case "", "NA", "NaN", "nan", "null", "NULL":
		return model.Value{}
	case "true", "TRUE", "True":
		return model.Bool(true)
	case "false", "FALSE", "False":
		return model.Bool(false)
	}
	if isNumber(s) {
		if !strings.ContainsAny(s, ".eE") {
			if i, err := strconv.ParseInt(s, 10, 64); err == nil {
				return model.Int(i)
			}
		} else if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) {
			return model.Float(f)
		}
	}
	return model.String(s)
}

// isNumber reports whether s is a number by the grammar of JSON (RFC 8259 6), so a postal
// code with a leading zero stays text.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if strings.HasPrefix(s, "0") {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}
