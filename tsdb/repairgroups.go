package tsdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	"github.com/tidewire/tidewire/tsdb/internal/catalog"
	"github.com/tidewire/tidewire/tsdb/internal/entry"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/revision"
)

// lostOf notes what may have stood in a span of one keyspace.
func (p *repairer) lostOf(space byte, span keySpan) error {
	note := func(number uint64, from, to int64, what string) {
		p.touched[number] = true
		if what != "" {
			p.report.Lost = append(p.report.Lost, lossOf(&p.names[number].Names, from, to, fmt.Errorf("a table of the store: %s", what)))
		}
	}
	numbers := slices.Sorted(maps.Keys(p.names))
	switch space {
	case keys.RowGroups, keys.Pages:
		what := "row groups"
		if space == keys.Pages {
			what = "" // made anew
		}
		for _, number := range numbers {
			if span.mayHold(space, number) {
				from, to, _ := span.instants(space, number)
				to, err := reach(p.db.store, number, to, p.db.damage)
				if err != nil {
					return err
				}
				note(number, from, to, what)
			}
		}
	case keys.States, keys.Revisions:
		what := "latest values, which are taken from older ones or from row groups"
		if space == keys.Revisions {
			what = "revisions"
		}
		lo, hi := groupAt(span.start, space), groupAt(span.end, space)
		for _, number := range numbers {
			if lo <= number && number <= hi {
				note(number, math.MinInt64, math.MaxInt64, what)
			}
		}
	case keys.Names:
		lo, hi := groupAt(span.start, space), min(groupAt(span.end, space), p.next-1)
		for number := lo; number <= hi; number++ {
			if p.names[number] == nil {
				p.report.Lost = append(p.report.Lost, model.Loss{Cause: fmt.Sprintf("everything of groups %d to %d that nothing names any more", lo, hi)})
				break
			}
		}
	case keys.Log:
		p.report.Lost = append(p.report.Lost, model.Loss{Cause: fmt.Sprintf(
			"entries of the log from position %d to %d: what was not in row groups yet, and what consumers have not read", groupAt(span.start, space), groupAt(span.end, space))})
	case keys.Meta:
		p.report.Lost = append(p.report.Lost, model.Loss{Cause: fmt.Sprintf("rows of the store from %q to %q: where consumers were", span.start, span.end)})
	}
	return nil
}

// mayHold reports whether row groups or pages of a group may lie in a span.
func (s keySpan) mayHold(space byte, group uint64) bool {
	lo, hi := blockAt(s.start, space), blockAt(s.end, space)
	if lo.Partition == hi.Partition && (group < lo.Group || group > hi.Group) {
		return false
	}
	_, _, ok := s.instants(space, group)
	return ok
}

// mayHoldOf reports whether row groups, pages or revisions of a group may lie in a span.
func (s keySpan) mayHoldOf(group uint64) bool {
	for _, space := range []byte{keys.RowGroups, keys.Pages} {
		if in, ok := s.within(keySpan{[]byte{space}, []byte{space + 1}}); ok && in.mayHold(space, group) {
			return true
		}
	}
	in, ok := s.within(keySpan{[]byte{keys.Revisions}, []byte{keys.Revisions + 1}})
	return ok && groupAt(in.start, keys.Revisions) <= group && group <= groupAt(in.end, keys.Revisions)
}

// suspects goes through the groups of which something was lost, and those that do not agree
// with themselves for another reason.
func (p *repairer) suspects() error {
	c := checker{ctx: p.ctx, store: p.db.store, groups: map[uint64]*checkedGroup{}}
	if err := c.run(); err != nil {
		return err
	}
	maps.Copy(p.touched, c.suspects)
	for number := range p.names {
		if found, err := get(p.db.store, keys.AppendState(nil, number), func([]byte) error { return nil }); err != nil {
			return err
		} else if !found {
			p.touched[number] = true
		}
	}
	for _, number := range slices.Sorted(maps.Keys(p.touched)) {
		if p.names[number] == nil {
			continue
		}
		if err := p.mend(number); err != nil {
			return err
		}
		if p.w.batch.Len() >= tidyBytes {
			if err := p.commit(); err != nil {
				return err
			}
		}
	}
	return p.ctx.Err()
}

