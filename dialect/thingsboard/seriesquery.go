package thingsboard

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// A SeriesQuery asks for the history of many series in one call: an addition to the contract,
// in its terms.
type SeriesQuery struct {
	// Refs names the entities. It is nil where Find chooses them.
	Refs []model.EntityRef
	Find *model.FindQuery

	// Range has what the series have in common. Its Keys are nil where all are asked for, its
	// Aggregates are empty where the points are.
	Range model.RangeQuery
	// Functions are Range.Aggregates in the order asked for.
	Functions []model.Aggregates
	// By says which series stay apart; the others are added up. Points are never added up.
	By Dimensions
	// Stamp says which instant of a bucket is told.
	Stamp Stamp
	// Fill says what is told where there is no result. Nil leaves such buckets out.
	Fill *Fill

	PageSize int    // points of a page; 0: not told
	Cursor   string // "" at the beginning
	// Fingerprint tells queries apart whose pages must not be mixed.
	Fingerprint uint32
}

// A Stamp is an instant of a bucket.
type Stamp uint8

// The stamps.
const (
	StampStart Stamp = iota
	StampMiddle
	StampEnd
)

// Of returns the instant of b, ms.
func (s Stamp) Of(b *model.Bucket) int64 {
	switch s {
	case StampMiddle:
		return b.Mid()
	case StampEnd:
		return b.To
	}
	return b.From
}

const (
	// MaxSeriesEntities bounds the entities of a query.
	MaxSeriesEntities = 10_000
	maxSeriesKeys     = 1024
	// MaxSeriesPage bounds the points of a page.
	MaxSeriesPage = 1_000_000
)

type wireSeriesQuery struct {
	Entities  []wireRef       `json:"entities"`
	Filter    json.RawMessage `json:"entityFilter"`
	Where     json.RawMessage `json:"keyFilters"`
	Operation string          `json:"keyFiltersOperation"`

	Scope      string   `json:"scope"`
	Keys       []string `json:"keys"`
	StartTS    *int64   `json:"startTs"`
	EndTS      *int64   `json:"endTs"`
	Aggregates []string `json:"aggregates"`

	Interval     *int64 `json:"interval"`
	IntervalType string `json:"intervalType"`
	TimeZone     string `json:"timeZone"`
	Stamp        string `json:"stamp"`

	Fill json.RawMessage `json:"fill"`

	GroupBy  *[]string `json:"groupBy"`
	OrderBy  string    `json:"orderBy"`
	Limit    *int      `json:"limit"`
	PageSize *int      `json:"pageSize"`
	Cursor   string    `json:"cursor"`
}

// ParseSeriesQuery reads the body of a query over many series for whoever asks. Errors are
// Invalid and name the member; so are members it does not know, for a word mistyped would
// change the answer. o is as for histories, its MaxLimit left aside.
func ParseSeriesQuery(body []byte, who model.Principal, o QueryOptions) (*SeriesQuery, error) {
	var w wireSeriesQuery
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(&w)
	if err == nil {
		if _, behind := d.Token(); behind != io.EOF {
			return nil, model.Invalidf("Failed to parse the query: there is something behind the object")
		}
	}
	if err != nil {
		trouble := jsonTrouble(err)
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			trouble = "the member " + name + " is unknown"
		}
		return nil, &model.Error{Kind: model.Invalid, Message: "Failed to parse the query: " + trouble, Err: err}
	}
	q := &SeriesQuery{Cursor: w.Cursor}
	for _, step := range []func(*SeriesQuery) error{
		func(q *SeriesQuery) error { return w.entities(q, who) },
		w.series, w.span, w.aggregates,
		func(q *SeriesQuery) error { return w.buckets(q, o) },
		w.groups, w.page,
	} {
		if err := step(q); err != nil {
			return nil, err
		}
	}
	w.PageSize, w.Cursor = nil, ""
	canonical, err := json.Marshal(&w)
	q.Fingerprint = crc32.ChecksumIEEE(canonical)
	return q, err
}

