package api

import (
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tidewire/tidewire/model"
)

// Requests that no handler sees (a bad token, a limit over time, a foreign page) and logins of
// sockets stand in the audit log like everything else, but not each of them: whoever floods the
// server must not fill its log. Of one kind, from one address and by one user, there is one entry in
// refusalEvery, and of all together no more than maxRefusals, of strangers and of known callers
// each, so that strangers crowd out nobody.
const (
	refusalEvery = 10 * time.Minute
	maxRefusals  = 256
)

// A refusal is what repeats itself.
type refusal struct {
	address netip.Prefix
	kind    model.Kind
	who     model.ID // user, token, device; zero for strangers
}

// refusals remember what was noted lately.
type refusals struct {
	mu      sync.Mutex
	seen    map[refusal]int64 // when it was noted, ms
	skipped atomic.Uint64
}

// first reports whether r is to be noted at now.
func (l *refusals) first(r refusal, now int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	every := refusalEvery.Milliseconds()
	if at, ok := l.seen[r]; ok && now-at < every {
		l.skipped.Add(1)
		return false
	}
	if len(l.seen) >= maxRefusals {
		for old, at := range l.seen {
			if now-at >= every {
				delete(l.seen, old)
			}
		}
	}
	if len(l.seen) >= maxRefusals {
		l.skipped.Add(1)
		return false
	}
	if l.seen == nil {
		l.seen = make(map[refusal]int64)
	}
	l.seen[r] = now
	return true
}

// SkippedRefusals counts those that were not noted, because they repeat others or are too many.
func (s *Server) SkippedRefusals() uint64 { return s.strangers.skipped.Load() + s.known.skipped.Load() }

// neighborhood is the address of a client, or of IPv6 the /64 that a host has to itself.
func neighborhood(address string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// refused notes that a request was turned away before a handler saw it. about is the device whose
// request it was, if it was one's.
func (s *Server) refused(c echo.Context, p model.Principal, about *model.Entity, err error) {
	kind := model.KindOf(err)
	switch kind {
	case model.Unauthenticated, model.Denied, model.TooMany:
	default: // what has expired is asked for again with a fresh token: nobody was turned away
		return
	}
	e := model.AuditEntry{Operation: c.Request().Method + " " + c.Path(), Action: byMethod[c.Request().Method]}
	if kind == model.Unauthenticated {
		e.Action = "LOGIN"
	}
	if about != nil {
		e.Tenant, e.Entity, e.Name = about.Tenant, about.Ref(), about.Name
	}
	s.noteOnce(e, &request{http: c.Request(), server: s, principal: p}, kind, err)
}

// SocketLogin returns what notes how a login over the socket of r ends.
func (s *Server) SocketLogin(r *http.Request) func(model.Principal, error) {
	req := &request{http: r, server: s}
	return func(p model.Principal, err error) {
		kind := model.KindOf(err)
		if kind == model.Expired {
			return
		}
		req.principal = p
		s.noteOnce(model.AuditEntry{Operation: "socket", Action: "LOGIN"}, req, kind, err)
	}
}

// noteOnce notes e with who asked and how it ended, unless the like was noted lately.
func (s *Server) noteOnce(e model.AuditEntry, req *request, kind model.Kind, err error) {
	p := req.principal
	tenant := e.Tenant
	r := refusal{address: neighborhood(req.client().Address), kind: kind, who: model.ID(e.Entity.ID)}
	switch {
	case p.Grant != nil:
		r.who = p.Grant.Token
	case p.User != (model.UserID{}):
		r.who = model.ID(p.User)
	}
	list := &s.strangers
	if r.who != (model.ID{}) {
		list = &s.known
	}
	if !list.first(r, s.Now().UnixMilli()) {
		return
	}
	entity, name := e.Entity, e.Name
	s.describe(&e, req, nil, nil, err)
	e.Entity, e.Name = entity, name
	if tenant != (model.TenantID{}) {
		e.Tenant = tenant
	}
	s.Registry.Audit(e)
}
