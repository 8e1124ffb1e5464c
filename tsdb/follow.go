package tsdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// errReached ends a walk over the log.
var errReached = errors.New("tsdb: reached")

// Follow calls fn with the changes behind from, up to what is visible now, and returns the
// position reached. It fails with a *BehindError when the log begins later. Of entities deleted
// since, what came before is left out; their removal is a change a scope that has Deleted.
func (db *DB) Follow(ctx context.Context, from model.Position, fn func(*model.Change) error) (model.Position, error) {
	return db.FollowSome(ctx, from, func(model.TenantID, model.EntityID) bool { return true }, fn)
}

// FollowSome is Follow for the entities that want says yes to. What belongs to the others costs
// a look at the head of its entry.
func (db *DB) FollowSome(ctx context.Context, from model.Position, want func(model.TenantID, model.EntityID) bool, fn func(*model.Change) error) (model.Position, error) {
	if err := db.enter(); err != nil {
		return from, err
	}
	defer db.leave()
	upto := db.Position()
	snapshot := db.store.NewSnapshot()
	reached, err := db.follow(ctx, snapshot, from, upto, &follower{db: db, want: want, fn: fn})
	return reached, errors.Join(err, snapshot.Close())
}

func (db *DB) follow(ctx context.Context, snapshot pebble.Reader, from, upto model.Position, f *follower) (_ model.Position, err error) {
	state, err := readFlushState(snapshot)
	if err != nil {
		return from, err
	}
	if from+1 < state.logFirst {
		return from, &BehindError{From: uint64(from), First: uint64(state.logFirst) - 1}
	}
	if from >= upto {
		return from, nil
	}
	// from may lie within a commit group, which then begins before it.
	options := logRange(state.logFirst)
	iter, err := snapshot.NewIter(options)
	if err != nil {
		return from, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	if !iter.SeekLT(keys.AppendLog(nil, from+2)) {
		iter.SeekGE(keys.AppendLog(nil, from+1))
	}
	for ; iter.Valid(); iter.Next() {
		if err := ctx.Err(); err != nil {
			return from, err
		}
		first, err := keys.ParseLog(iter.Key())
		if err != nil {
			return from, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		err = entry.Each(first, iter.Value(), func(p model.Position, b []byte) error {
			if p <= from {
				return nil
			}
			if p > upto {
				return errReached
			}
			if err := f.entry(p, b); err != nil {
				return err
			}
			from = p
			return nil
		})
		if errors.Is(err, errReached) {
			return from, nil
		}
		if err != nil {
			return from, err
		}
	}
	return from, iter.Error()
}

// A follower turns entries back into changes.
type follower struct {
	db   *DB
	want func(model.TenantID, model.EntityID) bool
	fn   func(*model.Change) error
	set  entry.Set
}

func (f *follower) entry(p model.Position, b []byte) error {
	kind, series, err := entry.Head(b)
	if err != nil || !f.want(series.Tenant, series.Entity) {
		return err
	}
	switch kind {
	case entry.KindSet:
		if err := f.set.Parse(b, true); err != nil {
			return fmt.Errorf("position %d: %w", p, err)
		}
		return f.with(series, func(names func(uint64) ([]string, bool), _ *head.Record) *model.Change {
			return f.set.Change(p, names)
		})
	case entry.KindDelete:
		var d entry.Delete
		if err := d.Parse(b); err != nil {
			return fmt.Errorf("position %d: %w", p, err)
		}
		return f.with(series, func(_ func(uint64) ([]string, bool), rec *head.Record) *model.Change {
			return deleteChange(p, &d, rec)
		})
	case entry.KindErase:
		return eachErased(p, b, f.fn)
	}
	return nil
}

// with builds a change from the record of s, under its lock, and hands it over without it.
func (f *follower) with(s keys.Series, build func(func(uint64) ([]string, bool), *head.Record) *model.Change) error {
	rec, err := f.db.records.get(s)
	if err != nil {
		return err
	}
	defer rec.Unpin()
	rec.RLock()
	change := build(namesOf(rec), rec)
	rec.RUnlock()
	if len(change.Rows) == 0 && len(change.Deleted) == 0 {
		return nil
	}
	return f.fn(change)
}
