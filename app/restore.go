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

// Restore makes the data directory dir from the backup at from: it verifies every checksum,
// gives the log a new epoch, so that no client takes its positions for those it knew, and puts
// the directory in place at once or not at all. What is there already is refused.
func Restore(ctx context.Context, from, dir string, w io.Writer) (err error) {
	m, err := readManifest(from)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("restore: %s is not empty: name a new directory", dir)
	}
	dir = filepath.Clean(dir)
	part := dir + ".restoring"
	if err := os.RemoveAll(part); err != nil { // of a restore that did not end
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(part, engineDir), 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.restore(from, part); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := tsdb.Restored(filepath.Join(part, engineDir), tsdb.Options{}); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if entries != nil { // it is there, and empty
		if err := os.Remove(dir); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := errors.Join(syncDir(part), os.Rename(part, dir), syncDir(filepath.Dir(dir))); err != nil {
		return fmt.Errorf("restore: put %s in place: %w", dir, err)
	}
	_, err = fmt.Fprintf(w, "%s holds the backup of %s: position %d, %d files\n", dir, m.Created.Format("2006-01-02 15:04:05 MST"), m.Position, len(m.Files))
	return err
}

// restore copies one file, which must be what the manifest says.
func (f manifestItem) restore(from, to string) (err error) {
	path := filepath.Join(to, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := f.verify(from, file); err != nil {
		return err
	}
	return file.Sync()
}
