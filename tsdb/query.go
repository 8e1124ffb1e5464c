package tsdb

import (
	"context"
	"iter"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/bucket"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// Raw calls yield with the points of each key, in the order of q.Keys, in pages of at most
// 1,024 points. The slice is reused after yield returns, the text of the values is not. Keys
// without points are left out. An error of yield ends the query and is returned; so does a
// budget that is spent, with a *[model.BudgetError]. Where something is damaged all the rest
// is yielded; a *[model.DamageError] then says what the answer lacks.
func (db *DB) Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error) {
	return db.raw(ctx, db.call(q.Budget, 0), q, yield)
}

func (db *DB) raw(ctx context.Context, c *scan.Call, q *model.RangeQuery, yield func(string, []model.Point) error) (model.Position, error) {
	return db.query(ctx, q, func(series []scan.Series) error {
		return db.scanner.Raw(ctx, c, q, series, func(i int, points []model.Point) error { return yield(q.Keys[i], points) })
	})
}

// Aggregate calls yield once a key that has points, in the order of q.Keys, with its
// buckets in ascending order; empty ones are left out. All of q.Aggregates are worked out in
// one pass; what is not asked for is empty, but for the count, and costs nothing. The slice is
// reused after yield returns. Errors are as with Raw.
func (db *DB) Aggregate(ctx context.Context, q *model.RangeQuery, yield func(key string, buckets []model.Bucket) error) (model.Position, error) {
	if _, err := db.cut(q); err != nil {
		return 0, err
	}
	return db.aggregate(ctx, db.call(q.Budget, 0), q, yield)
}

func (db *DB) aggregate(ctx context.Context, c *scan.Call, q *model.RangeQuery, yield func(string, []model.Bucket) error) (model.Position, error) {
	return db.query(ctx, q, func(series []scan.Series) error {
		return db.scanner.Aggregate(ctx, c, q, series, func(i int, buckets []model.Bucket) error { return yield(q.Keys[i], buckets) })
	})
}

// Buckets returns how many buckets an aggregate query has, those without points too, and the
// bounds [from, to), ms, of each in ascending order. Errors are those of the query.
func (db *DB) Buckets(q *model.RangeQuery) (n int64, bounds iter.Seq2[int64, int64], err error) {
	cut, err := db.cut(q)
	if err != nil {
		return 0, nil, err
	}
	return cut.Count(), func(yield func(from, to int64) bool) {
		for c := *cut; ; {
			from, to, ok := c.Next()
			if !ok || !yield(from, to) {
				return
			}
		}
	}, nil
}

// cut refuses an unusable interval, and more buckets than the limit.
func (db *DB) cut(q *model.RangeQuery) (*bucket.Cutter, error) {
	cut, err := bucket.New(q.From, q.To, q.Every)
	if err != nil {
		return nil, err
	}
	if n := cut.Count(); n > db.options.Limits.Buckets {
		return nil, model.Invalidf("%d intervals exceed the limit of %d; please increase the interval", n, db.options.Limits.Buckets)
	}
	return cut, nil
}

// call returns the terms of a call: its budget, and how many goroutines a query of it may use.
func (db *DB) call(b model.Budget, shares int) *scan.Call {
	return scan.NewCall(b.Or(db.options.Budget), db.options.Now, shares)
}

func (db *DB) query(ctx context.Context, q *model.RangeQuery, run func([]scan.Series) error) (model.Position, error) {
	if err := db.options.Limits.checkKeys(q.Keys); err != nil {
		return 0, err
	}
	rec, err := db.open(ctx, q.Tenant, q.Entity, q.Scope)
	if err != nil {
		return 0, err
	}
	defer db.done(rec)
	p, err := db.read(rec, q.Keys, run)
	return p, db.tellDamage(rec, q.Keys, err)
}
