package tsdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// What stands around the data blocks of a table, its frame, says where they are: the index,
// the list of meta blocks, the footer. When it is damaged the blocks are found without it. They
// stand one behind the other from the beginning of the file, and each ends with a checksum of
// all of it, so the end of a block is where the checksum of what was read so far stands.

// A rawTable is a file of the store in memory.
type rawTable []byte

// readTable reads a table, or fails with errUnread; one that is gone is damage.
func readTable(fs vfs.FS, path string) (t rawTable, err error) {
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	t = make(rawTable, info.Size())
	if _, err = f.ReadAt(t, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s: %w", errUnread, path, err)
	}
	return t, nil
}

// content returns what is in a block that verifies, aligned as decoders want it; nil for others.
func (t rawTable) content(h block.Handle) []byte {
	end := h.Offset + h.Length + block.TrailerLen
	if end < h.Offset || end > uint64(len(t)) || !verifies(t[h.Offset:end]) || t[h.Offset+h.Length] != 0 {
		return nil
	}
	return bytes.Clone(t[h.Offset : h.Offset+h.Length])
}

// blocksFrom finds the blocks from an offset on, one behind the other, up to the first that
// does not verify or goes beyond limit.
func (t rawTable) blocksFrom(offset, limit uint64) (found []block.Handle) {
	for offset <= limit && limit <= uint64(len(t)) {
		length, ok := blockLength(t[offset:limit])
		if !ok {
			break
		}
		found = append(found, block.Handle{Offset: offset, Length: uint64(length)})
		offset += uint64(length) + block.TrailerLen
	}
	return found
}

// blockLength returns the length of the block with which b begins: behind it stand the kind of
// compression, none, and the masked checksum of both.
func blockLength(b []byte) (int, bool) {
	crc := ^uint32(0)
	for i := 0; i+block.TrailerLen <= len(b); i++ {
		crc = castagnoli[byte(crc)^b[i]] ^ crc>>8
		if b[i] != 0 || i == 0 {
			continue
		}
		if sum := ^crc; (sum>>15|sum<<17)+0xa282ead8 == binary.LittleEndian.Uint32(b[i+1:]) {
			return i, true
		}
	}
	return 0, false
}

// sealed returns content with its trailer, as it stands in a table.
func sealed(content []byte) []byte {
	whole := append(content[:len(content):len(content)], 0) // the kind of compression, none
	crc := crc32.Checksum(whole, castagnoli)
	return binary.LittleEndian.AppendUint32(whole, (crc>>15|crc<<17)+0xa282ead8)
}

// The columns of data blocks, behind the two of keys.
const (
	dataHeader      = 4 // of data blocks, before the one of columns
	dataColumns     = 7
	externalColumn  = 5 // a bit for each value that is not in the block
	columnsHeader   = 7
	columnHeaderLen = 5 // type <1> | offset <4 LE>
)

// columnOffset returns where a column of a data block begins.
func columnOffset(content []byte, column int) uint32 {
	return binary.LittleEndian.Uint32(content[dataHeader+columnsHeader+columnHeaderLen*column+1:])
}

// dataRows calls fn with the rows of the content of a data block whose values are in it. Pebble
// has put others into blocks of their own where a snapshot kept two values of a key, see
// [openStore]: the older one, which there is no snapshot for any more.
func dataRows(content []byte, fn func(*pebble.InternalKey, []byte) error) error {
	schema := colblk.DefaultKeySchema(pebble.DefaultComparer, keyBundle)
	bits := colblk.DecodeBlock(content, dataHeader)
	external := bits.Bitmap(externalColumn)
	// Nobody can read the others here: the iterator must take them for values.
	at, end := columnOffset(content, externalColumn), columnOffset(content, externalColumn+1)
	if content[at] == 0 { // words follow
		content = bytes.Clone(content)
		clear(content[at:end])
	}
	var decoder colblk.DataBlockDecoder
	decoder.Init(&schema, content)
	var iter colblk.DataBlockIter
	iter.InitOnce(&schema, pebble.DefaultComparer, nil)
	if err := iter.Init(&decoder, sstable.NoTransforms); err != nil {
		return err
	}
	row := 0
	for kv := iter.First(); kv != nil; kv = iter.Next() {
		if !external.At(row) {
			if err := fn(&kv.K, kv.InPlaceValue()); err != nil {
				return err
			}
		}
		row++
	}
	return iter.Close()
}

// keysOf returns the first and the last key of the content of a data block.
func keysOf(content []byte) (first, last []byte, err error) {
	err = dataRows(content, func(k *pebble.InternalKey, _ []byte) error {
		if first == nil {
			first = bytes.Clone(k.UserKey)
		}
		last = append(last[:0], k.UserKey...)
		return nil
	})
	return first, last, err
}

// indexRows returns the entries of the content of an index.
func indexRows(content []byte) (rows []tableBlock, err error) {
	var iter colblk.IndexIter
	if err := iter.Init(pebble.DefaultComparer, content, sstable.NoTransforms); err != nil {
		return nil, err
	}
	for ok := iter.First(); ok; ok = iter.Next() {
		h, err := iter.BlockHandleWithProperties()
		if err != nil {
			return nil, err
		}
		rows = append(rows, tableBlock{keySpan: keySpan{end: bytes.Clone(iter.Separator())}, handle: h.Handle})
	}
	return rows, nil
}
