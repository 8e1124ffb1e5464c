package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

// A door is the little of a server that an import needs. It refuses times from the year 2262
// and names with a tag, and is away for the requests numbered in away.
type door struct {
	requests int
	away     map[int]bool
	created  []string
	rows     []string
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.requests++; d.away[d.requests] {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
		return
	}
	refuse := func(status int, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":%d,"message":%q}`, status, message)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(500, err.Error())
		return
	}
	switch {
	case r.URL.Path == "/api/auth/login":
		fmt.Fprint(w, `{"token":"t","refreshToken":"r"}`)
	case r.Header.Get("X-Authorization") != "Bearer t":
		refuse(401, "Authentication failed")
	case r.URL.Path == "/api/tenant/devices":
		refuse(404, "Device is not found")
	case r.URL.Path == "/api/device":
		var device struct{ Name string }
		if err := json.Unmarshal(body, &device); err != nil || strings.Contains(device.Name, "<") {
			refuse(400, "Validation error: name is malformed")
			return
		}
		d.created = append(d.created, device.Name)
		fmt.Fprintf(w, `{"id":{"entityType":"DEVICE","id":%q}}`, device.Name)
	default:
		var rows []struct {
			TS     int64
			Values map[string]any
		}
		if err := json.Unmarshal(body, &rows); err != nil {
			refuse(400, err.Error())
			return
		}
		for _, row := range rows {
			if row.TS >= 9214646400000 {
				refuse(400, "too late")
				return
			}
		}
		for _, row := range rows {
			d.rows = append(d.rows, fmt.Sprint(strings.Split(r.URL.Path, "/")[5], " ", row.TS, " ", row.Values))
		}
	}
}

func (d *door) remote(t *testing.T, waited *[]time.Duration) *Remote {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	r, err := NewRemote(t.Context(), server.URL, Login{"u", "p"}, RemoteOptions{
		Client: server.Client(),
		Wait: func(_ context.Context, pause time.Duration) error {
			*waited = append(*waited, pause)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRowsTheServerRefusesAreLeftOutAndTheOthersKept(t *testing.T) {
	const file = "d,time,a\n" +
		"x,2024-01-01,1\n" +
		"x,9999-12-31,2\n" +
		"<b>,2024-01-01,3\n" +
		"x,2024-01-02,4\n" +
		"y,2024-01-01,\n" +
		"<b>,2024-01-02,5\n" +
		"x,9999-12-31,6\n"
	rd, err := NewReader(strings.NewReader(file), Options{DeviceColumn: "d"})
	if err != nil {
		t.Fatal(err)
	}
	var waited []time.Duration
	server := &door{}
	bad := map[int]string{}
	p, err := Run(t.Context(), rd, server.remote(t, &waited), Job{OnBad: func(e *RowError) { bad[e.Line] = e.Err.Error() }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x 1704067200000 map[a:1]", "x 1704153600000 map[a:4]"}, server.rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	const late, name = "the server answered 400 Bad Request: too late", `find or create device "<b>": the server answered 400 Bad Request: Validation error: name is malformed`
	if diff := cmp.Diff(map[int]string{3: late, 4: name, 7: name, 8: late}, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
	if p.Rows != 3 || p.Bad != 4 || p.Points != 2 || p.Line != 8 {
		t.Errorf("progress = %+v", p)
	}
	if len(waited) != 0 {
		t.Errorf("waited %v for a server that answered", waited)
	}
}

// A file of which nothing is taken is the wrong file, or goes to the wrong place.
func TestAnImportOfWhichNothingIsTakenEnds(t *testing.T) {
	var file strings.Builder
	file.WriteString("time,a\n")
	for i := range 5000 {
		fmt.Fprintf(&file, "9999-12-31,%d\n", i)
	}
	rd, err := NewReader(strings.NewReader(file.String()), Options{Device: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var waited []time.Duration
	p, err := Run(t.Context(), rd, (&door{}).remote(t, &waited), Job{})
	if status, ok := errors.AsType[*StatusError](err); !ok || status.Status != 400 {
		t.Errorf("the error is %v", err)
	}
	if p.Bad > maxRefused || p.Rows != 0 {
		t.Errorf("progress = %+v", p)
	}
}

func TestAServerThatIsAwayIsWaitedForOnceItWasReached(t *testing.T) {
	var waited []time.Duration
	server := &door{away: map[int]bool{4: true, 5: true}}
	r := server.remote(t, &waited)
	set := &model.WriteSet{Keys: []string{"a"}, Rows: []model.Row{{TS: 1, Cells: 1}}, Cells: []model.Cell{{Value: model.Int(1)}}}
	if err := r.Write(t.Context(), "x", set); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{7 * time.Second, 7 * time.Second}, waited); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if len(server.rows) != 1 || len(server.created) != 1 {
		t.Errorf("rows %q, devices %q", server.rows, server.created)
	}

	nobody := httptest.NewServer(nil)
	nobody.Close()
	_, err := NewRemote(t.Context(), nobody.URL, Login{"u", "p"}, RemoteOptions{Wait: func(context.Context, time.Duration) error {
		t.Error("it waits for a server that was never there")
		return errors.New("enough")
	}})
	if err == nil || !strings.Contains(err.Error(), "reach the server") {
		t.Errorf("nobody at the address: %v", err)
	}
}
