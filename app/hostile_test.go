package app

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tidewire/tidewire/internal/wstest"
)

// Whatever comes over a socket, it is answered with its close code or an error frame, leaves
// nothing behind, and nobody beside it notices.
func TestHostileSocketsEndAsTheyDeserveAndLeaveNothing(t *testing.T) {
	r := runServer(t)
	u := r.user()
	u.publishes(20)
	path := "/api/ws?token=" + r.token
	before := used()
	each := crowd(t, 4*len(hostile)) / len(hostile)
	var all sync.WaitGroup
	slots := make(chan struct{}, 32)
	for range each {
		for _, h := range hostile {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				c, err := wstest.Dial(r.addr, path, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
				if err != nil {
					t.Errorf("%s: %v", h.what, err)
					return
				}
				defer c.Close()
				_ = c.Send(h.bytes(r)) // the server may have closed before the last of it
				if code, err := c.Closed(); code != h.code || err != nil {
					t.Errorf("%s: closed with %d, %v; want %d", h.what, code, err, h.code)
				}
			})
		}
		u.publishes(1)
	}
	all.Wait()
	u.publishes(20)
	r.settles(before)
	t.Logf("struck with %d hostile sockets", each*len(hostile))
}

// hostile is what clients may send, and the code they are closed with; 1000 where they get an
// answer and close themselves.
var hostile = []struct {
	what  string
	code  int
	bytes func(*running) []byte
}{
	{"not masked", 1002, frames(wstest.Frame{Op: wstest.Text, Unmasked: true, Payload: "{}"})},
	{"reserved bits", 1002, frames(wstest.Frame{Op: wstest.Text, RSV: 2, Payload: "{}"})},
	{"a reserved opcode", 1002, frames(wstest.Frame{Op: 0xB, Payload: "{}"})},
	{"a bomb, compressed although nobody agreed to it", 1002, frames(wstest.Frame{Op: wstest.Text, RSV: 4, Payload: bomb})},
	{"no UTF-8", 1007, frames(wstest.Frame{Op: wstest.Text, Payload: "{\"a\":\"\xed\xa0\x80\"}"})},
	{"no UTF-8 across fragments", 1007, frames(wstest.Frame{Op: wstest.Text, More: true, Payload: "{\"a\":\"\xf0\x9f"}, wstest.Frame{Payload: "\x8c\"}"})},
	{"a binary message", 1003, frames(wstest.Frame{Op: wstest.Binary, Payload: "\x00\x01"})},
	{"a megabyte", 1009, frames(wstest.Frame{Op: wstest.Text, Payload: strings.Repeat(" ", 1<<20)})},
	{"a petabyte, of which little comes", 1009, frames(wstest.Frame{Op: wstest.Text, Length: 1 << 50, Payload: strings.Repeat(" ", 40_000)})},
	{"a length with its highest bit", 1002, frames(wstest.Frame{Op: wstest.Text, Length: 1<<63 | 1})},
	{"fragments that never end", 1009, func(*running) []byte {
		b := wstest.Frame{Op: wstest.Text, More: true, Payload: "["}.Bytes()
		for range 100 {
			b = append(b, wstest.Frame{Op: wstest.Ping, Payload: "among them"}.Bytes()...)
			b = append(b, wstest.Frame{More: true, Payload: strings.Repeat(" ", 1000)}.Bytes()...)
		}
		return b
	}},
	{"twenty thousand empty fragments", 1000, func(*running) []byte {
		b := wstest.Frame{Op: wstest.Text, More: true}.Bytes()
		for range 20_000 {
			b = append(b, wstest.Frame{More: true}.Bytes()...)
		}
		b = append(b, wstest.Frame{Payload: "{}"}.Bytes()...)
		return append(b, wstest.CloseFrame(1000, "")...)
	}},
	{"a ping in fragments", 1002, frames(wstest.Frame{Op: wstest.Ping, More: true}, wstest.Frame{})},
	{"a ping that is too long", 1002, frames(wstest.Frame{Op: wstest.Ping, Payload: strings.Repeat("x", 126)})},
	{"a continuation of nothing", 1002, frames(wstest.Frame{Payload: "{}"})},
	{"half a close code", 1002, frames(wstest.Frame{Op: wstest.Close, Payload: "\x03"})},
	{"a close code that must not be sent", 1002, frames(wstest.Frame{Op: wstest.Close, Payload: "\x03\xee"})},
	{"a reason that is no UTF-8", 1007, frames(wstest.Frame{Op: wstest.Close, Payload: "\x03\xe8\xff"})},
	{"a thousand pings", 1000, func(*running) []byte {
		b := []byte(strings.Repeat(string(wstest.Frame{Op: wstest.Ping, Payload: strings.Repeat("x", 125)}.Bytes()), 1000))
		return append(b, wstest.CloseFrame(1000, "")...)
	}},
	{"JSON thirty thousand deep", 1000, messages(strings.Repeat(`{"cmds":[`, 3600), strings.Repeat("[", 32_000), strings.Repeat(`{"a":`, 6000))},
	{"numbers without end", 1000, messages(`{"cmds":[{"type":"TIMESERIES","cmdId":`+strings.Repeat("9", 30_000)+`}]}`, `{"cmds":[{"cmdId":1e999999999}]}`)},
	{"circles of subscriptions", 1000, func(r *running) []byte {
		var b []byte
		for i := range 200 {
			b = append(b, wstest.Message("{"+r.command(i%5)+"}")...)
			b = append(b, wstest.Message(fmt.Sprintf(`{"tsSubCmds":[{"cmdId":%d,"entityId":%q,"unsubscribe":true}]}`, i%5, r.device))...)
		}
		return append(b, wstest.CloseFrame(1000, "")...)
	}},
	{"a thousand subscriptions, all left behind", 1000, func(r *running) []byte {
		var b []byte
		for i := range 1000 {
			b = append(b, wstest.Message("{"+r.command(i)+"}")...)
		}
		return append(b, wstest.CloseFrame(1000, "")...)
	}},
}

