package ws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/internal/wstest"
	"github.com/tidewire/tidewire/model"
)

func TestCloseCodesOfTheBeginning(t *testing.T) {
	w := newWorld(t, nil).listen()
	f := func(path, first string, code websocket.StatusCode) {
		t.Helper()
		c := w.dial(path)
		if first != "" {
			c.send(first)
		}
		c.wantClose(code)
	}
	f("/api/ws?token=bad", "", 1011)
	f("/api/ws/plugins/telemetry?token=bad", "", 1011)
	f("/api/ws/plugins/unknown?token=good", "", 1007)
	f("/api/ws", "no json", 1007)
	f("/api/ws", `{"cmds":[]}`, 1008)
	f("/api/ws", `{"authCmd":{"token":"bad"}}`, 1007)
	f("/api/ws", `{"authCmd":{}}`, 1007)
}

func TestMessagesThatAreNoTextAreRefused(t *testing.T) {
	w := newWorld(t, nil).listen()
	f := func(kind websocket.MessageType, b []byte, code websocket.StatusCode) {
		t.Helper()
		c := w.open()
		if err := c.ws.Write(t.Context(), kind, b); err != nil {
			t.Fatal(err)
		}
		c.wantClose(code)
	}
	f(websocket.MessageText, []byte("{\"a\":\"\xff\"}"), 1007)
	f(websocket.MessageBinary, []byte("{}"), 1003)
	f(websocket.MessageText, bytes.Repeat([]byte(" "), 32769), 1009)
}

