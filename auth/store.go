package auth

import (
	"context"

	"github.com/tidewire/tidewire/model"
)

// A Store keeps what the service needs. A change that returned nil is durable and seen by
// the next call.
type Store interface {
	Users
	Sessions
	Liveness
	Links
	Publics
	Tokens
}

// Users finds people. What does not exist is a model.Error of kind NotFound.
type Users interface {
	Account(ctx context.Context, email string) (*model.Account, error) // whatever its case
	AccountByID(context.Context, model.UserID) (*model.Account, error)
	// SetPassword replaces the hash and ends every session of the user.
	SetPassword(ctx context.Context, user model.UserID, hash string) error
}

// Sessions keeps logins.
type Sessions interface {
	CreateSession(context.Context, *model.Session) error
	// RotateSession exchanges the hash of the refresh token, from by to, and prolongs the
	// session to expires. It returns NotFound when the session has ended, and ends it with
	// Conflict when from is not the newest. When that very exchange was made less than grace
	// ms ago, it succeeds and changes nothing.
	RotateSession(ctx context.Context, id model.ID, from, to [32]byte, expires, grace int64) error
	EndSession(context.Context, model.ID) error
}

// Liveness answers from memory whether a session has neither ended nor expired.
type Liveness interface {
	SessionAlive(model.ID) bool
}

// Links keeps one-time links, one per user.
type Links interface {
	// SaveSetupLink keeps a link. It returns TooMany when the user got a reset link less than
	// a minute ago and this is another one.
	SaveSetupLink(context.Context, *model.SetupLink) error
	// SetupLinkAccount returns whom a link of the kind is for, which stays good. It returns NotFound
	// as RedeemSetupLink does.
	SetupLinkAccount(ctx context.Context, hash [32]byte, reset bool) (*model.Account, error)
	// RedeemSetupLink uses a link of the kind up and sets the password hash of its user, which
	// is enabled by a first link and has to be so for a reset. It returns NotFound when there
	// is no such link or it has expired.
	RedeemSetupLink(ctx context.Context, hash [32]byte, reset bool, password string) (*model.Account, error)
}

// Publics finds the customers that need no login. What is none is NotFound.
type Publics interface {
	PublicCustomerByID(context.Context, model.CustomerID) (*model.Customer, error)
}
