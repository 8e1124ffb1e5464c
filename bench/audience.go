package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// An audience is open sockets of one peer and what they have received. Its client is the same
// for all peers: a goroutine a socket that reads frames and counts what is in them.
type audience struct {
	peer     *livePeer
	sockets  []*socket
	received atomic.Int64 // updates, those included that newer ones superseded on their way
	merged   atomic.Int64 // of them, superseded
	turned   atomic.Int64 // away, while there were too many at once; they came again
	timing   atomic.Pointer[timing]
	want     atomic.Pointer[string] // what every frame must contain; nil asks for nothing
	wrong    atomic.Int64           // frames that did not
}

// A socket is one of an audience. All but the connection belong to its goroutine.
type socket struct {
	conn   net.Conn
	r      *bufio.Reader
	topic  int
	timing *timing
	seen   int // updates since timing
}

// slots is how many sockets are on their way of being opened at once.
const slots = 256

// gather opens a socket for each topic of the list, waits until each is subscribed and goes on
// reading. Of the sockets, the first stuck ones take what answers them and then read no more.
func (p *livePeer) gather(ctx context.Context, topics []int, stuck int) (*audience, error) {
	a := &audience{peer: p, sockets: make([]*socket, len(topics))}
	errs := make(chan error, len(topics))
	free := make(chan struct{}, slots)
	for i, topic := range topics {
		free <- struct{}{}
		go func() {
			s, err := a.open(ctx, topic, i < stuck)
			a.sockets[i] = s
			<-free
			errs <- err
			if err == nil && i >= stuck {
				a.read(s)
			}
		}()
	}
	var all []error
	for range topics {
		all = append(all, <-errs)
	}
	if err := errors.Join(all...); err != nil {
		a.leave()
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return a, nil
}

// leave closes every socket.
func (a *audience) leave() {
	for _, s := range a.sockets {
		if s != nil {
			s.conn.Close()
		}
	}
}

var errTurnedAway = errors.New("too many at once")

// open opens one socket. Who is turned away comes again.
func (a *audience) open(ctx context.Context, topic int, stuck bool) (*socket, error) {
	d := net.Dialer{}
	if stuck { // so that little fits into the kernel on its behalf
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}
	}
	for {
		conn, err := d.DialContext(ctx, "tcp", a.peer.server.addr)
		if err != nil {
			return nil, err
		}
		s := &socket{conn: conn, r: bufio.NewReaderSize(conn, 1024), topic: topic}
		err = s.handshake(a.peer.path(topic), a.peer.hello(topic))
		if err == nil {
			err = a.begin(s)
		}
		if err == nil {
			return s, nil
		}
		conn.Close()
		if !errors.Is(err, errTurnedAway) {
			return nil, err
		}
		a.turned.Add(1)
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// handshake upgrades the connection (RFC 6455 4.1) and sends hello as one masked text frame.
func (s *socket) handshake(path, hello string) error {
	fmt.Fprintf(s.conn, "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	status, err := s.r.ReadString('\n')
	switch {
	case err != nil:
		return err
	case strings.Contains(status, " 503 "):
		return errTurnedAway
	case !strings.Contains(status, " 101 "):
		return fmt.Errorf("handshake: %s", strings.TrimSpace(status))
	}
	for line := status; strings.TrimSpace(line) != ""; {
		if line, err = s.r.ReadString('\n'); err != nil {
			return err
		}
	}
	if hello == "" {
		return nil
	}
	var head []byte // the mask of zeros changes nothing
	if n := len(hello); n < 126 {
		head = []byte{0x81, 0x80 | byte(n), 0, 0, 0, 0}
	} else {
		head = []byte{0x81, 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0}
	}
	_, err = s.conn.Write(append(head, hello...))
	return err
}

// begin reads until the socket is subscribed, and checks what that shows.
func (a *audience) begin(s *socket) error {
	want := a.peer.current
	for {
		payload, err := s.frame()
		if err != nil {
			return err
		}
		if a.peer.begun(payload) {
			if want != "" && !bytes.Contains(payload, []byte(want)) {
				return fmt.Errorf("%s is missing in the first frame %.300s", want, payload)
			}
			return nil
		}
	}
}

// read counts frames until the connection ends.
func (a *audience) read(s *socket) {
	for {
		payload, err := s.frame()
		if err != nil {
			return // closed by us, or as a slow reader
		}
		updates, merged := a.peer.count(payload)
		if updates == 0 {
			continue
		}
		if want := a.want.Load(); want != nil && !bytes.Contains(payload, []byte(*want)) {
			a.wrong.Add(1)
		}
		if t := a.timing.Load(); t != nil {
			if t != s.timing {
				s.timing, s.seen = t, 0
			}
			for range updates {
				t.arrived(s.topic, s.seen)
				s.seen++
			}
		}
		a.merged.Add(int64(merged))
		a.received.Add(int64(updates))
	}
}

// frame returns the payload of the next text frame (RFC 6455 5.2), which is good until the
// next call.
func (s *socket) frame() ([]byte, error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(s.r, head[:2]); err != nil {
			return nil, err
		}
		opcode, n := head[0]&15, int(head[1])
		switch n {
		case 126:
			if _, err := io.ReadFull(s.r, head[:2]); err != nil {
				return nil, err
			}
			n = int(binary.BigEndian.Uint16(head[:]))
		case 127:
			if _, err := io.ReadFull(s.r, head[:8]); err != nil {
				return nil, err
			}
			n = int(binary.BigEndian.Uint64(head[:]))
		}
		payload, err := s.take(n)
		switch {
		case err != nil:
			return nil, err
		case opcode == 8:
			return nil, fmt.Errorf("closed: %q", payload)
		case opcode == 9: // of a server that wants to know whether we live: a pong, masked with zeros
			if _, err := s.conn.Write([]byte("\x8a\x80\x00\x00\x00\x00")); err != nil {
				return nil, err
			}
		case opcode == 1:
			return payload, nil
		}
	}
}

// take returns the next n bytes.
func (s *socket) take(n int) ([]byte, error) {
	if n > s.r.Size() {
		b := make([]byte, n)
		_, err := io.ReadFull(s.r, b)
		return b, err
	}
	b, err := s.r.Peek(n)
	if err == nil {
		_, err = s.r.Discard(n) // what was peeked stays in the buffer until the next read
	}
	return b, err
}

// await waits until want updates have arrived.
func (a *audience) await(ctx context.Context, want int64) error {
	last, changed := a.received.Load(), time.Now()
	for {
		n := a.received.Load()
		switch {
		case n >= want:
			return nil
		case n != last:
			last, changed = n, time.Now()
		case time.Since(changed) > 10*time.Second:
			return fmt.Errorf("%s: %d of %d updates arrived", a.peer.name, n, want)
		}
		if err := pause(ctx, 50*time.Microsecond); err != nil {
			return err
		}
	}
}

// A timing knows when updates were published and how long each took to arrive.
type timing struct {
	begin time.Time
	per   int            // updates a topic at most
	sent  []atomic.Int64 // ns since begin, of each update of each topic
	waits []atomic.Int32 // how many took so many steps
}

// waitStep is how exact waits are known; whatever takes four seconds takes forever.
const waitStep = 20 * time.Microsecond

func newTiming(topics, per int) *timing {
	return &timing{begin: time.Now(), per: per, sent: make([]atomic.Int64, topics*per), waits: make([]atomic.Int32, 4*time.Second/waitStep)}
}

func (t *timing) published(topic, n int) { t.sent[topic*t.per+n].Store(int64(time.Since(t.begin))) }

func (t *timing) arrived(topic, n int) {
	wait := time.Since(t.begin) - time.Duration(t.sent[topic*t.per+n].Load())
	t.waits[min(int(wait/waitStep), len(t.waits)-1)].Add(1)
}

// quantile returns what share q of the updates took at most.
func (t *timing) quantile(q float64) time.Duration {
	var total, sum int64
	for i := range t.waits {
		total += int64(t.waits[i].Load())
	}
	for i := range t.waits {
		if sum += int64(t.waits[i].Load()); float64(sum) >= q*float64(total) {
			return time.Duration(i+1) * waitStep
		}
	}
	return 0
}

// coalesced returns the number that a frame of Tidewire says it stands for beside what it shows.
func coalesced(payload []byte) int {
	const name = `,"coalesced":`
	tail := payload[max(0, len(payload)-40):]
	_, digits, found := bytes.Cut(tail, []byte(name))
	if !found {
		return 0
	}
	n, err := strconv.Atoi(string(bytes.TrimSuffix(digits, []byte("}"))))
	if err != nil {
		return 0
	}
	return n
}
