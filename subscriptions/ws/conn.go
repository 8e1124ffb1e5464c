package ws

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/tidewire/tidewire/subscriptions"
)

// writeTimeout is how long a reader may take nothing at all (contract 11.2).
const writeTimeout = 5 * time.Second

// A conn writes whole frames to a hijacked connection without ever waiting for it.
type conn struct {
	nc    net.Conn
	raw   syscall.RawConn // nil where writing may block (TLS): then only the drainer writes
	owner owner
	limit int // bytes that wait in the outbox before updates are merged
	// events is set before the first frame where they go out as server-sent events. It is
	// guarded by the lock.
	events *eventStream

	mu struct {
		sync.Mutex
		out    *outbox // nil while the socket takes everything
		held   *outbox // nil while updates are sent as they come
		room   chan struct{}
		last   bool // the close frame is on its way: nothing may follow it
		closed bool // nothing is written any more
		attempt
	}
}

// An owner runs the goroutine of an outbox and hears of a connection that is of no use.
type owner interface {
	spawn(func())
	stuck()  // the reader took nothing for writeTimeout
	broken() // writing failed
	// mayUpdate counts updates and reports whether they may be sent now. It must not block.
	mayUpdate(n int) bool
}

// An attempt is one write that does not park. Its function is made once for a connection,
// because one made for each write would be garbage.
type attempt struct {
	try func(fd uintptr) bool
	buf []byte
	n   int
	err error
}

func (c *conn) init(nc net.Conn, o owner, limit int) {
	c.nc, c.owner, c.limit = nc, o, limit
	if c.raw = rawConn(nc); c.raw != nil {
		a := &c.mu.attempt
		a.try = func(fd uintptr) bool {
			a.n, a.err = writeFD(fd, a.buf)
			return true // whatever came of it: never park
		}
	}
}

// send writes frames, or queues what the socket does not take now.
func (c *conn) send(frames []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendLocked(c.formLocked(frames))
}

// plain is send for bytes that are no frames.
func (c *conn) plain(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendLocked(b)
}

// formLocked makes of frames what goes over the connection.
func (c *conn) formLocked(frames []byte) []byte {
	if c.events == nil {
		return frames
	}
	return c.events.form(frames)
}

func (c *conn) sendLocked(frames []byte) {
	if c.mu.closed || c.mu.last {
		return
	}
	if c.mu.out == nil {
		n := c.writeLocked(frames)
		if n == len(frames) {
			return
		}
		c.spillLocked(frames[n:])
		return
	}
	c.mu.out.queue = append(c.mu.out.queue, frames...)
}

// update writes the frames that stand for updates of s; when too much waits already, the
// updates are merged into what waits for s.
func (c *conn) update(s origin, frames []byte, updates []subscriptions.Update) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.closed || c.mu.last:
	case c.mu.held != nil:
		c.mu.held.merge(s, updates)
	case !c.owner.mayUpdate(len(updates)):
		c.mu.held = new(outbox)
		c.mu.held.merge(s, updates)
		c.sendLocked(c.formLocked(tooManyUpdates(s)))
	default:
		c.updateLocked(s, frames, updates)
	}
}

// release sends of the updates that were kept back as many as the limit allows, merged into one
// for each subscription. They come back through it one second after the other.
func (c *conn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for held := c.mu.held; held != nil && !c.mu.closed && !c.mu.last; {
		if len(held.order) == 0 {
			c.mu.held = nil
			return
		}
		s := held.order[0]
		u := held.merged[s]
		if u != nil && !c.owner.mayUpdate(1) {
			return
		}
		held.order = held.order[1:]
		delete(held.merged, s)
		if u != nil { // its subscription has not ended
			c.updateLocked(s, s.Encoder().Frame(nil, s.ID(), s.Encoder().Body(nil, u)), []subscriptions.Update{*u})
		}
	}
}

func (c *conn) updateLocked(s origin, frames []byte, updates []subscriptions.Update) {
	if out := c.mu.out; out != nil && (out.merged[s] != nil || len(out.queue)+len(frames) > c.limit) {
		out.merge(s, updates)
		return
	}
	c.sendLocked(c.formLocked(frames))
}

// forget drops what is merged for a subscription that ended.
func (c *conn) forget(s origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.out != nil {
		delete(c.mu.out.merged, s)
	}
	if c.mu.held != nil {
		delete(c.mu.held.merged, s)
	}
}

// control takes a control frame of the library. When a lot waits, only the answer to the most
// recent ping does, which is enough (RFC 6455 5.5.3). A close frame is the last of all.
func (c *conn) control(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.mu.out
	switch op := frame[0] & 0xF; {
	case op == opPong && out != nil && len(out.queue) > c.limit:
		out.pong = append(out.pong[:0], frame...)
	case op == opClose:
		if len(frame) > 4 && !utf8.Valid(frame[4:]) { // the library repeats the reason it was given
			frame = appendClose(nil, codeBadData, "")
		}
		c.lastLocked(frame)
	default:
		c.sendLocked(frame)
	}
}

