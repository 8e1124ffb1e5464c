package ws

import (
	"bufio"
	"bytes"
	"cmp"
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/ratelimit"
	"github.com/tidewire/tidewire/subscriptions"
)

// The close codes of contract 11.2.
const (
	codeBadData  = websocket.StatusInvalidFramePayloadData // 1007
	codePolicy   = websocket.StatusPolicyViolation         // 1008
	codeBadToken = websocket.StatusInternalError           // 1011
	codeRestart  = websocket.StatusServiceRestart          // 1012
	codeTimeout  = websocket.StatusCode(4500)
)

// A session is one open socket. It has one goroutine at a time, park or run, owned by the
// server, which reads and carries out commands until the socket is closed; nobody else calls
// the library.
type session struct {
	server   *Server
	socket   *websocket.Conn
	buffered *bufio.Reader // of the library, to see whether it has read ahead
	early    []byte        // what net/http had read ahead
	conn     conn
	ready    func(fd uintptr) bool

	begun    int64        // ms
	heardAt  atomic.Int64 // ms; when the client last sent anything
	busy     atomic.Bool  // nobody reads while a message is carried out, pongs least of all
	pingedAt int64        // ms; of the sweeper alone
	sinceAt  atomic.Int64 // ms; when the message being read began, zero between messages
	verdict  atomic.Pointer[verdict]
	hasty    atomic.Bool   // the close frame is not waited to be answered
	halfway  bool          // reading ended within a message; of the goroutine alone
	stranger *list.Element // in the server's list, and under its lock; nil once it has logged in
	followed atomic.Int64  // followers of all queries
	updates  atomic.Pointer[meter]
	commands *ratelimit.Bucket
	told     func(model.Principal, error) // hears of the login; nil once there was one

	mu struct {
		sync.Mutex
		authenticated bool
		principal     model.Principal
		subs          []*subscription // sorted by id
		queries       []*query
		claimed       int // subscriptions and queries that are being made
		cancel        context.CancelFunc
		ended         bool
	}
}

// A verdict is why the server closes a socket. The first one counts.
type verdict struct {
	code   websocket.StatusCode
	reason string
}

// A subscription is one the client holds, with what is asked again while it is open.
type subscription struct {
	hub    *subscriptions.Subscription
	ref    model.EntityRef
	access Access
	window *model.Window // what it shows of its entity; nil unless that is a view
}

func newSession(s *Server) *session {
	x := &session{server: s}
	x.begun = s.now().UnixMilli()
	x.heardAt.Store(x.begun)
	return x
}

// attach takes over the hijacked connection.
func (s *session) attach(nc net.Conn) {
	s.conn.init(nc, s, s.server.limits.OutboxBytes)
	tune(nc)
	if s.conn.raw != nil {
		s.ready = readable
	}
}

func (s *session) heard() { s.heardAt.Store(s.server.now().UnixMilli()) }

// spawn, stuck and broken make a session the owner of its conn.
func (s *session) spawn(f func())          { s.server.done.Go(f) }
func (s *session) now() time.Time          { return s.server.now() }
func (s *session) stuck()                  { s.close(codeTimeout, "Send timed out") }
func (s *session) broken()                 { s.close(websocket.StatusAbnormalClosure, "") }
func (s *session) hub() *subscriptions.Hub { return s.server.deps.Hub }

// Open implements subscriptions.Sink.
func (s *session) Open(_ *subscriptions.Subscription, frame []byte) { s.conn.send(frame) }

// Update implements subscriptions.Sink.
func (s *session) Update(x *subscriptions.Subscription, frames []byte, updates []subscriptions.Update) {
	s.conn.update(x, frames, updates)
}

// Lost implements subscriptions.Sink: the client reconnects, subscribes again and so gets
// what could not be told.
func (s *session) Lost(*subscriptions.Subscription) { s.close(codeRestart, "Updates were lost") }

// close asks the session's goroutine to close the socket. It never waits and may be called
// from anywhere.
func (s *session) close(code websocket.StatusCode, reason string) {
	if !s.verdict.CompareAndSwap(nil, &verdict{code, reason}) {
		return
	}
	s.mu.Lock()
	if s.mu.cancel != nil {
		s.mu.cancel()
	}
	s.mu.Unlock()
	// Wakes the read that the goroutine is parked in; it fails only when the socket is gone.
	_ = s.conn.nc.SetReadDeadline(time.Unix(1, 0))
}

