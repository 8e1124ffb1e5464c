package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
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
