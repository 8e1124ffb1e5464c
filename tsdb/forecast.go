package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// Forecast flushes, then tells fn, entity by entity, what retention would delete now of a
// tenant; entities that lose nothing are left out. Points are counted exactly, from summaries
// where a row group goes whole; bytes are their share of what their row groups take. With a
// *[model.DamageError] everything was told but what stands at the places it names; one of no
// entity stands for entities that cannot be told.
func (db *DB) Forecast(ctx context.Context, tenant model.TenantID, retention model.Retention, fn func(model.EntityID, model.Forecast) error) (err error) {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	if err := db.flusher.flush(ctx); err != nil {
		return err
	}
	mends := db.damage.mends.Load()
	snapshot := db.store.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	f := forecaster{
		ctx: ctx, store: snapshot, damage: db.damage, lack: lack{db: db, tenant: tenant}, retention: retention, now: db.options.Now().UnixMilli(),
	}
	if err := f.entities(tenant, fn); err != nil {
		return err
	}
	if unsettled, meanwhile := db.damage.mendedSince(mends); meanwhile || len(unsettled) > 0 {
		f.lack.add(keys.Series{Tenant: tenant}, nil, minInstant, math.MaxInt64, errMended)
	}
	return f.lack.err()
}

// errMended says that a snapshot may lack what was taken away while it was read, and not settled.
var errMended = errors.New("mended while it was read; ask again")

// A forecaster counts what retention would delete.
type forecaster struct {
	ctx       context.Context
	store     pebble.Reader
	damage    *damages
	lack      lack
	retention model.Retention
	now       int64
	reader    rowgroup.Reader
	cells     column.Column
}

// entities goes through the catalog of a tenant, in which the groups of an entity stand
// beside each other.
func (f *forecaster) entities(tenant model.TenantID, fn func(model.EntityID, model.Forecast) error) error {
	prefix := append([]byte{keys.Catalog}, tenant[:]...)
	var entity model.EntityID
	var sum model.Forecast
	var groups map[uint64]bool // of the entity
	tell := func() error {
		if sum.Points == 0 {
			return nil
		}
		return fn(entity, sum)
	}
	var torn []keySpan
	w := walker{ctx: f.ctx, store: f.store, damage: f.damage, lost: func(s keySpan, cause error) error {
		f.lack.met(cause)
		torn = append(torn, s)
		return nil
	}}
	err := w.each(keySpan{prefix, behind(prefix)}, func(key, value []byte) ([]byte, error) {
		series, name, err := keys.ParseCatalog(key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if series.Entity != entity || groups == nil {
			if err := tell(); err != nil {
				return nil, err
			}
			entity, sum, groups = series.Entity, model.Forecast{}, map[uint64]bool{}
		}
		ref, err := catalog.ParseRef(value)
		if err != nil {
			f.lack.add(series, []string{string(name)}, minInstant, math.MaxInt64, err)
			return nil, nil
		}
		if groups[ref.Group] {
			return nil, nil
		}
		groups[ref.Group] = true
		one, err := f.group(series, ref.Group)
		if isDamage(err) {
			f.lack.add(series, nil, minInstant, math.MaxInt64, err)
		} else if err != nil {
			return nil, err
		} else {
			sum.Add(one)
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	torn = mergeSpans(torn)
	found, err := f.lack.namesIn(f.ctx, f.store, torn)
	for _, g := range found {
		f.lack.add(g.Series, g.Columns, minInstant, math.MaxInt64, f.lack.torn)
	}
	return errors.Join(err, tell())
}

// behind returns the least key behind all that begin with prefix, which is not all 0xff.
func behind(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// group counts one group.
func (f *forecaster) group(series keys.Series, group uint64) (sum model.Forecast, err error) {
	if err := f.ctx.Err(); err != nil {
		return sum, err
	}
	var names catalog.Names
	found, err := get(f.store, keys.AppendNames(nil, group), func(b []byte) (err error) {
		names, err = catalog.ParseNames(b)
		return err
	})
	if err := groupRow("names", group, found, err); err != nil {
		return sum, err
	}
	var s catalog.State
	found, err = get(f.store, keys.AppendState(nil, group), s.Parse)
	if err := groupRow("state", group, found, err); err != nil {
		return sum, err
	}
	cuts, err := cutsOf(f.store, group, &names, &s, f.retention, f.now)
	if err != nil {
		return sum, err
	}
	last := int64(noCutoff)
	for _, cut := range cuts {
		last = max(last, cut)
	}
	if last == noCutoff {
		return sum, nil
	}
	c, err := newCursor(f.store, scan.RowGroups, group, f.damage)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	columns := make([]model.Forecast, len(cuts))
	for from := int64(minInstant); ; {
		first, value, err := c.SeekGE(from)
		if gap, ok := asGap(err); ok {
			if from >= gap.To || gap.From >= last {
				break
			}
			if gap.From < gap.To {
				f.lack.add(series, names.Columns, gap.From, min(gap.To, last), gap)
			}
			from = gap.To
			continue
		}
		if err != nil {
			return sum, err
		}
		if value == nil || first >= last {
			break
		}
		k := rowgroup.Key{Partition: rowgroup.PartitionOf(first), Group: group, First: first}
		if err := f.reader.Reset(k, value); err != nil {
			f.lack.add(series, names.Columns, first, min(rowGroupEnd(k), last), err)
		} else if err := f.rowGroup(columns, cuts, s.Tail.Hidden, int64(len(value))); err != nil {
			f.lack.add(series, names.Columns, first, min(rowGroupEnd(k), last), err)
		}
		from = first + 1
	}
	for _, one := range columns {
		one.Series = 1
		sum.Add(one)
	}
	return sum, nil
}

// rowGroup adds the current row group, which takes size bytes, to its columns.
func (f *forecaster) rowGroup(columns []model.Forecast, cuts []int64, hidden []catalog.Tomb, size int64) error {
	r := &f.reader
	var all int64
	before := make([]int64, len(columns))
	for c := range min(len(columns), r.Columns()) {
		s := r.Summary(c)
		all += cellsOf(s)
		before[c] = columns[c].Points
		if cuts[c] > r.First() {
			if err := f.column(&columns[c], c, cuts[c], hidden); err != nil {
				return err
			}
		}
	}
	for c := range columns {
		if all > 0 {
			columns[c].Bytes += size * (columns[c].Points - before[c]) / all
		}
	}
	return r.Err()
}

func cellsOf(s *summary.Summary) int64 { return s.Count() + s.Nulls }

// column adds the cells of a column before cut that are not hidden.
func (f *forecaster) column(sum *model.Forecast, c int, cut int64, hidden []catalog.Tomb) error {
	r := &f.reader
	n, err := r.Search(cut)
	if err != nil || n == 0 {
		return err
	}
	whole := n == r.Rows()
	for _, t := range hidden {
		if t.Columns&(1<<c) != 0 && t.From <= r.Last() && t.To > r.First() {
			whole = false
		}
	}
	if s := r.Summary(c); whole && s.Nulls == 0 {
		if s.Count() > 0 {
			sum.Add(model.Forecast{Points: s.Count(), Oldest: s.First.TS, Newest: s.Last.TS})
		}
		return r.Err()
	}
	times, err := r.Times()
	if err != nil {
		return err
	}
	f.cells.Reset()
	if err := r.Decode(c, 0, n, &f.cells); err != nil {
		return err
	}
	for i, t := range f.cells.Types {
		if t != model.TypeNone && !catalog.Hides(hidden, c, times[i]) {
			sum.Add(model.Forecast{Points: 1, Oldest: times[i], Newest: times[i]})
		}
	}
	return nil
}
