-- +goose Up
CREATE TABLE retention (
    tenant_id TEXT PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    policy    TEXT NOT NULL
);

-- +goose Down
DROP TABLE retention;
