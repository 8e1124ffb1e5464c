package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidewire/tidewire/tsdb"
)

// A rehearsal is a directory on which one process after the other dies while eight writers
// send rows. What the writers were told stands in a file that the victim has no part in; who
// judges reads that file, and asks another process that was not built for dying.
type rehearsal struct {
	*testing.T
	victim   string // the program that kills itself where TIDEWIRE_KILL says
	dir      string
	ledger   *os.File
	writing  sync.Mutex // of the ledger
	admin    *client
	crew     []*diarist
	rng      *rand.Rand
	checked  int64  // points
	restored int    // backups
	backup   string // the last that was restored
}

// A diarist is a device that sends rows and writes down what was acknowledged.
type diarist struct {
	*rehearsal
	number    int
	id, token string
	next      int64 // the row to be sent next
	confirmed int64 // what the judge knows: rows there are
	deletes   bool
}

// A line of the ledger says what a writer was told: rows up to N are there, or rows up to N
// are deleted.
type line struct {
	Writer  int
	Rows    int64
	Deleted int64
	Begun   int64 // a delete up to here was asked for
	Judged  bool  // it is known what became of it
	At      int64 // ms, after it was told
}

const rowsPerRequest = 25

func newRehearsal(t *testing.T, seed uint64) *rehearsal {
	r := &rehearsal{T: t, dir: filepath.Join(t.TempDir(), "data"), rng: rand.New(rand.NewPCG(seed, 9))}
	r.victim = filepath.Join(t.TempDir(), "tidewire-kill")
	build := exec.Command("go", "build", "-tags", "kill", "-o", r.victim, "../cmd/tidewire")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.ledger, err = os.Create(filepath.Join(t.TempDir(), "ledger")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.ledger.Close() })
	s := start(t, r.dir, "--demo")
	r.admin, _, _ = s.demoAdmin()
	for n := range 8 {
		d := &diarist{rehearsal: r, number: n, deletes: n >= 6}
		d.id, d.token = r.admin.device(fmt.Sprintf("diarist %d", n))
		r.crew = append(r.crew, d)
	}
	if code := s.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return r
}

func (r *rehearsal) note(l line) {
	l.At = time.Now().UnixMilli()
	b, err := json.Marshal(l)
	if err != nil {
		r.Error(err)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if _, err := r.ledger.Write(append(b, '\n')); err != nil {
		r.Error(err)
	}
}

// die runs a victim that kills itself the n-th time it passes a moment, or that is killed
// after so many requests when moment is empty. It reports whether the moment was struck.
func (r *rehearsal) die(moment tsdb.Moment, n int, requests int64) (struck bool) {
	r.Helper()
	var env []string
	if moment != "" {
		env = []string{fmt.Sprintf("TIDEWIRE_KILL=%s:%d", moment, n)}
	}
	s := launchProgram(r.T, r.victim, env, r.dir)
	opened := make(chan string, 1)
	go func() { opened <- s.openedOr() }()
	if url := <-opened; url != "" {
		var acknowledged atomic.Int64
		enough := make(chan struct{})
		var crew sync.WaitGroup
		for _, d := range r.crew {
			crew.Go(func() {
				d.write(url, r.admin.token, func() {
					if acknowledged.Add(1) == requests {
						close(enough)
					}
				})
			})
		}
		select {
		case <-s.done:
		case <-enough: // at random, or because the moment does not come by itself
			if moment == tsdb.AtClose {
				_ = s.cmd.Process.Signal(syscall.SIGTERM)
				<-s.done
			} else {
				s.kill()
			}
		}
		<-s.done
		crew.Wait()
		status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() {
			r.Fatalf("the victim of %q ended by itself:\n%s", moment, s.text())
		}
		return moment == "" || acknowledged.Load() < requests || moment == tsdb.AtClose
	}
	<-s.done
	status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		r.Fatalf("the victim of %q did not start:\n%s", moment, s.text())
	}
	return true
}

