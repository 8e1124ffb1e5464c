-- +goose Up
-- Both ends are entities of the tenant; tenant_id is the zero id for those of no tenant.
CREATE TABLE relations (
    tenant_id TEXT NOT NULL,
    from_id   TEXT NOT NULL,
    from_type TEXT NOT NULL,
    to_id     TEXT NOT NULL,
    to_type   TEXT NOT NULL,
    type      TEXT NOT NULL,
    type_group TEXT NOT NULL,
    info      TEXT,
    PRIMARY KEY (from_id, to_id, type_group, type)
);
CREATE INDEX relations_by_end ON relations (to_id);
CREATE INDEX relations_by_tenant ON relations (tenant_id);

-- +goose Down
DROP TABLE relations;
