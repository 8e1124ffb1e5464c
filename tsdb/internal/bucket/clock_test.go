package bucket

import (
	"slices"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// zones are the usual ones and those that did something unusual since 1970.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul", "Europe/Dublin",
	"Europe/Kiev", "Europe/Volgograd", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
	"America/Anchorage", "America/Phoenix", "America/Mexico_City", "America/Bogota", "America/Argentina/Buenos_Aires",
	"Asia/Tokyo", "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Dubai", "Asia/Jerusalem", "Asia/Seoul",
	"Australia/Sydney", "Australia/Adelaide", "Australia/Eucla", "Pacific/Auckland", "Pacific/Honolulu",
	"America/Sao_Paulo",          // midnight skipped, 23:00 repeated
	"America/Havana",             // midnight repeated
	"America/St_Johns",           // moved at 00:01: a date begins twice
	"America/Asuncion",           // midnight skipped
	"America/Santiago",           // midnight skipped
	"America/Scoresbysund",       // midnight skipped
	"America/Caracas",            // moved by half an hour
	"America/Godthab",            // moved at 22:00 the day before
	"Asia/Beirut",                // midnight skipped
	"Asia/Damascus",              // midnight skipped
	"Asia/Gaza",                  // moved at many hours
	"Asia/Tehran",                // midnight skipped, 3:30
	"Asia/Amman",                 // moved at midnight and at 24:00
	"Asia/Pyongyang",             // moved by half an hour
	"Asia/Dhaka",                 // moved at 23:00 and 24:00
	"Asia/Manila",                // moved at midnight
	"Africa/Cairo",               // moved at midnight and at 24:00
	"Africa/Casablanca",          // summer time but in Ramadan, negative DST
	"Africa/Monrovia",            // 44 minutes 30 seconds until 1972
	"Africa/Juba",                // midnight skipped
	"Africa/Windhoek",            // negative DST
	"Antarctica/Troll",           // moved by two hours
	"Antarctica/Casey",           // moved by three hours
	"Atlantic/Azores",            // midnight skipped
	"Australia/Lord_Howe",        // moved by half an hour
	"Pacific/Apia",               // skipped 30 December 2011
	"Pacific/Fakaofo",            // skipped 30 December 2011
	"Pacific/Kwajalein",          // skipped 21 August 1993
	"Pacific/Kiritimati",         // skipped 31 December 1994
	"Pacific/Enderbury",          // skipped 31 December 1994
	"Pacific/Easter",             // moved at 22:00 the day before
	"Pacific/Chatham",            // 45 minutes, moved at 2:45
	"Pacific/Norfolk",            // moved by half an hour
	"Indian/Mauritius",           // moved at midnight
	"America/Argentina/San_Luis", // moved at midnight to and fro
}

// The rule itself, second by second: a date begins when the furthest the clock has been
// reaches it.
func TestDatesBeginWhenTheClockFirstReachesThem(t *testing.T) {
	f := func(name, around string) {
		t.Helper()
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.DateOnly, around)
		if err != nil {
			t.Fatal(err)
		}
		from, to := at.UnixMilli()-2*day, at.UnixMilli()+2*day
		want := []int64{from}
		furthest := 0
		for ts := from - 3*day; ts < to; ts += 1000 {
			y, m, d := time.UnixMilli(ts).In(zone).Date()
			if date := y*400 + int(m)*31 + d; date > furthest {
				furthest = date
				if ts > from {
					want = append(want, ts)
				}
			}
		}
		var got []int64
		for _, b := range all(t, from, to, model.Interval{Unit: model.Day, Zone: zone}) {
			got = append(got, b.start)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s around %s: %v, want %v", name, around, got, want)
		}
	}
	f("Europe/Berlin", "2025-03-30")
	f("Europe/Berlin", "2025-10-26")
	f("America/Sao_Paulo", "2018-11-04")
	f("America/Sao_Paulo", "2018-02-18")
	f("America/Havana", "2012-11-04")
	f("America/St_Johns", "2006-10-29")
	f("America/St_Johns", "2006-04-02")
	f("Asia/Beirut", "2022-03-27")
	f("Pacific/Apia", "2011-12-30")
	f("Pacific/Kwajalein", "1993-08-21")
	f("Africa/Monrovia", "1972-01-07")
	f("Antarctica/Troll", "2024-03-31")
	f("Australia/Lord_Howe", "2024-04-07")
}

func TestDaysOf23And25HoursHaveAsManyHourBuckets(t *testing.T) {
	f := func(year int, month time.Month, day, hours int) {
		t.Helper()
		zone, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(year, month, day, 0, 0, 0, 0, zone)
		to := time.Date(year, month, day+1, 0, 0, 0, 0, zone)
		c, err := New(from.UnixMilli(), to.UnixMilli(), model.Interval{Unit: model.Hour, Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		n := len(all(t, from.UnixMilli(), to.UnixMilli(), model.Interval{Unit: model.Hour, Zone: zone}))
		if n != hours || c.Count() != int64(hours) {
			t.Errorf("%s: %d buckets, Count %d, want %d", from, n, c.Count(), hours)
		}
		if d := all(t, from.UnixMilli(), to.UnixMilli(), model.Interval{Unit: model.Day, Zone: zone}); len(d) != 1 {
			t.Errorf("%s: %d day buckets", from, len(d))
		}
	}
	f(2025, time.March, 30, 23)
	f(2025, time.October, 26, 25)
	f(2025, time.June, 1, 24)
}
