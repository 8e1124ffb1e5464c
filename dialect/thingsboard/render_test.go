package thingsboard

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

func TestText(t *testing.T) {
	f := func(v model.Value, text, quoted, typed string) {
		t.Helper()
		if got := string(AppendText(nil, v)); got != text {
			t.Errorf("%#v: text %s, want %s", v, got, text)
		}
		if got := string(AppendQuotedText(nil, v)); got != quoted {
			t.Errorf("%#v: quoted %s, want %s", v, got, quoted)
		}
		if got := string(AppendTyped(nil, v)); got != typed {
			t.Errorf("%#v: typed %s, want %s", v, got, typed)
		}
	}
	f(model.Int(42), `42`, `"42"`, `42`)
	f(model.Int(math.MinInt64), `-9223372036854775808`, `"-9223372036854775808"`, `-9223372036854775808`)
	f(model.Bool(true), `true`, `"true"`, `true`)
	f(model.Bool(false), `false`, `"false"`, `false`)
	f(model.Float(42), `42.0`, `"42.0"`, `42.0`)
	f(model.String(`a "b"`), `a "b"`, `"a \"b\""`, `"a \"b\""`)
	f(model.JSON(`{"a":[1]}`), `{"a":[1]}`, `"{\"a\":[1]}"`, `{"a":[1]}`)
	f(model.Null(), ``, `null`, `null`)
	f(model.Value{}, ``, `null`, `null`)
}

func TestFloatTextIsJavas(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := string(appendFloat(nil, v)); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
		if got := string(appendFloat(nil, -v)); got != "-"+want {
			t.Errorf("-%v: got %s, want -%s", v, got, want)
		}
	}
	f(0, "0.0")
	f(1, "1.0")
	f(42, "42.0")
	f(21.5, "21.5")
	f(0.1, "0.1")
	f(0.05, "0.05")
	f(0.0625, "0.0625")
	f(100.25, "100.25")
	f(1234.5678, "1234.5678")
	f(12.34567, "12.34567")
	f(1.0/3, "0.3333333333333333")
	f(0.30000000000000004, "0.30000000000000004")
	f(0.001, "0.001")
	f(0.0010000000000000002, "0.0010000000000000002")
	f(0.0009999999999999998, "9.999999999999998E-4")
	f(0.0001, "1.0E-4")
	f(0.00012345, "1.2345E-4")
	f(9999999, "9999999.0")
	f(9999999.999999998, "9999999.999999998")
	f(10000000, "1.0E7")
	f(12345678, "1.2345678E7")
	f(1e10, "1.0E10")
	f(1.5e300, "1.5E300")
	f(math.MaxFloat64, "1.7976931348623157E308")
	f(math.SmallestNonzeroFloat64, "5.0E-324")
	f(1e23, "1.0E23")
	f(9007199254740993, "9.007199254740992E15")
}

// Every text reads back as the same bits, with the fewest digits that do.
func TestFloatTextRoundTrips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(v float64) {
		t.Helper()
		text := string(appendFloat(nil, v))
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Float64bits(back) != math.Float64bits(v) {
			t.Fatalf("%v became %s", v, text)
		}
		digits := func(s string) string {
			s, _, _ = strings.Cut(strings.ToUpper(s), "E")
			return strings.Trim(strings.ReplaceAll(strings.TrimPrefix(s, "-"), ".", ""), "0")
		}
		if shortest := digits(strconv.FormatFloat(v, 'e', -1, 64)); digits(text) != shortest {
			t.Fatalf("%v became %s, shortest is %s", v, text, shortest)
		}
	}
	for e := -12; e < 26; e++ { // a power of two has neighbors at unequal distances
		v := math.Ldexp(1, e)
		check(v)
		check(math.Nextafter(v, 0))
		check(math.Nextafter(v, 1e9))
	}
	for range 100_000 {
		check(math.Ldexp(1+rng.Float64(), rng.IntN(36)-11))
		check(float64(rng.IntN(1_000_000_000)) / 1e6)
		v := math.Float64frombits(rng.Uint64())
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			check(v)
		}
		check(rng.NormFloat64() * 100)
		check(float64(rng.IntN(2_000_000)-1_000_000) / 100)
		check(float64(rng.IntN(2_000_000_000)-1_000_000_000) / 10000)
		check(float64(rng.IntN(20_000_000)) / 100000)
	}
}

