package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Options tunes a Service. The zero value is a production setting.
type Options struct {
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // nil means crypto/rand; must be safe for concurrent use
	// OldKeys are keys that signed before: their tokens stay good until they expire.
	OldKeys [][64]byte
	Argon2  Params // zero means 19 MiB and 2 passes
	// Hashing bounds how many passwords are hashed at once. Zero means one per processor.
	Hashing int
	// LinkLife is how long a setup link works. Zero means 24 hours.
	LinkLife time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Argon2 == (Params{}) {
		o.Argon2 = defaultParams
	}
	if o.Argon2.MemoryKiB < 8 || o.Argon2.Passes < 1 || o.Argon2.MemoryKiB > maxParams.MemoryKiB || o.Argon2.Passes > maxParams.Passes {
		return o, fmt.Errorf("auth: argon2 parameters %+v are out of bounds", o.Argon2)
	}
	o.Hashing = cmp.Or(o.Hashing, runtime.GOMAXPROCS(0))
	o.LinkLife = cmp.Or(o.LinkLife, 24*time.Hour)
	return o, nil
}

// A Client is where a login comes from, for the record of its session.
type Client struct{ Address, Agent string }

// A Pair is what a login returns.
type Pair struct {
	Token        string // access token
	RefreshToken string
}

// A Service knows people by their passwords and tokens.
type Service struct {
	store  Store
	opts   Options
	hasher *hasher
	signer *signer
	cache  *tokenCache
	guards *throttle
}

// New returns a Service that signs its tokens with key.
func New(store Store, key [64]byte, o Options) (*Service, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	h, err := newHasher(o.Argon2, o.Random, o.Hashing)
	if err != nil {
		return nil, err
	}
	return &Service{store: store, opts: o, hasher: h, signer: newSigner(key, o.OldKeys, o.Now), cache: newTokenCache(), guards: newThrottle(o.Now)}, nil
}

// Login opens a session for the user with an e-mail and a password. Who is unknown, has no
// password yet or gave a wrong one is Unauthenticated by the same text after the same work. Who
// guesses too often is TooMany, with a [model.RetryError], for a while and from that address.
func (s *Service) Login(ctx context.Context, username, password string, c Client) (Pair, error) {
	if username == "" || password == "" {
		return Pair{}, errNoToken()
	}
	if err := s.guards.admit(username, c.Address); err != nil {
		return Pair{}, err
	}
	a, err := s.store.Account(ctx, username)
	switch {
	case model.KindOf(err) == model.NotFound:
		a = &model.Account{}
	case err != nil:
		return Pair{}, fmt.Errorf("auth: find user: %w", err)
	}
	ok, err := s.guess(ctx, username, a.Password, password, c)
	if err != nil {
		return Pair{}, err
	}
	if !ok {
		return Pair{}, errCredentials()
	}
	if !a.User.Enabled {
		return Pair{}, errInactive()
	}
	return s.open(ctx, &a.User, c)
}

// guess checks a password, as often as whoever tries may.
func (s *Service) guess(ctx context.Context, account, hash, password string, c Client) (bool, error) {
	// Asked in the slot: of all who were let in at once, few get here before the first failed.
	ok, err := s.hasher.check(ctx, hash, password, func() error { return s.guards.admit(account, c.Address) })
	if err == nil && !ok {
		s.guards.failed(account, c.Address)
	}
	return ok, err
}

// Throttled counts the attempts that were refused for their number.
func (s *Service) Throttled() uint64 { return s.guards.refused.Load() }

// LoginAs opens a session for a user without asking for the password. It is for those who
// administer the user.
func (s *Service) LoginAs(ctx context.Context, user model.UserID, c Client) (Pair, error) {
	a, err := s.store.AccountByID(ctx, user)
	if err != nil {
		return Pair{}, fmt.Errorf("auth: find user: %w", err)
	}
	if !a.User.Enabled {
		return Pair{}, model.Invalidf("User account is not active")
	}
	return s.open(ctx, &a.User, c)
}

// open starts a session.
func (s *Service) open(ctx context.Context, u *model.User, c Client) (Pair, error) {
	now := s.opts.Now()
	session, refresh := model.NewID(now, s.opts.Random), model.NewID(now, s.opts.Random)
	record := &model.Session{ID: session, User: u.ID, Created: now.UnixMilli(),
		Expires: now.Add(refreshLife).UnixMilli(), Refresh: hashRefresh(refresh), Address: clip(c.Address, 64), Agent: clip(c.Agent, 255)}
	if isPublic(u) {
		record.User, record.Customer = model.UserID{}, u.Customer
	}
	err := s.store.CreateSession(ctx, record)
	if err != nil {
		return Pair{}, fmt.Errorf("auth: open session: %w", err)
	}
	return s.pair(u, session, refresh)
}

