package rowgroup

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
	"github.com/tidewire/tidewire/tsdb/internal/codec"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

var update = flag.Bool("update", false, "write the goldens anew")

// A dumper walks bytes and notes what each field is.
type dumper struct {
	b   []byte
	at  int
	out strings.Builder
}

// note prints the next n bytes with what they are.
func (d *dumper) note(n int, format string, args ...any) []byte {
	field := d.b[d.at : d.at+n]
	hex := fmt.Sprintf("% x", field)
	if len(hex) > 35 {
		hex = hex[:32] + "..."
	}
	fmt.Fprintf(&d.out, "%04x..%04x  %-35s  %s\n", d.at, d.at+n, hex, fmt.Sprintf(format, args...))
	d.at += n
	return field
}

// run notes what read takes off a cursor.
func (d *dumper) run(end int, read func(c *codec.Cursor) string) {
	c := codec.NewCursor(d.b[d.at:end])
	text := read(&c)
	if c.Err() != nil {
		text += " " + c.Err().Error()
	}
	d.note(end-d.at-c.Len(), "%s", text)
}

func (d *dumper) ints(end, n int, name string) (v []int64) {
	v = make([]int64, n)
	d.run(end, func(c *codec.Cursor) string {
		codec.ReadInts(c, v)
		return fmt.Sprintf("%s %v", name, v)
	})
	return v
}

var ruleNames = [...]string{"mixed", "int", "float", "int when integral", "bool"}

func dumpRowGroup(b []byte) string {
	d := &dumper{b: b}
	d.note(1, "version %d", b[0])
	rows := int(binary.LittleEndian.Uint16(b[1:]))
	d.note(2, "%d rows", rows)
	columns := int(b[3])
	d.note(1, "%d columns", columns)
	d.note(8, "first ts %d", binary.LittleEndian.Uint64(b[4:]))
	d.note(8, "last ts %d", binary.LittleEndian.Uint64(b[12:]))
	var lengths []int
	for i := range columns + 1 {
		name := "timestamps"
		if i > 0 {
			name = fmt.Sprintf("column %d", i-1)
		}
		d.run(len(b), func(c *codec.Cursor) string {
			lengths = append(lengths, c.Int(len(b)))
			return fmt.Sprintf("%s: %d bytes", name, lengths[i])
		})
	}
	var optionals []optional
	d.run(len(b), func(c *codec.Cursor) string {
		optionals = make([]optional, c.Int(9))
		return fmt.Sprintf("%d optional columns", len(optionals))
	})
	for i := range optionals {
		o := &optionals[i]
		d.run(len(b), func(c *codec.Cursor) string {
			o.column, o.kind, o.length = c.Byte(), c.Byte(), c.Int(len(b))
			return fmt.Sprintf("of column %d, kind %d: %d bytes", o.column, o.kind, o.length)
		})
	}
	if lengths[0] > 0 {
		d.dumpTimes(d.at+lengths[0], rows)
	}
	for i, l := range lengths[1:] {
		fmt.Fprintf(&d.out, "# column %d\n", i)
		if l > 0 {
			d.dumpColumn(d.at+l, rows)
		}
	}
	for _, o := range optionals {
		d.dumpExpiry(d.at+o.length, o.column, rows)
	}
	d.note(4, "crc32c of key and bytes")
	return d.out.String()
}

func (d *dumper) dumpTimes(end, rows int) {
	if d.b[d.at] != timesSteps {
		d.note(1, "times: by the clock codec")
		d.note(end-d.at, "type, first, length, bytes")
		return
	}
	d.note(1, "times: step by step")
	steps := stepsOf(rows)
	d.ints(end, steps, "base")
	d.ints(end, steps, "slope, 1/65536 ms")
	d.ints(end, steps, "least distance")
	widths := d.ints(end, steps, "width")
	for k, w := range widths {
		d.note(codec.PackedLen(min(StepRows, rows-k*StepRows), uint8(w)), "step %d: distances of %d bits", k, w)
	}
}

