package thingsboard

import (
	"strings"
	"time"
)

// ParseZone returns the zone a client named: an IANA name or an offset in the forms Java
// reads (Z, +2, +02, +0200, +02:00, +02:00:00, each also behind UTC, GMT or UT). An unknown
// one silently is fallback (contract 8.3), and a nil fallback is UTC.
func ParseZone(name string, fallback *time.Location) *time.Location {
	if zone, ok := LookupZone(name); ok {
		return zone
	}
	if fallback == nil {
		return time.UTC
	}
	return fallback
}

// LookupZone returns the zone of a name as ParseZone reads it, and whether there is one.
func LookupZone(name string) (*time.Location, bool) {
	switch name {
	case "", "Local":
		return nil, false
	case "Z", "UTC", "GMT", "UT":
		return time.UTC, true
	}
	offset := name
	for _, prefix := range [...]string{"UTC", "GMT", "UT"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			offset = rest
			break
		}
	}
	if seconds, ok := parseOffset(offset); ok {
		return time.FixedZone(name, seconds), true
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// parseOffset reads ±h, ±hh, ±hhmm, ±hh:mm, ±hhmmss and ±hh:mm:ss, at most 18 hours.
func parseOffset(s string) (seconds int, ok bool) {
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	digits := s[1:]
	switch {
	case len(digits) == 1:
		digits = "0" + digits
	case len(digits) == 5 && digits[2] == ':':
		digits = digits[:2] + digits[3:]
	case len(digits) == 8 && digits[2] == ':' && digits[5] == ':':
		digits = digits[:2] + digits[3:5] + digits[6:]
	}
	if n := len(digits); n != 2 && n != 4 && n != 6 {
		return 0, false
	}
	var part [3]int
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return 0, false
		}
		part[i/2] = part[i/2]*10 + int(digits[i]-'0')
	}
	seconds = part[0]*3600 + part[1]*60 + part[2]
	if part[1] > 59 || part[2] > 59 || seconds > 18*3600 {
		return 0, false
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
