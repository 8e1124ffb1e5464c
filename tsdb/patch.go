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
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A damaged data block of a table is mended where it stands: in its place comes a sound block
// of the same length that holds one deletion, of a key nobody writes. Nothing else of the
// table changes, neither its index nor its size nor what is around, so it does not matter
// whether Pebble has it open; a crash in the middle leaves a damaged block, which is mended
// again. Excising the span instead would take away what other tables hold in it, which for a
// young table is everything, and take it from snapshots that are being read.
//
// What comes to light is what older tables have under the keys the block held. So whoever
// patches has to repair what depends on them; see mend.go.

// errUnmendable marks a table of which more than data blocks is damaged.
var errUnmendable = errors.New("more than data blocks is damaged")

// patchTable puts sound blocks in place of the damaged data blocks of the table at path that
// want returns true for, and returns what they may have held.
func patchTable(fs vfs.FS, path string, want func(keySpan) bool) (patched []keySpan, err error) {
	torn, err := tornBlocks(fs, path)
	if err != nil {
		return nil, err
	}
	var file vfs.File
	for _, b := range torn {
		if !want(b.keySpan) {
			continue
		}
		sound, err := emptyBlock(b)
		if err != nil {
			return patched, fmt.Errorf("mend %s: %w", path, err)
		}
		if file == nil {
			if file, err = fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified); err != nil {
				return nil, fmt.Errorf("mend: %w", err)
			}
			defer func() { err = errors.Join(err, file.Close()) }()
		}
		if _, err := file.WriteAt(sound, int64(b.handle.Offset)); err != nil {
			return patched, fmt.Errorf("mend %s at %d: %w", path, b.handle.Offset, err)
		}
		patched = append(patched, b.keySpan)
	}
	if file == nil {
		return nil, nil
	}
	if err := file.Sync(); err != nil {
		return patched, fmt.Errorf("mend %s: %w", path, err)
	}
	return patched, nil
}

// tornBlocks returns the data blocks of a table that do not verify. It fails with errTable
// when that cannot be told.
func tornBlocks(fs vfs.FS, path string) (torn []tableBlock, err error) {
	r, err := openTable(fs, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	layout, err := r.Layout()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTable, err)
	}
	return tornOf(r, layout)
}

// emptyBlock returns a block with its trailer that fills the place of b.
func emptyBlock(b tableBlock) ([]byte, error) {
	key := b.end[:len(b.end)-1] // the separator behind the block
	if next := afterKey(b.start); b.start != nil && bytes.Compare(next, key) < 0 {
		key = next // which is nobody's
	}
	content, ok := deletion(key, int(b.handle.Length))
	if !ok {
		return nil, fmt.Errorf("%w: a block of %d bytes", errUnmendable, b.handle.Length)
	}
	whole := make([]byte, b.handle.Length+1, b.handle.Length+block.TrailerLen)
	copy(whole, content) // and then the kind of compression, none
	crc := crc32.Checksum(whole, castagnoli)
	return binary.LittleEndian.AppendUint32(whole, (crc>>15|crc<<17)+0xa282ead8), nil
}

// deletion returns a block of exactly length bytes that holds one deletion: what is left over is
// the value, which deletions do not have. False when it does not fit.
func deletion(key []byte, length int) (content []byte, ok bool) {
	schema := colblk.DefaultKeySchema(pebble.DefaultComparer, keyBundle)
	for rest, tries := 0, 0; rest >= 0 && tries < 8; tries++ {
		var w colblk.DataBlockEncoder
		w.Init(&schema)
		// Number 0 and kind 0: a deletion that is older than everything.
		w.Add(pebble.InternalKey{UserKey: key}, make([]byte, rest), block.InPlaceValuePrefix(false), w.KeyWriter.ComparePrev(key), false)
		if size := w.Size(); size != length {
			rest += length - size // and the width of what says how long it is changes
			continue
		}
		content, _ = w.Finish(w.Rows(), length)
		return content, true
	}
	return nil, false
}

// keyBundle is that of Pebble's default: it is part of the name of the schema in a table.
const keyBundle = 16

// tornOf reads every block of a table.
func tornOf(r *sstable.Reader, layout *sstable.Layout) (torn []tableBlock, err error) {
	blocks, err := tableBlocks(r, layout.Index)
	if err != nil {
		return nil, fmt.Errorf("%w: index: %w", errTable, err)
	}
	for _, b := range blocks {
		whole := make([]byte, b.handle.Length+block.TrailerLen)
		if r.BlockReader().Readable().ReadAt(context.Background(), whole, int64(b.handle.Offset)) != nil || !verifies(whole) {
			torn = append(torn, b)
		}
	}
	return torn, nil
}
