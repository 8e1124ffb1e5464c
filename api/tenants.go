package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireTenant(t *model.Tenant) Tenant {
	c := &t.Contact
	return Tenant{
		ID: wireID(EntityTypeTENANT, t.ID), CreatedTime: t.Created, Version: t.Version,
		Title: t.Title, Name: t.Title, Region: orNull(t.Region), TenantProfileID: wireID(EntityTypeTENANTPROFILE, t.Profile),
		Country: orNull(c.Country), State: orNull(c.State), City: orNull(c.City),
		Address: orNull(c.Address), Address2: orNull(c.Address2), Zip: orNull(c.Zip),
		Phone: orNull(c.Phone), Email: orNull(c.Email),
		AdditionalInfo: free(t.Info),
	}
}

// SaveTenant answers POST /api/tenant.
func (s *Server) SaveTenant(ctx context.Context, req SaveTenantRequestObject) (SaveTenantResponseObject, error) {
	p, b := caller(ctx), req.Body
	if err := auth.Require(p, model.SysAdmin); err != nil {
		return nil, err
	}
	t := &model.Tenant{ID: idOf[model.TenantID](b.ID)}
	if b.ID != nil {
		if _, err := s.guard.Allow(p, auth.Write, model.EntityRef{Type: model.EntityTenant, ID: model.EntityID(t.ID)}); err != nil {
			return nil, err
		}
	}
	var err error
	if t.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	t.Title, t.Version, t.Region, t.Profile = b.Title, versionOf(b.Version), orEmpty(b.Region), idOf[model.ID](b.TenantProfileID)
	t.Contact = contactOf(b.Country, b.State, b.City, b.Address, b.Address2, b.Zip, b.Phone, b.Email)
	if err := s.Registry.SaveTenant(ctx, t); err != nil {
		return nil, err
	}
	return SaveTenant200JSONResponse{TenantJSONResponse(wireTenant(t))}, nil
}

// GetTenant answers GET /api/tenant/{tenantId}.
func (s *Server) GetTenant(ctx context.Context, req GetTenantRequestObject) (GetTenantResponseObject, error) {
	id, err := s.tenant(ctx, auth.Read, req.TenantID)
	if err != nil {
		return nil, err
	}
	t, err := s.Registry.Tenant(ctx, id)
	if err != nil {
		return nil, err
	}
	return GetTenant200JSONResponse{TenantJSONResponse(wireTenant(t))}, nil
}

// DeleteTenant answers DELETE /api/tenant/{tenantId}.
func (s *Server) DeleteTenant(ctx context.Context, req DeleteTenantRequestObject) (DeleteTenantResponseObject, error) {
	id, err := s.tenant(ctx, auth.Delete, req.TenantID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteTenant(ctx, id); err != nil {
		return nil, err
	}
	return DeleteTenant200Response{}, nil
}

// GetTenants answers GET /api/tenants.
func (s *Server) GetTenants(ctx context.Context, req GetTenantsRequestObject) (GetTenantsResponseObject, error) {
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return nil, err
	}
	q := req.Params
	link, err := linkOf(q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	list, err := s.Registry.Tenants(ctx, model.TenantFilter{}, link)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetTenants200JSONResponse{Data: each(list.Data, wireTenant), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// tenant authorizes op on a tenant.
func (s *Server) tenant(ctx context.Context, op auth.Op, id model.ID) (model.TenantID, error) {
	e, err := s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityTenant, ID: model.EntityID(id)})
	if err != nil {
		return model.TenantID{}, err
	}
	return model.TenantID(e.ID), nil
}
