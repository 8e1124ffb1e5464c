package thingsboard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

const now = int64(1700000123456)

// dump writes a set as "ts key=value …" per row.
func dump(s *model.WriteSet) string {
	var rows []string
	cells := s.Cells
	for _, row := range s.Rows {
		var b strings.Builder
		if row.TS == now {
			b.WriteString("now")
		} else {
			fmt.Fprint(&b, row.TS)
		}
		for _, c := range cells[:row.Cells] {
			fmt.Fprintf(&b, " %s=%#v", s.Keys[c.Key], c.Value)
		}
		cells = cells[row.Cells:]
		rows = append(rows, b.String())
	}
	if len(cells) != 0 {
		rows = append(rows, "cells left over")
	}
	return strings.Join(rows, "; ")
}

// parsed dumps what a body gives, or the error's text. The fast pass, where it accepts,
// must agree with the full parser.
func parsed(t *testing.T, body string, o ParseOptions) string {
	t.Helper()
	var full Parser
	full.reset(model.Timeseries, now, o)
	fullErr := full.fullTelemetry([]byte(body))

	var fast Parser
	fast.reset(model.Timeseries, now, o)
	if fast.scanTelemetry([]byte(body)) {
		if fullErr != nil {
			t.Errorf("%s: the fast pass accepts, the full parser says %v", body, fullErr)
		} else if got, want := dump(&fast.set), dump(&full.set); got != want {
			t.Errorf("%s:\nfast %s\nfull %s", body, got, want)
		}
	}
	set, err := ParseTelemetry([]byte(body), now, o)
	if err != nil {
		if model.KindOf(err) != model.Invalid {
			t.Errorf("%s: kind %v", body, model.KindOf(err))
		}
		return "error: " + model.MessageOf(err, "no message")
	}
	if set.Scope != model.Timeseries || set.Received != now {
		t.Errorf("%s: scope %v, received %d", body, set.Scope, set.Received)
	}
	return dump(set)
}

func TestTelemetryShapes(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := parsed(t, body, ParseOptions{}); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	// flat, timed, arrays of either
	f(`{"t":21.5,"on":true}`, `now t=float 21.5 on=true`)
	f(`{"ts":1700000000000,"values":{"t":21.5}}`, `1700000000000 t=float 21.5`)
	f(`[{"t":1},{"ts":1700000000000,"values":{"t":2}}]`, `now t=1; 1700000000000 t=2`)
	f(" \t\r\n[ { \"ts\" : 5 , \"values\" : { \"a\" : 1 , \"b\" : 2 } } ] \n", `5 a=1 b=2`)
	f(`[]`, ``)
	f(`{}`, ``)
	f(`{"ts":1,"values":{}}`, ``)
	// timed only if both members exist, in any order, extra ones ignored
	f(`{"ts":1,"t":2}`, `now ts=1 t=2`)
	f(`{"ts":1}`, `now ts=1`)
	f(`{"values":{"t":2}}`, `now values=json {"t":2}`)
	f(`{"values":{"t":2},"ts":7}`, `7 t=2`)
	f(`{"ts":7,"x":1,"values":{"t":2},"y":[1]}`, `7 t=2`)
	f(`{"ts":1,"ts":2,"values":{"t":1},"values":{"t":3}}`, `2 t=3`)
	f(`{"ts":1,"values":{"ts":2,"values":3}}`, `1 ts=2 values=3`)
	f(`[{"ts":1,"values":{"ts":2}},{"ts":3,"t":4},{"ts":5,"values":{"ts":6}}]`, `1 ts=2; now ts=3 t=4; 5 ts=6`)
	f(`{"\u0074s":9,"values":{"t":1}}`, `9 t=1`)
	// the timestamp: a number or a numeric string
	f(`{"ts":"1700000000000","values":{"t":2}}`, `1700000000000 t=2`)
	f(`{"ts":-5,"values":{"t":2}}`, `-5 t=2`)
	f(`{"ts":1.7e12,"values":{"t":2}}`, `1700000000000 t=2`)
	f(`{"ts":1700000000000.9,"values":{"t":2}}`, `1700000000000 t=2`)
	f(`{"ts":-0.9,"values":{"t":2}}`, `0 t=2`)
	f(`{"ts":"now","values":{"t":2}}`, `error: Can't parse value: now`)
	f(`{"ts":true,"values":{"t":2}}`, `error: Can't parse value: true`)
	f(`{"ts":null,"values":{"t":2}}`, `error: Can't parse value: null`)
	f(`{"ts":[1],"values":{"t":2}}`, `error: Can't parse value: [1]`)
	f(`{"ts":1E30,"values":{"t":2}}`, `error: Can't parse value: 1E30`)
	f(`{"ts":1,"values":2}`, `error: Can't parse value: 2`)
	f(`{"ts":1,"values":[{"t":2}]}`, `error: Can't parse value: [{"t":2}]`)
	// wrong shapes
	f(`[1]`, `error: Can't parse value: 1`)
	f(`[{"t":1},[{"t":2}]]`, `error: Can't parse value: [{"t":2}]`)
	f(`[{"t":1},null]`, `error: Can't parse value: null`)
	f(`42`, `error: Can't parse value: 42`)
	f(`"text"`, `error: Can't parse value: "text"`)
	f(`null`, `error: Can't parse value: null`)
	// the same key twice: the later one wins
	f(`{"a":1,"b":2,"a":"x"}`, `now a="x" b=2`)
	f(`[{"a":1,"b":1},{"b":2,"a":2,"b":3}]`, `now a=1 b=1; now b=3 a=2`)
	f(`[{"ts":1,"values":{"a":1}},{"ts":1,"values":{"a":2}}]`, `1 a=1; 1 a=2`)
}

