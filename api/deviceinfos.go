package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// activityOf returns when a device was last heard.
func (s *Server) activityOf(id model.EntityID) model.Activity {
	if s.Activity == nil {
		return model.Activity{}
	}
	a, _ := s.Activity.Activity(id)
	return a
}

func (s *Server) isActive(id model.EntityID) bool { return s.activityOf(id).Active }

// customers remembers, for one answer, the customers its elements name.
type customers map[model.CustomerID]*model.Customer

// customerNamed returns a customer of the tenant; nil when it is none, or just went.
func (s *Server) customerNamed(ctx context.Context, seen customers, t model.TenantID, id model.CustomerID) (*model.Customer, error) {
	if id == model.NoCustomer || id == (model.CustomerID{}) {
		return nil, nil //nolint:nilnil // an absent customer is an answer
	}
	if c, ok := seen[id]; ok {
		return c, nil
	}
	c, err := s.Registry.Customer(ctx, t, id)
	if err != nil && model.KindOf(err) != model.NotFound {
		return nil, err
	}
	seen[id] = c
	return c, nil
}

func (s *Server) wireDeviceInfo(ctx context.Context, seen customers, d *model.Device) (DeviceInfo, error) {
	w := wireDevice(d)
	a := s.activityOf(d.ID)
	info := DeviceInfo{
		ID: w.ID, CreatedTime: w.CreatedTime, Version: w.Version, TenantID: w.TenantID, CustomerID: w.CustomerID,
		Name: w.Name, Type: w.Type, Label: w.Label, DeviceProfileID: w.DeviceProfileID,
		DeviceData: w.DeviceData, AdditionalInfo: w.AdditionalInfo,
		DeviceProfileName: d.Profile, Active: a.Active,
	}
	if a.LastActivity != 0 {
		info.LastActivityTime = &a.LastActivity
	}
	c, err := s.customerNamed(ctx, seen, d.Tenant, d.Customer)
	if err != nil {
		return info, err
	}
	if c != nil {
		info.CustomerTitle, info.CustomerIsPublic = &c.Title, c.Public
	}
	return info, nil
}

// GetDeviceInfo answers GET /api/device/info/{deviceId}.
func (s *Server) GetDeviceInfo(ctx context.Context, req GetDeviceInfoRequestObject) (GetDeviceInfoResponseObject, error) {
	d, err := s.readDevice(ctx, auth.Read, req.DeviceID)
	if err != nil {
		return nil, err
	}
	info, err := s.wireDeviceInfo(ctx, customers{}, d)
	if err != nil {
		return nil, err
	}
	return GetDeviceInfo200JSONResponse(info), nil
}

// GetTenantDeviceInfos answers GET /api/tenant/deviceInfos.
func (s *Server) GetTenantDeviceInfos(ctx context.Context, req GetTenantDeviceInfosRequestObject) (GetTenantDeviceInfosResponseObject, error) {
	p, q := caller(ctx), req.Params
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	f := model.DeviceFilter{Type: orEmpty(q.Type), WithActive: q.Active}
	if q.DeviceProfileID != nil {
		f.Profile = *q.DeviceProfileID
	}
	list, err := s.deviceInfos(ctx, p.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetTenantDeviceInfos200JSONResponse{list}, nil
}

// GetCustomerDeviceInfos answers GET /api/customer/{customerId}/deviceInfos.
func (s *Server) GetCustomerDeviceInfos(ctx context.Context, req GetCustomerDeviceInfosRequestObject) (GetCustomerDeviceInfosResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	f := model.DeviceFilter{Type: orEmpty(q.Type), WithActive: q.Active, Customer: model.CustomerID(c.ID)}
	if q.DeviceProfileID != nil {
		f.Profile = *q.DeviceProfileID
	}
	list, err := s.deviceInfos(ctx, c.Tenant, f, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerDeviceInfos200JSONResponse{list}, nil
}

func (s *Server) deviceInfos(ctx context.Context, t model.TenantID, f model.DeviceFilter,
	size, number int, search, property, order *string,
) (PageDeviceInfoJSONResponse, error) {
	f.Active = s.isActive
	list, link, err := listed(ctx, s.Registry.Devices, t, f, size, number, search, property, order)
	if err != nil {
		return PageDeviceInfoJSONResponse{}, err
	}
	n := pageOf(list, link)
	data, err := infosOf(ctx, list.Data, s.wireDeviceInfo)
	return PageDeviceInfoJSONResponse{Data: data, TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, err
}
