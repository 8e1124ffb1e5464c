-- +goose Up
-- Ids are the 36 character form, hashes and ciphertexts base64, times Unix milliseconds:
-- the same statements run on SQLite and PostgreSQL.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE tenants (
    id       TEXT PRIMARY KEY,
    created  BIGINT NOT NULL,
    version  BIGINT NOT NULL,
    title    TEXT NOT NULL,
    country  TEXT NOT NULL,
    state    TEXT NOT NULL,
    city     TEXT NOT NULL,
    address  TEXT NOT NULL,
    address2 TEXT NOT NULL,
    zip      TEXT NOT NULL,
    phone    TEXT NOT NULL,
    email    TEXT NOT NULL,
    info     TEXT
);

CREATE TABLE customers (
    id        TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    created   BIGINT NOT NULL,
    version   BIGINT NOT NULL,
    title     TEXT NOT NULL,
    is_public BOOLEAN NOT NULL,
    country   TEXT NOT NULL,
    state     TEXT NOT NULL,
    city      TEXT NOT NULL,
    address   TEXT NOT NULL,
    address2  TEXT NOT NULL,
    zip       TEXT NOT NULL,
    phone     TEXT NOT NULL,
    email     TEXT NOT NULL,
    info      TEXT,
    UNIQUE (tenant_id, title)
);

-- A user without tenant_id is a system administrator. email_key is the e-mail in lower case.
CREATE TABLE users (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT REFERENCES tenants (id) ON DELETE CASCADE,
    customer_id TEXT REFERENCES customers (id) ON DELETE CASCADE,
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    email       TEXT NOT NULL,
    email_key   TEXT NOT NULL UNIQUE,
    authority   TEXT NOT NULL,
    first_name  TEXT NOT NULL,
    last_name   TEXT NOT NULL,
    phone       TEXT NOT NULL,
    enabled     BOOLEAN NOT NULL,
    password    TEXT NOT NULL,
    info        TEXT
);
CREATE INDEX users_by_tenant ON users (tenant_id);
CREATE INDEX users_by_customer ON users (customer_id);

CREATE TABLE device_profiles (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    is_default  BOOLEAN NOT NULL,
    transport   TEXT NOT NULL,
    data        TEXT,
    info        TEXT,
    UNIQUE (tenant_id, name)
);

CREATE TABLE devices (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    customer_id TEXT REFERENCES customers (id),
    profile_id  TEXT NOT NULL REFERENCES device_profiles (id),
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    label       TEXT NOT NULL,
    data        TEXT,
    info        TEXT,
    UNIQUE (tenant_id, name)
);
CREATE INDEX devices_by_customer ON devices (customer_id);
CREATE INDEX devices_by_profile ON devices (profile_id);

-- lookup is the keyed hash a credential is found by; sealed_* are ciphertexts.
CREATE TABLE credentials (
    id           TEXT PRIMARY KEY,
    device_id    TEXT NOT NULL UNIQUE REFERENCES devices (id) ON DELETE CASCADE,
    created      BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    type         TEXT NOT NULL,
    lookup       TEXT NOT NULL UNIQUE,
    sealed_key   TEXT NOT NULL,
    sealed_value TEXT NOT NULL
);

CREATE TABLE dashboards (
    id            TEXT PRIMARY KEY,
    tenant_id     TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    created       BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    title         TEXT NOT NULL,
    configuration TEXT
);
CREATE INDEX dashboards_by_tenant ON dashboards (tenant_id);

CREATE TABLE dashboard_customers (
    dashboard_id TEXT NOT NULL REFERENCES dashboards (id) ON DELETE CASCADE,
    customer_id  TEXT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    PRIMARY KEY (dashboard_id, customer_id)
);
CREATE INDEX dashboard_customers_by_customer ON dashboard_customers (customer_id);

CREATE TABLE sessions (
    id      TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    refresh TEXT NOT NULL,
    address TEXT NOT NULL,
    agent   TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created);
CREATE INDEX sessions_by_expiry ON sessions (expires);

CREATE TABLE setup_links (
    user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash    TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

-- What is gone from here and still to be erased from the engine.
CREATE TABLE outbox (
    entity_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    created   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE outbox;
DROP TABLE setup_links;
DROP TABLE sessions;
DROP TABLE dashboard_customers;
DROP TABLE dashboards;
DROP TABLE credentials;
DROP TABLE devices;
DROP TABLE device_profiles;
DROP TABLE users;
DROP TABLE customers;
DROP TABLE tenants;
DROP TABLE meta;
