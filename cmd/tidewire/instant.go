package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseInstant reads a time as people write it: a date, a date with a time, both with or without
// a zone (then that of the machine), milliseconds since 1970, or a duration, which counts from
// now: backwards, or forwards with sign 1.
func parseInstant(text string, now time.Time, sign int) (int64, error) {
	if text == "now" {
		return now.UnixMilli(), nil
	}
	if d, err := parseDuration(text); err == nil {
		return now.Add(time.Duration(sign) * d).UnixMilli(), nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil { //nolint:gosmopolitan // a person's clock
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time: write 2026-11-21, 2026-11-21T08:00, milliseconds since 1970, or a duration such as 90m or 7d", text)
}

// parseDuration reads Go's durations and days, such as 1h30m or 7d.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || n > 100_000 {
			return 0, fmt.Errorf("%q is no number of days", text)
		}
		return time.Duration(n * float64(24*time.Hour)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration such as 90m or 7d", text)
	}
	return d, nil
}