func (d *dumper) dumpColumn(end, rows int) {
	var present [maxWords]uint64
	d.run(end, func(c *codec.Cursor) string {
		if codec.ReadBitmap(c, present[:], rows) {
			return "presence: every row"
		}
		return fmt.Sprintf("presence: rows %0*b, the first one rightmost", min(rows, 64), present[0])
	})
	steps := stepsOf(rows)
	r := rule(d.b[d.at])
	d.note(1, "type rule: %s", ruleNames[r])
	if r == ruleMixed {
		d.dumpMixed(end, rows, present[:])
		return
	}
	if r == ruleFloat || r == ruleWhenIntegral {
		d.note(1, "scale: %d digits", d.b[d.at])
	}
	packing := d.ints(end, steps, "packing")
	d.ints(end, steps, "min")
	if r != ruleBool {
		d.ints(end, steps, "spread")
		d.ints(end, steps, "sum less cells*(min+max)/2")
	}
	if r == ruleWhenIntegral {
		d.ints(end, steps, "ints")
	}
	for _, p := range packing {
		if p%2 != 0 {
			d.ints(end, steps, "first less min")
			d.ints(end, steps, "least step")
			break
		}
	}
	for k, p := range packing {
		n := codec.CountBits(present[:], k*StepRows, min(rows, (k+1)*StepRows))
		d.note(codec.PackedLen(n, uint8(p/2)), "step %d: %d values of %d bits", k, n, p/2)
	}
}

func (d *dumper) dumpMixed(end, rows int, present []uint64) {
	if d.note(1, "has texts")[0] != 0 {
		d.run(end, func(c *codec.Cursor) string {
			var texts codec.Texts
			texts.Read(c, rows)
			var all []string
			for i := range texts.Len() {
				all = append(all, string(texts.At(uint64(i))))
			}
			return fmt.Sprintf("texts %q", all)
		})
	}
	lengths := d.ints(end, stepsOf(rows), "lengths of steps")
	for k, l := range lengths {
		if l == 0 {
			continue
		}
		stepEnd := d.at + int(l)
		d.run(stepEnd, func(c *codec.Cursor) string {
			var s summary.Summary
			s.Read(c, int64(k*StepRows), int64((k+1)*StepRows-1))
			var b model.Bucket
			s.Bucket(&b, model.AllAggregates)
			return fmt.Sprintf("step %d: summary: count %d, nulls %d, min %#v, max %#v, sum %#v, first row %d, last row %d",
				k, b.Count, s.Nulls, b.Min, b.Max, b.Sum, s.First.TS, s.Last.TS)
		})
		d.run(stepEnd, func(c *codec.Cursor) string {
			n := codec.CountBits(present, k*StepRows, min(rows, (k+1)*StepRows))
			types, bits := make([]model.Type, n), make([]uint64, n)
			readMixedStep(c, types, bits)
			var cells []string
			for i, t := range types {
				if t.IsText() {
					cells = append(cells, fmt.Sprintf("%v %d", t, bits[i]))
				} else {
					cells = append(cells, fmt.Sprintf("%#v", model.FromBits(t, bits[i])))
				}
			}
			return "cells: " + strings.Join(cells, ", ")
		})
	}
}

func tableOf(columns int, rows ...[]any) *column.Table {
	t := new(column.Table)
	t.Reset(columns)
	for _, row := range rows {
		t.Times = append(t.Times, int64(row[0].(int)))
		for c, v := range row[1:] {
			t.Columns[c].Append(valueOf(v))
		}
	}
	return t
}

type jsonText string

func valueOf(v any) model.Value {
	switch v := v.(type) {
	case int:
		return model.Int(int64(v))
	case float64:
		return model.Float(v)
	case bool:
		return model.Bool(v)
	case string:
		return model.String(v)
	case jsonText:
		return model.JSON(string(v))
	case model.Type:
		if v == model.TypeNull {
			return model.Null()
		}
	}
	return model.Value{}
}

