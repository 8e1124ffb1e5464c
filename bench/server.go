package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// A server is one process that is measured.
type server struct {
	cmd            *exec.Cmd
	addr           string // host:port
	ready          time.Duration
	admin          string // header that authenticates the tenant administrator
	user, password string
}

var (
	openLine  = regexp.MustCompile(`open\s+http://(\S+)`)
	adminLine = regexp.MustCompile(`tenant administrator\s+(\S+)\s+password\s+(\S+)`)
)

// startServer runs the binary on dir and waits until it says where it listens. The first
// start of a directory makes a tenant to work in. env is added to the environment.
func (b *bench) startServer(ctx context.Context, dir string, known *server, env ...string) (*server, error) {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--log-level", "warn", "--max-buckets", "10000"}
	if known == nil {
		args = append(args, "--demo")
	}
	s := &server{cmd: exec.CommandContext(ctx, b.bin, args...)}
	s.cmd.Stderr, s.cmd.Env = os.Stderr, append(os.Environ(), env...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build makes it): %w", b.bin, err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := openLine.FindStringSubmatch(lines.Text()); m != nil {
			s.addr, s.ready = m[1], time.Since(begin)
		}
		if m := adminLine.FindStringSubmatch(lines.Text()); m != nil {
			s.user, s.password = m[1], m[2]
		}
		if s.addr != "" && (known != nil || s.password != "") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	if s.addr == "" {
		return nil, fmt.Errorf("the server did not start: %w", s.cmd.Wait())
	}
	if known != nil {
		s.user, s.password = known.user, known.password
	}
	var pair struct{ Token string }
	if err := s.json(ctx, http.MethodPost, "/api/auth/login", map[string]string{"username": s.user, "password": s.password}, &pair); err != nil {
		return nil, errors.Join(err, s.kill())
	}
	s.admin = "X-Authorization: Bearer " + pair.Token + "\r\n"
	return s, nil
}

// json asks the server something that is not timed.
func (s *server) json(ctx context.Context, method, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if name, value, ok := strings.Cut(strings.TrimSpace(s.admin), ": "); ok {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// A device as the benchmarks address it.
type device struct{ id, token string }

// devices makes or finds n devices.
func (s *server) devices(ctx context.Context, prefix string, n int) ([]device, error) {
	list := make([]device, n)
	for i := range list {
		name := fmt.Sprintf("%s-%d", prefix, i)
		list[i].token = name + "-token"
		var d struct{ ID struct{ ID string } }
		err := s.json(ctx, http.MethodGet, "/api/tenant/devices?deviceName="+url.QueryEscape(name), nil, &d)
		if err != nil {
			err = s.json(ctx, http.MethodPost, "/api/device?accessToken="+list[i].token, map[string]string{"name": name, "type": "default"}, &d)
		}
		if err != nil {
			return nil, err
		}
		list[i].id = d.ID.ID
	}
	return list, nil
}

// cpu is what the process has used so far, seconds.
func (s *server) cpu() float64 {
	p, err := process.NewProcess(int32(s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	t, err := p.Times()
	if err != nil {
		return 0
	}
	return t.User + t.System
}

// cpuAtEnd is what the process has used in all, seconds; it must have been stopped.
func (s *server) cpuAtEnd() float64 {
	return (s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()).Seconds()
}

// memory is the resident size of the process, bytes.
func (s *server) memory() float64 {
	p, err := process.NewProcess(int32(s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	m, err := p.MemoryInfo()
	if err != nil {
		return 0
	}
	return float64(m.RSS)
}

// stop ends the process in order.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// kill ends it as a crash would.
func (s *server) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it reports the signal
	return nil
}
