package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidewire/tidewire/client"
	"github.com/tidewire/tidewire/model"
)

type queryCmd struct {
	connection `embed:""`

	Entity   []string `arg:"" help:"Devices by name or id, others as ASSET:name."`
	Keys     []string `help:"Only these keys. Default: all." placeholder:"KEY"`
	ListKeys bool     `help:"Print the keys there are, and no values."`

	From  string   `help:"Begin of a history: a time, or a duration back from now such as 90m or 7d. Default: the latest values." placeholder:"TIME"`
	To    string   `help:"Its end, exclusive." default:"now" placeholder:"TIME"`
	Agg   []string `help:"Aggregates in place of points: count, sum, avg, min, max, first, last." placeholder:"AGG"`
	Every string   `help:"Width of their buckets: a duration such as 15m, or hour, day, week, week-iso, month, quarter, year. Default: one bucket."`
	Zone  string   `help:"Time zone of days and what is longer: an IANA name or an offset such as -08:00. Default: the server's."`
	Total bool     `help:"Add up the entities: one series for each key."`
	Order string   `help:"asc or desc, by time." default:"asc" enum:"asc,desc"`
	Limit int      `help:"The most points of a series. Default: no bound." placeholder:"N"`

	Format string `help:"table, csv, json or ndjson." default:"table" enum:"table,csv,json,ndjson"`
}

// Validate implements kong's check of a parsed command.
func (c *queryCmd) Validate() error {
	history := len(c.Agg) > 0 || c.Every != "" || c.Zone != "" || c.Total || c.Limit != 0
	switch {
	case c.From == "" && history:
		return errors.New("--agg, --every, --zone, --total and --limit are for a history: say --from")
	case c.Every != "" && len(c.Agg) == 0:
		return errors.New("--every cuts aggregates: say --agg")
	case c.ListKeys && c.From != "":
		return errors.New("--list-keys tells what there is, whenever it was: leave --from out")
	case c.Limit < 0:
		return fmt.Errorf("--limit: %d is less than 1", c.Limit)
	}
	return nil
}

// A target is an entity a command is about.
type target struct {
	name string // as the person wrote it
	kind string
	id   model.ID
}

// Run prints what was asked for.
func (c *queryCmd) Run(ctx context.Context, s *streams) error {
	query := client.SeriesQuery{}
	if c.From != "" {
		if err := c.describe(&query); err != nil {
			return err
		}
	}
	api, err := c.open(c.credentials())
	if err != nil {
		return err
	}
	targets := make([]target, len(c.Entity))
	for i, name := range c.Entity {
		kind, id, err := find(ctx, api, name)
		if err != nil {
			return err
		}
		targets[i] = target{name, kind, id}
	}
	switch {
	case c.ListKeys:
		return c.listKeys(ctx, api, targets, s.out)
	case c.From == "":
		return c.latest(ctx, api, targets, s.out)
	}
	entities := make([]client.EntityID, len(targets))
	for i, t := range targets {
		entities[i] = client.EntityID{EntityType: client.EntityType(t.kind), ID: t.id}
	}
	query.Entities = &entities
	return c.history(ctx, api, query, s.out)
}

// calendar has the buckets that are no durations.
var calendar = []string{"HOUR", "DAY", "WEEK", "WEEK_ISO", "MONTH", "QUARTER", "YEAR"}

