package tsdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
)

// A groupError says which group a flush could not write.
type groupError struct {
	group  uint64
	series keys.Series
	err    error
}

func (e *groupError) Error() string {
	return fmt.Sprintf("group %d of entity %s: %v", e.group, e.series.Entity, e.err)
}
func (e *groupError) Unwrap() error { return e.err }

// mend makes way for work that has failed with an error of damage: left alone it would fail for
// ever, and writers wait for ever. The frame of a table is made anew, damaged blocks are
// emptied, and row groups go that cannot be read; what memory or other rows know is written
// again, the rest told, as rows of the store. False when the error is about something else, or
// about what is mended already. f.run must be held.
func (f *flusher) mend(damage error) (mended bool, err error) {
	db := f.db
	if db.options.NoRepair {
		return false, nil
	}
	// Nobody may load what comes to light of a group before it is made whole.
	db.records.loading.Lock()
	defer db.records.loading.Unlock()
	if err := f.mending.forgetPlan(db); err != nil {
		return false, err
	}
	groups := map[uint64]bool{}
	info := pebble.ExtractDataCorruptionInfo(damage)
	if e, ok := errors.AsType[*groupError](damage); info == nil && ok && errors.Is(damage, rowgroup.ErrCorrupt) {
		groups[e.group] = true
	}
	for tries := 0; ; tries++ {
		if info != nil {
			before := len(f.mending.plan.Tables)
			if err := f.mendTable(*info); err != nil {
				return false, fmt.Errorf("mend %s: %w", info.Path, err)
			}
			there, err := db.hasTable(db.options.FS.PathBase(info.Path))
			if err != nil {
				return false, err
			}
			if tries > 0 && there && len(f.mending.plan.Tables) == before {
				return false, fmt.Errorf("mend %s, which is sound on disk: %w", info.Path, damage)
			}
		}
		if f.mending.plan.empty() && len(groups) == 0 {
			return false, nil
		}
		err := f.settleMends(groups)
		if err == nil {
			return true, nil
		}
		if info = pebble.ExtractDataCorruptionInfo(err); info == nil || tries == maxTornTables {
			return false, err
		} // another table is in the way
	}
}

// maxTornTables bounds how many tables are mended at once.
const maxTornTables = 32

// mendTorn makes way for a compaction that has met damage: it would be tried again for ever,
// and what lies over it never be compacted. Likewise for whoever could not load an entity.
func (f *flusher) mendTorn(damage error) error {
	f.run.Lock()
	defer f.run.Unlock()
	if f.db.failure() != nil {
		return nil
	}
	_, err := f.mend(damage)
	return err
}

// endMending ends one that failed after something was taken away: nobody may meet it again.
func (f *flusher) endMending() error {
	f.run.Lock()
	defer f.run.Unlock()
	if f.mending.plan.empty() || f.db.failure() != nil {
		return nil
	}
	_, err := f.mend(nil)
	return err
}

// A mending is what was mended of tables and is not settled: which rows depend on it.
type mending struct {
	plan repairPlan
	// states are of groups whose latest values nobody knows.
	states map[uint64]bool
	names  map[uint64]*groupRows
	// settled: nothing depends on it any more, but the plan may still be on disk.
	settled bool
}

// forgetPlan removes the plan of what is settled.
func (m *mending) forgetPlan(db *DB) error {
	if !m.settled {
		return nil
	}
	if err := m.plan.done(db.options.FS, db.dir); err != nil {
		return fmt.Errorf("remove the plan: %w", err)
	}
	*m = mending{}
	return nil
}

