package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// The commands of README.md and docs/operations.md, on a server that goes on taking points:
// every point acknowledged before a backup was asked for is in it, with the devices and the
// users, and what is restored is a history of its own.
func TestABackupOfARunningServerHoldsWhatWasAcknowledged(t *testing.T) {
	root := t.TempDir()
	data, set := filepath.Join(root, "data"), filepath.Join(root, "backups")
	s := start(t, data)
	token := s.await(`setup\?token=(\S+)`)[1]
	const password = "correct horse battery"
	(&client{t: t, url: s.url}).json(http.MethodPost, "/api/noauth/setup", fmt.Sprintf(`{"token":%q,"tenantTitle":"Waterworks",
		"admin":{"email":"ada@example.org","password":%q},"systemAdmin":{"email":"root@example.org","password":%q}}`, token, password, password), nil)
	admin := s.login("ada@example.org", password)
	crew := make([]*writer, 3)
	for i := range crew {
		crew[i] = &writer{t: t}
		crew[i].id, crew[i].token = admin.device(fmt.Sprintf("writer %d", i))
	}
	if code := post(t, s.url, crew[0].token, `{"ts":1600000000000,"values":{"kept":true}}`); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	if code := s.stop(); code != 0 { // into tables, for the second backup to share
		t.Fatalf("exit code %d", code)
	}

	s = start(t, data, "--backup-dir", set)
	acked := make([]atomic.Int64, len(crew))
	var writers sync.WaitGroup
	for i, w := range crew {
		writers.Go(func() { w.write(s.url, func() { acked[i].Add(1) }) })
	}
	// backUp asks for a backup when each writer has written some more, and returns where it
	// is, how much of each writer is in it at the least, and what it shares.
	backUp := func() (at string, least []int64, shared int64) {
		t.Helper()
		for i := range acked {
			from := acked[i].Load()
			s.until("points are written", func() bool { return acked[i].Load() >= from+30 })
		}
		for i := range acked {
			least = append(least, acked[i].Load())
		}
		code, out := run(t, []string{"TIDEWIRE_USERNAME=root@example.org", "TIDEWIRE_PASSWORD=" + password},
			"backup", "--to", set, "--server", s.url)
		m := regexp.MustCompile(`(?m)^(\S+): position \d+, \d+ files, \d+ bytes copied, (\d+) shared`).FindStringSubmatch(out)
		if code != 0 || m == nil {
			t.Fatalf("backup = %d:\n%s", code, out)
		}
		if code, out := run(t, nil, "check", m[1]); code != 0 {
			t.Fatalf("check of the backup = %d:\n%s", code, out)
		}
		shared, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return m[1], least, shared
	}
	first, atFirst, alone := backUp()
	second, atSecond, shared := backUp()
	if alone != 0 || shared == 0 {
		t.Errorf("the first backup shares %d bytes, the second one %d", alone, shared)
	}
	s.kill()
	writers.Wait()

	points := int64(0)
	restore := func(from, name string, least []int64) string {
		t.Helper()
		to := filepath.Join(root, name)
		if code, out := run(t, nil, "restore", "--from", from, "--data", to); code != 0 {
			t.Fatalf("restore = %d:\n%s", code, out)
		}
		s := start(t, to)
		admin := s.login("ada@example.org", password)
		s.login("root@example.org", password)
		for i, w := range crew {
			if id, token := admin.device(fmt.Sprintf("writer %d", i)); id != w.id || token != w.token {
				t.Errorf("device %d is %s with token %s, it was %s with %s", i, id, token, w.id, w.token)
			}
			n := w.rows(admin)
			if n < least[i] || n > acked[i].Load()+1 {
				t.Errorf("%d rows of writer %d, %d were acknowledged before the backup, %d at last", n, i, least[i], acked[i].Load())
			}
			points += 2 * n
			if code := post(t, s.url, w.token, fmt.Sprintf(`{"ts":%d,"values":{"n":%d,"even":%t}}`, writerBase+n, n, n%2 == 0)); code != http.StatusOK {
				t.Errorf("a write after the restore: status %d", code)
			}
			if more := w.rows(admin); more != n+1 {
				t.Errorf("%d rows after %d and one more", more, n)
			}
		}
		if got := admin.series(crew[0].id, "keys=kept&startTs=1600000000000&endTs=1600000000001&useStrictDataTypes=true"); len(got["kept"]) != 1 {
			t.Errorf("what stood in tables before: %v", got)
		}
		if code := s.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if code, out := run(t, nil, "check", to); code != 0 {
			t.Errorf("check of what was restored = %d:\n%s", code, out)
		}
		return to
	}
	two := restore(second, "second", atSecond)
	if err := os.RemoveAll(second); err != nil {
		t.Fatal(err)
	}
	restore(first, "first", atFirst) // harmed by nothing that happened to the second
	t.Logf("%d points restored", points)

	// A stopped server is backed up by the same command; its epoch tells the histories apart.
	code, out := run(t, nil, "backup", "--to", filepath.Join(root, "stopped"), "--data", two)
	m := regexp.MustCompile(`(?m)^(\S+): position`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("backup of a stopped server = %d:\n%s", code, out)
	}
	if before, after := epochOf(t, first), epochOf(t, m[1]); before == after || after == "" {
		t.Errorf("epoch %q after %q", after, before)
	}
	if code, out := run(t, nil, "restore", "--from", first, "--data", two); code != 1 {
		t.Errorf("restore over a directory = %d:\n%s", code, out)
	}
}

// epochOf reads the epoch in the manifest of a backup.
func epochOf(t *testing.T, backup string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(backup, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Epoch string }
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m.Epoch
}

// Who may not back up is told so, and so is who asks for it where the server does not write.
func TestABackupIsForSystemAdministratorsOfServersThatAllowIt(t *testing.T) {
	s := start(t, t.TempDir(), "--demo", "--backup-dir", filepath.Join(t.TempDir(), "backups"))
	_, user, password := s.demoAdmin()
	to := t.TempDir()
	who := []string{"TIDEWIRE_USERNAME=" + user, "TIDEWIRE_PASSWORD=" + password}
	if code, out := run(t, who, "backup", "--to", to, "--server", s.url); code != 1 || !regexp.MustCompile(`permission.*403`).MatchString(out) {
		t.Errorf("backup as a tenant's administrator = %d:\n%s", code, out)
	}
	if code, out := run(t, nil, "backup", "--to", to, "--server", s.url); code != 2 || !regexp.MustCompile(`TIDEWIRE_USERNAME`).MatchString(out) {
		t.Errorf("backup as nobody = %d:\n%s", code, out)
	}
	if code, out := run(t, nil, "backup", "--to", to, "--data", s.dir); code != 5 || !regexp.MustCompile(`--server`).MatchString(out) {
		t.Errorf("backup beside a running server = %d:\n%s", code, out)
	}
}
