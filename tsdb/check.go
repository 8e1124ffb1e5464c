package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/column"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/rowgroup"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
	"github.com/tidewire/tidewire/tsdb/internal/summary"
)

// maxProblems bounds what one Check returns: the first few tell the story. Events.Damaged is
// told all.
const maxProblems = 20

// Check flushes, then verifies the invariants of what is stored and counts it. Damage found
// is returned as one joined error; the Report is valid nevertheless.
func (db *DB) Check(ctx context.Context) (Report, error) {
	if err := db.enter(); err != nil {
		return Report{}, err
	}
	defer db.leave()
	if err := db.flusher.flush(ctx); err != nil {
		return Report{}, fmt.Errorf("flush before checking: %w", err)
	}
	for {
		mends := db.damage.mends.Load()
		snapshot := db.store.NewSnapshot()
		c := checker{ctx: ctx, store: snapshot, damage: db.damage, groups: map[uint64]*checkedGroup{}}
		err := errors.Join(c.run(), snapshot.Close())
		if unsettled, meanwhile := db.damage.mendedSince(mends); ctx.Err() == nil && (meanwhile || len(unsettled) > 0) {
			if err := db.flusher.endMending(); err != nil {
				return c.report, c.all(err)
			}
			continue // what was taken away agrees with nothing
		}
		return c.report, c.all(err)
	}
}

// A checker walks the keyspaces of one snapshot.
type checker struct {
	ctx      context.Context
	store    pebble.Reader
	damage   *damages
	entity   func(model.TenantID, model.EntityID) // nil: nobody asks
	torn     bool                                 // tables are damaged: counts say nothing
	report   Report
	problems []error
	found    int         // problems, returned or not
	tell     func(error) // is handed all of them; may be nil
	groups   map[uint64]*checkedGroup
	suspects map[uint64]bool // groups that do not agree with themselves
	owed     map[uint64]int64
	reader   rowgroup.Reader
	page     rowgroup.PageReader
	table    column.Table
}

// A checkedGroup is what is remembered of a group from one keyspace to the next.
type checkedGroup struct {
	names  catalog.Names
	state  catalog.State
	torn   bool  // something of it cannot be read
	any    bool  // has row groups
	last   int64 // instant of the last row
	small  int
	rows   int // in small row groups
	newest []catalog.Latest
}

func (c *checker) problem(format string, args ...any) {
	c.add(fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...))
}

// add takes a problem.
func (c *checker) add(problem error) {
	if c.found++; c.tell != nil {
		c.tell(problem)
	}
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, problem)
	}
}

// all returns the first problems, how many more there are, and err as one error.
func (c *checker) all(err error) error {
	problems := slices.Clone(c.problems)
	if more := c.found - len(problems); more > 0 {
		problems = append(problems, fmt.Errorf("%w: and %d more", ErrCorrupt, more))
	}
	return errors.Join(append(problems, err)...)
}

// wrong is problem for what a group says of itself.
func (c *checker) wrong(group uint64, format string, args ...any) {
	c.suspect(group)
	c.problem(format, args...)
}

func (c *checker) suspect(group uint64) {
	if c.suspects == nil {
		c.suspects = map[uint64]bool{}
	}
	c.suspects[group] = true
}

func (c *checker) run() (err error) {
	if c.owed, err = readOwed(c.store); err != nil {
		return err
	}
	for group := range c.owed {
		if found, err := get(c.store, keys.AppendNames(nil, group), func([]byte) error { return nil }); err != nil {
			return err
		} else if !found {
			c.problem("unknown group %d is to be reclaimed", group)
		}
	}
	if err := eachLoss(c.store, func(_ uint64, l model.Loss) error { c.report.Losses = append(c.report.Losses, l); return nil }); err != nil {
		return err
	}
	for _, step := range []func() error{c.checkNames, c.checkCatalog, c.checkStates, c.checkRowGroups, c.checkPages, c.checkRevisions} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := c.checkSeries(); err != nil {
		return err
	}
	for number, g := range c.groups {
		if g.torn { // what is missing agrees with nothing
			continue
		}
		c.checkTail(number, g)
		c.checkLatest(number, g)
		c.report.MaxUnsealed = max(c.report.MaxUnsealed, int64(g.small))
	}
	return nil
}

