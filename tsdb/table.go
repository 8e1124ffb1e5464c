package tsdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

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

// openTable opens a file of the store by itself. Pebble reads a table through its cache and
// fails where the first block does; here each block is looked at alone.
func openTable(fs vfs.FS, path string) (*sstable.Reader, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errTable, err), file.Close())
	}
	o := &pebble.Options{FS: fs}
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errTable, err), readable.Close())
	}
	return r, nil
}

// damagedSpans reads every block of the table at path and returns where those lie that do
// not verify. It fails with errTable when that cannot be told.
func damagedSpans(fs vfs.FS, path string) (spans []keySpan, err error) {
	r, err := openTable(fs, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	layout, err := r.Layout()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	if layout.RangeDel.Length > 0 {
		if _, err := readBlock(r, layout.RangeDel, blockkind.RangeDel); err != nil {
			return nil, fmt.Errorf("%w: range deletions: %w", errTable, err)
		}
	}
	if r.BlockReader().ChecksumType() != block.ChecksumTypeCRC32c { // nobody has written such tables
		return nil, fmt.Errorf("%w: checksum type %d", errTable, r.BlockReader().ChecksumType())
	}
	torn, err := tornOf(r, layout)
	if err != nil {
		return nil, err
	}
	for _, b := range torn {
		if n := len(spans); n > 0 && bytes.Compare(b.start, spans[n-1].end) < 0 {
			spans[n-1].end = b.end
		} else {
			spans = append(spans, b.keySpan)
		}
	}
	return spans, nil
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
}

// tableBlocks lists the data blocks of a table by its index.
func tableBlocks(r *sstable.Reader, index []block.Handle) ([]tableBlock, error) {
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
			all = append(all, tableBlock{keySpan{before, afterKey(last)}, h.Handle})
			before = last
		}
	}
	return all, nil
}

// readBlock returns a copy of a block that verifies.
func readBlock(r *sstable.Reader, h block.Handle, kind block.Kind) ([]byte, error) {
	handle, err := r.BlockReader().Read(context.Background(), block.NoReadEnv, nil, h, kind,
		func(*block.Metadata, []byte) error { return nil })
	if err != nil {
		return nil, err
	}
	defer handle.Release()
	return bytes.Clone(handle.BlockData()), nil
}
