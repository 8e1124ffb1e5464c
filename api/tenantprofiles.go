package api

import (
	"context"
	"encoding/json"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// defaultTenantData stands for the profile data nobody set: no limits.
var defaultTenantData = json.RawMessage(`{"configuration":{"type":"DEFAULT","maxDevices":0,"maxAssets":0,"maxCustomers":0,"maxUsers":0,` +
	`"maxDashboards":0,"defaultStorageTtlDays":0},"queueConfiguration":null}`)

func wireTenantProfile(p *model.TenantProfile) TenantProfile {
	w := TenantProfile{
		ID: wireID(EntityTypeTENANTPROFILE, p.ID), CreatedTime: p.Created, Version: p.Version, Name: p.Name,
		Description: orNull(p.Description), IsolatedTbRuleEngine: p.Isolated, ProfileData: free(p.Data), Default: p.Default,
	}
	if w.ProfileData == nil {
		w.ProfileData = defaultTenantData
	}
	return w
}

func wireTenantProfileInfo(p *model.TenantProfile) EntityInfo {
	return EntityInfo{ID: wireID(EntityTypeTENANTPROFILE, p.ID), Name: p.Name}
}

// tenantProfile authorizes op on a tenant profile and returns the record.
func (s *Server) tenantProfile(ctx context.Context, op auth.Op, id model.ID) (*model.TenantProfile, error) {
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return nil, err
	}
	e, err := s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityTenantProfile, ID: model.EntityID(id)})
	if err != nil {
		return nil, err
	}
	return s.Registry.TenantProfile(ctx, model.ID(e.ID))
}

// SaveTenantProfile answers POST /api/tenantProfile.
func (s *Server) SaveTenantProfile(ctx context.Context, req SaveTenantProfileRequestObject) (SaveTenantProfileResponseObject, error) {
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return nil, err
	}
	b := req.Body
	p := &model.TenantProfile{}
	var err error
	if b.ID != nil {
		if p, err = s.tenantProfile(ctx, auth.Write, b.ID.ID); err != nil {
			return nil, err
		}
	}
	if p.Data, err = object("profileData", b.ProfileData); err != nil {
		return nil, err
	}
	p.Name, p.Description, p.Isolated, p.Version = b.Name, orEmpty(b.Description), valueOf(b.IsolatedTbRuleEngine), versionOf(b.Version)
	if err := s.Registry.SaveTenantProfile(ctx, p); err != nil {
		return nil, err
	}
	return SaveTenantProfile200JSONResponse{TenantProfileJSONResponse(wireTenantProfile(p))}, nil
}

// GetTenantProfile answers GET /api/tenantProfile/{tenantProfileId}.
func (s *Server) GetTenantProfile(ctx context.Context, req GetTenantProfileRequestObject) (GetTenantProfileResponseObject, error) {
	p, err := s.tenantProfile(ctx, auth.Read, req.TenantProfileID)
	if err != nil {
		return nil, err
	}
	return GetTenantProfile200JSONResponse{TenantProfileJSONResponse(wireTenantProfile(p))}, nil
}

// DeleteTenantProfile answers DELETE /api/tenantProfile/{tenantProfileId}.
func (s *Server) DeleteTenantProfile(ctx context.Context, req DeleteTenantProfileRequestObject) (DeleteTenantProfileResponseObject, error) {
	p, err := s.tenantProfile(ctx, auth.Delete, req.TenantProfileID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteTenantProfile(ctx, p.ID); err != nil {
		return nil, err
	}
	return DeleteTenantProfile200Response{}, nil
}

// SetDefaultTenantProfile answers POST /api/tenantProfile/{tenantProfileId}/default.
func (s *Server) SetDefaultTenantProfile(ctx context.Context, req SetDefaultTenantProfileRequestObject) (SetDefaultTenantProfileResponseObject, error) {
	p, err := s.tenantProfile(ctx, auth.Write, req.TenantProfileID)
	if err != nil {
		return nil, err
	}
	if p, err = s.Registry.SetDefaultTenantProfile(ctx, p.ID); err != nil {
		return nil, err
	}
	return SetDefaultTenantProfile200JSONResponse{TenantProfileJSONResponse(wireTenantProfile(p))}, nil
}

// GetDefaultTenantProfileInfo answers GET /api/tenantProfileInfo/default.
func (s *Server) GetDefaultTenantProfileInfo(ctx context.Context, _ GetDefaultTenantProfileInfoRequestObject) (GetDefaultTenantProfileInfoResponseObject, error) {
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return nil, err
	}
	p, err := s.Registry.DefaultTenantProfile(ctx)
	if err != nil {
		return nil, err
	}
	return GetDefaultTenantProfileInfo200JSONResponse(wireTenantProfileInfo(p)), nil
}

// GetTenantProfiles answers GET /api/tenantProfiles.
func (s *Server) GetTenantProfiles(ctx context.Context, req GetTenantProfilesRequestObject) (GetTenantProfilesResponseObject, error) {
	q := req.Params
	list, link, err := s.tenantProfiles(ctx, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetTenantProfiles200JSONResponse{Data: each(list.Data, wireTenantProfile), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// GetTenantProfileInfos answers GET /api/tenantProfileInfos.
func (s *Server) GetTenantProfileInfos(ctx context.Context, req GetTenantProfileInfosRequestObject) (GetTenantProfileInfosResponseObject, error) {
	q := req.Params
	list, link, err := s.tenantProfiles(ctx, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetTenantProfileInfos200JSONResponse{Data: each(list.Data, wireTenantProfileInfo), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

func (s *Server) tenantProfiles(ctx context.Context, size, number int, search, property, order *string,
) (list model.Page[model.TenantProfile], link model.PageLink, err error) {
	if err = auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return list, link, err
	}
	if link, err = linkOf(size, number, search, property, order); err != nil {
		return list, link, err
	}
	list, err = s.Registry.TenantProfiles(ctx, link)
	return list, link, err
}