// each calls fn with the rows of a keyspace. Damaged parts of it are reported and stepped over.
func (c *checker) each(space byte, fn func(key, value []byte) error) error {
	w := walker{ctx: c.ctx, store: c.store, damage: c.damage, lost: func(s keySpan, cause error) error { return c.lost(space, s, cause) }}
	return w.each(keySpan{[]byte{space}, []byte{space + 1}}, func(key, value []byte) ([]byte, error) { return nil, fn(key, value) })
}

func (c *checker) checkNames() error {
	return c.each(keys.Names, func(key, value []byte) error {
		number, err := keys.ParseGroup(key)
		if err != nil {
			c.problem("names key %x", key)
			return nil
		}
		names, err := catalog.ParseNames(value)
		if err != nil {
			c.problem("names of group %d", number)
			return nil
		}
		c.groups[number] = &checkedGroup{names: names, newest: make([]catalog.Latest, len(names.Columns)), last: math.MinInt64}
		c.report.Groups++
		c.report.Columns += int64(len(names.Columns))
		return nil
	})
}

func (c *checker) checkCatalog() error {
	found := int64(0)
	var before keys.Series
	err := c.each(keys.Catalog, func(key, value []byte) error {
		series, name, err := keys.ParseCatalog(key)
		if err != nil {
			c.problem("catalog key %x", key)
			return nil
		}
		ref, err := catalog.ParseRef(value)
		if err != nil {
			c.problem("catalog row %x", key)
			return nil
		}
		found++
		if before.Tenant != series.Tenant || before.Entity != series.Entity {
			if before = series; c.entity != nil {
				c.entity(series.Tenant, series.Entity)
			}
		}
		g := c.groups[ref.Group]
		if g == nil || g.names.Series != series || int(ref.Column) >= len(g.names.Columns) || g.names.Columns[ref.Column] != string(name) {
			c.problem("key %q of entity %s is said to be column %d of group %d, which is not", name, series.Entity, ref.Column, ref.Group)
		}
		return nil
	})
	if err == nil && found != c.report.Columns && !c.torn {
		c.problem("%d rows in the catalog for %d columns", found, c.report.Columns)
	}
	return err
}

func (c *checker) checkStates() error {
	return c.each(keys.States, func(key, value []byte) error {
		number, err := keys.ParseGroup(key)
		if err != nil || c.groups[number] == nil {
			c.problem("state of unknown group %x", key)
			return nil
		}
		g := c.groups[number]
		if err := g.state.Parse(value); err != nil || len(g.state.Latest) != len(g.names.Columns) {
			c.wrong(number, "state of group %d", number)
			g.state.Latest = make([]catalog.Latest, len(g.names.Columns))
		}
		return nil
	})
}

func (c *checker) checkRowGroups() error {
	return c.each(keys.RowGroups, func(key, value []byte) error {
		k, err := rowgroup.ParseKey(key)
		if err != nil || c.groups[k.Group] == nil || rowgroup.PartitionOf(k.First) != k.Partition {
			c.problem("row group of unknown group %x", key)
			return nil
		}
		c.report.RowGroups++
		c.report.Bytes += int64(len(value))
		if err := c.checkRowGroup(k, value); err != nil {
			c.suspect(k.Group)
			c.place(k.Group, k.First, rowGroupEnd(k), &CorruptionError{Group: k.Group, From: k.First, Check: err})
		}
		return nil
	})
}

