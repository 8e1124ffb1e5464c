package thingsboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewire/tidewire/model"
)

const (
	// maxFraction is how many fraction digits a float may be sent with (contract 4.2);
	// a decimal with more is kept as a string.
	maxFraction = 16
	// maxExponent bounds how many digits an exponent may stand for, because a number that
	// fits no number type is kept as its plain digits: 1E999999999 would be a gigabyte.
	maxExponent = 1000
)

// cannotParse is the text for a value no rule covers.
func cannotParse(raw string) *problem {
	if len(raw) > 64 {
		raw = strings.ToValidUTF8(raw[:64], "") + "…"
	}
	return &problem{badValue, "Can't parse value: " + raw}
}

// stringValue types a JSON string: a number where it looks like one and coercion is on.
func (p *Parser) stringValue(s string) (model.Value, error) {
	if !p.o.KeepNumericStrings && isPlainNumber(s) {
		return p.numberValue(s)
	}
	if limit := p.o.MaxStringLength; limit > 0 && len(s) > limit {
		if n := utf8.RuneCountInString(s); n > limit {
			return model.Value{}, &problem{badValue, fmt.Sprintf(
				"String value length [%d] is greater than maximum allowed [%d]", n, limit)}
		}
	}
	return model.String(s), nil
}

// isPlainNumber reports whether s is an optional minus, digits, and an optional point with
// digits behind it.
func isPlainNumber(s string) bool {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	start := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == start {
		return false
	}
	if i == len(s) {
		return true
	}
	if s[i] != '.' {
		return false
	}
	i++
	start = i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i == len(s) && i > start
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// numberValue types a literal: -?digits[.digits][e[±]digits]. Leading zeros are allowed,
// because strings may have them.
func (p *Parser) numberValue(lit string) (model.Value, error) {
	d, ok := splitDecimal(lit)
	if !ok {
		return model.Value{}, cannotParse(lit)
	}
	plain := d.point && !d.exponent // 42.0 is a float, 4.2E1 is not
	if !plain && d.integral() {
		if v, ok := d.int(); ok {
			return model.Int(v), nil
		}
		if p.o.KeepNumericStrings {
			return model.Value{}, &problem{badValue, "Big integer values are not supported!"}
		}
		return model.String(d.plain()), nil
	}
	if d.scale > maxFraction {
		return model.String(d.plain()), nil
	}
	f, err := strconv.ParseFloat(lit, 64)
	if err != nil || math.IsInf(f, 0) {
		return model.Value{}, cannotParse(lit)
	}
	return model.Float(f), nil
}

// A decimal is digits times ten to the power of -scale.
type decimal struct {
	negative bool
	digits   string // no leading zeros; "" is zero
	scale    int
	point    bool // it was written with a point
	exponent bool // it was written with an exponent
}

// splitDecimal takes a literal apart; ok is false when its exponent is out of bounds.
func splitDecimal(lit string) (d decimal, ok bool) {
	if lit[0] == '-' {
		d.negative, lit = true, lit[1:]
	}
	exponent := 0
	if at := strings.IndexAny(lit, "eE"); at >= 0 {
		d.exponent = true
		var err error
		if exponent, err = strconv.Atoi(lit[at+1:]); err != nil {
			exponent = maxExponent + 1
			if lit[at+1] == '-' {
				exponent = -exponent
			}
		}
		lit = lit[:at]
	}
	whole, fraction, point := strings.Cut(lit, ".")
	d.point = point
	d.digits = whole
	if fraction != "" {
		d.digits = whole + fraction
	}
	d.digits = strings.TrimLeft(d.digits, "0")
	if d.digits == "" && d.exponent {
		return d, true // zero, whatever the exponent
	}
	if exponent > maxExponent || exponent < -maxExponent {
		return d, false
	}
	d.scale = len(fraction) - exponent
	return d, true
}

// integral reports whether d has no fraction but zeros.
func (d *decimal) integral() bool {
	if d.scale <= 0 || d.digits == "" {
		return true
	}
	return len(d.digits) > d.scale && strings.Trim(d.digits[len(d.digits)-d.scale:], "0") == ""
}

// int returns the value of an integral d that fits int64.
func (d *decimal) int() (int64, bool) {
	if d.digits == "" {
		return 0, true
	}
	digits := d.digits
	if d.scale > 0 {
		digits = digits[:len(digits)-d.scale]
	}
	if len(digits)-min(d.scale, 0) > 19 {
		return 0, false
	}
	u, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	for range -d.scale {
		u *= 10 // at most 19 digits: no overflow
	}
	switch {
	case u <= math.MaxInt64:
		if d.negative {
			return -int64(u), true
		}
		return int64(u), true
	case d.negative && u == 1<<63:
		return math.MinInt64, true
	}
	return 0, false
}

// plain returns d written without exponent and without leading zeros; integral values that
// were not written with a plain point are written without one.
func (d *decimal) plain() string {
	var b strings.Builder
	if d.negative && d.digits != "" {
		b.WriteByte('-')
	}
	digits, scale := d.digits, d.scale
	if scale > 0 && d.integral() && (d.exponent || !d.point) {
		digits, scale = digits[:len(digits)-scale], 0
	}
	if digits == "" {
		digits = "0"
	}
	if scale <= 0 {
		b.WriteString(digits)
		b.WriteString(strings.Repeat("0", -scale))
		return b.String()
	}
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	b.WriteString(digits[:len(digits)-scale])
	b.WriteByte('.')
	b.WriteString(digits[len(digits)-scale:])
	return b.String()
}

// tsValue reads a timestamp, ms: a number or a numeric string. Fractions are cut off.
func tsValue(lit string) (int64, error) {
	if !isPlainNumber(lit) && !isNumber(lit) {
		return 0, cannotParse(lit)
	}
	d, ok := splitDecimal(lit)
	if !ok {
		return 0, cannotParse(lit)
	}
	if d.scale >= len(d.digits) && d.scale > 0 {
		return 0, nil
	}
	if d.scale > 0 {
		d.digits, d.scale = d.digits[:len(d.digits)-d.scale], 0
	}
	ts, ok := d.int()
	if !ok {
		return 0, cannotParse(lit)
	}
	return ts, nil
}

// isNumber reports whether s is a number literal of strict JSON.
func isNumber(s string) bool {
	end, ok := scanNumber(s, 0)
	return ok && end == len(s)
}

// scanNumber returns the end of the strict JSON number that begins at i.
func scanNumber[T string | []byte](b T, i int) (end int, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	if i == start || i-start > 1 && b[start] == '0' {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		i++
		start = i
		for i < len(b) && isDigit(b[i]) {
			i++
		}
		if i == start {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		for i < len(b) && isDigit(b[i]) {
			i++
		}
		if i == start {
			return i, false
		}
	}
	return i, true
}