func (w *wireSeriesQuery) entities(q *SeriesQuery, who model.Principal) (err error) {
	switch {
	case w.Filter != nil && w.Entities != nil:
		return model.Invalidf("entities and entityFilter exclude each other")
	case w.Filter != nil:
		find := wireFind{Operation: w.Operation}
		for _, part := range []struct {
			raw json.RawMessage
			dst any
		}{{w.Filter, &find.Filter}, {w.Where, &find.Conditions}} {
			if part.raw == nil {
				continue
			}
			if err := json.Unmarshal(part.raw, part.dst); err != nil {
				return &model.Error{Kind: model.Invalid, Message: "Failed to parse the query: " + jsonTrouble(err), Err: err}
			}
		}
		q.Find, err = find.query(who)
		return err
	case w.Where != nil || w.Operation != "":
		return model.Invalidf("keyFilters belong to an entityFilter")
	case len(w.Entities) == 0:
		return model.Invalidf("entities or entityFilter is missing")
	case len(w.Entities) > MaxSeriesEntities:
		return model.Invalidf("%d entities exceed the limit of %d", len(w.Entities), MaxSeriesEntities)
	}
	q.Refs = make([]model.EntityRef, 0, len(w.Entities))
	seen := make(map[model.EntityRef]bool, len(w.Entities))
	for i, e := range w.Entities {
		id, err := model.ParseID(e.ID)
		if err != nil {
			return model.Invalidf("entities[%d].id: Invalid UUID string: %.64q", i, e.ID)
		}
		ref := model.EntityRef{Type: model.EntityType(e.Type), ID: model.EntityID(id)}
		if e.Type == "" {
			return model.Invalidf("entities[%d].entityType is missing", i)
		}
		if !seen[ref] {
			seen[ref] = true
			q.Refs = append(q.Refs, ref)
		}
	}
	return nil
}

func (w *wireSeriesQuery) series(q *SeriesQuery) (err error) {
	q.Range.Scope = model.Timeseries
	if w.Scope != "" && w.Scope != "TIMESERIES" {
		if q.Range.Scope, err = ParseScope(w.Scope); err != nil {
			return model.Invalidf("scope must be TIMESERIES or the scope of attributes, is %.32q", w.Scope)
		}
	}
	if len(w.Keys) > maxSeriesKeys {
		return model.Invalidf("%d keys exceed the limit of %d", len(w.Keys), maxSeriesKeys)
	}
	for i, key := range w.Keys {
		if strings.TrimSpace(key) == "" {
			return model.Invalidf("keys[%d] is blank", i)
		}
	}
	q.Range.Keys = ParseKeys(nil, w.Keys)
	return nil
}

func (w *wireSeriesQuery) span(q *SeriesQuery) error {
	switch {
	case w.StartTS == nil:
		return model.Invalidf("startTs is missing")
	case w.EndTS == nil:
		return model.Invalidf("endTs is missing")
	case *w.EndTS <= *w.StartTS:
		return model.Invalidf("endTs must be greater than startTs")
	}
	q.Range.From, q.Range.To = *w.StartTS, *w.EndTS
	return nil
}

func (w *wireSeriesQuery) aggregates(q *SeriesQuery) error {
	for i, name := range w.Aggregates {
		f, ok := AggregateOf(name)
		if !ok {
			return model.Invalidf("aggregates[%d] %.32q is unknown; there are %s", i, name, strings.Join(aggregateNames[:], ", "))
		}
		if !q.Range.Aggregates.Has(f) {
			q.Range.Aggregates |= f
			q.Functions = append(q.Functions, f)
		}
	}
	return nil
}

