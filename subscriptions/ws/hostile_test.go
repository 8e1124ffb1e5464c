package ws

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/internal/wstest"
)

// A crowd that shows no token pushes out its own oldest: who logs in at once always gets in.
func TestACrowdWithoutALoginKeepsNobodyOut(t *testing.T) {
	_, addr := listening(t, func(d *Deps) { fixed(d); d.Limits.Unauthenticated = 4 })
	dial := func() peer {
		c, err := wstest.Dial(addr, "/api/ws")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Conn.Close() })
		return peer{c, t}
	}
	const rounds = 40
	var crowd, users []peer
	for i := range rounds {
		stranger := dial()
		// Who came first is who is served first, which may be later than the handshake.
		stranger.send(wstest.Frame{Op: wstest.Ping, Payload: "x"}.Bytes())
		stranger.want(wstest.Pong, "x")
		crowd = append(crowd, stranger)
		user := dial()
		user.send(wstest.Message(strings.Replace(echo(i, "in"), "{", `{"authCmd":{"cmdId":0,"token":"good"},`, 1)))
		user.wantEcho(i, "in")
		users = append(users, user)
	}
	for i, c := range crowd[:rounds-4] {
		c.wantCode(fmt.Sprintf("stranger %d", i), 1008)
	}
	for i, user := range users {
		user.send(wstest.Message(echo(i, "still")))
		user.wantEcho(i, "still")
	}
}

// A message that was begun has to end, however steadily it trickles in.
func TestAMessageThatTakesTooLongIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		nc, stop := bubbled(t, w)
		defer stop()
		c := handshake(t, nc, "")
		begun := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			fmt.Fprint(c, string(wstest.Frame{Op: wstest.Text, More: true, Payload: "{"}.Bytes()))
			for range 100 {
				<-time.After(time.Second)
				if _, err := c.Write(wstest.Frame{Op: wstest.Continuation, More: true, Payload: " "}.Bytes()); err != nil {
					return
				}
			}
		}()
		if code, err := c.Closed(); code != 1008 || err != nil {
			t.Errorf("closed with %d, %v", code, err)
		}
		if d := time.Since(begun); d < 30*time.Second || d > 32*time.Second {
			t.Errorf("after %v", d)
		}
		c.Close()
		<-ended
	})
}

// A client that promises a gigabyte, is told that it is too much, and says no more, is not
// waited for; nor is one that is closed for another reason within such a frame.
func TestTheRestOfAFrameIsNotWaitedFor(t *testing.T) {
	for what, payload := range map[string]string{"too long": strings.Repeat(" ", 32769), "begun": " "} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			nc, stop := bubbled(t, w)
			defer stop()
			c := handshake(t, nc, "")
			go func() {
				_, _ = c.Write(wstest.Frame{Op: wstest.Text, Length: 1 << 30, Payload: payload}.Bytes())
			}()
			for { // the close frame, which is not answered
				op, _, err := c.Next()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if op == wstest.Close {
					break
				}
			}
			told := time.Now()
			if _, _, err := c.Next(); err == nil {
				t.Errorf("%s: something follows the close", what)
			}
			if d := time.Since(told); d > closeTimeout {
				t.Errorf("%s: ended %v after it was told so", what, d)
			}
			synctest.Wait()
			if n := w.server.Sessions(); n != 0 {
				t.Errorf("%s: %d sessions are left", what, n)
			}
			c.Close()
		})
	}
}

// bubbled serves over in-memory connections and opens one.
func bubbled(t *testing.T, w *world) (nc net.Conn, stop func()) {
	p := newPipes()
	h := &http.Server{Handler: w.server}
	go h.Serve(p)
	nc, err := p.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return nc, func() { h.Close() }
}

// A socket that has answered a ping waits in park again, whose stack is small.
func TestASocketThatAnsweredAPingIsIdleAgain(t *testing.T) {
	w, addr := listening(t, fixed)
	p := connect(t, addr)
	parked := func() int {
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*session).park(")
	}
	p.send(wstest.Message(echo(1, "first")))
	p.wantEcho(1, "first")
	for i := range 20 {
		for _, s := range w.server.all() {
			s.conn.ping()
		}
		p.want(wstest.Ping, "")
		answer := wstest.Frame{Op: wstest.Pong}.Bytes()
		if i%2 == 1 {
			if err := p.Chop(answer); err != nil {
				t.Fatal(err)
			}
		} else {
			p.send(answer)
		}
		idle := false // it may read the answer between two looks
		for range 10_000 {
			if idle = parked() == 1; idle {
				break
			}
			<-time.After(time.Millisecond)
		}
		if !idle {
			t.Fatalf("after %d pings it waits elsewhere", i+1)
		}
	}
	p.send(wstest.Frame{Op: wstest.Pong, Payload: "x"}.Bytes(), wstest.Frame{Op: wstest.Pong}.Bytes(), wstest.Message(echo(2, "last")))
	p.wantEcho(2, "last")
}

// A thousand subscriptions that come and go leave nothing behind.
func TestSubscribingInCirclesLeavesNothing(t *testing.T) {
	w, addr := listening(t, fixed)
	p := connect(t, addr)
	for round := range 100 {
		for id := range 10 {
			p.send(wstest.Message(echo(id, "key")))
			p.wantEcho(id, "key")
		}
		p.send(wstest.Message(fmt.Sprintf(`{"tsSubCmds":[{"cmdId":%d,"entityType":"DEVICE","entityId":%q,"unsubscribe":true}]}`, round%10, device)))
		if round%10 == 9 {
			p.send(wstest.Message(`{"tsSubCmds":[{"cmdId":1,"entityId":"","unsubscribe":true}]}`))
			p.send(wstest.Message(echo(77, "last"))) // so that all before it is done
			p.wantEcho(77, "last")
			if n := w.hub.Stats().Subscriptions; n != 1 {
				t.Fatalf("%d subscriptions are left in round %d", n, round)
			}
		}
	}
	p.send(wstest.CloseFrame(1000, ""))
	p.wantCode("the end", 1000)
	if _, err := io.ReadAll(p.Conn); err != nil {
		t.Error(err)
	}
}
