package tsdb

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A tableFS is the file system as Pebble sees it, with tables of which it reads sound blocks
// only. It keeps copies of their frames, see [frameCopy].
type tableFS struct {
	vfs.FS
	frames *frames
}

// Unwrap implements vfs.FS.
func (t tableFS) Unwrap() vfs.FS { return t.FS }

// Open implements vfs.FS.
func (t tableFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := t.FS.Open(name, opts...)
	if err != nil || !isTable(name) {
		return f, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &tableFile{File: f, name: name, info: info, frame: t.frames.copy(t.PathBase(name))}, nil
}

// Create implements vfs.FS.
func (t tableFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := t.FS.Create(name, c)
	if err != nil || !isTable(name) {
		return f, err
	}
	return &newTable{File: f, name: name, fs: t.FS}, nil
}

// Remove implements vfs.FS.
func (t tableFS) Remove(name string) error {
	if isTable(name) {
		if err := t.FS.Remove(frameFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		t.frames.forget(t.PathBase(name))
	}
	return t.FS.Remove(name)
}

// Link implements vfs.FS: a checkpoint has the copies, too.
func (t tableFS) Link(from, to string) error {
	err := t.FS.Link(from, to)
	if err != nil || !isTable(from) {
		return err
	}
	if err := t.FS.Link(frameFile(from), frameFile(to)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// A newTable is a table that Pebble writes.
type newTable struct {
	vfs.File
	name string
	fs   vfs.FS
}

// Sync implements vfs.File. The name of what stands beside the table is made durable with its
// own, before the manifest tells of it.
func (f *newTable) Sync() error { return f.synced(f.File.Sync()) }

// SyncData implements vfs.File.
func (f *newTable) SyncData() error { return f.synced(f.File.SyncData()) }

func (f *newTable) synced(err error) error {
	if err != nil {
		return err
	}
	return copyFrame(f.fs, f.name)
}

// A tableFile is a table that Pebble reads. Of a block whose checksum is wrong Pebble looks for
// the bit that was flipped, one after the other: a second for a block of 64 KiB, minutes for
// one that holds a large set. So it does not get to see such a block.
type tableFile struct {
	vfs.File
	name  string
	info  vfs.FileInfo
	frame *frameCopy
}

// Stat implements vfs.File. Pebble leaves a table open that it cannot ask for its size, so
// that is asked once, in Open.
func (f *tableFile) Stat() (vfs.FileInfo, error) { return f.info, nil }

// ReadAt implements vfs.File. A read that does not reach the end of the file, where the footer
// is, is one of a block.
func (f *tableFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(p, offset)
	if err != nil || n != len(p) {
		return n, err
	}
	if offset+int64(n) < f.info.Size() && len(p) > block.TrailerLen && !verifies(p) {
		if f.frame.empty(p, offset) {
			return n, nil
		}
		return 0, fmt.Errorf("%w: %s: block %d/%d: checksum mismatch", pebble.ErrCorruption, f.name, offset, len(p)-block.TrailerLen)
	}
	f.frame.see(p, offset, f.info.Size())
	return n, err
}
