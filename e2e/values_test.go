package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Contract thingsboard 4.2: the server's switches for values reach every door.
func TestValuesAreTypedAsTheServerIsTold(t *testing.T) {
	s := start(t, t.TempDir(), "--demo", "--keep-numeric-strings", "--max-string-length", "5")
	admin, _, _ := s.demoAdmin()
	id, token := admin.device("switches")
	entity := "/api/plugins/telemetry/DEVICE/" + id
	nobody := &client{t: t, url: s.url}
	for i, door := range []struct {
		c    *client
		path string
	}{
		{nobody, "/api/v1/" + token + "/telemetry"}, {nobody, "/api/v1/" + token + "/attributes"},
		{admin, entity + "/timeseries/ANY"}, {admin, entity + "/SERVER_SCOPE"},
	} {
		post := func(body string, want int, text string) {
			t.Helper()
			if status, got := door.c.do(http.MethodPost, door.path, "application/json", body); status != want || !strings.Contains(got, text) {
				t.Errorf("%s %s: %d %s, want %d %s", door.path, body, status, got, want, text)
			}
		}
		post(fmt.Sprintf(`{"digits":"0042","text":"fünf!","n":%d}`, i), 200, "")
		post(`{"long":"sechs!"}`, 400, "String value length [6] is greater than maximum allowed [5]")
		post(`{"big":9223372036854775808}`, 400, "Big integer values are not supported!")
	}
	got := admin.series(id, "keys=digits,text,long,big&useStrictDataTypes=true")
	if v := string(got["digits"][0].Value); v != `"0042"` {
		t.Errorf("digits are %s", v)
	}
	if v := string(got["text"][0].Value); v != `"fünf!"` {
		t.Errorf("text is %s", v)
	}
	if v := string(got["long"][0].Value); v != "null" {
		t.Errorf("what was refused is %s", v)
	}
	if _, limits := admin.do(http.MethodGet, "/api/limits", "", ""); !strings.Contains(limits, `"name":"maxStringLength"`) {
		t.Error(limits)
	}
}

// A body of the largest size there is, full of values, is stored; what is beyond a limit that
// GET /api/limits names is refused, and changes nothing.
func TestTheLargestBodyAndTheLargestValue(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	id, _ := admin.device("large")
	path := "/api/plugins/telemetry/DEVICE/" + id + "/timeseries/ANY"
	post := func(path, body string, want int, text string) {
		t.Helper()
		if status, got := admin.do(http.MethodPost, path, "application/json", body); status != want || !strings.Contains(got, text) {
			t.Errorf("%d %.300s, want %d %s", status, got, want, text)
		}
	}
	const most, rows, from = 16 << 20, 100_000, 1_700_000_000_000
	var b strings.Builder
	b.WriteString("[")
	for i := range rows {
		fmt.Fprintf(&b, `{"ts":%d,"values":{"i":%d,"f":%d.25,"s":"%080d"}},`, from+i, i, i, i)
	}
	fmt.Fprintf(&b, `{"ts":%d,"values":{"last":true}}]`, from+rows)
	if b.Len() > most {
		t.Fatalf("%d bytes of values", b.Len())
	}
	body := b.String() + strings.Repeat(" ", most-b.Len())
	post(path, body+" ", http.StatusRequestEntityTooLarge, "Payload size exceeds the limit of 16777216 bytes")
	post(path, body, 200, "")
	counted := admin.series(id, fmt.Sprintf("keys=i,f,s&agg=COUNT&interval=%d&startTs=%d&endTs=%d", 2*rows, from, from+2*rows))
	for _, key := range []string{"i", "f", "s"} {
		if got := counted[key]; len(got) != 1 || string(got[0].Value) != `"`+strconv.Itoa(rows)+`"` {
			t.Errorf("%s: %v", key, got)
		}
	}
	const value = 1 << 20
	post(path, `{"v":"`+strings.Repeat("x", value)+`"}`, 200, "")
	post(path, `{"w":"`+strings.Repeat("x", value+1)+`"}`, http.StatusRequestEntityTooLarge, "Payload size exceeds the limit")
	post(path+"/3155760000", `{"ttl":1}`, 200, "")
	post(path+"/3155760001", `{"none":1}`, 400, "TTL of 3155760001 seconds exceeds the limit of 3155760000")
	if got := admin.series(id, "keys=w,none"); string(got["w"][0].Value) != "null" || string(got["none"][0].Value) != "null" {
		t.Errorf("what was refused is there: %v", got)
	}
	_, limits := admin.do(http.MethodGet, "/api/limits", "", "")
	for _, want := range []string{`"limit":1048576,"name":"maxValueBytes"`, `"limit":3155760000,"name":"maxTimeToLive"`, `"limit":16777216,"name":"maxBodyBytes"`} {
		if !strings.Contains(limits, want) {
			t.Errorf("%s is not in %s", want, limits)
		}
	}
}
