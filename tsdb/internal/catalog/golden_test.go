package catalog

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

var update = flag.Bool("update", false, "write the goldens anew")

// A dumper walks bytes as docs/format draws them and notes what each field is. It shares
// nothing with the parsers.
type dumper struct {
	b    []byte
	at   int
	from int // of what is noted next
	out  strings.Builder
}

// note prints what was taken since the note before, with what it is.
func (d *dumper) note(format string, args ...any) {
	hex := fmt.Sprintf("% x", d.b[d.from:d.at])
	if len(hex) > 35 {
		hex = hex[:32] + "..."
	}
	fmt.Fprintf(&d.out, "%04x..%04x  %-35s  %s\n", d.from, d.at, hex, fmt.Sprintf(format, args...))
	d.from = d.at
}

func (d *dumper) take(n int) []byte { d.at += n; return d.b[d.at-n : d.at] }
func (d *dumper) byte() byte        { return d.take(1)[0] }
func (d *dumper) u32() uint32       { return binary.LittleEndian.Uint32(d.take(4)) }

func (d *dumper) uvarint() int {
	v, n := binary.Uvarint(d.b[d.at:])
	d.at += n
	return int(v)
}

func (d *dumper) varint() int64 {
	v, n := binary.Varint(d.b[d.at:])
	d.at += n
	return v
}

func dumpState(b []byte) string {
	d := &dumper{b: b}
	d.out.WriteString("# state      regenerate: go test ./tsdb/internal/catalog -update\n")
	d.note("version %d", d.byte())
	has := d.byte()
	d.note("has %03b", has)
	d.note("newest instant %d", d.varint())
	d.note("seal %d", d.varint())
	d.note("small row groups: %d", d.uvarint())
	d.note("rows in them: %d", d.uvarint())
	d.note("partition %d", d.varint())
	d.note("unpaged: %d", d.uvarint())
	if has&2 != 0 {
		d.note("newest instant with revisions %d", d.varint())
	}
	if has&4 != 0 {
		d.note("expiry %d", d.varint())
	}
	d.note("outlived %b", d.u32())
	n := d.uvarint()
	for d.note("tombs: %d", n); n > 0; n-- {
		d.note("tomb: columns %b, expired %d, from %d, length %d", d.u32(), d.byte(), d.varint(), d.uvarint())
	}
	d.note("greatest instant ever given %d", d.varint())
	d.note("touched %b", d.u32())
	n = int(d.byte())
	for d.note("columns: %d", n); n > 0; n-- {
		switch t := model.Type(d.byte()); {
		case t == model.TypeNone:
			d.note("latest: none")
		case t == model.TypeNull:
			d.note("latest: null at %d", d.varint())
		case t.IsText():
			ts := d.varint()
			d.note("latest: %v at %d, %q", t, ts, d.take(d.uvarint()))
		default:
			d.note("latest: %v at %d, bits %x", t, d.varint(), binary.LittleEndian.Uint64(d.take(8)))
		}
	}
	return d.out.String()
}

func dumpNames(b []byte) string {
	d := &dumper{b: b}
	d.out.WriteString("# names      regenerate: go test ./tsdb/internal/catalog -update\n")
	d.note("version %d", d.byte())
	d.note("tenant %x...", d.take(16)[0])
	d.note("entity %x...", d.take(16)[0])
	d.note("scope %v", model.Scope(d.byte()))
	n := d.byte()
	for d.note("columns: %d", n); n > 0; n-- {
		d.note("%q", d.take(d.uvarint()))
	}
	return d.out.String()
}

// What stands on disk looks as the pages of docs/format show it.
func TestGoldenRows(t *testing.T) {
	const at = 1_700_000_000_000
	state := State{
		Tail: Tail{
			Last: at, Any: true, Sealed: at - 1000, Small: 2, SmallRows: 130, Partition: 656, Unpaged: 5, Kept: true, KeptTo: at - 10, Expires: at + 5,
			Outlived: 0b100, Hidden: []Tomb{{Columns: 0b11, From: at - 5000, To: at - 2000}, {Columns: 0b1, From: at - 1e6, To: at - 5e5, Expired: true}},
		},
		LastTS: at, Touched: 0b10,
		Latest: []Latest{
			{Type: model.TypeFloat, TS: at, Bits: math.Float64bits(21.5)}, {}, {Type: model.TypeNull, TS: at - 7},
			{Type: model.TypeString, TS: at, Text: []byte("idle")},
		},
	}
	names := Names{Series: keys.Series{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Server}, Columns: []string{"firmware", "größe"}}
	for _, g := range []struct{ name, page, dump string }{
		{"state", "latest.md", dumpState(row(&state))},
		{"names", "catalog.md", dumpNames(names.Append(nil))},
	} {
		path := filepath.Join("testdata", g.name+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(g.dump), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if g.dump != string(want) {
			t.Errorf("got\n%s\nwant\n%s", g.dump, want)
		}
		page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "format", g.page))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), string(want)) {
			t.Errorf("docs/format/%s does not show the golden dump", g.page)
		}
	}
}
