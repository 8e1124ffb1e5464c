package importer

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The layouts of a time without a zone, tried in this order.
var localLayouts = []string{
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
	"2006/01/02 15:04:05",
	"2006/01/02",
}

// ParseZone reads an IANA zone name, "UTC", or a fixed offset such as -08:00 or +0530.
func ParseZone(s string) (*time.Location, error) {
	if s == "" || s == "Z" {
		return time.UTC, nil
	}
	if s[0] == '+' || s[0] == '-' {
		for _, layout := range []string{"-07:00", "-0700", "-07"} {
			if t, err := time.Parse(layout, s); err == nil {
				_, offset := t.Zone()
				return time.FixedZone(s, offset), nil
			}
		}
		return nil, fmt.Errorf("zone %q is not an offset such as -08:00", s)
	}
	zone, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		return nil, fmt.Errorf("zone %q is neither an IANA name such as Europe/Kyiv nor an offset such as -08:00", s)
	}
	return zone, nil
}

// parseTime reads a time and returns ms: RFC 3339, a local time in zone, or seconds or
// milliseconds since 1970 as a plain number.
func parseTime(s string, zone *time.Location) (int64, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UnixMilli(), nil
	}
	for _, layout := range localLayouts {
		if wall, err := time.Parse(layout, s); err == nil {
			t, ok := inZone(wall, zone)
			if !ok {
				return 0, fmt.Errorf("the time %s does not exist in %s", s, zone)
			}
			return t.UnixMilli(), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		// Seconds reach 11 digits in the year 5138, milliseconds had 12 since 2001.
		if n > -1e11 && n < 1e11 {
			return n * 1000, nil
		}
		return n, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e11 {
		return int64(math.Round(f * 1000)), nil
	}
	return 0, fmt.Errorf("%.40q is not a time", s)
}

// inZone returns the first instant at which the clocks of zone show wall, and whether
// there is one. The offsets in force a day before and a day after include every offset
// that can be in force at that reading.
func inZone(wall time.Time, zone *time.Location) (first time.Time, ok bool) {
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(near).In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, got := t.In(zone).Zone(); got != offset {
			continue
		}
		if !ok || t.Before(first) {
			first, ok = t, true
		}
	}
	return first, ok
}
