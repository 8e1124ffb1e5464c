package tsdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const framedRows = 4000

func framedKey(i int) []byte { return fmt.Appendf(nil, "row %08d", i) }

// framedTable writes a table of many blocks, whose index has one level or two, with a range
// deletion in front of all rows.
func framedTable(t *testing.T, fs vfs.FS, indexBlock int) {
	t.Helper()
	f, err := fs.Create("table", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{
		TableFormat: sstable.TableFormatPebblev6, BlockSize: 2 << 10, IndexBlockSize: indexBlock, Compression: sstable.NoCompression,
	})
	err = w.DeleteRange([]byte("gone"), []byte("gone, too"))
	for i := range framedRows {
		err = errors.Join(err, w.Set(framedKey(i), bytes.Repeat([]byte{byte(i)}, i%100)))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}

// readFramed returns the rows of the table and how many ranges it deletes. Every row is found
// by its key, too.
func readFramed(t *testing.T, fs vfs.FS) (found []int, deletions int) {
	t.Helper()
	r, err := openTable(fs, "table")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	iter, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		t.Fatal(err)
	}
	for kv := iter.First(); kv != nil; kv = iter.Next() {
		var i int
		if _, err := fmt.Sscanf(string(kv.K.UserKey), "row %d", &i); err != nil {
			continue // the one of an empty table
		}
		if want := bytes.Repeat([]byte{byte(i)}, i%100); !bytes.Equal(kv.InPlaceValue(), want) {
			t.Fatalf("row %d is %x", i, kv.InPlaceValue())
		}
		found = append(found, i)
	}
	for _, i := range found {
		if kv := iter.SeekGE(framedKey(i), 0); kv == nil || !bytes.Equal(kv.K.UserKey, framedKey(i)) {
			t.Fatalf("row %d is not found by its key", i)
		}
		if kv := iter.SeekLT(append(framedKey(i), 0), 0); kv == nil || !bytes.Equal(kv.K.UserKey, framedKey(i)) {
			t.Fatalf("row %d is not found from above", i)
		}
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	spans, err := r.NewRawRangeDelIter(t.Context(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil {
		t.Fatal(err)
	}
	if spans != nil {
		for s, err := spans.First(); s != nil; s, err = spans.Next() {
			if err != nil {
				t.Fatal(err)
			}
			if s.Keys[0].SeqNum() > 0 || bytes.Equal(s.End, []byte("gone, too")) {
				deletions++
			}
		}
		spans.Close()
	}
	return found, deletions
}

// Each block around the data is torn, and parts of the file: the rows are there again, or told.
func TestADamagedFrameIsMadeAnew(t *testing.T) {
	for _, index := range []struct {
		name string
		size int
	}{{"one level", 1 << 30}, {"two levels", 1 << 10}} {
		fs := vfs.NewMem()
		framedTable(t, fs, index.size)
		sound, err := readTable(fs, "table")
		if err != nil {
			t.Fatal(err)
		}
		r, err := openTable(fs, "table")
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Layout()
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if (len(l.Index) > 1) != (index.name == "two levels") {
			t.Fatalf("%s: %d parts", index.name, len(l.Index))
		}
		n := len(l.Index)
		end := uint64(len(sound))
		tear := func(handles ...block.Handle) [][2]uint64 {
			var spans [][2]uint64
			for _, h := range handles {
				spans = append(spans, [2]uint64{h.Offset + h.Length/2, h.Offset + h.Length/2 + 1})
			}
			return spans
		}
		type tornFrame struct {
			name      string
			spans     [][2]uint64
			all       bool // rows are there
			deletions int
		}
		cases := []tornFrame{
			{"the first part of the index", tear(l.Index[0]), true, 1},
			{"one in the middle", tear(l.Index[n/2]), true, 1},
			{"the last", tear(l.Index[n-1]), true, 1},
			{"the range deletions", tear(l.RangeDel), true, 0},
			{"range deletions and index", tear(l.RangeDel, l.Index[n-1]), true, 0},
			{"the properties", tear(l.Properties), true, 0},
			{"the list of meta blocks", tear(l.MetaIndex), true, 1},
			{"the list and the index", tear(l.MetaIndex, l.Index[0]), true, 1},
			{"the footer", [][2]uint64{{end - 57, end - 56}}, true, 1},
			{"the magic number", [][2]uint64{{end - 1, end}}, true, 1},
			{"the footer and the index", [][2]uint64{{end - 8, end}, tear(l.Index[0])[0]}, true, min(n, 2) - 1},
			{"the last sector", [][2]uint64{{end - 512, end}}, true, 0},
			{"everything around the data", [][2]uint64{{l.Index[0].Offset, end}}, true, 0},
			{"index and a block of data", tear(l.Index[n-1], l.Data[len(l.Data)-3].Handle), false, 1},
			{"all", [][2]uint64{{0, end}}, false, 0},
		}
		if l.TopIndex.Length > 0 {
			cases = append(cases, tornFrame{"the upper level", tear(l.TopIndex), true, 1}, tornFrame{"two parts", tear(l.Index[1], l.Index[2]), true, 1})
		}
		for _, c := range cases {
			t.Run(index.name+", "+c.name, func(t *testing.T) {
				torn := slices.Clone(sound)
				for _, s := range c.spans {
					for i := s[0]; i < s[1]; i++ {
						torn[i] ^= 0x55
					}
				}
				fs := vfs.NewMem()
				if err := replaceFile(fs, "table", torn); err != nil {
					t.Fatal(err)
				}
				bounds := keySpan{[]byte("gone"), afterKey(framedKey(framedRows - 1))}
				m, err := planFrame(fs, "table", bounds, nil)
				if err != nil || m.what == "" {
					t.Fatalf("%q, %v", m.what, err)
				}
				if err := m.carryOut(fs, "table"); err != nil {
					t.Fatal(err)
				}
				mended, err := readTable(fs, "table")
				if err != nil || len(mended) != len(sound) {
					t.Fatalf("%d bytes, %d before, %v", len(mended), len(sound), err)
				}
				if again, err := planFrame(fs, "table", bounds, nil); err != nil || again.what != "" {
					t.Errorf("afterwards: %q, %v", again.what, err)
				}
				patch(t, fs, "table")
				found, deletions := readFramed(t, fs)
				if deletions != c.deletions || m.dels != (deletions == 0) {
					t.Errorf("%d ranges are deleted, %v", deletions, m.dels)
				}
				at := 0
				for i := range framedRows {
					if at < len(found) && found[at] == i {
						at++
					} else if c.all || !slices.ContainsFunc(m.lost, func(s keySpan) bool { return s.holds(framedKey(i)) }) &&
						!bytes.Contains([]byte(c.name), []byte("block of data")) {
						t.Fatalf("%s is mended: row %d is missing", m.what, i)
					}
				}
				if c.name == "all" != (len(found) == 0) {
					t.Errorf("%d rows", len(found))
				}
			})
		}
	}
}

// Any parts of a table are torn at once while a reader has it open, which goes on with what it
// knows: it finds every row that is not told to be lost, and every row where the data are sound.
func TestPartsAreMadeWholeWhereAReaderKnowsThem(t *testing.T) {
	struck := 0
	for _, size := range []int{1 << 30, 1 << 10} {
		sound := vfs.NewMem()
		framedTable(t, sound, size)
		content, err := readTable(sound, "table")
		if err != nil {
			t.Fatal(err)
		}
		r, err := openTable(sound, "table")
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Layout()
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		var data []block.Handle
		for _, d := range l.Data {
			data = append(data, d.Handle)
		}
		parts := [][]block.Handle{{l.RangeDel}, {l.Properties}, {l.MetaIndex}, {l.Footer}, l.Index, {l.TopIndex}, data[40:43], {data[0], data[len(data)-1]}, data}
		const ofData = 1 << 6 // from here on data
		for set := 1; set < 1<<len(parts); set++ {
			if some := bits.OnesCount(uint(set)); some > 2 && set != 1<<len(parts)-1 && !all() {
				continue
			}
			for _, read := range []bool{false, true} { // whether the index was read before
				if read != (set%3 == 0) && !all() {
					continue
				}
				fs := vfs.NewMem()
				if err := replaceFile(fs, "table.sst", bytes.Clone(content)); err != nil {
					t.Fatal(err)
				}
				var known frames
				reader := openKnown(t, fs, &known)
				if read {
					rowsOf(t, reader)
				}
				broken := bytes.Clone(content)
				for i, part := range parts {
					for _, h := range part {
						if set&(1<<i) != 0 && h.Length > 0 {
							broken[h.Offset+h.Length/2] ^= 0x10
							struck++
						}
					}
				}
				if bytes.Equal(broken, content) {
					continue // a part that this table does not have
				}
				writeOver(t, fs, broken)
				bounds := keySpan{[]byte("gone"), afterKey(framedKey(framedRows - 1))}
				m, err := planFrame(fs, "table.sst", bounds, known.copy("table.sst"))
				if err != nil || m.whole != nil {
					t.Fatalf("parts %b, %v: %v", set, read, err)
				}
				known.copy("table.sst").lose(m.gaps)
				if err := m.carryOut(fs, "table.sst"); err != nil {
					t.Fatal(err)
				}
				emptied, torn, err := damagedSpans(fs, "table.sst")
				if err := errors.Join(err, patchTable(fs, "table.sst", torn)); err != nil {
					t.Fatalf("parts %b, %v: %v", set, read, err)
				}
				lost := append(m.lost, emptied...)
				if set < ofData && len(lost) > 0 {
					t.Fatalf("parts %b, %v: %d spans are lost of sound data", set, read, len(lost))
				}
				fresh := openKnown(t, fs, &frames{})
				for _, r := range []*tableReader{reader, fresh} {
					found := rowsOf(t, r)
					for i := range framedRows {
						if !found[i] && !slices.ContainsFunc(lost, func(s keySpan) bool { return s.holds(framedKey(i)) }) {
							t.Fatalf("parts %b, %v: row %d is missing and not told", set, read, i)
						}
					}
					if len(found) < framedRows/2 && set&(1<<8) == 0 {
						t.Fatalf("parts %b, %v: %d rows", set, read, len(found))
					}
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	if struck == 0 {
		t.Error("nothing was torn")
	}
	t.Logf("%d parts struck", struck)
}

// openKnown opens table.sst as Pebble does.
func openKnown(t *testing.T, fs vfs.FS, known *frames) *tableReader {
	t.Helper()
	r, err := openTable(tableFS{fs, known}, "table.sst")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rowsOf returns which rows a reader finds, in both directions.
func rowsOf(t *testing.T, r *tableReader) map[int]bool {
	t.Helper()
	iter, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		t.Fatal(err)
	}
	found, back := map[int]bool{}, 0
	for kv := iter.First(); kv != nil; kv = iter.Next() {
		if kv.K.Kind() == sstable.InternalKeyKindSet {
			i, err := strconv.Atoi(strings.TrimPrefix(string(kv.K.UserKey), "row "))
			if err != nil {
				t.Fatal(err)
			}
			found[i] = true
		}
	}
	for kv := iter.Last(); kv != nil; kv = iter.Prev() {
		if kv.K.Kind() == sstable.InternalKeyKindSet {
			back++
		}
	}
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		t.Fatal(err)
	}
	if back != len(found) {
		t.Fatalf("%d rows forwards, %d back", len(found), back)
	}
	return found
}

// writeOver changes table.sst under whoever has it open.
func writeOver(t *testing.T, fs vfs.FS, content []byte) {
	t.Helper()
	f, err := fs.OpenReadWrite("table.sst", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(content, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// The end of a block is found wherever its checksum stands, and nowhere else.
func TestBlocksAreFoundByTheirChecksums(t *testing.T) {
	var table rawTable
	for n := range 300 {
		table = append(table, sealed(bytes.Repeat([]byte{byte(n % 3)}, n+1))...)
	}
	if found := table.blocksFrom(0, uint64(len(table))); len(found) != 300 || !endsAt(found, uint64(len(table))) {
		t.Errorf("%d blocks", len(found))
	}
	table[40] ^= 1
	if found := table.blocksFrom(0, uint64(len(table))); len(found) > 8 {
		t.Errorf("%d blocks of which one is torn", len(found))
	}
	if _, ok := blockLength(binary.LittleEndian.AppendUint32(nil, 7)); ok {
		t.Error("no block is found")
	}
}
