package auth

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// The text of an API token or key: a prefix by which scanners of source code know it, 256 random
// bits, and a checksum by which anybody can tell a real one from a look-alike without asking.
//
//	tidewire_ | 43 of 0-9A-Za-z | crc32 of all before it, 6 of 0-9A-Za-z
const (
	tokenPrefix   = "tidewire_"
	tokenRandom   = 43 // 62^43 > 2^256
	tokenCheck    = 6  // 62^6 > 2^32
	tokenShown    = len(tokenPrefix) + 4
	maxTokenLife  = 10 * 365 * 24 * time.Hour
	maxTokenGrace = 30 * 24 * time.Hour
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Tokens keeps API tokens and the API keys of users.
type Tokens interface {
	CreateToken(ctx context.Context, t *model.APIToken, secret string) error
	RotateToken(ctx context.Context, t model.TenantID, id model.ID, secret, prefix string, overlap int64) (*model.APIToken, error)
	// CreateKey keeps a key of a user of k.Tenant.
	CreateKey(ctx context.Context, k *model.APIKey, secret string) error
	// TokenHolder answers from memory whom a text lets in; TokenAlive whether a token or key
	// is neither revoked nor disabled nor expired.
	TokenHolder(secret string) (model.Principal, bool)
	TokenAlive(model.ID) bool
}

// CreateToken makes a token for p's tenant and returns its text, which is nowhere kept.
func (s *Service) CreateToken(ctx context.Context, p model.Principal, t *model.APIToken) (text string, err error) {
	if err := s.mayMakeTokens(p); err != nil {
		return "", err
	}
	if s.tooLong(t.Expires) {
		return "", model.Invalidf("Token expiry must lie within ten years; leave it out for a token without end")
	}
	if text, err = s.tokenText(); err != nil {
		return "", err
	}
	t.Tenant, t.Creator, t.Prefix = p.Tenant, p.User, text[:tokenShown]
	if err := s.store.CreateToken(ctx, t, text); err != nil {
		return "", fmt.Errorf("auth: create token: %w", err)
	}
	return text, nil
}

// tooLong reports whether an end, ms, is beyond what anybody means.
func (s *Service) tooLong(expires int64) bool {
	return expires > s.opts.Now().Add(maxTokenLife).UnixMilli()
}

// CreateKey makes an API key of a user, whom p may decide over, and returns its text, which is
// nowhere kept. No token and no key makes one.
func (s *Service) CreateKey(ctx context.Context, p model.Principal, k *model.APIKey) (text string, err error) {
	if err := RequirePerson(p); err != nil {
		return "", err
	}
	if s.tooLong(k.Expires) {
		return "", model.Invalidf("API key expirationTime must lie within ten years; 0 is a key without end")
	}
	if text, err = s.tokenText(); err != nil {
		return "", err
	}
	if err := s.store.CreateKey(ctx, k, text); err != nil {
		return "", fmt.Errorf("auth: create API key: %w", err)
	}
	return text, nil
}

// RotateToken gives a token of p's tenant a new text. The old one works for overlap more.
func (s *Service) RotateToken(ctx context.Context, p model.Principal, id model.ID, overlap time.Duration) (*model.APIToken, string, error) {
	if err := s.mayMakeTokens(p); err != nil {
		return nil, "", err
	}
	if overlap < 0 || overlap > maxTokenGrace {
		return nil, "", model.Invalidf("Overlap must be from 0 to %d seconds", int64(maxTokenGrace/time.Second))
	}
	text, err := s.tokenText()
	if err != nil {
		return nil, "", err
	}
	t, err := s.store.RotateToken(ctx, p.Tenant, id, text, text[:tokenShown], s.opts.Now().Add(overlap).UnixMilli())
	if err != nil {
		return nil, "", fmt.Errorf("auth: rotate token: %w", err)
	}
	return t, text, nil
}

// mayMakeTokens lets a tenant's administrators, and no token of theirs.
func (s *Service) mayMakeTokens(p model.Principal) error {
	if err := RequirePerson(p); err != nil {
		return err
	}
	return Require(p, model.TenantAdmin)
}

func (s *Service) tokenText() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(s.opts.Random, b[:]); err != nil {
		return "", fmt.Errorf("auth: read randomness: %w", err)
	}
	text := tokenPrefix + encode62(new(big.Int).SetBytes(b[:]), tokenRandom)
	return text + tokenChecksum(text), nil
}

func tokenChecksum(text string) string {
	return encode62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), tokenCheck)
}

// encode62 writes n with a fixed number of digits.
func encode62(n *big.Int, digits int) string {
	out := make([]byte, digits)
	radix, digit := big.NewInt(int64(len(base62))), new(big.Int)
	for i := digits - 1; i >= 0; i-- {
		n.DivMod(n, radix, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}

// isAPIToken reports whether a text is meant to be an API token or key.
func isAPIToken(text string) bool { return strings.HasPrefix(text, tokenPrefix) }

// verifyAPIToken returns whom an API token or key lets in. What is none, was revoked or has expired
// is Unauthenticated alike.
func (s *Service) verifyAPIToken(text string) (model.Principal, error) {
	if len(text) != len(tokenPrefix)+tokenRandom+tokenCheck || !strings.HasSuffix(text, tokenChecksum(text[:len(text)-tokenCheck])) {
		return model.Principal{}, errAPIToken()
	}
	p, ok := s.store.TokenHolder(text)
	if !ok {
		return model.Principal{}, errAPIToken()
	}
	return p, nil
}
