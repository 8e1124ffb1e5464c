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
	return s.link(ctx, user, false)
}

// ResetLink makes the one-time token with which the user with an e-mail chooses another
// password. It returns a nil user and no error when there is none who could use it, and when
// the last one is less than a minute old: whoever asks must not learn which.
func (s *Service) ResetLink(ctx context.Context, email string) (*model.User, string, error) {
	a, err := s.store.Account(ctx, email)
	switch {
	case model.KindOf(err) == model.NotFound:
		return nil, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("auth: find user: %w", err)
	case !a.User.Enabled || a.Password == "":
		return nil, "", nil
	}
	token, err := s.link(ctx, a.User.ID, true)
	if model.KindOf(err) == model.TooMany {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return &a.User, token, nil
}

func (s *Service) link(ctx context.Context, user model.UserID, reset bool) (token string, err error) {
	token, err = s.randomText(linkBytes)
	if err != nil {
		return "", err
	}
	now := s.opts.Now()
	err = s.store.SaveSetupLink(ctx, &model.SetupLink{Hash: sha256.Sum256([]byte(token)), User: user,
		Created: now.UnixMilli(), Expires: now.Add(s.opts.LinkLife).UnixMilli(), Reset: reset})
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
	_, pair, err := s.redeem(ctx, token, false, password, c)
	if model.KindOf(err) == model.NotFound {
		return Pair{}, model.Invalidf("Activation token is unknown or has expired!")
	}
	return pair, err
}

// ResetPassword uses a reset token up: its user gets the password, every session of the user
// ends, and a new one begins (contract thingsboard 2.1, /api/noauth/resetPassword).
func (s *Service) ResetPassword(ctx context.Context, token, password string, c Client) (*model.User, Pair, error) {
	if token == "" {
		return nil, Pair{}, model.Invalidf("Parameter 'resetToken' can't be empty!")
	}
	u, pair, err := s.redeem(ctx, token, true, password, c)
	if model.KindOf(err) == model.NotFound {
		return nil, Pair{}, model.Invalidf("Invalid reset token!")
	}
	return u, pair, err
}

func (s *Service) redeem(ctx context.Context, token string, reset bool, password string, c Client) (*model.User, Pair, error) {
	if err := checkNewPassword(password); err != nil {
		return nil, Pair{}, err
	}
	if reset {
		if err := s.isAnother(ctx, token, password); err != nil {
			return nil, Pair{}, err
		}
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return nil, Pair{}, err
	}
	a, err := s.store.RedeemSetupLink(ctx, sha256.Sum256([]byte(token)), reset, hash)
	if err != nil {
		return nil, Pair{}, fmt.Errorf("auth: redeem link: %w", err)
	}
	pair, err := s.open(ctx, &a.User, c)
	return &a.User, pair, err
}

// isAnother refuses the password that whom a reset link is for has already; the link stays good.
func (s *Service) isAnother(ctx context.Context, token, password string) error {
	a, err := s.store.SetupLinkAccount(ctx, sha256.Sum256([]byte(token)), true)
	if err != nil {
		return fmt.Errorf("auth: read link: %w", err)
	}
	same, err := s.hasher.check(ctx, a.Password, password, func() error { return nil })
	if err != nil {
		return err
	}
	if same {
		return errSamePassword()
	}
	return nil
}

func errSamePassword() error {
	return model.Invalidf("New password should be different from existing!")
}

// ChangePassword replaces the password of p, ends all its sessions and opens a new one.
func (s *Service) ChangePassword(ctx context.Context, p model.Principal, current, next string, c Client) (Pair, error) {
	a, err := s.store.AccountByID(ctx, p.User)
	if err != nil {
		return Pair{}, fmt.Errorf("auth: find user: %w", err)
	}
	ok, err := s.guess(ctx, a.User.Email, a.Password, current, c)
	if err != nil {
		return Pair{}, err
	}
	if !ok {
		return Pair{}, model.Invalidf("Current password doesn't match!")
	}
	if current == next {
		return Pair{}, errSamePassword()
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
