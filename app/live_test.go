package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidewire/tidewire/internal/spectest"
	"github.com/tidewire/tidewire/internal/wstest"
)

// A running is the whole server, in this process so that its goroutines and memory can be
// counted, with one device.
type running struct {
	testing.TB
	addr          string
	token         string // of the tenant administrator
	device, entry string // id and access token
}

// patience bounds every wait of these tests. It is no expectation.
const patience = 60 * time.Second

var setupLine = regexp.MustCompile(`http://(\S+)/setup\?token=(\S+)`)

func runServer(t testing.TB) *running {
	t.Helper()
	dir := t.TempDir() // before the cleanup that ends the server, so that it is removed after it
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, Config{Listen: "127.0.0.1:0", DataDir: dir, MinFree: -1}, slog.New(slog.DiscardHandler), in)
		in.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	r := &running{TB: t}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := setupLine.FindStringSubmatch(lines.Text()); m != nil {
			var pair struct{ Token string }
			r.addr = m[1]
			r.call("/api/noauth/setup", fmt.Sprintf(`{"token":%q,"tenantTitle":"Waterworks","admin":{"email":"ada@example.org","password":"correct horse battery"}}`, m[2]), &pair)
			r.token = pair.Token
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	var d struct{ ID struct{ ID string } }
	r.entry = "the-token-of-the-pump"
	r.call("/api/device?accessToken="+r.entry, `{"name":"Pump 7","type":"default"}`, &d)
	r.device = d.ID.ID
	return r
}

// call posts something that must succeed, over a connection of its own.
func (r *running) call(path, body string, answer any) {
	r.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("X-Authorization", "Bearer "+r.token)
	}
	res, err := (&http.Client{Transport: spectest.Transport(r, &http.Transport{DisableKeepAlives: true})}).Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.Fatalf("%s: %d %s, %v", path, res.StatusCode, text, err)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			r.Fatal(err)
		}
	}
}

// command subscribes to a key of the device.
func (r *running) command(id int) string {
	return fmt.Sprintf(`"tsSubCmds":[{"cmdId":%d,"entityType":"DEVICE","entityId":%q,"keys":"n"}]`, id, r.device)
}

// dial opens a socket, which the caller closes.
func (r *running) dial(path string) *wstest.Client {
	r.Helper()
	c, err := wstest.Dial(r.addr, path)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// login is the first message of a client that shows its token there.
func (r *running) login() []byte {
	return wstest.Message(fmt.Sprintf(`{"authCmd":{"cmdId":0,"token":%q},%s}`, r.token, r.command(1)))
}

// A user follows the device and sees everything, whatever goes on beside it.
type user struct {
	*running
	socket *wstest.Client
	n      int
}

func (r *running) user() *user {
	r.Helper()
	u := &user{running: r, socket: r.dial("/api/ws")}
	r.Cleanup(func() { u.socket.Close() })
	if err := u.socket.Send(r.login()); err != nil {
		r.Fatal(err)
	}
	u.next(wstest.Text, `"subscriptionId":1`)
	return u
}

// next reads a frame that must contain the text. Pings on the way are answered.
func (u *user) next(op byte, text string) {
	u.Helper()
	for {
		got, payload, err := u.socket.Next()
		if err == nil && got == wstest.Ping {
			if err = u.socket.Send(wstest.Frame{Op: wstest.Pong, Payload: payload}.Bytes()); err == nil {
				continue
			}
		}
		if err != nil || got != op || !strings.Contains(payload, text) {
			u.Fatalf("got %x %.200q, %v; want %x with %q", got, payload, err, op, text)
		}
		return
	}
}

// publishes checks that what the device sends from now on arrives.
func (u *user) publishes(times int) {
	u.Helper()
	for range times {
		u.n++
		u.call("/api/v1/"+u.entry+"/telemetry", `{"n":`+strconv.Itoa(u.n)+`}`, nil)
		u.next(wstest.Text, `,"`+strconv.Itoa(u.n)+`"]`)
	}
}

// A usage is what a process has.
type usage struct {
	goroutines int
	heap       uint64
}

func used() usage {
	runtime.GC()
	runtime.GC() // what the pools kept goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), m.HeapAlloc}
}

// The rest of the server goes on meanwhile: its flushes and sweeps come and go, and what was
// written stays in memory.
const (
	someGoroutines = 20
	someHeap       = 4 << 20
)

// settles waits until the process has no more than it had before.
func (r *running) settles(before usage) {
	r.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now := used()
		if now.goroutines <= before.goroutines+someGoroutines && now.heap <= before.heap+someHeap {
			r.Logf("%d goroutines and %d KiB, before it %d and %d", now.goroutines, now.heap>>10, before.goroutines, before.heap>>10)
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			stacks := make([]byte, 1<<20)
			r.Fatalf("%d goroutines and %d KiB are left, before there were %d and %d\n%.20000s", now.goroutines, now.heap>>10,
				before.goroutines, before.heap>>10, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// crowd returns how many hostile connections to open: so many, or as many as the environment
// says, but not more than there are files for; a connection has both its ends here.
func crowd(t testing.TB, few int) int {
	n := few
	if text := os.Getenv("TIDEWIRE_CROWD"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	return min(n, int(min(files.Cur, 1<<20)-500)/2)
}

// raw opens a connection, which the caller closes, and sends bytes.
func (r *running) raw(bytes string) net.Conn {
	r.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := io.WriteString(nc, bytes); err != nil {
		r.Fatal(err)
	}
	return nc
}
