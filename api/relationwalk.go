package api

import (
	"context"
	"math"
	"slices"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// maxWalked bounds the relations one walk meets: beyond it nobody reads the answer.
const maxWalked = 10_000

// FindRelations answers POST /api/relations.
func (s *Server) FindRelations(ctx context.Context, req FindRelationsRequestObject) (FindRelationsResponseObject, error) {
	found, _, err := s.walk(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	return FindRelations200JSONResponse(each(found, wireRelation)), nil
}

// FindRelationInfos answers POST /api/relations/info.
func (s *Server) FindRelationInfos(ctx context.Context, req FindRelationInfosRequestObject) (FindRelationInfosResponseObject, error) {
	found, t, err := s.walk(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	return FindRelationInfos200JSONResponse(each(found, func(r *model.Relation) RelationInfo { return s.wireRelationInfo(t, r) })), nil
}

// walk follows relations from the root, level by level, and returns those that b wants.
func (s *Server) walk(ctx context.Context, b *RelationsQuery) ([]model.Relation, model.TenantID, error) {
	p := &b.Parameters
	root, err := s.end(ctx, auth.Read, p.RootType, p.RootID)
	if err != nil {
		return nil, model.TenantID{}, err
	}
	direction := RelationsQueryParametersDirectionFROM
	if p.Direction != nil {
		direction = *p.Direction
	}
	if !direction.Valid() {
		return nil, root.Tenant, model.Invalidf("Invalid direction '%.64s'", direction)
	}
	levels := valueOf(p.MaxLevel)
	if levels <= 0 {
		levels = math.MaxInt32
	}
	w := relationWalk{
		server: s, tenant: root.Tenant, toRoot: direction == RelationsQueryParametersDirectionTO,
		group: model.CommonRelations, seen: map[model.EntityID]bool{root.ID: true},
	}
	if g := orEmpty(p.RelationTypeGroup); g != "" {
		w.group = g
	}
	here := []model.EntityRef{root.Ref()}
	for level := int32(1); level <= levels && len(here) > 0; level++ {
		if here, err = w.step(ctx, here, valueOf(p.FetchLastLevelOnly) && level < levels); err != nil {
			return nil, root.Tenant, err
		}
	}
	wanted := slices.DeleteFunc(w.found, func(r model.Relation) bool { return !w.wanted(b.Filters, &r) })
	return wanted, root.Tenant, nil
}

// A relationWalk is the state of one walk.
type relationWalk struct {
	server *Server
	tenant model.TenantID
	toRoot bool // against the direction of relations
	group  string
	seen   map[model.EntityID]bool
	met    int
	found  []model.Relation
}

// far returns the end of r that lies away from the root.
func (w *relationWalk) far(r *model.Relation) model.EntityRef {
	if w.toRoot {
		return r.From
	}
	return r.To
}

// step goes one level further than here, and returns where it came to. Of leaves it keeps
// relations only whose far end has none of its own to follow.
func (w *relationWalk) step(ctx context.Context, here []model.EntityRef, leaves bool) (next []model.EntityRef, err error) {
	for _, ref := range here {
		relations, err := w.of(ctx, ref)
		if err != nil {
			return nil, err
		}
		if w.met += len(relations); w.met > maxWalked {
			return nil, model.Invalidf("The relations reach more than %d entities: ask for fewer levels", maxWalked)
		}
		for i := range relations {
			r := &relations[i]
			far := w.far(r)
			inner := false
			if leaves {
				further, err := w.of(ctx, far)
				if err != nil {
					return nil, err
				}
				inner = len(further) > 0
			}
			if !inner {
				w.found = append(w.found, *r)
			}
			if !w.seen[far.ID] {
				w.seen[far.ID] = true
				next = append(next, far)
			}
		}
	}
	return next, nil
}

// of returns the relations of ref in the direction of the walk whose far end may be read.
func (w *relationWalk) of(ctx context.Context, ref model.EntityRef) ([]model.Relation, error) {
	q := model.RelationQuery{From: ref, Group: w.group}
	if w.toRoot {
		q = model.RelationQuery{To: ref, Group: w.group}
	}
	found, err := w.server.Registry.Relations(ctx, w.tenant, q)
	return slices.DeleteFunc(found, func(r model.Relation) bool { return !w.server.sees(ctx, w.far(&r)) }), err
}

// wanted reports whether any filter wants r; without one everything is wanted.
func (w *relationWalk) wanted(filters *[]RelationsFilter, r *model.Relation) bool {
	if filters == nil || len(*filters) == 0 {
		return true
	}
	return slices.ContainsFunc(*filters, func(f RelationsFilter) bool {
		types := valueOf(f.EntityTypes)
		return (orEmpty(f.RelationType) == "" || *f.RelationType == r.Type) &&
			(len(types) == 0 || slices.Contains(types, EntityType(w.far(r).Type)))
	})
}
