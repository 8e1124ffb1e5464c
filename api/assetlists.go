package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func (s *Server) wireAssetInfo(ctx context.Context, seen customers, a *model.Asset) (AssetInfo, error) {
	w := wireAsset(a)
	info := AssetInfo{
		ID: w.ID, CreatedTime: w.CreatedTime, Version: w.Version, TenantID: w.TenantID, CustomerID: w.CustomerID,
		Name: w.Name, Type: w.Type, Label: w.Label, AssetProfileID: w.AssetProfileID, AdditionalInfo: w.AdditionalInfo,
		AssetProfileName: a.Profile,
	}
	c, err := s.customerNamed(ctx, seen, a.Tenant, a.Customer)
	if err == nil && c != nil {
		info.CustomerTitle, info.CustomerIsPublic = &c.Title, c.Public
	}
	return info, err
}

// GetAssetInfo answers GET /api/asset/info/{assetId}.
func (s *Server) GetAssetInfo(ctx context.Context, req GetAssetInfoRequestObject) (GetAssetInfoResponseObject, error) {
	a, err := s.readAsset(ctx, auth.Read, req.AssetID)
	if err != nil {
		return nil, err
	}
	info, err := s.wireAssetInfo(ctx, customers{}, a)
	if err != nil {
		return nil, err
	}
	return GetAssetInfo200JSONResponse(info), nil
}

// GetTenantAssets answers GET /api/tenant/assets: a page, or one asset by name.
func (s *Server) GetTenantAssets(ctx context.Context, req GetTenantAssetsRequestObject) (GetTenantAssetsResponseObject, error) {
	q := req.Params
	return byNameOrPage(ctx, q.AssetName, s.assetByName, wireAsset, q.PageSize, q.Page, func(t model.TenantID, size, number int) (any, error) {
		list, link, err := listed(ctx, s.Registry.Assets, t, model.AssetFilter{Type: orEmpty(q.Type)},
			size, number, q.TextSearch, q.SortProperty, q.SortOrder)
		return pageOfAssets(list, link), err
	})
}

// GetTenantAsset answers GET /api/tenant/asset?assetName=.
func (s *Server) GetTenantAsset(ctx context.Context, req GetTenantAssetRequestObject) (GetTenantAssetResponseObject, error) {
	a, err := s.assetByName(ctx, req.Params.AssetName)
	if err != nil {
		return nil, err
	}
	return GetTenantAsset200JSONResponse{AssetJSONResponse(wireAsset(a))}, nil
}

func (s *Server) assetByName(ctx context.Context, name string) (*model.Asset, error) {
	return inTenantByName(ctx, "assetName", name, s.Registry.AssetByName)
}

// GetCustomerAssets answers GET /api/customer/{customerId}/assets.
func (s *Server) GetCustomerAssets(ctx context.Context, req GetCustomerAssetsRequestObject) (GetCustomerAssetsResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := listed(ctx, s.Registry.Assets, c.Tenant, model.AssetFilter{Type: orEmpty(q.Type), Customer: model.CustomerID(c.ID)},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerAssets200JSONResponse(pageOfAssets(list, link)), nil
}

func pageOfAssets(list model.Page[model.Asset], link model.PageLink) PageAsset {
	n := pageOf(list, link)
	return PageAsset{Data: each(list.Data, wireAsset), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}
}

// GetTenantAssetInfos answers GET /api/tenant/assetInfos.
func (s *Server) GetTenantAssetInfos(ctx context.Context, req GetTenantAssetInfosRequestObject) (GetTenantAssetInfosResponseObject, error) {
	p, q := caller(ctx), req.Params
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	f := model.AssetFilter{Type: orEmpty(q.Type), Profile: valueOf(q.AssetProfileID)}
	list, link, err := listed(ctx, s.Registry.Assets, p.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	infos, err := s.assetInfos(ctx, list, link)
	if err != nil {
		return nil, err
	}
	return GetTenantAssetInfos200JSONResponse{infos}, nil
}

// GetCustomerAssetInfos answers GET /api/customer/{customerId}/assetInfos.
func (s *Server) GetCustomerAssetInfos(ctx context.Context, req GetCustomerAssetInfosRequestObject) (GetCustomerAssetInfosResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	f := model.AssetFilter{Type: orEmpty(q.Type), Profile: valueOf(q.AssetProfileID), Customer: model.CustomerID(c.ID)}
	list, link, err := listed(ctx, s.Registry.Assets, c.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	infos, err := s.assetInfos(ctx, list, link)
	if err != nil {
		return nil, err
	}
	return GetCustomerAssetInfos200JSONResponse{infos}, nil
}

func (s *Server) assetInfos(ctx context.Context, list model.Page[model.Asset], link model.PageLink) (PageAssetInfoJSONResponse, error) {
	n := pageOf(list, link)
	data, err := infosOf(ctx, list.Data, s.wireAssetInfo)
	return PageAssetInfoJSONResponse{Data: data, TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, err
}

// GetAssetsByIds answers GET /api/assets?assetIds=.
func (s *Server) GetAssetsByIds(ctx context.Context, req GetAssetsByIdsRequestObject) (GetAssetsByIdsResponseObject, error) {
	ids, err := idsOf("assetIds", req.Params.AssetIds)
	if err != nil {
		return nil, err
	}
	if ids, err = s.readable(ctx, model.EntityAsset, ids); err != nil {
		return nil, err
	}
	found, err := s.Registry.AssetsByID(ctx, caller(ctx).Tenant, ids)
	if err != nil {
		return nil, err
	}
	return GetAssetsByIds200JSONResponse(each(found, wireAsset)), nil
}

// GetAssetTypes answers GET /api/asset/types.
func (s *Server) GetAssetTypes(ctx context.Context, _ GetAssetTypesRequestObject) (GetAssetTypesResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	return GetAssetTypes200JSONResponse(wireTypes(p, EntityTypeASSET, s.Registry.AssetTypes(p.Tenant, p.Customer))), nil
}