// mendTable mends a table, and notes what may have been lost in the plan.
func (f *flusher) mendTable(info pebble.DataCorruptionInfo) error {
	db, fs, m := f.db, f.db.options.FS, &f.mending
	bounds := keySpan{info.Bounds.Start, afterKey(info.Bounds.End.Key)}
	table := fs.PathBase(info.Path)
	if there, err := db.hasTable(table); err != nil || !there { // it was compacted meanwhile
		return err
	}
	_, torn, err := damagedSpans(fs, info.Path)
	if errors.Is(err, errTable) {
		seen := db.damage.frames.copy(table)
		frame, err := planFrame(fs, info.Path, bounds, seen)
		if err != nil {
			return err
		}
		if frame.whole != nil && seen.whole() {
			return fmt.Errorf("%w: it was opened meanwhile", errTable)
		}
		var plan repairPlan
		plan.addFrame(table, bounds, &frame)
		err = f.takeAway(plan, func() error {
			seen.lose(frame.gaps)
			return frame.carryOut(fs, info.Path)
		})
		db.damage.forget([]keySpan{bounds})
		if err != nil {
			return err
		}
		if _, torn, err = damagedSpans(fs, info.Path); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if len(torn) == 0 {
		return nil
	}
	if err := canEmpty(of(torn, table, bounds.start)); err != nil {
		return err
	}
	plan := repairPlan{Tables: []string{table}}
	for _, b := range torn {
		plan.Spans = append(plan.Spans, [2][]byte{b.start, b.end})
	}
	defer func() { db.damage.forget(m.plan.spans()) }()
	return f.takeAway(plan, func() error { return patchTable(fs, info.Path, torn) })
}

// hasTable reports whether a table is part of the store.
func (db *DB) hasTable(name string) (bool, error) {
	levels, err := db.store.SSTables()
	if err != nil {
		return false, err
	}
	for _, level := range levels {
		for i := range level {
			if level[i].BackingSSTNum.String()+".sst" == name {
				return true, nil
			}
		}
	}
	return false, nil
}

// takeAway carries out a plan, having written again what is known of the rows it takes.
func (f *flusher) takeAway(plan repairPlan, carryOut func() error) error {
	if err := f.rescue(mergeSpans(plan.spans())); err != nil {
		return err
	}
	whole := f.mending.plan
	whole.add(plan)
	if err := whole.write(f.db.options.FS, f.db.dir); err != nil {
		return err
	}
	f.mending.plan = whole
	f.db.damage.takes(whole.spans())
	return carryOut()
}

// bringToLightOrElse is bringToLight that gives way to damage of another table: compactions that
// fail over it, again and again, would hold this one up for ever, and only the flusher mends.
func (db *DB) bringToLightOrElse(spans []keySpan) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for {
			select {
			case <-ctx.Done():
				return
			case torn := <-db.told.torn:
				if db.isTorn(torn) {
					cancel(torn)
					return
				}
			}
		}
	}()
	err := db.bringToLight(ctx, spans)
	cancel(nil)
	<-heard
	other := context.Cause(ctx)
	switch {
	case errors.Is(other, context.Canceled):
		return err
	case err == nil:
		db.told.tear(other)
		return nil
	}
	return other
}

// isTorn reports whether the table an error of damage is about is still part of the store, and
// damaged on disk: a compaction may have begun before it was mended.
func (db *DB) isTorn(damage error) bool {
	info := pebble.ExtractDataCorruptionInfo(damage)
	if info == nil {
		return false
	}
	if there, err := db.hasTable(db.options.FS.PathBase(info.Path)); err != nil || !there {
		return false
	}
	_, torn, err := damagedSpans(db.options.FS, info.Path)
	return errors.Is(err, errTable) || err == nil && len(torn) > 0
}

