package ws

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// An Access is what a command asks to see of an entity.
type Access uint8

// The accesses.
const (
	ReadTelemetry Access = iota
	ReadAttributes
)

// Deps is what a Server needs.
type Deps struct {
	Hub *subscriptions.Hub
	// Verify says who presents a token.
	Verify func(token string) (model.Principal, error)
	// Allow says whether p may see ref: NotFound for what is another tenant's, Denied for
	// what is another customer's. It is asked again for open subscriptions, so it must be
	// fast and do no I/O.
	Allow func(p model.Principal, a Access, ref model.EntityRef) (*model.Entity, error)
	// Window returns what an entity view shows; false when the id is no view's. It must be
	// fast and do no I/O. Nil means that there are no views.
	Window func(model.EntityID) (*model.Window, bool)
	// Entities answers the queries of ENTITY_DATA and its kin.
	Entities Entities
	// Current, asked every few seconds for each open session, returns the principal as it is
	// now, or an error when its session was revoked or its user is gone. Nil keeps what
	// Verify said: an open session outlives its token (contract 11.1).
	Current func(p model.Principal) (model.Principal, error)
	// TenantLimits returns what a tenant's profile allows. It must be fast and do no I/O. Nil
	// means that there are no limits but Limits.
	TenantLimits func(model.TenantID) *model.TenantLimits
	// Logins returns what hears how the login over the socket of r ends: with whom, or why not.
	// Nil means nobody does.
	Logins func(r *http.Request) func(model.Principal, error)
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means none
	Limits Limits
}

// Limits bounds what clients may take. Zero fields mean what their comments say.
type Limits struct {
	// Subscriptions is per session. Zero means 10,000. More close the socket with 1008.
	Subscriptions int
	// Followed bounds what the queries of a session follow: one for each entity shown and
	// each kind of key that is live. Zero means 40,000; more is refused with an error frame.
	Followed int
	// SessionsPerTenant and SessionsPerUser bound open sockets. Zero means no limit. One more
	// is closed with 1008.
	SessionsPerTenant int
	SessionsPerUser   int
	// Unauthenticated bounds sockets that have not shown a token yet. One more costs the oldest
	// of them its place: who means to log in does so at once, and a crowd of those who do not
	// keeps nobody out. Twice as many, those included that are about to be gone, are refused
	// with 503. Zero means 1,000.
	Unauthenticated int
	// OutboxBytes is what waits for a slow reader before its updates are merged. Zero means
	// 64 KiB.
	OutboxBytes int
	// HistoryPoints bounds one frame of history. Zero means 500,000.
	HistoryPoints int
	// Buckets bounds an aggregated history, as for REST. Zero means 700.
	Buckets int64
}

func (l Limits) withDefaults() Limits {
	l.Subscriptions = cmp.Or(l.Subscriptions, 10_000)
	l.Followed = cmp.Or(l.Followed, 40_000)
	l.Unauthenticated = cmp.Or(l.Unauthenticated, 1000)
	l.OutboxBytes = cmp.Or(l.OutboxBytes, 64<<10)
	l.HistoryPoints = cmp.Or(l.HistoryPoints, 500_000)
	l.Buckets = cmp.Or(l.Buckets, 700)
	return l
}

// maxText is the longest message a client may send (contract 11.2).
const maxText = 32768

// A Server answers /api/ws and /api/ws/plugins/telemetry. It owns one goroutine for each
// session, one for each socket that is full, the sweeper and the refresher, until Shutdown returns.
type Server struct {
	deps    Deps
	limits  Limits
	now     func() time.Time
	log     *slog.Logger
	buffers sync.Pool // of *bytes.Buffer, for messages

	refresher *refresher
	claims    sync.Mutex // whether a tenant's sockets may hold one more subscription

	ctx   context.Context // ends with Shutdown; bounds commands
	stop  context.CancelFunc
	again chan struct{} // capacity 1: somebody wants a recheck
	done  sync.WaitGroup

	mu struct {
		sync.Mutex
		closing  bool
		sessions map[*session]struct{}
		waiting  int // not authenticated yet
		// strangers are those of them that are not being closed for it, oldest first.
		strangers list.List
		// Open sockets of each:
		tenants   map[model.TenantID]int
		customers map[model.CustomerID]int
		holders   map[model.ID]int
	}
}

