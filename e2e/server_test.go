package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidewire/tidewire/internal/spectest"
)

// patience bounds every wait of these tests. It is no expectation: a machine that builds
// something else at the same time may need most of it.
const patience = 60 * time.Second

var binary string

// TestMain builds the program under test.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tidewire-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tidewire")
	build := exec.Command("go", "build", "-o", binary, "../cmd/tidewire")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return m.Run()
}

// A server is one running process.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	url  string
	done chan struct{} // closed when the process has ended
	err  error         // of Wait, once done is closed

	mu     sync.Mutex
	output []string
}

// start runs `tidewire serve` on a free port and waits until it is ready.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := launch(t, dir, args...)
	s.url = s.await(`open\s+(http://\S+)`)[1]
	return s
}

// launch runs `tidewire serve` and does not wait.
func launch(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return launchProgram(t, binary, nil, dir, args...)
}

// launchProgram runs `serve` of a program, with more in its environment.
func launchProgram(t *testing.T, program string, env []string, dir string, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, done: make(chan struct{})}
	s.cmd = exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, args...)...)
	s.cmd.Env = append(append(os.Environ(), "TIDEWIRE_CONFIG="), env...)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = in, in
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.mu.Lock()
			s.output = append(s.output, lines.Text())
			s.mu.Unlock()
		}
		out.Close()
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("output of the server:\n%s", s.text())
		}
	})
	return s
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.output, "\n")
}

// await waits for a line of output that matches and returns its groups.
func (s *server) await(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	s.until("output matches "+pattern, func() bool {
		found = re.FindStringSubmatch(s.text())
		return found != nil
	})
	return found
}

// until polls what only the process knows.
func (s *server) until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			s.t.Fatalf("waited in vain: %s\n%s", what, s.text())
		case <-s.done:
			if !ok() {
				s.t.Fatalf("the process ended (%v) before: %s\n%s", s.err, what, s.text())
			}
			return
		case <-tick.C:
		}
	}
}

// pollEvery is how often what only the process knows is looked at.
const pollEvery = 10 * time.Millisecond

// wait waits a little and reports whether the process has ended.
func (s *server) wait(d time.Duration) (ended bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.done:
		return true
	case <-timer.C:
		return false
	}
}

// kill ends the process as a power cut would, for it.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.done
}

// stop ends the process in order and returns its exit code.
func (s *server) stop() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("the process does not stop\n%s", s.text())
	}
	return s.cmd.ProcessState.ExitCode()
}

// run executes the binary with args and returns its exit code and output.
func run(t *testing.T, env []string, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// A client talks to a server as one user, or as nobody.
type client struct {
	t     *testing.T
	url   string
	token string
}

// demoUsers logs in as the users that --demo prints.
func (s *server) demoAdmin() (*client, string, string) {
	s.t.Helper()
	m := s.await(`tenant administrator\s+(\S+)\s+password\s+(\S+)`)
	return s.login(m[1], m[2]), m[1], m[2]
}

func (s *server) login(user, password string) *client {
	s.t.Helper()
	c := &client{t: s.t, url: s.url}
	var pair struct{ Token string }
	c.json(http.MethodPost, "/api/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password), &pair)
	c.token = pair.Token
	return c
}

// watched returns an HTTP client that holds everything against openapi.yaml. A nil transport
// is the common one.
func watched(t *testing.T, transport http.RoundTripper) *http.Client {
	t.Helper()
	return &http.Client{Transport: spectest.Transport(t, cmp.Or(transport, http.DefaultTransport))}
}

// do sends a request and returns status and body.
func (c *client) do(method, path, contentType, body string) (int, string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("X-Authorization", "Bearer "+c.token)
	}
	res, err := watched(c.t, nil).Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// json sends a request that must succeed and decodes the answer, numbers as they are.
func (c *client) json(method, path, body string, answer any) {
	c.t.Helper()
	status, text := c.do(method, path, "application/json", body)
	if status != http.StatusOK {
		c.t.Fatalf("%s %s = %d %s", method, path, status, text)
	}
	if answer == nil {
		return
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(answer); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

// device returns the id and the token of a device that is made when it does not exist.
func (c *client) device(name string) (id, token string) {
	c.t.Helper()
	var d struct{ ID struct{ ID string } }
	if status, text := c.do(http.MethodGet, "/api/tenant/devices?deviceName="+strings.ReplaceAll(name, " ", "%20"), "", ""); status == http.StatusOK {
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			c.t.Fatal(err)
		}
	} else {
		c.json(http.MethodPost, "/api/device", fmt.Sprintf(`{"name":%q,"type":"default"}`, name), &d)
	}
	var cred struct{ CredentialsID string }
	c.json(http.MethodGet, "/api/device/"+d.ID.ID+"/credentials", "", &cred)
	return d.ID.ID, cred.CredentialsID
}

// A sample is one element of a telemetry answer, its value as the text it was sent as.
type sample struct {
	TS    int64           `json:"ts"`
	Value json.RawMessage `json:"value"`
}

// series asks for telemetry of a device.
func (c *client) series(id, query string) map[string][]sample {
	c.t.Helper()
	answer := map[string][]sample{}
	c.json(http.MethodGet, "/api/plugins/telemetry/DEVICE/"+id+"/values/timeseries?"+query, "", &answer)
	return answer
}
