package thingsboard

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// A WSParts is what an ENTITY_DATA command asks of the entities of its query (contract 11.8).
type WSParts struct {
	// Latest are the keys of latestCmd; HasLatest says that there is one.
	HasLatest bool
	Latest    []model.EntityKey
	// Series are historyCmd and tsCmd, Aggregates the keys of aggHistoryCmd and aggTsCmd.
	Series     []WSSeries
	Aggregates []WSAggregate
}

// Any reports whether the command asks anything beside its query.
func (p *WSParts) Any() bool { return p.HasLatest || len(p.Series) > 0 || len(p.Aggregates) > 0 }

// A WSSeries is a range of history of some keys.
type WSSeries struct {
	Query model.RangeQuery // without tenant and entity; no Aggregates means raw points
	// Live says that what is written later is told, too.
	Live bool
	// Previous asks also for the newest point before the range.
	Previous bool
}

// A WSAggregate is one aggregate of one key over a whole range.
type WSAggregate struct {
	ID       int64
	Key      string
	Function model.Aggregates
	Live     bool
	From, To int64 // ms
	// Compare also asks for the range PreviousFrom to PreviousTo; OnlyPrevious for nothing else.
	Compare, OnlyPrevious    bool
	PreviousFrom, PreviousTo int64
}

type wireSeries struct {
	Keys         []string `json:"keys"`
	StartTS      wsInt    `json:"startTs"`
	EndTS        wsInt    `json:"endTs"`
	TimeWindow   wsInt    `json:"timeWindow"`
	IntervalType string   `json:"intervalType"`
	Interval     wsInt    `json:"interval"`
	TimeZone     string   `json:"timeZoneId"`
	Limit        wsInt    `json:"limit"`
	Agg          string   `json:"agg"`
	Previous     bool     `json:"fetchLatestPreviousPoint"`
}

type wireAggregates struct {
	Keys []struct {
		ID              wsInt  `json:"id"`
		Key             string `json:"key"`
		Agg             string `json:"agg"`
		PreviousStartTS wsInt  `json:"previousStartTs"`
		PreviousEndTS   wsInt  `json:"previousEndTs"`
		PreviousOnly    bool   `json:"previousValueOnly"`
	} `json:"keys"`
	StartTS    wsInt `json:"startTs"`
	EndTS      wsInt `json:"endTs"`
	TimeWindow wsInt `json:"timeWindow"`
}

// wireParts is an ENTITY_DATA command or one of its kin.
type wireParts struct {
	ID         wsInt           `json:"cmdId"`
	Query      json.RawMessage `json:"query"`
	Originator *wireRef        `json:"originatorId"`
	Latest     *struct {
		Keys []wireKey `json:"keys"`
	} `json:"latestCmd"`
	TS         *wireSeries     `json:"tsCmd"`
	History    *wireSeries     `json:"historyCmd"`
	AggHistory *wireAggregates `json:"aggHistoryCmd"`
	AggTS      *wireAggregates `json:"aggTsCmd"`
	Positions  bool            `json:"positions"`
	Resume     string          `json:"resume"`
}

// parseWSEntity reads a command that is about the entities of a query.
func parseWSEntity(kind string, raw json.RawMessage) WSCommand {
	var w wireParts
	if raw, _ = knownMembers(raw, wsMembers[kind]); raw == nil || json.Unmarshal(raw, &w) != nil {
		return WSCommand{Type: kind, ID: 1, Err: errWSParse}
	}
	c := WSCommand{
		Type: strings.TrimSuffix(kind, "_UNSUBSCRIBE"), ID: int64(w.ID), End: wsEntity[kind] == wsEnds,
		Positions: w.Positions || w.Resume != "", Resume: w.Resume,
	}
	if c.ID < 0 {
		c.Err = model.Invalidf("Cmd id is negative value!")
		return c
	}
	if string(w.Query) != "null" {
		c.Query = w.Query
	}
	if w.Originator != nil {
		c.EntityType, c.EntityID = model.EntityType(w.Originator.Type), w.Originator.ID
	}
	if kind == WSEntityData {
		c.wire = &w
	} else if kind == WSAlarmStatus && c.EntityID == "" {
		c.Err = model.Invalidf("originatorId is missing")
	}
	return c
}

