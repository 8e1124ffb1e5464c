package tsdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A damaged data block of a table is mended where it stands: in its place comes a sound block
// of the same length that holds one deletion, of a key nobody writes and no other table has: Pebble
// takes two of a key for its own fault and ends the process. Nothing else of the
// table changes, neither its index nor its size nor what is around, so it does not matter
// whether Pebble has it open; a crash in the middle leaves a damaged block, which is mended
// again. Excising the span instead would take away what other tables hold in it, which for a
// young table is everything, and take it from snapshots that are being read.
//
// What comes to light is what older tables have under the keys the block held. So whoever
// patches has to repair what depends on them; see mend.go.

// errUnmendable marks a table of which more than data blocks is damaged.
var errUnmendable = errors.New("more than data blocks is damaged")

// patchTable puts sound blocks in place of torn ones of the table at path, which the plan of the
// repair has: what else does not verify stays as it is. A block that verifies now, stays too.
func patchTable(fs vfs.FS, path string, torn []tableBlock) (err error) {
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("mend: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, b := range torn {
		whole, err := b.verifies(file)
		if err != nil {
			return fmt.Errorf("mend %s: %w", path, err)
		}
		if whole {
			continue
		}
		sound, err := emptyBlock(b)
		if err != nil {
			return fmt.Errorf("mend %s: %w", path, err)
		}
		if _, err := file.WriteAt(sound, int64(b.handle.Offset)); err != nil {
			return fmt.Errorf("mend %s at %d: %w", path, b.handle.Offset, err)
		}
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("mend %s: %w", path, err)
	}
	return nil
}

// canEmpty fails with errUnmendable where a block is too small for a deletion.
func canEmpty(torn []tableBlock) error {
	for _, b := range torn {
		if _, err := emptyBlock(b); err != nil {
			return err
		}
	}
	return nil
}

// emptyBlock returns a block with its trailer that fills the place of b.
func emptyBlock(b tableBlock) ([]byte, error) {
	key := b.end[:len(b.end)-1] // the separator behind the block
	content, ok := []byte(nil), false
	least := b.start
	if least == nil {
		least = b.least
	}
	next := binary.BigEndian.AppendUint64(afterKey(least), uint64(b.salt)<<32|b.handle.Offset&math.MaxUint32)
	if least != nil && bytes.Compare(next, key) < 0 {
		content, ok = deletion(next, int(b.handle.Length)) // which is nobody's
	}
	if !ok {
		content, ok = deletion(key, int(b.handle.Length))
	}
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
