package entry

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
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

var update = flag.Bool("update", false, "write the golden anew")

// A dumper walks bytes as docs/format/log.md draws them and notes what each field is. It
// shares nothing with the parsers.
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
func (d *dumper) u64() uint64       { return binary.LittleEndian.Uint64(d.take(8)) }

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

// text takes a length and as many bytes.
func (d *dumper) text() string { return string(d.take(d.uvarint())) }

func (d *dumper) entry() {
	end := d.uvarint()
	end += d.at
	d.note("an entry, %d bytes", end-d.at)
	kind := Kind(d.byte())
	d.note("kind %s", [...]string{"", "set", "delete", "erase", "define"}[kind])
	flags := d.byte()
	d.note("flags %04b", flags)
	d.note("tenant %x...", d.take(16)[0])
	d.note("entity %x...", d.take(16)[0])
	d.note("scope %v", model.Scope(d.byte()))
	switch kind {
	case KindSet:
		d.set(flags, end)
	case KindDelete:
		d.note("from %d", d.varint())
		d.note("to %d", d.varint())
		d.note("received %d", d.varint())
		n := d.uvarint()
		for d.note("groups: %d", n); n > 0; n-- {
			d.note("of group %d columns %b", d.uvarint(), binary.LittleEndian.Uint32(d.take(4)))
		}
		n = d.uvarint()
		for d.note("changes of latest values: %d", n); n > 0; n-- {
			group, column, typ, ts := d.uvarint(), d.byte(), model.Type(d.byte()), d.varint()
			d.note("column %d of group %d: %v at %d, bits %x, text %q", column, group, typ, ts, d.u64(), d.text())
		}
	case KindErase:
		for d.at < end {
			scope, n := model.Scope(d.byte()), d.uvarint()
			for d.note("keys of scope %v that lose their latest: %d", scope, n); n > 0; n-- {
				d.note("%q", d.text())
			}
		}
	case KindDefine:
		d.note("group %d", d.uvarint())
		n := d.byte()
		for d.note("columns: %d", n); n > 0; n-- {
			d.note("%q", d.text())
		}
	}
}

func (d *dumper) set(flags byte, end int) {
	d.note("received %d", d.varint())
	d.note("ttl %d", d.uvarint())
	sections := binary.LittleEndian.Uint16(d.take(2))
	d.note("sections: %d", sections)
	for range sections {
		d.note("section of group %d", d.uvarint())
		columns := int(d.byte())
		d.note("columns: %d", columns)
		d.note("column numbers %d", d.take(columns))
		rows := d.uvarint()
		d.note("rows: %d", rows)
		switch form := d.byte(); form {
		case 0:
			d.take(8 * rows)
			d.note("instants, each")
		case 1:
			d.note("instants from %d, step %d", d.u64(), d.u64())
		case 2:
			first := d.u64()
			d.take(4 * (rows - 1))
			d.note("instants from %d, and what each adds", first)
		}
		for range columns {
			types := d.take(1)
			if types[0] == 255 {
				types = d.take(rows)
			}
			d.note("types %d", types)
			text := false
			for _, t := range types {
				text = text || model.Type(t).IsText()
			}
			d.take(8 * rows)
			if d.note("bits, or lengths of texts"); text {
				d.note("texts %q", d.text())
			}
		}
	}
	if flags&HasAsides != 0 {
		n := d.uvarint()
		for d.note("asides: %d", n); n > 0; n-- {
			group, column, ts, t, quality := d.uvarint(), d.byte(), d.varint(), d.byte(), d.byte()
			where := fmt.Sprintf("column %d of group %d at %d, quality %d, behind the point: %t", column, group, ts, quality, t&128 != 0)
			if model.Type(t &^ 128).IsText() {
				d.note("%s: text %q", where, d.text())
			} else {
				d.note("%s: %v of bits %x", where, model.Type(t), d.u64())
			}
		}
	}
	switch {
	case flags&Arrival != 0:
		d.note("outcome: the first row is at %d", d.u64())
	case flags&InOrder == 0:
		d.note("outcome: which became the latest, %08b, the first one rightmost", d.take(end-d.at))
	}
}

