package tsdb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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
//
// Where damage hides values of some entities, it returns a view of all others, once, and a
// *[model.DamageError]: the columns are not kept.
func (c *columns) build(ctx context.Context, tenant model.TenantID, of []model.ScopeKey) (_ *latest.View, err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	mends := c.db.damage.mends.Load()
	t, missing, changed := c.register(tenant, of)
	if len(missing) == 0 {
		return nil, nil
	}
	finished := false
	defer func() {
		if !finished {
			c.drop(tenant, t, missing)
		}
	}()
	b := &columnBuild{columns: c, ctx: ctx, lack: lack{db: c.db, tenant: tenant}, table: t, of: of, missing: missing}
	if err := b.stored(); err != nil {
		return nil, fmt.Errorf("build latest columns of tenant %s: %w", tenant, err)
	}
	for _, rec := range changed {
		if err := b.record(rec); err != nil {
			return nil, err
		}
	}
	if err := b.load(); err != nil {
		return nil, err
	}
	unsettled, meanwhile := c.db.damage.mendedSince(mends)
	if meanwhile {
		return nil, nil // the snapshot may lack what was taken away meanwhile
	}
	if len(unsettled) > 0 { // likewise, and nobody knows for how long
		b.lack.add(keys.Series{Tenant: tenant}, nil, minInstant, math.MaxInt64, errMended)
	}
	if err := b.lack.err(); err != nil {
		if v, ok := t.Part(of, c.db.options.Now()); ok {
			return v, err
		}
		return nil, nil // others made some go meanwhile
	}
	t.Finish(missing, c.db.options.Now())
	finished = true
	return nil, nil
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
	lack    lack
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
		if b.shrink(time.Time{}, b.lack.tenant, b.of); b.bytes.Load() > limit {
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
	tenant := b.lack.tenant
	low := keys.AppendSeries(nil, keys.Series{Tenant: tenant, Scope: 0})
	high := keys.AppendSeries(nil, keys.Series{Tenant: tenant, Entity: maxEntity, Scope: model.State + 1})
	var seek []byte
	var torn []keySpan
	w := walker{ctx: b.ctx, store: r, damage: b.db.damage, lost: func(s keySpan, cause error) error {
		b.lack.met(cause)
		torn = append(torn, s)
		return nil
	}}
	err = w.each(keySpan{low, high}, func(k, value []byte) ([]byte, error) {
		s, key, err := keys.ParseCatalog(k)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		case s.Scope < first:
			s.Scope = first
			seek = keys.AppendSeries(seek[:0], s)
			return seek, nil
		case s.Scope > last:
			s.Scope = model.State + 1
			seek = keys.AppendSeries(seek[:0], s)
			return seek, nil
		}
		if i, wanted := asked[s.Scope][string(key)]; wanted {
			ref, err := catalog.ParseRef(value)
			if err != nil {
				return nil, b.missed(s, string(key), err)
			}
			b.places = append(b.places, seriesPlace{ref.Group, ref.Column, i, s.Entity})
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	// The names of groups say of these keys what the catalog would.
	torn = mergeSpans(torn)
	found, err := b.lack.namesIn(b.ctx, r, torn)
	for _, g := range found {
		for column, key := range g.Columns {
			if i, wanted := asked[g.Series.Scope][key]; wanted && holdsAny(torn, keys.AppendCatalog(nil, g.Series, key)) {
				b.places = append(b.places, seriesPlace{g.group, uint8(column), i, g.Series.Entity})
			}
		}
	}
	return err
}

// missed notes that the value of a key cannot be read, unless memory has it.
func (b *columnBuild) missed(s keys.Series, key string, cause error) error {
	b.lack.met(cause)
	if rec := b.db.records.peek(s); rec != nil {
		defer rec.Unpin()
		return b.record(rec)
	}
	b.lack.add(s, []string{key}, minInstant, math.MaxInt64, cause)
	return nil
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
	states := stateReader{store: r, damage: b.db.damage}
	defer func() { err = errors.Join(err, states.close()) }()
	for i := 0; i < len(b.places); {
		group := b.places[i].group
		failed := states.read(group)
		if failed != nil && !isDamage(failed) {
			return failed
		}
		for ; i < len(b.places) && b.places[i].group == group; i++ {
			p, latestOf := b.places[i], states.state.Latest
			key := b.missing[p.key]
			var err error
			switch {
			case failed != nil:
				err = b.missed(keys.Series{Tenant: b.lack.tenant, Entity: p.entity, Scope: key.Scope}, key.Key, failed)
			case int(p.column) < len(latestOf) && latestOf[p.column].Type != model.TypeNone:
				err = b.add(latest.Loaded{Entity: p.entity, Key: key, Latest: latestOf[p.column]})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// A stateReader reads states of groups, best in ascending order.
type stateReader struct {
	store  pebble.Reader
	damage *damages
	state  catalog.State // read last

	iter *pebble.Iterator
	key  []byte
	torn error // what the store says of damage
}

// read reads the state of a group; that it is damaged is an error of damage.
func (s *stateReader) read(group uint64) error {
	if s.iter == nil {
		var err error
		s.iter, err = s.store.NewIter(&pebble.IterOptions{LowerBound: []byte{keys.States}, UpperBound: []byte{keys.States + 1}})
		if err != nil {
			return err
		}
	}
	s.key = keys.AppendState(s.key[:0], group)
	if _, in := s.damage.island(s.key); in != nil && s.torn != nil { // to look takes Pebble long
		return groupRow("state", group, false, s.torn)
	}
	found := s.iter.SeekGE(s.key) && bytes.Equal(s.iter.Key(), s.key)
	err := s.iter.Error()
	if found {
		err = s.state.Parse(s.iter.Value())
	}
	if pebble.ExtractDataCorruptionInfo(err) != nil { // it may be that of what comes next
		s.damage.learn(err)
		s.torn = err
		_ = s.close() // it says the same for ever
		found, err = get(s.store, s.key, s.state.Parse)
	}
	return groupRow("state", group, found, err)
}

func (s *stateReader) close() (err error) {
	if s.iter != nil {
		err = s.iter.Close()
		s.iter = nil
	}
	return err
}
