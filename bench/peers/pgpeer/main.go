// Command pgpeer drives PostgreSQL with ThingsBoard's tables for the benchmarks. It has a
// module apart from the product's, so that the product does not depend on its driver.
//
// One invocation is one task, named by the first argument behind the flags. Rows come on
// standard input, one device row a line: device number, timestamp in ms, values; a value
// with a point is a double, any other a long. The result is one JSON object.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/jackc/pgx/v5"
)

// A result is what a task prints; fields that do not belong to it stay zero.
type result struct {
	Seconds float64   // a load: until the last row was committed
	Points  int64     // loaded, or counted
	Bytes   int64     // size: tables with their indexes
	Waits   []float64 // s; of each row of a live load, or of each time a question was asked
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgpeer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("pgpeer", flag.ContinueOnError)
	dsn := flags.String("dsn", "", "where the server listens")
	clients := flags.Int("clients", 1, "connections that ask, or rows on their way at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("no task: schema, upsert, copy, size or ask")
	}
	conn, err := pgx.Connect(ctx, *dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var res result
	switch task := flags.Arg(0); task {
	case "schema":
		err = schema(ctx, conn, flags.Args()[1:])
	case "upsert":
		res, err = upsert(ctx, *dsn, in, *clients)
	case "copy":
		res, err = copyIn(ctx, conn, in)
	case "size":
		res, err = size(ctx, conn)
	case "ask":
		res, err = ask(ctx, *dsn, in, *clients)
	default:
		err = fmt.Errorf("no task %q", task)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(res)
}

// values are the columns of both tables: one is set, by the type of the point.
const values = "bool_v boolean, str_v varchar(10000000), long_v bigint, dbl_v double precision, json_v json"

// schema makes ThingsBoard's tables, with the partitions of the year the fleet lives in, and
// names the keys, whose ids are their places.
func schema(ctx context.Context, conn *pgx.Conn, keys []string) error {
	statements := []string{
		"DROP TABLE IF EXISTS ts_kv, ts_kv_latest, key_dictionary",
		"CREATE TABLE ts_kv (entity_id uuid NOT NULL, key int NOT NULL, ts bigint NOT NULL, " + values +
			", CONSTRAINT ts_kv_pkey PRIMARY KEY (entity_id, key, ts)) PARTITION BY RANGE (ts)",
		"CREATE TABLE ts_kv_latest (entity_id uuid NOT NULL, key int NOT NULL, ts bigint NOT NULL, " + values +
			", CONSTRAINT ts_kv_latest_pkey PRIMARY KEY (entity_id, key))",
		"CREATE TABLE key_dictionary (key varchar(255) NOT NULL, key_id serial UNIQUE, CONSTRAINT key_dictionary_id_pkey PRIMARY KEY (key))",
		`DO $$ BEGIN FOR m IN 0..12 LOOP EXECUTE format('CREATE TABLE ts_kv_%s PARTITION OF ts_kv FOR VALUES FROM (%s) TO (%s)',
			to_char(timestamp '2025-01-01' + m * interval '1 month', 'YYYY_MM'),
			(extract(epoch FROM timestamp '2025-01-01' + m * interval '1 month') * 1000)::bigint,
			(extract(epoch FROM timestamp '2025-01-01' + (m + 1) * interval '1 month') * 1000)::bigint); END LOOP; END $$`,
	}
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	for i, k := range keys {
		if _, err := conn.Exec(ctx, "INSERT INTO key_dictionary (key, key_id) VALUES ($1, $2)", k, i); err != nil {
			return err
		}
	}
	return nil
}

// size counts what is stored and what it takes on disk, indexes included.
func size(ctx context.Context, conn *pgx.Conn) (res result, err error) {
	err = conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM ts_kv),
		(SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0) FROM pg_inherits WHERE inhparent = 'ts_kv'::regclass)
		+ pg_total_relation_size('ts_kv_latest')`).Scan(&res.Points, &res.Bytes)
	return res, err
}

// entity is the id of a device of the fleet.
func entity(device int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], uint64(device))
	id[6], id[8] = 0x40, 0x80
	return id
}
