package registry

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

func accountWhere(ctx context.Context, q queryer, where string, args ...any) (*model.Account, error) {
	a, err := first(ctx, q, func(s scanner) (*model.Account, error) {
		var a model.Account
		return &a, s.Scan(append(userFields(&a.User), &a.Password)...)
	}, "SELECT "+userSelect+", password FROM users WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read account: %w", err)
	}
	if a == nil {
		return nil, model.NotFoundf("User is not found")
	}
	return a, nil
}

// Account returns the user with an e-mail, whatever its case, and the password's hash.
func (r *Registry) Account(ctx context.Context, email string) (*model.Account, error) {
	return r.account(ctx, "email_key = $1", emailKey(email))
}

// AccountByID returns a user of any tenant and the password's hash.
func (r *Registry) AccountByID(ctx context.Context, id model.UserID) (*model.Account, error) {
	return r.account(ctx, "id = $1", id.String())
}

// account returns a user who is there: one whose tenant goes may have a row left.
func (r *Registry) account(ctx context.Context, where string, arg any) (*model.Account, error) {
	a, err := accountWhere(ctx, r.reader, where, arg)
	if err != nil {
		return nil, err
	}
	if _, ok := r.Lookup(model.EntityID(a.User.ID)); !ok {
		return nil, model.NotFoundf("User is not found")
	}
	return a, nil
}

// SetPassword replaces a password's hash and ends all sessions of the user: who knew the old
// password is out.
func (r *Registry) SetPassword(ctx context.Context, id model.UserID, hash string) error {
	return r.write(ctx, func(tx *tx) error {
		if _, err := accountWhere(tx.ctx, tx.sql, "id = $1", id.String()); err != nil {
			return err
		}
		if err := tx.execOne("UPDATE users SET password = $2, version = version + 1 WHERE id = $1", id.String(), hash); err != nil {
			return fmt.Errorf("registry: set password of user %s: %w", id, err)
		}
		if err := r.dropLinks(tx, id); err != nil {
			return err
		}
		return r.endSessions(tx, sessionsOfUser, id.String())
	})
}

// dropLinks ends what would let somebody choose a user's password.
func (r *Registry) dropLinks(tx *tx, id model.UserID) error {
	if err := tx.exec("DELETE FROM setup_links WHERE user_id = $1", id.String()); err != nil {
		return fmt.Errorf("registry: drop links of user %s: %w", id, err)
	}
	return nil
}

// resetEvery is how often a user gets a link to set another password, ms: who asks more often
// fills somebody's mailbox.
const resetEvery = 60_000

// SaveSetupLink keeps the one link of a user; an earlier one opens nothing from then on. It
// returns TooMany for a second reset link within a minute.
func (r *Registry) SaveSetupLink(ctx context.Context, l *model.SetupLink) error {
	return r.write(ctx, func(tx *tx) error {
		if _, err := accountWhere(tx.ctx, tx.sql, "id = $1", l.User.String()); err != nil {
			return err
		}
		if l.Reset {
			soon, err := tx.exists("SELECT user_id FROM setup_links WHERE user_id = $1 AND reset = $2 AND created > $3",
				l.User.String(), true, l.Created-resetEvery)
			if err != nil {
				return fmt.Errorf("registry: look for an earlier reset link: %w", err)
			}
			if soon {
				return model.Errorf(model.TooMany, "The last link is less than a minute old")
			}
		}
		if err := tx.exec("DELETE FROM setup_links WHERE user_id = $1 OR expires <= $2", l.User.String(), r.now()); err != nil {
			return fmt.Errorf("registry: drop old setup links: %w", err)
		}
		err := tx.exec("INSERT INTO setup_links (user_id, hash, created, expires, reset) VALUES ($1, $2, $3, $4, $5)", l.User.String(),
			hashText(l.Hash), l.Created, l.Expires, l.Reset)
		if err != nil {
			return fmt.Errorf("registry: save setup link: %w", err)
		}
		return nil
	})
}

// RedeemSetupLink uses up the link of a kind with a hash: its user has the password hash
// given, and by a first link is enabled. NotFound when there is no such link or it has
// expired, and for a reset when the user is disabled.
func (r *Registry) RedeemSetupLink(ctx context.Context, hash [32]byte, reset bool, password string) (*model.Account, error) {
	var a *model.Account
	err := r.write(ctx, func(tx *tx) error {
		old, err := r.linked(tx.ctx, tx.sql, hash, reset)
		if err != nil {
			return err
		}
		user := old.User.ID
		if err := tx.execOne("DELETE FROM setup_links WHERE user_id = $1", user.String()); err != nil {
			return fmt.Errorf("registry: use setup link: %w", err)
		}
		if err := tx.execOne("UPDATE users SET password = $2, enabled = $3, version = version + 1 WHERE id = $1",
			user.String(), password, true); err != nil {
			return fmt.Errorf("registry: activate user %s: %w", user, err)
		}
		r.enableKeysOf(tx, user, true)
		if err := r.endSessions(tx, sessionsOfUser, user.String()); err != nil {
			return err
		}
		a, err = accountWhere(tx.ctx, tx.sql, "id = $1", user.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// SetupLinkAccount returns whom a setup link of a kind is for, which stays good.
func (r *Registry) SetupLinkAccount(ctx context.Context, hash [32]byte, reset bool) (*model.Account, error) {
	return r.linked(ctx, r.reader, hash, reset)
}

// linked returns whom a setup link is for, as long as it may be used.
func (r *Registry) linked(ctx context.Context, q queryer, hash [32]byte, reset bool) (*model.Account, error) {
	a, err := accountWhere(ctx, q, "id = (SELECT user_id FROM setup_links WHERE hash = $1 AND expires > $2 AND reset = $3)",
		hashText(hash), r.now(), reset)
	if err != nil && model.KindOf(err) != model.NotFound {
		return nil, err
	}
	if err == nil && (a.User.Enabled || !reset) {
		if _, ok := r.Lookup(model.EntityID(a.User.ID)); ok {
			return a, nil
		}
	}
	return nil, model.NotFoundf("Activation token is unknown or has expired")
}

// hashText is a hash as SQL holds it.
func hashText(h [32]byte) string { return base64.StdEncoding.EncodeToString(h[:]) }
