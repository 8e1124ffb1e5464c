package tsdb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/head"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/revision"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// revisionPage is the most revisions one call of a yield brings.
const revisionPage = 1024

// Revisions calls yield with the values kept of each key at the instants of [q.From, q.To), in
// the order of q.Keys, in pages of at most 1,024: instants ascend, and the revisions of one,
// from the original to the value there is now, follow each other, be it over several pages.
// Instants no write asked to keep originals of are left out. q.Limit, if any, bounds the
// revisions a key; q.Descending is Invalid. The slice is reused after yield returns, the text
// of the values is not. It answers for one position, which it returns, as Raw does, and ends
// with a *[model.BudgetError] when its budget is spent: a revision counts as a point. With a
// *[model.DamageError] everything was told but what stands at the places it names.
func (db *DB) Revisions(ctx context.Context, q *model.RangeQuery, yield func(key string, revisions []model.Revision) error) (_ model.Position, err error) {
	if q.Descending {
		return 0, model.Invalidf("Revisions are told from the oldest instant on")
	}
	if err := db.options.Limits.checkKeys(q.Keys); err != nil {
		return 0, err
	}
	rec, err := db.open(ctx, q.Tenant, q.Entity, q.Scope)
	if err != nil {
		return 0, err
	}
	defer db.done(rec)
	mends := db.damage.mends.Load()
	v, err := db.view(rec, q.Keys)
	if v.snapshot == nil || err != nil {
		return v.position, err
	}
	defer func() { err = errors.Join(err, v.snapshot.Close()) }()
	writes := map[*source][]head.Writes{}
	meter := scan.NewMeter(db.call(q.Budget, 1))
	lack := lack{db: db, tenant: rec.Series.Tenant}
	for i, series := range v.series {
		s, ok := series.Source.(*source)
		if !ok {
			continue
		}
		if _, ok := writes[s]; !ok {
			writes[s] = s.view.Writes(v.flushed)
		}
		w := revisionWalk{ctx: ctx, meter: meter, source: s, column: series.Column, writes: writes[s], left: math.MaxInt}
		if q.Limit > 0 {
			w.left = q.Limit
		}
		w.from, w.to = q.From, q.To
		if w.to <= w.from && w.from < math.MaxInt64 {
			w.to = w.from + 1
		}
		w.yield = func(revisions []model.Revision) error { return yield(q.Keys[i], revisions) }
		w.lost = func(from, to int64, cause error) {
			db.damage.learn(cause)
			lack.add(rec.Series, q.Keys[i:i+1], from, to, cause)
		}
		if err := w.run(); err != nil {
			return v.position, err
		}
	}
	return v.position, db.mendedSince(mends, rec, q.Keys, lack.err())
}

// A revisionWalk tells the revisions of one column of a group at one moment.
type revisionWalk struct {
	ctx      context.Context
	meter    *scan.Meter
	source   *source
	column   int
	writes   []head.Writes // older heads first
	from, to int64
	left     int // revisions still wanted
	yield    func([]model.Revision) error
	lost     func(from, to int64, cause error) // told where something cannot be read

	stored storedRevisions
	cells  storedCells
	fold   revision.Fold
	page   []model.Revision

	tornFrom, tornTo int64 // what cannot be read and is not told, while there is a cause
	cause            error
}

// torn notes that the instants of [from, to) cannot be read. What lies between two such places
// and has no instant that can be is one with them.
func (w *revisionWalk) torn(from, to int64, cause error) {
	if w.cause == nil {
		w.tornFrom, w.cause = from, cause
	}
	w.tornTo = to
}

func (w *revisionWalk) tellTorn() {
	if w.cause != nil {
		w.lost(w.tornFrom, w.tornTo, w.cause)
		w.cause = nil
	}
}