// bomb is deflate of zeros without end, as far as it goes.
var bomb = "\xec\xc0\x81\x00\x00\x00\x00\x80\x20\xb6\xfd\xa5\x16\xa9\x0a" + strings.Repeat("\x00", 2000) + "\x60\x0f\x0e"

func frames(list ...wstest.Frame) func(*running) []byte {
	return func(*running) (b []byte) {
		for _, f := range list {
			b = append(b, f.Bytes()...)
		}
		return b
	}
}

func messages(list ...string) func(*running) []byte {
	return func(*running) (b []byte) {
		for _, m := range list {
			b = append(b, wstest.Message(m)...)
		}
		return append(b, wstest.CloseFrame(1000, "")...)
	}
}

// Connections that say little, slowly or nothing at all end by themselves, or cost little until
// their client cuts them, and nobody beside them waits.
func TestSlowConnectionsHoldNobodyUp(t *testing.T) {
	r := runServer(t)
	u := r.user()
	u.publishes(20)
	before := used()
	n := crowd(t, 250) / 5
	path := "/api/ws?token=" + r.token
	for range n {
		half := wstest.Request(path)
		headers := r.raw("GET /api/auth/user HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		handshake := r.raw(half[:len(half)-4])
		body := r.raw(fmt.Sprintf("POST /api/v1/%s/telemetry HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"n\":", r.entry))
		stranger := r.dial("/api/ws")
		frame := r.dial(path)
		for _, err := range []error{stranger.Send(r.login()[:20]), frame.Send(wstest.Message("{" + r.command(1) + "}")[:20])} {
			if err != nil {
				t.Fatal(err)
			}
		}
		defer body.Close() // it has five minutes: here its client goes
		defer frame.Close()
		defer stranger.Close()
		defer ends(t, "headers", headers)
		defer ends(t, "a handshake", handshake)
		defer func() {
			if code, err := stranger.Closed(); code != 1008 || err != nil {
				t.Errorf("a first message that does not end was closed with %d, %v", code, err)
			}
		}()
	}
	u.publishes(100)
	for range 20 { // who comes now gets in
		if err := r.user().socket.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { r.settles(before) }) // after all the deferred, before the server ends
	t.Logf("struck with %d slow connections", 5*n)
}

// ends waits until the server closes a connection, whatever it says before.
func ends(t *testing.T, what string, nc net.Conn) {
	t.Helper()
	defer nc.Close()
	if _, err := io.Copy(io.Discard, nc); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%s: %v", what, err)
	}
}