// goldenGroup is a commit group with an entry of every kind.
func goldenGroup(t *testing.T) []byte {
	t.Helper()
	var e Encoder
	encode := func(s *model.WriteSet, refs []catalog.Ref) []byte {
		b, err := e.Set(nil, s, refs, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	series := keys.Series{Tenant: model.TenantID{1}, Entity: model.EntityID{2}, Scope: model.Timeseries}
	group := []byte{GroupVersion}
	add := func(b []byte) { group = append(binary.AppendUvarint(group, uint64(len(b))), b...) }

	define := Define{Series: series, Group: 7, Names: []string{"b", "a"}}
	add(define.Append(nil))

	set, refs := sample()
	set.Qualities = []uint8{0, 0, 0, 0, 3}
	b := encode(set, refs)
	var view Set
	if err := view.Parse(b, false); err != nil {
		t.Fatal(err)
	}
	add(view.AppendNewest(b, func(int, int) (int64, bool) { return 20, true }))

	state := &model.WriteSet{
		Tenant: series.Tenant, Entity: series.Entity, Scope: model.State, Received: 1700000000000, Keys: []string{"on"},
		Rows: []model.Row{{Cells: 1}, {Cells: 1}}, Cells: []model.Cell{{Value: model.Bool(true)}, {Value: model.Null()}},
	}
	add(AppendBase(encode(state, []catalog.Ref{{Group: 8}}), 1700000000001))

	irregular := &model.WriteSet{
		Tenant: series.Tenant, Entity: series.Entity, Scope: model.Timeseries, Received: 1700000000000, Keys: []string{"a"},
		Rows: []model.Row{{TS: 1, Cells: 1}, {TS: 3, Cells: 1}, {TS: 9, Cells: 1}},
	}
	for i := range 3 {
		irregular.Cells = append(irregular.Cells, model.Cell{Value: model.Int(int64(i))})
	}
	b = encode(irregular, []catalog.Ref{{Group: 7, Column: 1}})
	SetFlags(b, InOrder)
	add(b)

	del := Delete{
		Series: series, From: 5, To: 1700000000000, Received: 1700000000002, Groups: []DeleteGroup{{Group: 7, Columns: 3}},
		Changes: []LatestChange{
			{Ref: catalog.Ref{Group: 7, Column: 0}},
			{Ref: catalog.Ref{Group: 7, Column: 1}, Latest: catalog.Latest{TS: 4, Type: model.TypeFloat, Bits: math.Float64bits(0.5)}},
		},
	}
	add(del.Append(nil))

	erase := Erase{Tenant: series.Tenant, Entity: series.Entity, Lost: []Lost{{model.Timeseries, []string{"a"}}, {model.State, []string{"on"}}}}
	add(erase.Append(nil))
	return group
}

// What the log holds looks as docs/format/log.md shows it.
func TestGoldenCommitGroup(t *testing.T) {
	d := &dumper{b: goldenGroup(t)}
	d.out.WriteString("# a commit group      regenerate: go test ./tsdb/internal/entry -update\n")
	for d.note("version %d", d.byte()); d.at < len(d.b); {
		d.entry()
	}
	n := 0
	if err := Each(1, d.b, func(_ model.Position, b []byte) error {
		n++
		kind, _, err := Head(b)
		if err == nil && kind == KindSet {
			err = new(Set).Parse(b, true)
		}
		return err
	}); err != nil || n != 6 {
		t.Errorf("%d entries: %v", n, err)
	}
	path := filepath.Join("testdata", "group.txt")
	if *update {
		if err := os.WriteFile(path, []byte(d.out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d.out.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", d.out.String(), want)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "format", "log.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), string(want)) {
		t.Error("docs/format/log.md does not show the golden dump")
	}
}
