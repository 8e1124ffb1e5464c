package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/registry"
	"github.com/tidewire/tidewire/tsdb"
)

// backupTime names backups: they sort by age.
const backupTime = "20060102T150405.000Z"

// partial begins the name of a backup that is being written.
const partial = ".partial-"

// backUp writes one more backup into the set at dir. The registry comes first: an entity that
// is made in between has telemetry nobody asks for, never the other way round. What the newest
// finished backup of the same epoch holds of tables is shared with it by hard links, so any
// of them can be removed.
func backUp(ctx context.Context, dir string, now time.Time, r *registry.Registry, db *tsdb.DB) (b model.Backup, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return b, fmt.Errorf("make %s: %w", dir, err)
	}
	name := now.UTC().Format(backupTime)
	final, part := filepath.Join(dir, name), filepath.Join(dir, partial+name)
	if _, err := os.Stat(final); err == nil {
		return b, model.Errorf(model.Conflict, "There is a backup %s already", name)
	}
	base, err := newestBackup(dir, db.Epoch())
	if err != nil {
		return b, err
	}
	if err := removePartial(dir); err != nil {
		return b, err
	}
	if err := os.Mkdir(part, 0o700); err != nil {
		return b, fmt.Errorf("begin a backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	if err := r.Backup(ctx, part); err != nil {
		return b, err
	}
	m := manifest{Version: manifestVersion, Created: now.UTC().Truncate(time.Millisecond)}
	for _, file := range []string{registry.DatabaseFile, registry.KeysFile} {
		f, err := describe(part, file)
		if err != nil {
			return b, err
		}
		m.Files = append(m.Files, f)
		b.Copied += f.Size
	}
	info, err := db.Backup(ctx, filepath.Join(part, engineDir), base)
	if err != nil {
		return b, err
	}
	m.Epoch, m.Position = info.Epoch, info.Position
	for _, f := range info.Files {
		m.Files = append(m.Files, manifestItem{path.Join(engineDir, f.Name), f.Size, f.CRC})
	}
	text, err := m.encode()
	if err != nil {
		return b, fmt.Errorf("write the manifest: %w", err)
	}
	if err := writeSynced(filepath.Join(part, manifestFile), text); err != nil {
		return b, fmt.Errorf("write the manifest: %w", err)
	}
	db.Passing(tsdb.AtBackupManifest)
	if err := errors.Join(syncDir(part), os.Rename(part, final), syncDir(dir)); err != nil {
		return b, fmt.Errorf("put the backup in place: %w", err)
	}
	b.Name, b.Created, b.Position = name, m.Created.UnixMilli(), info.Position
	b.Files, b.Copied, b.Shared = len(m.Files), b.Copied+info.Copied, info.Shared
	return b, nil
}

// newestBackup returns the newest finished backup of an epoch, or nil.
func newestBackup(dir string, epoch uint64) (*tsdb.BackupBase, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	slices.Reverse(entries)
	for _, e := range entries {
		if _, err := time.Parse(backupTime, e.Name()); err != nil || !e.IsDir() {
			continue
		}
		at := filepath.Join(dir, e.Name())
		m, err := readManifest(at)
		if err != nil || m.Epoch != epoch {
			continue // nothing to share with
		}
		base := &tsdb.BackupBase{Dir: filepath.Join(at, engineDir)}
		for _, f := range m.Files {
			if name, ok := strings.CutPrefix(f.Name, engineDir+"/"); ok {
				base.Files = append(base.Files, tsdb.BackupFile{Name: name, Size: f.Size, CRC: f.CRC})
			}
		}
		return base, nil
	}
	return nil, nil
}

// removePartial removes what backups left that did not end.
func removePartial(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, partial+"*"))
	for _, p := range left {
		err = errors.Join(err, os.RemoveAll(p))
	}
	return err
}

// describe reads a small file of a backup.
func describe(dir, name string) (f manifestItem, err error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return f, err
	}
	return manifestItem{name, int64(len(b)), checksum(b)}, nil
}

func writeSynced(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// backups runs the backups that administrators ask the server for, one at a time.
type backups struct {
	root     string // "" means that there are none
	registry *registry.Registry
	db       *tsdb.DB
	now      clock

	mu struct {
		sync.Mutex
		status model.BackupStatus
		stop   context.CancelFunc
		closed bool
	}
	running sync.WaitGroup
}

// start begins a backup, which outlives the request. to is "", the root, or a directory below
// it.
func (b *backups) start(to string) error {
	if b.root == "" {
		return model.Invalidf("This server makes no backups: start it with --backup-dir")
	}
	root, err := filepath.Abs(b.root)
	if err != nil {
		return err
	}
	dir := root
	if to != "" {
		if dir = filepath.Clean(to); !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		rel, ok := below(root, dir)
		if !ok {
			return model.Invalidf("%s is not below the directory this server writes backups to", to)
		}
		if err := noLinks(root, rel); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return model.Errorf(model.Overload, "The server is stopping")
	}
	if b.mu.status.Running {
		return model.Errorf(model.Conflict, "A backup is running already")
	}
	ctx, stop := context.WithCancel(context.Background())
	b.mu.stop = stop
	b.mu.status.Running, b.mu.status.Error = true, ""
	b.running.Go(func() {
		defer stop()
		done, err := backUp(ctx, dir, b.now(), b.registry, b.db)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.mu.status.Running = false
		if err != nil {
			b.mu.status.Error = err.Error()
			return
		}
		b.mu.status.Last = &done
	})
	return nil
}

// noLinks refuses a path below root that leads elsewhere by a symbolic link.
func noLinks(root, rel string) error {
	for at := rel; at != "." && at != "/"; at = filepath.Dir(at) {
		if info, err := os.Lstat(filepath.Join(root, at)); err == nil && info.Mode()&os.ModeSymlink != 0 {
			return model.Invalidf("%s is a link", at)
		}
	}
	return nil
}

// Status implements api.Backups.
func (b *backups) Status() model.BackupStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.status
}

// Start implements api.Backups.
func (b *backups) Start(to string) error { return b.start(to) }

// close stops a backup that is running and waits for its end.
func (b *backups) close() error {
	b.mu.Lock()
	b.mu.closed = true
	if b.mu.stop != nil {
		b.mu.stop()
	}
	b.mu.Unlock()
	b.running.Wait()
	return nil
}
