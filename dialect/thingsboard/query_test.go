package thingsboard

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func ms(v int64) *int64    { return &v }
func str(v string) *string { return &v }
func num(v int) *int       { return &v }
func yes(v bool) *bool     { return &v }

// query writes the answer of RangeQuery in one line; "!" marks ErrParameter.
func query(p HistoryParams, o QueryOptions) string {
	q, err := p.RangeQuery(o)
	if err != nil {
		mark := "error: "
		if errors.Is(err, ErrParameter) {
			mark = "error! "
		}
		return mark + model.MessageOf(err, "no message")
	}
	s := fmt.Sprintf("%s [%d,%d)", strings.Join(q.Keys, "|"), q.From, q.To)
	if q.Aggregates == 0 {
		return s + fmt.Sprintf(" limit %d desc %v", q.Limit, q.Descending)
	}
	s += fmt.Sprintf(" agg %d every %d/%d", q.Aggregates, q.Every.Unit, q.Every.Width)
	if q.Every.Zone != nil {
		s += " " + q.Every.Zone.String()
	}
	return s
}

func TestHistoryParameters(t *testing.T) {
	f := func(change func(*HistoryParams), want string) {
		t.Helper()
		p := HistoryParams{Keys: str("t,h"), StartTS: ms(0), EndTS: ms(60000)}
		change(&p)
		if got := query(p, QueryOptions{MaxLimit: 50000}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(func(p *HistoryParams) {}, "t|h [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Keys = nil }, " [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Keys = str("") }, " [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Key = []string{"a,b", "c"} }, "a,b|c [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Keys = str(" t, h,t,,") }, " t| h|t [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Keys = str("t,h,t") }, "t|h [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Keys = str("t,,h") }, "error: Incorrect ReadTsKvQuery. Key can't be empty")
	f(func(p *HistoryParams) { p.Key = []string{" "} }, "error: Incorrect ReadTsKvQuery. Key can't be empty")
	f(func(p *HistoryParams) { p.StartTS = nil }, "error! Required request parameter 'startTs' is not present")
	f(func(p *HistoryParams) { p.EndTS = nil }, "error! Required request parameter 'endTs' is not present")
	// raw
	f(func(p *HistoryParams) { p.Limit = num(7); p.OrderBy = "ASC" }, "t|h [0,60000) limit 7 desc false")
	f(func(p *HistoryParams) { p.Limit = num(0); p.OrderBy = "desc" }, "t|h [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Limit = num(1e6) }, "t|h [0,60000) limit 50000 desc true")
	f(func(p *HistoryParams) { p.Limit = num(-1) }, "error: Incorrect TsKvQuery. 'limit' must be greater than 0, but got -1")
	f(func(p *HistoryParams) { p.OrderBy = "UP" }, "error: Unsupported sort order 'UP'! Only 'ASC' or 'DESC' types are allowed.")
	f(func(p *HistoryParams) { p.Interval = 1000 }, "t|h [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Agg = "AVG" }, "t|h [0,60000) limit 100 desc true")
	f(func(p *HistoryParams) { p.Agg = "NONE"; p.IntervalType = "WEEK" }, "t|h [0,60000) limit 100 desc true")
	// aggregated
	for agg, want := range map[string]model.Aggregates{"MIN": model.Min, "MAX": model.Max, "AVG": model.Avg, "SUM": model.Sum, "COUNT": model.Count} {
		f(func(p *HistoryParams) { p.Agg, p.Interval = agg, 20000 }, fmt.Sprintf("t|h [0,60000) agg %d every 0/20000", want))
	}
	f(func(p *HistoryParams) { p.Agg, p.Interval, p.IntervalType = "MIN", 1, "MILLISECONDS" }, "t|h [0,60000) agg 8 every 0/1")
	f(func(p *HistoryParams) { p.Agg = "avg" }, "error! Invalid value 'avg' of parameter 'agg'")
	f(func(p *HistoryParams) { p.Agg, p.IntervalType = "AVG", "FORTNIGHT" }, "error! Invalid value 'FORTNIGHT' of parameter 'intervalType'")
	f(func(p *HistoryParams) { p.Agg, p.Interval = "AVG", -1 }, "error: Invalid TsKvQuery: 'interval' must be greater than 0, but got -1")
	for name, unit := range map[string]model.Unit{"HOUR": model.Hour, "DAY": model.Day, "WEEK": model.Week, "WEEK_ISO": model.ISOWeek,
		"MONTH": model.Month, "QUARTER": model.Quarter, "YEAR": model.Year} {
		f(func(p *HistoryParams) { p.Agg, p.IntervalType, p.TimeZone = "SUM", name, "Europe/Kyiv" },
			fmt.Sprintf("t|h [0,60000) agg 2 every %d/0 Europe/Kyiv", unit))
	}
}

func TestBucketGuard(t *testing.T) {
	f := func(from, to, interval int64, intervalType string, want string) {
		t.Helper()
		p := HistoryParams{Keys: str("t"), StartTS: &from, EndTS: &to, Agg: "AVG", Interval: interval, IntervalType: intervalType}
		got := ""
		if _, err := p.RangeQuery(QueryOptions{}); err != nil {
			got = strings.TrimSuffix(strings.TrimPrefix(err.Error(), "Incorrect TsKvQuery. Number of intervals is to high - "),
				". Please increase 'interval' parameter for your query or reduce the time range of the query.")
		}
		if got != want {
			t.Errorf("[%d,%d) by %d %s: got %q, want %q", from, to, interval, intervalType, got, want)
		}
	}
	f(0, 700_000, 1000, "", "")
	f(0, 700_999, 1000, "", "")
	f(0, 701_000, 1000, "", "701")
	f(0, 700_999, 1, "", "") // the guard counts at least a second
	f(0, 701_000, 1, "", "701")
	f(10_000, 9_001, 1000, "", "") // less than a step before the start
	f(10_000, 9_000, 1000, "", "-1")
	f(math.MinInt64, math.MaxInt64, 1000, "", "9223372036854775")
	f(math.MaxInt64, math.MinInt64, 1000, "", "-9223372036854775")
	f(0, 701*hour-1, 0, "HOUR", "")
	f(0, 701*hour, 0, "HOUR", "701")
	f(0, 701*day-1, 0, "DAY", "")
	f(0, 701*day, 0, "DAY", "701")
	f(0, 701*7*day-1, 0, "WEEK", "")
	f(0, 701*7*day, 0, "WEEK_ISO", "701")
	f(0, 701*30*day-1, 0, "MONTH", "")
	f(0, 701*30*day, 0, "MONTH", "701")
	f(0, 701*90*day-1, 0, "QUARTER", "")
	f(0, 701*90*day, 0, "QUARTER", "701")
	f(0, 701*365*day, 0, "YEAR", "701")
	p := HistoryParams{StartTS: ms(0), EndTS: ms(11_000), Agg: "AVG", Interval: 1000}
	if _, err := p.RangeQuery(QueryOptions{MaxBuckets: 10}); err == nil {
		t.Error("11 buckets passed a guard of 10")
	}
}

func TestLatestUnlessBothEndsAreGiven(t *testing.T) {
	for _, p := range []HistoryParams{{}, {StartTS: ms(1)}, {EndTS: ms(1)}} {
		if p.IsHistory() {
			t.Errorf("%+v is history", p)
		}
	}
	if p := (HistoryParams{StartTS: ms(1), EndTS: ms(2)}); !p.IsHistory() {
		t.Error("both ends given is latest")
	}
}

func TestZones(t *testing.T) {
	server := time.FixedZone("server", 5*3600)
	f := func(name string, want int) {
		t.Helper()
		_, got := time.UnixMilli(1700000000000).In(ParseZone(name, server)).Zone()
		if got != want {
			t.Errorf("%q: offset %d, want %d", name, got, want)
		}
	}
	f("", 5*3600)
	f("Europe/Kyiv", 2*3600)
	f("America/New_York", -5*3600)
	f("UTC", 0)
	f("Z", 0)
	f("+2", 2*3600)
	f("+02", 2*3600)
	f("-0830", -(8*3600 + 30*60))
	f("+05:45", 5*3600+45*60)
	f("UTC+3", 3*3600)
	f("GMT-03:30", -(3*3600 + 30*60))
	f("+01:02:03", 3723)
	// an unknown one is the server's
	for _, name := range []string{"Mars/Olympus", "Local", "+19", "+2:00", "+02:60", "UTC+", "+", "../etc/passwd", "+0x"} {
		f(name, 5*3600)
	}
	if ParseZone("nowhere", nil) != time.UTC {
		t.Error("without a server zone it is not UTC")
	}
}

func TestDeleteParameters(t *testing.T) {
	f := func(p DeleteParams, want string) {
		t.Helper()
		got := ""
		if d, err := p.DeleteRange(now); err != nil {
			got = "error: " + model.MessageOf(err, "no message")
		} else {
			got = fmt.Sprintf("%q [%d,%d) keep %v rewrite %v", d.Keys, d.From, d.To, d.KeepLatest, d.RewriteLatest)
			if d.Scope != model.Timeseries || d.Received != now {
				t.Errorf("scope %v, received %d", d.Scope, d.Received)
			}
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(DeleteParams{}, "error: Empty keys: []")
	f(DeleteParams{Keys: str(""), DeleteAllDataForKeys: true}, "error: Empty keys: []")
	f(DeleteParams{Keys: str("a,b"), DeleteAllDataForKeys: true}, `["a" "b"] [0,1700000123456) keep false rewrite false`)
	f(DeleteParams{Keys: str("a"), DeleteAllDataForKeys: true, StartTS: ms(5), EndTS: ms(6)}, `["a"] [0,1700000123456) keep false rewrite false`)
	f(DeleteParams{Key: []string{"a,b"}, StartTS: ms(5), EndTS: ms(6)}, `["a,b"] [5,6) keep false rewrite false`)
	f(DeleteParams{Keys: str("a"), StartTS: ms(5), EndTS: ms(6), DeleteLatest: yes(false), RewriteLatestIfDeleted: true}, `["a"] [5,6) keep true rewrite true`)
	f(DeleteParams{Keys: str("a"), StartTS: ms(5), EndTS: ms(6), DeleteLatest: yes(true)}, `["a"] [5,6) keep false rewrite false`)
	missing := "error: When deleteAllDataForKeys is false, start and end timestamp values shouldn't be empty"
	f(DeleteParams{Keys: str("a")}, missing)
	f(DeleteParams{Keys: str("a"), StartTS: ms(1)}, missing)
	f(DeleteParams{Keys: str("a"), EndTS: ms(1)}, missing)
}

func TestRemoveAttributes(t *testing.T) {
	set, err := RemoveAttributes(model.Shared, []string{"a", "b"}, now)
	if err != nil || dump(set) != "now a=null b=null" || set.Scope != model.Shared {
		t.Errorf("%v, %v", set, err)
	}
	if _, err := RemoveAttributes(model.Shared, nil, now); model.MessageOf(err, "") != "Empty keys: []" {
		t.Errorf("no keys: %v", err)
	}
	if _, err := RemoveAttributes(model.Shared, []string{" "}, now); model.MessageOf(err, "") != "Key cannot be blank" {
		t.Errorf("blank key: %v", err)
	}
}

func TestScopes(t *testing.T) {
	for _, scope := range model.AttributeScopes {
		got, err := ParseScope(ScopeName(scope))
		if err != nil || got != scope {
			t.Errorf("%v became %v, %v", scope, got, err)
		}
		got, err = ParseSaveScope(ScopeName(scope))
		if scope == model.Client {
			if model.MessageOf(err, "") != "Invalid scope: CLIENT_SCOPE" || errors.Is(err, ErrParameter) {
				t.Errorf("saving to Client: %v", err)
			}
		} else if err != nil || got != scope {
			t.Errorf("saving to %v: %v, %v", scope, got, err)
		}
	}
	if _, err := ParseScope("client"); !errors.Is(err, ErrParameter) {
		t.Errorf("unknown scope: %v", err)
	}
}

func TestDeviceAttributeSelection(t *testing.T) {
	f := func(clientKeys, sharedKeys *string, client, shared string) {
		t.Helper()
		c, s := SelectDeviceAttributes(clientKeys, sharedKeys)
		if got := fmt.Sprint(c.Wanted, c.Keys); got != client {
			t.Errorf("client %s, want %s", got, client)
		}
		if got := fmt.Sprint(s.Wanted, s.Keys); got != shared {
			t.Errorf("shared %s, want %s", got, shared)
		}
	}
	f(nil, nil, "true []", "true []")
	f(str("a,b"), nil, "true [a b]", "false []")
	f(nil, str("c"), "false []", "true [c]")
	f(str("a"), str("c"), "true [a]", "true [c]")
}

func TestManyKeysAreParsedOnce(t *testing.T) {
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprint("k", i))
	}
	if got := ParseKeys(nil, append(slices.Clone(keys), keys...)); !slices.Equal(got, keys) {
		t.Errorf("got %q", got)
	}
}
