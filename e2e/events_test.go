package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/internal/spectest"
)

// events opens a stream of one device as a browser would, and returns what reads its frames and
// the id a browser would send back.
func (s *server) events(ctx context.Context, header http.Header, query, id string) (next func() frame, last *string) {
	s.t.Helper()
	cmds := fmt.Sprintf(`[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q,"keys":"n"}]`, id)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/live?cmds="+url.QueryEscape(cmds)+query, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = header
	got, err := watched(s.t, nil).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { got.Body.Close() })
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" || got.Header.Get("Cache-Control") != "no-store" {
		s.t.Fatalf("GET /api/live = %s %v", got.Status, got.Header)
	}
	lines := bufio.NewReader(got.Body)
	last = new(string)
	return func() (f frame) {
		s.t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				s.t.Fatalf("the stream ended: %v", err)
			}
			switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
			case "id":
				*last = value
			case "data":
				spectest.Frame(s.t, []byte(value))
				if err := json.Unmarshal([]byte(value), &f); err != nil {
					s.t.Fatalf("%s: %v", line, err)
				}
				return f
			}
		}
	}, last
}

type frame struct {
	ErrorCode int
	Data      map[string][][2]any
	Resumed   *int
	Resync    string
}

func (f *frame) n() string {
	if len(f.Data["n"]) != 1 {
		return fmt.Sprintf("%+v", f)
	}
	return fmt.Sprint(f.Data["n"][0][1])
}

// The server is killed, started again and written to; a browser that comes back with the id it
// was told last misses nothing and hears nothing twice.
func TestAStreamOfEventsGoesOnAcrossAKill(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, _, _ := s.demoAdmin()
	id, device := admin.device("events")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := 0
	write := func(count int) {
		for range count {
			if status, text := (&client{t: t, url: s.url}).do(http.MethodPost, "/api/v1/"+device+"/telemetry", "", fmt.Sprintf(`{"n":%d}`, n)); status != http.StatusOK {
				t.Fatalf("post = %d %s", status, text)
			}
			n++
		}
	}
	write(1)
	next, last := s.events(ctx, http.Header{"X-Authorization": {"Bearer " + admin.token}}, "", id)
	heard := 0
	hear := func(f frame) {
		t.Helper()
		if f.n() != strconv.Itoa(heard) {
			t.Fatalf("heard %s, want %d", f.n(), heard)
		}
		heard++
	}
	hear(next())
	write(3)
	hear(next())
	hear(next()) // the third one gets lost
	for range 2 {
		s.kill()
		s = start(t, dir, "--demo")
		write(20)
		next, last = s.events(ctx, http.Header{"Authorization": {"Bearer " + admin.token}, "Last-Event-Id": {*last}}, "", id)
		f := next()
		for ; f.Resumed == nil; f = next() {
			hear(f)
		}
		if heard != n {
			t.Fatalf("told that this was all, heard %d of %d, %+v", heard, n, f)
		}
		write(1)
		hear(next())
	}
}

// Tokens are taken from both headers and, as browsers cannot send any, from the address.
func TestEventsTakeTokensWhereSocketsDo(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	id, _ := admin.device("events")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var program struct{ Token string }
	admin.json(http.MethodPost, "/api/tokens", `{"name":"reads","scopes":["read:telemetry"]}`, &program)
	for _, token := range []string{admin.token, program.Token} {
		for _, x := range []struct {
			header http.Header
			query  string
		}{
			{http.Header{"Authorization": {"Bearer " + token}}, ""},
			{http.Header{"X-Authorization": {"Bearer " + token}}, ""},
			{http.Header{}, "&token=" + token},
		} {
			next, _ := s.events(ctx, x.header, x.query, id)
			if f := next(); f.ErrorCode != 0 {
				t.Errorf("first frame %+v", f)
			}
		}
	}
	for query, want := range map[string]int{"?cmds=[]&token=bad": 401, "?cmds=[]": 401} {
		if status, text := (&client{t: t, url: s.url}).do(http.MethodGet, "/api/live"+query, "", ""); status != want {
			t.Errorf("%s = %d %s", query, status, text)
		}
	}
	if status, text := admin.do(http.MethodGet, "/api/live?cmds=[]", "", ""); status != 400 || !strings.Contains(text, "cmds must hold 1 to 100 commands") {
		t.Errorf("no commands = %d %s", status, text)
	}
}