// park waits until there is something to read and hands over to run. It is the goroutine of
// an idle session, and nothing but that: one that had carried out a command would keep the
// stack it needed for that, at least four kilobytes where this one has two.
func (s *session) park() {
	if s.conn.raw != nil && s.verdict.Load() == nil {
		_ = s.conn.raw.Read(s.ready) // run will meet the error, too
	}
	go s.run()
}

// run reads and carries out what there is, then lets park wait for more, until the socket or
// the server ends it.
func (s *session) run() {
	for s.verdict.Load() == nil {
		if err := s.next(); err != nil {
			s.finish(err)
			return
		}
		if s.conn.raw != nil && s.buffered.Buffered() == 0 && len(s.early) == 0 {
			go s.park()
			return
		}
	}
	s.finish(nil)
}

// finish ends a session whose reading ended with err.
func (s *session) finish(err error) {
	s.end()
	s.bye(err)
	s.server.leave(s)
}

// pongHeader begins the answer to our pings, which are empty; a mask of four bytes follows.
const pongHeader = "\x8A\x80"

// next reads one message and carries it out. A pong to one of our pings counts as one: the
// library would take it and read on, and every idle socket that was ever pinged would wait in
// there, with a stack several times that of park.
func (s *session) next() error {
	if h, err := s.buffered.Peek(len(pongHeader)); err == nil && string(h) == pongHeader {
		_, err := s.buffered.Discard(len(pongHeader) + 4)
		return err
	}
	kind, r, err := s.socket.Reader(context.Background())
	if err != nil {
		return err
	}
	return s.message(kind, r)
}

// message reads one message and carries it out.
func (s *session) message(kind websocket.MessageType, r io.Reader) error {
	buf := s.server.buffer()
	defer s.server.release(buf)
	defer s.busy.Store(false)
	defer s.heard()
	s.sinceAt.Store(s.now().UnixMilli())
	_, err := buf.ReadFrom(r)
	s.sinceAt.Store(0)
	if err != nil {
		s.halfway = true
		return err
	}
	s.busy.Store(true)
	switch {
	case kind != websocket.MessageText:
		s.close(websocket.StatusUnsupportedData, "Text messages only")
	case !utf8.Valid(buf.Bytes()):
		s.close(codeBadData, "Text is no UTF-8")
	default:
		s.text(buf)
	}
	return nil
}

func (s *session) text(buf *bytes.Buffer) {
	m, err := thingsboard.ParseWS(buf.Bytes())
	s.mu.Lock()
	authenticated := s.mu.authenticated
	s.mu.Unlock()
	if !authenticated {
		switch {
		case err != nil:
			s.close(codeBadData, model.MessageOf(err, "Failed to parse the payload"))
			return
		case !m.HasAuth:
			s.close(codePolicy, "Auth cmd is missing")
			return
		}
		if !s.login(m.Token, codeBadData) {
			return
		}
	}
	if err != nil {
		s.conn.send(appendText(nil, thingsboard.AppendWSParseError(nil)))
		return
	}
	for i := range m.Commands {
		if s.waitRoom(); s.verdict.Load() != nil {
			return
		}
		s.command(&m.Commands[i])
	}
}

// waitRoom makes a client that does not read its answers wait for the next one: it is its
// own reader that it slows down.
func (s *session) waitRoom() {
	for room := s.conn.room(); room != nil; room = s.conn.room() {
		ctx, cancel := context.WithCancel(s.server.ctx)
		stop := s.stoppable(cancel)
		select {
		case <-room:
		case <-ctx.Done():
		}
		stop()
		if s.verdict.Load() != nil || s.server.ctx.Err() != nil {
			return
		}
	}
}

// stoppable lets close call cancel until the returned function is called.
func (s *session) stoppable(cancel context.CancelFunc) (stop func()) {
	s.mu.Lock()
	s.mu.cancel = cancel
	s.mu.Unlock()
	if s.verdict.Load() != nil { // it came before there was something to cancel
		cancel()
	}
	return func() {
		s.mu.Lock()
		s.mu.cancel = nil
		s.mu.Unlock()
		cancel()
	}
}

// end takes the session out of everything that could write to it.
func (s *session) end() {
	s.mu.Lock()
	s.mu.ended = true
	subs := s.mu.subs
	s.mu.subs = nil
	queries := s.mu.queries
	s.mu.queries = nil
	s.mu.Unlock()
	for _, x := range subs {
		s.hub().Unsubscribe(x.hub)
	}
	for _, q := range queries {
		q.stop()
	}
}

