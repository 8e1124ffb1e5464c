package api

import (
	"context"
	"encoding/json"
	"net/http"

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
	if q.EntityViewName != nil {
		v, err := s.viewByName(ctx, *q.EntityViewName)
		if err != nil {
			return nil, err
		}
		return viewOrPage{wireView(v)}, nil
	}
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	switch {
	case q.PageSize == nil:
		return nil, model.Invalidf("Required request parameter 'pageSize' is not present")
	case q.Page == nil:
		return nil, model.Invalidf("Required request parameter 'page' is not present")
	}
	list, link, err := s.views(ctx, p.Tenant, model.EntityViewFilter{Type: orEmpty(q.Type)},
		*q.PageSize, *q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return viewOrPage{pageOfViews(list, link)}, nil
}

// viewOrPage is the answer whose shape depends on the parameters.
type viewOrPage struct{ body any }

// VisitGetTenantEntityViewsResponse implements GetTenantEntityViewsResponseObject.
func (a viewOrPage) VisitGetTenantEntityViewsResponse(w http.ResponseWriter) error {
	b, err := json.Marshal(a.body)
	if err != nil {
		return err
	}
	return (&sender{w: w}).finish(b)
}

// GetTenantEntityView answers GET /api/tenant/asset?entityViewName=.
func (s *Server) GetTenantEntityView(ctx context.Context, req GetTenantEntityViewRequestObject) (GetTenantEntityViewResponseObject, error) {
	v, err := s.viewByName(ctx, req.Params.EntityViewName)
	if err != nil {
		return nil, err
	}
	return GetTenantEntityView200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}

func (s *Server) viewByName(ctx context.Context, name string) (*model.EntityView, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	if err := require("entityViewName", name); err != nil {
		return nil, err
	}
	return s.Registry.EntityViewByName(ctx, p.Tenant, name)
}

// GetCustomerEntityViews answers GET /api/customer/{customerId}/assets.
func (s *Server) GetCustomerEntityViews(ctx context.Context, req GetCustomerEntityViewsRequestObject) (GetCustomerEntityViewsResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := s.views(ctx, c.Tenant, model.EntityViewFilter{Type: orEmpty(q.Type), Customer: model.CustomerID(c.ID)},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerEntityViews200JSONResponse(pageOfViews(list, link)), nil
}

func (s *Server) views(ctx context.Context, t model.TenantID, f model.EntityViewFilter,
	size, number int, search, property, order *string,
) (list model.Page[model.EntityView], link model.PageLink, err error) {
	if link, err = linkOf(size, number, search, property, order); err != nil {
		return list, link, err
	}
	list, err = s.Registry.EntityViews(ctx, t, f, link)
	return list, link, err
}

func pageOfViews(list model.Page[model.EntityView], link model.PageLink) PageEntityView {
	n := pageOf(list, link)
	return PageEntityView{Data: each(list.Data, wireView), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}
}

// GetTenantEntityViewInfos answers GET /api/tenant/viewInfos.
func (s *Server) GetTenantEntityViewInfos(ctx context.Context, req GetTenantEntityViewInfosRequestObject) (GetTenantEntityViewInfosResponseObject, error) {
	p, q := caller(ctx), req.Params
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	f := model.EntityViewFilter{Type: orEmpty(q.Type)}
	list, link, err := s.views(ctx, p.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	infos, err := s.viewInfos(ctx, list, link)
	if err != nil {
		return nil, err
	}
	return GetTenantEntityViewInfos200JSONResponse{infos}, nil
}

// GetCustomerEntityViewInfos answers GET /api/customer/{customerId}/viewInfos.
func (s *Server) GetCustomerEntityViewInfos(ctx context.Context, req GetCustomerEntityViewInfosRequestObject) (GetCustomerEntityViewInfosResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	f := model.EntityViewFilter{Type: orEmpty(q.Type), Customer: model.CustomerID(c.ID)}
	list, link, err := s.views(ctx, c.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
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
	seen := customers{}
	data := make([]EntityViewInfo, len(list.Data))
	for i := range list.Data {
		var err error
		if data[i], err = s.wireViewInfo(ctx, seen, &list.Data[i]); err != nil {
			return PageEntityViewInfoJSONResponse{}, err
		}
	}
	n := pageOf(list, link)
	return PageEntityViewInfoJSONResponse{Data: data, TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// GetEntityViewTypes answers GET /api/entityView/types.
func (s *Server) GetEntityViewTypes(ctx context.Context, _ GetEntityViewTypesRequestObject) (GetEntityViewTypesResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	return GetEntityViewTypes200JSONResponse(wireTypes(p, EntityTypeENTITYVIEW, s.Registry.EntityViewTypes(p.Tenant, p.Customer))), nil
}
