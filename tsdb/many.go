package tsdb

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// RawMany answers several raw queries in one call, over the cores. It calls yield as Raw does,
// i being the index of the query: never twice at a time, and one query after the other, in
// their order. It returns the position of each. The budget b is that of the whole call; those of
// the queries are not looked at. The first error ends all of them, except that damage is told by
// one *[model.DamageError] at the end, as by Raw. When yield returns [model.ErrEnough] the call
// ends without an error, and tells the damage of the queries before that one.
func (db *DB) RawMany(ctx context.Context, b model.Budget, qs []model.RangeQuery, yield func(i int, key string, points []model.Point) error) ([]model.Position, error) {
	return db.many(ctx, b, len(qs), func(ctx context.Context, c *scan.Call, i int, t *turn) (model.Position, error) {
		return db.raw(ctx, c, &qs[i], func(key string, points []model.Point) error {
			if err := t.take(ctx); err != nil {
				return err
			}
			return yield(i, key, points)
		})
	})
}

// AggregateMany answers several aggregate queries in one call, as RawMany does raw ones.
func (db *DB) AggregateMany(ctx context.Context, b model.Budget, qs []model.RangeQuery, yield func(i int, key string, buckets []model.Bucket) error) ([]model.Position, error) {
	for i := range qs {
		if _, err := db.cut(&qs[i]); err != nil {
			return nil, err
		}
	}
	return db.many(ctx, b, len(qs), func(ctx context.Context, c *scan.Call, i int, t *turn) (model.Position, error) {
		return db.aggregate(ctx, c, &qs[i], func(key string, buckets []model.Bucket) error {
			if err := t.take(ctx); err != nil {
				return err
			}
			return yield(i, key, buckets)
		})
	})
}

// many runs n queries on as many goroutines as there are cores, which have ended when it
// returns.
func (db *DB) many(ctx context.Context, b model.Budget, n int, run func(context.Context, *scan.Call, int, *turn) (model.Position, error)) ([]model.Position, error) {
	positions := make([]model.Position, n)
	workers := min(runtime.GOMAXPROCS(0), n)
	shares := 1 // the cores are busy with other queries
	if n == 1 {
		shares = 0
	}
	c := db.call(b, shares)
	var next atomic.Int64
	var damage struct {
		sync.Mutex
		of   map[int][]model.Damage
		upTo int // queries whose damage is the answer's
	}
	damage.of, damage.upTo = map[int][]model.Damage{}, n
	g, ctx := errgroup.WithContext(ctx)
	q := newQueue(ctx, n)
	defer q.close()
	for range workers {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				p, err := run(ctx, c, i, &turn{queue: q, i: i})
				q.done(i)
				if told, ok := errors.AsType[*model.DamageError](err); ok {
					damage.Lock()
					damage.of[i] = told.Places
					damage.Unlock()
					err = nil
				}
				if errors.Is(err, model.ErrEnough) {
					damage.Lock()
					damage.upTo = i
					damage.Unlock()
				}
				if err != nil {
					return err
				}
				positions[i] = p
			}
		})
	}
	if err := g.Wait(); err != nil && !errors.Is(err, model.ErrEnough) {
		return positions, err
	}
	var told model.DamageError
	for i := range damage.upTo {
		told.Places = append(told.Places, damage.of[i]...)
	}
	if len(told.Places) > 0 {
		return positions, &told
	}
	return positions, nil
}