// settleMends makes whole what depends on what was taken away, and groups, and tells what is lost.
func (f *flusher) settleMends(groups map[uint64]bool) (err error) {
	db, m := f.db, &f.mending
	spans := mergeSpans(m.plan.spans())
	if err := db.bringToLightOrElse(spans); err != nil {
		return err
	}
	w := newFlushWriter(db)
	defer func() { err = errors.Join(err, w.close()) }()
	if m.names == nil {
		if m.names, err = f.knownNames(); err != nil {
			return err
		}
	}
	touched := maps.Clone(groups)
	p := repairer{ctx: context.Background(), db: db, report: &RepairReport{}, w: w, touched: touched, names: m.names, next: f.run.state.nextGroup}
	p.report.Lost = m.plan.undone()
	for _, span := range spans {
		for _, space := range []byte{keys.RowGroups, keys.Names, keys.Log, keys.Pages, keys.Revisions} {
			s, ok := span.within(keySpan{[]byte{space}, []byte{space + 1}})
			if !ok {
				continue
			}
			if err := p.lostOf(space, s); err != nil {
				return err
			}
			switch space {
			case keys.Names:
				err = p.nameless(s)
			case keys.Revisions:
				err = p.revisions()
			}
			if err != nil {
				return err
			}
		}
	}
	for number := range m.states {
		if g := m.names[number]; g != nil {
			touched[number] = true
			p.report.Lost = append(p.report.Lost, lossOf(&g.Names, minInstant, maxInstant, errors.New("a table of the store: latest values, which are taken from row groups")))
		}
	}
	for _, number := range slices.Sorted(maps.Keys(touched)) {
		more, err := w.mendOne(number, m.names[number])
		if err != nil {
			return fmt.Errorf("mend group %d: %w", number, err)
		}
		p.report.Lost = append(p.report.Lost, more...)
	}
	for _, table := range m.plan.Tables {
		if err := w.batch.Set(patchedKey(table), nil, nil); err != nil {
			return err
		}
	}
	if len(p.gone) > 0 {
		counts := db.recount(m.names, f.run.state.nextGroup)
		if err := putSeries(w.batch, counts); err != nil {
			return err
		}
	}
	rows, err := db.losses.put(w.batch, p.report.Lost, db.options.Now().UnixMilli())
	if err != nil {
		return err
	}
	if err := w.commit(&f.run.state, pebble.Sync); err != nil {
		return fmt.Errorf("commit what was mended: %w", err)
	}
	db.losses.committed(rows, m.plan.Tables)
	db.damage.settled()
	for i := range rows {
		l := &rows[i].Loss
		db.damage.once(model.Damage{
			Tenant: l.Tenant, Entity: l.Entity, Scope: l.Scope, Keys: l.Keys, From: l.From, To: l.To,
			Cause: fmt.Errorf("%w, and lost: %s", ErrCorrupt, l.Cause),
		})
	}
	if m.plan.empty() {
		*m = mending{}
		return nil
	}
	m.settled = true
	return m.forgetPlan(db)
}

// mendOne makes whole a group of a running store, whose names are known or nil.
func (w *flushWriter) mendOne(number uint64, names *groupRows) ([]model.Loss, error) {
	if names == nil {
		return nil, nil // nobody knows whose it was
	}
	var s catalog.State
	found, err := get(w.db.store, keys.AppendState(nil, number), s.Parse)
	if err != nil && !errors.Is(err, catalog.ErrRow) {
		return nil, err
	}
	found = found && err == nil && len(s.Latest) == len(names.Columns)
	rec := w.db.records.peek(names.Series)
	if rec == nil {
		return w.mendStored(number, names, &s, found)
	}
	w.pins = append(w.pins, rec)
	rec.RLock()
	g := rec.Group(number)
	rec.RUnlock()
	if g == nil || !found { // erased, or nothing of it is written yet
		return nil, nil
	}
	p := w.placer(g)
	lost, touched, err := w.mendGroup(number, &names.Names, p, &s)
	if err = errors.Join(err, p.Close()); err != nil {
		return nil, err
	}
	g.Mended |= touched
	rec.Lock()
	g.State.Touched |= touched
	rec.Unlock()
	return lost, w.setState(rec, g, s.Tail, &s)
}

// mendStored is mendOne for a group that is not in memory.
func (w *flushWriter) mendStored(number uint64, names *groupRows, s *catalog.State, found bool) ([]model.Loss, error) {
	before := w.db.flusher.owed.of(number)
	if !found {
		*s = catalog.State{Latest: make([]catalog.Latest, len(names.Columns)), LastTS: minInstant}
	}
	if err := keptTo(w.db.store, number, &s.Tail); err != nil {
		return nil, err
	}
	p := blocks.New(stored{w.db.store, number}, number, len(names.Columns), s.Tail, w.db.options.tuning.rules)
	lost, _, err := w.mendGroup(number, &names.Names, p, s)
	if err = errors.Join(err, p.Close()); err != nil {
		return nil, err
	}
	if err := w.owe(number, before, dueOf(&s.Tail)); err != nil {
		return nil, err
	}
	return lost, w.batch.Set(keys.AppendState(nil, number), s.Tail.Append(nil, s.AppendLatest(nil)), nil)
}

// holdsAny reports whether a key lies in one of spans.
func holdsAny(spans []keySpan, key []byte) bool {
	at, _ := slices.BinarySearchFunc(spans, key, func(s keySpan, key []byte) int {
		if bytes.Compare(s.end, key) <= 0 {
			return -1
		}
		return 1
	})
	return at < len(spans) && spans[at].holds(key)
}