// mend goes through one group.
func (p *repairer) mend(number uint64) error {
	g := p.names[number]
	var s catalog.State
	key := keys.AppendState(nil, number)
	found, err := get(p.db.store, key, s.Parse)
	if err != nil && !errors.Is(err, catalog.ErrRow) {
		return err
	}
	if !found || err != nil || len(s.Latest) != len(g.Columns) {
		s = catalog.State{Latest: make([]catalog.Latest, len(g.Columns)), LastTS: math.MinInt64}
		p.rebuilt("the state of group %d of entity %s, from its row groups", number, g.Series.Entity)
	}
	if err := keptTo(p.db.store, number, &s.Tail); err != nil {
		return err
	}
	placer := blocks.New(stored{p.db.store, number}, number, len(g.Columns), s.Tail, p.db.options.tuning.rules)
	lost, _, err := p.w.mendGroup(number, &g.Names, placer, &s)
	if err = errors.Join(err, placer.Close()); err != nil {
		return err
	}
	p.report.Lost = append(p.report.Lost, lost...)
	p.rebuilt("pages and counts of group %d of entity %s", number, g.Series.Entity)
	return p.w.batch.Set(key, s.Tail.Append(nil, s.AppendLatest(nil)), nil)
}

// log removes commit groups that cannot be read.
func (p *repairer) log() error {
	return p.each(keys.Log, func(key, value []byte) error {
		first, err := keys.ParseLog(key)
		if err == nil {
			err = entry.Each(first, value, func(model.Position, []byte) error { return nil })
		}
		if err != nil {
			return p.remove(key, fmt.Sprintf("a commit group of the log, from position %d on", first))
		}
		return nil
	})
}

// revisions removes rows that cannot be read, and has bad ones know the good one before them.
func (p *repairer) revisions() error {
	var at keys.Revision // of the row before
	var good revision.Place
	var hasGood bool
	return p.each(keys.Revisions, func(key, value []byte) error {
		k, err := keys.ParseRevision(key)
		if err != nil {
			return p.remove(key, "a malformed key")
		}
		g := p.names[k.Group]
		if g == nil {
			return nil // an orphan
		}
		r := revision.Row{Position: k.Position, N: k.N}
		if int(k.Column) >= len(g.Columns) || r.Parse(value, k.TS) != nil {
			p.report.Lost = append(p.report.Lost, lossOf(&g.Names, k.TS, k.TS+1, errors.New("a revision")))
			return p.w.batch.Delete(key, nil)
		}
		if k.Group != at.Group || k.Column != at.Column || k.TS != at.TS {
			hasGood = false
		}
		at = k
		if r.Quality == 0 {
			good, hasGood = revision.Place{Position: k.Position, N: k.N}, true
			return nil
		}
		if r.HasGood == hasGood && (!hasGood || r.Good == good) {
			return nil
		}
		r.HasGood, r.Good = hasGood, good
		return p.w.batch.Set(key, r.Append(nil, k.TS), nil)
	})
}

// census makes anew what follows from the names and states of all groups: how many series each
// tenant has, and what is to be reclaimed.
func (p *repairer) census() error {
	counts := map[model.TenantID]int64{}
	for _, g := range p.names {
		counts[g.Series.Tenant] += int64(len(g.Columns))
	}
	for _, name := range []string{metaSeries, "owed/"} {
		from := keys.AppendMeta(nil, name)
		to := append(from[:len(from)-1:len(from)-1], '/'+1)
		if err := p.w.batch.DeleteRange(from, to, pebble.NoSync); err != nil {
			return err
		}
	}
	for tenant, n := range counts {
		if err := p.w.batch.Set(seriesKey(tenant), binary.AppendUvarint(nil, uint64(n)), nil); err != nil {
			return err
		}
	}
	return p.each(keys.States, func(key, value []byte) error {
		var s catalog.State
		number, err := keys.ParseGroup(key)
		if err = errors.Join(err, s.Parse(value)); err != nil {
			return err
		}
		if due := dueOf(&s.Tail); due != never {
			return p.w.batch.Set(keys.AppendOwed(nil, number), binary.AppendVarint(nil, due), nil)
		}
		return nil
	})
}