// describe fills in everything of a history but whose it is.
func (c *queryCmd) describe(q *client.SeriesQuery) (err error) {
	now := time.Now()
	if q.StartTS, err = parseInstant(c.From, now, -1); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	if q.EndTS, err = parseInstant(c.To, now, -1); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if len(c.Keys) > 0 {
		q.Keys = &c.Keys
	}
	if len(c.Agg) > 0 {
		var aggregates []client.SeriesQueryAggregates
		for _, name := range c.Agg {
			a := client.SeriesQueryAggregates(strings.ToUpper(name))
			if !a.Valid() {
				return fmt.Errorf("--agg: %q is none of count, sum, avg, min, max, first, last", name)
			}
			aggregates = append(aggregates, a)
		}
		q.Aggregates = &aggregates
	}
	if unit := strings.ReplaceAll(strings.ToUpper(c.Every), "-", "_"); slices.Contains(calendar, unit) {
		q.IntervalType = new(client.SeriesQueryIntervalType(unit))
	} else if c.Every != "" {
		width, err := parseDuration(c.Every)
		if err != nil || width < time.Millisecond {
			return fmt.Errorf("--every: %q is neither a duration such as 15m nor one of hour, day, week, week-iso, month, quarter, year", c.Every)
		}
		q.Interval = new(width.Milliseconds())
	}
	if c.Zone != "" {
		q.TimeZone = &c.Zone
	}
	if c.Total {
		q.GroupBy = &[]client.SeriesQueryGroupBy{client.SeriesQueryGroupByKey}
	}
	if c.Limit > 0 {
		q.Limit = &c.Limit
	}
	q.OrderBy = new(client.SeriesQueryOrderBy(strings.ToUpper(c.Order)))
	return nil
}

// accepted are the media types of formats that the server writes itself. A table is made of
// lines of JSON.
var accepted = map[string]string{
	formatTable:  "application/x-ndjson",
	formatNDJSON: "application/x-ndjson",
	formatCSV:    "text/csv",
	formatJSON:   "application/json",
}

// history streams: what the server sends is not kept.
func (c *queryCmd) history(ctx context.Context, api *client.ClientWithResponses, q client.SeriesQuery, w io.Writer) (err error) {
	if c.Format == formatJSON {
		q.PageSize = new(1_000_000) // the most the server gives
	}
	res, err := api.QuerySeries(ctx, q, func(_ context.Context, r *http.Request) error {
		r.Header.Set("Accept", accepted[c.Format])
		return nil
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch c.Format {
	case formatTable:
		return c.table(res.Body, w)
	case formatJSON:
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return fmt.Errorf("the answer broke off: %w", err)
		}
		var page struct{ Truncated bool }
		if err := json.Unmarshal(body, &page); err != nil {
			return err
		}
		if page.Truncated {
			return fmt.Errorf("there are more than %d points: ask for --format ndjson or csv, which have no bound", *q.PageSize)
		}
		_, err = w.Write(append(body, '\n'))
		return err
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the answer broke off, its last line may say why: %w", err)
	}
	return nil
}

// table shows lines of JSON to a person.
func (c *queryCmd) table(lines io.Reader, w io.Writer) error {
	names := []string{"value"}
	if len(c.Agg) > 0 {
		names = c.Agg
	}
	write, end := tableWriter(w)
	head := []string{"KEY", "TIME"}
	if !c.Total {
		head = slices.Insert(head, 0, "ENTITY")
	}
	for _, n := range names {
		head = append(head, strings.ToUpper(n))
	}
	if err := write(head); err != nil {
		return err
	}
	r := bufio.NewReader(lines)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return end()
		} else if err != nil {
			return errors.Join(end(), fmt.Errorf("the answer broke off: %w", err))
		}
		var row map[string]json.RawMessage
		if err := json.Unmarshal(line, &row); err != nil {
			return errors.Join(end(), err)
		}
		if why, ok := row["error"]; ok && row["ts"] == nil {
			return errors.Join(end(), fmt.Errorf("the answer is not complete: %s", plain(show(why))))
		}
		var ts int64
		if err := json.Unmarshal(row["ts"], &ts); err != nil {
			return errors.Join(end(), err)
		}
		cells := []string{show(row["key"]), clock(ts)}
		if !c.Total {
			cells = slices.Insert(cells, 0, show(row["entityName"]))
		}
		for _, n := range names {
			cells = append(cells, show(row[strings.ToLower(n)]))
		}
		if err := write(cells); err != nil {
			return err
		}
	}
}

// show writes a value for a person: a text without quotes, anything else as JSON.
func show(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && string(value) != "null" {
		return text
	}
	return string(value)
}
