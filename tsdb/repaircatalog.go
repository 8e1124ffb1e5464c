package tsdb

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/scan"
)

// A groupRows is what a repair knows of a group.
type groupRows struct {
	catalog.Names
	columns map[uint8]string // as the catalog says
	named   bool             // there is a names row
}

// catalog makes the rows of names and those of the catalog agree: each says what the other
// does. Both never change once they are written, so either is right.
func (p *repairer) catalog() error {
	p.names = map[uint64]*groupRows{}
	err := p.each(keys.Names, func(key, value []byte) error {
		number, err := keys.ParseGroup(key)
		names, perr := catalog.ParseNames(value)
		if err != nil || perr != nil {
			return p.w.batch.Delete(key, nil)
		}
		p.names[number] = &groupRows{Names: names, columns: map[uint8]string{}, named: true}
		return nil
	})
	if err != nil {
		return err
	}
	err = p.each(keys.Catalog, func(key, value []byte) error {
		series, name, err := keys.ParseCatalog(key)
		ref, rerr := catalog.ParseRef(value)
		if err != nil || rerr != nil || ref.Column >= catalog.MaxColumns {
			return p.w.batch.Delete(key, nil)
		}
		g := p.names[ref.Group]
		if g == nil {
			g = &groupRows{Names: catalog.Names{Series: series}, columns: map[uint8]string{}}
			p.names[ref.Group] = g
		}
		if g.Series != series || g.named && (int(ref.Column) >= len(g.Columns) || g.Columns[ref.Column] != string(name)) {
			return p.w.batch.Delete(key, nil)
		}
		g.columns[ref.Column] = string(name)
		return nil
	})
	if err != nil {
		return err
	}
	if err := errors.Join(p.recall(), p.nameGroups()); err != nil {
		return err
	}
	for _, number := range slices.Sorted(maps.Keys(p.names)) {
		if err := p.refer(number, p.names[number]); err != nil {
			return err
		}
	}
	return nil
}

// recall takes the names of groups of which neither is left from the log, where they are defined.
// Those that have nothing in the store were removed since, or are still to be written.
func (p *repairer) recall() error {
	return p.each(keys.Log, func(_, value []byte) error {
		var failed error
		// What cannot be read is no definition, and is taken away later. Nor does the position matter.
		_ = entry.Each(0, value, func(_ model.Position, b []byte) error {
			var d entry.Define
			readable := d.Parse(b) == nil
			if !readable || p.names[d.Group] != nil && p.names[d.Group].named {
				return nil
			}
			var there bool
			if there, failed = p.stored(d.Group); !there || failed != nil {
				return failed
			}
			names := catalog.Names{Series: d.Series, Columns: slices.Clone(d.Names)}
			g := &groupRows{Names: names, columns: map[uint8]string{}, named: true}
			if old := p.names[d.Group]; old != nil {
				g.columns = old.columns
			}
			p.names[d.Group], p.touched[d.Group] = g, true
			p.rebuilt("the names of group %d of entity %s, from the log", d.Group, d.Series.Entity)
			failed = errors.Join(failed, p.w.batch.Set(keys.AppendNames(nil, d.Group), names.Append(nil), nil))
			return nil
		})
		return failed
	})
}

// stored reports whether a group has a state or row groups.
func (p *repairer) stored(group uint64) (bool, error) {
	found, err := get(p.db.store, keys.AppendState(nil, group), func([]byte) error { return nil })
	if found || err != nil {
		return found, err
	}
	c, err := newCursor(p.db.store, scan.RowGroups, group, nil)
	if err != nil {
		return false, err
	}
	_, value, err := c.SeekGE(minInstant)
	return value != nil, errors.Join(err, c.Close())
}

