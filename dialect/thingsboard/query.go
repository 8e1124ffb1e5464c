package thingsboard

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// ErrParameter marks a parameter that cannot even be converted: an unknown agg, a missing
// endTs. It arrives inside a *model.Error. Clients get it as the JSON error body with code
// 31, other failures of these routes as plain text (contract 1.5).
var ErrParameter = errors.New("thingsboard: bad parameter")

func parameterError(e *model.Error) error {
	e.Err = ErrParameter
	return e
}

// QueryOptions are the server's bounds on history queries.
type QueryOptions struct {
	// MaxBuckets bounds the buckets of one query (ts_max_intervals). Zero means 700.
	MaxBuckets int64
	// MaxLimit bounds limit. Zero means unlimited.
	MaxLimit int
	// Export leaves out the default limit and the bound of buckets: all there is is wanted.
	Export bool
	// Zone is the server's, used where a query names none or an unknown one. Nil means UTC.
	Zone *time.Location
}

// HistoryParams are the parameters of a history query as a client gave them (contract 8.3).
// Nil and "" mean not given.
type HistoryParams struct {
	Keys           *string  // comma list, not trimmed
	Key            []string // replaces Keys when it holds anything
	StartTS, EndTS *int64   // ms
	Agg            string
	Aggs           []string // several in place of Agg: an addition of ours
	IntervalType   string
	Interval       int64 // ms
	TimeZone       string
	Limit          *int
	OrderBy        string
}

// IsHistory reports whether both ends of the range are given; with one or none the common
// route answers latest (8.2).
func (p *HistoryParams) IsHistory() bool { return p.StartTS != nil && p.EndTS != nil }

const (
	defaultLimit      = 100
	DefaultMaxBuckets = 700
	minGuardStep      = 1000 // ms

	hour = int64(3600 * 1000)
	day  = 24 * hour
)

// aggregations are the functions of agg; NONE is no function.
// FIRST and LAST are additions of ours.
var aggregations = map[string]model.Aggregates{
	"NONE": 0, "MIN": model.Min, "MAX": model.Max, "AVG": model.Avg, "SUM": model.Sum, "COUNT": model.Count,
	"FIRST": model.First, "LAST": model.Last,
}

// aligned are buckets at multiples of the interval since the epoch, an addition of ours.
const aligned = "ALIGNED"

// intervalTypes are the calendar units, with the length the bucket guard counts them as.
// HOUR, DAY and YEAR are additions of ours.
var intervalTypes = map[string]struct {
	unit model.Unit
	step int64 // ms
}{
	"HOUR":     {model.Hour, hour},
	"DAY":      {model.Day, day},
	"WEEK":     {model.Week, 7 * day},
	"WEEK_ISO": {model.ISOWeek, 7 * day},
	"MONTH":    {model.Month, 30 * day},
	"QUARTER":  {model.Quarter, 90 * day},
	"YEAR":     {model.Year, 365 * day},
}