func (c *checker) checkRowGroup(k rowgroup.Key, value []byte) error {
	g, r := c.groups[k.Group], &c.reader
	if err := r.Reset(k, value); err != nil {
		return err
	}
	times, err := r.Times()
	if err != nil {
		return err
	}
	n := len(times)
	if n == 0 || n != r.Rows() || r.Columns() > len(g.names.Columns) {
		return fmt.Errorf("%d rows, %d instants, %d columns", r.Rows(), n, r.Columns())
	}
	if times[0] != k.First || r.First() != k.First || r.Last() != times[n-1] || rowgroup.PartitionOf(times[n-1]) != k.Partition {
		return fmt.Errorf("rows from %d to %d", times[0], times[n-1])
	}
	if g.any && k.First <= g.last {
		return fmt.Errorf("overlaps the row group before, which ends at %d", g.last)
	}
	for i := 1; i < n; i++ {
		if times[i] <= times[i-1] {
			return fmt.Errorf("row %d at %d is not behind %d", i, times[i], times[i-1])
		}
	}
	g.any, g.last = true, times[n-1]
	if k.First >= g.state.Tail.Sealed {
		g.small++
		g.rows += n
		c.report.UnsealedRowGroups++
	}
	c.report.Steps += int64((n + rowgroup.StepRows - 1) / rowgroup.StepRows)
	least, err := r.Expires()
	if err != nil {
		return err
	}
	if e := g.state.Tail.Expires; least != 0 && (e == 0 || e > least) {
		return fmt.Errorf("points go at %d, the state of the group says %d", least, e)
	}
	c.table.Reset(r.Columns())
	full := make([]bool, n)
	hidden := g.state.Tail.Hidden
	for col := range r.Columns() {
		cells := &c.table.Columns[col]
		if err := r.Decode(col, 0, n, cells); err != nil {
			return fmt.Errorf("column %d: %w", col, err)
		}
		for i, t := range cells.Types {
			if t == model.TypeNone {
				continue
			}
			full[i] = true
			if catalog.Hides(hidden, col, times[i]) {
				c.report.Hidden++
				continue
			}
			c.report.Points++
			l := &g.newest[col]
			*l = catalog.Latest{TS: times[i], Type: t, Bits: cells.Bits[i], Text: l.Text[:0]}
			if t.IsText() {
				l.Bits, l.Text = 0, append(l.Text, cells.TextAt(i)...)
			}
		}
		var want, steps summary.Summary
		want.AddColumn(times, cells, 0, n)
		if err := r.Aggregate(col, 0, n, model.AllAggregates, &steps); err != nil {
			return fmt.Errorf("column %d: %w", col, err)
		}
		if !sameSummary(&want, r.Summary(col)) || !sameSummary(&want, &steps) {
			return fmt.Errorf("column %d: summary differs from the rows", col)
		}
	}
	for i := range full {
		if !full[i] {
			return fmt.Errorf("row %d at %d is empty", i, times[i])
		}
	}
	return nil
}

// sameSummary compares what is exact exactly, and sums of inexact floats, whose error
// depends on how they were cut, closely.
func sameSummary(a, b *summary.Summary) bool {
	var x, y model.Bucket
	a.Bucket(&x, model.Sum|model.Avg)
	b.Bucket(&y, model.Sum|model.Avg)
	counts := a.Nulls == b.Nulls && a.Bools == b.Bools && a.Ints == b.Ints && a.Floats == b.Floats && a.Strings == b.Strings && a.JSONs == b.JSONs
	return counts && x.Min == y.Min && x.Max == y.Max && closeTo(x.Sum, y.Sum) && closeTo(x.Avg, y.Avg) &&
		x.First.TS == y.First.TS && x.Last.TS == y.Last.TS
}

func closeTo(a, b model.Value) bool {
	if a == b {
		return true
	}
	x, ok := a.Number()
	y, also := b.Number()
	return ok && also && a.Type() == b.Type() && math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), math.Abs(y))
}

