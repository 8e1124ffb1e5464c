-- +goose Up
-- profile_id is NULL for tenants of earlier versions until the next start.
CREATE TABLE tenant_profiles (
    id          TEXT PRIMARY KEY,
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    is_default  BOOLEAN NOT NULL,
    isolated    BOOLEAN NOT NULL,
    data        TEXT
);
ALTER TABLE tenants ADD COLUMN profile_id TEXT REFERENCES tenant_profiles (id);
ALTER TABLE tenants ADD COLUMN region TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tenants DROP COLUMN region;
ALTER TABLE tenants DROP COLUMN profile_id;
DROP TABLE tenant_profiles;
