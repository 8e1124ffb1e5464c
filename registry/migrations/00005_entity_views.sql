-- +goose Up
-- source_id is a device or an asset; keys is JSON of the registry's own.
CREATE TABLE entity_views (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    customer_id TEXT REFERENCES customers (id),
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    type        TEXT NOT NULL,
    source_type TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    keys        TEXT NOT NULL,
    start_ms    BIGINT NOT NULL,
    end_ms      BIGINT NOT NULL,
    info        TEXT,
    UNIQUE (tenant_id, name)
);
CREATE INDEX entity_views_by_customer ON entity_views (customer_id);
CREATE INDEX entity_views_by_source ON entity_views (source_id);

-- Views whose attributes are still to be copied from their source; dropped are the keys that
-- were copied before, version says which save of the view asked.
CREATE TABLE view_copies (
    view_id TEXT PRIMARY KEY REFERENCES entity_views (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    dropped TEXT NOT NULL
);

-- +goose Down
DROP TABLE view_copies;
DROP TABLE entity_views;
