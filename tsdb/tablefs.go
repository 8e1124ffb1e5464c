package tsdb

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A tableFS is the file system as Pebble sees it, with tables of which it reads sound blocks
// only.
type tableFS struct{ vfs.FS }

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
		_ = f.Close()
		return nil, err
	}
	return &tableFile{File: f, name: name, size: info.Size()}, nil
}

// A tableFile is a table that Pebble reads. Of a block whose checksum is wrong Pebble looks for
// the bit that was flipped, one after the other: a second for a block of 64 KiB, minutes for
// one that holds a large set. So it does not get to see such a block.
type tableFile struct {
	vfs.File
	name string
	size int64
}

// ReadAt implements vfs.File. A read that does not reach the end of the file, where the footer
// is, is one of a block.
func (f *tableFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(p, offset)
	if err != nil || n != len(p) || offset+int64(n) >= f.size || len(p) <= 5 || verifies(p) {
		return n, err
	}
	return 0, fmt.Errorf("%w: %s: block %d/%d: checksum mismatch", pebble.ErrCorruption, f.name, offset, len(p)-5)
}
