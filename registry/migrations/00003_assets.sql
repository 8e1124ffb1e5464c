-- +goose Up
CREATE TABLE asset_profiles (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    created      BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL,
    is_default   BOOLEAN NOT NULL,
    dashboard_id TEXT REFERENCES dashboards (id) ON DELETE SET NULL,
    queue        TEXT NOT NULL,
    image        TEXT NOT NULL,
    UNIQUE (tenant_id, name)
);

CREATE TABLE assets (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    customer_id TEXT REFERENCES customers (id),
    profile_id  TEXT NOT NULL REFERENCES asset_profiles (id),
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    label       TEXT NOT NULL,
    info        TEXT,
    UNIQUE (tenant_id, name)
);
CREATE INDEX assets_by_customer ON assets (customer_id);
CREATE INDEX assets_by_profile ON assets (profile_id);

-- +goose Down
DROP TABLE assets;
DROP TABLE asset_profiles;
