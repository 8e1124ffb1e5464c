package tsdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A census counts the series of each tenant: keys of entities that have a place in a group.
// The counts as of the flush position are meta rows, so a start reads a row a tenant and
// not the catalog; the replay counts what was defined since.
type census struct {
	mu struct {
		sync.Mutex
		tenants map[model.TenantID]*tenantSeries
		total   int64
		changed map[model.TenantID]bool // since the head was frozen
	}
}

type tenantSeries struct {
	count int64
	near  bool // Events.Near was told
}

// metaSeries begins the name of the row of a tenant, which ends with its id: series uvarint.
const metaSeries = "series/"

func seriesKey(tenant model.TenantID) []byte {
	return append(keys.AppendMeta(nil, metaSeries), tenant[:]...)
}

// eachSeriesRow calls fn with every row of the census in r.
func eachSeriesRow(r pebble.Reader, fn func(model.TenantID, int64) error) (err error) {
	prefix := keys.AppendMeta(nil, metaSeries)
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(bytes.Clone(prefix[:len(prefix)-1]), '/'+1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		var tenant model.TenantID
		n, w := binary.Uvarint(value)
		if len(iter.Key()) != len(prefix)+len(tenant) || w <= 0 || w != len(value) {
			return fmt.Errorf("%w: count of series %x", ErrCorrupt, iter.Key())
		}
		copy(tenant[:], iter.Key()[len(prefix):])
		if err := fn(tenant, int64(n)); err != nil {
			return err
		}
	}
	return iter.Error()
}

func (c *census) load(db *DB) error {
	c.mu.tenants, c.mu.changed = map[model.TenantID]*tenantSeries{}, map[model.TenantID]bool{}
	err := eachSeriesRow(db.store, func(t model.TenantID, n int64) error {
		c.mu.tenants[t] = &tenantSeries{count: n, near: isNear(n, db.options.Limits.TenantSeries)} // told in an earlier life
		c.mu.total += n
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the counts of series: %w", err)
	}
	return nil
}

// add changes the count of a tenant by n.
func (c *census) add(tenant model.TenantID, n int) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.mu.tenants[tenant]
	if t == nil {
		t = &tenantSeries{}
		c.mu.tenants[tenant] = t
	}
	t.count += int64(n)
	c.mu.total += int64(n)
	c.mu.changed[tenant] = true
}

func (c *census) of(tenant model.TenantID) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.mu.tenants[tenant]; t != nil {
		return t.count
	}
	return 0
}

func (c *census) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.total
}

// freeze returns the counts that have changed, for the flush that begins: the lock of
// commits is held.
func (c *census) freeze() map[model.TenantID]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := make(map[model.TenantID]int64, len(c.mu.changed))
	for tenant := range c.mu.changed {
		t := c.mu.tenants[tenant]
		rows[tenant] = t.count
		if t.count == 0 {
			delete(c.mu.tenants, tenant)
		}
	}
	clear(c.mu.changed)
	return rows
}

// recount counts anew, after groups were lost of which nobody knows the tenant: those that are
// written, which it returns, and those that wait to be, which have numbers from next on.
func (db *DB) recount(names map[uint64]*groupRows, next uint64) (written map[model.TenantID]int64) {
	db.commit.Lock()
	defer db.commit.Unlock()
	written = map[model.TenantID]int64{}
	for _, g := range names {
		written[g.Series.Tenant] += int64(len(g.Columns))
	}
	counts := maps.Clone(written)
	db.records.each(func(rec *head.Record) {
		for _, g := range rec.Groups {
			if n := names[g.ID]; g.ID >= next || n == nil {
				counts[rec.Series.Tenant] += int64(len(g.Shape.Names))
			}
		}
	})
	c := &db.series
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.total = 0
	for tenant, t := range c.mu.tenants {
		t.count = counts[tenant]
		c.mu.total += t.count
		c.mu.changed[tenant] = true
		written[tenant] += 0 // of which all is lost, too
	}
	return written
}

// putSeries adds rows of the census to a batch.
func putSeries(batch *pebble.Batch, rows map[model.TenantID]int64) (err error) {
	for tenant, n := range rows {
		if n == 0 {
			err = errors.Join(err, batch.Delete(seriesKey(tenant), nil))
		} else {
			err = errors.Join(err, batch.Set(seriesKey(tenant), binary.AppendUvarint(nil, uint64(n)), nil))
		}
	}
	return err
}

// TenantSeries returns how many keys all entities of a tenant have, and how many they may have.
func (db *DB) TenantSeries(tenant model.TenantID) (have, most int64) {
	return db.series.of(tenant), db.options.Limits.TenantSeries
}

// DeviceSeries returns how many keys an entity may have in one scope.
func (db *DB) DeviceSeries() int64 { return int64(db.options.Limits.DeviceSeries) }

// admit decides whether an entity may have fresh series more. It counts nothing yet.
func (db *DB) admit(rec *head.Record, fresh []string) error {
	if len(fresh) == 0 {
		return nil
	}
	have, limit := rec.Columns(), db.options.Limits.DeviceSeries
	if have+len(fresh) > limit {
		return model.Errorf(model.Quota, "%d more keys for %d that there are exceed the limit of %d keys of a device and scope", len(fresh), have, limit)
	}
	all, most := db.series.of(rec.Series.Tenant), db.options.Limits.TenantSeries
	if all+int64(len(fresh)) > most {
		return model.Errorf(model.Quota, "%d more keys for %d that there are exceed the limit of %d keys of a tenant", len(fresh), all, most)
	}
	return nil
}

// defined counts n fresh series of an entity that has all of them now, and warns.
func (db *DB) defined(rec *head.Record, n int) {
	s := rec.Series
	db.series.add(s.Tenant, n)
	if !db.serving.Load() {
		return // the replay warns of nothing
	}
	info := LimitInfo{Tenant: s.Tenant, Entity: s.Entity, Scope: s.Scope}
	have, limit := int64(rec.Columns()), int64(db.options.Limits.DeviceSeries)
	if isNear(have, limit) && !isNear(have-int64(n), limit) {
		info.Limit, info.Value, info.Max = LimitDeviceSeries, have, limit
		db.warnings.tell(db, info)
	}
	most := db.options.Limits.TenantSeries
	db.series.mu.Lock()
	t := db.series.mu.tenants[s.Tenant]
	all := t.count
	warn := isNear(all, most) && !t.near
	if warn {
		t.near = true
	}
	db.series.mu.Unlock()
	if warn {
		db.warnings.tell(db, LimitInfo{Limit: LimitTenantSeries, Tenant: s.Tenant, Value: all, Max: most})
	}
}

// undefined gives back n series of a tenant.
func (db *DB) undefined(tenant model.TenantID, n int) {
	db.series.add(tenant, -n)
	most := db.options.Limits.TenantSeries
	db.series.mu.Lock()
	defer db.series.mu.Unlock()
	if t := db.series.mu.tenants[tenant]; t != nil && isFar(t.count, most) {
		t.near = false
	}
}