func (s *Service) pair(u *model.User, session, refresh model.ID) (p Pair, err error) {
	if p.Token, err = s.signer.access(u, session); err != nil {
		return Pair{}, err
	}
	if p.RefreshToken, err = s.signer.refresh(u, session, refresh); err != nil {
		return Pair{}, err
	}
	return p, nil
}

// refreshGrace is how long a refresh token that was exchanged still leads to the same new one.
// Two tabs of a browser wake up together, and an answer may get lost: neither is a thief.
const refreshGrace = 10 * time.Second

// Refresh exchanges a refresh token for a new pair of the same session. A token that was
// exchanged before, more than a moment ago, ends the session.
func (s *Service) Refresh(ctx context.Context, token string) (Pair, error) {
	c, err := s.signer.parse(token)
	if err != nil {
		return Pair{}, err
	}
	user, session, old, err := c.renewal()
	if err != nil {
		return Pair{}, err
	}
	u, err := s.renewing(ctx, c, user)
	switch {
	case model.KindOf(err) == model.NotFound:
		return Pair{}, errExpired(err)
	case err != nil:
		return Pair{}, fmt.Errorf("auth: find user: %w", err)
	case !u.Enabled:
		return Pair{}, errInactive()
	}
	next := s.signer.successor(session, old)
	err = s.store.RotateSession(ctx, session, hashRefresh(old), hashRefresh(next), s.opts.Now().Add(refreshLife).UnixMilli(),
		refreshGrace.Milliseconds())
	switch model.KindOf(err) {
	case model.NotFound, model.Conflict:
		return Pair{}, errExpired(err)
	}
	if err != nil {
		return Pair{}, fmt.Errorf("auth: rotate session: %w", err)
	}
	return s.pair(u, session, next)
}

// Logout ends the session of p: all its tokens are Expired from then on.
func (s *Service) Logout(ctx context.Context, p model.Principal) error {
	if err := s.store.EndSession(ctx, p.Session); err != nil {
		return fmt.Errorf("auth: end session: %w", err)
	}
	return nil
}

// Verify returns who presents an access token, an API token or an API key. An access token seen before
// costs a hash and two look-ups in memory, an API token a keyed hash and one.
func (s *Service) Verify(accessToken string) (model.Principal, error) {
	if len(accessToken) > maxToken {
		return model.Principal{}, errNotToken(errors.New("longer than any of ours"))
	}
	if isAPIToken(accessToken) {
		return s.verifyAPIToken(accessToken)
	}
	h := hashToken(accessToken)
	if p, ok := s.cache.get(h); ok {
		if s.alive(p) {
			return p, nil
		}
		s.cache.drop(h)
		return model.Principal{}, errExpired(nil)
	}
	c, err := s.signer.parse(accessToken)
	if err != nil {
		return model.Principal{}, err
	}
	p, err := c.principal()
	if err != nil {
		return model.Principal{}, err
	}
	if !s.alive(p) {
		return model.Principal{}, errExpired(nil)
	}
	s.cache.put(h, p, s.opts.Now().UnixMilli())
	return p, nil
}

// alive reports, from memory, whether the token p came from is still good: neither it nor
// its session has ended.
func (s *Service) alive(p model.Principal) bool {
	return s.opts.Now().UnixMilli() < p.Expires && s.store.SessionAlive(p.Session)
}

// Current returns p while its session lives, though its token may have expired, from memory.
// It is for who keeps a principal longer than a request, like an open socket (contract
// thingsboard 11.1). A change of what the user may do ends the session and the user's API keys,
// so p is never stale.
func (s *Service) Current(p model.Principal) (model.Principal, error) {
	var alive bool
	switch {
	case p.Grant != nil:
		alive = s.store.TokenAlive(p.Grant.Token)
	case p.Key != (model.ID{}):
		alive = s.store.TokenAlive(p.Key)
	default:
		alive = s.store.SessionAlive(p.Session)
	}
	if !alive {
		return model.Principal{}, errExpired(nil)
	}
	return p, nil
}

// hashRefresh is how a session remembers its refresh token.
func hashRefresh(id model.ID) [32]byte { return sha256.Sum256(id[:]) }

// clip bounds what a client says of itself.
func clip(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }

// randomText returns n random bytes in a form that fits into a link.
func (s *Service) randomText(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.opts.Random, b); err != nil {
		return "", fmt.Errorf("auth: read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}
