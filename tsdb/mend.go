package tsdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// Mending makes a store agree with itself again after something of it was lost. It is done by
// the flusher, for row groups and pages, and by [Repair], for everything, in this order: the
// damaged blocks of tables are emptied ([patchTable]); what is lost becomes rows of the store
// ([model.Loss]); and what depends on it is made anew from what is left, group by group ([mendGroup]).

// bringToLight compacts spans of which something was taken away. Pebble has marked what newer
// values in the same table hide, and it may have blocks in its cache that are torn on disk: its
// reads and its compactions would see different rows. Afterwards there is one truth.
func (db *DB) bringToLight(ctx context.Context, spans []keySpan) error {
	if len(spans) == 0 {
		return nil
	}
	// Pebble does not compact what is in the lowest level alone: deletions of keys nobody has go
	// above it.
	batch := db.store.NewBatch()
	for _, s := range spans {
		if err := errors.Join(batch.Delete(afterKey(s.start), nil), batch.Delete(afterKey(s.end), nil)); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	if err := db.commitBatch(batch, pebble.NoSync); err != nil {
		return err
	}
	for _, s := range spans {
		if err := db.store.Compact(ctx, s.start, afterKey(afterKey(s.end)), false); err != nil {
			return fmt.Errorf("compact what was mended: %w", err)
		}
	}
	return nil
}

// settleLatest makes the latest values of a state agree with the newest points there are: a
// newer point is taken over, and where the newest one is lost the value is marked as one that
// is not in the history. It returns the columns that are marked so.
func settleLatest(s *catalog.State, newest []catalog.Latest) (touched uint32) {
	for c := range newest {
		have, want := &s.Latest[c], &newest[c]
		bit := uint32(1) << c
		switch {
		case s.Touched&bit != 0:
		case s.Tail.Outlived&bit != 0 && (want.Type == model.TypeNone || want.TS < have.TS):
		case have.Type == want.Type && (want.Type == model.TypeNone || have.TS == want.TS && have.Value() == want.Value()):
		case want.Type != model.TypeNone && (have.Type == model.TypeNone || want.TS > have.TS):
			*have = *want
			s.LastTS = max(s.LastTS, want.TS)
		default:
			touched |= bit
		}
	}
	s.Touched |= touched
	return touched
}

// lossOf returns what was lost of a group.
func lossOf(n *catalog.Names, from, to int64, cause error) model.Loss {
	return model.Loss{
		Tenant: n.Series.Tenant, Entity: n.Series.Entity, Scope: n.Series.Scope, Keys: n.Columns,
		From: from, To: to, Cause: cause.Error(),
	}
}

// mendGroup writes into w what makes the row groups and pages of a group whole, and its state,
// which is s, of the store. It returns what was lost.
func (w *flushWriter) mendGroup(group uint64, n *catalog.Names, p *blocks.Placer, s *catalog.State) (lost []model.Loss, touched uint32, err error) {
	newest, err := p.Mend(func(from, to int64, cause error) {
		lost = append(lost, lossOf(n, from, to, &CorruptionError{Group: group, From: from, Check: cause}))
	})
	if err != nil {
		return nil, 0, fmt.Errorf("mend group %d: %w", group, err)
	}
	s.Tail = p.Tail
	touched = settleLatest(s, newest)
	return lost, touched, w.put(p, group)
}

// keptTo makes the tail of a state that was lost agree with the revisions of its group.
func keptTo(store pebble.Reader, group uint64, tail *catalog.Tail) (err error) {
	iter, err := store.NewIter(revisionRange(group))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for iter.First(); iter.Valid(); iter.Next() {
		k, err := keys.ParseRevision(iter.Key())
		if err != nil {
			continue
		}
		expires := int64(0)
		if r, err := parseRevision(k, iter); err == nil {
			expires = r.Expires
		}
		tail.Keep(k.TS, expires)
	}
	return iter.Error()
}
