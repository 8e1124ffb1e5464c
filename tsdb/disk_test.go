package tsdb

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A countedFS knows which files are open, and can break a write in the middle.
type countedFS struct {
	vfs.FS
	files *sync.Map              // *countedFile to its name
	short *atomic.Pointer[error] // the next write does half of it and fails so
	close *atomic.Pointer[error] // the next close fails so, and closes
}

func newCountedFS(fs vfs.FS) *countedFS {
	return &countedFS{fs, &sync.Map{}, &atomic.Pointer[error]{}, &atomic.Pointer[error]{}}
}

func (c *countedFS) file(name string) func(f vfs.File, err error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		file := &countedFile{File: f, fs: c}
		c.files.Store(file, name)
		return file, nil
	}
}

func (c *countedFS) Unwrap() vfs.FS { return c.FS }

func (c *countedFS) Create(name string, w vfs.DiskWriteCategory) (vfs.File, error) {
	return c.file(name)(c.FS.Create(name, w))
}

func (c *countedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return c.file(name)(c.FS.Open(name, o...))
}

func (c *countedFS) OpenReadWrite(name string, w vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return c.file(name)(c.FS.OpenReadWrite(name, w, o...))
}

func (c *countedFS) OpenDir(name string) (vfs.File, error) { return c.file(name)(c.FS.OpenDir(name)) }

func (c *countedFS) ReuseForWrite(from, to string, w vfs.DiskWriteCategory) (vfs.File, error) {
	return c.file(to)(c.FS.ReuseForWrite(from, to, w))
}

type countedFile struct {
	vfs.File
	fs *countedFS
}

func (f *countedFile) Close() error {
	f.fs.files.Delete(f)
	err := f.File.Close()
	if cause := f.fs.close.Swap(nil); cause != nil && err == nil {
		err = *cause
	}
	return err
}

func (f *countedFile) Write(p []byte) (int, error) {
	cause := f.fs.short.Swap(nil)
	if cause == nil {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	return n, *cause
}

// left returns the names of the files that are open, but for those of a checkpoint that
// failed, which Pebble does not close.
func (c *countedFS) left() (names []string) {
	c.files.Range(func(_, file any) bool {
		if name := file.(string); !strings.Contains(name, stagingDir) {
			names = append(names, name)
		}
		return true
	})
	return names
}
