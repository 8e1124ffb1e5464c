package entry

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/golden"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// dumpEntry notes an entry of the log.
func dumpEntry(d *golden.Dump) {
	end := d.Uvarint()
	end += d.At()
	d.Note("an entry, %d bytes", end-d.At())
	kind := Kind(d.Byte())
	d.Note("kind %s", [...]string{"", "set", "delete", "erase", "define"}[kind])
	flags := d.Byte()
	d.Note("flags %04b", flags)
	d.Note("tenant %x...", d.Take(16)[0])
	d.Note("entity %x...", d.Take(16)[0])
	d.Note("scope %v", model.Scope(d.Byte()))
	switch kind {
	case KindSet:
		dumpSet(d, flags, end)
	case KindDelete:
		d.Note("from %d", d.Varint())
		d.Note("to %d", d.Varint())
		d.Note("received %d", d.Varint())
		n := d.Uvarint()
		for d.Note("groups: %d", n); n > 0; n-- {
			d.Note("of group %d columns %b", d.Uvarint(), d.U32())
		}
		n = d.Uvarint()
		for d.Note("changes of latest values: %d", n); n > 0; n-- {
			group, column, typ, ts := d.Uvarint(), d.Byte(), model.Type(d.Byte()), d.Varint()
			d.Note("column %d of group %d: %v at %d, bits %x, text %q", column, group, typ, ts, d.U64(), d.Text())
		}
	case KindErase:
		for d.At() < end {
			scope, n := model.Scope(d.Byte()), d.Uvarint()
			for d.Note("keys of scope %v that lose their latest: %d", scope, n); n > 0; n-- {
				d.Note("%q", d.Text())
			}
		}
	case KindDefine:
		d.Note("group %d", d.Uvarint())
		n := d.Byte()
		for d.Note("columns: %d", n); n > 0; n-- {
			d.Note("%q", d.Text())
		}
	}
}

func dumpSet(d *golden.Dump, flags byte, end int) {
	d.Note("received %d", d.Varint())
	d.Note("ttl %d", d.Uvarint())
	sections := d.U16()
	d.Note("sections: %d", sections)
	for range sections {
		d.Note("section of group %d", d.Uvarint())
		columns := int(d.Byte())
		d.Note("columns: %d", columns)
		d.Note("column numbers %d", d.Take(columns))
		rows := d.Uvarint()
		d.Note("rows: %d", rows)
		switch form := d.Byte(); form {
		case 0:
			d.Take(8 * rows)
			d.Note("instants, each")
		case 1:
			d.Note("instants from %d, step %d", d.U64(), d.U64())
		case 2:
			first := d.U64()
			d.Take(4 * (rows - 1))
			d.Note("instants from %d, and what each adds", first)
		}
		for range columns {
			types := d.Take(1)
			if types[0] == 255 {
				types = d.Take(rows)
			}
			d.Note("types %d", types)
			text := false
			for _, t := range types {
				text = text || model.Type(t).IsText()
			}
			d.Take(8 * rows)
			if d.Note("bits, or lengths of texts"); text {
				d.Note("texts %q", d.Text())
			}
		}
	}
	if flags&HasAsides != 0 {
		n := d.Uvarint()
		for d.Note("asides: %d", n); n > 0; n-- {
			group, column, ts, t, quality := d.Uvarint(), d.Byte(), d.Varint(), d.Byte(), d.Byte()
			where := fmt.Sprintf("column %d of group %d at %d, quality %d, behind the point: %t", column, group, ts, quality, t&128 != 0)
			if model.Type(t &^ 128).IsText() {
				d.Note("%s: text %q", where, d.Text())
			} else {
				d.Note("%s: %v of bits %x", where, model.Type(t), d.U64())
			}
		}
	}
	switch {
	case flags&Arrival != 0:
		d.Note("outcome: the first row is at %d", d.U64())
	case flags&InOrder == 0:
		d.Note("outcome: which became the latest, %08b, the first one rightmost", d.Take(end-d.At()))
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
	group := goldenGroup(t)
	d := golden.NewDump("# a commit group      regenerate: go test ./tsdb/internal/entry -update", group)
	for d.Note("version %d", d.Byte()); d.Len() > 0; {
		dumpEntry(d)
	}
	n := 0
	if err := Each(1, group, func(_ model.Position, b []byte) error {
		n++
		kind, _, err := Head(b)
		if err == nil && kind == KindSet {
			err = new(Set).Parse(b, true)
		}
		return err
	}); err != nil || n != 6 {
		t.Errorf("%d entries: %v", n, err)
	}
	golden.Holds(t, "group", "log.md", d)
}
