package tsdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble takes the first record of its log that does not verify for the end, unless a later
// block of the file says that more was synced: what a damaged bit within the last block hides
// would be lost without a word, acknowledged as it was. checkLogTail looks there too: behind
// what does not verify it searches for a record that does, and that says how far the log had
// been synced when it was written. Only the last record cannot be told from one that a power
// cut has torn.
//
// The format is that of Pebble's package record: blocks of 32 KiB, in which chunks follow each
// other:
//
//	crc <4> | length <2> | encoding <1> | number of the file <4> | synced up to <8> | payload
const (
	logBlock      = 32 << 10
	logChunkHead  = 19
	logFullChunk  = 9 // the first of four encodings with the synced offset
	logFinalChunk = 12
)

// checkLogTail fails with ErrCorrupt when the newest log file in dir has damage within what
// was synced.
func checkLogTail(fs vfs.FS, dir string) (err error) {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	newest, name := int64(-1), ""
	for _, n := range names {
		number, err := strconv.ParseInt(strings.TrimSuffix(n, ".log"), 10, 64)
		if isLog(n) && err == nil && number > newest {
			newest, name = number, n
		}
	}
	if name == "" {
		return nil
	}
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	t := logTail{file: f, size: info.Size(), number: uint32(newest)}
	last, err := t.lastBlock()
	if err != nil {
		return err
	}
	for _, block := range []int64{last, last + 1} { // the head of the very last one may be damaged
		at, synced, err := t.damageIn(block)
		if err != nil {
			return err
		}
		if synced > 0 {
			return fmt.Errorf("%w: %s is damaged at byte %d, and was synced up to %d: points that were acknowledged cannot be read; "+
				"the directory needs a backup", ErrCorrupt, name, at, synced)
		}
	}
	return nil
}

type logTail struct {
	file   vfs.File
	size   int64
	number uint32
	buf    [logBlock]byte
}

// read returns up to n bytes of the file.
func (t *logTail) read(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), max(t.size-at, 0)))
	b := t.buf[:n]
	read, err := t.file.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:read], err
}

// lastBlock returns the last block that begins with a chunk of this file: a recycled file
// has those of an earlier one behind it.
func (t *logTail) lastBlock() (last int64, err error) {
	for block := range (t.size + logBlock - 1) / logBlock {
		b, err := t.read(block*logBlock, logChunkHead)
		if err != nil {
			return 0, err
		}
		if t.isHead(b) {
			last = block
		}
	}
	return last, nil
}

func (t *logTail) isHead(b []byte) bool {
	return len(b) >= logChunkHead && b[6] >= logFullChunk && b[6] <= logFinalChunk && binary.LittleEndian.Uint32(b[7:]) == t.number
}

// chunk returns the length of the chunk b begins with, or 0 when it does not verify.
func (t *logTail) chunk(b []byte) int {
	if !t.isHead(b) {
		return 0
	}
	end := logChunkHead + int(binary.LittleEndian.Uint16(b[4:]))
	if end > len(b) {
		return 0
	}
	sum := bits.RotateLeft32(crc32.Checksum(b[6:end], logTable), 17) + 0xa282ead8
	if sum != binary.LittleEndian.Uint32(b) {
		return 0
	}
	return end
}

var logTable = crc32.MakeTable(crc32.Castagnoli)

// damageIn returns where a block has a chunk that does not verify although it was synced, and
// how far the file was; synced 0 means that there is none.
func (t *logTail) damageIn(block int64) (at, synced int64, err error) {
	start := block * logBlock
	b, err := t.read(start, logBlock)
	if err != nil {
		return 0, 0, err
	}
	i := 0
	for i < len(b) {
		n := t.chunk(b[i:])
		if n == 0 {
			break
		}
		i += n
	}
	at = start + int64(i)
	for k := i + 1; k < len(b); k++ {
		if t.chunk(b[k:]) > 0 {
			synced = max(synced, int64(binary.LittleEndian.Uint64(b[k+11:])))
		}
	}
	if synced <= at {
		return at, 0, nil
	}
	return at, synced, nil
}
