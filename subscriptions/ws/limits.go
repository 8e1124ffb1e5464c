package ws

import (
	"strings"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/ratelimit"
)

// Limits of the tenant's profile (contract thingsboard 11.2, 11.4, 17): how many sockets and
// subscriptions there may be at once, how many updates a socket is sent over time, and how many
// commands it may send.

// limitsOf returns what the profile of a tenant allows.
func (s *Server) limitsOf(t model.TenantID) *model.TenantLimits {
	if s.deps.TenantLimits == nil {
		return new(model.TenantLimits)
	}
	return s.deps.TenantLimits(t)
}

// A tally is how many of something those have whom one principal's limits count.
type tally struct{ tenant, customer, holder int }

// beyond returns an error when a principal that has so many may not have one more.
func beyond(l *model.SocketLimits, p model.Principal, have tally, what string) error {
	full := func(n int, limit int64) bool { return limit > 0 && int64(n) >= limit }
	whose := ""
	switch {
	case full(have.tenant, l.Tenant):
		whose = "tenant"
	case p.Authority == model.CustomerUser && full(have.customer, l.Customer):
		whose = "customer"
	case p.Public && full(have.holder, l.Public):
		whose = "public user"
	case !p.Public && full(have.holder, l.User):
		whose = "regular user"
	default:
		return nil
	}
	return model.Errorf(model.TooMany, "Max %s %s limit reached!", whose, what)
}

// holder is whose sockets count together: those of a user, of an API token, or of all who hold
// the same public link.
func holder(p model.Principal) model.ID {
	switch {
	case p.Grant != nil:
		return p.Grant.Token
	case p.Public:
		return model.ID(p.Customer)
	}
	return model.ID(p.User)
}

// mayOpenLocked says whether p may have another socket.
func (s *Server) mayOpenLocked(p model.Principal) error {
	l := &s.limits
	have := tally{s.mu.tenants[p.Tenant], s.mu.customers[p.Customer], s.mu.holders[holder(p)]}
	if l.SessionsPerTenant > 0 && have.tenant >= l.SessionsPerTenant || l.SessionsPerUser > 0 && have.holder >= l.SessionsPerUser {
		return model.Errorf(model.TooMany, "Max sessions limit reached!")
	}
	return beyond(&s.limitsOf(p.Tenant).Sessions, p, have, "sessions")
}

// count adds n to the sockets of p.
func (s *Server) countLocked(p model.Principal, n int) {
	add(s.mu.tenants, p.Tenant, n)
	add(s.mu.holders, holder(p), n)
	if p.Authority == model.CustomerUser {
		add(s.mu.customers, p.Customer, n)
	}
}

func add[K comparable](m map[K]int, k K, n int) {
	if m[k] += n; m[k] == 0 {
		delete(m, k)
	}
}

// subscribed counts what is subscribed to by those whom p's limits count. It walks over the open
// sockets: only tenants that limit subscriptions pay for it, and nobody for keeping numbers.
func (s *Server) subscribed(p model.Principal) (have tally) {
	for _, x := range s.all() {
		other := x.principal()
		if other.Tenant != p.Tenant {
			continue
		}
		n := x.count()
		have.tenant += n
		if other.Authority == model.CustomerUser && other.Customer == p.Customer {
			have.customer += n
		}
		if holder(other) == holder(p) {
			have.holder += n
		}
	}
	return have
}

// mayHoldMore says whether the session may hold another subscription, and closes it when not
// (contract 11.2). The caller owes placed.
func (s *session) mayHoldMore() bool {
	err := s.claim()
	if err != nil {
		s.close(codePolicy, model.MessageOf(err, ""))
	}
	return err == nil
}

