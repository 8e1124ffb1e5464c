package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// What was acknowledged before a kill -9 is there after it, again and again on the same
// directory; that the directory is sound is the judgment of another process. A soak sets
// TIDEWIRE_KILLS to ten times how often.
func TestAcknowledgedPointsSurviveKills(t *testing.T) {
	kills := 3
	if s := os.Getenv("TIDEWIRE_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil || kills < 1 {
			t.Fatalf("TIDEWIRE_KILLS=%q is not a number of kills", s)
		}
		kills = max(3, kills/10) // those of the rehearsal come on top
	}
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, user, password := s.demoAdmin()
	const writers = 4
	crew := make([]*writer, writers)
	for w := range crew {
		crew[w] = &writer{t: t}
		crew[w].id, crew[w].token = admin.device(fmt.Sprintf("writer %d", w))
	}
	rng := rand.New(rand.NewPCG(1, uint64(kills)))
	var total int64
	for range kills {
		var wg sync.WaitGroup
		enough, reached := int64(50+rng.IntN(1500)), make(chan struct{})
		var acknowledged atomic.Int64
		for _, w := range crew {
			wg.Go(func() {
				w.write(s.url, func() {
					if acknowledged.Add(1) == enough {
						close(reached)
					}
				})
			})
		}
		<-reached
		s.kill()
		wg.Wait()
		s = start(t, dir)
		admin = s.login(user, password)
		for _, w := range crew {
			total += w.check(admin)
		}
	}
	t.Logf("%d kills struck, %d points checked", kills, total)
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d after an orderly stop", code)
	}
	if code, out := run(t, nil, "check", "--data", dir); code != 0 {
		t.Errorf("check = %d:\n%s", code, out)
	}
}

// A writer is a device that sends one row after the other, and remembers what it was told.
type writer struct {
	t         *testing.T
	id, token string
	confirmed int64 // rows acknowledged
	found     int64 // rows seen after the last kill
}

// writerBase is the timestamp of a writer's first row, writerEnd behind the last one, ms.
const (
	writerBase = 1700000000000
	writerEnd  = writerBase + 1_000_000_000
)

// write sends rows until the server is gone.
func (w *writer) write(url string, acknowledged func()) {
	for {
		n := w.confirmed
		body := fmt.Sprintf(`{"ts":%d,"values":{"n":%d,"even":%t}}`, writerBase+n, n, n%2 == 0)
		res, err := watched(w.t, nil).Post(url+"/api/v1/"+w.token+"/telemetry", "application/json", strings.NewReader(body))
		if err != nil {
			return
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			w.t.Errorf("status %d", res.StatusCode)
			return
		}
		w.confirmed++
		acknowledged()
	}
}

// check reads what is new since the last kill, counts the rest, and returns how many points it
// read. One more row may be on disk than was acknowledged: the answer was on its way.
func (w *writer) check(c *client) (points int64) {
	w.t.Helper()
	found := w.found
	n := w.rowsFrom(c, found)
	if n < w.confirmed || n > w.confirmed+1 {
		w.t.Fatalf("%d rows, %d were acknowledged", n, w.confirmed)
	}
	counts := c.series(w.id, fmt.Sprintf("keys=n,even&startTs=%d&endTs=%d&agg=COUNT&interval=%d", writerBase, writerEnd, writerEnd-writerBase))
	for _, key := range []string{"n", "even"} {
		if len(counts[key]) != 1 || strings.Trim(string(counts[key][0].Value), `"`) != strconv.FormatInt(n, 10) {
			w.t.Fatalf("%d rows are counted as %v of %s", n, counts[key], key)
		}
	}
	w.confirmed, w.found = n, n
	return 2 * (n - found)
}

// rows reads everything back and returns how many rows there are, from the first one on.
func (w *writer) rows(c *client) int64 {
	w.t.Helper()
	return w.rowsFrom(c, 0)
}

// rowsFrom reads the rows from one on and returns how many there are with those before it.
func (w *writer) rowsFrom(c *client, from int64) int64 {
	w.t.Helper()
	got := c.series(w.id, fmt.Sprintf("keys=n,even&startTs=%d&endTs=%d&limit=10000000&orderBy=ASC&useStrictDataTypes=true", writerBase+from, writerEnd))
	if len(got["even"]) != len(got["n"]) {
		w.t.Fatalf("%d points of n and %d of even", len(got["n"]), len(got["even"]))
	}
	for i, p := range got["n"] {
		row := from + int64(i)
		if p.TS != writerBase+row || string(p.Value) != strconv.FormatInt(row, 10) || string(got["even"][i].Value) != strconv.FormatBool(row%2 == 0) {
			w.t.Fatalf("row %d is %d %s %s", row, p.TS, p.Value, got["even"][i].Value)
		}
	}
	return from + int64(len(got["n"]))
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
