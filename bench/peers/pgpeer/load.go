package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ThingsBoard's defaults: three queues by entity, and batches of so many points. It also
// waits up to 100 ms for a batch to fill; here one is written as soon as the queue is free,
// which is kinder to who waits for it.
const (
	queues      = 3
	pointBatch  = 10_000
	latestBatch = 1_000
)

// What ThingsBoard sends for every point.
const (
	upsertPoint = `INSERT INTO ts_kv (entity_id, key, ts, bool_v, str_v, long_v, dbl_v, json_v) VALUES ($1, $2, $3, NULL, NULL, $4, $5, NULL)
		ON CONFLICT (entity_id, key, ts) DO UPDATE SET bool_v = NULL, str_v = NULL, long_v = $4, dbl_v = $5, json_v = NULL`
	upsertLatest = `INSERT INTO ts_kv_latest (entity_id, key, ts, bool_v, str_v, long_v, dbl_v, json_v) VALUES ($1, $2, $3, NULL, NULL, $4, $5, NULL)
		ON CONFLICT (entity_id, key) DO UPDATE SET ts = $3, bool_v = NULL, str_v = NULL, long_v = $4, dbl_v = $5, json_v = NULL WHERE ts_kv_latest.ts <= $3`
)

// A queue writes rows to one table, a batch a transaction, over one connection.
type queue struct {
	in     chan *row
	points int // of a batch, at most
	write  func(*pgx.Batch, []*row)
}

// upsert sends rows the way ThingsBoard stores them: each into the queue of its entity for
// the points and the one for the latest values, at most inFlight rows at once (0: no bound).
// A row's wait ends when both have committed it.
func upsert(ctx context.Context, dsn string, in io.Reader, inFlight int) (result, error) {
	rows, err := readRows(in)
	if err != nil || len(rows) == 0 {
		return result{}, errors.Join(err, ctx.Err())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	var all [queues][2]*queue
	for i := range all {
		all[i] = [2]*queue{
			{make(chan *row, len(rows)), pointBatch / len(rows[0].values), pointsOf},
			{make(chan *row, len(rows)), latestBatch / len(rows[0].values), latestOf},
		}
		for _, q := range all[i] {
			conn, err := pgx.Connect(ctx, dsn)
			if err != nil {
				return result{}, err
			}
			defer conn.Close(context.WithoutCancel(ctx))
			workers.Go(func() {
				if err := q.run(ctx, conn); err != nil {
					cancel(err)
				}
			})
		}
	}
	if inFlight == 0 {
		inFlight = len(rows)
	}
	waits := make([]float64, len(rows))
	next := make(chan int, len(rows))
	for i := range rows {
		next <- i
	}
	close(next)
	begin := time.Now()
	var senders sync.WaitGroup
	for range min(inFlight, len(rows)) {
		senders.Go(func() {
			for i := range next {
				at, r := time.Now(), rows[i]
				for _, q := range all[r.device%queues] {
					q.in <- r
				}
				for range 2 {
					select {
					case <-r.done:
					case <-ctx.Done():
						return
					}
				}
				waits[i] = time.Since(at).Seconds()
			}
		})
	}
	senders.Wait()
	res := result{Seconds: time.Since(begin).Seconds(), Waits: waits}
	for _, pair := range all {
		for _, q := range pair {
			close(q.in)
		}
	}
	workers.Wait()
	for _, r := range rows {
		res.Points += int64(len(r.values))
	}
	if inFlight == len(rows) {
		res.Waits = nil
	}
	return res, context.Cause(ctx)
}

// run writes batches until the queue is closed.
func (q *queue) run(ctx context.Context, conn *pgx.Conn) error {
	for first := range q.in {
		batch := []*row{first}
		for len(batch) < q.points && len(q.in) > 0 {
			batch = append(batch, <-q.in)
		}
		var b pgx.Batch
		q.write(&b, batch)
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return tx.SendBatch(ctx, &b).Close() })
		if err != nil {
			return err
		}
		for _, r := range batch {
			r.done <- struct{}{}
		}
	}
	return nil
}

func pointsOf(b *pgx.Batch, rows []*row) {
	for _, r := range rows {
		for k, v := range r.values {
			b.Queue(upsertPoint, entity(r.device), k, r.ts, v.long, v.double)
		}
	}
}

// latestOf writes the newest row of each device, in one order, so that no two batches wait
// for each other.
func latestOf(b *pgx.Batch, rows []*row) {
	newest := map[int]*row{}
	for _, r := range rows {
		if old := newest[r.device]; old == nil || old.ts <= r.ts {
			newest[r.device] = r
		}
	}
	order := make([]*row, 0, len(newest))
	for _, r := range newest {
		order = append(order, r)
	}
	slices.SortFunc(order, func(a, b *row) int { return cmp.Compare(a.device, b.device) })
	for _, r := range order {
		for k, v := range r.values {
			b.Queue(upsertLatest, entity(r.device), k, r.ts, v.long, v.double)
		}
	}
}

// copyIn loads rows the fast way, for questions: how they came does not matter to a read.
func copyIn(ctx context.Context, conn *pgx.Conn, in io.Reader) (res result, err error) {
	rows, err := readRows(in)
	if err != nil {
		return res, err
	}
	begin := time.Now()
	at, key := 0, 0
	source := pgx.CopyFromFunc(func() ([]any, error) {
		if at < len(rows) && key == len(rows[at].values) {
			at, key = at+1, 0
		}
		if at == len(rows) {
			return nil, nil
		}
		r, v := rows[at], rows[at].values[key]
		key++
		return []any{entity(r.device), key - 1, r.ts, v.long, v.double}, nil
	})
	if res.Points, err = conn.CopyFrom(ctx, pgx.Identifier{"ts_kv"}, []string{"entity_id", "key", "ts", "long_v", "dbl_v"}, source); err != nil {
		return res, err
	}
	for _, s := range []string{
		`INSERT INTO ts_kv_latest SELECT DISTINCT ON (entity_id, key) * FROM ts_kv ORDER BY entity_id, key, ts DESC ON CONFLICT (entity_id, key) DO NOTHING`,
		"VACUUM ANALYZE ts_kv", "VACUUM ANALYZE ts_kv_latest", "CHECKPOINT",
	} {
		if _, err := conn.Exec(ctx, s); err != nil {
			return res, err
		}
	}
	res.Seconds = time.Since(begin).Seconds()
	return res, nil
}
