package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireAssetProfile(p *model.AssetProfile) AssetProfile {
	return AssetProfile{
		ID: wireID(EntityTypeASSETPROFILE, p.ID), CreatedTime: p.Created, Version: p.Version,
		TenantID: tenantRef(p.Tenant), Name: p.Name, Description: orNull(p.Description), Default: p.Default,
		DefaultDashboardID: refOrNull(EntityTypeDASHBOARD, p.Dashboard), DefaultQueueName: orNull(p.Queue), Image: orNull(p.Image),
	}
}

func wireAssetProfileInfo(p *model.AssetProfile) AssetProfileInfo {
	return AssetProfileInfo{
		ID: wireID(EntityTypeASSETPROFILE, p.ID), TenantID: tenantRef(p.Tenant), Name: p.Name,
		Image: orNull(p.Image), DefaultDashboardID: refOrNull(EntityTypeDASHBOARD, p.Dashboard),
	}
}

// assetProfile authorizes op on an asset profile and returns the record.
func (s *Server) assetProfile(ctx context.Context, op auth.Op, id model.ID) (*model.AssetProfile, error) {
	e, err := s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityAssetProfile, ID: model.EntityID(id)})
	if err != nil {
		return nil, err
	}
	return s.Registry.AssetProfile(ctx, e.Tenant, model.ID(e.ID))
}

// SaveAssetProfile answers POST /api/assetProfile.
func (s *Server) SaveAssetProfile(ctx context.Context, req SaveAssetProfileRequestObject) (SaveAssetProfileResponseObject, error) {
	p, b := caller(ctx), req.Body
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	a := &model.AssetProfile{Tenant: p.Tenant}
	var err error
	if b.ID != nil {
		if a, err = s.assetProfile(ctx, auth.Write, b.ID.ID); err != nil {
			return nil, err
		}
	}
	a.Name, a.Description, a.Version = b.Name, orEmpty(b.Description), versionOf(b.Version)
	a.Dashboard, a.Queue, a.Image = idOf[model.EntityID](b.DefaultDashboardID), orEmpty(b.DefaultQueueName), orEmpty(b.Image)
	if err := s.Registry.SaveAssetProfile(ctx, a); err != nil {
		return nil, err
	}
	return SaveAssetProfile200JSONResponse{AssetProfileJSONResponse(wireAssetProfile(a))}, nil
}

// GetAssetProfile answers GET /api/assetProfile/{assetProfileId}.
func (s *Server) GetAssetProfile(ctx context.Context, req GetAssetProfileRequestObject) (GetAssetProfileResponseObject, error) {
	p, err := s.assetProfile(ctx, auth.Read, req.AssetProfileID)
	if err != nil {
		return nil, err
	}
	return GetAssetProfile200JSONResponse{AssetProfileJSONResponse(wireAssetProfile(p))}, nil
}

// GetAssetProfileInfo answers GET /api/assetProfileInfo/{assetProfileId}.
func (s *Server) GetAssetProfileInfo(ctx context.Context, req GetAssetProfileInfoRequestObject) (GetAssetProfileInfoResponseObject, error) {
	p, err := s.assetProfile(ctx, auth.Read, req.AssetProfileID)
	if err != nil {
		return nil, err
	}
	return GetAssetProfileInfo200JSONResponse(wireAssetProfileInfo(p)), nil
}

// GetDefaultAssetProfileInfo answers GET /api/assetProfileInfo/default.
func (s *Server) GetDefaultAssetProfileInfo(ctx context.Context, _ GetDefaultAssetProfileInfoRequestObject) (GetDefaultAssetProfileInfoResponseObject, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	p, err := s.Registry.DefaultAssetProfile(ctx, caller(ctx).Tenant)
	if err != nil {
		return nil, err
	}
	return GetDefaultAssetProfileInfo200JSONResponse(wireAssetProfileInfo(p)), nil
}

// DeleteAssetProfile answers DELETE /api/assetProfile/{assetProfileId}.
func (s *Server) DeleteAssetProfile(ctx context.Context, req DeleteAssetProfileRequestObject) (DeleteAssetProfileResponseObject, error) {
	p, err := s.assetProfile(ctx, auth.Delete, req.AssetProfileID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteAssetProfile(ctx, p.Tenant, p.ID); err != nil {
		return nil, err
	}
	return DeleteAssetProfile200Response{}, nil
}

// SetDefaultAssetProfile answers POST /api/assetProfile/{assetProfileId}/default.
func (s *Server) SetDefaultAssetProfile(ctx context.Context, req SetDefaultAssetProfileRequestObject) (SetDefaultAssetProfileResponseObject, error) {
	p, err := s.assetProfile(ctx, auth.Write, req.AssetProfileID)
	if err != nil {
		return nil, err
	}
	if p, err = s.Registry.SetDefaultAssetProfile(ctx, p.Tenant, p.ID); err != nil {
		return nil, err
	}
	return SetDefaultAssetProfile200JSONResponse{AssetProfileJSONResponse(wireAssetProfile(p))}, nil
}

// GetAssetProfiles answers GET /api/assetProfiles.
func (s *Server) GetAssetProfiles(ctx context.Context, req GetAssetProfilesRequestObject) (GetAssetProfilesResponseObject, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin); err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := s.assetProfiles(ctx, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetAssetProfiles200JSONResponse{Data: each(list.Data, wireAssetProfile), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// GetAssetProfileInfos answers GET /api/assetProfileInfos.
func (s *Server) GetAssetProfileInfos(ctx context.Context, req GetAssetProfileInfosRequestObject) (GetAssetProfileInfosResponseObject, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := s.assetProfiles(ctx, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetAssetProfileInfos200JSONResponse{Data: each(list.Data, wireAssetProfileInfo), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

func (s *Server) assetProfiles(ctx context.Context, size, number int, search, property, order *string,
) (list model.Page[model.AssetProfile], link model.PageLink, err error) {
	if link, err = linkOf(size, number, search, property, order); err != nil {
		return list, link, err
	}
	list, err = s.Registry.AssetProfiles(ctx, caller(ctx).Tenant, link)
	return list, link, err
}