func TestString(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := string(AppendString(nil, s)); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
	f("", `""`)
	f("plain", `"plain"`)
	f(`"\`, `"\"\\"`)
	f("\n\r\t\b\x00\x1f", `"\n\r\t\u0008\u0000\u001f"`)
	f("größe 😀 \u2028 /</", "\"größe 😀 \u2028 /</\"")
	f("a\xffb\xf0\x9f", "\"a\ufffdb\ufffd\ufffd\"")
	f("a\ufffdb", "\"a\ufffdb\"")
}

func at(ts int64, key string, v model.Value) model.KeyPoint {
	return model.KeyPoint{Key: key, Point: model.Point{TS: ts, Value: v}}
}

func TestLatestAnswer(t *testing.T) {
	points := []model.KeyPoint{
		at(1, "h", model.Int(40)), at(2, "o", model.JSON(`{"a":1}`)), at(3, "s", model.String("x")), at(4, "t", model.Float(21.5)),
	}
	f := func(keys []string, strict bool, want string) {
		t.Helper()
		if got := string(AppendLatest(nil, points, keys, now, strict)); got != want {
			t.Errorf("%q: got\n%s, want\n%s", keys, got, want)
		}
	}
	f(nil, false, `{"h":[{"ts":1,"value":"40"}],"o":[{"ts":2,"value":"{\"a\":1}"}],"s":[{"ts":3,"value":"x"}],"t":[{"ts":4,"value":"21.5"}]}`)
	f(nil, true, `{"h":[{"ts":1,"value":40}],"o":[{"ts":2,"value":{"a":1}}],"s":[{"ts":3,"value":"x"}],"t":[{"ts":4,"value":21.5}]}`)
	f([]string{"t", "foo", "h", "t"}, false, `{"t":[{"ts":4,"value":"21.5"}],"foo":[{"ts":1700000123456,"value":null}],"h":[{"ts":1,"value":"40"}]}`)
	f([]string{"foo"}, true, `{"foo":[{"ts":1700000123456,"value":null}]}`)
	f([]string{}, true, `{}`)
}

func TestHistoryAnswer(t *testing.T) {
	var h History
	h.Reset([]byte("head "), false)
	page := []model.Point{{TS: 3, Value: model.Float(3)}, {TS: 2, Value: model.Int(2)}}
	if err := h.Points("a", page); err != nil {
		t.Fatal(err)
	}
	h.Points("a", []model.Point{{TS: 1, Value: model.Bool(true)}})
	h.Points("empty", nil)
	h.Points("b \"q\"", page[:1])
	want := `head {"a":[{"ts":3,"value":"3.0"},{"ts":2,"value":"2"},{"ts":1,"value":"true"}],"b \"q\"":[{"ts":3,"value":"3.0"}]}`
	if got := string(h.Finish()); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}

	// sent away in pieces
	var sent []byte
	h.Reset(nil, true)
	for range 3 {
		h.Points("a", page)
		sent = append(sent, h.Buf...)
		h.Buf = h.Buf[:0]
	}
	sent = append(sent, h.Finish()...)
	one := `{"ts":3,"value":3.0},{"ts":2,"value":2}`
	if want := `{"a":[` + one + `,` + one + `,` + one + `]}`; string(sent) != want {
		t.Errorf("got\n%s, want\n%s", sent, want)
	}

	h.Reset(h.Buf[:0], false)
	if got := string(h.Finish()); got != `{}` {
		t.Errorf("without data: %s", got)
	}
}

// The text of a timestamp is mostly taken from the one before.
func TestHistoryTimestamps(t *testing.T) {
	var times []int64
	for _, ts := range []int64{0, 1, 9, 10, 999_999, 1_000_000, 1_000_001, 1_999_999, 2_000_000, 99_999_999, 100_000_000,
		1700000000000, 1699999999999, 1700000999999, 1700001000000, 9999999999999, 10000000000000, math.MaxInt64, math.MinInt64} {
		times = append(times, ts, -ts, ts, ts+1, ts)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		times = append(times, times[rng.IntN(90)]+rng.Int64N(3)-1)
	}
	for _, strict := range []bool{false, true} {
		var h History
		h.Reset(nil, strict)
		want := []byte(`{"t":[`)
		for i, ts := range times {
			p := []model.Point{{TS: ts, Value: model.Int(7)}}
			h.Points("t", p)
			if i > 0 {
				want = append(want, ',')
			}
			want = appendPoint(want, p[0], strict)
		}
		if got := string(h.Finish()); got != string(want)+"]}" {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
}

func TestHistoryAnswerOfBuckets(t *testing.T) {
	buckets := []model.Bucket{
		{From: 0, To: 50000, Count: 2, Sum: model.Int(3), Avg: model.Float(1.5), Min: model.Int(1), Max: model.Int(2)},
		{From: 50000, To: 80000, Count: 1, Min: model.String("x"), Max: model.String("x")},
	}
	f := func(a model.Aggregates, want string) {
		t.Helper()
		var h History
		h.Reset(nil, false)
		h.Buckets("t", a, buckets)
		if got := string(h.Finish()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(model.Count, `{"t":[{"ts":25000,"value":"2"},{"ts":65000,"value":"1"}]}`)
	f(model.Avg, `{"t":[{"ts":25000,"value":"1.5"}]}`)
	f(model.Max, `{"t":[{"ts":25000,"value":"2"},{"ts":65000,"value":"x"}]}`)
	var h History
	h.Reset(nil, false)
	h.Buckets("t", model.Sum, buckets[1:])
	if got := string(h.Finish()); got != `{}` {
		t.Errorf("buckets without a result: %s", got)
	}
}

func TestAttributeAnswers(t *testing.T) {
	client := []model.KeyPoint{at(5, "fw", model.String("1.2")), at(6, "o", model.JSON(`{"a":1}`))}
	shared := []model.KeyPoint{at(7, "on", model.Bool(true))}
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
	f(AppendAttributes(nil, client, nil, shared), `[{"lastUpdateTs":5,"key":"fw","value":"1.2"},{"lastUpdateTs":6,"key":"o","value":{"a":1}},{"lastUpdateTs":7,"key":"on","value":true}]`)
	f(AppendAttributes(nil), `[]`)
	f(AppendKeys(nil, []string{"a", `b"`}, []string{"c"}), `["a","b\"","c"]`)
	f(AppendKeys(nil), `[]`)
	f(AppendDeviceAttributes(nil, client, shared), `{"client":{"fw":"1.2","o":{"a":1}},"shared":{"on":true}}`)
	f(AppendDeviceAttributes(nil, client, nil), `{"client":{"fw":"1.2","o":{"a":1}}}`)
	f(AppendDeviceAttributes(nil, nil, shared), `{"shared":{"on":true}}`)
	f(AppendDeviceAttributes(nil, nil, nil), `{}`)
}
