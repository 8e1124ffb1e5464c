-- +goose Up
CREATE TABLE api_tokens (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    creator_id TEXT NOT NULL,
    created    BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    name       TEXT NOT NULL,
    grants     BIGINT NOT NULL,
    entities   TEXT NOT NULL,
    expires    BIGINT NOT NULL,
    last_used  BIGINT NOT NULL,
    prefix     TEXT NOT NULL,
    lookup     TEXT NOT NULL UNIQUE,
    -- the text before the last rotation, and until when it works
    old_lookup TEXT NOT NULL,
    overlap    BIGINT NOT NULL
);
CREATE INDEX api_tokens_by_tenant ON api_tokens (tenant_id);

-- +goose Down
DROP TABLE api_tokens;