// checkPages verifies that the pages of a partition list a prefix of its row groups.
func (c *checker) checkPages() (err error) {
	var at *cursor // over the row groups of the group and partition of the page before
	var group uint64
	var partition, next int64
	defer func() {
		if at != nil {
			err = errors.Join(err, at.Close())
		}
	}()
	return c.each(keys.Pages, func(key, value []byte) error {
		b, err := keys.ParseBlock(key)
		if err != nil || c.groups[b.Group] == nil {
			c.problem("page of unknown group %x", key)
			return nil
		}
		c.report.Pages++
		c.report.Bytes += int64(len(value))
		if at == nil || b.Group != group || b.Partition != partition {
			if at != nil {
				if err := at.Close(); err != nil {
					return err
				}
			}
			if at, err = newCursor(c.store, scan.RowGroups, b.Group, c.damage); err != nil {
				return err
			}
			group, partition, next = b.Group, b.Partition, b.Partition*rowgroup.PartitionMillis
		}
		k := rowgroup.Key{Partition: b.Partition, Group: b.Group, First: b.First}
		if err := c.page.Reset(k, value); err != nil {
			c.wrong(b.Group, "page %d of group %d: %w", b.First, b.Group, err)
			return nil
		}
		for i := range c.page.Len() {
			first, value, err := at.SeekGE(next)
			if _, ok := asGap(err); ok {
				return nil // reported with the row groups
			}
			if err != nil {
				return err
			}
			if value == nil || first != c.page.First(i) {
				c.wrong(b.Group, "page %d of group %d lists a row group at %d, there is one at %d", b.First, b.Group, c.page.First(i), first)
				return nil
			}
			k.First = first
			if err := c.reader.Reset(k, value); err != nil {
				return nil // reported with the row groups
			}
			if !c.pageAgrees(i) {
				c.wrong(b.Group, "page %d of group %d: summary of the row group at %d differs", b.First, b.Group, first)
			}
			if first >= c.groups[group].state.Tail.Sealed {
				c.wrong(b.Group, "page %d of group %d lists an unsealed row group at %d", b.First, b.Group, first)
			}
			next = c.page.Last(i) + 1
		}
		return nil
	})
}

func (c *checker) pageAgrees(i int) bool {
	if c.page.Last(i) != c.reader.Last() || c.page.Rows(i) != c.reader.Rows() {
		return false
	}
	for col := range c.reader.Columns() {
		var s summary.Summary
		if err := c.page.Aggregate(col, i, i+1, model.AllAggregates, &s); err != nil || !sameSummary(&s, c.reader.Summary(col)) {
			return false
		}
	}
	return true
}

func (c *checker) checkTail(number uint64, g *checkedGroup) {
	t := &g.state.Tail
	if t.Small != g.small || t.SmallRows != g.rows {
		c.wrong(number, "group %d has %d small row groups of %d rows, its state says %d of %d", number, g.small, g.rows, t.Small, t.SmallRows)
	}
	c.report.Tombs += int64(len(t.Hidden))
	for _, h := range t.Hidden {
		if h.To > t.Sealed || h.Columns>>len(g.names.Columns) != 0 {
			c.wrong(number, "group %d of %d columns, sealed up to %d, has columns %b hidden from %d to %d", number, len(g.names.Columns),
				t.Sealed, h.Columns, h.From, h.To)
		}
	}
	if due, found := c.owed[number]; (found && due != dueOf(t)) || (!found && dueOf(t) != never) {
		c.wrong(number, "group %d is to be reclaimed from %d on, its row says %d (%t)", number, dueOf(t), due, found)
	}
	if g.any && (!t.Any || g.last > t.Last) {
		c.wrong(number, "group %d ends at %d, its state says %d", number, g.last, t.Last)
	}
}

func (c *checker) checkLatest(number uint64, g *checkedGroup) {
	for i := range g.newest {
		if g.state.Touched&(1<<i) != 0 || i >= len(g.state.Latest) {
			continue
		}
		have, want := &g.state.Latest[i], &g.newest[i]
		if g.state.Tail.Outlived&(1<<i) != 0 && (want.Type == model.TypeNone || want.TS < have.TS) {
			continue
		}
		if have.Type != want.Type || want.Type != model.TypeNone && (have.TS != want.TS || have.Value() != want.Value()) {
			c.wrong(number, "latest of key %q of entity %s (group %d) is %#v at %d, the newest point %#v at %d", g.names.Columns[i],
				g.names.Series.Entity, number, have.Value(), have.TS, want.Value(), want.TS)
		}
	}
}

// checkSeries verifies the counts of series of each tenant.
func (c *checker) checkSeries() error {
	counts := map[model.TenantID]int64{}
	for _, g := range c.groups {
		counts[g.names.Series.Tenant] += int64(len(g.names.Columns))
	}
	err := eachSeriesRow(c.store, func(t model.TenantID, n int64) error {
		if counts[t] != n {
			c.problem("tenant %s has %d series, its count says %d", t, counts[t], n)
		}
		delete(counts, t)
		return nil
	})
	for t, n := range counts {
		c.problem("tenant %s has %d series and no count", t, n)
	}
	return err
}