// claim counts a subscription that is about to be made. Sockets of a tenant that limits them take
// turns, so that those whose commands come at once do not pass together.
func (s *session) claim() error {
	p := s.principal()
	limits := s.server.limitsOf(p.Tenant).Subscriptions
	if limits != (model.SocketLimits{}) {
		s.server.claims.Lock()
		defer s.server.claims.Unlock()
	}
	if s.count() >= s.server.limits.Subscriptions {
		return model.Errorf(model.TooMany, "Max subscriptions limit reached!")
	}
	if limits != (model.SocketLimits{}) {
		if err := beyond(&limits, p, s.server.subscribed(p), "subscriptions"); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.claimed++
	return nil
}

// placedLocked ends what mayHoldMore began: the subscription is counted where it stands now, or is
// none.
func (s *session) placedLocked() { s.mu.claimed-- }

// A meter counts one limit over time of a session. Its rates are those of the profile, looked up
// again when rights are.
type meter struct {
	bucket ratelimit.Bucket
	rates  []model.Rate
}

// mayCommand counts a command. Those that end something are always let through.
func (s *session) mayCommand(c *thingsboard.WSCommand) error {
	rates := s.server.limitsOf(s.principal().Tenant).Rates[model.SessionCommands]
	if len(rates) == 0 || c.End || c.Unsubscribe {
		return nil
	}
	if s.commands == nil { // only the session's goroutine comes here
		s.commands = new(ratelimit.Bucket)
	}
	short, wait, ok := s.commands.Take(rates, s.now(), 1)
	if ok {
		return nil
	}
	return &model.RateError{Limit: model.SessionCommands, Rate: short, After: wait}
}

// meter makes the session count the updates it is sent, if its tenant limits them.
func (s *session) meter() {
	rates := s.server.limitsOf(s.principal().Tenant).Rates[model.SessionUpdates]
	switch old := s.updates.Load(); {
	case len(rates) == 0:
		s.updates.Store(nil)
	case old == nil || &old.rates[0] != &rates[0]:
		s.updates.Store(&meter{rates: rates})
	}
}

// mayUpdate counts n updates and reports whether they may be sent now.
func (s *session) mayUpdate(n int) bool {
	m := s.updates.Load()
	if m == nil {
		return true
	}
	_, _, ok := m.bucket.Take(m.rates, s.now(), int64(n))
	return ok
}

// tooManyUpdates is the frame that says that updates of a subscription are kept back (contract
// 11.4).
func tooManyUpdates(x origin) []byte {
	c := thingsboard.WSCommand{ID: x.ID()}
	switch x.Encoder().(type) {
	case entityEncoder, *order:
		c.Type = thingsboard.WSEntityData
	}
	return appendText(nil, thingsboard.AppendWSError(nil, &c, thingsboard.WSTooMany, "Too many updates!"))
}

// Use returns the limits of sockets, and what is used of them by those whom p's limits count.
func (s *Server) Use(p model.Principal, _ *model.Entity) []model.LimitUse {
	all := []model.LimitUse{
		{Name: "maxWsMessageBytes", Scope: model.LimitOfServer, Unit: "bytes", Limit: maxText, Used: -1},
		{Name: "maxWsSubscriptionsPerSession", Scope: model.LimitOfSession, Unit: "subscriptions", Limit: int64(s.limits.Subscriptions), Used: -1},
		{Name: "maxWsFollowedPerSession", Scope: model.LimitOfSession, Unit: "entities", Limit: int64(s.limits.Followed), Used: -1},
	}
	l := s.limitsOf(p.Tenant)
	s.mu.Lock()
	sessions := tally{s.mu.tenants[p.Tenant], s.mu.customers[p.Customer], s.mu.holders[holder(p)]}
	s.mu.Unlock()
	all = appendSockets(all, p, "sessions", &l.Sessions, sessions)
	if l.Subscriptions != (model.SocketLimits{}) {
		all = appendSockets(all, p, "subscriptions", &l.Subscriptions, s.subscribed(p))
	}
	for _, limit := range []model.RateLimit{model.SessionUpdates, model.SessionCommands} {
		for _, r := range l.Rates[limit] {
			all = append(all, model.LimitUse{Name: limit.String(), Scope: limit.Scope(), Unit: limit.Unit(), Limit: r.Count, Window: r.Window, Used: -1})
		}
	}
	return all
}

// appendSockets adds those of l that count what p does, by the names of the profile's members.
func appendSockets(all []model.LimitUse, p model.Principal, unit string, l *model.SocketLimits, have tally) []model.LimitUse {
	put := func(counts bool, whose string, scope model.LimitScope, limit int64, used int) {
		if counts && limit > 0 {
			name := "maxWs" + strings.ToUpper(unit[:1]) + unit[1:] + "Per" + whose
			all = append(all, model.LimitUse{Name: name, Scope: scope, Unit: unit, Limit: limit, Used: int64(used)})
		}
	}
	put(true, "Tenant", model.LimitOfTenant, l.Tenant, have.tenant)
	put(p.Authority == model.CustomerUser, "Customer", model.LimitOfCustomer, l.Customer, have.customer)
	put(p.Public, "PublicUser", model.LimitOfUser, l.Public, have.holder)
	put(!p.Public, "RegularUser", model.LimitOfUser, l.User, have.holder)
	return all
}
