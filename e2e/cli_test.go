package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// A shell runs commands against a server as one user or token.
type shell struct {
	t   *testing.T
	env []string
}

// tidewire runs the binary and returns its exit code and what it wrote.
func (s *shell) tidewire(args ...string) (code int, out, errs string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), s.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// prints runs a command that must succeed and returns what it printed.
func (s *shell) prints(args ...string) string {
	s.t.Helper()
	code, out, errs := s.tidewire(args...)
	if code != 0 {
		s.t.Fatalf("tidewire %s = %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// fails runs a command that must fail with a word to the person, and print nothing.
func (s *shell) fails(want string, args ...string) {
	s.t.Helper()
	code, out, errs := s.tidewire(args...)
	if code == 0 || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
		s.t.Errorf("tidewire %s = %d\n%s%s\nwant %q", strings.Join(args, " "), code, out, errs, want)
	}
}

// The commands of the README, as a person types them.
func TestTheCommandLineManagesTokens(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, email, password := s.demoAdmin()
	id, _ := admin.device("pump 7")
	other, _ := admin.device("pump 8")
	person := &shell{t, []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_USERNAME=" + email, "TIDEWIRE_PASSWORD=" + password, "TIDEWIRE_TOKEN="}}

	text := strings.TrimSpace(person.prints("token", "create", "night shift", "--scope", "read:telemetry", "--entity", "pump 7", "--expires", "90d"))
	as := func(token, device string) int {
		status, _ := (&client{t: t, url: s.url, token: token}).do(http.MethodGet, "/api/plugins/telemetry/DEVICE/"+device+"/keys/timeseries", "", "")
		return status
	}
	if a, b := as(text, id), as(text, other); a != 200 || b != 403 {
		t.Errorf("the token reads its pump with %d, want 200, another with %d, want 403", a, b)
	}

	var tokens []struct{ ID, Name, Prefix string }
	if err := json.Unmarshal([]byte(person.prints("token", "list", "--format", "json")), &tokens); err != nil || len(tokens) != 1 || tokens[0].Name != "night shift" || !strings.HasPrefix(text, tokens[0].Prefix) {
		t.Errorf("%+v, %v", tokens, err)
	}
	if table := person.prints("token", "list"); !strings.HasPrefix(table, "ID ") || !strings.Contains(table, "read:telemetry") || !strings.Contains(table, "night shift") {
		t.Error(table)
	}
	if csv := person.prints("token", "list", "--format", "csv"); !strings.HasPrefix(csv, "id,prefix,") || strings.Count(csv, "\n") != 2 {
		t.Error(csv)
	}

	next := strings.TrimSpace(person.prints("token", "rotate", "night shift", "--overlap", "0s"))
	if before, after := as(text, id), as(next, id); before != 401 || after != 200 {
		t.Errorf("the old text gets %d, want 401, the new one %d, want 200", before, after)
	}
	if got := person.prints("token", "revoke", tokens[0].ID); got != "1 revoked\n" {
		t.Error(got)
	}
	if got := as(next, id); got != 401 {
		t.Errorf("a revoked token gets %d", got)
	}
	if got := person.prints("token", "revoke", "--all"); got != "0 revoked\n" {
		t.Error(got)
	}

	person.fails("no token \"day shift\"", "token", "revoke", "day shift")
	person.fails("name the tokens that end", "token", "revoke")
	person.fails("there is no device \"pump 9\"", "token", "create", "x", "--scope", "rpc", "--entity", "pump 9")
	person.fails("--expires: \"soon\" is no time", "token", "create", "x", "--scope", "rpc", "--expires", "soon")
	(&shell{t, []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_TOKEN=" + next, "TIDEWIRE_USERNAME="}}).fails("an API token manages no tokens", "token", "list")
	(&shell{t, []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_TOKEN=", "TIDEWIRE_USERNAME="}}).fails("who are you?", "token", "list")
	(&shell{t, []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_USERNAME=" + email, "TIDEWIRE_PASSWORD=wrong"}}).fails("Invalid username or password", "token", "list")
	(&shell{t, []string{"TIDEWIRE_SERVER=here", "TIDEWIRE_USERNAME=a", "TIDEWIRE_PASSWORD=b"}}).fails("is not a URL", "token", "list")
}

func TestTheCommandLineReadsHistories(t *testing.T) {
	s := start(t, t.TempDir(), "--demo")
	admin, email, password := s.demoAdmin()
	_, token := admin.device("pump 7")
	_, other := admin.device("pump 8")
	for i := range 4 {
		postRow(t, s.url, token, fmt.Sprintf(`{"ts":%d,"values":{"t":%d.5,"name":"a,\"b\""}}`, 1700000000000+i*60_000, 20+i))
		postRow(t, s.url, other, fmt.Sprintf(`{"ts":%d,"values":{"t":%d}}`, 1700000000000+i*60_000, 30+i))
	}
	person := &shell{t, []string{"TZ=UTC", "TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_USERNAME=" + email, "TIDEWIRE_PASSWORD=" + password, "TIDEWIRE_TOKEN="}}
	// A program with a token that may read one device uses the same commands.
	text := strings.TrimSpace(person.prints("token", "create", "reader", "--scope", "read:telemetry", "--entity", "pump 7"))
	program := &shell{t, []string{"TZ=UTC", "TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_TOKEN=" + text, "TIDEWIRE_USERNAME="}}

	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	is(program.prints("query", "pump 7"), "ENTITY  KEY   TIME                      VALUE\n"+
		"pump 7  name  2023-11-14T22:16:20.000Z  a,\"b\"\n"+
		"pump 7  t     2023-11-14T22:16:20.000Z  23.5\n")
	is(program.prints("query", "pump 7", "--list-keys", "--format", "csv"), "entity,key\npump 7,name\npump 7,t\n")
	is(person.prints("query", "pump 7", "pump 8", "--keys", "t", "--from", "2023-11-14T22:14", "--to", "1700000120001"),
		"ENTITY  KEY  TIME                      VALUE\n"+
			"pump 7  t    2023-11-14T22:14:20.000Z  21.5\n"+
			"pump 7  t    2023-11-14T22:15:20.000Z  22.5\n"+
			"pump 8  t    2023-11-14T22:14:20.000Z  31\n"+
			"pump 8  t    2023-11-14T22:15:20.000Z  32\n")
	is(person.prints("query", "pump 7", "pump 8", "--keys", "t", "--from", "2023-11-14", "--to", "2023-11-15", "--agg", "avg,max", "--every", "day", "--zone", "UTC", "--total"),
		"KEY  TIME                      AVG    MAX\nt    2023-11-14T00:00:00.000Z  26.75  33.0\n")
	lines := strings.Split(program.prints("query", "pump 7", "--keys", "name", "--from", "2023-11-14", "--limit", "1", "--order", "desc", "--format", "ndjson"), "\n")
	var row struct {
		EntityName, Key, Value string
		TS                     int64
	}
	if err := json.Unmarshal([]byte(lines[0]), &row); err != nil || len(lines) != 2 || row.EntityName != "pump 7" || row.Key != "name" || row.Value != `a,"b"` || row.TS != 1700000180000 {
		t.Errorf("%q: %+v, %v", lines, row, err)
	}
	if csv := program.prints("query", "pump 7", "--keys", "t", "--from", "2023-11-14", "--format", "csv"); strings.Count(csv, "\n") != 5 || !strings.Contains(csv, ",1700000000000,20.5\n") {
		t.Error(csv)
	}
	var table struct{ Series []struct{ Values [][]any } }
	if err := json.Unmarshal([]byte(program.prints("query", "pump 7", "--keys", "t", "--from", "2023-11-14", "--format", "json")), &table); err != nil || len(table.Series[0].Values) != 4 {
		t.Errorf("%+v, %v", table, err)
	}

	program.fails("there is no device \"pump 8\" that you may read", "query", "pump 8")
	person.fails("there is no entity view \"x\"", "query", "ENTITY_VIEW:x")
	person.fails("--from: \"yesterday\" is no time", "query", "pump 7", "--from", "yesterday")
	person.fails("say --from", "query", "pump 7", "--agg", "avg")
	person.fails("say --agg", "query", "pump 7", "--from", "1d", "--every", "1h")
	person.fails("\"median\" is none of", "query", "pump 7", "--from", "1d", "--agg", "median")
	person.fails("\"fortnight\" is neither", "query", "pump 7", "--from", "1d", "--agg", "avg", "--every", "fortnight")
}

// Whoever follows sees every value once and in order, though the server dies and comes back.
func TestTheCommandLineTailsThroughAKill(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "--demo")
	admin, _, _ := s.demoAdmin()
	id, token := admin.device("pump 7")
	var made struct{ Token string }
	admin.json(http.MethodPost, "/api/tokens", fmt.Sprintf(`{"name":"tail","scopes":["read:telemetry"],"entities":[%q]}`, id), &made)
	postRow(t, s.url, token, `{"ts":1700000000000,"values":{"n":0}}`)

	const values = 40
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tail := exec.CommandContext(ctx, binary, "tail", id, "--keys", "n", "--format", "ndjson", "--count", strconv.Itoa(values))
	tail.Env = append(os.Environ(), "TIDEWIRE_SERVER="+s.url, "TIDEWIRE_TOKEN="+made.Token, "TIDEWIRE_USERNAME=")
	var told bytes.Buffer
	tail.Stderr = &told
	out, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	sent := 1
	send := func(n int) {
		t.Helper()
		for range n {
			postRow(t, s.url, token, fmt.Sprintf(`{"ts":%d,"values":{"n":%d}}`, 1700000000000+sent, sent))
			sent++
		}
	}
	for n := range values {
		if !lines.Scan() {
			break
		}
		var r struct {
			TS    int64
			Value string
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Value != strconv.Itoa(n) || r.TS != 1700000000000+int64(n) {
			t.Fatalf("value %d is %s, %v", n, lines.Text(), err)
		}
		switch n {
		case 0: // the latest value is there: it follows
			send(9)
		case 9: // it may have taken them all when the server dies, and misses what follows
			send(5)
			at := strings.TrimPrefix(s.url, "http://")
			s.kill()
			s = launch(t, dir, "--listen", at)
			s.url = s.await(`open\s+(http://\S+)`)[1]
			send(values - sent)
		}
	}
	if err := tail.Wait(); err != nil || sent != values {
		t.Errorf("%v after %d values\n%s", err, sent, told.String())
	}
	if !strings.Contains(told.String(), "the connection is lost") {
		t.Errorf("it did not say that the connection broke:\n%s", told.String())
	}

	other, _ := admin.device("pump 8")
	(&shell{t, []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_TOKEN=" + made.Token, "TIDEWIRE_USERNAME="}}).fails("permission", "tail", other)
	(&shell{t, []string{"TIDEWIRE_SERVER=" + s.url, "TIDEWIRE_TOKEN=guess", "TIDEWIRE_USERNAME="}}).fails("the server refuses the token", "tail", other)
	(&shell{t, []string{"TIDEWIRE_SERVER=http://127.0.0.1:1", "TIDEWIRE_TOKEN=guess", "TIDEWIRE_USERNAME="}}).fails("connection refused", "tail", other)
}

// postRow sends telemetry of a device, which must be stored.
func postRow(t *testing.T, url, token, body string) {
	t.Helper()
	if status := post(t, url, token, body); status != http.StatusOK {
		t.Fatalf("post: %d", status)
	}
}