// openedOr waits until the server is ready and returns its address, or "" when it ended.
func (s *server) openedOr() string {
	for {
		if _, url, ok := strings.Cut(s.text(), "open"); ok {
			if fields := strings.Fields(url); len(fields) > 0 && strings.HasPrefix(fields[0], "http://") {
				return fields[0]
			}
		}
		if s.wait(pollEvery) {
			return ""
		}
	}
}

// write sends rows, and deletes old ones, until the server is gone.
func (d *diarist) write(url, admin string, acknowledged func()) {
	for round := 1; ; round++ {
		var body strings.Builder
		for i := range int64(rowsPerRequest) {
			n := d.next + i
			fmt.Fprintf(&body, `,{"ts":%d,"values":{"n":%d,"even":%t,"text":"row %d"}}`, writerBase+n*1000, n, n%2 == 0, n%7)
		}
		res, err := watched(d.T, nil).Post(url+"/api/v1/"+d.token+"/telemetry", "application/json", strings.NewReader("["+body.String()[1:]+"]"))
		if err != nil || d.answer(res) != http.StatusOK {
			return
		}
		d.next += rowsPerRequest
		d.note(line{Writer: d.number, Rows: d.next})
		acknowledged()
		if !d.deletes || round%6 != 0 {
			continue
		}
		upto := d.next - 2*rowsPerRequest
		d.note(line{Writer: d.number, Begun: upto})
		req, err := http.NewRequest(http.MethodDelete, fmt.Sprintf("%s/api/plugins/telemetry/DEVICE/%s/timeseries/delete?keys=n,even,text&startTs=%d&endTs=%d",
			url, d.id, writerBase, writerBase+upto*1000), nil)
		if err != nil {
			d.Error(err)
			return
		}
		req.Header.Set("X-Authorization", "Bearer "+admin)
		if res, err = watched(d.T, nil).Do(req); err != nil || d.answer(res) != http.StatusOK {
			return
		}
		d.note(line{Writer: d.number, Deleted: upto})
		acknowledged()
	}
}

// answer takes the answer apart. One that is no success is a fault, one cut off is none.
func (d *diarist) answer(res *http.Response) int {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		d.Errorf("writer %d: status %d %s", d.number, res.StatusCode, body)
	}
	return res.StatusCode
}

// judge has another process open the directory, compares what it answers with the ledger, and
// checks the directory when it has stopped.
func (r *rehearsal) judge(what string, check bool) {
	r.Helper()
	told := r.readLedger(math.MaxInt64)
	s := start(r.T, r.dir)
	r.admin.url = s.url
	for i, d := range r.crew {
		d.compare(what, told[i])
	}
	if !check {
		s.kill()
		return
	}
	if code := s.stop(); code != 0 {
		r.Errorf("%s: exit code %d after an orderly stop", what, code)
	}
	if code, out := run(r.T, nil, "check", "--data", r.dir); code != 0 {
		r.Fatalf("%s: check = %d:\n%s", what, code, out)
	}
	r.judgeBackups(what)
}

// judgeBackups restores the newest backup that was finished, compares it with the ledger and
// checks it.
func (r *rehearsal) judgeBackups(what string) {
	r.Helper()
	dir := filepath.Join(filepath.Dir(r.dir), "backups")
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if strings.HasPrefix(entries[i].Name(), ".") {
			continue // it was not finished
		}
		if entries[i].Name() == r.backup {
			return // it was judged
		}
		r.backup = entries[i].Name()
		to := filepath.Join(r.TempDir(), "restored")
		if code, out := run(r.T, nil, "restore", "--from", filepath.Join(dir, r.backup), "--data", to); code != 0 {
			r.Fatalf("%s: restore = %d:\n%s", what, code, out)
		}
		r.compareBackup(what, filepath.Join(dir, r.backup, "manifest.json"), to)
		if code, out := run(r.T, nil, "check", "--data", to); code != 0 {
			r.Fatalf("%s: check of what was restored = %d:\n%s", what, code, out)
		}
		r.restored++
		if err := os.RemoveAll(to); err != nil {
			r.Fatal(err)
		}
		return
	}
}

