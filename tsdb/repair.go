package tsdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// ErrBeyondRepair marks a store of which so much is damaged that nothing can be made of it but
// a new one, from a backup.
var ErrBeyondRepair = errors.New("tsdb: cannot be repaired: restore a backup")

// A RepairReport says what a repair has done.
type RepairReport struct {
	Lost    []model.Loss // what could not be brought back
	Rebuilt []string     // what was made anew from what is left
	Report  Report       // of the check afterwards
}

// Repair makes the store in dir, which nobody has open, agree with itself: what is damaged
// goes, what can be made anew from the rest is, and what is lost is reported and becomes rows
// of the store, which [DB.Losses] lists. A store that is sound is not changed. It fails with
// ErrLocked while a server runs, and with ErrBeyondRepair, having changed nothing, where the
// rows that say what the store is are damaged. A disk that fails ends it with an error of the
// disk: what was begun then goes on with the next repair.
func Repair(ctx context.Context, dir string, o Options) (r RepairReport, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return r, err
	}
	if _, err := o.FS.Stat(dir); err != nil {
		return r, err
	}
	plan, err := readPlan(o.FS, dir)
	if err != nil {
		return r, err
	}
	for {
		found, sound, err := examine(ctx, dir, o, &r)
		if errors.Is(err, ErrBeyondRepair) && !plan.empty() {
			err = fmt.Errorf("%w: a repair of %s has begun and cannot be ended: restore a backup: %v", ErrCorrupt, dir, err) //nolint:errorlint // something was changed
		}
		if err != nil || sound && plan.empty() {
			return r, err
		}
		plan.add(found.repairPlan)
		if err := plan.write(o.FS, dir); err != nil {
			return r, err
		}
		if err := found.carryOut(o.FS, dir); err != nil {
			return r, err
		}
		if len(found.frames) == 0 {
			break
		} // else there may be damage that could not be seen before
	}
	db := &DB{options: o, dir: dir, gate: newGate(o.PendingBytes, o.HeadBytes), failed: make(chan struct{})}
	var unlock func() error
	fs := o.FS
	o.FS = &logFS{FS: fs, dir: dir, failed: db.fail, table: func() {}, dead: func() bool { return db.failure() != nil }}
	db.store, unlock, err = openStore(dir, o, &db.serving, signals{}, db.fail, newDamages(fs, Events{}), newFailures(&o))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.store.Close(), unlock(), db.failure()) }()
	p := repairer{ctx: ctx, plan: plan, db: db, report: &r, touched: map[uint64]bool{}}
	spans := mergeSpans(plan.spans())
	if err := db.bringToLight(ctx, spans); err != nil {
		return r, err
	}
	if err := p.run(spans); err != nil {
		return r, fmt.Errorf("repair %s: %w", dir, err)
	}
	if err := db.failure(); err != nil {
		return r, err
	}
	return r, plan.done(fs, dir)
}

// within returns the part of a span that lies in bounds.
func (s keySpan) within(bounds keySpan) (_ keySpan, ok bool) {
	if bytes.Compare(s.start, bounds.start) < 0 {
		s.start = bounds.start
	}
	if bytes.Compare(s.end, bounds.end) > 0 {
		s.end = bounds.end
	}
	return s, bytes.Compare(s.start, s.end) < 0
}

// findings are what is damaged of the tables of a store.
type findings struct {
	repairPlan
	frames map[string]frameMend // by file name
	torn   map[string][]tableBlock
}

// carryOut mends the frames, and empties the damaged blocks of the other tables.
func (f *findings) carryOut(fs vfs.FS, dir string) error {
	for _, table := range f.Tables {
		path := fs.PathJoin(dir, table)
		var err error
		if m, ok := f.frames[table]; ok {
			err = m.carryOut(fs, path)
		} else {
			err = patchTable(fs, path, f.torn[table])
		}
		if err != nil {
			return fmt.Errorf("a repair of %s has begun and did not end: begin it again: %w", dir, err)
		}
	}
	return nil
}

