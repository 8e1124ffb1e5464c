package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// post sends a body of telemetry of a device and returns the status.
func post(t *testing.T, url, token, body string) int {
	t.Helper()
	res, err := watched(t, nil).Post(url+"/api/v1/"+token+"/telemetry", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// Below the floor of free space writes are answered 507, reads go on, and it says so.
func TestBelowTheFloorWritesAre507AndReadsGoOn(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, user, password := s.demoAdmin()
	id, token := admin.device("thermometer")
	if code := post(t, s.url, token, `{"ts":1700000000000,"values":{"t":21}}`); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	if code := s.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	s = start(t, dir, "--min-free", fmt.Sprint(int64(1)<<60))
	s.await(`the disk is nearly full`)
	if code := post(t, s.url, token, `{"ts":1700000001000,"values":{"t":22}}`); code != http.StatusInsufficientStorage {
		t.Errorf("status %d, want 507", code)
	}
	got := s.login(user, password).series(id, "keys=t&startTs=1700000000000&endTs=1700000002000")
	if len(got["t"]) != 1 {
		t.Errorf("read %v", got)
	}
}

// When the log cannot be written the process ends with exit code 3, and what it had
// acknowledged is there after the next start.
func TestALogThatCannotBeWrittenEndsTheProcessWithCode3(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, user, password := s.demoAdmin()
	id, token := admin.device("thermometer")
	if code := s.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	limited := filepath.Join(t.TempDir(), "limited") // no file may become larger than 4 MiB
	script := fmt.Sprintf("#!/bin/sh\nulimit -f 8192\nexec %s \"$@\"\n", binary)
	if err := os.WriteFile(limited, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s = launchProgram(t, limited, nil, dir)
	s.url = s.await(`open\s+(http://\S+)`)[1]
	acknowledged := 0
	text := strings.Repeat("x", 100_000)
	for n := range 200 {
		body := fmt.Sprintf(`{"ts":%d,"values":{"n":%d,"text":"%s"}}`, 1700000000000+n, n, text)
		res, err := watched(t, nil).Post(s.url+"/api/v1/"+token+"/telemetry", "application/json", strings.NewReader(body))
		if err != nil {
			break
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			break
		}
		acknowledged++
	}
	<-s.done
	if code := s.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if acknowledged == 0 || acknowledged == 200 {
		t.Errorf("%d rows were acknowledged", acknowledged)
	}
	s = start(t, dir)
	got := s.login(user, password).series(id, "keys=n&startTs=1700000000000&endTs=1700000001000&limit=1000&orderBy=ASC")
	if n := len(got["n"]); n < acknowledged || n > acknowledged+1 {
		t.Errorf("%d rows are there, %d were acknowledged", n, acknowledged)
	}
	t.Logf("the log failed after %d rows", acknowledged)
}
