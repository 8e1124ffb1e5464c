-- +goose Up
-- What somebody did outlives whom and what it is about: nothing here refers to another table.
CREATE TABLE audit (
    seq         INTEGER PRIMARY KEY, -- orders what happened within one millisecond
    id          TEXT NOT NULL UNIQUE,
    created     BIGINT NOT NULL,
    tenant_id   TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    user_name   TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id   TEXT NOT NULL,
    entity_name TEXT NOT NULL,
    action      TEXT NOT NULL,
    failure     TEXT NOT NULL,
    address     TEXT NOT NULL,
    agent       TEXT NOT NULL,
    operation   TEXT NOT NULL,
    -- the texts a search looks at, in small letters
    search      TEXT NOT NULL
);
CREATE INDEX audit_by_tenant ON audit (tenant_id, created, seq);
CREATE INDEX audit_by_entity ON audit (entity_id, created);
CREATE INDEX audit_by_user ON audit (user_id, created);
CREATE INDEX audit_by_time ON audit (created);

-- +goose Down
DROP TABLE audit;
