package tsdb

import (
	"context"
	"errors"

	"github.com/tidewire/tidewire/model"
)

// A DB is an open store.
type DB struct{}

var errSoon = errors.New("tsdb: not there yet")

// Open opens the store in dir, makes it when there is none, and replays what the log has
// beyond the flush position. It fails with ErrLocked when another process has it open.
func Open(dir string, o Options) (*DB, error) { return nil, errSoon }

// Append makes s durable and visible and returns its position. It may be called from any
// number of goroutines; what waits together is synced together. Errors: Invalid or TooLarge
// when s breaks a limit, Overload when ctx ended while the store was too busy to take it
// (nothing was written then).
func (db *DB) Append(ctx context.Context, s *model.WriteSet) (model.Position, error) {
	return 0, errSoon
}

// Delete removes history of one entity and scope (contract thingsboard 8.6). It is visible
// at once.
func (db *DB) Delete(ctx context.Context, d model.DeleteRange) (model.Position, error) {
	return 0, errSoon
}

// DeleteEntity removes everything of an entity, in every scope. Deleting what does not exist
// is not an error.
func (db *DB) DeleteEntity(ctx context.Context, tenant model.TenantID, entity model.EntityID) (model.Position, error) {
	return 0, errSoon
}

// Keys lists the keys that have a latest value, sorted.
func (db *DB) Keys(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope) ([]string, error) {
	return nil, errSoon
}

// Latest returns the latest points of keys, or of every key when keys is nil.
func (db *DB) Latest(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error) {
	return model.Snapshot{}, errSoon
}

// Raw calls yield with the points of each key, in the order of q.Keys, in pages of at most
// 1,024 points. The slice is reused after yield returns, the text of the values is not. Keys
// without points are left out. An error of yield ends the query and is returned.
func (db *DB) Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error) {
	return 0, errSoon
}

// Aggregate calls yield once a key that has points, in the order of q.Keys, with its
// buckets in ascending order; empty ones are left out.
func (db *DB) Aggregate(ctx context.Context, q *model.RangeQuery, yield func(key string, buckets []model.Bucket) error) (model.Position, error) {
	return 0, errSoon
}

// Follow calls fn with the changes behind from, up to what is visible now, and returns the
// position reached. It fails with ErrBehind when the log begins later. Entities deleted
// since are left out.
func (db *DB) Follow(ctx context.Context, from model.Position, fn func(*model.Change) error) (model.Position, error) {
	return 0, errSoon
}

// Position returns the position of the last visible entry.
func (db *DB) Position() model.Position { return 0 }

// Epoch identifies this history of the log: positions of different epochs do not compare.
func (db *DB) Epoch() uint64 { return 0 }

// Flush writes the head as row groups. It is not needed for durability.
func (db *DB) Flush(ctx context.Context) error { return errSoon }

// Check verifies the invariants and counts what there is. Damage found is returned as one
// joined error; the Report is valid nevertheless.
func (db *DB) Check(ctx context.Context) (Report, error) { return Report{}, errSoon }

// Stats returns counters and gauges.
func (db *DB) Stats() Stats { return Stats{} }

// Close flushes and closes the store. Calls that are still running fail with ErrClosed.
func (db *DB) Close() error { return errSoon }
