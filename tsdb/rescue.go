package tsdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

const maxInstant = math.MaxInt64

// Before a running store takes damaged blocks away, rescue writes again what it knows of the
// rows that may have stood in them: newer rows than those, which everybody reads from then on,
// and also after a crash in the middle. Memory knows all of the meta rows, and the states and
// names of the entities it holds; the catalog and the names say the same of each other. What
// it knows of nobody, rows of the log, revisions and other states, comes to light as it was
// before, or is lost.
func (f *flusher) rescue(spans []keySpan) (err error) {
	db := f.db
	if len(spans) == 0 {
		return nil
	}
	f.mending.names, err = f.knownNames()
	if err != nil {
		return err
	}
	db.commit.Lock()
	defer db.commit.Unlock()
	batch := db.store.NewBatch()
	r := rescuer{db: db, spans: spans, batch: batch}
	err = f.rescueMeta(&r)
	for number, g := range f.mending.names {
		r.set(keys.AppendNames(nil, number), func() []byte { return g.Names.Append(nil) })
		for i, name := range g.Columns {
			r.set(keys.AppendCatalog(nil, g.Series, name), func() []byte { return catalog.Ref{Group: number, Column: uint8(i)}.Append(nil) })
		}
		if key := keys.AppendState(nil, number); holdsAny(spans, key) {
			err = errors.Join(err, f.rescueState(&r, key, number, g))
		}
	}
	if err = errors.Join(err, r.err); err != nil {
		return errors.Join(err, batch.Close())
	}
	if err := db.commitBatch(batch, pebble.Sync); err != nil {
		return fmt.Errorf("write again what is known: %w", err)
	}
	return nil
}

// A rescuer adds rows to a batch, those with keys in spans.
type rescuer struct {
	db    *DB
	spans []keySpan
	batch *pebble.Batch
	err   error
}

func (r *rescuer) set(key []byte, value func() []byte) {
	if r.err == nil && holdsAny(r.spans, key) {
		r.err = r.batch.Set(key, value(), nil)
	}
}

// rescueMeta writes the meta rows. The lock of commits is held.
func (f *flusher) rescueMeta(r *rescuer) error {
	db := f.db
	r.set(keys.AppendMeta(nil, metaVersion), func() []byte { return binary.LittleEndian.AppendUint32(nil, formatVersion) })
	r.set(keys.AppendMeta(nil, metaEpoch), func() []byte { return binary.LittleEndian.AppendUint64(nil, db.epoch) })
	r.set(metaFlushKey, func() []byte { return f.run.state.append(nil) })
	r.set(keys.AppendMeta(nil, metaLog), func() []byte { return db.commit.log.append(nil, f.run.state.position) })
	db.cursors.mu.Lock()
	for name, p := range db.cursors.mu.named {
		r.set(consumerKey(name), func() []byte { return binary.LittleEndian.AppendUint64(nil, uint64(p.position)) })
	}
	db.cursors.mu.Unlock()
	db.series.mu.Lock()
	for tenant, t := range db.series.mu.tenants {
		if !db.series.mu.changed[tenant] { // else the next flush writes it
			r.set(seriesKey(tenant), func() []byte { return binary.AppendUvarint(nil, uint64(t.count)) })
		}
	}
	db.series.mu.Unlock()
	f.owed.each(func(group uint64, due int64) {
		r.set(keys.AppendOwed(nil, group), func() []byte { return binary.AppendVarint(nil, due) })
	})
	rows, tables := db.losses.all()
	for _, table := range tables {
		r.set(patchedKey(table), func() []byte { return nil })
	}
	for _, row := range rows {
		if holdsAny(r.spans, lossKey(row.number)) {
			r.err = errors.Join(r.err, putLossRows(r.batch, []lossRow{row}))
		}
	}
	return r.err
}

// rescueState writes the state of a group from memory, where it cannot be read from the store.
// Its latest values may be ahead of the flush position: a replay comes to the same.
func (f *flusher) rescueState(r *rescuer, key []byte, number uint64, names *groupRows) error {
	var stored catalog.State
	if _, err := get(r.db.store, key, stored.Parse); err == nil || pebble.ExtractDataCorruptionInfo(err) == nil {
		return err
	}
	var g *head.Group
	rec := r.db.records.peek(names.Series)
	if rec != nil {
		defer rec.Unpin()
		rec.RLock()
		defer rec.RUnlock()
		g = rec.Group(number)
	}
	if g == nil {
		if f.mending.states == nil {
			f.mending.states = map[uint64]bool{}
		}
		f.mending.states[number] = true
		return nil
	}
	r.set(key, func() []byte { return g.State.Tail.Append(nil, g.State.AppendLatest(nil)) })
	return nil
}

// knownNames returns the names of all groups that are written: as their rows say, or, where
// these cannot be read, memory or the catalog.
func (f *flusher) knownNames() (map[uint64]*groupRows, error) {
	db := f.db
	names := map[uint64]*groupRows{}
	c := checker{ctx: context.Background(), store: db.store, damage: db.damage} // whose problems are being mended
	err := c.each(keys.Names, func(key, value []byte) error {
		number, err := keys.ParseGroup(key)
		n, perr := catalog.ParseNames(value)
		if err == nil && perr == nil {
			names[number] = &groupRows{Names: n, named: true}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(keys.Catalog, func(key, value []byte) error {
		series, name, err := keys.ParseCatalog(key)
		ref, rerr := catalog.ParseRef(value)
		if errors.Join(err, rerr) != nil || ref.Column >= catalog.MaxColumns {
			return nil //nolint:nilerr // says nothing of anybody
		}
		g := names[ref.Group]
		if g == nil {
			g = &groupRows{Names: catalog.Names{Series: series}, columns: map[uint8]string{}}
			names[ref.Group] = g
		}
		if !g.named && g.Series == series {
			g.columns[ref.Column] = string(name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	db.records.each(func(rec *head.Record) {
		for _, held := range rec.Groups {
			if g := names[held.ID]; held.ID < f.run.state.nextGroup && (g == nil || !g.named) {
				names[held.ID] = &groupRows{Names: catalog.Names{Series: rec.Series, Columns: held.Shape.Names}, named: true}
			}
		}
	})
	for number, g := range names {
		if g.named {
			continue
		}
		for i := 0; len(g.columns) > 0 && g.Columns == nil && i <= len(g.columns); i++ {
			if i == len(g.columns) {
				g.Columns = make([]string, i)
				for column, name := range g.columns {
					g.Columns[column] = name
				}
			} else if _, ok := g.columns[uint8(i)]; !ok { // one is lost, too: check --repair finds it a name
				break
			}
		}
		if g.Columns == nil {
			delete(names, number)
		}
	}
	return names, nil
}