// nameGroups makes the names rows that are missing. A row of the catalog that says of a key of
// another group that it is here is wrong.
func (p *repairer) nameGroups() error {
	known := map[keys.Series]map[string]bool{}
	for _, g := range p.names {
		if g.named {
			if known[g.Series] == nil {
				known[g.Series] = map[string]bool{}
			}
			for _, name := range g.Columns {
				known[g.Series][name] = true
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(p.names)) {
		g := p.names[number]
		if g.named {
			continue
		}
		for column, name := range g.columns {
			if !known[g.Series][name] {
				continue
			}
			delete(g.columns, column)
			if err := p.w.batch.Delete(keys.AppendCatalog(nil, g.Series, name), nil); err != nil {
				return err
			}
		}
		if len(g.columns) == 0 {
			delete(p.names, number)
		} else if err := p.nameGroup(number, g); err != nil {
			return err
		}
	}
	return nil
}

// refer writes the rows of the catalog that the names of a group have and it lacks.
func (p *repairer) refer(number uint64, g *groupRows) error {
	missing := 0
	for i, name := range g.Columns {
		if _, ok := g.columns[uint8(i)]; ok {
			continue
		}
		missing++
		ref := catalog.Ref{Group: number, Column: uint8(i)}
		if err := p.w.batch.Set(keys.AppendCatalog(nil, g.Series, name), ref.Append(nil), nil); err != nil {
			return err
		}
	}
	if missing > 0 {
		p.rebuilt("%d keys of entity %s in the catalog, from the names of group %d", missing, g.Series.Entity, number)
	}
	return nil
}

// nameGroup makes a names row from the catalog. Columns whose name is lost get one that says so.
func (p *repairer) nameGroup(number uint64, g *groupRows) error {
	n := int(slices.Max(slices.Collect(maps.Keys(g.columns)))) + 1
	var s catalog.State
	if found, err := get(p.db.store, keys.AppendState(nil, number), s.Parse); err == nil && found {
		n = max(n, len(s.Latest))
	} else if err != nil && !errors.Is(err, catalog.ErrRow) {
		return err
	}
	for i := range n {
		name, ok := g.columns[uint8(i)]
		if !ok {
			name = fmt.Sprintf("lost-%d-%d", number, i)
			p.report.Lost = append(p.report.Lost, lossOf(&catalog.Names{Series: g.Series, Columns: []string{name}},
				math.MinInt64, math.MaxInt64, errors.New("the name of the key")))
		}
		g.Columns = append(g.Columns, name)
	}
	g.named = true
	p.touched[number] = true
	p.rebuilt("the names of group %d of entity %s, from the catalog", number, g.Series.Entity)
	return p.w.batch.Set(keys.AppendNames(nil, number), g.Names.Append(nil), nil)
}

// orphans removes what belongs to groups nobody knows any more.
func (p *repairer) orphans() error {
	gone := map[uint64]bool{}
	for _, space := range []byte{keys.States, keys.RowGroups, keys.Pages, keys.Revisions} {
		err := p.each(space, func(key, _ []byte) error {
			number, err := groupOf(key)
			if err != nil {
				return p.remove(key, "a malformed key")
			}
			if p.names[number] != nil {
				return nil
			}
			if !gone[number] {
				gone[number] = true
				p.report.Lost = append(p.report.Lost, model.Loss{Cause: fmt.Sprintf("everything of group %d: whose it was is not known any more", number)})
			}
			return p.w.batch.Delete(key, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// nameless removes what is stored of groups of which nothing is left that names them, where
// their names may have stood in span.
func (p *repairer) nameless(span keySpan) error {
	for number := groupAt(span.start, keys.Names); number < p.next && number <= groupAt(span.end, keys.Names); number++ {
		if p.names[number] != nil {
			continue
		}
		if there, err := p.stored(number); err != nil || !there {
			if err != nil {
				return err
			}
			continue
		}
		p.gone = append(p.gone, number)
		tail := catalog.Tail{Kept: true}
		err := errors.Join(p.w.batch.Delete(keys.AppendState(nil, number), nil), p.w.eraseRevisions(number, &tail), p.w.owe(number, 0, never))
		for _, space := range []byte{keys.RowGroups, keys.Pages} {
			err = errors.Join(err, p.w.deleteRange(space, number, everything))
		}
		if err != nil {
			return err
		}
		p.report.Lost = append(p.report.Lost, model.Loss{Cause: fmt.Sprintf("everything of group %d: whose it was is not known any more", number)})
	}
	return nil
}

// groupOf returns whose a row is of states, row groups, pages or revisions.
func groupOf(key []byte) (uint64, error) {
	switch key[0] {
	case keys.States:
		return keys.ParseGroup(key)
	case keys.Revisions:
		k, err := keys.ParseRevision(key)
		return k.Group, err
	}
	b, err := keys.ParseBlock(key)
	return b.Group, err
}
