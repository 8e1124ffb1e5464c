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

// mend makes way for a flush that has failed with an error of damage: left alone it would
// fail for ever, and writers wait for ever. Row groups that cannot be read go; so do the blocks
// of a table, where they hold nothing but row groups or pages. What is lost is told and becomes
// rows of the store. False when the error is about something else. f.run must be held.
func (f *flusher) mend(damage error) (mended bool, err error) {
	db := f.db
	groups := map[uint64]bool{}
	var lost []model.Loss
	var plan repairPlan
	if info := pebble.ExtractDataCorruptionInfo(damage); info != nil {
		if lost, err = f.empty(*info, &plan, groups); err != nil || len(groups) == 0 {
			return false, err
		}
	} else {
		e, ok := errors.AsType[*groupError](damage)
		if !ok || !errors.Is(damage, rowgroup.ErrCorrupt) {
			return false, nil
		}
		groups[e.group] = true
	}
	w := newFlushWriter(db)
	defer func() { err = errors.Join(err, w.close()) }()
	for _, number := range slices.Sorted(maps.Keys(groups)) {
		more, err := w.mendHeld(number)
		if err != nil {
			return false, err
		}
		lost = append(lost, more...)
	}
	for _, table := range plan.Tables {
		if err := w.batch.Set(patchedKey(table), nil, nil); err != nil {
			return false, err
		}
	}
	rows, err := db.losses.put(w.batch, lost, db.options.Now().UnixMilli())
	if err != nil {
		return false, err
	}
	if err := w.commit(&f.run.state, pebble.Sync); err != nil {
		return false, fmt.Errorf("commit what was mended: %w", err)
	}
	db.losses.committed(rows)
	for i := range lost {
		l := &lost[i]
		db.damage.once(model.Damage{
			Tenant: l.Tenant, Entity: l.Entity, Scope: l.Scope, Keys: l.Keys, From: l.From, To: l.To,
			Cause: fmt.Errorf("%w, and lost: %s", ErrCorrupt, l.Cause),
		})
	}
	if plan.empty() {
		return true, nil
	}
	return true, plan.done(db.options.FS, db.dir)
}

// mendTorn makes way for a compaction that has met damage: it would be tried again for ever,
// and what lies over it never be compacted.
func (f *flusher) mendTorn(damage error) error {
	f.run.Lock()
	defer f.run.Unlock()
	if f.db.failure() != nil {
		return nil
	}
	_, err := f.mend(damage)
	return err
}

// empty empties the damaged blocks of a table that hold row groups or pages only, notes the
// groups they may have been of, and returns what is lost.
func (f *flusher) empty(info pebble.DataCorruptionInfo, plan *repairPlan, groups map[uint64]bool) (lost []model.Loss, err error) {
	db, fs := f.db, f.db.options.FS
	torn, err := tornBlocks(fs, info.Path)
	if err != nil {
		return nil, err
	}
	for _, b := range torn {
		if b.ofBlocks() {
			plan.Spans = append(plan.Spans, [2][]byte{b.start, b.end})
		}
	}
	if len(plan.Spans) == 0 {
		return nil, nil
	}
	plan.Tables = []string{fs.PathBase(info.Path)}
	if err := plan.write(fs, db.dir); err != nil {
		return nil, err
	}
	spans, err := patchTable(fs, info.Path, keySpan.ofBlocks)
	db.damage.mends.Add(1)
	db.damage.forget(spans)
	if err != nil {
		return nil, err
	}
	p := repairer{db: db, report: &RepairReport{}, touched: groups, names: map[uint64]*groupRows{}}
	err = eachNames(context.Background(), db.store, func(number uint64, n *catalog.Names) error {
		p.names[number] = &groupRows{Names: *n}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = p.lostIn(spans)
	return p.report.Lost, err
}

// ofBlocks reports whether nothing but row groups or pages may lie in a span. Its bounds may be
// those of no key: what comes behind row groups begins behind their space.
func (s keySpan) ofBlocks() bool {
	inside := func(from, to []byte) bool {
		return bytes.Compare(from, s.start) <= 0 && bytes.Compare(s.end, afterKey(to)) <= 0
	}
	return inside(nil, []byte{keys.RowGroups + 1}) || inside([]byte{keys.Meta + 1}, []byte{keys.Pages + 1})
}

// mendHeld makes whole a group of a running store.
func (w *flushWriter) mendHeld(number uint64) ([]model.Loss, error) {
	rec, g, err := w.hold(number)
	if err != nil || g == nil {
		return nil, err
	}
	var s catalog.State
	found, err := get(w.db.store, keys.AppendState(nil, number), s.Parse)
	if err != nil || !found { // nothing of it is written yet
		return nil, err
	}
	p := w.placer(g)
	lost, touched, err := w.mendGroup(number, &catalog.Names{Series: rec.Series, Columns: g.Shape.Names}, p, &s)
	if err = errors.Join(err, p.Close()); err != nil {
		return nil, err
	}
	g.Mended |= touched
	rec.Lock()
	g.State.Touched |= touched
	rec.Unlock()
	return lost, w.setState(rec, g, s.Tail, &s)
}
