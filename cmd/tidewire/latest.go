package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/client"
	"github.com/tidewire/tidewire/model"
)

// A reading is a value of a key of an entity.
type reading struct {
	EntityType string          `json:"entityType"`
	EntityID   model.ID        `json:"entityId"`
	Entity     string          `json:"entity"` // as the person wrote it
	Key        string          `json:"key"`
	TS         int64           `json:"ts"` // ms
	Value      json.RawMessage `json:"value"`
}

var readingColumns = []column[reading]{
	{"entity", func(r reading) string { return r.Entity }},
	{"key", func(r reading) string { return r.Key }},
	{"time", func(r reading) string { return clock(r.TS) }},
	{"value", func(r reading) string { return show(r.Value) }},
}

// latest prints the newest value of each key. Keys without one are left out.
func (c *queryCmd) latest(ctx context.Context, api *client.ClientWithResponses, targets []target, w io.Writer) error {
	params := &client.GetTimeseriesParams{UseStrictDataTypes: new(true)}
	if len(c.Keys) > 0 {
		params.Key = &c.Keys
	}
	var rows []reading
	for _, t := range targets {
		answer, err := api.GetTimeseriesWithResponse(ctx, client.EntityTypePath(t.kind), t.id, params)
		if err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		series := *answer.JSON200
		for _, key := range slices.Sorted(maps.Keys(series)) {
			for _, p := range series[key] {
				if string(p.Value) != "null" { // a key without a value
					rows = append(rows, reading{t.kind, t.id, t.name, key, p.TS, p.Value})
				}
			}
		}
	}
	return printRows(w, c.Format, readingColumns, rows)
}

// listKeys prints the names of the series there are.
func (c *queryCmd) listKeys(ctx context.Context, api *client.ClientWithResponses, targets []target, w io.Writer) error {
	type named struct {
		Entity string `json:"entity"`
		Key    string `json:"key"`
	}
	var rows []named
	for _, t := range targets {
		answer, err := api.GetTimeseriesKeysWithResponse(ctx, client.EntityTypePath(t.kind), t.id)
		if err != nil {
			return fmt.Errorf("list the keys of %s: %w", t.name, err)
		}
		keys := slices.Clone(*answer.JSON200)
		slices.SortFunc(keys, strings.Compare)
		for _, key := range keys {
			rows = append(rows, named{t.name, key})
		}
	}
	return printRows(w, c.Format, []column[named]{
		{"entity", func(n named) string { return n.Entity }},
		{"key", func(n named) string { return n.Key }},
	}, rows)
}
