package model

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// An ID is a UUID. New ones are version 7, so ids sort by creation.
type ID [16]byte

// A TenantID names an isolation unit: nothing of one tenant is visible to another.
type TenantID ID

// An EntityID names anything that may own series: a device, an asset, a customer, a tenant.
type EntityID ID

// A CustomerID names a group of users inside a tenant. [NoCustomer] means none.
type CustomerID ID

// A UserID names a person who logs in.
type UserID ID

// NoCustomer is the constant that stands for "assigned to no customer" on the wire
// (contract thingsboard 1.2).
var NoCustomer = CustomerID{0x13, 0x81, 0x40, 0x00, 0x1d, 0xd2, 0x11, 0xb2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}

// NewID returns a version 7 UUID (RFC 9562 5.7) of the instant now. A nil random reads
// crypto/rand. It panics when random fails: a server without randomness cannot be safe.
func NewID(now time.Time, random io.Reader) ID {
	if random == nil {
		random = rand.Reader
	}
	var id ID
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		panic(fmt.Sprintf("model: read randomness: %v", err))
	}
	ms := now.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID reads the 36 character form. Upper case is accepted.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, Invalidf("Invalid UUID string: %.64q", s)
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return ID{}, Invalidf("Invalid UUID string: %.64q", s)
	}
	return id, nil
}

// Append adds the 36 character form to dst.
func (id ID) Append(dst []byte) []byte {
	dst = hex.AppendEncode(dst, id[:4])
	for _, part := range [][2]int{{4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		dst = append(dst, '-')
		dst = hex.AppendEncode(dst, id[part[0]:part[1]])
	}
	return dst
}

// String returns the 36 character form in lower case.
func (id ID) String() string { return string(id.Append(make([]byte, 0, 36))) }

// IsZero reports whether id was never set.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return id.Append(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

func (id TenantID) String() string   { return ID(id).String() }
func (id EntityID) String() string   { return ID(id).String() }
func (id CustomerID) String() string { return ID(id).String() }
func (id UserID) String() string     { return ID(id).String() }
