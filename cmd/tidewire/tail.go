package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidewire/tidewire/client"
)

type tailCmd struct {
	connection `embed:""`

	Entity []string `arg:"" help:"Devices by name or id, others as ASSET:name."`
	Keys   []string `help:"Only these keys. Default: all." placeholder:"KEY"`
	New    bool     `help:"Only what is stored from now on, without the latest values."`
	Count  int      `help:"End after so many values. Default: on interrupt." placeholder:"N"`
	Format string   `help:"table, csv or ndjson." default:"table" enum:"table,csv,ndjson"`
}

// errEnough ends a tail that has printed what was asked for.
var errEnough = errors.New("enough")

// Run prints values as they are stored.
func (c *tailCmd) Run(ctx context.Context, s *streams) error {
	api, err := c.open(c.credentials())
	if err != nil {
		return err
	}
	feeds := make([]client.Feed, len(c.Entity))
	targets := make([]target, len(c.Entity))
	for i, name := range c.Entity {
		kind, id, err := find(ctx, api, name)
		if err != nil {
			return err
		}
		targets[i] = target{name, kind, id}
		feeds[i] = client.Feed{Entity: client.EntityID{EntityType: client.EntityType(kind), ID: id}, Keys: c.Keys}
	}
	if c.Format == formatCSV {
		fmt.Fprintln(s.out, "entity,key,time,value")
	}
	printed := 0
	options := client.TailOptions{Lost: func(err error, retry time.Duration) {
		fmt.Fprintf(s.err, "the connection is lost (%s); next attempt in %s\n", plain(err.Error()), retry)
	}}
	err = client.Tail(ctx, api, feeds, options, func(u client.Update) error {
		t := targets[u.Feed]
		if u.Resync != "" {
			fmt.Fprintf(s.err, "%s: the server does not remember all that was missed (%s); going on with the latest values\n", plain(t.name), u.Resync)
		}
		if u.Coalesced > 0 {
			fmt.Fprintf(s.err, "%s: %d values were left out because this end reads slowly\n", plain(t.name), u.Coalesced)
		}
		if u.First && c.New && u.Resync == "" {
			return nil
		}
		for _, key := range slices.Sorted(maps.Keys(u.Points)) {
			for _, p := range u.Points[key] {
				value, err := json.Marshal(p.Value)
				if err != nil {
					return err
				}
				if err := c.print(s, reading{t.kind, t.id, t.name, key, p.TS, value}); err != nil {
					return err
				}
				if printed++; printed == c.Count {
					return errEnough
				}
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// print writes one reading as a line at once.
func (c *tailCmd) print(s *streams, r reading) (err error) {
	switch c.Format {
	case formatNDJSON:
		return json.NewEncoder(s.out).Encode(r)
	case formatCSV:
		write, end := csvWriter(s.out)
		return errors.Join(write([]string{r.Entity, r.Key, clock(r.TS), show(r.Value)}), end())
	default:
		_, err = fmt.Fprintf(s.out, "%s  %s  %s  %s\n", clock(r.TS), plain(r.Entity), plain(r.Key), plain(show(r.Value)))
		return err
	}
}
