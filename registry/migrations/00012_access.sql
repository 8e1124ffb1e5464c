-- +goose Up
-- A session is a user's, or of a public customer nobody logged in for. A reset link is for a
-- user who has a password already.
CREATE TABLE logins (
    id          TEXT PRIMARY KEY,
    user_id     TEXT REFERENCES users (id) ON DELETE CASCADE,
    customer_id TEXT REFERENCES customers (id) ON DELETE CASCADE,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,
    refresh     TEXT NOT NULL,
    address     TEXT NOT NULL,
    agent       TEXT NOT NULL
);
INSERT INTO logins (id, user_id, created, expires, refresh, address, agent)
    SELECT id, user_id, created, expires, refresh, address, agent FROM sessions;
DROP TABLE sessions;
ALTER TABLE logins RENAME TO sessions;
CREATE INDEX sessions_by_user ON sessions (user_id, created);
CREATE INDEX sessions_by_customer ON sessions (customer_id, created);
CREATE INDEX sessions_by_expiry ON sessions (expires);

ALTER TABLE setup_links ADD COLUMN reset BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE setup_links DROP COLUMN reset;
DELETE FROM sessions WHERE user_id IS NULL;
DROP INDEX sessions_by_customer;
