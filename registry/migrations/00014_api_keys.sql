-- +goose Up
-- What programs log in with in place of users.
CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created     BIGINT NOT NULL,
    description TEXT NOT NULL,
    expires     BIGINT NOT NULL,
    enabled     BOOLEAN NOT NULL,
    last_used   BIGINT NOT NULL,
    lookup      TEXT NOT NULL UNIQUE
);
CREATE INDEX api_keys_by_user ON api_keys (user_id);

-- +goose Down
DROP TABLE api_keys;
