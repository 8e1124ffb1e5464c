package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Options tunes a Limiter.
type Options struct {
	// Limits returns what a tenant's profile allows; it is asked at every request, so it must
	// answer from memory. Required.
	Limits func(model.TenantID) *model.TenantLimits
	Now    func() time.Time // nil means time.Now
}

// A Limiter knows what was used of the limits of every tenant.
type Limiter struct {
	limits  func(model.TenantID) *model.TenantLimits
	now     func() time.Time
	shards  [shardCount]shard
	refused [model.RateLimitCount]atomic.Uint64
}

// shardCount spreads the locks over the buckets. Ids end in random bits.
const shardCount = 64

type shard struct {
	sync.RWMutex
	m     map[key]*Bucket
	sweep int // how many there may be before the full ones are forgotten
}

// sweepFrom is how many buckets of a shard are not worth looking through.
const sweepFrom = 64

// A key says whose bucket of which limit.
type key struct {
	holder model.ID
	limit  model.RateLimit
}

// New returns a Limiter to which nothing was done yet.
func New(o Options) *Limiter {
	l := &Limiter{limits: o.Limits, now: o.Now}
	if l.now == nil {
		l.now = time.Now
	}
	for i := range l.shards {
		l.shards[i].m, l.shards[i].sweep = make(map[key]*Bucket), sweepFrom
	}
	return l
}

// A holder is whose use one limit counts.
type holder struct {
	limit model.RateLimit
	id    model.ID
	n     int64
}

// Request counts a request that p makes and returns how its limits stand afterwards; nil when
// there are none. System administrators have none. The error is a [model.RateError].
func (l *Limiter) Request(p model.Principal) ([]model.LimitUse, error) {
	limits, asked := l.ofRequest(p)
	if len(asked) == 0 {
		return nil, nil
	}
	now := l.now()
	if err := l.take(limits, now, asked); err != nil {
		return nil, err
	}
	return l.standing(limits, now, asked), nil
}

// ofRequest returns the limits that count a request of p, the narrowest first.
func (l *Limiter) ofRequest(p model.Principal) (*model.TenantLimits, []holder) {
	if p.Authority == model.SysAdmin || p.Tenant == (model.TenantID{}) {
		return nil, nil
	}
	limits := l.limits(p.Tenant)
	if !limits.HasRates {
		return nil, nil
	}
	var asked []holder
	add := func(limit model.RateLimit, id model.ID) {
		if len(limits.Rates[limit]) > 0 {
			asked = append(asked, holder{limit, id, 1})
		}
	}
	switch {
	case p.Grant != nil:
		add(model.UserRequests, p.Grant.Token)
	case !p.Public: // who holds a public link is nobody in particular
		add(model.UserRequests, model.ID(p.User))
	}
	if p.Authority == model.CustomerUser {
		add(model.CustomerRequests, model.ID(p.Customer))
	}
	add(model.TenantRequests, model.ID(p.Tenant))
	return limits, asked
}

// Message counts a message of a device with so many points; one without points is no telemetry,
// whatever it asks or tells. Telemetry counts for its own limit of messages where the profile has
// one, and else for that of all messages. The error is a [model.RateError], or TooLarge when the
// message has more points than may ever come at once.
func (l *Limiter) Message(e *model.Entity, points int) error {
	limits := l.limits(e.Tenant)
	if !limits.HasRates {
		return nil
	}
	var room [6]holder
	return l.take(limits, l.now(), ofMessage(room[:0], limits, e, int64(points)))
}

// Busy returns the error that Message would return for any message of a device now, so that its
// body need not be read.
func (l *Limiter) Busy(e *model.Entity, telemetry bool) error {
	limits := l.limits(e.Tenant)
	if !limits.HasRates {
		return nil
	}
	var points int64
	if telemetry {
		points = 1
	}
	now := l.now()
	var room [6]holder
	for _, h := range ofMessage(room[:0], limits, e, points) {
		rates := limits.Rates[h.limit]
		if short, wait := l.peek(h).Wait(rates, now, h.n); wait > 0 {
			return l.refuse(limits, now, h, short, wait)
		}
	}
	return nil
}

