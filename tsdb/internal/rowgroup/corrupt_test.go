package rowgroup

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// A flipped bit anywhere in a row group, or in the key it lies under, is noticed.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	table := goldens()["mixed"]
	b, k := encode(t, table), keyOf(table)
	var r Reader
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if err := r.Reset(k, b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for bit := range 64 {
		for _, wrong := range []Key{
			{k.Partition ^ 1<<bit, k.Group, k.First},
			{k.Partition, k.Group ^ 1<<bit, k.First},
			{k.Partition, k.Group, k.First ^ 1<<bit},
		} {
			if err := r.Reset(wrong, b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("key %+v: %v", wrong, err)
			}
		}
	}
	check(t, r.Reset(k, b))
}

// Bytes cut short anywhere are noticed.
func TestEveryCutIsNoticed(t *testing.T) {
	table := goldens()["mixed"]
	b, k := encode(t, table), keyOf(table)
	for n := range b {
		var r Reader
		if err := r.Reset(k, b[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// exercise asks everything of a row group; it must not panic, whatever the bytes.
func exercise(r *Reader) {
	times, err := r.Times()
	if err == nil && len(times) != r.Rows() {
		panic("rows without times")
	}
	for i := range r.Columns() {
		var dst column.Column
		if err := r.Decode(i, 0, r.Rows(), &dst); err == nil {
			for row := range r.Rows() {
				dst.At(row)
			}
		}
		r.Summary(i)
		var s summary.Summary
		_ = r.Aggregate(i, r.Rows()/3, r.Rows(), model.AllAggregates, &s)
	}
	all := new(column.Table)
	all.Reset(r.Columns())
	whole := true
	for i := range all.Columns {
		whole = whole && r.Decode(i, 0, r.Rows(), &all.Columns[i]) == nil
	}
	if whole {
		_ = r.DecodeExpiries(all)
	}
	_, _ = r.Expires()
	_, _ = r.Search(r.First() + (r.Last()-r.First())/2)
}

// seal gives bytes of a row group a checksum that holds, as a forger would.
func seal(space byte, k Key, b []byte) []byte {
	if len(b) < sumLen {
		return b
	}
	b = append([]byte(nil), b...)
	binary.LittleEndian.PutUint32(b[len(b)-sumLen:], checksum(space, k, b[:len(b)-sumLen]))
	return b
}

func forgedKey(b []byte) (k Key) {
	if len(b) >= headLen {
		k.First = int64(binary.LittleEndian.Uint64(b[4:]))
		k.Partition = PartitionOf(k.First)
	}
	return k
}

// Bytes that are damaged and sealed again give errors or wrong values, never a panic.
func TestForgedBytesDoNotPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r Reader
	for range 40 {
		table := randomTable(rng, 1+rng.IntN(300))
		table = firstRows(table, Fit(table, 0))
		mortal(rng, table)
		b := encode(t, table)
		for range 300 {
			forged := append([]byte(nil), b...)
			for range 1 + rng.IntN(3) {
				forged[headLen+rng.IntN(len(b)-headLen)] = byte(rng.Uint32())
			}
			if k := keyOf(table); r.Reset(k, seal(keySpace, k, forged)) == nil {
				exercise(&r)
			}
		}
	}
}

func firstRows(t *column.Table, n int) *column.Table {
	cut := new(column.Table)
	cut.Reset(len(t.Columns))
	for i := range n {
		cut.AppendRow(t, i)
	}
	return cut
}

func FuzzReader(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Reader
		k := forgedKey(b)
		_ = r.Reset(k, b)
		if r.Reset(k, seal(keySpace, k, b)) == nil {
			exercise(&r)
		}
	})
}

func FuzzPageReader(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b, int64(1700000000000)) })
	f.Fuzz(func(t *testing.T, b []byte, first int64) {
		var p PageReader
		k := Key{Partition: PartitionOf(first), First: first}
		if p.Reset(k, seal(pageSpace, k, b)) == nil {
			exercisePage(&p)
		}
	})
}

func exercisePage(p *PageReader) {
	for c := range p.Columns() + 1 {
		for i := range p.Len() {
			var s summary.Summary
			_ = p.Aggregate(c, i, p.Len(), model.AllAggregates, &s)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(Key{-1, 5, -7}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParseKey(b); err == nil && string(k.Append(nil)) != string(b) {
			t.Errorf("%x is read as %+v", b, k)
		}
	})
}

func seeds(f *testing.F, add func(b []byte)) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.bin"))
	check(f, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		check(f, err)
		add(b)
	}
}