// last sends what nothing may follow.
func (c *conn) last(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastLocked(b)
}

func (c *conn) lastLocked(b []byte) {
	if out := c.mu.out; out != nil {
		out.merged, out.pong = nil, nil
	}
	c.sendLocked(b)
	c.mu.last = true
}

// ping sends a ping, unless something waits: then the drainer finds out about the reader.
func (c *conn) ping() {
	c.mu.Lock()
	idle := c.mu.out == nil
	c.mu.Unlock()
	switch {
	case !idle:
	case c.events != nil:
		c.plain([]byte(heartbeat))
	default:
		c.plain([]byte(pingFrame))
	}
}

// writeLocked writes what the socket takes at once and returns how much that was.
func (c *conn) writeLocked(b []byte) int {
	if c.raw == nil {
		return 0
	}
	a := &c.mu.attempt
	a.buf, a.n, a.err = b, 0, nil
	err := c.raw.Write(a.try)
	a.buf = nil
	if err == nil {
		err = a.err
	}
	if err != nil {
		c.mu.closed = true
		c.owner.broken()
		return len(b)
	}
	return a.n
}

// spillLocked starts an outbox and the goroutine that drains it.
func (c *conn) spillLocked(rest []byte) {
	c.mu.out = &outbox{queue: append([]byte(nil), rest...)}
	c.owner.spawn(c.drain)
}

// drain is the goroutine of an outbox. It ends with it.
func (c *conn) drain() {
	for {
		chunk := c.next()
		if chunk == nil {
			return
		}
		for len(chunk) > 0 {
			n, err := c.push(chunk[:min(len(chunk), 16<<10)])
			if chunk = chunk[n:]; err == nil {
				continue
			}
			_ = c.cut() // whoever reads hears of it
			if isTimeout(err) {
				c.owner.stuck()
			} else {
				c.owner.broken()
			}
			return
		}
	}
}

// push writes b in its own time, as long as some of it is taken every writeTimeout.
func (c *conn) push(b []byte) (n int, err error) {
	for n < len(b) {
		if err := c.nc.SetWriteDeadline(c.patience()); err != nil {
			return n, err
		}
		k, err := c.nc.Write(b[n:])
		n += k
		if k > 0 && isTimeout(err) {
			continue
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// patience returns until when the next bytes have to be taken.
func (c *conn) patience() time.Time {
	until := time.Now().Add(writeTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	if out := c.mu.out; out != nil && !out.until.IsZero() && out.until.Before(until) {
		return out.until
	}
	return until
}

// next returns what is to be written now, or nil when the outbox is drained and gone.
func (c *conn) next() []byte {
	chunk, last := c.take()
	if last {
		_ = c.cut() // everything is said
	}
	return chunk
}

// take empties the outbox, or ends it when there is nothing in it. It reports whether the
// socket was only open for its sake.
func (c *conn) take() (chunk []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil, false
	}
	chunk = c.mu.out.take(c.formLocked)
	if c.mu.room != nil {
		close(c.mu.room)
		c.mu.room = nil
	}
	if chunk != nil {
		return chunk, false
	}
	last = !c.mu.out.until.IsZero()
	c.mu.out = nil
	// A deadline left behind would fail the next write that does not park.
	if err := c.nc.SetWriteDeadline(time.Time{}); err != nil {
		c.mu.closed = true
	}
	return nil, last
}

// room returns a channel that is closed when there is room for answers again, or nil when
// there is.
func (c *conn) room() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed || c.mu.out == nil || len(c.mu.out.queue) <= c.limit {
		return nil
	}
	if c.mu.room == nil {
		c.mu.room = make(chan struct{})
	}
	return c.mu.room
}

// end closes the socket. A close frame that still waits gets writeTimeout to go out first.
func (c *conn) end() error {
	c.mu.Lock()
	lingers := c.mu.last && !c.mu.closed && c.mu.out != nil
	if lingers {
		c.mu.out.until = time.Now().Add(writeTimeout)
	}
	c.mu.Unlock()
	if lingers {
		return nil
	}
	return c.cut()
}

// How long a client is waited for that was told why it is closed: until it has answered, and
// where its answer could not be told, until it has heard.
const (
	closeTimeout  = 8 * time.Second
	lingerTimeout = time.Second
	lingerBytes   = 1 << 20
)

// linger lets a close frame reach a client that may still be sending: a socket that is closed
// while there is something to read is reset, and with it goes what the client has not read yet.
func (c *conn) linger() {
	c.mu.Lock()
	said := c.mu.out == nil && !c.mu.closed
	c.mu.Unlock()
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && said {
		_ = half.CloseWrite() // it fails when the client is gone
	}
	if c.nc.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.nc, lingerBytes))
	}
}

// cut closes the socket at once. The lock is not held meanwhile: over TLS closing writes, and
// may take its time.
func (c *conn) cut() error {
	c.mu.Lock()
	c.mu.closed = true
	if c.mu.room != nil {
		close(c.mu.room)
		c.mu.room = nil
	}
	c.mu.Unlock()
	return c.nc.Close()
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
