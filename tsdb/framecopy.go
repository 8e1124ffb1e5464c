package tsdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble keeps of a table that it opens where the parts of its frame are, and in its cache
// some of them. Whatever is torn later, they have to be made whole in these places: so their
// bytes are kept when Pebble reads them. What else nobody could make anew, range deletions,
// is kept on disk: a table that has some gets a file beside it with a copy of its frame.

// A frameCopy is what was seen of the frame of a table while it was sound.
type frameCopy struct {
	from atomic.Int64 // no part of the frame is before it
	mu   struct {
		sync.Mutex
		size        int64
		footer      []byte // nil: nothing was seen
		list, index block.Handle
		meta        map[string]block.Handle // nil: the list was not seen
		blocks      map[int64][]byte        // with trailers, by offset
		gaps        []gap                   // where an index that Pebble keeps may still see blocks
	}
}

// Larger parts are not kept: an index follows from the data, but for the upper level of one of
// two levels, which has a row for some 30 MiB; nobody writes that many range deletions at once.
const (
	keptIndex     = 1 << 10
	keptDeletions = 1 << 20
)

func newFrameCopy() *frameCopy {
	c := &frameCopy{}
	c.from.Store(math.MaxInt64)
	return c
}

// see takes over what was read of a table of a size, if it is of the frame. Blocks verify.
func (c *frameCopy) see(p []byte, offset, size int64) {
	end := offset+int64(len(p)) == size
	if !end && offset < c.from.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.mu
	if end {
		if len(p) < footerLen {
			return
		}
		footer := p[len(p)-footerLen:]
		list, index, ok := rawTable(footer).footer()
		if !ok || bytes.Equal(footer, m.footer) {
			return
		}
		m.size, m.footer, m.list, m.index, m.meta = size, bytes.Clone(footer), list, index, nil
		m.blocks = map[int64][]byte{}
		c.from.Store(int64(index.Offset))
		return
	}
	if m.footer == nil || m.blocks[offset] != nil {
		return
	}
	is := func(h block.Handle, most uint64) bool {
		return int64(h.Offset) == offset && h.Length+block.TrailerLen == uint64(len(p)) && h.Length <= most
	}
	switch {
	case is(m.list, math.MaxUint64):
		m.meta = metaBlocks(bytes.Clone(p[:m.list.Length])) // aligned
	case is(m.meta[metaProperties], math.MaxUint64), is(m.meta[metaRangeDel], keptDeletions), is(m.index, keptIndex):
	default:
		return
	}
	m.blocks[offset] = bytes.Clone(p)
}

// lose notes gaps, of which nothing on disk speaks any more.
func (c *frameCopy) lose(gaps []gap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.gaps = append(c.mu.gaps, gaps...)
}

// empty fills p, which is to be what stands at an offset, with a block that holds a deletion of
// a key nobody has, where a gap is; else it returns false.
func (c *frameCopy) empty(p []byte, offset int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.mu.gaps {
		g := &c.mu.gaps[i]
		if uint64(offset) < g.start || uint64(offset)+uint64(len(p)) > g.end {
			continue
		}
		key := afterKey(g.keys.start)
		own := binary.BigEndian.AppendUint64(bytes.Clone(key), uint64(c.mu.size)<<32|uint64(offset)&math.MaxUint32)
		if bytes.Compare(own, g.keys.end) < 0 { // which no other table has either
			key = own
		}
		if content, ok := deletion(key, len(p)-block.TrailerLen); ok {
			copy(p, sealed(content))
			return true
		}
	}
	return false
}

// whole reports whether everything was seen that Pebble reads when it opens a table. Otherwise
// Pebble does not have it open, and has none of it in its cache.
func (c *frameCopy) whole() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.footer != nil && c.mu.meta != nil && c.mu.blocks[int64(c.mu.meta[metaProperties].Offset)] != nil
}

// restore returns a table with what was seen in its places, and notes what that changes.
func (c *frameCopy) restore(t rawTable, m *frameMend) rawTable {
	c.mu.Lock()
	defer c.mu.Unlock()
	if missing := c.mu.size - int64(len(t)); missing > 0 {
		t = append(t, make([]byte, missing)...)
	}
	t = t[:c.mu.size]
	place := func(offset int64, b []byte) {
		if !bytes.Equal(t[offset:offset+int64(len(b))], b) {
			copy(t[offset:], b)
			m.what = "the frame"
			m.put(uint64(offset), bytes.Clone(b)) // a file may do with it what it likes
		}
	}
	for offset, b := range c.mu.blocks {
		place(offset, b)
	}
	place(c.mu.size-footerLen, c.mu.footer)
	return t
}

// frames are the copies of the frames of all tables that Pebble has opened.
type frames struct {
	mu sync.Mutex
	of map[string]*frameCopy // by file name
}

