package tsdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A walker goes through rows of the store and steps over those that damage hides.
type walker struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call that made it
	store  pebble.Reader
	damage *damages // nil: damage is an error
	// lost is told of each damaged span that was stepped over.
	lost func(span keySpan, cause error) error
	// again counts the times that damage was mended before it could be looked at.
	again int
}

// each calls fn with the rows of a span of keys. fn says where to go on; nil is the next row.
func (w *walker) each(over keySpan, fn func(key, value []byte) (next []byte, err error)) error {
	for from := over.start; from != nil && bytes.Compare(from, over.end) < 0; {
		var err error
		if from, err = w.walk(keySpan{from, over.end}, fn); err != nil {
			return err
		}
	}
	return nil
}

// walk is each up to the first damage: it returns where to go on behind it, or nil.
func (w *walker) walk(over keySpan, fn func(key, value []byte) (next []byte, err error)) (next []byte, err error) {
	iter, err := w.store.NewIter(&pebble.IterOptions{LowerBound: over.start, UpperBound: over.end})
	if err != nil {
		return nil, err
	}
	at := bytes.Clone(over.start)
	for ok := iter.First(); ok; {
		at = append(append(at[:0], iter.Key()...), 0)
		if err := w.ctx.Err(); err != nil {
			return nil, errors.Join(err, iter.Close())
		}
		var seek []byte
		value, err := iter.ValueAndErr()
		if err == nil {
			seek, err = fn(iter.Key(), value)
		}
		if err != nil {
			return nil, errors.Join(err, iter.Close())
		}
		if seek == nil {
			ok = iter.Next()
			continue
		}
		at = append(at[:0], seek...)
		ok = iter.SeekGE(seek)
	}
	if err := iter.Error(); err != nil {
		next, ok, failed := w.beyond(at, err)
		closed := iter.Close() // says the same once more
		if !ok {
			return nil, errors.Join(err, closed)
		}
		return next, failed
	}
	return nil, iter.Close()
}

// beyond returns where a walk that failed at key goes on, having told what lies between; false
// when the failure is none of damage.
func (w *walker) beyond(at []byte, damage error) (next []byte, ok bool, err error) {
	if w.damage == nil || pebble.ExtractDataCorruptionInfo(damage) == nil {
		return nil, false, nil
	}
	w.damage.learn(damage)
	for _, s := range w.damage.spans() {
		if bytes.Compare(s.end, at) > 0 {
			return s.end, true, w.lost(s, damage)
		}
	}
	if w.again++; w.again > maxTornTables {
		return nil, false, nil
	}
	return bytes.Clone(at), true, nil // it was mended meanwhile
}

// A lack gathers the places a call over a tenant cannot answer for, and the damage behind them.
type lack struct {
	db     *DB
	tenant model.TenantID
	places []model.Damage
	torn   error // of a table of the store: it is to be mended
}

// met notes an error of damage.
func (l *lack) met(err error) {
	if l.torn == nil && pebble.ExtractDataCorruptionInfo(err) != nil {
		l.torn = err
	}
}

// add notes that keys of a series cannot be read in [from, to), because of err.
func (l *lack) add(s keys.Series, names []string, from, to int64, err error) {
	l.met(err)
	if n := len(l.places) - 1; n >= 0 && to == math.MaxInt64 {
		last := &l.places[n]
		if last.Entity == s.Entity && last.Scope == s.Scope && last.From == from && last.To == to && last.Keys != nil && names != nil {
			last.Keys = sortedSet(append(last.Keys, names...))
			return
		}
	}
	l.places = append(l.places, model.Damage{
		Tenant: l.tenant, Entity: s.Entity, Scope: s.Scope, Keys: sortedSet(slices.Clone(names)), From: from, To: to,
		Cause: fmt.Errorf("%w: %w", ErrCorrupt, err),
	})
}

// sortedSet sorts names and leaves each in once.
func sortedSet(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// err tells what is lacking, has it mended, and returns it as an error; nil when nothing is.
func (l *lack) err() error {
	if l.torn != nil {
		l.db.told.tear(l.torn)
	}
	if len(l.places) == 0 {
		return nil
	}
	for _, place := range l.places {
		l.db.damage.once(place)
	}
	return &model.DamageError{Places: l.places}
}

// A namedGroup is one whose rows in the catalog lie in damaged spans, as its own row has it.
type namedGroup struct {
	group uint64
	catalog.Names
}

// namesIn returns the groups of a tenant that have rows of the catalog in spans, which are
// damaged, apart and in order, as the rows of their names have them. Where those are damaged, too, nobody can
// tell which entities are concerned: that is one place, of no entity.
func (l *lack) namesIn(ctx context.Context, r pebble.Reader, spans []keySpan) (found []namedGroup, err error) {
	if len(spans) == 0 {
		return nil, nil
	}
	w := walker{ctx: ctx, store: r, damage: l.db.damage, lost: func(_ keySpan, cause error) error {
		l.add(keys.Series{Tenant: l.tenant}, nil, minInstant, math.MaxInt64, cause)
		return nil
	}}
	err = w.each(keySpan{[]byte{keys.Names}, []byte{keys.Names + 1}}, func(key, value []byte) ([]byte, error) {
		group, err := keys.ParseGroup(key)
		n, perr := catalog.ParseNames(value)
		if errors.Join(err, perr) != nil || n.Series.Tenant != l.tenant {
			return nil, nil //nolint:nilerr // says nothing of anybody
		}
		for _, name := range n.Columns {
			if holdsAny(spans, keys.AppendCatalog(nil, n.Series, name)) {
				found = append(found, namedGroup{group, n})
				break
			}
		}
		return nil, nil
	})
	return found, err
}
