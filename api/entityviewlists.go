package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func (s *Server) wireViewInfo(ctx context.Context, seen customers, v *model.EntityView) (EntityViewInfo, error) {
	w := wireView(v)
	info := EntityViewInfo{
		ID: w.ID, CreatedTime: w.CreatedTime, Version: w.Version, TenantID: w.TenantID, CustomerID: w.CustomerID,
		Name: w.Name, Type: w.Type, EntityID: w.EntityID, Keys: w.Keys, StartTimeMs: w.StartTimeMs, EndTimeMs: w.EndTimeMs,
		AdditionalInfo: w.AdditionalInfo,
	}
	c, err := s.customerNamed(ctx, seen, v.Tenant, v.Customer)
	if err == nil && c != nil {
		info.CustomerTitle, info.CustomerIsPublic = &c.Title, c.Public
	}
	return info, err
}

// GetEntityViewInfo answers GET /api/entityView/info/{entityViewId}.
func (s *Server) GetEntityViewInfo(ctx context.Context, req GetEntityViewInfoRequestObject) (GetEntityViewInfoResponseObject, error) {
	v, err := s.readView(ctx, auth.Read, req.EntityViewID)
	if err != nil {
		return nil, err
	}
	info, err := s.wireViewInfo(ctx, customers{}, v)
	if err != nil {
		return nil, err
	}
	return GetEntityViewInfo200JSONResponse(info), nil
}

// GetTenantEntityViews answers GET /api/tenant/entityViews: a page, or one entity view by name.
func (s *Server) GetTenantEntityViews(ctx context.Context, req GetTenantEntityViewsRequestObject) (GetTenantEntityViewsResponseObject, error) {
	q := req.Params
	return byNameOrPage(ctx, q.EntityViewName, s.viewByName, wireView, q.PageSize, q.Page, func(t model.TenantID, size, number int) (any, error) {
		list, link, err := listed(ctx, s.Registry.EntityViews, t, model.EntityViewFilter{Type: orEmpty(q.Type)},
			size, number, q.TextSearch, q.SortProperty, q.SortOrder)
		return pageOfViews(list, link), err
	})
}

// GetTenantEntityView answers GET /api/tenant/entityView?entityViewName=.
func (s *Server) GetTenantEntityView(ctx context.Context, req GetTenantEntityViewRequestObject) (GetTenantEntityViewResponseObject, error) {
	v, err := s.viewByName(ctx, req.Params.EntityViewName)
	if err != nil {
		return nil, err
	}
	return GetTenantEntityView200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}

func (s *Server) viewByName(ctx context.Context, name string) (*model.EntityView, error) {
	return inTenantByName(ctx, "entityViewName", name, s.Registry.EntityViewByName)
}

// GetEntityViewsByIds answers GET /api/entityViews?entityViewIds=.
func (s *Server) GetEntityViewsByIds(ctx context.Context, req GetEntityViewsByIdsRequestObject) (GetEntityViewsByIdsResponseObject, error) {
	ids, err := idsOf("entityViewIds", req.Params.EntityViewIds)
	if err != nil {
		return nil, err
	}
	if ids, err = s.readable(ctx, model.EntityEntityView, ids); err != nil {
		return nil, err
	}
	found, err := s.Registry.EntityViewsByID(ctx, caller(ctx).Tenant, ids)
	if err != nil {
		return nil, err
	}
	return GetEntityViewsByIds200JSONResponse(each(found, wireView)), nil
}

// GetCustomerEntityViews answers GET /api/customer/{customerId}/entityViews.
func (s *Server) GetCustomerEntityViews(ctx context.Context, req GetCustomerEntityViewsRequestObject) (GetCustomerEntityViewsResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := listed(ctx, s.Registry.EntityViews, c.Tenant, model.EntityViewFilter{Type: orEmpty(q.Type), Customer: model.CustomerID(c.ID)},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerEntityViews200JSONResponse(pageOfViews(list, link)), nil
}

func pageOfViews(list model.Page[model.EntityView], link model.PageLink) PageEntityView {
	n := pageOf(list, link)
	return PageEntityView{Data: each(list.Data, wireView), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}
}

// GetTenantEntityViewInfos answers GET /api/tenant/entityViewInfos.
func (s *Server) GetTenantEntityViewInfos(ctx context.Context, req GetTenantEntityViewInfosRequestObject) (GetTenantEntityViewInfosResponseObject, error) {
	p, q := caller(ctx), req.Params
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	f := model.EntityViewFilter{Type: orEmpty(q.Type)}
	list, link, err := listed(ctx, s.Registry.EntityViews, p.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	infos, err := s.viewInfos(ctx, list, link)
	if err != nil {
		return nil, err
	}
	return GetTenantEntityViewInfos200JSONResponse{infos}, nil
}

// GetCustomerEntityViewInfos answers GET /api/customer/{customerId}/entityViewInfos.
func (s *Server) GetCustomerEntityViewInfos(ctx context.Context, req GetCustomerEntityViewInfosRequestObject) (GetCustomerEntityViewInfosResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	f := model.EntityViewFilter{Type: orEmpty(q.Type), Customer: model.CustomerID(c.ID)}
	list, link, err := listed(ctx, s.Registry.EntityViews, c.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	infos, err := s.viewInfos(ctx, list, link)
	if err != nil {
		return nil, err
	}
	return GetCustomerEntityViewInfos200JSONResponse{infos}, nil
}

func (s *Server) viewInfos(ctx context.Context, list model.Page[model.EntityView], link model.PageLink) (PageEntityViewInfoJSONResponse, error) {
	n := pageOf(list, link)
	data, err := infosOf(ctx, list.Data, s.wireViewInfo)
	return PageEntityViewInfoJSONResponse{Data: data, TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, err
}

// GetEntityViewTypes answers GET /api/entityView/types.
func (s *Server) GetEntityViewTypes(ctx context.Context, _ GetEntityViewTypesRequestObject) (GetEntityViewTypesResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	return GetEntityViewTypes200JSONResponse(wireTypes(p, EntityTypeENTITYVIEW, s.Registry.EntityViewTypes(p.Tenant, p.Customer))), nil
}
