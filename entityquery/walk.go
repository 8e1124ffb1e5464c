package entityquery

import (
	"context"

	"github.com/tidewire/tidewire/model"
)

// maxMet bounds the relations one walk meets: beyond it nobody reads the answer, and the list of
// them is all that a walk keeps.
const maxMet = 100_000

// A Walk says how relations are followed: from the roots, level by level. It goes through
// everything there is of the tenant; what of the answer an asker may see is for the caller to
// decide, who shows an entity only to those who may read it, and a relation only to those who may
// read both its ends. So a room that is not a customer's hides none of the devices in it that are.
type Walk struct {
	Tenant   model.TenantID
	Roots    []model.EntityRef
	Group    string // of relations
	ToRoots  bool   // against the direction of relations
	MaxLevel int    // none when it is not above 0
	// LastOnly leaves out relations whose far end was followed further.
	LastOnly bool
	// Follows says which relations there are for the walk, to what. Nil means all.
	Follows func(r *model.Relation, to model.EntityRef) bool
}

// Far returns the end of r that lies away from the roots.
func (w *Walk) Far(r *model.Relation) model.EntityRef {
	if w.ToRoots {
		return r.From
	}
	return r.To
}

// Run returns the relations that w meets, those nearest to a root first, each once. Who reaches
// an entity again does not go on there, so circles end.
func (w *Walk) Run(ctx context.Context, from Relations) ([]model.Relation, error) {
	visited := make(map[model.EntityRef]bool)
	onward := make(map[model.EntityRef]bool) // entities with relations that were followed
	var here []model.EntityRef
	for _, root := range w.Roots {
		if !visited[root] {
			visited[root] = true
			here = append(here, root)
		}
	}
	var met []model.Relation
	for depth := 1; len(here) > 0 && (w.MaxLevel <= 0 || depth <= w.MaxLevel); depth++ {
		var next []model.EntityRef
		for _, ref := range here {
			related, err := w.of(ctx, from, ref)
			if err != nil {
				return nil, err
			}
			for i := range related {
				r := &related[i]
				far := w.Far(r)
				if w.Follows != nil && !w.Follows(r, far) {
					continue
				}
				onward[ref] = true
				if met = append(met, *r); len(met) > maxMet {
					return nil, model.Invalidf("There are more than %d relations to follow: ask for fewer levels", maxMet)
				}
				if !visited[far] {
					visited[far] = true
					next = append(next, far)
				}
			}
		}
		here = next
	}
	if !w.LastOnly {
		return met, nil
	}
	last := met[:0]
	for i := range met {
		if !onward[w.Far(&met[i])] {
			last = append(last, met[i])
		}
	}
	return last, nil
}

// of lists the relations of an entity in the direction of the walk.
func (w *Walk) of(ctx context.Context, from Relations, ref model.EntityRef) ([]model.Relation, error) {
	q := model.RelationQuery{From: ref, Group: w.Group}
	if w.ToRoots {
		q = model.RelationQuery{To: ref, Group: w.Group}
	}
	return from.Relations(ctx, w.Tenant, q)
}
