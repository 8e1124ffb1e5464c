package tsdb

import (
	"fmt"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

const maxColumns = catalog.MaxColumns

// scopes are all scopes an entity may have series in.
var scopes = [...]model.Scope{model.Timeseries, model.Client, model.Server, model.Shared, model.State}

// applyDefine adds a group to the record it belongs to.
func (db *DB) applyDefine(rec *head.Record, d *entry.Define) {
	shape := db.records.shapes.Get(d.Names)
	rec.Lock()
	before := rec.Columns()
	first := rec.Define(d.Group, shape, db.commit.gen)
	n := rec.Columns() - before
	if n > 0 {
		db.records.grow(rec, shape)
	}
	rec.Unlock()
	if n > 0 {
		db.defined(rec, n)
	}
	db.account(rec, 0, first)
	db.commit.nextGroup = max(db.commit.nextGroup, d.Group+1)
}

// applyRare applies an entry that is not a set, and tells followers when publish is set.
func (db *DB) applyRare(p model.Position, b []byte, publish bool) error {
	kind, series, err := entry.Head(b)
	if err != nil {
		return err
	}
	switch kind {
	case entry.KindDelete:
		return db.applyDelete(p, b, publish)
	case entry.KindErase:
		return db.applyErase(p, series, b, publish)
	case entry.KindDefine:
		var d entry.Define
		if err := d.Parse(b); err != nil {
			return err
		}
		rec, err := db.records.get(series)
		if err != nil {
			return err
		}
		defer rec.Unpin()
		db.applyDefine(rec, &d)
		return nil
	}
	return fmt.Errorf("%w: entry of kind %d", ErrCorrupt, kind)
}

func (db *DB) applyDelete(p model.Position, b []byte, publish bool) error {
	var d entry.Delete
	if err := d.Parse(b); err != nil {
		return err
	}
	rec, err := db.records.get(d.Series)
	if err != nil {
		return err
	}
	defer rec.Unpin()
	rec.Lock()
	grown, first := rec.Delete(&d, p, db.commit.gen)
	rec.Unlock()
	db.account(rec, grown, first)
	for _, g := range d.Groups {
		db.commit.tombs += int64(popcount(g.Columns))
	}
	db.columns.changed(rec, p)
	if publish && db.wants(d.Series) {
		db.options.Changes.Publish(deleteChange(p, &d, rec))
	}
	return nil
}

func (db *DB) applyErase(p model.Position, s keys.Series, b []byte, publish bool) error {
	for _, scope := range scopes {
		s.Scope = scope
		rec, err := db.records.get(s)
		if err != nil {
			return err
		}
		rec.Lock()
		n := rec.Columns()
		first := rec.Erase(p, db.commit.gen)
		db.records.resize(rec)
		rec.Unlock()
		rec.Unpin()
		db.account(rec, 0, first)
		db.undefined(s.Tenant, n)
		db.columns.erased(s, p)
	}
	if !publish || !db.wants(s) {
		return nil
	}
	return eachErased(p, b, func(change *model.Change) error {
		db.options.Changes.Publish(change)
		return nil
	})
}

func (db *DB) wants(s keys.Series) bool {
	return db.options.Changes != nil && db.options.Changes.Wants(s.Tenant, s.Entity)
}

// publishSet tells followers of a set that has just become visible.
func (db *DB) publishSet(s *entry.Set, p model.Position, rec *head.Record) {
	if db.wants(s.Series) {
		db.options.Changes.Publish(s.Change(p, namesOf(rec)))
	}
}

// namesOf returns the names of the groups of rec. Only the committer, which alone changes
// them, or who holds the lock may use it.
func namesOf(rec *head.Record) func(uint64) ([]string, bool) {
	return func(group uint64) ([]string, bool) {
		g := rec.Group(group)
		if g == nil {
			return nil, false
		}
		return g.Shape.Names, true
	}
}

// deleteChange says what a delete did to latest values.
func deleteChange(p model.Position, d *entry.Delete, rec *head.Record) *model.Change {
	c := &model.Change{Position: p, Tenant: d.Series.Tenant, Entity: d.Series.Entity, Scope: d.Series.Scope}
	for i := range d.Changes {
		change := &d.Changes[i]
		g := rec.Group(change.Ref.Group)
		if g == nil {
			continue
		}
		point := model.KeyPoint{Key: g.Shape.Names[change.Ref.Column]}
		if change.Latest.Type != model.TypeNone {
			point.Point = model.Point{TS: change.Latest.TS, Value: change.Latest.Value()}
		}
		c.Deleted = append(c.Deleted, point)
	}
	return c
}

// eraseEntry says which keys an entity is about to lose. It is called before the entry is
// built, with everything before it applied.
func (db *DB) eraseEntry(tenant model.TenantID, entity model.EntityID) (*entry.Erase, error) {
	e := &entry.Erase{Tenant: tenant, Entity: entity}
	for _, scope := range scopes {
		rec, err := db.records.get(keys.Series{Tenant: tenant, Entity: entity, Scope: scope})
		if err != nil {
			return nil, err
		}
		if names := keysWithLatest(rec); len(names) > 0 {
			e.Lost = append(e.Lost, entry.Lost{Scope: scope, Names: names})
		}
		rec.Unpin()
	}
	return e, nil
}

func keysWithLatest(rec *head.Record) (names []string) {
	rec.RLock()
	defer rec.RUnlock()
	for _, g := range rec.Groups {
		for i, name := range g.Shape.Names {
			if t := g.Latest(i).Type; t != model.TypeNone && t != model.TypeNull {
				names = append(names, name)
			}
		}
	}
	return names
}

// eachErased calls fn with what an erase did, a change a scope.
func eachErased(p model.Position, b []byte, fn func(*model.Change) error) error {
	var e entry.Erase
	if err := e.Parse(b); err != nil {
		return fmt.Errorf("position %d: %w", p, err)
	}
	for _, lost := range e.Lost {
		c := &model.Change{Position: p, Tenant: e.Tenant, Entity: e.Entity, Scope: lost.Scope}
		for _, name := range lost.Names {
			c.Deleted = append(c.Deleted, model.KeyPoint{Key: name})
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}
