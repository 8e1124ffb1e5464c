package tsdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/latest"
)

// build makes the columns of a tenant that are missing. What is in them is told by three
// sources, each value with the position it is right at: the state rows of a snapshot of the
// store, the records which have entries behind that, and the entries applied meanwhile. So
// nothing waits, neither a write for the build nor the build for a flush.
func (c *columns) build(ctx context.Context, tenant model.TenantID, of []model.ScopeKey) (err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t, missing, changed := c.register(tenant, of)
	if len(missing) == 0 {
		return nil
	}
	defer func() {
		if err != nil {
			c.drop(tenant, t, missing)
		}
	}()
	b := &columnBuild{columns: c, ctx: ctx, tenant: tenant, table: t, of: of, missing: missing}
	if err := b.stored(); err != nil {
		return fmt.Errorf("build latest columns of tenant %s: %w", tenant, err)
	}
	for _, rec := range changed {
		if err := b.record(rec); err != nil {
			return err
		}
	}
	if err := b.load(); err != nil {
		return err
	}
	t.Finish(missing, c.db.options.Now())
	return nil
}

// register begins the columns that are missing, between two commit groups, and returns the
// records which the next snapshot of the store may not have all of.
func (c *columns) register(tenant model.TenantID, of []model.ScopeKey) (t *latest.Table, missing []model.ScopeKey, changed []*head.Record) {
	db := c.db
	db.commit.Lock()
	defer db.commit.Unlock()
	position := model.Position(db.applied.Load())
	for {
		if t = c.table(tenant); t == nil {
			t = latest.New(&c.bytes)
			c.replace(tenant, t)
		}
		if missing = t.Missing(of); len(missing) == 0 {
			return t, nil, nil
		}
		if t.Register(missing, position) {
			break
		}
		c.replace(tenant, nil) // it was dropped just now
	}
	for _, list := range [][]*head.Record{db.commit.frozen, db.commit.dirty} {
		for _, rec := range list {
			if rec.Series.Tenant == tenant {
				changed = append(changed, rec)
			}
		}
	}
	return t, missing, changed
}

// A columnBuild fills columns.
type columnBuild struct {
	*columns
	ctx     context.Context //nolint:containedctx // a build ends with the call that began it
	tenant  model.TenantID
	table   *latest.Table
	of      []model.ScopeKey // asked for
	missing []model.ScopeKey
	found   []latest.Loaded
	places  []seriesPlace
}

// A seriesPlace is where a key of an entity lives.
type seriesPlace struct {
	group  uint64
	column uint8
	key    uint16 // index into missing
	entity model.EntityID
}

// add takes one value, and hands some over at a time.
func (b *columnBuild) add(l latest.Loaded) error {
	b.found = append(b.found, l)
	if len(b.found) < 256 {
		return nil
	}
	return b.load()
}

func (b *columnBuild) load() error {
	b.table.Load(b.found)
	b.found = b.found[:0]
	limit := b.db.options.ColumnsBytes
	if b.bytes.Load() > limit {
		if b.shrink(time.Time{}, b.tenant, b.of); b.bytes.Load() > limit {
			return model.Errorf(model.TooLarge, "The latest values of these keys take more than the %d bytes allowed; ask for fewer keys", limit)
		}
	}
	return b.ctx.Err()
}

// record adds what a record has in memory.
func (b *columnBuild) record(rec *head.Record) error {
	<-rec.Ready
	rec.RLock()
	defer rec.RUnlock()
	for _, k := range b.missing {
		if k.Scope != rec.Series.Scope {
			continue
		}
		l := latest.Loaded{Entity: rec.Series.Entity, Key: k, Position: rec.Last}
		if ref, ok := rec.Find(k.Key); ok {
			l.Latest = *rec.Group(ref.Group).Latest(int(ref.Column))
			l.Latest.Text = slices.Clone(l.Latest.Text)
		}
		if err := b.add(l); err != nil {
			return err
		}
	}
	return nil
}

// stored adds what the store has.
func (b *columnBuild) stored() (err error) {
	snapshot := b.db.store.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	if err := b.findPlaces(snapshot); err != nil {
		return err
	}
	slices.SortFunc(b.places, func(x, y seriesPlace) int { return cmp.Compare(x.group, y.group) })
	return b.readStates(snapshot)
}

// findPlaces walks the catalog of the tenant, passing over scopes nobody asked for.
func (b *columnBuild) findPlaces(r pebble.Reader) (err error) {
	var asked [model.State + 1]map[string]uint16
	first, last := model.State, model.Timeseries
	for i, k := range b.missing {
		if asked[k.Scope] == nil {
			asked[k.Scope] = map[string]uint16{}
		}
		asked[k.Scope][k.Key] = uint16(i)
		first, last = min(first, k.Scope), max(last, k.Scope)
	}
	low := keys.AppendSeries(nil, keys.Series{Tenant: b.tenant, Scope: 0})
	high := keys.AppendSeries(nil, keys.Series{Tenant: b.tenant, Entity: maxEntity, Scope: model.State + 1})
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	var seek []byte
	for n, ok := 0, iter.First(); ok; n++ {
		if n%1024 == 0 && b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		s, key, err := keys.ParseCatalog(iter.Key())
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		case s.Scope < first:
			s.Scope = first
			seek = keys.AppendSeries(seek[:0], s)
			ok = iter.SeekGE(seek)
			continue
		case s.Scope > last:
			s.Scope = model.State + 1
			seek = keys.AppendSeries(seek[:0], s)
			ok = iter.SeekGE(seek)
			continue
		}
		if i, wanted := asked[s.Scope][string(key)]; wanted {
			ref, err := catalog.ParseRef(iter.Value())
			if err != nil {
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
			b.places = append(b.places, seriesPlace{ref.Group, ref.Column, i, s.Entity})
		}
		ok = iter.Next()
	}
	return iter.Error()
}

var maxEntity = func() (e model.EntityID) {
	for i := range e {
		e[i] = 0xff
	}
	return e
}()

// readStates reads the latest values at the places found, which are sorted by group: mostly
// the next row, since groups are numbered as devices come.
func (b *columnBuild) readStates(r pebble.Reader) (err error) {
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.States}, UpperBound: []byte{keys.States + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	var state catalog.State
	var key []byte
	for i := 0; i < len(b.places); {
		group := b.places[i].group
		key = keys.AppendState(key[:0], group)
		if !iter.SeekGE(key) || string(iter.Key()) != string(key) {
			return errors.Join(fmt.Errorf("%w: no state of group %d", ErrCorrupt, group), iter.Error())
		}
		if err := state.Parse(iter.Value()); err != nil {
			return fmt.Errorf("%w: state of group %d: %w", ErrCorrupt, group, err)
		}
		for ; i < len(b.places) && b.places[i].group == group; i++ {
			p := b.places[i]
			if int(p.column) >= len(state.Latest) || state.Latest[p.column].Type == model.TypeNone {
				continue
			}
			if err := b.add(latest.Loaded{Entity: p.entity, Key: b.missing[p.key], Latest: state.Latest[p.column]}); err != nil {
				return err
			}
		}
	}
	return nil
}
