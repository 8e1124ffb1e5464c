package entityquery

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// candidates returns the entities a filter chooses and who may see, without repeats.
func (f *Finder) candidates(ctx context.Context, who model.Principal, filter *model.EntityFilter) ([]*model.Entity, error) {
	switch filter.Kind {
	case model.FilterEntities:
		return f.listed(who, filter.Refs, nil), nil
	case model.FilterType:
		var out []*model.Entity
		name := newPattern(filter.Name)
		for e := range f.Directory.Entities(who.Tenant, filter.Type) {
			if ofProfile(e, filter.Profiles) && name.matches(e.Name) && f.Guard.Visible(who, e) {
				out = append(out, e)
			}
		}
		return out, nil
	case model.FilterRelations:
		reached, err := f.walk(ctx, who, filter.Relations)
		if err != nil {
			return nil, err
		}
		return f.listed(who, reached, func(e *model.Entity) bool {
			return (filter.Type == "" || e.Type == filter.Type) && ofProfile(e, filter.Profiles)
		}), nil
	}
	return nil, nil
}

func ofProfile(e *model.Entity, profiles []string) bool {
	return len(profiles) == 0 || slices.Contains(profiles, e.Profile)
}

// listed returns the entities behind refs that keep accepts, each once.
func (f *Finder) listed(who model.Principal, refs []model.EntityRef, keep func(*model.Entity) bool) []*model.Entity {
	var out []*model.Entity
	seen := make(map[model.EntityID]bool, len(refs))
	for _, ref := range refs {
		e, ok := f.Directory.Entity(who.Tenant, ref.ID)
		if !ok || e.Type != ref.Type || seen[ref.ID] || !f.Guard.Visible(who, e) || keep != nil && !keep(e) {
			continue
		}
		seen[ref.ID] = true
		out = append(out, e)
	}
	return out
}

// maxReached bounds what one walk over relations visits.
const maxReached = 100_000

// walk follows relations from the roots, level by level. Who reaches an entity again does not
// go on there, so circles end.
func (f *Finder) walk(ctx context.Context, who model.Principal, s *model.RelationSearch) ([]model.EntityRef, error) {
	visited := map[model.EntityRef]bool{}
	var level, reached []model.EntityRef
	for _, root := range s.Roots {
		// Relations of what the asker cannot see must not be told.
		if e, ok := f.Directory.Entity(who.Tenant, root.ID); ok && e.Type == root.Type && f.Guard.Visible(who, e) && !visited[root] {
			visited[root] = true
			level = append(level, root)
		}
	}
	for depth := 1; len(level) > 0 && (s.MaxLevel <= 0 || depth <= s.MaxLevel); depth++ {
		var next []model.EntityRef
		for _, from := range level {
			related, err := f.related(ctx, who.Tenant, from, s.ToRoots)
			if err != nil {
				return nil, err
			}
			onward := false
			for _, r := range related {
				to := r.To
				if s.ToRoots {
					to = r.From
				}
				if !follows(s.Filters, r.Type, to.Type) {
					continue
				}
				onward = true
				if visited[to] {
					continue
				}
				visited[to] = true
				next = append(next, to)
				if len(visited) > maxReached {
					return nil, model.Errorf(model.TooLarge, "The relations reach more than the limit of %d entities", maxReached)
				}
			}
			if depth > 1 && (!s.LastLevelOnly || !onward) {
				reached = append(reached, from)
			}
		}
		level = next
	}
	return append(reached, level...), nil
}

// related lists the relations that begin at an entity, or end there.
func (f *Finder) related(ctx context.Context, t model.TenantID, at model.EntityRef, ends bool) ([]model.Relation, error) {
	q := model.RelationQuery{From: at, Group: model.CommonRelations}
	if ends {
		q = model.RelationQuery{To: at, Group: model.CommonRelations}
	}
	return f.Relations.Relations(ctx, t, q)
}

// follows reports whether a walk with these filters goes along a relation of a type to an
// entity of a type.
func follows(filters []model.RelationFilter, relation string, to model.EntityType) bool {
	for _, f := range filters {
		if (f.Relation == "" || f.Relation == relation) && (len(f.Types) == 0 || slices.Contains(f.Types, to)) {
			return true
		}
	}
	return len(filters) == 0
}
