package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireRelation(r *model.Relation) Relation {
	return Relation{
		From: wireID(EntityType(r.From.Type), r.From.ID), To: wireID(EntityType(r.To.Type), r.To.ID),
		Type: r.Type, TypeGroup: r.Group, AdditionalInfo: free(r.Info),
	}
}

// wireRelationInfo is wireRelation with the names of both ends, from memory.
func (s *Server) wireRelationInfo(t model.TenantID, r *model.Relation) RelationInfo {
	name := func(ref model.EntityRef) *string {
		e, ok := s.Registry.Entity(t, ref.ID)
		if !ok {
			return nil // it goes just now
		}
		return &e.Name
	}
	w := wireRelation(r)
	return RelationInfo{From: w.From, To: w.To, Type: w.Type, TypeGroup: w.TypeGroup, AdditionalInfo: w.AdditionalInfo,
		FromName: name(r.From), ToName: name(r.To)}
}

// end authorizes op on one end of a relation.
func (s *Server) end(ctx context.Context, op auth.Op, t EntityType, id model.ID) (*model.Entity, error) {
	if !t.Valid() {
		return nil, model.Invalidf("Unsupported entity type: %s", clip(string(t)))
	}
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityType(t), ID: model.EntityID(id)})
}

// changedEnd authorizes who changes a relation for one of its ends. The tenant is not its
// administrators' to write (contract thingsboard 2.4), and is the root of what they relate.
func (s *Server) changedEnd(ctx context.Context, id EntityID) (*model.Entity, error) {
	op := auth.Write
	if p := caller(ctx); id.EntityType == EntityTypeTENANT && p.Authority == model.TenantAdmin {
		if err := auth.Require(p, model.TenantAdmin); err != nil { // a token that may only read
			return nil, err
		}
		op = auth.Read
	}
	return s.end(ctx, op, id.EntityType, id.ID)
}

// ends authorizes who changes a relation for both of its ends.
func (s *Server) ends(ctx context.Context, from, to EntityID) (r model.Relation, t model.TenantID, err error) {
	a, err := s.changedEnd(ctx, from)
	if err != nil {
		return r, t, err
	}
	b, err := s.changedEnd(ctx, to)
	if err != nil {
		return r, t, err
	}
	if a.Tenant != b.Tenant { // a system administrator sees both
		return r, t, model.Invalidf("Entities of different tenants can't be related!")
	}
	return model.Relation{From: a.Ref(), To: b.Ref()}, a.Tenant, nil
}

// SaveRelation answers POST /api/relation.
func (s *Server) SaveRelation(ctx context.Context, req SaveRelationRequestObject) (SaveRelationResponseObject, error) {
	b := req.Body
	r, t, err := s.ends(ctx, b.From, b.To)
	if err != nil {
		return nil, err
	}
	r.Type, r.Group = b.Type, orEmpty(b.TypeGroup)
	if r.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	if err := s.Registry.SaveRelation(ctx, t, &r); err != nil {
		return nil, err
	}
	return SaveRelation200Response{}, nil
}

// DeleteRelation answers DELETE /api/relation.
func (s *Server) DeleteRelation(ctx context.Context, req DeleteRelationRequestObject) (DeleteRelationResponseObject, error) {
	q := req.Params
	r, t, err := s.ends(ctx, EntityID{EntityType: q.FromType, ID: q.FromID}, EntityID{EntityType: q.ToType, ID: q.ToID})
	if err != nil {
		return nil, err
	}
	if err := require("relationType", q.RelationType); err != nil {
		return nil, err
	}
	r.Type, r.Group = q.RelationType, orEmpty(q.RelationTypeGroup)
	if err := s.Registry.DeleteRelation(ctx, t, &r); err != nil {
		return nil, err
	}
	return DeleteRelation200Response{}, nil
}

// GetRelations answers GET /api/relations.
func (s *Server) GetRelations(ctx context.Context, req GetRelationsRequestObject) (GetRelationsResponseObject, error) {
	found, _, err := s.relations(ctx, req.Params)
	if err != nil {
		return nil, err
	}
	return GetRelations200JSONResponse(each(found, wireRelation)), nil
}

// GetRelationInfos answers GET /api/relations/info.
func (s *Server) GetRelationInfos(ctx context.Context, req GetRelationInfosRequestObject) (GetRelationInfosResponseObject, error) {
	found, t, err := s.relations(ctx, GetRelationsParams(req.Params))
	if err != nil {
		return nil, err
	}
	return GetRelationInfos200JSONResponse(each(found, func(r *model.Relation) RelationInfo { return s.wireRelationInfo(t, r) })), nil
}

// relations returns those of the relations asked for whose ends the caller may read.
func (s *Server) relations(ctx context.Context, p GetRelationsParams) ([]model.Relation, model.TenantID, error) {
	q := model.RelationQuery{Type: orEmpty(p.RelationType), Group: orEmpty(p.RelationTypeGroup)}
	if q.Group == "" {
		q.Group = model.CommonRelations
	}
	if p.FromID == nil && p.ToID == nil {
		return nil, model.TenantID{}, require("fromId", "")
	}
	var t model.TenantID
	for _, end := range []struct {
		name string
		id   *model.ID
		typ  *EntityType
		ref  *model.EntityRef
	}{{"fromType", p.FromID, p.FromType, &q.From}, {"toType", p.ToID, p.ToType, &q.To}} {
		if end.id == nil {
			continue
		}
		if end.typ == nil {
			return nil, t, require(end.name, "")
		}
		e, err := s.end(ctx, auth.Read, *end.typ, *end.id)
		if err != nil {
			return nil, t, err
		}
		*end.ref, t = e.Ref(), e.Tenant
	}
	found, err := s.Registry.Relations(ctx, t, q)
	if err != nil {
		return nil, t, err
	}
	visible := make([]model.Relation, 0, len(found))
	for i := range found {
		if s.sees(ctx, found[i].From) && s.sees(ctx, found[i].To) {
			visible = append(visible, found[i])
		}
	}
	return visible, t, nil
}

// sees reports whether the caller may read an entity.
func (s *Server) sees(ctx context.Context, ref model.EntityRef) bool {
	_, err := s.guard.Allow(caller(ctx), auth.Read, ref)
	return err == nil
}
