package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// A statement of a question.
type statement struct {
	SQL  string
	Args []int64
}

// ask times one question: all statements of standard input in one round trip, prepared,
// asked again and again for a second or twenty times by each client. Answers are read and
// not parsed. Points counts the rows of one answer.
func ask(ctx context.Context, dsn string, in io.Reader, clients int) (result, error) {
	var question []statement
	for d := json.NewDecoder(in); ; {
		var s statement
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return result{}, err
		}
		question = append(question, s)
	}
	var mu sync.Mutex
	var res result
	var failed error
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			waits, rows, err := askOne(ctx, dsn, question)
			mu.Lock()
			defer mu.Unlock()
			res.Waits, res.Points = append(res.Waits, waits...), rows
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	return res, failed
}

func askOne(ctx context.Context, dsn string, question []statement) (waits []float64, rows int64, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close(ctx)
	for begin := time.Now(); len(waits) < 20 || time.Since(begin) < time.Second; {
		at := time.Now()
		if rows, err = answer(ctx, conn, question); err != nil {
			return nil, 0, err
		}
		waits = append(waits, time.Since(at).Seconds())
		if time.Since(begin) > 20*time.Second {
			break // slow enough to be sure
		}
	}
	return waits[min(1, len(waits)-1):], rows, nil // the first one prepares
}

func answer(ctx context.Context, conn *pgx.Conn, question []statement) (n int64, err error) {
	var b pgx.Batch
	for _, s := range question {
		args := make([]any, len(s.Args))
		for i, a := range s.Args {
			args[i] = a
		}
		b.Queue(s.SQL, args...)
	}
	answers := conn.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, answers.Close()) }()
	for range question {
		rows, err := answers.Query()
		if err != nil {
			return n, err
		}
		for rows.Next() {
			n++
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return n, err
		}
	}
	return n, nil
}
