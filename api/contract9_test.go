package api_test

import (
	"fmt"
	"testing"
	"time"
)

// Contract thingsboard 9, line by line.

func ms(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04 -07", text)
	check(t, err)
	return at.UnixMilli()
}

// 9.1: fixed buckets begin with the range, the last one is cut, its stamp is the middle of what
// is left; empty ones are left out, and nothing is filled in.
func TestFixedBucketsBeginWithTheRange(t *testing.T) {
	w := newWorld(t)
	w.save(`[{"ts":0,"values":{"t":1}},{"ts":49999,"values":{"t":2}},{"ts":50000,"values":{"t":3}},{"ts":79999,"values":{"t":4}},{"ts":80000,"values":{"t":5}},{"ts":300001,"values":{"t":6}}]`)
	f := func(from, to, width int64, want string) {
		t.Helper()
		w.call("GET", w.at(fmt.Sprintf("/values/timeseries?keys=t&agg=SUM&startTs=%d&endTs=%d&interval=%d", from, to, width)), w.oneUser, "").is(200, want)
	}
	f(0, 80000, 50000, `{"t":[{"ts":25000,"value":"3"},{"ts":65000,"value":"7"}]}`) // the contract's own example
	f(1, 80001, 50000, `{"t":[{"ts":25001,"value":"5"},{"ts":65001,"value":"9"}]}`)
	f(0, 400000, 100000, `{"t":[{"ts":50000,"value":"15"},{"ts":350000,"value":"6"}]}`)
	f(300000, 300002, 50000, `{"t":[{"ts":300001,"value":"6"}]}`)
	f(300001, 300001, 50000, `{"t":[{"ts":300001,"value":"6"}]}`) // a millisecond; its middle is its beginning
	f(300001, 300000, 50000, `{"t":[{"ts":300001,"value":"6"}]}`)
	f(-7, 5, 3, `{"t":[{"ts":0,"value":"1"}]}`) // [-1, 2): -1 and a half of 3, rounded towards its beginning
	f(100000, 200000, 1000, `{}`)
}

// 9.1: calendar buckets begin where the clock of the zone does, on days of 23 and 25 hours too.
func TestCalendarBucketsFollowTheClock(t *testing.T) {
	w := newWorld(t)
	// A point an hour over the weeks around both changes of 2023 in Amsterdam.
	var body string
	for _, span := range [][2]string{{"2023-03-20 00:00 +01", "2023-04-05 00:00 +02"}, {"2023-10-20 00:00 +02", "2023-11-05 00:00 +01"}} {
		for at := ms(t, span[0]); at < ms(t, span[1]); at += 3600_000 {
			body += fmt.Sprintf(`,{"ts":%d,"values":{"t":1}}`, at)
		}
	}
	w.save("[" + body[1:] + "]")
	type bucket struct {
		from, to string
		count    int
	}
	f := func(unit, zone, from, to string, want ...bucket) {
		t.Helper()
		text := ""
		for _, b := range want {
			begin, end := ms(t, b.from), ms(t, b.to)
			text += fmt.Sprintf(`,{"ts":%d,"value":"%d"}`, begin+(end-begin)/2, b.count)
		}
		w.call("GET", w.at(fmt.Sprintf("/values/timeseries?keys=t&agg=COUNT&intervalType=%s&timeZone=%s&startTs=%d&endTs=%d", unit, zone, ms(t, from), ms(t, to))), w.oneUser, "").
			is(200, `{"t":[`+text[1:]+`]}`)
	}
	const amsterdam = "Europe/Amsterdam"
	f("DAY", amsterdam, "2023-03-25 06:00 +01", "2023-03-27 12:00 +02",
		bucket{"2023-03-25 06:00 +01", "2023-03-26 00:00 +01", 18}, // from startTs to the next boundary
		bucket{"2023-03-26 00:00 +01", "2023-03-27 00:00 +02", 23},
		bucket{"2023-03-27 00:00 +02", "2023-03-27 12:00 +02", 12}) // cut at endTs
	f("DAY", amsterdam, "2023-10-29 00:00 +02", "2023-10-31 00:00 +01",
		bucket{"2023-10-29 00:00 +02", "2023-10-30 00:00 +01", 25}, bucket{"2023-10-30 00:00 +01", "2023-10-31 00:00 +01", 24})
	f("HOUR", amsterdam, "2023-10-29 01:00 +02", "2023-10-29 04:00 +01", // the hour that comes twice is two
		bucket{"2023-10-29 01:00 +02", "2023-10-29 02:00 +02", 1}, bucket{"2023-10-29 02:00 +02", "2023-10-29 03:00 +02", 1},
		bucket{"2023-10-29 02:00 +01", "2023-10-29 03:00 +01", 1}, bucket{"2023-10-29 03:00 +01", "2023-10-29 04:00 +01", 1})
	// Sunday to Saturday, and Monday to Sunday: 26 March and 29 October are Sundays.
	f("WEEK", amsterdam, "2023-03-20 00:00 +01", "2023-04-02 00:00 +02",
		bucket{"2023-03-20 00:00 +01", "2023-03-26 00:00 +01", 6 * 24}, bucket{"2023-03-26 00:00 +01", "2023-04-02 00:00 +02", 7*24 - 1})
	f("WEEK_ISO", amsterdam, "2023-03-20 00:00 +01", "2023-04-03 00:00 +02",
		bucket{"2023-03-20 00:00 +01", "2023-03-27 00:00 +02", 7*24 - 1}, bucket{"2023-03-27 00:00 +02", "2023-04-03 00:00 +02", 7 * 24})
	f("MONTH", amsterdam, "2023-03-20 00:00 +01", "2023-04-05 00:00 +02",
		bucket{"2023-03-20 00:00 +01", "2023-04-01 00:00 +02", 12*24 - 1}, bucket{"2023-04-01 00:00 +02", "2023-04-05 00:00 +02", 4 * 24})
	f("QUARTER", amsterdam, "2023-01-01 00:00 +01", "2024-01-01 00:00 +01", // July to September are empty, and left out
		bucket{"2023-01-01 00:00 +01", "2023-04-01 00:00 +02", 12*24 - 1}, bucket{"2023-04-01 00:00 +02", "2023-07-01 00:00 +02", 4 * 24},
		bucket{"2023-10-01 00:00 +02", "2024-01-01 00:00 +01", 16*24 + 1})
	f("YEAR", amsterdam, "2022-06-01 00:00 +02", "2024-06-01 00:00 +02", bucket{"2023-01-01 00:00 +01", "2024-01-01 00:00 +01", 12*24 - 1 + 4*24 + 16*24 + 1})
	// An offset, another zone, and one that nobody knows: the server's, which is UTC here.
	f("DAY", "%2B02:00", "2023-10-29 00:00 +02", "2023-10-30 00:00 +02", bucket{"2023-10-29 00:00 +02", "2023-10-30 00:00 +02", 24})
	f("DAY", "Asia/Kolkata", "2023-10-29 00:00 +00", "2023-10-30 00:00 +00",
		bucket{"2023-10-29 00:00 +00", "2023-10-29 18:30 +00", 19}, bucket{"2023-10-29 18:30 +00", "2023-10-30 00:00 +00", 5})
	for _, zone := range []string{"UTC", "", "Nowhere/Land", "%2B99:00", "Local"} {
		f("DAY", zone, "2023-10-29 00:00 +00", "2023-10-30 00:00 +00", bucket{"2023-10-29 00:00 +00", "2023-10-30 00:00 +00", 24})
	}
}

