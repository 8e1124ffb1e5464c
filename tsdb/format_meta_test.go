package tsdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// dumpMeta writes a row of the meta space as docs/format/store.md draws it.
func dumpMeta(name string, value []byte) string {
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(value[at:]) }
	kind, of, _ := strings.Cut(name, "/")
	note := ""
	switch kind {
	case "version":
		note = fmt.Sprint("format ", binary.LittleEndian.Uint32(value))
	case "epoch":
		note = fmt.Sprintf("epoch %x", u64(0))
	case "flush":
		note = fmt.Sprintf("flush position %d, next group %d, the log begins at %d, batch %d", u64(0), u64(8), u64(16), u64(24))
	case "owed":
		due, _ := binary.Varint(value)
		name = fmt.Sprintf("owed/ group %d", binary.BigEndian.Uint64([]byte(of)))
		if note = fmt.Sprintf("something to reclaim from %d on", due); due == -1<<63 {
			note = "something to reclaim now"
		}
	case "series":
		n, _ := binary.Uvarint(value)
		name, note = fmt.Sprintf("series/ %x...", of[:2]), fmt.Sprintf("%d keys", n)
	case "consumer":
		note = fmt.Sprint("has read up to ", u64(0))
	case "log":
		note = fmt.Sprintf("begins behind %d, %d bytes, %d; could be cut behind:", u64(0), u64(8), u64(16))
		for b := value[24:]; len(b) > 0; {
			p, n := binary.Uvarint(b)
			size, s := binary.Uvarint(b[n:])
			at, a := binary.Varint(b[n+s:])
			note += fmt.Sprintf(" +%d, +%d bytes, %+d ms;", p, size, at)
			b = b[n+s+a:]
		}
	}
	hex := fmt.Sprintf("% x", value)
	if len(hex) > 35 {
		hex = hex[:32] + "..."
	}
	return fmt.Sprintf("%-16s  %-35s  %s\n", name, hex, strings.TrimSuffix(note, ";"))
}

// The rows of the meta space in the store of this version are those docs/format/store.md shows.
func TestGoldenMeta(t *testing.T) {
	iter, err := thisStore(t).NewIter(&pebble.IterOptions{LowerBound: []byte{keys.Meta}, UpperBound: []byte{keys.Meta + 1}})
	if err != nil {
		t.Fatal(err)
	}
	dump := "# the meta rows of testdata/format2      regenerate: go test ./tsdb -run TestGoldenMeta -update\n"
	for ok := iter.First(); ok; ok = iter.Next() {
		dump += dumpMeta(string(iter.Key()[1:]), iter.Value())
	}
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "meta.txt")
	if *update {
		if err := os.WriteFile(path, []byte(dump), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if dump != string(want) {
		t.Errorf("got\n%s\nwant\n%s", dump, want)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "format", "store.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), string(want)) {
		t.Error("docs/format/store.md does not show the golden dump")
	}
}