// goldens are the tables whose bytes stand in testdata and in docs/format.
func goldens() map[string]*column.Table {
	const none, null = model.TypeNone, model.TypeNull
	walk := new(column.Table)
	walk.Reset(2)
	v := int64(2150)
	for i := range 300 {
		walk.Times = append(walk.Times, 1700000000000+int64(i)*10000+int64(i*7919%50))
		v += int64(i*7%5) - 2
		walk.Columns[0].Append(model.Float(float64(v) / 100))
		walk.Columns[1].Append(model.Int(int64(i*25 + i%3)))
	}
	gaps := new(column.Table)
	gaps.Reset(1)
	for i := range 200 {
		gaps.Times = append(gaps.Times, 1700000000000+int64(i+i*i/700)*10000)
		gaps.Columns[0].Append(model.Float(20.5))
	}
	documents := new(column.Table)
	documents.Reset(1)
	for i := range 5 {
		documents.Times = append(documents.Times, 1700000000000+int64(i)*10000)
		documents.Columns[0].Append(model.JSON(fmt.Sprintf(`{"state":"running","n":%d}`, i%3)))
	}
	alike := tableOf(2, []any{1700000000000, 1, true}, []any{1700000010000, 2, none}, []any{1700000020000, 3, false})
	alike.Columns[0].SetExpiry([]int64{1700000060000, 0, 1700000080000})
	alike.Columns[1].SetExpiry([]int64{1700000060000, 0, 1700000080000})
	apart := tableOf(2, []any{1700000000000, 1, true}, []any{1700000010000, 2, none}, []any{1700000020000, 3, false})
	apart.Columns[1].SetExpiry([]int64{0, 0, 1700000080000})
	return map[string]*column.Table{
		"mortal":       alike,
		"mortal_cells": apart,
		"clock":        gaps,
		"texts":        documents,
		"floats": tableOf(3,
			[]any{1700000000000, math.Pi, 1.0 / 3, float64(float32(0.1))},
			[]any{1700000010000, math.E, 2.0 / 3, float64(float32(0.2))},
			[]any{1700000020000, math.E, 4.0 / 3, float64(float32(0.3))},
			[]any{1700000030000, math.E, 5.0 / 3, float64(float32(0.4))}),
		"two_rows": tableOf(2,
			[]any{1700000000000, 21.5, true},
			[]any{1700000010000, 21, true}),
		"mixed": tableOf(4,
			[]any{1700000000000, 20.99, 5, true, "idle"},
			[]any{1700000010000, 21, 5.0, none, none},
			[]any{1700000020000, 21.01, null, none, jsonText(`{"code":7}`)},
			[]any{1700000030000, none, "off", false, "idle"}),
		"extreme": tableOf(2,
			[]any{1700000000000, math.Copysign(0, -1), math.MaxInt64},
			[]any{1700000000001, math.SmallestNonzeroFloat64, 1<<53 + 1},
			[]any{1700086400000, 1e308, math.MinInt64}),
		"steps": walk,
	}
}

func dumpTable(t *column.Table) string {
	var b strings.Builder
	for i, ts := range t.Times {
		if i == 8 {
			fmt.Fprintf(&b, "... %d rows\n", t.Len())
			break
		}
		fmt.Fprintf(&b, "%d", ts)
		for c := range t.Columns {
			if v := t.Columns[c].At(i); !v.IsNone() {
				fmt.Fprintf(&b, " %c=%#v", 'a'+c, v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The bytes of the format do not change by accident, and the page that draws it shows them.
func TestGoldenBytes(t *testing.T) {
	for name, table := range goldens() {
		t.Run(name, func(t *testing.T) {
			b := encode(t, table)
			got := "# " + name + "      regenerate: go test ./tsdb/internal/rowgroup -update\n" +
				dumpTable(table) + "----\n" + dumpRowGroup(b)
			golden(t, name, got, b)
			r := open(t, keyOf(table), b)
			for c := range table.Columns {
				var dst column.Column
				check(t, r.Decode(c, 0, r.Rows(), &dst))
				compareColumns(t, &dst, &table.Columns[c], 0, r.Rows())
			}
		})
	}
}

func golden(t *testing.T, name, dump string, b []byte) {
	t.Helper()
	text, raw := filepath.Join("testdata", name+".txt"), filepath.Join("testdata", name+".bin")
	if *update {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(text, []byte(dump), 0o644))
		check(t, os.WriteFile(raw, b, 0o644))
	}
	want, err := os.ReadFile(text)
	check(t, err)
	if string(want) != dump {
		t.Errorf("the dump differs from %s:\n%s", text, dump)
	}
	wantRaw, err := os.ReadFile(raw)
	check(t, err)
	if string(wantRaw) != string(b) {
		t.Errorf("the bytes differ from %s", raw)
	}
}

// The page of the format shows the golden dump as it is.
func TestFormatPagesShowTheGoldens(t *testing.T) {
	for page, name := range map[string]string{"rowgroup.md": "mixed", "page.md": "page"} {
		doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "format", page))
		check(t, err)
		dump, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		check(t, err)
		if !strings.Contains(string(doc), string(dump)) {
			t.Errorf("docs/format/%s does not contain testdata/%s.txt", page, name)
		}
	}
}
