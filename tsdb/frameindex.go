package tsdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
)

// An index is made anew from the data blocks that are found, each of which has the least and
// the greatest key for it. Of a large table it has two levels: parts, which stand behind the
// data, and the upper level behind them.

// A foundBlock is a data block that verifies.
type foundBlock struct {
	block.Handle
	first, last []byte
}

func (b *foundBlock) end() uint64 { return b.Offset + b.Length + block.TrailerLen }

// dataBlocks finds the data blocks that stand before limit, also behind damaged ones.
func (t rawTable) dataBlocks(limit uint64) (found []foundBlock) {
	limit = min(limit, uint64(len(t)))
	for offset := uint64(0); offset < limit; {
		n, ok := dataLength(t[offset:limit])
		if !ok {
			offset++
			continue
		}
		b := foundBlock{Handle: block.Handle{Offset: offset, Length: uint64(n)}}
		var err error
		b.first, b.last, err = keysOf(t.content(b.Handle))
		if err != nil || b.first == nil || len(found) > 0 && bytes.Compare(b.first, found[len(found)-1].last) < 0 {
			offset++ // it looks like one only
			continue
		}
		found = append(found, b)
		offset = b.end()
	}
	return found
}

// dataLength returns the length of the data block with which b begins. Its head says where
// its last column begins, a bit for each row.
func dataLength(b []byte) (int, bool) {
	if !isColumns(b, dataHeader, dataColumns) || len(b) < dataHeader+columnsHeader+columnHeaderLen*dataColumns {
		return 0, false
	}
	rows, last := uint64(binary.LittleEndian.Uint32(b[dataHeader+3:])), uint64(columnOffset(b, dataColumns-1))
	if last >= uint64(len(b)) {
		return 0, false
	}
	crc := ^crc32.Checksum(b[:last], castagnoli)
	most := min(uint64(len(b)), last+rows/4+256)
	for i := last; i+block.TrailerLen <= most; i++ {
		crc = castagnoli[byte(crc)^b[i]] ^ crc>>8
		if b[i] != 0 {
			continue
		}
		if sum := ^crc; (sum>>15|sum<<17)+0xa282ead8 == binary.LittleEndian.Uint32(b[i+1:]) {
			return int(i), true
		}
	}
	return 0, false
}

// gapsAround returns the gaps between found blocks and before limit, with keys in span.
func gapsAround(found []foundBlock, limit uint64, span keySpan) (gaps []gap) {
	start, at := span.start, uint64(0)
	add := func(end []byte, offset uint64) {
		if s, ok := (keySpan{start, end}).within(span); ok && offset > at {
			gaps = append(gaps, gap{at, offset, s})
		}
	}
	for i := range found {
		add(found[i].first, found[i].Offset)
		start, at = afterKey(found[i].last), found[i].end()
	}
	add(span.end, limit)
	return gaps
}

// indexShape says how many levels the index of a table has, and how many parts, by its
// properties. What is mended so far of the frame is needed for that.
func indexShape(t rawTable, m *frameMend) (levels, partitions int, err error) {
	whole := bytes.Clone(t)
	for _, p := range m.puts {
		copy(whole[p.offset:], p.bytes)
	}
	r, err := sstable.NewMemReader(whole, (&pebble.Options{}).MakeReaderOptions())
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errUnmendable, err)
	}
	props, err := r.ReadPropertiesBlock(context.Background(), nil)
	if err = errors.Join(err, r.Close()); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errUnmendable, err)
	}
	if props.IndexPartitions > 0 {
		return 2, int(props.IndexPartitions), nil
	}
	return 1, 0, nil
}

// An indexBuilder makes the index of a table anew.
type indexBuilder struct {
	m      *frameMend
	t      rawTable
	top    block.Handle // the index, or its upper level
	bounds keySpan
}

// single makes an index of one level.
func (b *indexBuilder) single() error {
	found := b.t.dataBlocks(b.top.Offset)
	b.m.lose(gapsAround(found, b.top.Offset, b.bounds))
	if len(found) == 0 {
		end := pebble.DefaultComparer.Successor(nil, b.bounds.end[:len(b.bounds.end)-1])
		return b.nothing(b.top, 0, b.top.Offset, keySpan{b.bounds.start, afterKey(end)})
	}
	return b.put(b.top, found, nil, b.bounds.end)
}