func (w *revisionWalk) run() (err error) {
	if w.to <= w.from {
		return nil
	}
	if err := w.stored.open(w.source, uint8(w.column), w.from, w.to); err != nil {
		return err
	}
	w.cells = storedCells{group: w.source.group, hidden: w.deleted}
	defer func() {
		if closed := errors.Join(w.stored.iter.Close(), w.cells.close()); !isDamage(closed) { // which is told
			err = errors.Join(err, closed)
		}
	}()
	if w.cells.cursor, err = w.source.Cursor(scan.RowGroups); err != nil {
		return err
	}
	var instants []int64 // of the heads; the store's are met on the way
	for i := range w.writes {
		instants = w.writes[i].AppendInstants(instants, w.column, w.from, w.to)
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	w.stored.iter.First()
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	at := w.from
	for w.left > 0 {
		ts, any, err := w.stored.instant()
		if isDamage(err) {
			w.torn(at, w.to, err)
			break
		}
		if err != nil {
			return err
		}
		if len(instants) > 0 && (!any || instants[0] <= ts) {
			ts, any, instants = instants[0], true, instants[1:]
		}
		if !any {
			break
		}
		err = w.instant(ts)
		if isDamage(err) {
			w.torn(ts, w.to, err)
			break
		}
		if err != nil {
			return err
		}
		at = ts + 1
	}
	w.tellTorn()
	return w.flush()
}

// instant tells the revisions of one instant, and moves the iterator behind the stored ones.
func (w *revisionWalk) instant(ts int64) error {
	w.fold.Reset()
	// What lies below the newest delete of the instant is gone.
	writes, gone := w.writes, false
	for i := len(writes) - 1; i >= 0 && !gone; i-- {
		if gone = writes[i].Hides(w.column, ts); gone {
			writes = writes[i:]
		}
	}
	var current model.Value
	if !gone {
		var err error
		current, err = w.cells.at(w.column, ts)
		if isDamage(err) { // without the current value nobody knows what the others are
			w.torn(ts, ts+1, err)
			return w.stored.each(ts, func(revision.Row) error { return nil })
		}
		if err != nil {
			return err
		}
	}
	err := w.stored.each(ts, func(r revision.Row) error {
		if gone {
			return nil
		}
		w.fold.Add(r)
		return w.add(ts, &r)
	})
	if err != nil {
		return err
	}
	if !gone {
		w.fold.Current = current
	}
	w.tellTorn()
	for i := range writes {
		writes[i].Fold(w.column, ts, &w.fold)
	}
	for i := range w.fold.Fresh {
		if err := w.add(ts, &w.fold.Fresh[i]); err != nil {
			return err
		}
	}
	if r, ok := w.fold.End(); ok {
		return w.add(ts, &r)
	}
	return nil
}

// deleted reports whether what is stored of an instant is.
func (w *revisionWalk) deleted(c int, ts int64) bool {
	return slices.ContainsFunc(w.source.deleted, func(t scan.Tombstone) bool { return t.Column == c && t.From <= ts && ts < t.To })
}

func (w *revisionWalk) add(ts int64, r *revision.Row) error {
	if w.left == 0 {
		return nil
	}
	if err := w.meter.Read(w.ctx, 1); err != nil {
		return err
	}
	w.left--
	w.page = append(w.page, model.Revision{TS: ts, Value: r.Value, Received: r.Received, Quality: r.Quality})
	if len(w.page) == revisionPage {
		return w.flush()
	}
	return nil
}

func (w *revisionWalk) flush() error {
	if len(w.page) == 0 {
		return nil
	}
	err := w.meter.Deliver(len(w.page), func() error { return w.yield(w.page) })
	clear(w.page)
	w.page = w.page[:0]
	return err
}

// storedRevisions walks the rows of one column, one instant after the other.
type storedRevisions struct {
	iter *pebble.Iterator
	torn error // where the rows end, more may stand in a span that is known to be damaged
}

// open begins at the revisions of a column in [from, to).
func (s *storedRevisions) open(of *source, column uint8, from, to int64) (err error) {
	span := keySpan{keys.AppendRevisions(nil, of.group, column, from), keys.AppendRevisions(nil, of.group, column, to)}
	for _, known := range of.damage.spans() {
		if _, ok := known.within(span); ok { // to look there takes Pebble long, column by column
			span.end, s.torn = known.start, of.damage.cause()
			if bytes.Compare(span.end, span.start) < 0 {
				span.end = span.start
			}
			break
		}
	}
	s.iter, err = of.snapshot.NewIter(&pebble.IterOptions{LowerBound: span.start, UpperBound: span.end})
	if err != nil {
		return fmt.Errorf("read revisions of group %d: %w", of.group, err)
	}
	return nil
}

// instant returns the instant of the row the iterator stands on; any false behind the last.
func (s *storedRevisions) instant() (ts int64, any bool, err error) {
	if !s.iter.Valid() {
		return 0, false, cmp.Or(s.iter.Error(), s.torn)
	}
	k, err := keys.ParseRevision(s.iter.Key())
	if err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return k.TS, true, nil
}

// each calls fn with the rows of an instant, if the iterator stands on them.
func (s *storedRevisions) each(ts int64, fn func(revision.Row) error) error {
	for s.iter.Valid() {
		k, err := keys.ParseRevision(s.iter.Key())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if k.TS != ts {
			return nil
		}
		r, err := parseRevision(k, s.iter)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		s.iter.Next()
	}
	return cmp.Or(s.iter.Error(), s.torn)
}

func parseRevision(k keys.Revision, iter *pebble.Iterator) (r revision.Row, err error) {
	value, err := iter.ValueAndErr()
	if err != nil {
		return r, err
	}
	r = revision.Row{Position: k.Position, N: k.N}
	if err := r.Parse(value, k.TS); err != nil {
		return r, fmt.Errorf("%w: revision of group %d, column %d at %d: %w", ErrCorrupt, k.Group, k.Column, k.TS, err)
	}
	return r, nil
}