// bye closes the socket with the verdict, or as what reading ended with demands.
func (s *session) bye(err error) {
	v := s.verdict.Load()
	garbled := false
	if v == nil {
		v = &verdict{websocket.StatusAbnormalClosure, ""}
		if errors.Is(err, websocket.ErrMessageTooBig) {
			v.code, garbled = websocket.StatusMessageTooBig, true
		} else if websocket.CloseStatus(err) == -1 && !isTransport(err) {
			v.code, garbled = websocket.StatusProtocolError, true
		}
	}
	switch {
	case v.code == websocket.StatusAbnormalClosure:
		_ = s.socket.CloseNow()
	case garbled || s.halfway:
		// What else comes is no frame from its beginning, so no answer can be told from it.
		s.conn.control(appendClose(nil, v.code, v.reason)) // dropped where the library has said so already
		s.conn.linger()
		_ = s.socket.CloseNow()
	case s.hasty.Load():
		s.conn.control(appendClose(nil, v.code, v.reason))
		_ = s.socket.CloseNow()
	default:
		_ = s.conn.nc.SetReadDeadline(time.Time{})
		// The library waits five seconds for the header of a frame, and for ever for its payload.
		cut := time.AfterFunc(closeTimeout, func() { _ = s.conn.cut() })
		_ = s.socket.Close(v.code, v.reason) // the client may be gone; there is nobody to tell
		cut.Stop()
	}
}

// isTransport reports whether err is of the connection and not of what came over it.
func isTransport(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// put notes a subscription, unless it could not be made. It reports false when the session ended
// meanwhile.
func (s *session) put(x *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placedLocked()
	if s.mu.ended || x.hub == nil {
		return false
	}
	at, _ := s.findLocked(x.hub.ID())
	s.mu.subs = slices.Insert(s.mu.subs, at, x)
	return true
}

// drop ends the subscription of an id, if there is one.
func (s *session) drop(id int64) {
	s.mu.Lock()
	at, found := s.findLocked(id)
	var x *subscription
	if found {
		x = s.mu.subs[at]
		s.mu.subs = slices.Delete(s.mu.subs, at, at+1)
	}
	s.mu.Unlock()
	if found {
		s.stop(x)
	}
}

// dropAll ends every subscription of the session.
func (s *session) dropAll() {
	s.mu.Lock()
	subs := s.mu.subs
	s.mu.subs = nil
	queries := s.mu.queries
	s.mu.queries = nil
	s.mu.Unlock()
	for _, x := range subs {
		s.stop(x)
	}
	for _, q := range queries {
		q.stop()
	}
}

// stop ends a subscription that is no longer in subs.
func (s *session) stop(x *subscription) {
	s.hub().Unsubscribe(x.hub)
	s.conn.forget(x.hub)
}

func (s *session) findLocked(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.mu.subs, id, func(x *subscription, id int64) int { return cmp.Compare(x.hub.ID(), id) })
}

// count returns how many subscriptions and queries there are, and are being made.
func (s *session) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.subs) + len(s.mu.queries) + s.mu.claimed
}

// recheck asks again whether the subscriptions are allowed and ends those that are not.
func (s *session) recheck() {
	s.mu.Lock()
	if !s.mu.authenticated || s.mu.ended {
		s.mu.Unlock()
		return
	}
	p := s.mu.principal
	subs := slices.Clone(s.mu.subs)
	s.mu.Unlock()

	if current := s.server.deps.Current; current != nil {
		now, err := current(p)
		if err != nil || now.User != p.User || now.Tenant != p.Tenant {
			s.close(codePolicy, "Session is no longer valid")
			return
		}
		s.mu.Lock()
		p, s.mu.principal = now, now
		s.mu.Unlock()
	}
	s.meter()
	s.recheckQueries(p)
	for _, x := range subs {
		if err := s.still(p, x); err != nil && s.dropExactly(x) {
			s.fail(&thingsboard.WSCommand{ID: x.hub.ID()}, err)
		}
	}
}

// still returns an error when p may not see (any more) what x shows.
func (s *session) still(p model.Principal, x *subscription) error {
	_, err := s.server.deps.Allow(p, x.access, x.ref)
	if err == nil && x.window != nil && s.server.window(x.ref.ID) != x.window {
		err = model.Errorf(model.Conflict, "Entity view was changed, please subscribe again!")
	}
	return err
}

// dropExactly ends x unless another one took its id, and reports whether it did.
func (s *session) dropExactly(x *subscription) bool {
	s.mu.Lock()
	at, found := s.findLocked(x.hub.ID())
	found = found && s.mu.subs[at] == x
	if found {
		s.mu.subs = slices.Delete(s.mu.subs, at, at+1)
	}
	s.mu.Unlock()
	if found {
		s.stop(x)
	}
	return found
}
