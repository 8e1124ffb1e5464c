package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/model"
)

// A told is a frame as a client takes it apart.
type told struct {
	ID        int64              `json:"subscriptionId"`
	Data      map[string][][]any `json:"data"`
	Coalesced int                `json:"coalesced"`
	Resumed   *int               `json:"resumed"`
	Resync    string             `json:"resync"`
	Position  string             `json:"position"`
}

func parse(t testing.TB, text string) told {
	t.Helper()
	var f told
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return f
}

// smallSockets makes both ends of every connection take little, so that a reader is slow soon;
// but not less than a segment of the loopback, which would make TCP wait for timers.
func smallSockets(w *world) (dial func() raw) {
	h := httptest.NewUnstartedServer(w.server)
	h.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(128 << 10)
		return ctx
	}
	h.Start()
	w.t.Cleanup(h.Close)
	return func() raw {
		nc, err := net.Dial("tcp", h.Listener.Addr().String())
		if err != nil {
			w.t.Fatal(err)
		}
		nc.(*net.TCPConn).SetReadBuffer(128 << 10)
		w.t.Cleanup(func() { nc.Close() })
		return handshake(w.t, nc, "")
	}
}

// A reader that stops and goes on again is told the newest value of every key and how many it
// missed; everything it was sent adds up to everything that was written.
func TestASlowReaderGetsTheNewestOfEachKeyAndIsTold(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 8 << 10 })
	dial := smallSockets(w)
	c := dial()
	const command = `{"cmds":[{"type":"TIMESERIES","cmdId":%d,"entityType":"DEVICE","entityId":%q,"keys":%q}]}`
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, 1, device, "a,b")))
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(command, 2, device, "c")))
	c.next(t)
	c.next(t)
	other := dial()
	fmt.Fprint(other, frame(0x81, fmt.Sprintf(command, 1, device, "")))
	other.next(t)
	const writes = 4000
	for i := range writes {
		w.write(model.Timeseries, int64(i), string(rune('a'+i%2)), fmt.Sprintf("%0500d", i))
		if i == writes/2 {
			w.write(model.Timeseries, 5, "c", "5")
		}
	}
	for n := 0; n < writes-1; { // the hub is through with all that
		_, payload := other.next(t)
		for _, p := range parse(t, payload).Data["b"] {
			n, _ = strconv.Atoi(p[1].(string))
		}
	}
	points, coalesced, last := 0, 0, map[string]int{"a": -1, "b": -1, "c": -1}
	for last["a"] < writes-2 || last["b"] < writes-1 || last["c"] < 5 {
		op, payload := c.next(t)
		if op != 0x81 {
			t.Fatalf("got %x %q", op, payload)
		}
		f := parse(t, payload)
		coalesced += f.Coalesced
		for key, list := range f.Data {
			for _, p := range list {
				points++
				n, _ := strconv.Atoi(p[1].(string))
				if n <= last[key] {
					t.Fatalf("%s went from %d to %d", key, last[key], n)
				}
				last[key] = n
			}
		}
	}
	if points+coalesced != writes+1 {
		t.Errorf("%d points and %d left out, of %d", points, coalesced, writes+1)
	}
	if coalesced == 0 {
		t.Error("nothing was merged: the reader was not slow")
	}
	w.write(model.Timeseries, writes, "a", writes) // and all is well again
	if _, payload := c.next(t); payload != dataFrame(1, fmt.Sprintf(`{"a":[[%d,"%d"]]}`, writes, writes), fmt.Sprintf(`{"a":%d}`, writes)) {
		t.Errorf("got %q", payload)
	}
}

func TestAClientThatDoesNotReadItsAnswersWaitsForItself(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 4 << 10 })
	dial := smallSockets(w)
	w.write(model.Timeseries, 1, "t", strings.Repeat("x", 30_000))
	c := dial()
	const commands = 100
	go func() {
		for id := range commands {
			fmt.Fprint(c, frame(0x81, fmt.Sprintf(`{"historyCmds":[{"cmdId":%d,"entityType":"DEVICE","entityId":%q,"keys":"t","endTs":9}]}`, id, device)))
		}
	}()
	for id := range commands {
		_, payload := c.next(t)
		if f := parse(t, payload); f.ID != int64(id) || len(f.Data["t"]) != 1 {
			t.Fatalf("answer %d is %.80q", id, payload)
		}
	}
}