// Functions returns the aggregates asked for, in their order; none means points.
func (p *HistoryParams) Functions() ([]model.Aggregates, error) {
	f, ok := aggregations[cmp.Or(p.Agg, "NONE")]
	switch {
	case !ok:
		return nil, parameterError(model.Invalidf("Invalid value '%.64s' of parameter 'agg'", p.Agg))
	case len(p.Aggs) == 0 && f == 0:
		return nil, nil
	case len(p.Aggs) == 0:
		return []model.Aggregates{f}, nil
	case f != 0:
		return nil, model.Invalidf("Parameters 'agg' and 'aggs' exclude each other")
	}
	var list []model.Aggregates
	for _, name := range p.Aggs {
		if f := aggregations[name]; f == 0 {
			return nil, parameterError(model.Invalidf("Invalid value '%.64s' of parameter 'aggs'", name))
		} else if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list, nil
}

// RangeQuery checks the parameters and fills in the defaults; the caller adds tenant and
// entity. A query whose Aggregates are empty is raw, otherwise they are those of Functions. A
// query without keys is answered with an empty object.
func (p *HistoryParams) RangeQuery(o QueryOptions) (model.RangeQuery, error) {
	q := model.RangeQuery{Scope: model.Timeseries}
	functions, err := p.Functions()
	if err != nil {
		return q, err
	}
	unit, calendar := intervalTypes[p.IntervalType]
	if !calendar && p.IntervalType != "" && p.IntervalType != "MILLISECONDS" && p.IntervalType != aligned {
		return q, parameterError(model.Invalidf("Invalid value '%.64s' of parameter 'intervalType'", p.IntervalType))
	}
	switch {
	case p.StartTS == nil:
		return q, parameterError(model.Invalidf("Required request parameter 'startTs' is not present"))
	case p.EndTS == nil:
		return q, parameterError(model.Invalidf("Required request parameter 'endTs' is not present"))
	}
	q.From, q.To = *p.StartTS, *p.EndTS
	descending, err := p.descending()
	if err != nil {
		return q, err
	}
	if q.Keys, err = p.keys(); err != nil {
		return q, err
	}
	if p.Interval < 0 {
		return q, model.Invalidf("Invalid TsKvQuery: 'interval' must be greater than 0, but got %d", p.Interval)
	}
	if len(p.Aggs) > 0 && !calendar && p.Interval == 0 {
		return q, model.Invalidf("Parameter 'aggs' needs an interval")
	}
	if len(functions) == 0 || !calendar && p.Interval == 0 {
		q.Descending = descending
		q.Limit, err = p.limit(&o)
		return q, err
	}
	for _, f := range functions {
		q.Aggregates |= f
	}
	q.Every = model.Interval{Unit: model.Fixed, Width: p.Interval}
	if p.IntervalType == aligned {
		q.Every.Unit = model.Aligned
	}
	step := max(p.Interval, minGuardStep)
	if calendar {
		q.Every = model.Interval{Unit: unit.unit, Zone: ParseZone(p.TimeZone, o.Zone)}
		step = unit.step
	}
	n := span(q.From, q.To) / step
	if n < 0 || n > cmp.Or(o.MaxBuckets, DefaultMaxBuckets) && !o.Export {
		return q, model.Invalidf("Incorrect TsKvQuery. Number of intervals is to high - %d. "+
			"Please increase 'interval' parameter for your query or reduce the time range of the query.", n)
	}
	return q, nil
}

// span returns to-from, held to the ends of int64 where it would overflow.
func span(from, to int64) int64 {
	d := to - from
	switch {
	case to > from && d < 0:
		return math.MaxInt64
	case to < from && d > 0:
		return math.MinInt64
	}
	return d
}

func (p *HistoryParams) descending() (bool, error) {
	switch strings.ToUpper(p.OrderBy) {
	case "", "DESC":
		return true, nil
	case "ASC":
		return false, nil
	}
	return false, model.Invalidf("Unsupported sort order '%.64s'! Only 'ASC' or 'DESC' types are allowed.", p.OrderBy)
}

func (p *HistoryParams) limit(o *QueryOptions) (int, error) {
	limit := defaultLimit
	if o.Export {
		limit = 0
	}
	if p.Limit != nil && *p.Limit != 0 {
		limit = *p.Limit
	}
	if limit < 0 {
		return 0, model.Invalidf("Incorrect TsKvQuery. 'limit' must be greater than 0, but got %d", limit)
	}
	if o.MaxLimit > 0 {
		limit = min(limit, o.MaxLimit)
	}
	return limit, nil
}

func (p *HistoryParams) keys() ([]string, error) {
	keys := ParseKeys(p.Keys, p.Key)
	for _, key := range keys {
		if strings.TrimSpace(key) == "" {
			return nil, model.Invalidf("Incorrect ReadTsKvQuery. Key can't be empty")
		}
	}
	return keys, nil
}

// ParseKeys returns the keys a client asks for: those of the repeated parameter key, which
// may hold commas, or else of the comma list keys, not trimmed (contract 8). Repeats are
// dropped, as are empty ends of the list. None is nil.
func ParseKeys(list *string, repeated []string) []string {
	all := repeated
	if len(all) == 0 && list != nil && *list != "" {
		all = strings.Split(*list, ",")
		for len(all) > 0 && all[len(all)-1] == "" {
			all = all[:len(all)-1]
		}
	}
	if len(all) == 0 {
		return nil
	}
	keys := make([]string, 0, len(all))
	var seen map[string]bool
	if len(all) > linearKeys {
		seen = make(map[string]bool, len(all))
	}
	for _, key := range all {
		if seen != nil && seen[key] || seen == nil && slices.Contains(keys, key) {
			continue
		}
		if seen != nil {
			seen[key] = true
		}
		keys = append(keys, key)
	}
	return keys
}
