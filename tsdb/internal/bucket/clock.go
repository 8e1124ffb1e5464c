package bucket

import (
	"math"
	"time"

	"github.com/tidewire/tidewire/model"
)

const (
	hour = 3600 * 1000 // ms
	day  = 24 * hour

	// margin is more than any zone ever was away from UTC, and more than any transition
	// moved a clock: Manila and Alaska repeated or skipped a day.
	margin = 49 * hour
)

// A period is a span of time in which a zone keeps one offset.
type period struct {
	start, end int64 // ms, half open; the ends of int64 stand for no end
	offset     int64 // ms east of UTC
}

// A clock answers for one zone. It remembers the period it was last asked about: a scan
// walks through time, and a lookup in a zone costs a search.
type clock struct {
	zone *time.Location
	last period
}

func newClock(zone *time.Location, ts int64) clock {
	c := clock{zone: zone}
	c.last = c.lookup(ts)
	return c
}

// period returns the longest span around ts with the offset of ts.
func (c *clock) period(ts int64) period {
	if ts < c.last.start || ts >= c.last.end {
		c.last = c.lookup(ts)
	}
	return c.last
}

func (c *clock) lookup(ts int64) period {
	p := c.bounds(ts)
	// A transition may change nothing but a name. There are a few in a row at most, but the
	// search is bounded: beyond the zone's table it could follow its rule for ever.
	for range 16 {
		if p.start == math.MinInt64 {
			break
		}
		q := c.bounds(p.start - 1)
		if q.offset != p.offset {
			break
		}
		p.start = q.start
	}
	for range 16 {
		if p.end == math.MaxInt64 {
			break
		}
		q := c.bounds(p.end)
		if q.offset != p.offset {
			break
		}
		p.end = q.end
	}
	return p
}

func (c *clock) bounds(ts int64) period {
	t := time.UnixMilli(ts).In(c.zone)
	_, seconds := t.Zone()
	p := period{math.MinInt64, math.MaxInt64, int64(seconds) * 1000}
	start, end := t.ZoneBounds()
	// Beyond a zone's table, where its rule holds, package time ends the last period of a
	// leap year a day early: on 31 December the bounds do not hold the instant.
	if !start.IsZero() {
		if p.start = start.UnixMilli(); p.start > ts {
			p.start = floor(ts, day)
		}
		// Where the rule takes over from the table within a year, package time lets its first
		// period begin with that year: what the table has up to then tells when it began.
		if _, before := start.ZoneBounds(); !before.IsZero() && before.UnixMilli() > p.start && before.UnixMilli() <= ts {
			p.start = before.UnixMilli()
		}
	}
	if !end.IsZero() {
		if p.end = end.UnixMilli(); p.end <= ts {
			p.end = add(floor(ts, day), day)
		}
	}
	return p
}

// hour returns the bucket of one hour around ts.
func (c *clock) hour(ts int64) (start, end int64) {
	p := c.period(ts)
	start = add(floor(add(ts, p.offset), hour), -p.offset)
	end = add(start, hour)
	return max(start, p.start), min(end, p.end)
}

// dates returns the bucket of a unit of whole days around ts.
func (c *clock) dates(ts int64, unit model.Unit) (start, end int64) {
	from, to := span(c.high(ts), unit)
	return c.instant(from), c.instant(to)
}

// high returns the furthest the local clock has been by ts, as ms of local time. It is what
// it reads, unless it was set back shortly before.
func (c *clock) high(ts int64) int64 {
	p := c.period(ts)
	high := add(ts, p.offset)
	for at := p.start; at != math.MinInt64 && at > add(ts, -margin); {
		q := c.bounds(at - 1)
		high = max(high, add(at-1, q.offset))
		at = q.start
	}
	return high
}

// instant returns the first instant at which the local clock reads local or has passed it.
func (c *clock) instant(local int64) int64 {
	ts := add(local, -c.last.offset)
	if add(ts, -margin) >= c.last.start && ts < c.last.end {
		return ts
	}
	for ts = add(local, -margin); ; {
		p := c.period(ts)
		if at := max(add(local, -p.offset), p.start); at < p.end || p.end == math.MaxInt64 {
			return at
		}
		ts = p.end
	}
}

// span returns the unit of whole days in which local lies, as ms of local time.
func span(local int64, unit model.Unit) (from, to int64) {
	switch unit {
	case model.Day:
		from = floor(local, day)
		return from, add(from, day)
	case model.Week, model.ISOWeek:
		from = add(floor(add(local, weekday(unit)), 7*day), -weekday(unit))
		return from, add(from, 7*day)
	}
	year, month := civil(floorDiv(local, day))
	switch unit {
	case model.Month:
		return firstOf(year, month), firstOf(year, month+1)
	case model.Quarter:
		month = (month-1)/3*3 + 1
		return firstOf(year, month), firstOf(year, month+3)
	}
	return firstOf(year, 1), firstOf(year+1, 1)
}

// ordinal numbers the units of whole days.
func ordinal(local int64, unit model.Unit) int64 {
	switch unit {
	case model.Day:
		return floorDiv(local, day)
	case model.Week, model.ISOWeek:
		return floorDiv(add(local, weekday(unit)), 7*day)
	}
	year, month := civil(floorDiv(local, day))
	switch unit {
	case model.Month:
		return 12*year + month - 1
	case model.Quarter:
		return 4*year + (month-1)/3
	}
	return year
}

// weekday returns how far into its week the epoch, a Thursday, was.
func weekday(unit model.Unit) int64 {
	if unit == model.ISOWeek {
		return 3 * day
	}
	return 4 * day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil returns year and month (1 to 12) of a day of the proleptic Gregorian calendar,
// counted from the epoch. Years are counted from March, so the leap day comes last, in
// eras of 400 years, which have 146,097 days (Howard Hinnant, "chrono-compatible low-level
// date algorithms"). time.Time would do, but spends more on what is not asked.
func civil(days int64) (year, month int64) {
	days += 719468 // 0000-03-01
	era := floorDiv(days, 146097)
	d := days - era*146097
	y := (d - d/1460 + d/36524 - d/146096) / 365
	m := (5*(d-(365*y+y/4-y/100)) + 2) / 153
	year, month = y+era*400, m+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month
}

// firstOf returns midnight of the first day of a month, as ms of local time. The month may
// be one or more after the year's end.
func firstOf(year, month int64) int64 {
	year += (month - 1) / 12
	month = (month-1)%12 + 1
	m := month - 3
	if month < 3 {
		year, m = year-1, month+9
	}
	era := floorDiv(year, 400)
	y := year - era*400
	days := era*146097 + 365*y + y/4 - y/100 + (153*m+2)/5 - 719468
	if days > math.MaxInt64/day {
		return math.MaxInt64
	}
	if days < math.MinInt64/day {
		return math.MinInt64
	}
	return days * day
}
