package thingsboard

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

var seeds = []string{
	`{"t":21.5,"on":true}`, `{"ts":1700000000000,"values":{"t":21.5,"s":"a\u00e9\"b","n":"42","x":null}}`,
	`[{"t":1},{"ts":1700000000000,"values":{"t":2,"o":{"a":[1, 2.0 ,"x"]}}}]`, `{'t':x,u:0042,v:"0042.50"}`,
	`{"a":1E19,"b":0.12345678901234567,"c":-0.0,"d":101E-1,"e":1.5E1,"f":9223372036854775808}`,
	`{"values":{"t":2},"ts":"7"}`, `[{"a":1,"a":2},{"b":1,"a":3}]`, `{"a":[[[[{}]]]],"b":""}`, `{"a{{":1,"b<":2,"":3}`,
	"{\"a\":\"\xff\"}", `{"a":"\ud83d\ude00"}`, `[]`, `{`, `null`,
}

// Whatever the body: nothing panics, the fast pass agrees with the full parser where it
// accepts, and what was read can be written as JSON and read again.
func FuzzParseTelemetry(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), false, false)
	}
	f.Add([]byte(seeds[0]), true, true)
	reused := new(Parser)
	f.Fuzz(func(t *testing.T, body []byte, rest, keep bool) {
		o := ParseOptions{REST: rest, KeepNumericStrings: keep}
		got := parsed(t, string(body), o)
		set, err := reused.Telemetry(body, now, o)
		if err != nil {
			if !strings.HasPrefix(got, "error: ") {
				t.Fatalf("a reused parser fails: %v", err)
			}
			return
		}
		if dump(set) != got {
			t.Fatalf("a reused parser gives\n%s\na new one\n%s", dump(set), got)
		}
		again := rendered(set)
		if !json.Valid(again) {
			t.Fatalf("not JSON: %s", again)
		}
		// With coercion off, every text stays a text; an integer outside int64, which is
		// one by now, has been a string since the first reading.
		second, err := ParseTelemetry(again, now, ParseOptions{KeepNumericStrings: true})
		if err != nil {
			t.Fatalf("read again: %v", err)
		}
		if a, b := dump(set), dump(second); a != b && !hasLongFraction(set) {
			t.Fatalf("written and read again:\n%s\n%s", a, b)
		}
	})
}

// rendered writes set as a telemetry body.
func rendered(set *model.WriteSet) []byte {
	b := []byte{'['}
	cells := set.Cells
	for i, row := range set.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"ts":`...)
		b = AppendTyped(b, model.Int(row.TS))
		b = append(b, `,"values":{`...)
		for j, c := range cells[:row.Cells] {
			if j > 0 {
				b = append(b, ',')
			}
			b = AppendString(b, set.Keys[c.Key])
			b = append(b, ':')
			b = AppendTyped(b, c.Value)
		}
		cells = cells[row.Cells:]
		b = append(b, `}}`...)
	}
	return append(b, ']')
}

// hasLongFraction reports whether a float needs exponent or fraction digits that the value
// rules read back as another type: 1.0E10 is integral, 1.0E-20 has 21 fraction digits.
func hasLongFraction(set *model.WriteSet) bool {
	for _, c := range set.Cells {
		if c.Value.Type() == model.TypeFloat {
			text := string(AppendText(nil, c.Value))
			_, fraction, _ := strings.Cut(text, ".")
			if strings.Contains(text, "E") || len(fraction) > maxFraction {
				return true
			}
		}
	}
	return false
}

func FuzzParseAttributes(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, rest bool) {
		o := ParseOptions{REST: rest}
		var full, fast Parser
		full.reset(model.Client, now, o)
		fullErr := full.fullAttributes(body)
		fast.reset(model.Client, now, o)
		if fast.scanAttributes(body) && (fullErr != nil || dump(&fast.set) != dump(&full.set)) {
			t.Fatalf("fast %s\nfull %s, %v", dump(&fast.set), dump(&full.set), fullErr)
		}
		if set, err := ParseAttributes(body, model.Client, now, o); err == nil && len(set.Rows) > 1 {
			t.Fatalf("%d rows", len(set.Rows))
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\x00\x1f\"\\\n\r\t\u2028é\xff😀\xf0\x9f")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(AppendString(nil, s), &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); back != want && strings.ReplaceAll(back, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Fatalf("%q became %q", s, back)
		}
	})
}
