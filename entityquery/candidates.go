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

// walk returns what relations lead to from the roots that the asker may see, each entity once
// and no root.
func (f *Finder) walk(ctx context.Context, who model.Principal, s *model.RelationSearch) ([]model.EntityRef, error) {
	w := Walk{
		Tenant: who.Tenant, Group: model.CommonRelations, ToRoots: s.ToRoots, MaxLevel: s.MaxLevel, LastOnly: s.LastLevelOnly,
		Follows: func(r *model.Relation, to model.EntityRef) bool { return follows(s.Filters, r.Type, to.Type) },
	}
	for _, e := range f.listed(who, s.Roots, nil) {
		w.Roots = append(w.Roots, e.Ref())
	}
	met, err := w.Run(ctx, f.Relations)
	if err != nil {
		return nil, err
	}
	seen := make(map[model.EntityRef]bool, len(met))
	for _, root := range w.Roots {
		seen[root] = true
	}
	var reached []model.EntityRef
	for i := range met {
		if far := w.Far(&met[i]); !seen[far] {
			seen[far] = true
			reached = append(reached, far)
		}
	}
	return reached, nil
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
