package catalog

import (
	"math"
	"testing"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/golden"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

func dumpState(b []byte) *golden.Dump {
	d := golden.NewDump("# state      regenerate: go test ./tsdb/internal/catalog -update", b)
	d.Note("version %d", d.Byte())
	has := d.Byte()
	d.Note("has %03b", has)
	d.Note("newest instant %d", d.Varint())
	d.Note("seal %d", d.Varint())
	d.Note("small row groups: %d", d.Uvarint())
	d.Note("rows in them: %d", d.Uvarint())
	d.Note("partition %d", d.Varint())
	d.Note("unpaged: %d", d.Uvarint())
	if has&2 != 0 {
		d.Note("newest instant with revisions %d", d.Varint())
	}
	if has&4 != 0 {
		d.Note("expiry %d", d.Varint())
	}
	d.Note("outlived %b", d.U32())
	n := d.Uvarint()
	for d.Note("tombs: %d", n); n > 0; n-- {
		d.Note("tomb: columns %b, expired %d, from %d, length %d", d.U32(), d.Byte(), d.Varint(), d.Uvarint())
	}
	d.Note("greatest instant ever given %d", d.Varint())
	d.Note("touched %b", d.U32())
	n = int(d.Byte())
	for d.Note("columns: %d", n); n > 0; n-- {
		switch t := model.Type(d.Byte()); {
		case t == model.TypeNone:
			d.Note("latest: none")
		case t == model.TypeNull:
			d.Note("latest: null at %d", d.Varint())
		case t.IsText():
			ts := d.Varint()
			d.Note("latest: %v at %d, %q", t, ts, d.Text())
		default:
			d.Note("latest: %v at %d, bits %x", t, d.Varint(), d.U64())
		}
	}
	return d
}

func dumpNames(b []byte) *golden.Dump {
	d := golden.NewDump("# names      regenerate: go test ./tsdb/internal/catalog -update", b)
	d.Note("version %d", d.Byte())
	d.Note("tenant %x...", d.Take(16)[0])
	d.Note("entity %x...", d.Take(16)[0])
	d.Note("scope %v", model.Scope(d.Byte()))
	n := d.Byte()
	for d.Note("columns: %d", n); n > 0; n-- {
		d.Note("%q", d.Text())
	}
	return d
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
	golden.Holds(t, "state", "latest.md", dumpState(row(&state)))
	golden.Holds(t, "names", "catalog.md", dumpNames(names.Append(nil)))
}