// parts makes those parts of an index anew that are damaged, where the upper level says they are.
func (b *indexBuilder) parts(top []byte) error {
	rows, err := indexRows(top)
	if err != nil || len(rows) == 0 {
		return errors.Join(errUnmendable, err)
	}
	limit := rows[0].handle.Offset
	var found []foundBlock
	for i := range rows {
		if b.t.content(rows[i].handle) != nil {
			continue
		}
		if found == nil {
			found = b.t.dataBlocks(limit)
		}
		part := keySpan{b.bounds.start, afterKey(rows[i].end)}
		if i > 0 {
			part.start = afterKey(rows[i-1].end)
		}
		b.m.lose(gapsAround(found, limit, part))
		from, _ := slices.BinarySearchFunc(found, part.start, func(f foundBlock, key []byte) int { return bytes.Compare(f.last, key) })
		to, _ := slices.BinarySearchFunc(found, part.end, func(f foundBlock, key []byte) int { return bytes.Compare(f.last, key) })
		if from < to {
			err = b.put(rows[i].handle, found[from:to], rows[i].end, part.end)
		} else {
			start, end := uint64(0), limit
			if from > 0 {
				start = found[from-1].end()
			}
			if from < len(found) {
				end = found[from].Offset
			}
			// Of parts in a row that have nothing left, each has its share of the room.
			room := (end - start) / uint64(len(rows))
			err = b.nothing(rows[i].handle, start+uint64(i)*room, start+uint64(i+1)*room, part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// anew makes an index of two levels: the upper one where it was, of the parts before it if they
// are sound, else of at most so many new ones.
func (b *indexBuilder) anew(parts int) error {
	found := b.t.dataBlocks(b.top.Offset)
	if len(found) == 0 {
		return b.emptyParts()
	}
	for kept := len(found); kept > 0; kept-- { // what does not fit: the end
		data := found[:kept]
		puts, ok, err := b.above(b.t.blocksFrom(data[kept-1].end(), b.top.Offset), parts)
		// Pebble has filled all but the last one, as nearly as that can be told from here.
		for share := (kept + parts - 1) / parts; !ok && err == nil && share <= kept; share++ {
			puts, ok, err = b.partsOf(data, share)
		}
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		b.m.puts = append(b.m.puts, puts...)
		b.m.what = "the index"
		b.m.lose(gapsAround(data, puts[0].offset, b.bounds))
		return nil
	}
	return errUnmendable
}

// emptyParts is anew where no data block is left: one part, of nothing.
func (b *indexBuilder) emptyParts() error {
	end := pebble.DefaultComparer.Successor(nil, b.bounds.start)
	size := uint64(len(indexContent([]tableBlock{{keySpan: keySpan{end: end}, handle: block.Handle{Length: enoughForNothing}}}, make([]byte, len(end)))))
	if b.top.Offset < size+block.TrailerLen {
		return errUnmendable
	}
	part := block.Handle{Offset: b.top.Offset - size - block.TrailerLen, Length: size}
	b.m.lose(gapsAround(nil, part.Offset, b.bounds))
	top, err := fillIndex(b.top, []tableBlock{{keySpan: keySpan{end: end}, handle: part}})
	if err != nil {
		return err
	}
	b.m.put(b.top.Offset, top)
	return b.nothing(part, 0, part.Offset, keySpan{b.bounds.start, afterKey(end)})
}

// above makes the upper level of sound parts; ok false when these are not all.
func (b *indexBuilder) above(all []block.Handle, parts int) (puts []blockPut, ok bool, err error) {
	if len(all) != parts || !endsAt(all, b.top.Offset) {
		return nil, false, nil
	}
	var rows []tableBlock
	for _, h := range all {
		part, err := indexRows(b.t.content(h))
		if err != nil || len(part) == 0 {
			return nil, false, errors.Join(errUnmendable, err)
		}
		rows = append(rows, tableBlock{keySpan: keySpan{end: part[len(part)-1].end}, handle: h})
	}
	top, err := fillIndex(b.top, rows)
	// The first of them is put where it is, which says where the index begins.
	h := all[0]
	first := blockPut{h.Offset, b.t[h.Offset : h.Offset+h.Length+block.TrailerLen]}
	return []blockPut{first, {b.top.Offset, top}}, err == nil, err
}

// partsOf makes parts of the index of data blocks, each of so many but for the last one, as near
// to the upper level as they fit, and the upper level; ok false when they do not fit.
func (b *indexBuilder) partsOf(data []foundBlock, share int) (puts []blockPut, ok bool, err error) {
	var contents [][]byte
	var rows []tableBlock
	room, left := uint64(0), b.top.Offset-data[len(data)-1].end()
	for of := range slices.Chunk(data, share) {
		end := pebble.DefaultComparer.Successor(nil, data[len(data)-1].last)
		if behind := (len(rows) + 1) * share; behind < len(data) {
			end = separator(&data[behind-1], &data[behind])
		}
		part := indexContent(indexOfData(of, end), nil)
		contents = append(contents, part)
		rows = append(rows, tableBlock{keySpan: keySpan{end: end}, handle: block.Handle{Length: uint64(len(part))}})
		if room += uint64(len(part)) + block.TrailerLen; room > left {
			return nil, false, nil
		}
	}
	at := b.top.Offset - room
	for i := range rows {
		rows[i].handle.Offset = at
		puts = append(puts, blockPut{at, sealed(contents[i])})
		at += rows[i].handle.Length + block.TrailerLen
	}
	top, err := fillIndex(b.top, rows)
	if errors.Is(err, errUnmendable) {
		return nil, false, nil
	}
	return append(puts, blockPut{b.top.Offset, top}), err == nil, err
}

// put puts an index of data blocks in place, which ends with the key end, or behind their last
// key where that is nil. What does not fit is lost, up to the key before.
func (b *indexBuilder) put(at block.Handle, data []foundBlock, end, before []byte) error {
	for kept := len(data); kept > 0; kept-- {
		last := end
		if last == nil {
			last = pebble.DefaultComparer.Successor(nil, data[kept-1].last)
		}
		content, err := fillIndex(at, indexOfData(data[:kept], last))
		if errors.Is(err, errUnmendable) {
			continue
		}
		if err != nil {
			return err
		}
		if kept < len(data) {
			b.m.lost = append(b.m.lost, keySpan{afterKey(data[kept-1].last), before})
		}
		b.m.what = "the index"
		b.m.put(at.Offset, content)
		return nil
	}
	return errUnmendable
}

// enoughForNothing is how long the block is that takes the place of all others.
const enoughForNothing = 4 << 10

// nothing puts an index in place of which no data block is left: of a new one in the place of
// those, which holds what an emptied block does.
func (b *indexBuilder) nothing(at block.Handle, start, end uint64, span keySpan) error {
	if end < start+block.TrailerLen {
		return errUnmendable
	}
	length := min(end-start-block.TrailerLen, enoughForNothing)
	empty := tableBlock{keySpan: span, handle: block.Handle{Offset: start, Length: length}, salt: crc32.ChecksumIEEE(b.t)}
	content, err := emptyBlock(empty)
	if err != nil {
		return err
	}
	empty.end = empty.end[:len(empty.end)-1]
	index, err := fillIndex(at, []tableBlock{empty})
	if err != nil {
		return err
	}
	b.m.what = "the index"
	b.m.put(start, content)
	b.m.put(at.Offset, index)
	return nil
}

// separator returns what an index has between two data blocks, as Pebble writes it.
func separator(a, b *foundBlock) []byte {
	return pebble.DefaultComparer.Separator(nil, a.last, b.first)
}

// indexOfData returns the rows of an index of data blocks, the last of which is end.
func indexOfData(data []foundBlock, end []byte) []tableBlock {
	rows := make([]tableBlock, len(data))
	for i := range data {
		rows[i].handle = data[i].Handle
		if i+1 < len(data) {
			rows[i].end = separator(&data[i], &data[i+1])
		}
	}
	rows[len(rows)-1].end = end
	return rows
}

// indexContent returns the content of an index, the last row of which has so many bytes more:
// properties of a number that none has.
func indexContent(rows []tableBlock, padding []byte) []byte {
	var w colblk.IndexBlockWriter
	w.Init()
	for i, r := range rows {
		if i < len(rows)-1 {
			w.AddBlockHandle(r.end, r.handle, nil)
		} else {
			w.AddBlockHandle(r.end, r.handle, padding)
		}
	}
	return w.Finish(w.Rows())
}

// fillIndex makes an index that fills a place.
func fillIndex(at block.Handle, rows []tableBlock) ([]byte, error) {
	return fill(at, func(padding []byte) []byte { return indexContent(rows, padding) })
}
