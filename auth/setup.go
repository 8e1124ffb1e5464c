package auth

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// linkBytes is the randomness of a setup link: nobody guesses 256 bits.
const linkBytes = 32

// SetupLink makes the one-time token with which its bearer chooses the password of a user:
// of a new one, or of the first one at the first run. An earlier token of the user dies.
// Only its hash is kept.
func (s *Service) SetupLink(ctx context.Context, user model.UserID) (token string, err error) {
	token, err = s.randomText(linkBytes)
	if err != nil {
		return "", err
	}
	now := s.opts.Now()
	err = s.store.SaveSetupLink(ctx, &model.SetupLink{Hash: sha256.Sum256([]byte(token)), User: user,
		Created: now.UnixMilli(), Expires: now.Add(s.opts.LinkLife).UnixMilli()})
	if err != nil {
		return "", fmt.Errorf("auth: save setup link: %w", err)
	}
	return token, nil
}

// Activate uses a setup token up: its user gets the password, is enabled and logged in
// (contract thingsboard 2.1, /api/noauth/activate).
func (s *Service) Activate(ctx context.Context, token, password string, c Client) (Pair, error) {
	if token == "" {
		return Pair{}, model.Invalidf("Parameter 'activateToken' can't be empty!")
	}
	if err := checkNewPassword(password); err != nil {
		return Pair{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Pair{}, err
	}
	a, err := s.store.RedeemSetupLink(ctx, sha256.Sum256([]byte(token)), hash)
	if model.KindOf(err) == model.NotFound {
		return Pair{}, model.Invalidf("Activation token is unknown or has expired!")
	}
	if err != nil {
		return Pair{}, fmt.Errorf("auth: redeem setup link: %w", err)
	}
	return s.open(ctx, &a.User, c)
}

// ChangePassword replaces the password of p, ends all its sessions and opens a new one.
func (s *Service) ChangePassword(ctx context.Context, p model.Principal, current, next string, c Client) (Pair, error) {
	a, err := s.store.AccountByID(ctx, p.User)
	if err != nil {
		return Pair{}, fmt.Errorf("auth: find user: %w", err)
	}
	ok, err := s.hasher.check(ctx, a.Password, current)
	if err != nil {
		return Pair{}, err
	}
	if !ok {
		return Pair{}, model.Invalidf("Current password doesn't match!")
	}
	if current == next {
		return Pair{}, model.Invalidf("New password should be different from existing!")
	}
	if err := s.SetPassword(ctx, p.User, next); err != nil {
		return Pair{}, err
	}
	return s.open(ctx, &a.User, c)
}

// SetPassword replaces a password without asking for the old one and ends all sessions of
// the user. It is for the operator.
func (s *Service) SetPassword(ctx context.Context, user model.UserID, password string) error {
	if err := checkNewPassword(password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.store.SetPassword(ctx, user, hash); err != nil {
		return fmt.Errorf("auth: set password: %w", err)
	}
	return nil
}