// copy returns the copy of a table's frame, which is empty at first.
func (f *frames) copy(table string) *frameCopy {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = map[string]*frameCopy{}
	}
	c := f.of[table]
	if c == nil {
		c = newFrameCopy()
		f.of[table] = c
	}
	return c
}

// forget lets go of the copy of a table that is gone, or another one.
func (f *frames) forget(table string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.of, table)
}

// A copy on disk: version <1> | size of the table <8 LE> | parts: offset <8 LE>, length <4 LE>,
// bytes | crc32c of all before <4 LE>. The last part is the footer. It is read by who mends only.
const frameFileVersion = 1

// frameFile returns the path of the copy of the frame of the table at path.
func frameFile(path string) string { return strings.TrimSuffix(path, ".sst") + ".frame" }

// copyFrame writes a copy of the frame of the table at path beside it, durable but for its name,
// if the table deletes ranges.
func copyFrame(fs vfs.FS, path string) error {
	c, err := readFrame(fs, path)
	if err != nil || c == nil {
		return err
	}
	m := &c.mu
	b := []byte{frameFileVersion}
	b = binary.LittleEndian.AppendUint64(b, uint64(m.size))
	part := func(offset int64, content []byte) {
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
		b = append(b, content...)
	}
	for _, h := range []block.Handle{m.meta[metaRangeDel], m.meta[metaProperties], m.list} {
		part(int64(h.Offset), m.blocks[int64(h.Offset)])
	}
	part(m.size-footerLen, m.footer)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	f, err := fs.Create(frameFile(path), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readFrame reads the frame of the table at path, nil when it deletes no ranges.
func readFrame(fs vfs.FS, path string) (c *frameCopy, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c = newFrameCopy()
	read := func(offset int64, length uint64) error {
		p := make([]byte, length)
		if _, err := f.ReadAt(p, offset); err != nil {
			return err
		}
		if offset+int64(length) == info.Size() || verifies(p) {
			c.see(p, offset, info.Size())
		}
		return nil
	}
	block := func(h block.Handle) error { return read(int64(h.Offset), h.Length+block.TrailerLen) }
	if info.Size() < footerLen {
		return nil, nil
	}
	if err := read(info.Size()-footerLen, footerLen); err != nil || c.mu.footer == nil {
		return nil, err
	}
	if err := block(c.mu.list); err != nil {
		return nil, err
	}
	h, ok := c.mu.meta[metaRangeDel]
	if !ok {
		return nil, nil
	}
	if err := errors.Join(block(c.mu.meta[metaProperties]), block(h)); err != nil || !c.whole() || c.mu.blocks[int64(h.Offset)] == nil {
		return nil, err
	}
	return c, nil
}

// copiedFrame returns the frame of the table at path as it was copied, or nil.
func copiedFrame(fs vfs.FS, path string) (*frameCopy, error) {
	b, err := readTable(fs, frameFile(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	const head = 9
	if err != nil || len(b) < head+4 || b[0] != frameFileVersion ||
		crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint64(b[1:]))
	type part struct {
		offset int64
		bytes  []byte
	}
	var parts []part
	for rest := b[head : len(b)-4]; len(rest) > 0; {
		if len(rest) < 12 {
			return nil, nil
		}
		offset, length := int64(binary.LittleEndian.Uint64(rest)), int64(binary.LittleEndian.Uint32(rest[8:]))
		if rest = rest[12:]; length > int64(len(rest)) || offset < 0 || offset > size-length {
			return nil, nil
		}
		parts = append(parts, part{offset, rest[:length]})
		rest = rest[length:]
	}
	c := newFrameCopy()
	for i := len(parts) - 1; i >= 0; i-- { // in the order in which each says where the next is
		if p := parts[i]; p.offset+int64(len(p.bytes)) == size || len(p.bytes) > block.TrailerLen && verifies(p.bytes) {
			c.see(p.bytes, p.offset, size)
		}
	}
	if !c.whole() {
		return nil, nil
	}
	return c, nil
}

// isOf reports whether a copy is of a table, as far as can still be seen of it: a copy may be
// left of one that had its number before a power cut.
func (c *frameCopy) isOf(t rawTable) bool {
	if c == nil || c.mu.size < int64(len(t)) {
		return false
	}
	if c.mu.size == int64(len(t)) {
		if list, index, ok := t.footer(); ok {
			return list == c.mu.list && index == c.mu.index
		}
	}
	for offset, b := range c.mu.blocks {
		h := block.Handle{Offset: uint64(offset), Length: uint64(len(b) - block.TrailerLen)}
		if t.content(h) != nil && !bytes.Equal(t[offset:offset+int64(len(b))], b) {
			return false
		}
	}
	return true
}
