package tsdb

import (
	"context"
	"errors"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// AggregateGroups answers aggregate queries of several entities with their series added up:
// group says to which of n groups a key of a query belongs. It calls yield once a group that
// has points, with its buckets in ascending order, as soon as the last of its series is read;
// of groups that end with the same query the first one asked for comes first. The aggregates
// are those of all points of the group, exactly as if they were one series; of points of one
// instant, those of the query that stands first come first.
//
// The range, the buckets and the aggregates are those of over. The range of a query is cut to
// it; its own buckets and budget are not looked at. Buckets without points are left out, and
// their slice is reused when yield returns. Budget, positions and errors are as with RawMany.
func (db *DB) AggregateGroups(ctx context.Context, b model.Budget, over *model.RangeQuery, qs []model.RangeQuery, n int, group func(i, key int) int, yield func(group int, buckets []model.Bucket) error) ([]model.Position, error) {
	if _, err := db.cut(over); err != nil {
		return nil, err
	}
	g := grouping{over: *over, db: db, group: group, yield: yield, left: make([]int, n), tallies: make([]*scan.Tally, n)}
	g.over.From, g.over.To = scan.Range(over)
	for i := range qs {
		for k := range qs[i].Keys {
			at := group(i, k)
			if at < 0 || at >= n {
				return nil, model.Invalidf("Key %d of query %d belongs to group %d of %d", k, i, at, n)
			}
			g.left[at]++
		}
	}
	defer g.release()
	return db.many(ctx, b, len(qs), func(ctx context.Context, c *scan.Call, i int, t *turn) (model.Position, error) {
		return g.run(ctx, c, i, &qs[i], t)
	})
}

// A grouping adds up the series of a call. Its tallies and what is left belong to the query
// whose turn it is.
type grouping struct {
	over    model.RangeQuery
	db      *DB
	group   func(i, key int) int
	yield   func(group int, buckets []model.Bucket) error
	left    []int // series that each group still waits for
	tallies []*scan.Tally
}

// run adds the series of query i to their groups.
func (g *grouping) run(ctx context.Context, c *scan.Call, i int, q *model.RangeQuery, t *turn) (p model.Position, err error) {
	own := *q
	own.From, own.To = scan.Range(q)
	own.From, own.To = max(own.From, g.over.From), min(own.To, g.over.To)
	own.Every, own.Aggregates = g.over.Every, g.over.Aggregates
	if own.Every.Unit == model.Fixed { // buckets of a part of the range begin where those of all of it do
		own.Every.Unit, own.Every.Offset = model.Aligned, g.over.From
	}
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return t.take(ctx)
	}
	if own.From < own.To && len(own.Keys) > 0 {
		into := make([]*scan.Tally, len(own.Keys))
		p, err = g.db.query(ctx, &own, func(series []scan.Series) error {
			return g.db.scanner.Tally(ctx, c, &own, series, into, func() error {
				if err := begin(); err != nil {
					return err
				}
				for k := range into {
					if into[k], err = g.tally(c, g.group(i, k)); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if _, damaged := errors.AsType[*model.DamageError](err); err != nil && !damaged {
			return p, err
		}
	}
	if failed := begin(); failed != nil {
		return p, failed
	}
	for k := range q.Keys {
		if failed := g.end(g.group(i, k)); failed != nil {
			return p, failed
		}
	}
	return p, err
}

// tally returns what a group is added up in.
func (g *grouping) tally(c *scan.Call, group int) (_ *scan.Tally, err error) {
	if g.tallies[group] == nil {
		g.tallies[group], err = scan.NewTally(c, &g.over)
	}
	return g.tallies[group], err
}

// end says that one more series of a group was read.
func (g *grouping) end(group int) error {
	if g.left[group]--; g.left[group] > 0 || g.tallies[group] == nil {
		return nil
	}
	t := g.tallies[group]
	g.tallies[group] = nil
	return t.Yield(func(buckets []model.Bucket) error { return g.yield(group, buckets) })
}

// release gives back what a call that failed still holds.
func (g *grouping) release() {
	for _, t := range g.tallies {
		if t != nil {
			t.Release()
		}
	}
}