// 9.2: what each function makes of what a bucket holds, and of which type.
func TestFunctionsFollowTheTypesOfABucket(t *testing.T) {
	w := newWorld(t)
	f := func(values string, results ...string) {
		t.Helper()
		w.call("DELETE", w.at("/timeseries/delete?keys=t&startTs=0&endTs=9000"), w.adminA, "").is(200)
		w.save(values)
		for i, agg := range []string{"COUNT", "SUM", "AVG", "MIN", "MAX"} {
			want := `{}`
			if results[i] != "" {
				want = `{"t":[{"ts":4500,"value":` + results[i] + `}]}`
			}
			w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=9000&interval=9000&useStrictDataTypes=true&agg="+agg), w.oneUser, "").is(200, want)
		}
	}
	three := func(a, b, c string) string {
		return `[{"ts":1,"values":{"t":` + a + `}},{"ts":2,"values":{"t":` + b + `}},{"ts":3,"values":{"t":` + c + `}}]`
	}
	f(three(`1`, `2`, `6`), `3`, `9`, `3.0`, `1`, `6`) // LONG only: LONG, but for AVG
	f(three(`1.5`, `2.5`, `0.5`), `3`, `4.5`, `1.5`, `0.5`, `2.5`)
	f(three(`1`, `2.5`, `4`), `3`, `7.5`, `2.5`, `1.0`, `4.0`)                               // LONG and DOUBLE together: DOUBLE
	f(three(`-100`, `-50.0`, `-70`), `3`, `-220.0`, `-73.33333333333333`, `-100.0`, `-50.0`) // no MAX starts from 0
	f(three(`0`, `0`, `0`), `3`, `0`, `0.0`, `0`, `0`)
	f(three(`0`, `-5`, `-3`), `3`, `-8`, `-2.6666666666666665`, `-5`, `0`)
	f(three(`"b"`, `"a"`, `"c"`), `3`, ``, ``, `"a"`, `"c"`)      // texts: by their letters, and no sum
	f(three(`"b"`, `7`, `"a"`), `3`, `7`, `7.0`, `7`, `7`)        // numbers there are: only they count, but for COUNT
	f(three(`true`, `false`, `true`), `3`, ``, ``, ``, ``)        // booleans
	f(three(`{"a":1}`, `[2]`, `{"a":3}`), `3`, ``, ``, ``, ``)    // JSON
	f(three(`true`, `"x"`, `{"a":1}`), `3`, ``, ``, `"x"`, `"x"`) // COUNT counts every point
	f(three(`true`, `4`, `2`), `3`, `6`, `3.0`, `2`, `4`)
	f(three(`9223372036854775807`, `1`, `0`), `3`, `9.223372036854776E18`, `3.0744573456182584E18`, `0`, `9223372036854775807`)
	f(three(`"10"`, `"9"`, `"2"`), `3`, `21`, `7.0`, `2`, `10`) // a text that is a number is one (4.2)
}

// 9.3 and 18: points are one a millisecond, and the later write is the one, whatever its type.
func TestTheLaterWriteOfAMillisecondIsThePoint(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{`1`, `2.5`, `"x"`, `true`, `{"a":1}`, `7`} {
		w.save(`{"ts":5,"values":{"t":` + v + `}}`)
		w.call("GET", w.at("/values/timeseries?keys=t&startTs=0&endTs=9&useStrictDataTypes=true"), w.oneUser, "").is(200, `{"t":[{"ts":5,"value":`+v+`}]}`)
	}
}
