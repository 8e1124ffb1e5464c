package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tidewire/tidewire/model"
)

const (
	// maxSessions bounds the sessions of a user: a script that logs in for every request
	// ends its own oldest ones.
	maxSessions = 1000
	// maxPublicSessions bounds those of a public customer, which anybody may open.
	maxPublicSessions = 10_000
	// purgeEvery is how often expired sessions are dropped, ms.
	purgeEvery = int64(time.Hour / time.Millisecond)
)

const sessionsOfUser = "SELECT id FROM sessions WHERE user_id = $1"

// CreateSession keeps a login. The oldest sessions of the user, or of the public customer, end
// when there are too many.
func (r *Registry) CreateSession(ctx context.Context, s *model.Session) error {
	return r.write(ctx, func(tx *tx) error {
		if err := r.purgeSessions(tx); err != nil {
			return err
		}
		of, owner, most := "user_id", model.ID(s.User), maxSessions
		if s.Customer != (model.CustomerID{}) {
			of, owner, most = "customer_id", model.ID(s.Customer), maxPublicSessions
		}
		if _, ok := r.Lookup(model.EntityID(owner)); !ok { // deleted since the password was checked
			return missing("User", owner)
		}
		err := r.endSessions(tx, "SELECT id FROM sessions WHERE "+of+" = $1 ORDER BY created DESC, id DESC LIMIT 1000000 OFFSET $2",
			owner.String(), most-1)
		if err != nil {
			return err
		}
		err = tx.exec("INSERT INTO sessions (id, "+of+", created, expires, refresh, address, agent) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			s.ID.String(), owner.String(), s.Created, s.Expires, hashText(s.Refresh), s.Address, s.Agent)
		if err != nil {
			return fmt.Errorf("registry: save session: %w", err)
		}
		id, expires := s.ID, s.Expires
		tx.then(func() { r.dir.sessions.set(id, expires) })
		return nil
	})
}

// RotateSession exchanges the refresh token hash of a session and prolongs it. NotFound when
// the session has ended. When from is not the session's newest hash, somebody uses an old
// token again: the session ends and the answer is Conflict; but nothing happens when the
// newest is to and became so less than grace ms ago.
func (r *Registry) RotateSession(ctx context.Context, id model.ID, from, to [32]byte, expires, grace int64) error {
	reused := false
	err := r.write(ctx, func(tx *tx) error {
		var current string
		var until int64
		err := tx.row("SELECT refresh, expires FROM sessions WHERE id = $1 AND expires > $2", id.String(), r.now()).Scan(&current, &until)
		if errors.Is(err, sql.ErrNoRows) {
			return model.NotFoundf("Session is not found")
		}
		if err != nil {
			return fmt.Errorf("registry: read session %s: %w", id, err)
		}
		if current == hashText(to) && expires-until < grace { // both ends lie one life behind their exchange
			return nil
		}
		if reused = current != hashText(from); reused {
			return r.endSessions(tx, "SELECT id FROM sessions WHERE id = $1", id.String())
		}
		err = tx.execOne("UPDATE sessions SET refresh = $2, expires = $3 WHERE id = $1", id.String(), hashText(to), expires)
		if err != nil {
			return fmt.Errorf("registry: rotate session %s: %w", id, err)
		}
		tx.then(func() { r.dir.sessions.set(id, expires) })
		return nil
	})
	if err == nil && reused {
		return model.Errorf(model.Conflict, "Refresh token was already used")
	}
	return err
}

// EndSession ends one login: its tokens are refused from then on. It succeeds when there is
// none.
func (r *Registry) EndSession(ctx context.Context, id model.ID) error {
	return r.write(ctx, func(tx *tx) error {
		return r.endSessions(tx, "SELECT id FROM sessions WHERE id = $1", id.String())
	})
}

// EndSessions ends every login of a user.
func (r *Registry) EndSessions(ctx context.Context, user model.UserID) error {
	return r.write(ctx, func(tx *tx) error { return r.endSessions(tx, sessionsOfUser, user.String()) })
}

// SessionAlive reports, from memory, whether a session is neither ended nor expired.
func (r *Registry) SessionAlive(id model.ID) bool {
	expires, ok := r.dir.sessions.get(id)
	return ok && r.now() < expires
}

// endSessions ends the sessions a query yields.
func (r *Registry) endSessions(tx *tx, query string, args ...any) error {
	ids, err := tx.ids(query, args...)
	if err != nil {
		return fmt.Errorf("registry: read sessions to end: %w", err)
	}
	for _, id := range ids {
		if err := tx.exec("DELETE FROM sessions WHERE id = $1", id.String()); err != nil {
			return fmt.Errorf("registry: end session %s: %w", id, err)
		}
	}
	tx.rights = tx.rights || len(ids) > 0
	tx.then(func() {
		for _, id := range ids {
			r.dir.sessions.remove(id)
		}
	})
	return nil
}

// purgeSessions drops what has expired, now and then.
func (r *Registry) purgeSessions(tx *tx) error {
	now := r.now()
	if now < r.purge+purgeEvery {
		return nil
	}
	r.purge = now
	return r.endSessions(tx, "SELECT id FROM sessions WHERE expires <= $1", now)
}

// loadSessions fills the directory's part of sessions.
func (r *Registry) loadSessions(ctx context.Context) error {
	_, err := collect(ctx, r.reader, func(s scanner) (struct{}, error) {
		var id model.ID
		var expires int64
		err := s.Scan(idText{&id}, &expires)
		if err == nil {
			r.dir.sessions.set(id, expires)
		}
		return struct{}{}, err
	}, "SELECT id, expires FROM sessions WHERE expires > $1", r.now())
	return err
}

// Sessions returns the open sessions of a user, newest first.
func (r *Registry) Sessions(ctx context.Context, user model.UserID) ([]*model.Session, error) {
	list, err := collect(ctx, r.reader, func(s scanner) (*model.Session, error) {
		v := &model.Session{User: user}
		return v, s.Scan(idText{&v.ID}, &v.Created, &v.Expires, &v.Address, &v.Agent)
	}, "SELECT id, created, expires, address, agent FROM sessions WHERE user_id = $1 AND expires > $2 ORDER BY created DESC, id DESC",
		user.String(), r.now())
	if err != nil {
		return nil, fmt.Errorf("registry: read sessions of user %s: %w", user, err)
	}
	return list, nil
}

// EndSessionOf ends a session of a user; NotFound when it is none of theirs.
func (r *Registry) EndSessionOf(ctx context.Context, user model.UserID, id model.ID) error {
	return r.write(ctx, func(tx *tx) error {
		ok, err := tx.exists("SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2", id.String(), user.String())
		if err != nil {
			return fmt.Errorf("registry: read session %s: %w", id, err)
		}
		if !ok {
			return missing("Session", id)
		}
		return r.endSessions(tx, "SELECT id FROM sessions WHERE id = $1", id.String())
	})
}