func (w *wireSeriesQuery) buckets(q *SeriesQuery, o QueryOptions) error {
	if q.Range.Aggregates == 0 {
		if w.Interval != nil || w.IntervalType != "" || w.Stamp != "" || w.Fill != nil {
			return model.Invalidf("interval, intervalType, stamp and fill need aggregates")
		}
		return nil
	}
	var err error
	if q.Fill, err = parseFill(w.Fill); err != nil {
		return err
	}
	stamps := [...]string{"START", "MIDDLE", "END"}
	if w.Stamp != "" {
		at := slices.Index(stamps[:], w.Stamp)
		if at < 0 {
			return model.Invalidf("stamp must be START, MIDDLE or END, is %.32q", w.Stamp)
		}
		q.Stamp = Stamp(at)
	}
	zone := o.Zone
	if w.TimeZone != "" {
		var ok bool
		if zone, ok = LookupZone(w.TimeZone); !ok {
			return model.Invalidf("timeZone %.64q is unknown", w.TimeZone)
		}
	}
	every := &q.Range.Every
	switch unit, calendar := intervalTypes[w.IntervalType]; {
	case calendar && w.Interval != nil:
		return model.Invalidf("interval and intervalType %s exclude each other", w.IntervalType)
	case calendar:
		*every = model.Interval{Unit: unit.unit, Zone: zone}
	case w.Interval == nil && w.IntervalType != "":
		return model.Invalidf("intervalType must be %s, or interval is missing", "HOUR, DAY, WEEK, WEEK_ISO, MONTH, QUARTER or YEAR")
	case w.Interval == nil:
		*every = model.Interval{Unit: model.Fixed, Width: max(span(q.Range.From, q.Range.To), 1)} // one bucket
	case *w.Interval < 1:
		return model.Invalidf("interval must be at least 1 ms, is %d", *w.Interval)
	default:
		*every = model.Interval{Unit: model.Aligned, Width: *w.Interval}
		switch w.IntervalType {
		case "", aligned:
		case "MILLISECONDS":
			every.Unit = model.Fixed
		default:
			return model.Invalidf("intervalType %.32q is unknown", w.IntervalType)
		}
	}
	return nil
}

func (w *wireSeriesQuery) groups(q *SeriesQuery) error {
	q.By = ByEntity | ByKey
	if w.GroupBy == nil {
		return nil
	}
	q.By = 0
	for i, name := range *w.GroupBy {
		at := slices.Index(dimensionNames[:], name)
		if at < 0 {
			return model.Invalidf("groupBy[%d] %.32q is unknown; there are %s", i, name, strings.Join(dimensionNames[:], ", "))
		}
		q.By |= 1 << at
	}
	if q.Range.Aggregates == 0 && q.By&(ByEntity|ByKey) != ByEntity|ByKey {
		return model.Invalidf("Points are told by entity and key: groupBy needs aggregates")
	}
	return nil
}

func (w *wireSeriesQuery) page(q *SeriesQuery) error {
	switch w.OrderBy {
	case "", "ASC":
	case "DESC":
		q.Range.Descending = true
	default:
		return model.Invalidf("orderBy must be ASC or DESC, is %.32q", w.OrderBy)
	}
	if q.Range.Aggregates != 0 {
		if w.OrderBy == "DESC" || w.Limit != nil || w.PageSize != nil || w.Cursor != "" {
			return model.Invalidf("Aggregates are told whole and in ascending order: orderBy DESC, limit, pageSize and cursor are for points")
		}
		return nil
	}
	if w.Limit != nil {
		if *w.Limit < 1 {
			return model.Invalidf("limit must be at least 1, is %d", *w.Limit)
		}
		q.Range.Limit = *w.Limit
	}
	if w.PageSize != nil {
		if *w.PageSize < 1 || *w.PageSize > MaxSeriesPage {
			return model.Invalidf("pageSize must be from 1 to %d, is %d", MaxSeriesPage, *w.PageSize)
		}
		q.PageSize = *w.PageSize
	}
	return nil
}
