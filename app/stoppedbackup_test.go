package app

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
)

// stoppedPlace makes a data directory with tables, of a server that has stopped.
func stoppedPlace(t *testing.T) (dir string) {
	t.Helper()
	p := openPlace(t, filepath.Join(t.TempDir(), "data"))
	p.tenant("first")
	rng := rand.New(rand.NewPCG(1, 2))
	s := &model.WriteSet{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Timeseries, Keys: []string{"a"}}
	for i := range int64(20_000) { // more than a block, which does not pack
		s.Rows = append(s.Rows, model.Row{TS: i, Cells: 1})
		s.Cells = append(s.Cells, model.Cell{Value: model.Float(rng.NormFloat64())})
	}
	if _, err := p.db.Append(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	p.close()
	return p.dir
}

// tables returns the tables of a data directory, or of a backup, and what is in them.
func tables(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, engineDir, "*.sst"))
	if err != nil || len(names) == 0 {
		t.Fatalf("tables %q, %v", names, err)
	}
	all := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(b)
	}
	return all
}

// damage flips a bit of every table, so far from its end.
func damage(t *testing.T, dir string, fromEnd func(size int) int) {
	t.Helper()
	for name, content := range tables(t, dir) {
		b := []byte(content)
		b[len(b)-fromEnd(len(b))] ^= 1
		if err := os.WriteFile(filepath.Join(dir, engineDir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func exitCode(err error) int {
	exit, ok := errors.AsType[*ExitError](err)
	switch {
	case ok:
		return exit.Code
	case err != nil:
		return 1
	}
	return 0
}

// A backup of a damaged directory says so, holds what can be copied, and repairs nothing.
func TestABackupOfADamagedDirectorySaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		fromEnd func(int) int
		made    bool
	}{
		"row groups":        {func(size int) int { return size - 100 }, true},
		"what it begins as": {func(int) int { return 20 }, false}, // the footer: nothing can be read
	} {
		t.Run(name, func(t *testing.T) {
			dir := stoppedPlace(t)
			damage(t, dir, c.fromEnd)
			before := tables(t, dir)
			set := filepath.Join(t.TempDir(), "set")
			var out bytes.Buffer
			err := Backup(t.Context(), dir, set, &out)
			if exitCode(err) != ExitDamaged || !strings.Contains(out.String()+err.Error(), "corrupt") {
				t.Errorf("%v\n%s", err, &out)
			}
			after := tables(t, dir)
			for name, content := range before {
				if after[name] != content {
					t.Errorf("%s of the data directory was changed", name)
				}
			}
			made, _ := filepath.Glob(filepath.Join(set, "*", manifestFile))
			if (len(made) == 1) != c.made {
				t.Fatalf("backups %q", made)
			}
			if !c.made {
				return
			}
			for name, content := range tables(t, filepath.Dir(made[0])) {
				if before[name] != content {
					t.Errorf("%s of the backup is not that of the data directory", name)
				}
			}
			if err := checkManifest(filepath.Dir(made[0])); err != nil {
				t.Error(err)
			}
			if err := Check(t.Context(), filepath.Dir(made[0]), &out); exitCode(err) != ExitDamaged {
				t.Errorf("check of the backup: %v", err)
			}
		})
	}
}

// The exit code says what a command has met: damage, a disk that fails under a write, or
// something else.
func TestTheExitCodeSaysWhatWasMet(t *testing.T) {
	met := func(tell func(tsdb.Events), err error) int {
		var m trouble
		tell(m.events())
		return exitCode(m.outcome(err))
	}
	nothing := func(tsdb.Events) {}
	for name, c := range map[string]struct{ got, want int }{
		"nothing":            {met(nothing, nil), 0},
		"a full disk":        {met(nothing, syscall.ENOSPC), 1},
		"damage":             {met(func(e tsdb.Events) { e.Damaged(tsdb.ErrCorrupt) }, nil), ExitDamaged},
		"damage in the way":  {met(nothing, tsdb.ErrCorrupt), ExitDamaged},
		"a failed log":       {met(func(e tsdb.Events) { e.Fatal(syscall.EIO) }, syscall.EIO), ExitStorage},
		"a failed last sync": {met(func(e tsdb.Events) { e.Fatal(syscall.EIO) }, nil), ExitStorage},
	} {
		if c.got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, c.got, c.want)
		}
	}
}

// Only damage is called damage: neither a directory without a store, nor a check that was
// stopped, nor a disk that does not answer.
func TestACheckCallsOnlyDamageDamage(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		change func(dir string) error
		check  int
		repair int
	}{
		"sound":          {t.Context(), func(string) error { return nil }, 0, 0},
		"stopped":        {canceled, func(string) error { return nil }, 1, 1},
		"no store":       {t.Context(), func(dir string) error { return os.RemoveAll(filepath.Join(dir, engineDir)) }, 1, 1},
		"an empty store": {t.Context(), emptied, 1, 1},
		"a file, not a store": {t.Context(), func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, engineDir)), os.WriteFile(filepath.Join(dir, engineDir), nil, 0o600))
		}, 1, 1},
		"no tables":   {t.Context(), func(dir string) error { return without(dir, "*.sst") }, ExitDamaged, ExitDamaged},
		"no manifest": {t.Context(), func(dir string) error { return without(dir, "MANIFEST-*") }, ExitDamaged, ExitDamaged},
		"the registry is no database": {t.Context(), func(dir string) error {
			return os.WriteFile(filepath.Join(dir, registry.DatabaseFile), bytes.Repeat([]byte("no database"), 1000), 0o600)
		}, ExitDamaged, ExitDamaged},
		"the registry is a directory": {t.Context(), func(dir string) error {
			db := filepath.Join(dir, registry.DatabaseFile)
			return errors.Join(os.Remove(db), os.Mkdir(db, 0o700))
		}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stoppedPlace(t)
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := Check(c.ctx, dir, &out); exitCode(err) != c.check {
				t.Errorf("check = %v, want code %d\n%s", err, c.check, &out)
			}
			err := Repair(c.ctx, dir, &out)
			if exitCode(err) != c.repair {
				t.Errorf("repair = %v, want code %d\n%s", err, c.repair, &out)
			}
			if errors.Is(err, fs.ErrNotExist) && c.repair == 1 && !strings.Contains(err.Error(), "holds no data of Tidewire") {
				t.Errorf("repair = %v", err)
			}
		})
	}
}

// without removes files of the store.
func without(dir, pattern string) error {
	names, err := filepath.Glob(filepath.Join(dir, engineDir, pattern))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func emptied(dir string) error { return without(dir, "*") }
