package tsdb

import (
	"bytes"
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

// A damaged frame of a table is mended without a loss where the data blocks are sound: they are
// found by their checksums ([rawTable.blocksFrom]), and an index, a list of meta blocks or a
// footer follows from them. Each is put in place with the length it had, because Pebble may
// have the table open and knows where they are. Where the properties are damaged, or several
// of these, Pebble cannot open the table; then a new one of the same size takes its place.

// The footer of the tables Pebble writes: checksum type <1> | list of meta blocks, index:
// varints | zeros | crc32c, masked, of all else <4> | version <4> | magic <8>.
const (
	footerLen     = 57
	footerVersion = 6
	footerMagic   = "\xf0\x9f\xaa\xb3\xf0\x9f\xaa\xb3"
	footerCRC     = footerLen - 16
)

// The meta blocks there are, by name.
const (
	metaProperties = "rocksdb.properties"
	metaRangeDel   = "rocksdb.range_del2"
)

// A frameMend is what makes the frame of a table whole.
type frameMend struct {
	puts  []blockPut
	whole []byte    // takes the place of the table, if not nil
	what  string    // was damaged; empty: nothing
	gaps  []gap     // where it has no data block that can be found any more
	lost  []keySpan // what may have stood there
	// dels: ranges may be there again that were deleted.
	dels bool
}

// A blockPut is bytes for a place in a table.
type blockPut struct {
	offset uint64
	bytes  []byte
}

// A gap is a place in a table whose data blocks nobody finds any more.
type gap struct {
	start, end uint64
	keys       keySpan
}

// lose notes gaps.
func (m *frameMend) lose(gaps []gap) {
	m.gaps = append(m.gaps, gaps...)
	for i := range gaps {
		m.lost = append(m.lost, gaps[i].keys)
	}
}

func (m *frameMend) put(offset uint64, b []byte) { m.puts = append(m.puts, blockPut{offset, b}) }

// planFrame finds out what is damaged of the frame of the table at path, which holds the keys
// within bounds, and how to mend it. What Pebble has seen of it, if anything, stays where it is.
func planFrame(fs vfs.FS, path string, bounds keySpan, seen *frameCopy) (m frameMend, err error) {
	t, err := readTable(fs, path)
	if err != nil {
		return m, err
	}
	copied, err := copiedFrame(fs, path)
	if err != nil {
		return m, err
	}
	if copied.isOf(t) {
		t = copied.restore(t, &m)
	}
	open := seen.whole()
	if open {
		t = seen.restore(t, &m)
	}
	if len(t) < footerLen {
		return m, fmt.Errorf("%w: %d bytes", errUnmendable, len(t))
	}
	meta, index, err := m.frameOf(t)
	if err == nil {
		err = m.inner(t, meta, index, bounds)
	}
	if errors.Is(err, errUnmendable) && !open {
		m = frameMend{}
		err = m.rewrite(t, bounds)
	}
	return m, err
}

// frameOf reads the outer frame, footer and list of meta blocks, one of which it mends.
func (m *frameMend) frameOf(t rawTable) (meta map[string]block.Handle, index block.Handle, err error) {
	list, index, ok := t.footer()
	if ok {
		if content := t.content(list); content != nil {
			return metaBlocks(content), index, nil
		}
		// Between index and list there are the range deletions, if any, and the properties.
		behind := t.blocksFrom(index.Offset+index.Length+block.TrailerLen, list.Offset)
		meta = map[string]block.Handle{}
		switch len(behind) {
		case 2:
			meta[metaRangeDel] = behind[0]
			fallthrough
		case 1:
			meta[metaProperties] = behind[len(behind)-1]
		default:
			return nil, index, errUnmendable
		}
		content := metaContent(meta)
		if uint64(len(content)) != list.Length || !endsAt(behind, list.Offset) {
			return nil, index, errUnmendable
		}
		m.what = "the list of meta blocks"
		m.put(list.Offset, sealed(content))
		return meta, index, nil
	}
	// The list stands before the footer, and says how far from its beginning the index ends.
	end := uint64(len(t) - footerLen)
	list, ok = t.blockBefore(end, 2)
	if !ok {
		return nil, index, errUnmendable
	}
	meta = metaBlocks(t.content(list))
	behind, ok := meta[metaRangeDel]
	if !ok {
		behind = meta[metaProperties]
	}
	if index, ok = t.blockBefore(behind.Offset, 4); !ok {
		return nil, index, errUnmendable
	}
	m.what = "the footer"
	m.put(end, footerOf(list, index))
	return meta, index, nil
}

// blockBefore finds the block of so many columns that ends where another one begins.
func (t rawTable) blockBefore(end uint64, columns int) (h block.Handle, ok bool) {
	const mostTries = 1000
	if end > uint64(len(t)) || end < block.TrailerLen {
		return h, false
	}
	for start, tries := int(end)-block.TrailerLen-1, 0; start >= 0 && tries < mostTries; start-- {
		if !isColumns(t[start:end], 0, columns) {
			continue
		}
		tries++
		if verifies(t[start:end]) {
			return block.Handle{Offset: uint64(start), Length: end - uint64(start) - block.TrailerLen}, true
		}
	}
	return h, false
}

func endsAt(blocks []block.Handle, offset uint64) bool {
	last := blocks[len(blocks)-1]
	return last.Offset+last.Length+block.TrailerLen == offset
}

// isColumns reports whether content begins like a block of so many columns behind a header of
// the block's own.
func isColumns(content []byte, header, columns int) bool {
	return len(content) >= header+7 && content[header] == 1 && int(binary.LittleEndian.Uint16(content[header+1:])) == columns
}

func (t rawTable) footer() (list, index block.Handle, ok bool) {
	f := t[len(t)-footerLen:]
	list, n := decodeHandle(f[1:])
	if n > 0 {
		var also int
		if index, also = decodeHandle(f[1+n:]); also == 0 {
			n = 0
		}
	}
	if n == 0 || !bytes.Equal(f, footerOf(list, index)) {
		return list, index, false
	}
	return list, index, true
}

func footerOf(list, index block.Handle) []byte {
	f := make([]byte, footerLen)
	f[0] = byte(block.ChecksumTypeCRC32c)
	n := 1 + list.EncodeVarints(f[1:])
	index.EncodeVarints(f[n:])
	binary.LittleEndian.PutUint32(f[footerCRC+4:], footerVersion)
	copy(f[footerCRC+8:], footerMagic)
	crc := crc32.Update(crc32.Checksum(f[:footerCRC], castagnoli), castagnoli, f[footerCRC+4:])
	binary.LittleEndian.PutUint32(f[footerCRC:], (crc>>15|crc<<17)+0xa282ead8)
	return f
}

func metaBlocks(content []byte) map[string]block.Handle {
	var list colblk.KeyValueBlockDecoder
	list.Init(content)
	all := map[string]block.Handle{}
	for i := range list.BlockDecoder().Rows() {
		h, _ := decodeHandle(list.ValueAt(i))
		all[string(list.KeyAt(i))] = h
	}
	return all
}

func metaContent(meta map[string]block.Handle) []byte {
	var w colblk.KeyValueBlockWriter
	w.Init()
	for _, name := range []string{metaProperties, metaRangeDel} {
		if h, ok := meta[name]; ok {
			b := make([]byte, 2*binary.MaxVarintLen64)
			w.AddKV([]byte(name), b[:h.EncodeVarints(b)])
		}
	}
	return w.Finish(w.Rows())
}

// inner mends the index and the range deletions.
func (m *frameMend) inner(t rawTable, meta map[string]block.Handle, index block.Handle, bounds keySpan) error {
	if h := meta[metaRangeDel]; h.Length > 0 && t.content(h) == nil {
		content, err := noDeletions(h, bounds)
		if err != nil {
			return err
		}
		m.what, m.dels = "range deletions", true
		m.put(h.Offset, content)
	}
	if t.content(meta[metaProperties]) == nil {
		return errUnmendable
	}
	levels, partitions, err := indexShape(t, m)
	if err != nil {
		return err
	}
	b := indexBuilder{m: m, t: t, top: index, bounds: bounds}
	switch top := t.content(index); {
	case levels == 1 && top == nil:
		return b.single()
	case levels == 1:
		return nil
	case top == nil:
		return b.anew(partitions)
	default:
		return b.parts(top)
	}
}

// fill makes a block with its trailer that fills the place at: build returns its content, longer
// by as many bytes as it is given, and by what tells their number.
func fill(at block.Handle, build func(padding []byte) []byte) ([]byte, error) {
	var padding []byte
	for range 8 {
		content := build(padding)
		switch left := int(at.Length) - len(content); {
		case left == 0:
			return sealed(content), nil
		case left > 0:
			padding = append(padding, bytes.Repeat([]byte{0xff}, left)...)
		case -left > len(padding):
			return nil, fmt.Errorf("%w: %d bytes in the place of %d", errUnmendable, len(content), at.Length)
		default:
			padding = padding[:len(padding)+left]
		}
	}
	return nil, fmt.Errorf("%w: nothing is %d bytes long", errUnmendable, at.Length)
}

// noDeletions makes a block of no effect in the place of one of range deletions.
func noDeletions(at block.Handle, bounds keySpan) ([]byte, error) {
	// The range must lie where the table's keys do, and be as short as those that were there.
	short := pebble.DefaultComparer.Separator(nil, bounds.start, bounds.end)
	content, err := fill(at, func(padding []byte) []byte { return noDeletion(short, padding) })
	if err != nil {
		return fill(at, func(padding []byte) []byte { return noDeletion(bounds.start, padding) })
	}
	return content, nil
}

// noDeletion returns the content of a block with a range deletion that is older than everything.
func noDeletion(key, padding []byte) []byte {
	s := sstable.Span{Start: key, End: afterKey(key)}
	s.Keys = one(s.Keys)
	s.Keys[0].Value = padding // which nobody looks at
	s.Keys[0].Trailer = pebble.MakeInternalKeyTrailer(0, pebble.InternalKeyKindRangeDelete)
	var w colblk.KeyspanBlockWriter
	w.Init(bytes.Equal)
	w.AddSpan(s)
	return w.Finish()
}

// one makes a slice of a type that Pebble does not name for others.
func one[T any]([]T) []T { return make([]T, 1) }

// carryOut mends the table at path.
func (m *frameMend) carryOut(fs vfs.FS, path string) (err error) {
	if m.whole != nil {
		return replaceFile(fs, path, m.whole)
	}
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, p := range m.puts {
		if _, err := f.WriteAt(p.bytes, int64(p.offset)); err != nil {
			return err
		}
	}
	return f.Sync()
}

// decodeHandle reads a handle and returns its length; 0 when b does not begin with one. That of
// the library panics on numbers that are too long.
func decodeHandle(b []byte) (h block.Handle, n int) {
	offset, n := binary.Uvarint(b)
	if n <= 0 {
		return h, 0
	}
	length, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return h, 0
	}
	return block.Handle{Offset: offset, Length: length}, n + m
}
