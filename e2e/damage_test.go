package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A byte of the telemetry of a stopped server turns out to be wrong: check finds it and names
// the device, check --repair takes it away and tells what is lost, and the server that starts
// afterwards lists the loss and answers with everything else.
func TestADamagedDirectoryIsRepairedAndTellsWhatItLost(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	token := s.await(`setup\?token=(\S+)`)[1]
	const password = "correct horse battery"
	(&client{t: t, url: s.url}).json(http.MethodPost, "/api/noauth/setup", fmt.Sprintf(`{"token":%q,"tenantTitle":"Waterworks",
		"admin":{"email":"ada@example.org","password":%q},"systemAdmin":{"email":"root@example.org","password":%q}}`, token, password, password), nil)
	id, device := s.login("ada@example.org", password).device("pump")
	const rows = 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	var body strings.Builder
	for i := range rows {
		fmt.Fprintf(&body, `,{"ts":%d,"values":{"n":%v}}`, writerBase+i*1000, rng.NormFloat64()) // does not pack
	}
	if code := post(t, s.url, device, "["+body.String()[1:]+"]"); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	if code := s.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if code, out := run(t, nil, "check", dir); code != 0 {
		t.Fatalf("check = %d:\n%s", code, out)
	}

	flipLargest(t, filepath.Join(dir, "tsdb"))
	if code, out := run(t, nil, "check", dir); code != 4 || !strings.Contains(out, id) {
		t.Fatalf("check of what is damaged = %d:\n%s", code, out)
	}
	code, out := run(t, nil, "check", "--repair", dir)
	if code != 0 || !regexp.MustCompile(`lost: n of entity `+id).MatchString(out) {
		t.Fatalf("repair = %d:\n%s", code, out)
	}
	if code, again := run(t, nil, "check", dir); code != 0 || !strings.Contains(again, "lost: n of entity "+id) {
		t.Errorf("check of what was repaired = %d:\n%s", code, again)
	}

	s = start(t, dir)
	var losses []struct {
		EntityID       string
		Keys           []string
		StartTS, EndTS int64
	}
	s.login("root@example.org", password).json(http.MethodGet, "/api/system/losses", "", &losses)
	admin := s.login("ada@example.org", password)
	if code, text := admin.do(http.MethodGet, "/api/system/losses", "", ""); code != http.StatusForbidden {
		t.Errorf("a tenant's administrator is answered %d %s", code, text)
	}
	if _, text := admin.do(http.MethodGet, "/metrics", "", ""); !strings.Contains(text, fmt.Sprintf("tidewire_store_losses %d\n", len(losses))) {
		t.Errorf("metrics do not count %d losses", len(losses))
	}
	there := map[int64]json.RawMessage{}
	for _, p := range admin.series(id, fmt.Sprintf("keys=n&startTs=%d&endTs=%d&limit=10000000&orderBy=ASC", writerBase, writerBase+rows*1000))["n"] {
		there[p.TS] = p.Value
	}
	told := 0
	for i := range int64(rows) {
		ts := writerBase + i*1000
		lost := false
		for _, l := range losses {
			lost = lost || l.EntityID == id && len(l.Keys) == 1 && l.Keys[0] == "n" && l.StartTS <= ts && ts < l.EndTS
		}
		if _, ok := there[ts]; !ok && !lost {
			t.Fatalf("the row at %d is missing and not told: %v, %d rows are there", ts, losses, len(there))
		}
		if lost {
			told++
		}
	}
	if len(losses) == 0 || len(there) == 0 || len(there) == rows || told == rows {
		t.Errorf("%d losses of %d rows, %d of %d are there", len(losses), told, len(there), rows)
	}
}

// flipLargest flips a bit of the largest table of a store, where row groups are: they come first.
func flipLargest(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	var largest string
	var content []byte
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > len(content) {
			largest, content = name, b
		}
	}
	content[len(content)/4] ^= 0x40
	if err := os.WriteFile(largest, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