// New returns a server whose sweeper and refresher run until Shutdown.
func New(d Deps) *Server {
	s := &Server{deps: d, limits: d.Limits.withDefaults(), now: d.Now, log: d.Log, again: make(chan struct{}, 1)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.mu.sessions = make(map[*session]struct{})
	s.mu.tenants = make(map[model.TenantID]int)
	s.mu.customers = make(map[model.CustomerID]int)
	s.mu.holders = make(map[model.ID]int)
	s.refresher = newRefresher()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.done.Go(s.sweep)
	s.done.Go(s.refreshes)
	return s
}

// ServeHTTP upgrades the request and returns; the session goes on by itself. A socket that
// is to be closed for what its URL says is opened all the same, because a browser learns a
// close code but no HTTP status.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.reserve() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many connections or shutting down", http.StatusServiceUnavailable)
		return
	}
	x := newSession(s)
	socket, err := websocket.Accept(hijacker{w, x}, r, &websocket.AcceptOptions{
		// Whoever routes requests here has judged their origin, by the operator's list.
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil { // answered by Accept
		if x.conn.nc != nil {
			_ = x.conn.nc.Close()
		}
		s.leave(x)
		return
	}
	socket.SetReadLimit(maxText)
	x.socket = socket
	s.greet(x, r)
	s.enter(x)
	if len(x.early) > 0 {
		go x.run()
	} else {
		go x.park()
	}
}

// greet judges what the URL says.
func (s *Server) greet(x *session, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if !strings.HasSuffix(path, "/api/ws") && !strings.HasSuffix(path, "/api/ws/plugins/telemetry") {
		x.close(codeBadData, "Unknown endpoint")
		return
	}
	if s.deps.Logins != nil {
		x.told = s.deps.Logins(r)
	}
	if token := r.URL.Query().Get("token"); token != "" {
		x.login(token, codeBadToken)
	}
}

// login makes a session that of whoever a token is for, or closes it: with bad for a bad token.
func (s *session) login(token string, bad websocket.StatusCode) (ok bool) {
	p, err := s.server.deps.Verify(token)
	if err != nil {
		s.close(bad, "Invalid token")
	} else if err = s.server.admit(s, p); err != nil {
		s.close(codePolicy, model.MessageOf(err, "Max sessions limit reached!"))
	}
	if s.told != nil {
		s.told(p, err)
		s.told = nil
	}
	return err == nil
}

// reserve counts a socket in, before anything is allocated for it. The caller owes leave.
func (s *Server) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closing || s.mu.waiting >= 2*s.limits.Unauthenticated {
		return false
	}
	s.mu.waiting++
	s.done.Add(1)
	return true
}

// enter lets the sweeper and Shutdown find a session.
func (s *Server) enter(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.sessions[x] = struct{}{}
	if s.mu.closing {
		x.close(codeRestart, "Server is restarting")
	}
	x.mu.Lock()
	authenticated := x.mu.authenticated
	x.mu.Unlock()
	if authenticated {
		return
	}
	x.stranger = s.mu.strangers.PushBack(x)
	if s.mu.strangers.Len() > s.limits.Unauthenticated {
		oldest := s.mu.strangers.Front().Value.(*session)
		s.knownLocked(oldest)
		oldest.hasty.Store(true)
		oldest.close(codePolicy, "Too many sockets without a login")
	}
}

// knownLocked takes a session from the strangers.
func (s *Server) knownLocked(x *session) {
	if x.stranger != nil {
		s.mu.strangers.Remove(x.stranger)
		x.stranger = nil
	}
}

// admit makes a session one of p's, within the limits.
func (s *Server) admit(x *session, p model.Principal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayOpenLocked(p); err != nil {
		return err
	}
	s.mu.waiting--
	s.knownLocked(x)
	s.countLocked(p, 1)
	x.mu.Lock()
	x.mu.authenticated, x.mu.principal = true, p
	x.mu.Unlock()
	x.meter()
	return nil
}

// leave counts a socket out; it is the last thing done for it.
func (s *Server) leave(x *session) {
	defer s.done.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.sessions, x)
	s.knownLocked(x)
	x.mu.Lock()
	authenticated, p := x.mu.authenticated, x.mu.principal
	x.mu.Unlock()
	if !authenticated {
		s.mu.waiting--
		return
	}
	s.countLocked(p, -1)
}

// all returns the open sessions.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.mu.sessions))
	for x := range s.mu.sessions {
		list = append(list, x)
	}
	return list
}

// Sessions reports how many sockets are open.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.sessions)
}

// farewell is how long Shutdown waits for clients to answer a close. Of those who never do,
// because they lost their network, any server has some, and no restart should wait for them.
const farewell = 2 * time.Second

// Shutdown refuses new sockets, closes every open one with 1012 and waits until all are gone,
// but not longer than 2 s or until ctx ends: then it cuts those that are left and returns
// ctx's error, if any.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.mu.closing = true
	s.mu.Unlock()
	s.stop()
	for _, x := range s.all() {
		x.close(codeRestart, "Server is restarting")
	}
	gone := make(chan struct{})
	go func() {
		s.done.Wait()
		close(gone)
	}()
	patience := time.NewTimer(farewell)
	defer patience.Stop()
	select {
	case <-gone:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	for _, x := range s.all() {
		_ = x.conn.nc.Close()
	}
	<-gone
	return ctx.Err()
}

// buffer returns memory for one message.
func (s *Server) buffer() *bytes.Buffer {
	if b, ok := s.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

func (s *Server) release(b *bytes.Buffer) {
	b.Reset()
	s.buffers.Put(b)
}
