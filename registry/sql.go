package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidewire/tidewire/model"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers bounds the connections that read. Lists come from memory, so few are needed.
const readers = 4

// createPrivate makes the database file before SQLite would: it holds people's addresses and
// password hashes, and SQLite gives its other files the mode of this one.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// openSQLite opens the database for one writer or several readers. A commit is on disk when
// it returns (synchronous FULL in WAL mode); readers see the last commit and block nobody.
func openSQLite(path string, write bool) (*sql.DB, error) {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	if write {
		q.Set("_txlock", "immediate")
	} else {
		q.Add("_pragma", "query_only(1)")
	}
	connector, err := sqlite.NewConnector((&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	n := readers
	if write {
		n = 1
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// migrate brings the schema to the newest version.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// A tx is the one transaction that writes.
type tx struct {
	ctx   context.Context
	sql   *sql.Tx
	after []func()
	// rights says that somebody may do something no longer, or from now on.
	rights bool
}

// then registers what the commit means for the directory.
func (t *tx) then(f func()) { t.after = append(t.after, f) }

func (t *tx) exec(query string, args ...any) error {
	_, err := t.sql.ExecContext(t.ctx, query, args...)
	return err
}

// execOne is exec for statements that must meet exactly one row.
func (t *tx) execOne(query string, args ...any) error {
	res, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("statement met %d rows instead of one", n), err)
	}
	return nil
}

// execCount is exec that returns how many rows the statement met.
func (t *tx) execCount(query string, args ...any) (int64, error) {
	res, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *tx) row(query string, args ...any) *sql.Row {
	return t.sql.QueryRowContext(t.ctx, query, args...)
}

// exists reports whether query yields a row.
func (t *tx) exists(query string, args ...any) (bool, error) {
	var one int
	err := t.row("SELECT 1 WHERE EXISTS ("+query+")", args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// ids returns the single id column of query.
func (t *tx) ids(query string, args ...any) ([]model.ID, error) {
	return collect(t.ctx, t.sql, func(s scanner) (model.ID, error) {
		var id model.ID
		return id, s.Scan(idText{&id})
	}, query, args...)
}

// write runs fn in a transaction when its turn has come, and what fn left for the directory
// after the commit, before the next writer starts: the directory changes in SQL's order.
func (r *Registry) write(ctx context.Context, fn func(*tx) error) (err error) {
	select {
	case <-r.turn:
	case <-r.quit:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("registry: wait to write: %w", ctx.Err())
	}
	defer func() { r.turn <- struct{}{} }()
	begun, err := r.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("registry: begin: %w", err)
	}
	defer func() { // also when fn panics: the one connection must come back
		if rolled := begun.Rollback(); !errors.Is(rolled, sql.ErrTxDone) {
			err = errors.Join(err, rolled)
		}
	}()
	t := &tx{ctx: ctx, sql: begun}
	if err := fn(t); err != nil {
		return err
	}
	if err := begun.Commit(); err != nil {
		return fmt.Errorf("registry: commit: %w", err)
	}
	for _, f := range t.after {
		f()
	}
	if t.rights {
		r.opts.RightsChanged()
	}
	return nil
}

// A queryer is a database or a transaction.
type queryer interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// A scanner is a row.
type scanner interface{ Scan(...any) error }

// collect reads every row of a query.
func collect[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) (_ []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// first reads at most one row; nil when there is none.
func first[T any](ctx context.Context, q queryer, scan func(scanner) (*T, error), query string, args ...any) (*T, error) {
	found, err := collect(ctx, q, scan, query, args...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// isDuplicate reports whether err is a UNIQUE constraint saying no.
func isDuplicate(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// duplicates reports whether err, of which isDuplicate is true, names a column.
func duplicates(err error, column string) bool { return strings.Contains(err.Error(), column) }

// idText scans an id column; NULL is the zero id.
type idText struct{ id *model.ID }

func (t idText) Scan(v any) error {
	if v == nil {
		*t.id = model.ID{}
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("id column holds a %T", v)
	}
	return t.id.UnmarshalText([]byte(s))
}

// customerText scans a customer column; NULL is NoCustomer.
type customerText struct{ id *model.CustomerID }

func (t customerText) Scan(v any) error {
	if v == nil {
		*t.id = model.NoCustomer
		return nil
	}
	return idText{(*model.ID)(t.id)}.Scan(v)
}

// jsonText scans a column of JSON kept as sent; NULL is nil.
type jsonText struct{ b *[]byte }

func (t jsonText) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t.b = nil
	case string:
		*t.b = []byte(v)
	default:
		return fmt.Errorf("JSON column holds a %T", v)
	}
	return nil
}

// jsonArg is the argument for a column that jsonText scans.
func jsonArg(b []byte) any {
	if b == nil {
		return nil
	}
	return string(b)
}

// nullText scans a text column; NULL is "".
type nullText struct{ s *string }

func (t nullText) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t.s = ""
	case string:
		*t.s = v
	default:
		return fmt.Errorf("text column holds a %T", v)
	}
	return nil
}

// textArg is the argument for a column that nullText scans.
func textArg(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// idArg is the argument for a column that idText scans.
func idArg(id model.ID) any {
	if id.IsZero() {
		return nil
	}
	return id.String()
}

// customerArg is the argument for a column that customerText scans.
func customerArg(c model.CustomerID) any {
	if isNobody(c) {
		return nil
	}
	return c.String()
}

// tenantArg is the argument for a users' tenant column: system administrators have none.
func tenantArg(t model.TenantID) any {
	if t == (model.TenantID{}) {
		return nil
	}
	return t.String()
}

// isNobody reports whether c means "assigned to no customer".
func isNobody(c model.CustomerID) bool { return c == model.NoCustomer || c == (model.CustomerID{}) }

// placeholders returns "$from, … " for n arguments.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}