func TestAThousandSubscribersAllHearEverythingBesideAStuckOne(t *testing.T) {
	w := newWorld(t, nil)
	dial := smallSockets(w)
	const subscribers, writes = 1000, 20
	subscribe := func(i int) raw {
		c := dial()
		fmt.Fprint(c, frame(0x81, fmt.Sprintf(`{"tsSubCmds":[{"cmdId":%d,"entityType":"DEVICE","entityId":%q}]}`, i%7, device)))
		if _, payload := c.next(t); payload != dataFrame(i%7, `{}`, `{}`) {
			t.Fatalf("first frame %q", payload)
		}
		return c
	}
	subscribe(0) // and reads no more
	var done sync.WaitGroup
	clients := make([]raw, subscribers)
	for i := range clients {
		clients[i] = subscribe(i)
	}
	for i, c := range clients {
		done.Go(func() {
			for n := 0; n < writes; {
				_, payload, err := c.read()
				if err != nil {
					t.Error(err)
					return
				}
				want := dataFrame(i%7, fmt.Sprintf(`{"t":[[%d,"%s"]]}`, n, strings.Repeat("x", 1000)), fmt.Sprintf(`{"t":%d}`, n))
				if payload != want {
					t.Errorf("subscriber %d: frame %d is %.100q", i, n, payload)
					return
				}
				n++
			}
		})
	}
	for n := range writes {
		w.write(model.Timeseries, int64(n), "t", strings.Repeat("x", 1000))
	}
	done.Wait()
}

func TestOverTLSAConnectionWritesFromItsOwnGoroutine(t *testing.T) {
	w := newWorld(t, fixed)
	h := httptest.NewTLSServer(w.server)
	defer h.Close()
	ws, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(h.URL, "https")+"/api/ws?token=good", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: h.Client().Transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	c := &client{t, ws}
	c.subscribe("TIMESERIES", 1, "")
	c.wantData(1, `{}`, `{}`)
	for i := range 1000 {
		w.write(model.Timeseries, int64(i), "t", i)
	}
	for sum := 0; sum < 1000; {
		f := parse(t, c.receive())
		sum += f.Coalesced + len(f.Data["t"])
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	go func() { _ = w.server.Shutdown(ctx) }()
	c.wantClose(1012)
}

// Pongs of the library and updates of the hub meet on a socket that is full now and then: each
// frame stays whole, and every ping that is answered is answered with its own bytes.
func TestControlFramesNeverCutDataFrames(t *testing.T) {
	w := newWorld(t, nil)
	c := smallSockets(w)()
	fmt.Fprint(c, frame(0x81, fmt.Sprintf(`{"tsSubCmds":[{"cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, device)))
	c.next(t)
	const writes, pings = 2000, 2000
	ping := func(i int) string { return fmt.Sprintf("%0125d", i) }
	var done sync.WaitGroup
	defer done.Wait()
	done.Go(func() {
		for i := range pings {
			fmt.Fprint(c, frame(0x89, ping(i)))
		}
	})
	done.Go(func() {
		for i := range writes {
			w.write(model.Timeseries, int64(i), "t", fmt.Sprintf("%0400d", i))
		}
	})
	heard, ponged, last := 0, 0, -1
	for heard < writes || last < pings-1 {
		switch op, payload := c.next(t); op {
		case 0x8A:
			n, err := strconv.Atoi(payload)
			if err != nil || n <= last || payload != ping(n) {
				t.Fatalf("pong %q after %d", payload, last)
			}
			last = n
			ponged++
		case 0x81:
			f := parse(t, payload)
			heard += f.Coalesced + len(f.Data["t"])
		default:
			t.Fatalf("got %x %q", op, payload)
		}
	}
	t.Logf("%d pongs", ponged)
}

func TestNothingFollowsACloseFrame(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Limits.OutboxBytes = 4 << 10 })
	dial := smallSockets(w)
	var done sync.WaitGroup
	defer done.Wait()
	stop := make(chan struct{})
	defer close(stop)
	done.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.write(model.Timeseries, int64(i), "t", strings.Repeat("x", 2000))
			}
		}
	})
	for range 10 {
		c := dial()
		fmt.Fprint(c, frame(0x81, fmt.Sprintf(`{"tsSubCmds":[{"cmdId":1,"entityType":"DEVICE","entityId":%q}]}`, device)))
		for range 20 {
			c.next(t)
		}
		fmt.Fprint(c, frame(0x89, "ping")+frame(0x88, "\x03\xe8"))
		closed := false
		for {
			op, payload, err := c.read()
			if err != nil {
				break
			}
			if closed {
				t.Fatalf("after the close frame came %x %.40q", op, payload)
			}
			closed = op == 0x88
		}
		if !closed {
			t.Error("no close frame")
		}
	}
}
