package tsdb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A logFS is the file system as Pebble sees it. Pebble cannot go on when its log fails: it
// panics with a mutex in disorder where it changes to a new file, and says that a batch is
// committed where the hook that has to end the process returns. So the first error of the
// log is taken here: failed is told, and from then on nothing more reaches the log, whose
// file stays a prefix of what was written, while Pebble believes that all is well.
// [DB.commitBatch] is who does not believe it.
//
// A log is not there before its directory is synced, and Pebble cannot go on when a manifest
// fails either: both are taken here too. What the manifest on disk names is not removed then.
type logFS struct {
	vfs.FS
	dir    string // of the store: what lies elsewhere, as a backup does, may fail
	failed func(error)
	table  func()      // waits before a new table, after a failure
	dead   func() bool // failed was called, by whomever
}

// Unwrap implements vfs.FS.
func (l *logFS) Unwrap() vfs.FS { return l.FS }

// Create implements vfs.FS.
func (l *logFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !l.owns(name) {
		return l.FS.Create(name, c)
	}
	if isTable(name) {
		l.table()
	}
	if !isLog(name) && !isManifest(name) {
		return l.FS.Create(name, c)
	}
	return l.file(name, func() (vfs.File, error) { return l.FS.Create(name, c) })
}

// Remove implements vfs.FS.
func (l *logFS) Remove(name string) error {
	if l.dead() {
		return nil
	}
	return l.FS.Remove(name)
}

// ReuseForWrite implements vfs.FS.
func (l *logFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !l.owns(to) || !isLog(to) {
		return l.FS.ReuseForWrite(from, to, c)
	}
	return l.file(to, func() (vfs.File, error) { return l.FS.ReuseForWrite(from, to, c) })
}

// OpenDir implements vfs.FS.
func (l *logFS) OpenDir(name string) (vfs.File, error) {
	f, err := l.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	if name == l.PathJoin(l.dir, stagingDir) {
		return staged{f}, nil
	}
	if !l.owns(l.PathJoin(name, "any")) {
		return f, nil
	}
	return &directory{f, l, name}, nil
}

// staged is the directory of a checkpoint that is about to be copied. It need not be durable,
// and Pebble panics where it is not.
type staged struct{ vfs.File }

// Sync implements vfs.File.
func (s staged) Sync() error {
	_ = s.File.Sync()
	return nil
}

// owns reports whether a file lies in the store's directory.
func (l *logFS) owns(name string) bool {
	return l.PathDir(name) == l.PathDir(l.PathJoin(l.dir, "any"))
}

// isManifest reports whether name is that of a manifest, or of the marker of the one in use.
func isManifest(name string) bool { return strings.Contains(name, "MANIFEST-") }

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

func (l *logFS) file(name string, create func() (vfs.File, error)) (vfs.File, error) {
	f := &logFile{File: vfs.NewMemFile(nil), fs: l, name: name, named: !isManifest(name)}
	return f, l.try("create", name, func() error {
		file, err := create()
		if err == nil {
			f.File = file
		}
		return err
	})
}

// try runs do, unless the log has failed, and never fails itself.
func (l *logFS) try(what, name string, do func() error) error {
	if l.dead() {
		return nil
	}
	if err := do(); err != nil {
		l.failed(fmt.Errorf("tsdb: %s %s: %w", what, name, err))
	}
	return nil
}

// A logFile is a file of the log, or a manifest. The marker that points at a manifest is
// created before the directory is synced: a cut may keep the marker and lose the manifest,
// and the store could not be opened any more. So the first sync of a manifest is one of its
// directory as well.
type logFile struct {
	vfs.File
	fs    *logFS
	name  string
	named bool // in the directory for good, or Pebble sees to it
}

// Write implements vfs.File.
func (f *logFile) Write(p []byte) (int, error) {
	return len(p), f.fs.try("write", f.name, func() error { _, err := f.File.Write(p); return err })
}

// Preallocate implements vfs.File.
func (f *logFile) Preallocate(offset, length int64) error {
	return f.fs.try("preallocate", f.name, func() error { return f.File.Preallocate(offset, length) })
}

// Sync implements vfs.File.
func (f *logFile) Sync() error {
	return f.fs.try("sync", f.name, func() error {
		if err := f.File.Sync(); err != nil || f.named {
			return err
		}
		d, err := f.fs.FS.OpenDir(f.fs.PathDir(f.name))
		if err != nil {
			return err
		}
		err = errors.Join(d.Sync(), d.Close())
		f.named = err == nil
		return err
	})
}

// SyncData implements vfs.File.
func (f *logFile) SyncData() error { return f.fs.try("sync", f.name, f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *logFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.try("sync", f.name, func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close implements vfs.File. What was to be durable is: an error changes nothing.
func (f *logFile) Close() error {
	_ = f.File.Close()
	return nil
}

// A directory is where the log and everything else is.
type directory struct {
	vfs.File
	fs   *logFS
	name string
}

// Sync implements vfs.File.
func (d *directory) Sync() error { return d.fs.try("sync", d.name, d.File.Sync) }