func TestTelemetryLenient(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := parsed(t, body, ParseOptions{}); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	f(`{'t':'x'}`, `now t="x"`)
	f(`{t:21.5,on:TRUE,s:hello}`, `now t=float 21.5 on=true s="hello"`)
	f(`{ts:1,values:{t:0042,u:+5,v:.5}}`, `1 t=42 u="+5" v=".5"`)
	f(`{"a":'it\'s "so"'}`, `now a="it's \"so\""`)
	f(`{"a":{b:'c', d : [x, 1.50, NULL , "\u0041"]}}`, `now a=json {"b":"c","d":["x",1.50,null,"\u0041"]}`)
	f("{\"a\":\"two\nlines\"}", `now a="two\nlines"`)
	f("\ufeff{\"a\":1}", `now a=1`)
	// not that lenient
	for _, body := range []string{
		``, ` `, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `[{"a":1}`, `[{"a":1},]`, `{"a" 1}`, `{"a":1 "b":2}`,
		`{"a":[1,]}`, `{"a":[1 2]}`, `{"a":{"b" 1}}`, `{"a":{"b":}}`, `{"a":{"b":1,}}`, `{"a":[`, `{"a":[1`, `{"a":{"b":1`, `{"a":["\ud800"]}`,
		`{"a":["\x"]}`, `{"a":["b]}`, `{"a":[tru/]}`, `{"a":{'b}}`, `{"ts":1,"values":{"a":1}`, `{"ts":1,"values":{"a":1}]`, `{"ts" 1}`, `5 6`, `"a" b`,
		`{"a":1}x`, `{"a":1}{"b":2}`, `[]]`, `{"a":"x}`, `{'a":1}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\ud800"}`,
		`{"a":"\udc00"}`, `{"a":"\ud800\u0041"}`, "{\"a\":\"\xff\"}", "{\"\xc3\":1}", "{\"a\":{\"b\":\"\xed\xa0\x80\"}}", `{"a":/*1*/1}`, `{a=1}`,
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		if got := parsed(t, body, ParseOptions{}); !strings.HasPrefix(got, "error: Invalid JSON body: ") {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`{"a":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`}`, `now a=json `+strings.Repeat("[", 99)+strings.Repeat("]", 99))
	f(`{"a":"\ud83d\ude00 \b\f\n\r\t\/\\\""}`, "now a=\"😀 \\b\\f\\n\\r\\t/\\\\\\\"\"")
}

func TestValueTyping(t *testing.T) {
	f := func(json, want string) {
		t.Helper()
		want = "now k=" + want
		if got := parsed(t, `{"k":`+json+`}`, ParseOptions{}); got != want {
			t.Errorf("%s: got %s, want %s", json, got, want)
		}
	}
	f(`true`, `true`)
	f(`false`, `false`)
	// integers, and exponent forms whose value is integral
	f(`0`, `0`)
	f(`-0`, `0`)
	f(`42`, `42`)
	f(`-7`, `-7`)
	f(`123456789012345678`, `123456789012345678`)
	f(`9223372036854775807`, `9223372036854775807`)
	f(`-9223372036854775808`, `-9223372036854775808`)
	f(`9007199254740993`, `9007199254740993`)
	f(`1E+1`, `10`)
	f(`1.5E1`, `15`)
	f(`1.50e1`, `15`)
	f(`100E-2`, `1`)
	f(`1.0E0`, `1`)
	f(`0E5`, `0`)
	f(`0.0E-5`, `0`)
	f(`0E999999999999999999999`, `0`)
	f(`-5E18`, `-5000000000000000000`)
	f(`9.223372036854775807E18`, `9223372036854775807`)
	// plain decimals, and exponent forms whose value is not
	f(`42.0`, `float 42`)
	f(`21.53`, `float 21.53`)
	f(`-0.1`, `float -0.1`)
	f(`0.0`, `float 0`)
	f(`-0.0`, `float -0`)
	f(`101E-1`, `float 10.1`)
	f(`1.5E-3`, `float 0.0015`)
	f(`0.1234567890123456`, `float 0.1234567890123456`)
	f(`123456789012345.25`, `float 1.2345678901234525e+14`)
	f(`9007199254740993.0`, `float 9.007199254740992e+15`)
	f(`2.2250738585072011`, `float 2.225073858507201`)
	f(`12345678901234567890.5`, `float 1.2345678901234567e+19`)
	f(`1E-16`, `float 1e-16`)
	// outside int64
	f(`1E19`, `"10000000000000000000"`)
	f(`9223372036854775808`, `"9223372036854775808"`)
	f(`-9223372036854775809`, `"-9223372036854775809"`)
	f(`123456789012345678901234567890`, `"123456789012345678901234567890"`)
	f(`1.5E20`, `"150000000000000000000"`)
	f(`1E400`, `"1`+strings.Repeat("0", 400)+`"`)
	// more than 16 fraction digits
	f(`0.12345678901234567`, `"0.12345678901234567"`)
	f(`1.00000000000000000`, `"1.00000000000000000"`)
	f(`-3.14159265358979323846`, `"-3.14159265358979323846"`)
	f(`1E-17`, `"0.00000000000000001"`)
	f(`12.5E-18`, `"0.0000000000000000125"`)
	// strings
	f(`"42"`, `42`)
	f(`"-42"`, `-42`)
	f(`"1.5"`, `float 1.5`)
	f(`"42.0"`, `float 42`)
	f(`"0042"`, `42`)
	f(`"0042.50"`, `float 42.5`)
	f(`"-0"`, `0`)
	f(`"10000000000000000000"`, `"10000000000000000000"`)
	f(`"0010000000000000000000"`, `"10000000000000000000"`)
	f(`"0.12345678901234567"`, `"0.12345678901234567"`)
	f(`"4\u0032"`, `42`)
	for _, s := range []string{"", " ", "+5", "5.", ".5", "-", "-.5", "1E5", "1e-5", " 42", "42 ", "1,5", "1.2.3", "0x10",
		"NaN", "Infinity", "true", "null", "abc", "²", "١٢"} {
		f(`"`+s+`"`, fmt.Sprintf("%q", s))
	}
	f(`"a\"b\\c\/\n"`, `"a\"b\\c/\n"`)
	f(`"größe"`, `"größe"`)
	// objects and arrays, compact; what stands in strings stays as sent
	f(`{}`, `json {}`)
	f(`[]`, `json []`)
	f(`{"a":[1,2.50,"x y",{"b":null}],"c":1E5}`, `json {"a":[1,2.50,"x y",{"b":null}],"c":1E5}`)
	f("{ \"a\" :\t[ 1 ,\n2 ] , \"b c\" : \"d \\\" e\" }", `json {"a":[1,2],"b c":"d \" e"}`)
	f(`[true,false,null,-1.5E-3,{},[ ],{"a" : {} }]`, `json [true,false,null,-1.5E-3,{},[],{"a":{}}]`)
	f(`["\ud83d\ude00","\\ \""]`, `json ["\ud83d\ude00","\\ \""]`)
	f(`[tRUE, 0042, +1, 'a"b', "it\'s", .5]`, `json [true,"0042","+1","a\"b","it's",".5"]`)
	f(`[ "\u00e9" , "é" ]`, `json ["\u00e9","é"]`)
}

func TestValueTypingErrors(t *testing.T) {
	f := func(body string, o ParseOptions, want string) {
		t.Helper()
		if got := parsed(t, body, o); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	keep := ParseOptions{KeepNumericStrings: true}
	f(`{"k":"42"}`, keep, `now k="42"`)
	f(`{"k":"0.12345678901234567"}`, keep, `now k="0.12345678901234567"`)
	f(`{"k":1E19}`, keep, `error: Big integer values are not supported!`)
	f(`{"k":9223372036854775808}`, keep, `error: Big integer values are not supported!`)
	f(`{"k":1E1001}`, ParseOptions{}, `error: Can't parse value: 1E1001`)
	f(`{"k":1E-99999999999999999999}`, ParseOptions{}, `error: Can't parse value: 1E-99999999999999999999`)
	f(`{"k":`+strings.Repeat("9", 400)+`.5}`, ParseOptions{}, `error: Can't parse value: `+strings.Repeat("9", 64)+`…`)
	short := ParseOptions{MaxStringLength: 3}
	f(`{"k":"äöü"}`, short, `now k="äöü"`)
	f(`{"k":"abcd"}`, short, `error: String value length [4] is greater than maximum allowed [3]`)
	f(`{"k":"12345"}`, short, `now k=12345`)
}

func TestNullsAreSkippedForDevicesOnly(t *testing.T) {
	f := func(body string, o ParseOptions, want string) {
		t.Helper()
		if got := parsed(t, body, o); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	f(`{"a":null,"b":1}`, ParseOptions{}, `now b=1`)
	f(`{"a":null}`, ParseOptions{}, ``)
	f(`[{"a":1,"b":2,"c":3},{"a":null,"b":2,"c":4}]`, ParseOptions{}, `now a=1 b=2 c=3; now b=2 c=4`)
	f(`{"":null}`, ParseOptions{}, ``)
	rest := ParseOptions{REST: true}
	f(`{"a":null}`, rest, `error: Unable to parse time series payload. Invalid JSON body: Can't parse value: null`)
	f(`{"ts":1,"values":{"a":null}}`, rest, `error: Unable to parse time series payload. Invalid JSON body: Can't parse value: null`)
	set, err := ParseTelemetry([]byte(`{"a":null,"b":1}`), now, ParseOptions{})
	if err != nil || !slices.Equal(set.Keys, []string{"b"}) {
		t.Errorf("a key without a value is in the set: %q, %v", set.Keys, err)
	}
}

func TestKeyRules(t *testing.T) {
	f := func(key, want string) {
		t.Helper()
		if want != "" {
			want = "error: " + want
		} else {
			want = "now " + key + "=1"
		}
		for _, o := range []ParseOptions{{}, {REST: true}} {
			if got := parsed(t, string(AppendString([]byte("{"), key))+`:1}`, o); got != want {
				t.Errorf("%q: got %s, want %s", key, got, want)
			}
		}
	}
	f("", "Key can't be null or empty")
	f("  ", "Key can't be null or empty")
	f("\t", "Key can't be null or empty")
	f(strings.Repeat("k", 255), "")
	f(strings.Repeat("ä", 255), "")
	f(strings.Repeat("k", 256), "Validation error: key length must be equal or less than 255")
	f(strings.Repeat("ä", 256), "Validation error: key length must be equal or less than 255")
	f("<b>x</b>", "Validation error: key is malformed")
	f("a</p", "Validation error: key is malformed")
	f("<!-- x", "Validation error: key is malformed")
	f("a{{b}}", "Validation error: key is malformed")
	f("a\x00b", "Validation error: key is malformed")
	f("a < b", "")
	f("a<", "")
	f("a <1", "")
	f("{{", "")
	f("}}{{", "")
	f("a.b/c:d e,f", "")
	f(`back\slash "quoted"`, "")
	f("температура", "")
}

func TestRESTErrorTexts(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := parsed(t, body, ParseOptions{REST: true}); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	f(`{"a":1}`, `now a=1`)
	f(`{`, `error: Unable to parse time series payload: Invalid JSON body!`)
	f(``, `error: Unable to parse time series payload: Invalid JSON body!`)
	f(`{"a":1} trailing`, `error: Unable to parse time series payload: Invalid JSON body!`)
	f(`5`, `error: Unable to parse time series payload. Invalid JSON body: Can't parse value: 5`)
	f(`[[]]`, `error: Unable to parse time series payload. Invalid JSON body: Can't parse value: []`)
	f(`{}`, `error: No time series data found in request body!`)
	f(`[]`, `error: No time series data found in request body!`)
	f(`[{},{"ts":1,"values":{}}]`, `error: No time series data found in request body!`)
}

func TestAttributes(t *testing.T) {
	f := func(body string, o ParseOptions, want string) {
		t.Helper()
		set, err := ParseAttributes([]byte(body), model.Shared, now, o)
		got := ""
		if err != nil {
			got = "error: " + model.MessageOf(err, "no message")
		} else if got = dump(set); set.Scope != model.Shared || set.Received != now {
			t.Errorf("%s: scope %v, received %d", body, set.Scope, set.Received)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	device, rest := ParseOptions{}, ParseOptions{REST: true}
	for _, o := range []ParseOptions{device, rest} {
		f(`{"fw":"1.2.0","n":"7","on":true,"o":{"a":1}}`, o, `now fw="1.2.0" n=7 on=true o=json {"a":1}`)
		f(`{"ts":1,"values":{"a":2}}`, o, `now ts=1 values=json {"a":2}`)
		f(`{a:b}`, o, `now a="b"`)
		f(`{"a{{b}}":1}`, o, `error: Validation error: key is malformed`)
	}
	f(`{}`, device, ``)
	f(`{"a":null}`, device, ``)
	f(`[1]`, device, `error: Can't parse value: [1]`)
	f(`{`, device, `error: Invalid JSON body: unexpected end`)
	f(`{" ":1}`, device, `error: Key can't be null or empty`)
	f(`{`, rest, `error: Invalid JSON`)
	f(`{"a":1}]`, rest, `error: Invalid JSON`)
	f(`[{"a":1}]`, rest, `error: Request is not a JSON object`)
	f(`"a"`, rest, `error: Request is not a JSON object`)
	f(`{}`, rest, `error: No attributes data found in request body!`)
	f(`{" ":1}`, rest, `error: Key cannot be blank`)
	f(`{"a":null}`, rest, `error: Can't parse value: null`)
}

// A reused parser must not carry anything over, whatever came before.
func TestParserReuse(t *testing.T) {
	bodies := []string{
		`{"ts":1,"values":{"a":1,"b":2,"c":3}}`, `{"ts":2,"values":{"a":1,"b":2,"c":3}}`, `{"a":1,"c":2}`, `{"b":1}`,
		`{"ts":3,"values":{"a":null,"b":2,"c":3}}`, `{"ts":3,"values":{"ts":1,"values":2}}`, `{"ts":3,"x":4}`, `{'q':1}`, `[`, `{}`,
		`{"c":1,"b":2,"a":3}`, `[{"a":1,"b":2},{"a":1,"b":2,"c":3,"d":4}]`, `{"a":1,"a":2,"b":3}`, wide(40), wide(17), wide(16),
	}
	var p Parser
	for i := range 5000 {
		body := bodies[i*7919%len(bodies)]
		if i%3 == 0 {
			body = bodies[i%len(bodies)]
		}
		want := parsed(t, body, ParseOptions{})
		set, err := p.Telemetry([]byte(body), now, ParseOptions{})
		got := ""
		if err != nil {
			got = "error: " + model.MessageOf(err, "")
		} else {
			got = dump(set)
		}
		if got != want {
			t.Fatalf("round %d, %s\n got %s\nwant %s", i, body, got, want)
		}
	}
}

// wide returns a body of two rows with n keys, the second in reverse order.
func wide(n int) string {
	var up, down strings.Builder
	for i := range n {
		fmt.Fprintf(&up, `,"key%d":%d`, i, i)
		fmt.Fprintf(&down, `,"key%d":%d`, n-1-i, i)
	}
	return `[{` + up.String()[1:] + `},{` + down.String()[1:] + `}]`
}

// Bodies of the usual forms are read without allocating.
func TestParserAllocatesNothing(t *testing.T) {
	var p Parser
	body := []byte(`{"ts":1700000000000,"values":{"t":21.53,"h":40,"on":true,"s":"ok","n":"42","o":{"a":1}}}`)
	n := testing.AllocsPerRun(100, func() {
		if _, err := p.Telemetry(body, now, ParseOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The keys a parser remembers were once a view into the body: a single one was not copied,
// and changed when the door read the next body into the same buffer.
func TestRememberedKeysOutliveTheBody(t *testing.T) {
	var p Parser
	buf := []byte(`{"key":1}`)
	for _, body := range []string{`{"key":1}`, `{"""":1}`, `{"abc":1}`} {
		copy(buf, body)
		set, err := p.Telemetry(buf, now, ParseOptions{})
		want := parsed(t, body, ParseOptions{})
		if err != nil && !strings.HasPrefix(want, "error: ") || err == nil && dump(set) != want {
			t.Errorf("%s: got %v, %v, want %s", body, set, err, want)
		}
	}
}
