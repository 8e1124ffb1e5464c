-- +goose Up
-- What clients keep in device profiles and dashboards. A profile does not outlive its
-- dashboard's reference; '' is none where a text may be absent.
ALTER TABLE device_profiles ADD COLUMN provision_type TEXT NOT NULL DEFAULT 'DISABLED';
ALTER TABLE device_profiles ADD COLUMN provision_key TEXT;
ALTER TABLE device_profiles ADD COLUMN dashboard_id TEXT REFERENCES dashboards (id) ON DELETE SET NULL;
ALTER TABLE device_profiles ADD COLUMN queue TEXT NOT NULL DEFAULT '';
ALTER TABLE device_profiles ADD COLUMN image TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX device_profiles_by_provision_key ON device_profiles (provision_key);

ALTER TABLE dashboards ADD COLUMN image TEXT NOT NULL DEFAULT '';
ALTER TABLE dashboards ADD COLUMN mobile_hide BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE dashboards ADD COLUMN mobile_order BIGINT;

-- +goose Down
ALTER TABLE dashboards DROP COLUMN mobile_order;
ALTER TABLE dashboards DROP COLUMN mobile_hide;
ALTER TABLE dashboards DROP COLUMN image;
DROP INDEX device_profiles_by_provision_key;
ALTER TABLE device_profiles DROP COLUMN image;
ALTER TABLE device_profiles DROP COLUMN queue;
ALTER TABLE device_profiles DROP COLUMN dashboard_id;
ALTER TABLE device_profiles DROP COLUMN provision_key;
ALTER TABLE device_profiles DROP COLUMN provision_type;
