package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
)

// engineDir is where the engine lives inside the data directory.
const engineDir = "tsdb"

// Check verifies a data directory that no server has open, or a backup, without changing it,
// and writes what it holds to w, before that every damaged place as it is found, named by tenant,
// entity, keys and time. Damage ends it with ExitDamaged; what keeps it from looking, as a disk that fails, is no damage.
// Nor is telemetry of entities the registry does not know, which is named: a backup may hold some.
func Check(ctx context.Context, dir string, w io.Writer) (err error) {
	path := filepath.Join(dir, engineDir)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("check: %s holds no data of Tidewire: %w", dir, err)
	}
	var problems []error
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err == nil {
		problems = append(problems, checkManifest(dir))
	}
	var known map[model.ID]bool
	if _, err := os.Stat(filepath.Join(dir, registry.DatabaseFile)); !errors.Is(err, os.ErrNotExist) {
		known, err = registry.CheckDatabase(ctx, dir)
		problems = append(problems, err)
	}
	var unknown []string
	found, failed := 0, error(nil)
	events := tsdb.Events{Damaged: func(problem error) {
		found++
		_, err := fmt.Fprintln(w, problem)
		failed = cmp.Or(failed, err)
	}}
	r, err := tsdb.CheckDir(ctx, path, tsdb.Options{Events: events}, func(t model.TenantID, e model.EntityID) {
		if known != nil && !known[model.ID(e)] && len(unknown) < maxUnknown {
			unknown = append(unknown, fmt.Sprintf("telemetry of entity %s of tenant %s, which the registry does not know", e, t))
		}
	})
	if errors.Is(err, tsdb.ErrLocked) {
		return openError(dir, err)
	}
	if errors.Is(err, os.ErrNotExist) && !isDamage(err) {
		return fmt.Errorf("check: %s holds no data of Tidewire: %w", dir, err)
	}
	if failed != nil {
		return failed
	}
	if err = errors.Join(append(problems, err)...); err != nil && !isDamage(err) {
		return fmt.Errorf("check: %w", err)
	}
	for _, l := range r.Losses {
		unknown = append(unknown, l.String())
	}
	for _, line := range unknown {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
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
		return &ExitError{Code: ExitDamaged, Err: fmt.Errorf("check: %d damaged places in the store: %w", found, err)}
	}
	_, err = fmt.Fprintln(w, "no damage found")
	return err
}

// isDamage reports whether an error is about damaged bytes.
func isDamage(err error) bool {
	return errors.Is(err, tsdb.ErrCorrupt) || errors.Is(err, registry.ErrDamaged) || errors.Is(err, errDamaged)
}

// Repair makes the telemetry in a data directory that no server has open agree with itself,
// writes to w what was lost and what was made anew, and checks the directory as [Check] does.
// Where nothing is damaged nothing changes. It ends with ExitDamaged, and has changed nothing,
// where the telemetry is beyond repair, and where the check finds what a repair does not mend,
// the registry. A backup is not repaired.
func Repair(ctx context.Context, dir string, w io.Writer) error {
	path := filepath.Join(dir, engineDir)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("repair: %s holds no data of Tidewire: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err == nil {
		return fmt.Errorf("repair: %s is a backup, whose files must stay as they are: restore it into a new directory and repair that", dir)
	}
	r, err := tsdb.Repair(ctx, path, tsdb.Options{})
	if errors.Is(err, tsdb.ErrLocked) {
		return openError(dir, err)
	}
	for _, line := range r.Rebuilt {
		if _, err := fmt.Fprintln(w, "made anew:", line); err != nil {
			return err
		}
	}
	if errors.Is(err, tsdb.ErrBeyondRepair) {
		return &ExitError{Code: ExitDamaged, Err: fmt.Errorf("repair: nothing was changed: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	return Check(ctx, dir, w) // which lists the losses
}

// maxUnknown bounds how many entities are named.
const maxUnknown = 20

// checkManifest compares every file of a backup with its checksum.
func checkManifest(dir string) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	var problems []error
	for _, f := range m.Files {
		problems = append(problems, f.verify(dir, io.Discard))
	}
	return errors.Join(problems...)
}

// openError gives the commonest reason a store cannot be opened a clear sentence.
func openError(dir string, err error) error {
	if errors.Is(err, tsdb.ErrLocked) {
		return &ExitError{Code: ExitInUse, Err: fmt.Errorf("another process is using the data directory %s: stop it first, or name another directory with --data", dir)}
	}
	if errors.Is(err, tsdb.ErrCorrupt) {
		return fmt.Errorf("open the data directory %s: %w; `tidewire check --repair %s` mends what can be mended and names what is lost, a backup has all of it",
			dir, err, dir)
	}
	return fmt.Errorf("open the data directory %s: %w", dir, err)
}
