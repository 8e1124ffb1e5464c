package bucket

import (
	"archive/zip"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A zoneFile is a zone of the database that Go embeds, and the periods its file lists.
type zoneFile struct {
	name    string
	data    string
	periods []period
}

var (
	epoch   = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	horizon = time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// everyZone reads the database of the toolchain, which time/tzdata is made of. Zones that are
// another name of one read before are left out.
func everyZone(t *testing.T) (zones []zoneFile) {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	seen := map[string]bool{}
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if in.Close(); seen[string(b)] {
			continue
		}
		seen[string(b)] = true
		zones = append(zones, zoneFile{f.Name, string(b), parseZone(t, f.Name, b)})
	}
	return zones
}

// parseZone reads the 64-bit part of a TZif file (RFC 8536): its transitions and offsets, those
// that change no offset left out. Behind the last one a rule holds, which is found out by
// asking package time for the offset of every day: such transitions are months apart.
func parseZone(t *testing.T, name string, b []byte) []period {
	t.Helper()
	counts := func(b []byte) (n [6]int) { // isutc, isstd, leap, time, type, char
		if string(b[:4]) != "TZif" {
			t.Fatalf("%s is no zone", name)
		}
		for i := range n {
			n[i] = int(binary.BigEndian.Uint32(b[20+4*i:]))
		}
		return n
	}
	all := b
	n := counts(b)
	b = b[44+5*n[3]+6*n[4]+n[5]+8*n[2]+n[1]+n[0]:]
	n = counts(b)
	b = b[44:]
	times, types, infos := b, b[8*n[3]:], b[9*n[3]:]
	offset := func(i int) int64 { return int64(int32(binary.BigEndian.Uint32(infos[6*i:]))) * 1000 }
	out := []period{{start: -1 << 60, offset: offset(0)}}
	for i := range n[3] {
		at := int64(binary.BigEndian.Uint64(times[8*i:]))
		if at < -1<<40 {
			at = -1 << 40
		}
		o := offset(int(types[i]))
		if last := &out[len(out)-1]; o != last.offset {
			last.end = at * 1000
			out = append(out, period{start: at * 1000, offset: o})
		}
	}
	zone, err := time.LoadLocationFromTZData(name, all)
	if err != nil {
		t.Fatal(err)
	}
	at := func(ts int64) int64 {
		_, s := time.UnixMilli(ts).In(zone).Zone()
		return int64(s) * 1000
	}
	for ts := max(out[len(out)-1].start, epoch); ts < horizon+800*day; ts += day {
		last := &out[len(out)-1]
		if at(ts+day) == last.offset {
			continue
		}
		lo, hi := ts, ts+day
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; at(mid) == last.offset {
				lo = mid
			} else {
				hi = mid
			}
		}
		last.end = hi
		out = append(out, period{start: hi, offset: at(hi)})
	}
	out[len(out)-1].end = 1 << 60
	return out
}

// aDate is a day of the calendar that all zones share, as ms of local time.
type aDate struct {
	local  int64
	begins [model.Year + 1]bool // a unit with this day
}