// examine finds the damaged tables and what they may have held, and changes nothing. Sound
// means that there is nothing to repair.
func examine(ctx context.Context, dir string, o Options, r *RepairReport) (found findings, sound bool, err error) {
	var frames, blocks repairPlan
	found.frames, found.torn = map[string]frameMend{}, map[string][]tableBlock{}
	o.readOnly = true
	damage := newDamages(o.FS, Events{})
	store, unlock, err := openStore(dir, o, new(atomic.Bool), signals{}, func(error) {}, damage, newFailures(&o))
	if err = corrupt(err); errors.Is(err, ErrCorrupt) {
		return found, false, fmt.Errorf("%w (%w)", ErrBeyondRepair, err)
	}
	if err != nil {
		return found, false, err
	}
	defer func() { err = errors.Join(err, store.Close(), unlock()) }()
	levels, err := store.SSTables()
	if err != nil {
		return found, false, err
	}
	for _, level := range levels {
		for _, table := range level {
			name := table.BackingSSTNum.String() + ".sst"
			bounds := keySpan{table.Smallest.UserKey, afterKey(table.Largest.UserKey)}
			spans, torn, err := damagedSpans(o.FS, o.FS.PathJoin(dir, name))
			if errors.Is(err, errTable) {
				var m frameMend
				if m, err = planFrame(o.FS, o.FS.PathJoin(dir, name), bounds, nil); err == nil {
					found.frames[name] = m
					frames.addFrame(name, bounds, &m)
					r.Rebuilt = append(r.Rebuilt, fmt.Sprintf("%s of table %s", m.what, name))
					continue
				}
			}
			if err == nil {
				err = canEmpty(of(torn, name, bounds.start))
			}
			if errors.Is(err, errUnread) {
				return found, false, fmt.Errorf("tsdb: examine %s: %w", name, err)
			}
			if err != nil {
				return found, false, fmt.Errorf("%w (%s: %w)", ErrBeyondRepair, name, err)
			}
			for _, s := range spans {
				if s, ok := s.within(bounds); ok {
					blocks.Spans = append(blocks.Spans, [2][]byte{s.start, s.end})
				}
			}
			if len(spans) > 0 && !slices.Contains(blocks.Tables, name) {
				blocks.Tables = append(blocks.Tables, name)
				found.torn[name] = torn
			}
		}
	}
	if len(found.frames) > 0 { // first of all: then what they hold can be read
		found.repairPlan = frames
		return found, false, nil
	}
	found.repairPlan = blocks
	// A row that can be read is the newest there is: Pebble looks from the youngest table
	// on, and into no older one.
	none := func(*pebble.Batch, *pebble.WriteOptions) error { return fmt.Errorf("%w: no store", ErrCorrupt) }
	_, _, err = loadMeta(store, zeros{}, none)
	if err == nil {
		var k keeper
		err = k.load(store)
	}
	if errors.Is(err, ErrVersion) {
		return found, false, err
	}
	if err = corrupt(err); errors.Is(err, ErrCorrupt) {
		return found, false, fmt.Errorf("%w (the rows that say what %s is are damaged: %w)", ErrBeyondRepair, dir, err)
	}
	if err != nil {
		return found, false, fmt.Errorf("tsdb: examine %s: %w", dir, err)
	}
	if len(found.Tables) > 0 {
		return found, false, nil
	}
	c := checker{ctx: ctx, store: store, damage: damage, groups: map[uint64]*checkedGroup{}}
	if err := corrupt(errors.Join(c.run(), c.checkLog())); err != nil && !errors.Is(err, ErrCorrupt) {
		return found, false, err
	} else if err != nil {
		c.problems = append(c.problems, err)
	}
	r.Report = c.report
	return found, len(c.problems) == 0, nil
}

// A repairer makes a store whose tables are sound agree with itself.
type repairer struct {
	ctx     context.Context
	plan    repairPlan
	db      *DB // store and options
	report  *RepairReport
	w       *flushWriter
	names   map[uint64]*groupRows
	touched map[uint64]bool // groups to go through
	gone    []uint64        // groups that were removed, because nobody knows whose they are
	next    uint64          // the first group number not given
	written int             // of the losses in report
}

// run repairs what lay in spans, and whatever else does not agree.
func (p *repairer) run(spans []keySpan) error {
	flush, err := readFlushState(p.db.store)
	if err != nil {
		return err
	}
	p.next = flush.nextGroup
	if err := p.db.losses.load(p.db.store); err != nil {
		return err
	}
	planned := p.plan.undone() // is found again by a repair that begins again; all else is not
	for _, step := range []func() error{
		p.catalog,
		func() error {
			before := len(p.report.Lost)
			err := p.lostIn(spans)
			planned = append(planned, p.report.Lost[before:]...)
			p.report.Lost = p.report.Lost[:before]
			return err
		},
		p.orphans,
		p.log,
		p.revisions,
		p.suspects,
		p.census,
		func() error {
			p.report.Lost = append(p.report.Lost, planned...)
			return p.patched()
		},
	} {
		if err := p.batch(step); err != nil {
			return err
		}
	}
	c := checker{ctx: p.ctx, store: p.db.store, groups: map[uint64]*checkedGroup{}}
	err = errors.Join(c.run(), c.checkLog())
	p.report.Report = c.report
	return errors.Join(append(c.problems, err)...)
}

// batch does a step in batches of its own, durable when it returns.
func (p *repairer) batch(step func() error) (err error) {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	p.w = newFlushWriter(p.db)
	defer func() { err = errors.Join(err, p.w.close()) }()
	if err := step(); err != nil {
		return err
	}
	return p.commit()
}

// commit writes a batch, and in it what was lost since the last.
func (p *repairer) commit() error {
	rows, err := p.db.losses.put(p.w.batch, p.report.Lost[p.written:], p.db.options.Now().UnixMilli())
	if err != nil {
		return err
	}
	batch := p.w.batch
	p.w.batch = p.db.store.NewBatch()
	if err := p.db.commitBatch(batch, pebble.Sync); err != nil {
		return err
	}
	p.db.losses.committed(rows, nil)
	p.written = len(p.report.Lost)
	return nil
}

func (p *repairer) rebuilt(format string, args ...any) {
	p.report.Rebuilt = append(p.report.Rebuilt, fmt.Sprintf(format, args...))
}

// remove deletes a row, of which nothing can be made.
func (p *repairer) remove(key []byte, cause string) error {
	p.report.Lost = append(p.report.Lost, model.Loss{Cause: fmt.Sprintf("%s, row %x", cause, key)})
	return p.w.batch.Delete(key, nil)
}

// each calls fn with the rows of a keyspace.
func (p *repairer) each(space byte, fn func(key, value []byte) error) error {
	c := checker{ctx: p.ctx, store: p.db.store}
	return c.each(space, fn)
}

// patched writes which tables are not what they were.
func (p *repairer) patched() error {
	for _, name := range p.plan.Tables {
		if err := p.w.batch.Set(patchedKey(name), nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// lostIn notes what may have stood in spans, and which groups have to be gone through.
func (p *repairer) lostIn(spans []keySpan) error {
	for _, span := range spans {
		for _, space := range []byte{keys.RowGroups, keys.Catalog, keys.Names, keys.Log, keys.Meta, keys.Pages, keys.Revisions, keys.States} {
			if s, ok := span.within(keySpan{[]byte{space}, []byte{space + 1}}); ok {
				if err := p.lostOf(space, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
