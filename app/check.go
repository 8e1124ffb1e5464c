package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tidewire/tidewire/tsdb"
)

// engineDir is where the engine lives inside the data directory.
const engineDir = "tsdb"

// Check verifies the engine in a data directory that no server has open, and writes what
// it holds to w. Damage ends it with ExitDamaged.
func Check(ctx context.Context, dir string, w io.Writer) (err error) {
	path := filepath.Join(dir, engineDir)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("check: %s holds no data of Tidewire: %w", dir, err)
	}
	db, err := tsdb.Open(path, tsdb.Options{})
	if err != nil {
		return openError(dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r, err := db.Check(ctx)
	for _, line := range []struct {
		name  string
		count int64
	}{
		{"groups", r.Groups}, {"columns", r.Columns}, {"row groups", r.RowGroups},
		{"unsealed row groups", r.UnsealedRowGroups}, {"most unsealed in a group", r.MaxUnsealed},
		{"steps", r.Steps}, {"pages", r.Pages}, {"points", r.Points}, {"bytes", r.Bytes},
	} {
		if _, err := fmt.Fprintf(w, "%-25s %d\n", line.name, line.count); err != nil {
			return err
		}
	}
	if err != nil {
		return &ExitError{Code: ExitDamaged, Err: fmt.Errorf("check: %w", err)}
	}
	_, err = fmt.Fprintln(w, "no damage found")
	return err
}

// openError gives the commonest reason a store cannot be opened a clear sentence.
func openError(dir string, err error) error {
	if errors.Is(err, tsdb.ErrLocked) {
		return &ExitError{Code: ExitInUse, Err: fmt.Errorf("another process is using the data directory %s: stop it first, or name another directory with --data", dir)}
	}
	return fmt.Errorf("open the data directory %s: %w", dir, err)
}
