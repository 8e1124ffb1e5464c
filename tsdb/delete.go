package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	p, _, err := db.erase(ctx, tenant, []model.EntityID{entity})
	return p, err
}

// eraseAtOnce is how many entities one commit group removes at most: applying it holds up others.
const eraseAtOnce = 1024

// DeleteTenant removes everything of every entity of a tenant: data, latest values, catalog.
// It is durable and visible, and no replay brings anything back, when it returns; what fails
// half way can be done again. Who deletes a tenant sees to it that nobody writes for it any more.
func (db *DB) DeleteTenant(ctx context.Context, tenant model.TenantID) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	if err := db.flusher.flush(ctx); err != nil { // so that the catalog knows every entity
		return err
	}
	var from model.EntityID
	for more := true; more; {
		var batch []model.EntityID
		var err error
		if batch, from, more, err = db.entitiesOf(ctx, tenant, from); err != nil {
			return err
		}
		for len(batch) > 0 {
			_, n, err := db.erase(ctx, tenant, batch)
			if err != nil {
				return err
			}
			batch = batch[n:]
		}
	}
	return nil
}

// errMending is why nobody can say now whose rows there are.
var errMending = errors.New("it is being mended")

// entitiesOf returns some of the entities that the catalog has of a tenant, from one on, and
// with which to go on. It does not step over damage: whoever was in it would stay. That is
// told and mended, and then it can be done again.
func (db *DB) entitiesOf(ctx context.Context, tenant model.TenantID, from model.EntityID) (entities []model.EntityID, next model.EntityID, more bool, err error) {
	key := func(e model.EntityID) []byte { return append(append([]byte{keys.Catalog}, tenant[:]...), e[:]...) }
	var torn []keySpan
	mends := db.damage.mends.Load()
	l := lack{db: db, tenant: tenant}
	w := walker{ctx: ctx, store: db.store, damage: db.damage, lost: func(s keySpan, cause error) error {
		l.met(cause)
		torn = append(torn, s)
		return nil
	}}
	err = w.each(keySpan{key(from), behind(key(model.EntityID{})[:17])}, func(k, _ []byte) ([]byte, error) {
		s, _, err := keys.ParseCatalog(k)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		next = s.Entity
		if len(entities) == eraseAtOnce {
			more = true
			return nil, model.ErrEnough
		}
		entities = append(entities, next)
		return behind(key(next)), nil
	})
	if errors.Is(err, model.ErrEnough) {
		err = nil
	}
	if unsettled, meanwhile := db.damage.mendedSince(mends); err == nil && (meanwhile || unsettled != nil) {
		l.add(keys.Series{Tenant: tenant}, nil, minInstant, math.MaxInt64, errMending)
		return nil, next, false, l.err()
	}
	if err != nil || len(torn) == 0 {
		return entities, next, more, err
	}
	torn = mergeSpans(torn)
	found, err := l.namesIn(ctx, db.store, torn)
	for _, g := range found {
		l.add(g.Series, g.Columns, minInstant, math.MaxInt64, l.torn)
	}
	if err == nil && len(l.places) == 0 { // damaged, but of nobody's
		l.add(keys.Series{Tenant: tenant}, nil, minInstant, math.MaxInt64, l.torn)
	}
	return nil, next, false, errors.Join(err, l.err())
}

// erase removes the first of entities, at least one, in one commit group, and returns how many:
// their entries, in which keys are named, must not make the group much longer than others are.
func (db *DB) erase(ctx context.Context, tenant model.TenantID, entities []model.EntityID) (p model.Position, n int, err error) {
	pinned := make([]*head.Record, 0, len(entities)*len(scopes))
	defer func() {
		for _, rec := range pinned {
			rec.Unpin()
		}
	}()
	size := 0
	for n < len(entities) && size < maxGroup {
		for _, scope := range scopes { // applying must not fail: have them in memory
			rec, err := db.records.get(keys.Series{Tenant: tenant, Entity: entities[n], Scope: scope})
			if err != nil {
				return 0, 0, db.unreadable(tenant, entities[n], scope, err)
			}
			pinned = append(pinned, rec)
			size += nameBytes(rec)
		}
		size += 64
		n++
	}
	r := db.committer.request(kindErase)
	defer db.committer.release(r)
	r.tenant, r.entities = tenant, entities[:n]
	p, err = db.submit(ctx, r, int64(min(size, maxGroup)))
	return p, n, err
}

// nameBytes estimates what the names of all keys of a record take.
func nameBytes(rec *head.Record) (n int) {
	rec.RLock()
	defer rec.RUnlock()
	for _, g := range rec.Groups {
		for _, name := range g.Shape.Names {
			n += len(name) + 2
		}
	}
	return n
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
