package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
)

// A place is a data directory with a device in it, opened.
type place struct {
	*testing.T
	dir      string
	db       *tsdb.DB
	registry *registry.Registry
}

func openPlace(t *testing.T, dir string) *place {
	t.Helper()
	p := &place{T: t, dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	keys, err := registry.OpenKeys(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if p.db, err = tsdb.Open(filepath.Join(dir, engineDir), tsdb.Options{}); err != nil {
		t.Fatal(err)
	}
	if p.registry, err = registry.Open(t.Context(), registry.Options{Dir: dir, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) close() {
	p.Helper()
	if err := errors.Join(p.registry.Close(), p.db.Close()); err != nil {
		p.Fatal(err)
	}
}

func (p *place) tenant(title string) {
	p.Helper()
	if err := p.registry.SaveTenant(p.Context(), &model.Tenant{Title: title}); err != nil {
		p.Fatal(err)
	}
}

func (p *place) tenants() (titles []string) {
	p.Helper()
	all, err := p.registry.Tenants(p.Context(), model.TenantFilter{}, model.PageLink{Size: 10})
	if err != nil {
		p.Fatal(err)
	}
	for _, t := range all.Data {
		titles = append(titles, t.Title)
	}
	return titles
}

func (p *place) write(ts, n int64) {
	p.Helper()
	s := &model.WriteSet{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Timeseries, Keys: []string{"a"}}
	for i := range n {
		s.Rows = append(s.Rows, model.Row{TS: ts + i, Cells: 1})
		s.Cells = append(s.Cells, model.Cell{Value: model.Int(i)})
	}
	if _, err := p.db.Append(p.Context(), s); err != nil {
		p.Fatal(err)
	}
}

func (p *place) points() (n int) {
	p.Helper()
	q := &model.RangeQuery{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Timeseries, Keys: []string{"a"}, From: 0, To: 1 << 40}
	if _, err := p.db.Raw(p.Context(), q, func(_ string, points []model.Point) error { n += len(points); return nil }); err != nil {
		p.Fatal(err)
	}
	return n
}

func (p *place) backUp(set string, at int64) model.Backup {
	p.Helper()
	b, err := backUp(p.Context(), set, time.UnixMilli(at), p.registry, p.db)
	if err != nil {
		p.Fatal(err)
	}
	return b
}

func TestABackupIsRestoredWhole(t *testing.T) {
	root := t.TempDir()
	p := openPlace(t, filepath.Join(root, "data"))
	set := filepath.Join(root, "set")
	p.tenant("first")
	p.write(0, 50_000)
	if err := p.db.Close(); err != nil { // into tables
		t.Fatal(err)
	}
	var err error
	if p.db, err = tsdb.Open(filepath.Join(p.dir, engineDir), tsdb.Options{}); err != nil {
		t.Fatal(err)
	}
	one := p.backUp(set, 1000)
	p.tenant("second")
	p.write(100_000, 10)
	two := p.backUp(set, 2000)
	if two.Shared == 0 || one.Shared != 0 || two.Position <= one.Position {
		t.Errorf("%+v, then %+v", one, two)
	}
	if _, err := backUp(t.Context(), set, time.UnixMilli(2000), p.registry, p.db); model.KindOf(err) != model.Conflict {
		t.Errorf("over a backup: %v", err)
	}
	epoch := p.db.Epoch()
	p.close()

	if err := os.RemoveAll(filepath.Join(set, one.Name)); err != nil { // pruned
		t.Fatal(err)
	}
	var out bytes.Buffer
	restored := filepath.Join(root, "restored")
	if err := Restore(t.Context(), filepath.Join(set, two.Name), restored, &out); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), restored, &out); err != nil {
		t.Errorf("check: %v\n%s", err, &out)
	}
	info, err := os.Stat(filepath.Join(restored, registry.KeysFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("keys: %v, %v", info, err)
	}
	r := openPlace(t, restored)
	if n := r.points(); n != 50_010 || r.db.Epoch() == epoch || strings.Join(slices.Sorted(slices.Values(r.tenants())), " ") != "first second" {
		t.Errorf("%d points, epoch %d after %d, tenants %q", n, r.db.Epoch(), epoch, r.tenants())
	}
	r.close()
	if err := Restore(t.Context(), filepath.Join(set, two.Name), restored, &out); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a directory with something in it: %v", err)
	}
}

// What is not a whole backup is refused, and nothing stays of the attempt.
func TestADamagedBackupIsRefused(t *testing.T) {
	root := t.TempDir()
	p := openPlace(t, filepath.Join(root, "data"))
	p.write(0, 100)
	if err := p.db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := filepath.Join(root, "set")
	b := p.backUp(set, 1000)
	p.close()
	at := filepath.Join(set, b.Name)
	m, err := readManifest(at)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(name string, change func([]byte) []byte, want string) {
		t.Helper()
		path := filepath.Join(at, filepath.FromSlash(name))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b := change(bytes.Clone(good)); b == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(root, "restored")
		err = Restore(context.WithoutCancel(t.Context()), at, target, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if left, _ := filepath.Glob(target + "*"); len(left) > 0 {
			t.Errorf("%s: %q is left", name, left)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	gone := func([]byte) []byte { return nil }
	for _, f := range m.Files {
		if f.Size > 0 {
			edit(f.Name, flip, f.Name)
			edit(f.Name, func(b []byte) []byte { return b[:len(b)-1] }, f.Name)
		}
		edit(f.Name, gone, filepath.Base(f.Name))
	}
	var out bytes.Buffer
	if err := Check(t.Context(), at, &out); err != nil || !strings.Contains(out.String(), "entity 02000000") {
		t.Errorf("check of a sound backup: %v\n%s", err, &out)
	}
	table := filepath.Join(at, registry.DatabaseFile)
	good, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table, flip(bytes.Clone(good)), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, ok := errors.AsType[*ExitError](Check(t.Context(), at, &out))
	if !ok || exit.Code != ExitDamaged || !strings.Contains(exit.Error(), registry.DatabaseFile) {
		t.Errorf("check of a damaged backup: %v", exit)
	}
	if err := os.WriteFile(table, good, 0o600); err != nil {
		t.Fatal(err)
	}
	edit(manifestFile, flip, manifestFile)
	edit(manifestFile, gone, "no backup")
	edit(manifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"version": 1`), []byte(`"version": 9`), 1) }, "format 9")
	edit(manifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"size": `), []byte(`"size": 1`), 1) }, "checksum")
}

func TestBackupsGoWhereTheServerLetsThem(t *testing.T) {
	root := t.TempDir()
	p := openPlace(t, filepath.Join(root, "data"))
	defer p.close()
	p.write(0, 10)
	set := filepath.Join(root, "set")
	if err := os.Mkdir(set, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(set, "out")); err != nil {
		t.Fatal(err)
	}
	b := &backups{root: set, registry: p.registry, db: p.db, now: time.Now}
	for _, to := range []string{"..", "/etc", root, "a/../..", set + "/../x", "out", "out/x"} {
		if err := b.Start(to); model.KindOf(err) != model.Invalid {
			t.Errorf("%s: %v", to, err)
		}
	}
	for _, to := range []string{"", "nightly", filepath.Join(set, "weekly")} {
		if err := b.Start(to); err != nil {
			t.Errorf("%s: %v", to, err)
		}
		b.running.Wait()
		if s := b.Status(); s.Running || s.Error != "" || s.Last == nil || s.Last.Files == 0 {
			t.Errorf("%s: %+v", to, s)
		}
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if err := b.Start(""); model.KindOf(err) != model.Overload {
		t.Errorf("after the end: %v", err)
	}
	if err := (&backups{}).Start(""); model.KindOf(err) != model.Invalid {
		t.Errorf("without a directory: %v", err)
	}
}