// dates lists the days from 1968 to 2039 by package time, in UTC.
func listDates() (out []aDate) {
	for d := time.Date(1968, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2040; d = d.AddDate(0, 0, 1) {
		var a aDate
		a.local = d.UnixMilli()
		a.begins[model.Day] = true
		a.begins[model.Week] = d.Weekday() == time.Sunday
		a.begins[model.ISOWeek] = d.Weekday() == time.Monday
		a.begins[model.Month] = d.Day() == 1
		a.begins[model.Quarter] = d.Day() == 1 && d.Month()%3 == 1
		a.begins[model.Year] = d.YearDay() == 1
		out = append(out, a)
	}
	return out
}

// slowDates returns where each date begins in a zone: the first instant at which some period's
// clock has it or has passed it.
func slowDates(periods []period, dates []aDate) []int64 {
	out := make([]int64, len(dates))
	first := 0
	for i, d := range dates {
		for periods[first].end < d.local-4*day {
			first++
		}
		for _, p := range periods[first:] {
			if at := max(p.start, d.local-p.offset); at < p.end {
				out[i] = at
				break
			}
		}
	}
	return out
}

// slowHours returns where hours begin in [from, to): where a clock reads a full hour, and where
// it is moved.
func slowHours(periods []period, from, to int64) (out []int64) {
	for _, p := range periods {
		lo, hi := max(p.start, from), min(p.end, to)
		if lo >= hi {
			continue
		}
		if lo == p.start {
			out = append(out, lo)
		}
		for local := floor(lo+p.offset+hour-1, hour); local-p.offset < hi; local += hour {
			if at := local - p.offset; at != p.start {
				out = append(out, at)
			}
		}
	}
	return out
}

// around is how far from a transition buckets of a unit are compared: some of them on either
// side.
var around = [...]int64{
	model.Hour: 30 * hour, model.Day: 4 * day, model.Week: 15 * day, model.ISOWeek: 15 * day, model.Month: 65 * day,
	model.Quarter: 190 * day, model.Year: 400 * day,
}

// Around every transition of every zone from 1970 to 2037 the buckets of each unit begin where
// a slow calendar says, ascend, and tile the range: days of 23 and 25 hours, days that are
// skipped, clocks moved by half an hour. A test run draws two units a transition, a soak
// (TIDEWIRE_SEEDS) meets all.
func TestCalendarBucketsAgreeWithASlowCalendarInEveryZone(t *testing.T) {
	all := os.Getenv("TIDEWIRE_SEEDS") != ""
	rng := rand.New(rand.NewPCG(1970, 2037))
	calendar := listDates()
	zones := everyZone(t)
	transitions, compared := 0, 0
	for _, z := range zones {
		zone, err := time.LoadLocationFromTZData(z.name, []byte(z.data))
		if err != nil {
			t.Fatal(err)
		}
		begins := slowDates(z.periods, calendar)
		for _, p := range z.periods[1:] {
			if p.start < epoch || p.start >= horizon {
				continue
			}
			transitions++
			for _, ts := range [...]int64{p.start, p.end - 1} { // package time reads the file alike
				if _, s := time.UnixMilli(ts).In(zone).Zone(); ts < horizon && int64(s)*1000 != p.offset {
					t.Fatalf("%s at %d: offset %d, want %d", z.name, ts, s, p.offset/1000)
				}
			}
			one := model.Hour + model.Unit(rng.IntN(2))
			other := model.Week + model.Unit(rng.IntN(5))
			for unit := model.Hour; unit <= model.Year; unit++ {
				if all || unit == one || unit == other {
					from := p.start - around[unit] - rng.Int64N(day)
					compareZone(t, &z, zone, unit, from, p.start+around[unit]+rng.Int64N(day), calendar, begins)
					compared++
				}
			}
		}
	}
	if len(zones) < 300 || transitions < 15_000 {
		t.Errorf("%d zones, %d transitions: the database is not whole", len(zones), transitions)
	}
	t.Logf("%d zones, %d transitions, %d ranges compared", len(zones), transitions, compared)
}

func compareZone(t *testing.T, z *zoneFile, zone *time.Location, unit model.Unit, from, to int64, calendar []aDate, begins []int64) {
	t.Helper()
	want := []int64{from}
	if unit == model.Hour {
		for _, at := range slowHours(z.periods, from, to) {
			if at > from {
				want = append(want, at)
			}
		}
	} else {
		i, _ := slices.BinarySearch(begins, from+1)
		for ; i < len(begins) && begins[i] < to; i++ {
			if calendar[i].begins[unit] && begins[i] != want[len(want)-1] {
				want = append(want, begins[i])
			}
		}
	}
	c, err := New(from, to, model.Interval{Unit: unit, Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	if n := c.Count(); n != int64(len(want)) && (unit != model.Day || n != int64(len(want))+1) { // a day that was skipped is counted
		t.Errorf("%s unit %d over [%d,%d): Count %d, want %d", z.name, unit, from, to, n, len(want))
	}
	at := from
	for i, begin := range want {
		start, end, ok := c.Next()
		if !ok || start != at || start != begin || end <= start {
			t.Fatalf("%s unit %d over [%d,%d): bucket %d is [%s, %s), want it from %s", z.name, unit, from, to, i,
				time.UnixMilli(start).In(zone), time.UnixMilli(end).In(zone), time.UnixMilli(begin).In(zone))
		}
		at = end
	}
	if _, _, ok := c.Next(); ok || at != to {
		t.Fatalf("%s unit %d over [%d,%d) ends at %d", z.name, unit, from, to, at)
	}
}