// compareBackup holds what was restored from a backup against the ledger: every row that was
// acknowledged before it began is there, in whole requests, and no row that was deleted before.
func (r *rehearsal) compareBackup(what, manifest, restored string) {
	r.Helper()
	var m struct{ Created time.Time }
	if b, err := os.ReadFile(manifest); err != nil || json.Unmarshal(b, &m) != nil || m.Created.IsZero() {
		r.Fatalf("%s: %s: %v", what, b, err)
	}
	before, now := r.readLedger(m.Created.UnixMilli()), r.readLedger(math.MaxInt64)
	s := start(r.T, restored)
	r.admin.url = s.url
	for i, d := range r.crew {
		rows := r.admin.series(d.id, fmt.Sprintf("keys=n&startTs=%d&endTs=%d&limit=10000000&orderBy=ASC&useStrictDataTypes=true",
			writerBase, writerBase+1_000_000_000_000))["n"]
		first, there := int64(0), int64(0)
		if len(rows) > 0 {
			first = (rows[0].TS - writerBase) / 1000
			there = (rows[len(rows)-1].TS-writerBase)/1000 + 1
		}
		if there < before[i].Rows || there > now[i].Rows || there%rowsPerRequest != 0 {
			r.Fatalf("%s: the backup has rows of writer %d up to %d; %d were acknowledged before, %d until now", what, i, there, before[i].Rows, now[i].Rows)
		}
		if first < before[i].Deleted || first > max(now[i].Deleted, now[i].Begun) {
			r.Fatalf("%s: the backup has rows of writer %d from %d on; those before %d were deleted before, those before %d until now",
				what, i, first, before[i].Deleted, max(now[i].Deleted, now[i].Begun))
		}
		for k, p := range rows {
			if n := first + int64(k); p.TS != writerBase+n*1000 || string(p.Value) != strconv.FormatInt(n, 10) {
				r.Fatalf("%s: in the backup row %d of writer %d is %d %s", what, n, i, p.TS, p.Value)
			}
		}
		r.checked += int64(len(rows))
	}
	if code := s.stop(); code != 0 {
		r.Errorf("%s: exit code %d after an orderly stop of what was restored", what, code)
	}
}

// readLedger returns the greatest numbers told to each writer before an instant, ms.
func (r *rehearsal) readLedger(before int64) []line {
	told := make([]line, len(r.crew))
	f, err := os.Open(r.ledger.Name())
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			r.Fatalf("ledger: %v", err)
		}
		if l.At >= before {
			continue
		}
		t := &told[l.Writer]
		t.Rows, t.Deleted, t.Begun = max(t.Rows, l.Rows), max(t.Deleted, l.Deleted), max(t.Begun, l.Begun)
		if l.Judged {
			t.Begun = t.Deleted
		}
	}
	return told
}

// compare reads what the judge has not seen yet, and counts all of it.
func (d *diarist) compare(what string, told line) {
	d.Helper()
	// One request more may be there than was acknowledged, whole: its answer was on the way.
	from := max(d.confirmed-3*rowsPerRequest/2, 0) // within a request: no delete ends there
	got := d.admin.series(d.id, fmt.Sprintf("keys=n,even,text&startTs=%d&endTs=%d&limit=10000000&orderBy=ASC&useStrictDataTypes=true",
		writerBase+from*1000, writerBase+1_000_000_000_000))
	rows := got["n"]
	there := told.Rows
	first := max(from, told.Deleted)
	if len(rows) > 0 {
		first = (rows[0].TS - writerBase) / 1000
		there = (rows[len(rows)-1].TS-writerBase)/1000 + 1
	}
	if there != told.Rows && there != told.Rows+rowsPerRequest {
		d.Fatalf("%s: writer %d has rows up to %d, %d were acknowledged", what, d.number, there, told.Rows)
	}
	if first != max(from, told.Deleted) && first != max(from, told.Begun) {
		d.Fatalf("%s: writer %d has rows from %d on, those before %d are deleted, up to %d asked for", what, d.number, first, told.Deleted, told.Begun)
	}
	for i, p := range rows {
		n := first + int64(i)
		if p.TS != writerBase+n*1000 || string(p.Value) != strconv.FormatInt(n, 10) || string(got["even"][i].Value) != strconv.FormatBool(n%2 == 0) ||
			string(got["text"][i].Value) != fmt.Sprintf(`"row %d"`, n%7) {
			d.Fatalf("%s: writer %d, row %d is %d %s %s %s", what, d.number, n, p.TS, p.Value, got["even"][i].Value, got["text"][i].Value)
		}
	}
	all := d.admin.series(d.id, fmt.Sprintf("keys=n&startTs=%d&endTs=%d&agg=COUNT&interval=%d", writerBase, writerBase+there*1000, there*1000))
	count := int64(0)
	if len(all["n"]) > 0 {
		if _, err := fmt.Sscan(strings.Trim(string(all["n"][0].Value), `"`), &count); err != nil {
			d.Fatal(err)
		}
	}
	deleted := there - count
	if deleted != told.Deleted && deleted != told.Begun || first > from && deleted != first {
		d.Fatalf("%s: writer %d has %d of %d rows, first %d; %d are deleted, %d asked for", what, d.number, count, there, first, told.Deleted, told.Begun)
	}
	d.checked += int64(3 * len(rows))
	d.confirmed, d.next = there, there
	d.note(line{Writer: d.number, Rows: there, Deleted: deleted, Judged: true})
}

