package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
)

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

// walk follows relations from the root and returns those that b wants and the caller may see:
// both their ends.
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
	w := entityquery.Walk{
		Tenant: root.Tenant, Roots: []model.EntityRef{root.Ref()}, Group: cmp.Or(orEmpty(p.RelationTypeGroup), model.CommonRelations),
		ToRoots: direction == RelationsQueryParametersDirectionTO, MaxLevel: int(valueOf(p.MaxLevel)), LastOnly: valueOf(p.FetchLastLevelOnly),
	}
	found, err := w.Run(ctx, s.Registry)
	return slices.DeleteFunc(found, func(r model.Relation) bool {
		return !wants(b.Filters, &r, w.Far(&r)) || !s.sees(ctx, r.From) || !s.sees(ctx, r.To)
	}), root.Tenant, err
}

// wants reports whether any filter wants a relation to an entity; without one everything is
// wanted.
func wants(filters *[]RelationsFilter, r *model.Relation, to model.EntityRef) bool {
	if filters == nil || len(*filters) == 0 {
		return true
	}
	return slices.ContainsFunc(*filters, func(f RelationsFilter) bool {
		types := valueOf(f.EntityTypes)
		return (orEmpty(f.RelationType) == "" || *f.RelationType == r.Type) && (len(types) == 0 || slices.Contains(types, EntityType(to.Type)))
	})
}
