package ws

import (
	"bufio"
	"net"
	"net/http"
)

// The buffers of an idle connection; net/http brings 4 KiB each way. What is longer is read
// and written past them.
const (
	readBuffer  = 64
	writeBuffer = 16
)

// A hijacker hands the library a connection whose writes are ours, and small buffers.
type hijacker struct {
	http.ResponseWriter
	session *session
}

// Hijack implements http.Hijacker.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, old, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w := &wire{Conn: nc, session: h.session}
	if n := old.Reader.Buffered(); n > 0 { // frames sent together with the request
		early, _ := old.Reader.Peek(n)
		h.session.early = append([]byte(nil), early...)
	}
	h.session.attach(nc)
	h.session.buffered = bufio.NewReaderSize(w, readBuffer)
	return w, bufio.NewReadWriter(h.session.buffered, bufio.NewWriterSize(w, writeBuffer)), nil
}

// A wire is the connection as the library sees it.
type wire struct {
	net.Conn
	session *session
	part    []byte // of a control frame that the library writes in pieces
}

// Read reads from the socket and notes that the client is alive.
func (w *wire) Read(b []byte) (int, error) {
	if early := w.session.early; len(early) > 0 {
		n := copy(b, early)
		if w.session.early = early[n:]; n == len(early) {
			w.session.early = nil
		}
		return n, nil
	}
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.session.heard()
	}
	return n, err
}

// Write takes the control frames of the library, the only ones it writes, and never waits. A
// frame is passed on when it is whole: two bytes of header, of which the second is the length
// (RFC 6455 5.5), and the rest.
func (w *wire) Write(b []byte) (int, error) {
	w.part = append(w.part, b...)
	for len(w.part) >= 2 {
		n := 2 + int(w.part[1])
		if len(w.part) < n {
			return len(b), nil
		}
		w.session.conn.control(w.part[:n])
		w.part = w.part[n:]
	}
	if len(w.part) == 0 {
		w.part = nil
	}
	return len(b), nil
}

// Close ends writing before the socket goes.
func (w *wire) Close() error { return w.session.conn.end() }