func TestTheLongestMessagePassesAndFragmentsAreJoined(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	command := fmt.Sprintf(`{"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, device)
	c.send(command + strings.Repeat(" ", 32768-len(command)))
	c.wantData(1, `{}`, `{}`)
	m, err := c.ws.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitAfterSeq(strings.Replace(command, `:1,`, `:2,`, 1), ",") {
		if _, err := io.WriteString(m, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	c.wantData(2, `{}`, `{}`)
}

// A raw client speaks the bytes itself, wrongly where a test wants it, and bears no wrong ones.
type raw struct{ *wstest.Client }

func (w *world) raw(t *testing.T) raw {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(w.url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return handshake(t, nc, "")
}

// handshake upgrades; early is sent in the same write as the request.
func handshake(t testing.TB, nc net.Conn, early string) raw {
	t.Helper()
	io.WriteString(nc, wstest.Request("/api/ws?token=good")+early)
	c, err := wstest.Upgraded(nc)
	if err != nil {
		t.Fatal(err)
	}
	return raw{c}
}

// frame returns a client frame with a first byte as it is.
func frame(first byte, payload string) string {
	return string(wstest.Frame{Op: first & 0xF, More: first&0x80 == 0, RSV: first >> 4 & 7, Payload: payload}.Bytes())
}

// next reads one server frame.
func (c raw) next(t testing.TB) (op byte, payload string) {
	t.Helper()
	op, payload, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	return op, payload
}

// read returns the first byte and the payload of a server frame.
func (c raw) read() (op byte, payload string, err error) {
	op, payload, err = c.Next()
	return op | 0x80, payload, err
}

func TestProtocolViolationsAreClosedWith1002(t *testing.T) {
	w := newWorld(t, nil).listen()
	f := func(bytes string) {
		t.Helper()
		c := w.raw(t)
		io.WriteString(c, bytes)
		op, payload := c.next(t)
		if op != 0x88 || len(payload) < 2 || int(payload[0])<<8|int(payload[1]) != 1002 {
			t.Errorf("%q was answered with %x %q", bytes, op, payload)
		}
	}
	f("\x81\x02{}")                          // not masked
	f(frame(0x80, "{}"))                     // a continuation of nothing
	f(frame(0xC1, "{}"))                     // a reserved bit
	f(frame(0x83, "{}"))                     // an unknown opcode
	f(frame(0x09, "x"))                      // a ping in fragments
	f(frame(0x01, "{") + frame(0x81, "{}"))  // a message within a message
	f(frame(0x89, strings.Repeat("x", 126))) // a ping too long
	f(frame(0x88, "\x03"))                   // half a close code
}

func TestPingsAreAnsweredAmongFragmentsAndBeforeTheEnd(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.raw(t)
	command := fmt.Sprintf(`{"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, device)
	io.WriteString(c, frame(0x01, command[:20])+frame(0x89, "hi")+frame(0x80, command[20:])+frame(0x8A, "")+frame(0x88, "\x03\xe8bye"))
	if op, payload := c.next(t); op != 0x8A || payload != "hi" {
		t.Errorf("got %x %q", op, payload)
	}
	if op, payload := c.next(t); op != 0x81 || payload != dataFrame(1, `{}`, `{}`) {
		t.Errorf("got %x %q", op, payload)
	}
	if op, payload := c.next(t); op != 0x88 || !strings.HasPrefix(payload, "\x03\xe8") {
		t.Errorf("got %x %q", op, payload)
	}
	if _, _, err := c.read(); !errors.Is(err, io.EOF) {
		t.Errorf("still open: %v", err)
	}
}

func TestFramesSentTogetherWithTheRequestAreRead(t *testing.T) {
	w := newWorld(t, fixed).listen()
	nc, err := net.Dial("tcp", strings.TrimPrefix(w.url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	command := fmt.Sprintf(`{"cmds":[{"type":"TIMESERIES","cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, device)
	c := handshake(t, nc, frame(0x81, command)+frame(0x81, command))
	for range 2 {
		if op, payload := c.next(t); op != 0x81 || payload != dataFrame(1, `{}`, `{}`) {
			t.Errorf("got %x %q", op, payload)
		}
	}
}

func TestLimitsCloseWith1008(t *testing.T) {
	w := newWorld(t, func(d *Deps) {
		fixed(d)
		d.Limits = Limits{Subscriptions: 2, SessionsPerUser: 2, SessionsPerTenant: 3}
	}).listen()
	c := w.open()
	for id := 1; id <= 2; id++ {
		c.subscribe("TIMESERIES", id, "")
		c.wantData(id, `{}`, `{}`)
	}
	c.subscribe("TIMESERIES", 2, "") // replaces
	c.wantData(2, `{}`, `{}`)
	second := w.open()
	second.subscribe("TIMESERIES", 1, "")
	second.wantData(1, `{}`, `{}`)
	w.open().wantClose(1008)                    // a third of the user
	third := w.dial("/api/ws?token=good+other") // another user
	third.subscribe("TIMESERIES", 1, "")
	third.wantData(1, `{}`, `{}`)
	w.dial("/api/ws?token=good+somebody").wantClose(1008)
	third.ws.Close(websocket.StatusNormalClosure, "")
	c.subscribe("TIMESERIES", 3, "")
	c.wantClose(1008)
}

func TestShutdownClosesWith1012AndRefusesNewSockets(t *testing.T) {
	w := newWorld(t, nil).listen()
	clients := []*client{w.open(), w.dial("/api/ws"), w.open()}
	done := make(chan error)
	go func() { done <- w.server.Shutdown(t.Context()) }()
	for _, c := range clients {
		c.wantClose(1012)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, resp, err := websocket.Dial(t.Context(), w.url+"/api/ws", nil)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket: %v %v", resp, err)
	}
}

func TestLostUpdatesCloseWith1012(t *testing.T) {
	w := newWorld(t, fixed).listen()
	c := w.open()
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	for _, s := range w.server.all() {
		s.Lost(nil)
	}
	c.wantClose(1012)
}

// bubble serves over in-memory connections, in a synctest bubble, where time is the clock's.
func bubble(t *testing.T, w *world) (dial func(path string) *client, stop func()) {
	p := newPipes()
	h := &http.Server{Handler: w.server}
	go h.Serve(p)
	transport := &http.Transport{DialContext: p.dial, DisableKeepAlives: true}
	return func(path string) *client {
			c, _, err := websocket.Dial(context.Background(), "ws://x"+path, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.CloseNow() })
			return &client{t, c}
		}, func() {
			h.Close()
			transport.CloseIdleConnections()
		}
}

// A client that lost its network never answers a close.
func TestShutdownDoesNotWaitForThoseWhoNeverAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		dial, stop := bubble(t, w)
		defer stop()
		dial("/api/ws?token=good")
		synctest.Wait()
		begun := time.Now()
		if err := w.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d != 2*time.Second {
			t.Errorf("it took %v, want %v", d, 2*time.Second)
		}
	})
}

func TestASocketThatShowsNoTokenIsClosedAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, stop := bubble(t, newWorld(t, nil))
		defer stop()
		begun := time.Now()
		dial("/api/ws").wantClose(1008)
		if d := time.Since(begun); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestASilentClientIsPingedEveryTenSecondsAndLivesWhileItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := newPipes()
		h := &http.Server{Handler: w.server}
		go h.Serve(p)
		defer h.Close()
		nc, _ := p.dial(t.Context(), "", "")
		defer nc.Close()
		begun := time.Now()
		c := handshake(t, nc, "")
		for i := 1; i <= 5; i++ {
			if op, _ := c.next(t); op != 0x89 {
				t.Fatalf("got %x", op)
			}
			if d := time.Since(begun); d < 10*time.Second || d > 12*time.Second {
				t.Errorf("ping %d after %v", i, d)
			}
			begun = time.Now()
			io.WriteString(c, frame(0x8A, ""))
		}
		// Now it reads but answers no more.
		begun = time.Now()
		for pings := 0; ; pings++ {
			op, payload := c.next(t)
			if op == 0x89 {
				continue
			}
			if op != 0x88 || !strings.HasPrefix(payload, "\x11\x94") { // 4500
				t.Errorf("got %x %q", op, payload)
			}
			if pings != 2 {
				t.Errorf("%d pings before giving up", pings)
			}
			break
		}
		if d := time.Since(begun); d < 30*time.Second || d > 32*time.Second {
			t.Errorf("given up after %v", d)
		}
	})
}

func TestRightsThatGoEndTheSubscriptionWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		dial, stop := bubble(t, w)
		defer stop()
		c := dial("/api/ws?token=good")
		c.subscribe("TIMESERIES", 7, "")
		c.wantData(7, `{}`, `{}`)
		w.allowed.Store(false)
		begun := time.Now()
		c.wantError(7, 1, "You don't have permission to perform this operation!")
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("after %v", d)
		}
		if w.hub.Stats().Subscriptions != 0 {
			t.Error("the subscription is still there")
		}
		w.allowed.Store(true)
		c.subscribe("TIMESERIES", 8, "")
		c.wantData(8, `{}`, `{}`)
		synctest.Wait() // the first frame is sent before the subscription is listed
		w.allowed.Store(false)
		begun = time.Now()
		w.server.Recheck()
		c.wantError(8, 1, "You don't have permission to perform this operation!")
		if d := time.Since(begun); d > 0 {
			t.Errorf("after %v although asked to look at once", d)
		}
		w.valid.Store(false)
		c.wantClose(1008)
	})
}

// A reader that takes nothing costs itself its socket, after five seconds, and nobody else a
// moment.
func TestAStuckReaderIsGivenUpAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		dial, stop := bubble(t, w)
		defer stop()
		stuck, healthy := dial("/api/ws?token=good"), dial("/api/ws?token=good")
		for _, c := range []*client{stuck, healthy} {
			c.subscribe("TIMESERIES", 1, "")
			c.wantData(1, `{}`, `{}`)
		}
		begun := time.Now()
		for i := range 5000 {
			w.write(model.Timeseries, int64(i), "t", i)
			healthy.wantData(1, fmt.Sprintf(`{"t":[[%d,"%d"]]}`, i, i), fmt.Sprintf(`{"t":%d}`, i))
		}
		if d := time.Since(begun); d > 0 {
			t.Errorf("the healthy one was held up for %v", d)
		}
		for i := int64(1); i <= 16; i++ {
			<-time.After(time.Second)
			w.write(model.Timeseries, 10_000+i, "t", 1)
			healthy.wantData(1, fmt.Sprintf(`{"t":[[%d,"1"]]}`, 10_000+i), fmt.Sprintf(`{"t":%d}`, 10_000+i))
			if n := w.server.Sessions(); i == 4 && n != 2 || i == 16 && n != 1 {
				t.Errorf("%d sessions after %d s", n, i)
			}
		}
	})
}
