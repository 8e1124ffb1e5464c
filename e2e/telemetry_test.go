package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/internal/spectest"
)

// The body is what counts, not what a client calls it: curl sends a form type by default.
func TestTelemetryArrivesWhateverItsContentType(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	id, token := admin.device("types")
	nobody := &client{t: t, url: s.url}
	types := []string{"", "application/x-www-form-urlencoded", "text/plain", "application/json", "application/json; charset=utf-8"}
	for i, contentType := range types {
		for j, path := range []string{"/api/v1/" + token + "/telemetry", "/api/plugins/telemetry/DEVICE/" + id + "/timeseries/ANY"} {
			c := nobody
			if j == 1 {
				c = admin
			}
			ts := 1700000000000 + int64(10*i+j)
			// 2^53+1 is the first integer a float64 cannot hold.
			body := fmt.Sprintf(`{"ts":%d,"values":{"big":9007199254740993,"least":-9223372036854775808,"f":0.1,"j":{"a":[1,2.50]}}}`, ts)
			if status, text := c.do(http.MethodPost, path, contentType, body); status != http.StatusOK || text != "" {
				t.Fatalf("%s with %q = %d %s", path, contentType, status, text)
			}
			got := admin.series(id, fmt.Sprintf("keys=big,least,f,j&startTs=%d&endTs=%d&useStrictDataTypes=true", ts, ts+1))
			for key, want := range map[string]string{"big": "9007199254740993", "least": "-9223372036854775808", "f": "0.1", "j": `{"a":[1,2.50]}`} {
				if len(got[key]) != 1 || string(got[key][0].Value) != want {
					t.Errorf("%s with %q: %s = %v, want %s", path, contentType, key, got[key], want)
				}
			}
		}
	}
}

// One point, posted by a device, is at once the latest, in the history and at a subscriber.
func TestAPointIsReadableAndPushedOnceAcknowledged(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	id, token := admin.device("live")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, door := range []struct{ path, hello string }{
		{"/api/ws", fmt.Sprintf(`{"authCmd":{"cmdId":0,"token":%q},"cmds":[{"type":"TIMESERIES","cmdId":7,"entityType":"DEVICE","entityId":%q,"scope":"LATEST_TELEMETRY"}]}`, admin.token, id)},
		{"/api/ws/plugins/telemetry?token=" + admin.token, fmt.Sprintf(`{"tsSubCmds":[{"cmdId":7,"entityType":"DEVICE","entityId":%q,"scope":"LATEST_TELEMETRY"}]}`, id)},
	} {
		conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+door.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Write(ctx, websocket.MessageText, []byte(door.hello)); err != nil {
			t.Fatal(err)
		}
		read := func() map[string][][2]json.RawMessage {
			t.Helper()
			_, b, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			spectest.Frame(t, b)
			var frame struct {
				SubscriptionID, ErrorCode int
				Data                      map[string][][2]json.RawMessage
			}
			if err := json.Unmarshal(b, &frame); err != nil || frame.SubscriptionID != 7 || frame.ErrorCode != 0 {
				t.Fatalf("frame %s: %v", b, err)
			}
			return frame.Data
		}
		read() // what was there before
		for n := range 3 {
			body := fmt.Sprintf(`{"temperature":%d.5}`, n)
			if status, text := (&client{t: t, url: s.url}).do(http.MethodPost, "/api/v1/"+token+"/telemetry", "", body); status != http.StatusOK {
				t.Fatalf("post = %d %s", status, text)
			}
			want := fmt.Sprintf("%d.5", n)
			latest := admin.series(id, "keys=temperature&useStrictDataTypes=true")["temperature"]
			if len(latest) != 1 || string(latest[0].Value) != want {
				t.Fatalf("latest = %v, want %s", latest, want)
			}
			history := admin.series(id, fmt.Sprintf("keys=temperature&startTs=%d&endTs=%d&limit=1&useStrictDataTypes=true", latest[0].TS, latest[0].TS+1))["temperature"]
			if len(history) != 1 || string(history[0].Value) != want {
				t.Fatalf("history = %v, want %s", history, want)
			}
			if pushed := read()["temperature"]; len(pushed) != 1 || string(pushed[0][1]) != `"`+want+`"` || string(pushed[0][0]) != fmt.Sprint(latest[0].TS) {
				t.Fatalf("pushed %s, want %s at %d", pushed, want, latest[0].TS)
			}
		}
		if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStopClosesSocketsWithServiceRestart(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/api/ws/plugins/telemetry?token="+admin.token, nil)
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan int)
	go func() { stopped <- s.stop() }()
	_, _, err = conn.Read(ctx)
	if code := websocket.CloseStatus(err); code != websocket.StatusServiceRestart {
		t.Errorf("close code %d (%v), want 1012", code, err)
	}
	if code := <-stopped; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The first device is the machine itself, and its figures move.
func TestTheMachineIsALiveDevice(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, _, _ := s.demoAdmin()
	var page struct {
		Data []struct {
			ID   struct{ ID string }
			Name string
		}
	}
	admin.json(http.MethodGet, "/api/tenant/deviceInfos?pageSize=100&page=0", "", &page)
	var id string
	for _, d := range page.Data {
		if d.Name == "This machine" {
			id = d.ID.ID
		}
	}
	if id == "" {
		t.Fatalf("no device is called This machine: %+v", page)
	}
	s.until("two readings of the machine", func() bool {
		got := admin.series(id, "keys=memory_used_bytes,cpu_percent&startTs=0&endTs=9000000000000&useStrictDataTypes=true")
		return len(got["memory_used_bytes"]) >= 2 && len(got["cpu_percent"]) >= 2
	})
}

func TestWithoutDemoTheServerStartsEmptyAndOffersOneSetupLink(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	link := s.await(`set up\s+(http://\S+/\S+)`)[1]
	if strings.Contains(s.text(), "password ") {
		t.Errorf("a password was printed:\n%s", s.text())
	}
	if !strings.HasPrefix(link, s.url+"/") {
		t.Errorf("the link %s does not lead to %s", link, s.url)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 200, "/api/tenant/devices?pageSize=1&page=0": 401, "/api/nothing": 404} {
		if status, text := (&client{t: t, url: s.url}).do(http.MethodGet, path, "", ""); status != want {
			t.Errorf("GET %s = %d, want %d: %s", path, status, want, text)
		}
	}
}
