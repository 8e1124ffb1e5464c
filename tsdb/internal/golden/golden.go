// Package golden shows bytes as docs/format draws them, for tests of what stands on disk.
package golden

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens anew")

// A Dump walks bytes and notes what each field is. It shares nothing with the parsers.
type Dump struct {
	b    []byte
	at   int
	from int // of what is noted next
	out  strings.Builder
}

// NewDump returns a dump of b under a title.
func NewDump(title string, b []byte) *Dump {
	d := &Dump{b: b}
	d.out.WriteString(title + "\n")
	return d
}

// Note prints what was taken since the note before, with what it is.
func (d *Dump) Note(format string, args ...any) {
	hex := fmt.Sprintf("% x", d.b[d.from:d.at])
	if len(hex) > 35 {
		hex = hex[:32] + "..."
	}
	fmt.Fprintf(&d.out, "%04x..%04x  %-35s  %s\n", d.from, d.at, hex, fmt.Sprintf(format, args...))
	d.from = d.at
}

// String returns the notes.
func (d *Dump) String() string { return d.out.String() }

// At is how much was taken.
func (d *Dump) At() int { return d.at }

// Len is how much is left.
func (d *Dump) Len() int { return len(d.b) - d.at }

// Take returns the next n bytes.
func (d *Dump) Take(n int) []byte { d.at += n; return d.b[d.at-n : d.at] }

// Byte takes one byte.
func (d *Dump) Byte() byte { return d.Take(1)[0] }

// U16 takes a little-endian integer of two bytes.
func (d *Dump) U16() uint16 { return binary.LittleEndian.Uint16(d.Take(2)) }

// U32 takes one of four bytes.
func (d *Dump) U32() uint32 { return binary.LittleEndian.Uint32(d.Take(4)) }

// U64 takes one of eight bytes.
func (d *Dump) U64() uint64 { return binary.LittleEndian.Uint64(d.Take(8)) }

// Uvarint takes a varint.
func (d *Dump) Uvarint() int {
	v, n := binary.Uvarint(d.b[d.at:])
	d.at += n
	return int(v)
}

// Varint takes a zigzag varint.
func (d *Dump) Varint() int64 {
	v, n := binary.Varint(d.b[d.at:])
	d.at += n
	return v
}

// Text takes a length and as many bytes.
func (d *Dump) Text() string { return string(d.Take(d.Uvarint())) }

// Holds compares a dump with testdata/<name>.txt, or writes it with -update, and with what a
// page of docs/format shows.
func Holds(t *testing.T, name, page string, d *Dump) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(d.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", d, want)
	}
	shown, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "format", page))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(shown), string(want)) {
		t.Errorf("docs/format/%s does not show the golden dump %s", page, name)
	}
}
