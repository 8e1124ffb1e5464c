package tsdb

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/latest"
)

// columns are the latest columns in memory, by tenant. While there are none, an entry that is
// applied costs one look at tables.
type columns struct {
	db     *DB
	tables atomic.Pointer[map[model.TenantID]*latest.Table] // never changed, only replaced
	bytes  atomic.Int64
	swept  atomic.Int64 // when idle columns were last looked for, ns
	// turn is held by who builds columns: one tenant at a time.
	turn chan struct{}
	mu   struct {
		sync.Mutex // held while tables is replaced
	}
	groups []latest.Group // scratch of who applies entries
}

func newColumns(db *DB) *columns { return &columns{db: db, turn: make(chan struct{}, 1)} }

// LatestColumns returns the latest values of some series of all entities of a tenant, at one
// position. Asked for the first time, it reads them from the store; from then on memory keeps
// them and what is written keeps them current, until nobody has asked for them for
// [Options.ColumnsIdle] or [Options.ColumnsBytes] would be exceeded. It is TooLarge when these
// series alone would exceed it. With a *[model.DamageError] the view is good but for the places
// it names; one of no entity stands for entities that cannot be told.
func (db *DB) LatestColumns(ctx context.Context, tenant model.TenantID, of []model.ScopeKey) (model.LatestView, error) {
	for _, k := range of {
		if k.Scope < model.Timeseries || k.Scope > model.State {
			return nil, model.Invalidf("Unknown scope %d", k.Scope)
		}
		if err := db.options.Limits.checkKeys([]string{k.Key}); err != nil {
			return nil, err
		}
	}
	if len(of) > db.options.Limits.Keys {
		return nil, model.Errorf(model.TooLarge, "%d keys in one query exceed the limit of %d", len(of), db.options.Limits.Keys)
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if t := db.columns.table(tenant); t != nil {
			if v, ok := t.View(of, db.options.Now()); ok {
				return v, nil
			}
		}
		if v, err := db.columns.build(ctx, tenant, of); v != nil {
			return v, err
		} else if err != nil {
			return nil, err
		}
	}
}

// table returns the table of a tenant, or nil.
func (c *columns) table(tenant model.TenantID) *latest.Table {
	if tables := c.tables.Load(); tables != nil {
		return (*tables)[tenant]
	}
	return nil
}

// replace makes t the table of a tenant, or none when t is nil.
func (c *columns) replace(tenant model.TenantID, t *latest.Table) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[model.TenantID]*latest.Table{}
	if tables := c.tables.Load(); tables != nil {
		next = maps.Clone(*tables)
	}
	if delete(next, tenant); t != nil {
		next[tenant] = t
	}
	if len(next) == 0 {
		c.tables.Store(nil)
		return
	}
	c.tables.Store(&next)
}

// drop forgets columns of a tenant.
func (c *columns) drop(tenant model.TenantID, t *latest.Table, of []model.ScopeKey) {
	if t.Drop(of) {
		c.replace(tenant, nil)
	}
}

// applied takes over what a set has changed. Who applies calls it, one at a time.
func (c *columns) applied(rec *head.Record, s *entry.Set, p model.Position) {
	t := c.table(rec.Series.Tenant)
	if t == nil {
		return
	}
	c.groups = c.groups[:0]
	for i := range s.Sections {
		section := &s.Sections[i]
		g := rec.Group(section.Group)
		if g == nil {
			continue
		}
		mask := uint32(0)
		for _, n := range section.Numbers {
			mask |= 1 << n
		}
		c.groups = append(c.groups, latest.Group{Shape: g.Shape, Latest: g.State.Latest, Mask: mask})
	}
	t.Put(rec.Series.Entity, rec.Series.Scope, p, c.groups)
}

// changed takes over all of a record, after a delete.
func (c *columns) changed(rec *head.Record, p model.Position) {
	t := c.table(rec.Series.Tenant)
	if t == nil {
		return
	}
	c.groups = c.groups[:0]
	for _, g := range rec.Groups {
		c.groups = append(c.groups, latest.Group{Shape: g.Shape, Latest: g.State.Latest, Mask: ^uint32(0)})
	}
	t.Put(rec.Series.Entity, rec.Series.Scope, p, c.groups)
}

// erased takes away all of an entity in one scope.
func (c *columns) erased(s keys.Series, p model.Position) {
	if t := c.table(s.Tenant); t != nil && t.Erase(s.Entity, s.Scope, p) {
		c.replace(s.Tenant, nil)
	}
}

// sweepEach is how often idle columns are looked for.
const sweepEach = 10 * time.Second

// sweep drops columns that are idle, and those idle for longest while all take more memory
// than allowed. It costs a look at the clock while there are columns, and nothing else.
func (c *columns) sweep() {
	if c.tables.Load() == nil {
		return
	}
	now := c.db.options.Now()
	last := c.swept.Load()
	if now.Sub(time.Unix(0, last)) < sweepEach && c.bytes.Load() <= c.db.options.ColumnsBytes || !c.swept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	c.shrink(now.Add(-c.db.options.ColumnsIdle), model.TenantID{}, nil)
}

// shrink drops columns not used since a moment, and then the longest unused ones until all
// take at most what is allowed; but for those to keep of one tenant.
func (c *columns) shrink(since time.Time, tenant model.TenantID, keep []model.ScopeKey) {
	tables := c.tables.Load()
	if tables == nil {
		return
	}
	type idle struct {
		latest.Idle
		tenant model.TenantID
		table  *latest.Table
	}
	var all []idle
	for id, t := range *tables {
		for _, one := range t.Columns() {
			if id != tenant || !slices.Contains(keep, one.Key) {
				all = append(all, idle{one, id, t})
			}
		}
	}
	slices.SortFunc(all, func(a, b idle) int { return a.Used.Compare(b.Used) })
	for _, one := range all {
		if one.Used.Before(since) || c.bytes.Load() > c.db.options.ColumnsBytes {
			c.drop(one.tenant, one.table, []model.ScopeKey{one.Key})
		}
	}
}