// Whatever moment of its work the process is killed at, what was acknowledged is there
// afterwards, what was not is there whole or not at all, and the directory is sound. A soak
// sets TIDEWIRE_KILLS: each moment is struck 30 times, the rest at random.
func TestAcknowledgedPointsSurviveAKillAtEveryMoment(t *testing.T) {
	kills, each := len(tsdb.Moments), 1
	if s := os.Getenv("TIDEWIRE_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil || kills < 1 {
			t.Fatalf("TIDEWIRE_KILLS=%q is not a number of kills", s)
		}
		each = min(30, kills/len(tsdb.Moments))
	}
	r := newRehearsal(t, uint64(kills))
	struck := map[tsdb.Moment]int{}
	done := 0
	for round := range each {
		if each > 1 {
			t.Logf("round %d of %d: %d kills struck so far", round, each, done)
		}
		for _, m := range tsdb.Moments {
			n := 1 + r.rng.IntN(2) // most are rare
			switch m {
			case tsdb.AtClose:
				n = 1
			case tsdb.AtAppend, tsdb.AtSync, tsdb.AtApply, tsdb.AtFreeze, tsdb.AtFlushBatch, tsdb.AtFlushCommitted, tsdb.AtCursor:
				n = 1 + r.rng.IntN(1+min(5*round, 60))
			}
			requests := int64(3000)
			if m == tsdb.AtClose || m == tsdb.AtRecovery && n > 1 {
				requests = 20 + r.rng.Int64N(100)
			}
			if m == tsdb.AtRecovery { // something to recover
				r.die("", 0, 100+r.rng.Int64N(50))
				done++
				r.judge("before a kill in recovery", false)
				r.die("", 0, 20)
			}
			what := fmt.Sprintf("%s, passing %d, round %d", m, n, round)
			met := r.die(m, n, requests)
			for tries := 0; !met && tries < 20; tries++ { // killed otherwise, which is judged too
				done++
				r.judge(what+", which was not met", false)
				met = r.die(m, 1, requests)
			}
			if met {
				struck[m]++
			}
			done++
			r.judge(what, round%3 == 0)
		}
	}
	for ; done < kills; done++ {
		r.die("", 0, 1+r.rng.Int64N(600))
		r.judge(fmt.Sprint("kill ", done), done%10 == 0)
		if done%50 == 0 {
			t.Logf("%d kills struck so far", done)
		}
	}
	r.judge("at last", true)
	for _, m := range tsdb.Moments {
		if struck[m] < each {
			t.Errorf("the moment %q was struck %d times, %d are demanded", m, struck[m], each)
		}
	}
	t.Logf("%d kills struck, at %d named moments %d times each; %d points checked, %d backups restored", done, len(struck), each, r.checked, r.restored)
}
