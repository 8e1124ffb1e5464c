package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// What was acknowledged before a kill -9 is there after it; that the directory is sound
// is the judgment of another process.
func TestAcknowledgedPointsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, user, password := s.demoAdmin()

	const writers, enough = 4, 400
	const base = 1700000000000
	var acknowledged [writers]atomic.Int64
	var total atomic.Int64
	ids := make([]string, writers)
	struck := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		id, token := admin.device(fmt.Sprintf("writer %d", w))
		ids[w] = id
		wg.Go(func() {
			for n := int64(0); ; n++ {
				body := fmt.Sprintf(`{"ts":%d,"values":{"n":%d,"even":%t}}`, base+n, n, n%2 == 0)
				res, err := http.Post(s.url+"/api/v1/"+token+"/telemetry", "application/json", strings.NewReader(body))
				if err != nil {
					return // the server is gone
				}
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("writer %d: status %d", w, res.StatusCode)
					return
				}
				acknowledged[w].Store(n + 1)
				if total.Add(1) == enough {
					close(struck)
				}
			}
		})
	}
	<-struck
	s.kill()
	wg.Wait()

	s = start(t, dir)
	admin = s.login(user, password)
	for w, id := range ids {
		want := acknowledged[w].Load()
		got := admin.series(id, fmt.Sprintf("keys=n,even&startTs=%d&endTs=%d&limit=1000000&orderBy=ASC&useStrictDataTypes=true", base, base+1_000_000_000))
		// One more may be on disk than was acknowledged: the answer was on its way.
		if n := int64(len(got["n"])); n < want || n > want+1 || len(got["even"]) != len(got["n"]) {
			t.Errorf("writer %d: %d points of n and %d of even, %d were acknowledged", w, n, len(got["even"]), want)
		}
		for i, p := range got["n"] {
			if p.TS != base+int64(i) || string(p.Value) != strconv.Itoa(i) {
				t.Fatalf("writer %d: point %d is %d %s", w, i, p.TS, p.Value)
			}
		}
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d after an orderly stop", code)
	}
	if code, out := run(t, nil, "check", "--data", dir); code != 0 {
		t.Errorf("check = %d:\n%s", code, out)
	}
}

func TestASecondProcessOnTheDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	second := launch(t, dir)
	<-second.done
	if code := second.cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit code %d, want 5", code)
	}
	if text := second.text(); !strings.Contains(text, "another process") || !strings.Contains(text, dir) {
		t.Errorf("the refusal does not name the directory and the reason:\n%s", text)
	}
	if code, out := run(t, nil, "check", "--data", dir); code != 5 || !strings.Contains(out, "another process") {
		t.Errorf("check beside a running server = %d:\n%s", code, out)
	}
}

// A stop leaves one small row group a group at the most, so nothing is left to be joined.
func TestACleanStopLeavesAtMostOneUnsealedRowGroup(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	s.await(`weather records are loaded`)
	if code := s.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	code, out := run(t, nil, "check", "--data", dir)
	if code != 0 {
		t.Fatalf("check = %d:\n%s", code, out)
	}
	number := func(name string) int {
		m := regexp.MustCompile(name + `\s+(\d+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no %q in the report:\n%s", name, out)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if groups, rowGroups, most := number("groups"), number("row groups"), number("most unsealed in a group"); groups < 4 || rowGroups < groups || most > 1 {
		t.Errorf("%d groups, %d row groups, at most %d unsealed in one:\n%s", groups, rowGroups, most, out)
	}
	for _, name := range []string{"columns", "steps", "pages", "points"} {
		number(name)
	}
}
