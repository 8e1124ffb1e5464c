package model

import (
	"math"
	"strconv"
)

// A Type is the type of a value, kept per point exactly as it was sent. The numbers are
// part of the disk format: they are appended to, never reused.
type Type uint8

// The types of a value.
const (
	TypeNone   Type = iota // no value: the row lacks the key
	TypeNull               // an explicit null: in arrival-ordered scopes the key was removed
	TypeBool               //
	TypeInt                // int64
	TypeFloat              // float64, never NaN or infinite
	TypeString             // UTF-8 text
	TypeJSON               // compact JSON text of an object or array
)

// String returns the name used in messages and dumps.
func (t Type) String() string {
	switch t {
	case TypeNone:
		return "none"
	case TypeNull:
		return "null"
	case TypeBool:
		return "bool"
	case TypeInt:
		return "int"
	case TypeFloat:
		return "float"
	case TypeString:
		return "string"
	case TypeJSON:
		return "json"
	}
	return "type" + strconv.Itoa(int(t))
}

// IsNumber reports whether MIN, MAX, AVG and SUM look at the type.
func (t Type) IsNumber() bool { return t == TypeInt || t == TypeFloat }

// IsText reports whether the value is held as text.
func (t Type) IsText() bool { return t == TypeString || t == TypeJSON }

// A Value is one typed value. The zero Value is of TypeNone. Values are comparable: two
// are equal when type and bits are, so -0.0 differs from 0.0 as it does on disk.
type Value struct {
	text string
	bits uint64
	typ  Type
}

// Null returns the explicit null.
func Null() Value { return Value{typ: TypeNull} }

// Bool returns a boolean.
func Bool(b bool) Value {
	if b {
		return Value{typ: TypeBool, bits: 1}
	}
	return Value{typ: TypeBool}
}

// Int returns an int64.
func Int(i int64) Value { return Value{typ: TypeInt, bits: uint64(i)} }

// Float returns a float64. NaN and infinities are for the dialects to refuse.
func Float(f float64) Value { return Value{typ: TypeFloat, bits: math.Float64bits(f)} }

// String returns a text.
func String(s string) Value { return Value{typ: TypeString, text: s} }

// JSON returns an object or array from its compact text, which is not checked.
func JSON(s string) Value { return Value{typ: TypeJSON, text: s} }

// FromBits returns the value of a numeric, boolean or null type from its raw 64 bits.
func FromBits(t Type, bits uint64) Value { return Value{typ: t, bits: bits} }

// Type returns the type.
func (v Value) Type() Type { return v.typ }

// IsNone reports whether v is no value at all.
func (v Value) IsNone() bool { return v.typ == TypeNone }

// Bits returns the raw 64 bits: the integer, the IEEE 754 form, or 0 and 1.
func (v Value) Bits() uint64 { return v.bits }

// Bool returns the boolean of a TypeBool.
func (v Value) Bool() bool { return v.bits != 0 }

// Int returns the integer of a TypeInt.
func (v Value) Int() int64 { return int64(v.bits) }

// Float returns the float of a TypeFloat.
func (v Value) Float() float64 { return math.Float64frombits(v.bits) }

// Text returns the text of a TypeString or TypeJSON, else "".
func (v Value) Text() string { return v.text }

// Number returns an int or float as float64, and whether v is one.
func (v Value) Number() (float64, bool) {
	switch v.typ {
	case TypeInt:
		return float64(v.Int()), true
	case TypeFloat:
		return v.Float(), true
	}
	return 0, false
}

// GoString makes test failures readable.
func (v Value) GoString() string {
	switch v.typ {
	case TypeBool:
		return strconv.FormatBool(v.Bool())
	case TypeInt:
		return strconv.FormatInt(v.Int(), 10)
	case TypeFloat:
		return "float " + strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case TypeString:
		return strconv.Quote(v.text)
	case TypeJSON:
		return "json " + v.text
	}
	return v.typ.String()
}
