// Package auth decides who is asking and what they may do.
package auth

import (
	"context"
	"io"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Users, Sessions and Links are what the service keeps; *registry.Registry is a Store.
type Store interface {
	Users
	Sessions
	Links
}
type Users interface {
	Account(ctx context.Context, email string) (*model.Account, error)
	AccountByID(context.Context, model.UserID) (*model.Account, error)
	SetPassword(ctx context.Context, user model.UserID, hash string) error
}
type Sessions interface {
	CreateSession(context.Context, *model.Session) error
	RotateSession(ctx context.Context, id model.ID, from, to [32]byte, expires int64) error
	EndSession(context.Context, model.ID) error
	EndSessions(context.Context, model.UserID) error
	SessionAlive(model.ID) bool
}
type Links interface {
	SaveSetupLink(context.Context, *model.SetupLink) error
	RedeemSetupLink(ctx context.Context, hash [32]byte, password string) (*model.Account, error)
}

// Options tunes a Service.
type Options struct {
	Now    func() time.Time
	Random io.Reader
	Argon2 Params // zero: 19 MiB, 2 passes, 1 lane
}

// Params of argon2id.
type Params struct{ MemoryKiB, Passes uint32 }

// Client is who logs in, for the session's record.
type Client struct{ Address, Agent string }

// Pair is what a login returns.
type Pair struct{ Token, RefreshToken string }

type Service struct{}

// New returns a Service that signs with key (registry.Keys.Tokens).
func New(store Store, key [64]byte, o Options) (*Service, error) { panic("auth: not yet") }
func (s *Service) Login(ctx context.Context, username, password string, c Client) (Pair, error) {
	panic("auth: not yet")
}
func (s *Service) Refresh(ctx context.Context, token string) (Pair, error) { panic("auth: not yet") }
func (s *Service) Logout(ctx context.Context, p model.Principal) error     { panic("auth: not yet") }
func (s *Service) Verify(accessToken string) (model.Principal, error)      { panic("auth: not yet") }
func (s *Service) Alive(p model.Principal) bool                            { panic("auth: not yet") } // session lives, token not expired; memory only
func (s *Service) ChangePassword(ctx context.Context, p model.Principal, current, next string, c Client) (Pair, error) {
	panic("auth: not yet")
}

// SetPassword sets a password without knowing the old one (demo, command line).
func (s *Service) SetPassword(ctx context.Context, user model.UserID, password string) error {
	panic("auth: not yet")
}

// SetupLink makes the one-time token that lets its bearer set the user's first password; an earlier one of the user dies.
func (s *Service) SetupLink(ctx context.Context, user model.UserID) (token string, err error) {
	panic("auth: not yet")
}

// Activate redeems a setup token (POST /api/noauth/activate): sets the password, enables the user, logs in.
func (s *Service) Activate(ctx context.Context, token, password string, c Client) (Pair, error) {
	panic("auth: not yet")
}

// BearerToken picks the token from the X-Authorization and Authorization headers (contract 2.2).
func BearerToken(xAuthorization, authorization string) (string, error) { panic("auth: not yet") }
