package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidewire/tidewire/model"
)

// Files are the names of what a backup takes of a data directory, secrets included.
const (
	KeysFile     = keysFile
	DatabaseFile = databaseFile
)

// Backup writes the database and the keys to dir, which exists and holds neither, as they are
// at one moment while others go on. Both are readable by their owner only, and synced.
func (r *Registry) Backup(ctx context.Context, dir string) error {
	path := filepath.Join(dir, databaseFile)
	if err := createPrivate(path); err != nil { // SQLite fills an empty file
		return fmt.Errorf("registry: back up to %s: %w", path, err)
	}
	if err := r.vacuumInto(ctx, path); err != nil {
		return fmt.Errorf("registry: back up to %s: %w", path, err)
	}
	if err := syncFile(path); err != nil {
		return fmt.Errorf("registry: back up to %s: %w", path, err)
	}
	keys := filepath.Join(dir, keysFile)
	b, err := os.ReadFile(filepath.Join(r.opts.Dir, keysFile))
	if err != nil {
		return fmt.Errorf("registry: back up the keys: %w", err)
	}
	if err := os.WriteFile(keys, b, 0o600); err != nil {
		return fmt.Errorf("registry: back up the keys: %w", err)
	}
	if err := syncFile(keys); err != nil {
		return fmt.Errorf("registry: back up the keys: %w", err)
	}
	return nil
}

func (r *Registry) vacuumInto(ctx context.Context, path string) (err error) {
	db, err := openSQLite(filepath.Join(r.opts.Dir, databaseFile), true) // of its own: the writer goes on
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO $1", path)
	return err
}

func syncFile(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// ErrDamaged marks a database whose bytes are damaged.
var ErrDamaged = errors.New("registry: damaged")

// damaged marks an error of SQLite about damaged bytes; that of a disk which fails stays as it is.
func damaged(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch code := e.Code(); {
		case code == sqlite3.SQLITE_IOERR_SHORT_READ, code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return err
}

// CheckDatabase verifies the database in dir, without changing it and without the keys, and
// returns the ids of everything there is in it, and of what is still to be erased. Damage is
// ErrDamaged.
func CheckDatabase(ctx context.Context, dir string) (ids map[model.ID]bool, err error) {
	db, err := openForCheck(filepath.Join(dir, databaseFile))
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	defer func() { err = damaged(errors.Join(err, db.Close())) }()
	text := func(query string) (out []string, err error) {
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		return out, rows.Err()
	}
	problems, err := text("PRAGMA integrity_check(20)")
	if err != nil {
		return nil, fmt.Errorf("registry: check %s: %w", databaseFile, err)
	}
	if len(problems) != 1 || problems[0] != "ok" {
		return nil, fmt.Errorf("%w: %s: %q", ErrDamaged, databaseFile, problems)
	}
	tables, err := text(`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND (c.name = 'id' OR m.name = 'outbox' AND c.name = 'entity_id') ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("registry: list the tables of %s: %w", databaseFile, err)
	}
	ids = map[model.ID]bool{}
	for _, t := range tables {
		table, column, _ := strings.Cut(t, ".")
		values, err := text(fmt.Sprintf("SELECT %q FROM %q", column, table))
		if err != nil {
			return nil, fmt.Errorf("registry: read %s: %w", t, err)
		}
		for _, v := range values {
			if id, err := model.ParseID(v); err == nil {
				ids[id] = true
			}
		}
	}
	return ids, nil
}

// openForCheck opens a database that may lie where nothing can be written.
func openForCheck(path string) (*sql.DB, error) {
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		q.Set("immutable", "1") // there is nothing beside it
	}
	connector, err := sqlite.NewConnector((&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
