package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidewire/tidewire/model"
)

// What tokens carry (contract thingsboard 2.3).
const (
	issuer       = "thingsboard.io" // clients of the contract look for it
	audience     = "tidewire"       // what other servers of that issuer sign is not for us
	accessLife   = 9000 * time.Second
	refreshLife  = 604800 * time.Second
	refreshScope = "REFRESH_TOKEN"
	maxToken     = 4096 // bytes; ours are under 700
)

// claims are those of both kinds of token. Scopes tells them apart.
type claims struct {
	jwt.RegisteredClaims
	UserID    string   `json:"userId"`
	Scopes    []string `json:"scopes"`
	SessionID string   `json:"sessionId"`
	IsPublic  bool     `json:"isPublic"`

	// Access tokens only.
	FirstName  *string `json:"firstName,omitempty"`
	LastName   *string `json:"lastName,omitempty"`
	Enabled    *bool   `json:"enabled,omitempty"`
	TenantID   *string `json:"tenantId,omitempty"`
	CustomerID *string `json:"customerId,omitempty"`
}

// A signer makes tokens with one key and one algorithm, and reads those of the keys it knows.
type signer struct {
	key    []byte
	id     string            // "kid" of key
	known  map[string][]byte // by "kid": key, and those it replaced
	now    func() time.Time
	parser *jwt.Parser
}

func newSigner(key [64]byte, older [][64]byte, now func() time.Time) *signer {
	s := &signer{key: key[:], id: keyID(key), known: map[string][]byte{keyID(key): key[:]}, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS512.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(now))}
	for _, k := range older {
		s.known[keyID(k)] = bytes.Clone(k[:])
	}
	return s
}

// keyID names a key without giving it away.
func keyID(key [64]byte) string {
	sum := sha256.Sum256(key[:])
	return hex.EncodeToString(sum[:8])
}

func (s *signer) sign(c *claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS512, c)
	t.Header["kid"] = s.id
	text, err := t.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("auth: sign token: %w", err)
	}
	return text, nil
}

// common are the claims both tokens of a session share. Times are whole seconds.
func (s *signer) common(u *model.User, session model.ID, life time.Duration) claims {
	now := s.now()
	return claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: u.Email, Issuer: issuer, Audience: jwt.ClaimStrings{audience}, IssuedAt: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(life))},
		UserID:    u.ID.String(),
		SessionID: session.String(),
		IsPublic:  isPublic(u),
	}
}

func (s *signer) access(u *model.User, session model.ID) (string, error) {
	c := s.common(u, session, accessLife)
	c.Scopes = []string{string(u.Authority)}
	c.FirstName, c.LastName, c.Enabled = new(u.FirstName), new(u.LastName), new(u.Enabled)
	c.TenantID, c.CustomerID = new(tenantClaim(u.Tenant)), new(u.Customer.String())
	return s.sign(&c)
}

func (s *signer) refresh(u *model.User, session, id model.ID) (string, error) {
	c := s.common(u, session, refreshLife)
	c.Scopes = []string{refreshScope}
	c.ID = id.String()
	return s.sign(&c)
}

// successor is the id of the refresh token that follows another: who exchanges the same token
// twice gets the same one, and only who holds the key can tell which.
func (s *signer) successor(session, old model.ID) (next model.ID) {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("tidewire: the refresh token after"))
	h.Write(session[:])
	h.Write(old[:])
	copy(next[:], h.Sum(nil))
	return next
}

// tenantClaim writes "no tenant" as clients know it: by the constant of contract
// thingsboard 1.2.
func tenantClaim(t model.TenantID) string {
	if t == (model.TenantID{}) {
		return model.NoCustomer.String()
	}
	return t.String()
}

// parse checks signature, key, algorithm, issuer, audience and times.
func (s *signer) parse(token string) (*claims, error) {
	if token == "" {
		return nil, errNoToken()
	}
	if len(token) > maxToken {
		return nil, errNotToken(errors.New("longer than any of ours"))
	}
	var c claims
	_, err := s.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		key, ok := s.known[id]
		if !ok {
			return nil, errors.New("signed by another key")
		}
		return key, nil
	})
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, errNotToken(err)
	case err != nil:
		return nil, errExpired(err)
	}
	return &c, nil
}

// principal reads the claims of an access token.
func (c *claims) principal() (model.Principal, error) {
	if c.TenantID == nil || c.CustomerID == nil || len(c.Scopes) != 1 || c.ID != "" {
		return model.Principal{}, errWrongToken()
	}
	p := model.Principal{Authority: model.Authority(c.Scopes[0]), Public: c.IsPublic, Expires: c.ExpiresAt.UnixMilli()}
	err := errors.Join((*model.ID)(&p.User).UnmarshalText([]byte(c.UserID)), p.Session.UnmarshalText([]byte(c.SessionID)),
		(*model.ID)(&p.Tenant).UnmarshalText([]byte(*c.TenantID)), (*model.ID)(&p.Customer).UnmarshalText([]byte(*c.CustomerID)))
	if err != nil {
		return model.Principal{}, errWrongToken()
	}
	switch p.Authority {
	case model.SysAdmin:
		p.Tenant = model.TenantID{}
	case model.TenantAdmin, model.CustomerUser:
	default:
		return model.Principal{}, errWrongToken()
	}
	return p, nil
}

// renewal reads the claims of a refresh token: whose it is, of which session, and its own id.
func (c *claims) renewal() (user model.UserID, session, id model.ID, err error) {
	if len(c.Scopes) != 1 || c.Scopes[0] != refreshScope {
		return user, session, id, errWrongToken()
	}
	err = errors.Join((*model.ID)(&user).UnmarshalText([]byte(c.UserID)), session.UnmarshalText([]byte(c.SessionID)),
		id.UnmarshalText([]byte(c.ID)))
	if err != nil {
		return user, session, id, errWrongToken()
	}
	return user, session, id, nil
}