// ofMessage returns the limits that count a message of e, those of the device first.
func ofMessage(dst []holder, limits *model.TenantLimits, e *model.Entity, points int64) []holder {
	for _, x := range [...]struct {
		messages, telemetry, points model.RateLimit
		id                          model.ID
	}{
		{model.DeviceMessages, model.DeviceTelemetry, model.DevicePoints, model.ID(e.ID)},
		{model.TenantMessages, model.TenantTelemetry, model.TenantPoints, model.ID(e.Tenant)},
	} {
		messages := x.messages
		if points > 0 && len(limits.Rates[x.telemetry]) > 0 {
			messages = x.telemetry
		}
		if len(limits.Rates[messages]) > 0 {
			dst = append(dst, holder{messages, x.id, 1})
		}
		if points > 0 && len(limits.Rates[x.points]) > 0 {
			dst = append(dst, holder{x.points, x.id, points})
		}
	}
	return dst
}

// take takes from all that are asked or from none.
func (l *Limiter) take(limits *model.TenantLimits, now time.Time, asked []holder) error {
	for i, h := range asked {
		short, wait, ok := l.bucket(h, now).Take(limits.Rates[h.limit], now, h.n)
		if ok {
			continue
		}
		for _, taken := range asked[:i] {
			l.peek(taken).Return(taken.n)
		}
		return l.refuse(limits, now, h, short, wait)
	}
	return nil
}

func (l *Limiter) refuse(limits *model.TenantLimits, now time.Time, h holder, short model.Rate, wait time.Duration) error {
	l.refused[h.limit].Add(1)
	if wait < 0 {
		return model.Errorf(model.TooLarge, "A message may have at most %d %s (%s), got %d", short.Count, h.limit.Unit(), h.limit, h.n)
	}
	return &model.RateError{Limit: h.limit, Rate: short, After: wait, Standing: l.standing(limits, now, []holder{h})}
}

func (l *Limiter) standing(limits *model.TenantLimits, now time.Time, asked []holder) []model.LimitUse {
	var all []model.LimitUse
	for _, h := range asked {
		all = l.peek(h).standing(all, h.limit, limits.Rates[h.limit], now)
	}
	return all
}

// bucket returns the bucket of h.
func (l *Limiter) bucket(h holder, now time.Time) *Bucket {
	k := key{h.id, h.limit}
	s := &l.shards[h.id[len(h.id)-1]%shardCount]
	s.RLock()
	b := s.m[k]
	s.RUnlock()
	if b != nil {
		return b
	}
	s.Lock()
	defer s.Unlock()
	if b = s.m[k]; b == nil {
		s.tidyLocked(now)
		b = new(Bucket)
		s.m[k] = b
	}
	return b
}

// tidyLocked forgets full buckets each time the shard has grown to twice what was in use, so a
// bucket pays for at most two looks at it. Somebody may just be taking from one that is forgotten:
// that one use of a bucket that was full is then not counted.
func (s *shard) tidyLocked(now time.Time) {
	if len(s.m) < s.sweep {
		return
	}
	for k, b := range s.m {
		if b.idle(now) {
			delete(s.m, k)
		}
	}
	s.sweep = max(sweepFrom, 2*len(s.m))
}

// Use returns how the limits over time stand that count what p does, and of a device what that
// does; device may be nil.
func (l *Limiter) Use(p model.Principal, device *model.Entity) []model.LimitUse {
	limits := l.limits(p.Tenant)
	if !limits.HasRates {
		return nil
	}
	now := l.now()
	_, asked := l.ofRequest(p)
	if p.Authority == model.TenantAdmin {
		for _, limit := range []model.RateLimit{model.TenantMessages, model.TenantTelemetry, model.TenantPoints} {
			asked = append(asked, holder{limit, model.ID(p.Tenant), 0})
		}
	}
	if device != nil {
		for _, limit := range []model.RateLimit{model.DeviceMessages, model.DeviceTelemetry, model.DevicePoints} {
			asked = append(asked, holder{limit, model.ID(device.ID), 0})
		}
	}
	var all []model.LimitUse
	for _, h := range asked {
		all = l.peek(h).standing(all, h.limit, limits.Rates[h.limit], now)
	}
	return all
}

// peek returns the bucket of h, or a full one that is nobody's.
func (l *Limiter) peek(h holder) *Bucket {
	s := &l.shards[h.id[len(h.id)-1]%shardCount]
	s.RLock()
	defer s.RUnlock()
	if b := s.m[key{h.id, h.limit}]; b != nil {
		return b
	}
	return new(Bucket)
}

// Refused returns how often each limit said no. Those of sessions are counted by nobody: a session
// has its own [Bucket].
func (l *Limiter) Refused() map[string]uint64 {
	all := make(map[string]uint64, model.RateLimitCount)
	for i := range l.refused {
		if limit := model.RateLimit(i); limit.Scope() != model.LimitOfSession {
			all[limit.String()] = l.refused[i].Load()
		}
	}
	return all
}