// Parts checks what the command asks of each entity. Errors are Invalid.
func (c *WSCommand) Parts(o QueryOptions) (p WSParts, err error) {
	w := c.wire
	if w == nil {
		return p, nil
	}
	if w.Latest != nil {
		p.HasLatest = true
		if p.Latest, err = parseKeys(w.Latest.Keys, "latestCmd.keys"); err != nil {
			return p, err
		}
	}
	for _, part := range [...]struct {
		wire *wireSeries
		live bool
	}{{w.History, false}, {w.TS, true}} {
		if part.wire == nil {
			continue
		}
		s, err := part.wire.parse(part.live, o)
		if err != nil {
			return p, err
		}
		p.Series = append(p.Series, s)
	}
	for _, part := range [...]struct {
		wire *wireAggregates
		live bool
	}{{w.AggHistory, false}, {w.AggTS, true}} {
		if part.wire == nil {
			continue
		}
		list, err := part.wire.parse(part.live)
		if err != nil {
			return p, err
		}
		p.Aggregates = append(p.Aggregates, list...)
	}
	return p, nil
}

// endOf returns the end of a window, held to the end of time.
func endOf(start, window int64) int64 {
	if window > 0 && start > math.MaxInt64-window {
		return math.MaxInt64
	}
	return start + window
}

func (w *wireSeries) parse(live bool, o QueryOptions) (WSSeries, error) {
	s := WSSeries{Live: live, Previous: w.Previous}
	if len(w.Keys) == 0 {
		return s, model.Invalidf("Keys are empty!")
	}
	if len(w.Keys) > maxFindKeys {
		return s, model.Invalidf("%d keys exceed the limit of %d", len(w.Keys), maxFindKeys)
	}
	if w.TimeWindow < 0 {
		return s, model.Invalidf("Time window is negative value!")
	}
	var keys []string
	for _, k := range w.Keys { // a key may hold commas here
		if k == "" {
			return s, model.Invalidf("Incorrect ReadTsKvQuery. Key can't be empty")
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	from, to, limit := int64(w.StartTS), int64(w.EndTS), int(min(w.Limit, math.MaxInt32))
	if live {
		to = endOf(from, int64(w.TimeWindow))
	}
	p := HistoryParams{
		Key: keys, StartTS: &from, EndTS: &to, Agg: w.Agg, IntervalType: w.IntervalType,
		Interval: int64(w.Interval), TimeZone: w.TimeZone, Limit: &limit,
	}
	var err error
	s.Query, err = p.RangeQuery(o)
	return s, err
}

func (w *wireAggregates) parse(live bool) ([]WSAggregate, error) {
	if len(w.Keys) > maxFindKeys {
		return nil, model.Invalidf("%d keys exceed the limit of %d", len(w.Keys), maxFindKeys)
	}
	from, to := int64(w.StartTS), int64(w.EndTS)
	if live {
		to = endOf(from, int64(w.TimeWindow))
	}
	list := make([]WSAggregate, 0, len(w.Keys))
	for _, k := range w.Keys {
		f := aggregations[k.Agg]
		switch {
		case f == 0:
			return nil, model.Invalidf("Invalid value '%.64s' of parameter 'agg'", k.Agg)
		case k.Key == "":
			return nil, model.Invalidf("Keys are empty!")
		case from < 0 || to <= from:
			return nil, model.Invalidf("endTs must be after startTs, which must not be negative")
		case k.PreviousStartTS < 0:
			return nil, model.Invalidf("previousStartTs must not be negative")
		case k.PreviousEndTS < k.PreviousStartTS:
			return nil, model.Invalidf("previousEndTs must not be before previousStartTs")
		}
		list = append(list, WSAggregate{
			ID: int64(k.ID), Key: k.Key, Function: f, Live: live, From: from, To: to,
			Compare: k.PreviousEndTS > k.PreviousStartTS, OnlyPrevious: k.PreviousOnly,
			PreviousFrom: int64(k.PreviousStartTS), PreviousTo: int64(k.PreviousEndTS),
		})
	}
	return list, nil
}

// HasFilter reports whether the query of a command names entities.
func (c *WSCommand) HasFilter() bool {
	var q struct {
		Filter json.RawMessage `json:"entityFilter"`
	}
	return json.Unmarshal(c.Query, &q) == nil && len(q.Filter) > 0 && string(q.Filter) != "null"
}

// AppendWSCommandID adds how the frames of entity commands begin.
func AppendWSCommandID(dst []byte, id int64) []byte {
	return strconv.AppendInt(append(dst, wsCommandID...), id, 10)
}
