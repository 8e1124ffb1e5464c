package thingsboard

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tidewire/tidewire/model"
)

// AppendText adds the text form of v (contract 4.4): integers in decimal, booleans as true
// and false, floats in the style of Java's Double.toString, JSON and strings as they are. A
// null or absent value adds nothing.
func AppendText(dst []byte, v model.Value) []byte {
	switch v.Type() {
	case model.TypeBool:
		return strconv.AppendBool(dst, v.Bool())
	case model.TypeInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case model.TypeFloat:
		return appendFloat(dst, v.Float())
	case model.TypeString, model.TypeJSON:
		return append(dst, v.Text()...)
	}
	return dst
}

// AppendQuotedText adds the text form of v as a JSON string, the way the routes without
// strict types and all WebSocket frames show values. A null or absent value is null.
func AppendQuotedText(dst []byte, v model.Value) []byte {
	switch v.Type() {
	case model.TypeNone, model.TypeNull:
		return append(dst, "null"...)
	case model.TypeString, model.TypeJSON:
		return AppendString(dst, v.Text())
	}
	dst = append(dst, '"')
	dst = AppendText(dst, v)
	return append(dst, '"')
}

// AppendTyped adds v as JSON of its own type (useStrictDataTypes, attributes): numbers,
// booleans, strings, objects and arrays as such. A null or absent value is null.
func AppendTyped(dst []byte, v model.Value) []byte {
	switch v.Type() {
	case model.TypeNone, model.TypeNull:
		return append(dst, "null"...)
	case model.TypeString:
		return AppendString(dst, v.Text())
	}
	return AppendText(dst, v)
}

// appendValue adds v typed or as quoted text.
func appendValue(dst []byte, v model.Value, strict bool) []byte {
	if strict {
		return AppendTyped(dst, v)
	}
	return AppendQuotedText(dst, v)
}

const hexDigits = "0123456789abcdef"

// AppendString adds s as a JSON string. Bytes that are no valid UTF-8 become U+FFFD, so
// that the answer is valid whatever was stored.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, "\ufffd"...)
			}
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendFloat adds f as Java's Double.toString writes it: the shortest digits that read
// back as f, always with a fraction, scientific outside [1e-3, 1e7). Not finite values,
// which no door lets in, are written as null.
func appendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case f == 0:
		if math.Signbit(f) {
			return append(dst, "-0.0"...)
		}
		return append(dst, "0.0"...)
	case abs >= 1e-3 && abs < 1e7:
		return appendDecimal(dst, f)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Turn d[.ddd]e±nn into d.dddE[-]n.
	e := len(dst) - 1
	for dst[e] != 'e' {
		e--
	}
	digit := start
	if dst[digit] == '-' {
		digit++
	}
	exponent, negative := 0, dst[e+1] == '-'
	for _, c := range dst[e+2:] {
		exponent = exponent*10 + int(c-'0')
	}
	dst = dst[:e]
	if digit+1 == e {
		dst = append(dst, '.', '0')
	}
	dst = append(dst, 'E')
	if negative {
		dst = append(dst, '-')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}
