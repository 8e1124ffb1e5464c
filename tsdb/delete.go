package tsdb

import (
	"context"
	"math/bits"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

func popcount(mask uint32) int { return bits.OnesCount32(mask) }

// Delete removes history of one entity and scope (contract thingsboard 8.6). It is visible
// at once; the next flush carries it out. Keys that do not exist are passed over.
func (db *DB) Delete(ctx context.Context, d model.DeleteRange) (model.Position, error) {
	if d.To <= d.From {
		return 0, model.Invalidf("Range from %d to %d is empty", d.From, d.To)
	}
	if err := db.options.Limits.checkKeys(d.Keys); err != nil {
		return 0, err
	}
	rec, err := db.open(ctx, d.Tenant, d.Entity, d.Scope)
	if err != nil {
		return 0, err
	}
	defer db.done(rec)
	r := db.committer.request(entry.KindDelete)
	defer db.committer.release(r)
	r.del, r.record = &d, rec
	return db.submit(ctx, r, 64)
}

// DeleteEntity removes everything of an entity, in every scope. Deleting what does not exist
// is not an error.
func (db *DB) DeleteEntity(ctx context.Context, tenant model.TenantID, entity model.EntityID) (model.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := db.enter(); err != nil {
		return 0, err
	}
	defer db.leave()
	for _, scope := range scopes { // applying must not fail: have them in memory
		rec, err := db.records.get(keys.Series{Tenant: tenant, Entity: entity, Scope: scope})
		if err != nil {
			return 0, err
		}
		defer rec.Unpin()
	}
	r := db.committer.request(kindErase)
	defer db.committer.release(r)
	r.tenant, r.entity = tenant, entity
	return db.submit(ctx, r, 64)
}

const kindErase = entry.KindErase

// addDelete works out what a delete does to latest values, from the state it will find: it
// is alone in its commit group.
func (c *committer) addDelete(r *request) (ok bool, err error) {
	r.position = c.next - 1
	rec, d := r.record, r.del
	e := entry.Delete{Series: rec.Series, From: d.From, To: d.To, Received: d.Received}
	for _, g := range rec.Groups {
		mask := columnsOf(g, d.Keys)
		if mask == 0 {
			continue
		}
		e.Groups = append(e.Groups, entry.DeleteGroup{Group: g.ID, Columns: mask})
		if d.KeepLatest {
			continue
		}
		for column := range g.Shape.Names {
			if mask&(1<<column) == 0 {
				continue
			}
			l := g.Latest(column)
			if l.Type == model.TypeNone || l.TS < d.From || l.TS >= d.To {
				continue
			}
			change := entry.LatestChange{Ref: catalog.Ref{Group: g.ID, Column: uint8(column)}}
			if d.RewriteLatest {
				change.Latest, err = c.db.newestBefore(context.Background(), rec, g.Shape.Names[column], d.From)
				if err != nil {
					return false, err
				}
			}
			e.Changes = append(e.Changes, change)
		}
	}
	if len(e.Groups) == 0 {
		return true, nil
	}
	c.addEntry(e.Append(nil), nil)
	r.position = c.next - 1
	return true, nil
}

// columnsOf returns the columns of names in g; no names means all.
func columnsOf(g *head.Group, names []string) uint32 {
	if len(names) == 0 {
		return 1<<len(g.Shape.Names) - 1
	}
	var mask uint32
	for _, name := range names {
		if column, ok := g.Shape.Find(name); ok {
			mask |= 1 << column
		}
	}
	return mask
}
