package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
)

// Backup backs up the data directory of a stopped server into the set of backups at to, and
// says so on w. Damage is not repaired: what can be copied is, as it is, and every place that
// was met is told on w; then, as where the directory cannot be opened because of it and there is no
// backup, it ends with ExitDamaged. A disk that fails under a write ends it with ExitStorage.
func Backup(ctx context.Context, dataDir, to string, w io.Writer) error {
	if _, err := os.Stat(filepath.Join(dataDir, engineDir)); err != nil {
		return fmt.Errorf("backup: %s holds no data of Tidewire: %w", dataDir, err)
	}
	var met trouble
	err := backUpStopped(ctx, dataDir, to, w, met.events())
	for _, damage := range met.mu.damage {
		if _, err := fmt.Fprintln(w, damage); err != nil {
			return err
		}
	}
	return met.outcome(err)
}

func backUpStopped(ctx context.Context, dataDir, to string, w io.Writer, events tsdb.Events) (err error) {
	db, err := tsdb.Open(filepath.Join(dataDir, engineDir), tsdb.Options{NoRepair: true, Events: events})
	if err != nil {
		return openError(dataDir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keys, err := registry.OpenKeys(dataDir, rand.Reader)
	if err != nil {
		return fmt.Errorf("open the keys: %w", err)
	}
	r, err := registry.Open(ctx, registry.Options{Dir: dataDir, Keys: keys})
	if err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err := backUp(ctx, to, time.Now(), r, db)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s: position %d, %d files, %d bytes copied, %d shared with the backup before\n",
		filepath.Join(to, b.Name), b.Position, b.Files, b.Copied, b.Shared)
	return err
}

// trouble is what the engine tells while a command has it open, from goroutines of its own.
type trouble struct {
	mu struct {
		sync.Mutex
		damage []error
		fatal  error
	}
}

func (t *trouble) events() tsdb.Events {
	return tsdb.Events{
		Damaged: func(err error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.mu.damage = append(t.mu.damage, err)
		},
		Fatal: func(err error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.mu.fatal = err
		},
	}
}

// outcome gives how the command ended the exit code it is documented with. The engine is closed.
func (t *trouble) outcome(err error) error {
	switch {
	case t.mu.fatal != nil:
		return &ExitError{Code: ExitStorage, Err: fmt.Errorf("the disk failed: %w", t.mu.fatal)}
	case isDamage(err):
		return &ExitError{Code: ExitDamaged, Err: err}
	case err == nil && len(t.mu.damage) > 0:
		return &ExitError{Code: ExitDamaged, Err: errors.New("the data directory is damaged, and the backup holds it as it is: " +
			"`tidewire check` names what, and `tidewire check --repair` mends what can be mended")}
	}
	return err
}
