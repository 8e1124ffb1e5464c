package tsdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/block/blockkind"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A keySpan is the keys of the store in [start, end).
type keySpan struct{ start, end []byte }

func (s keySpan) holds(key []byte) bool {
	return bytes.Compare(s.start, key) <= 0 && bytes.Compare(key, s.end) < 0
}

// after returns the least key behind key.
func afterKey(key []byte) []byte { return append(bytes.Clone(key), 0) }

// errTable marks a table that cannot be read at all: its index or its footer is damaged, or
// it is gone.
var errTable = errors.New("the whole table")

// errUnread marks a table that the disk did not give: nothing is known of what is in it, so
// nothing may be taken away.
var errUnread = errors.New("a read failed")

// A tableReader reads a file of the store by itself. Pebble reads a table through its cache and
// fails where the first block does; here each block is looked at alone.
type tableReader struct {
	*sstable.Reader
	file *tableSource
}

// A tableSource keeps the first read of a file that failed, which is not damage and which
// Pebble's errors do not tell from it. To reach beyond the end is none.
type tableSource struct {
	vfs.File
	failed error
}

// ReadAt implements sstable.ReadableFile.
func (s *tableSource) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.File.ReadAt(p, offset)
	if err != nil && s.failed == nil && !errors.Is(err, io.EOF) {
		s.failed = err
	}
	return n, err
}

// blame returns a failure to make sense of the file as errUnread or as errTable.
func (s *tableSource) blame(err error) error {
	if s.failed != nil {
		return fmt.Errorf("%w: %w", errUnread, s.failed)
	}
	return fmt.Errorf("%w: %w", errTable, err)
}

// openTable opens a table. It fails with errTable or errUnread, as all that reads one.
func openTable(fs vfs.FS, path string) (*tableReader, error) {
	file, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	source := &tableSource{File: file}
	readable, err := sstable.NewSimpleReadable(source)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errUnread, err), file.Close())
	}
	o := &pebble.Options{FS: fs}
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		return nil, errors.Join(source.blame(err), readable.Close())
	}
	return &tableReader{r, source}, nil
}

// damagedSpans reads every block of the table at path and returns where those lie that do
// not verify, and the blocks themselves. It fails with errTable when that cannot be told.
func damagedSpans(fs vfs.FS, path string) (spans []keySpan, torn []tableBlock, err error) {
	r, err := openTable(fs, path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	layout, err := r.Layout()
	if err != nil {
		return nil, nil, r.file.blame(err)
	}
	if layout.RangeDel.Length > 0 {
		if _, err := readBlock(r, layout.RangeDel, blockkind.RangeDel); err != nil {
			return nil, nil, fmt.Errorf("range deletions: %w", r.file.blame(err))
		}
	}
	if r.BlockReader().ChecksumType() != block.ChecksumTypeCRC32c { // nobody has written such tables
		return nil, nil, fmt.Errorf("%w: checksum type %d", errTable, r.BlockReader().ChecksumType())
	}
	torn, err = r.torn(layout)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range torn {
		if n := len(spans); n > 0 && bytes.Compare(b.start, spans[n-1].end) < 0 {
			spans[n-1].end = b.end
		} else {
			spans = append(spans, b.keySpan)
		}
	}
	return spans, torn, nil
}

// torn returns the data blocks that do not verify.
func (r *tableReader) torn(layout *sstable.Layout) (torn []tableBlock, err error) {
	all, err := tableBlocks(r, layout.Index)
	if err != nil {
		return nil, fmt.Errorf("index: %w", r.file.blame(err))
	}
	for _, b := range all {
		sound, err := b.verifies(r.file)
		if err != nil {
			return nil, err
		}
		if !sound {
			torn = append(torn, b)
		}
	}
	return torn, nil
}

// verifies reads the block from its table. One that goes beyond the end of the file is damaged.
func (b *tableBlock) verifies(file io.ReaderAt) (bool, error) {
	whole := make([]byte, b.handle.Length+block.TrailerLen)
	if _, err := file.ReadAt(whole, int64(b.handle.Offset)); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("%w: block at %d: %w", errUnread, b.handle.Offset, err)
	}
	return verifies(whole), nil
}

// verifies reports whether a block and its trailer, the kind of compression <1> and the masked
// crc32c <4> of all before it, belong together. Pebble's own check looks for the bit that was
// flipped, which takes a third of a second.
func verifies(b []byte) bool {
	n := len(b) - 4
	crc := crc32.Checksum(b[:n], castagnoli)
	return (crc>>15|crc<<17)+0xa282ead8 == binary.LittleEndian.Uint32(b[n:])
}

// A tableBlock is a data block and the keys it may hold.
type tableBlock struct {
	keySpan
	handle block.Handle
	// Of torn ones:
	least []byte // of its table, when start is not known
	salt  uint32 // of its table
}

// of notes from which table torn blocks are, and its least key.
func of(torn []tableBlock, table string, least []byte) []tableBlock {
	for i := range torn {
		torn[i].least, torn[i].salt = least, crc32.ChecksumIEEE([]byte(table))
	}
	return torn
}

// tableBlocks lists the data blocks of a table by its index.
func tableBlocks(r *tableReader, index []block.Handle) ([]tableBlock, error) {
	var all []tableBlock
	var before []byte // no key of what comes is less
	for _, h := range index {
		b, err := readBlock(r, h, blockkind.SSTableIndex)
		if err != nil {
			return nil, err
		}
		var iter colblk.IndexIter
		if err := iter.Init(pebble.DefaultComparer, b, sstable.NoTransforms); err != nil {
			return nil, err
		}
		for ok := iter.First(); ok; ok = iter.Next() {
			h, err := iter.BlockHandleWithProperties()
			if err != nil {
				return nil, err
			}
			// A key of the block before may go on in this one, with older values.
			last := bytes.Clone(iter.Separator())
			all = append(all, tableBlock{keySpan: keySpan{before, afterKey(last)}, handle: h.Handle})
			before = last
		}
	}
	return all, nil
}

// readBlock returns a copy of a block that verifies.
func readBlock(r *tableReader, h block.Handle, kind block.Kind) ([]byte, error) {
	handle, err := r.BlockReader().Read(context.Background(), block.NoReadEnv, nil, h, kind,
		func(*block.Metadata, []byte) error { return nil })
	if err != nil {
		return nil, err
	}
	defer handle.Release()
	return bytes.Clone(handle.BlockData()), nil
}
