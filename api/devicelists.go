package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// GetTenantDevices answers GET /api/tenant/devices: a page, or one device by name.
func (s *Server) GetTenantDevices(ctx context.Context, req GetTenantDevicesRequestObject) (GetTenantDevicesResponseObject, error) {
	q := req.Params
	if q.DeviceName != nil {
		d, err := s.deviceByName(ctx, *q.DeviceName)
		if err != nil {
			return nil, err
		}
		return deviceOrPage{wireDevice(d)}, nil
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
	list, err := s.devices(ctx, p.Tenant, model.DeviceFilter{Type: orEmpty(q.Type)},
		*q.PageSize, *q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return deviceOrPage{list}, nil
}

// deviceOrPage is the answer whose shape depends on the parameters.
type deviceOrPage struct{ body any }

// VisitGetTenantDevicesResponse implements GetTenantDevicesResponseObject.
func (a deviceOrPage) VisitGetTenantDevicesResponse(w http.ResponseWriter) error {
	b, err := json.Marshal(a.body)
	if err != nil {
		return err
	}
	return (&sender{w: w}).finish(b)
}

// GetTenantDevice answers GET /api/tenant/device?deviceName=.
func (s *Server) GetTenantDevice(ctx context.Context, req GetTenantDeviceRequestObject) (GetTenantDeviceResponseObject, error) {
	d, err := s.deviceByName(ctx, req.Params.DeviceName)
	if err != nil {
		return nil, err
	}
	return GetTenantDevice200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}

func (s *Server) deviceByName(ctx context.Context, name string) (*model.Device, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	if err := require("deviceName", name); err != nil {
		return nil, err
	}
	return s.Registry.DeviceByName(ctx, p.Tenant, name)
}

// GetCustomerDevices answers GET /api/customer/{customerId}/devices.
func (s *Server) GetCustomerDevices(ctx context.Context, req GetCustomerDevicesRequestObject) (GetCustomerDevicesResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	list, err := s.devices(ctx, c.Tenant, model.DeviceFilter{Type: orEmpty(q.Type), Customer: model.CustomerID(c.ID)},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerDevices200JSONResponse(list), nil
}

func (s *Server) devices(ctx context.Context, t model.TenantID, f model.DeviceFilter,
	size, number int, search, property, order *string,
) (PageDevice, error) {
	link, err := linkOf(size, number, search, property, order)
	if err != nil {
		return PageDevice{}, err
	}
	f.Active = s.isActive
	list, err := s.Registry.Devices(ctx, t, f, link)
	if err != nil {
		return PageDevice{}, err
	}
	n := pageOf(list, link)
	return PageDevice{Data: each(list.Data, wireDevice), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// GetDevicesByIds answers GET /api/devices?deviceIds=.
func (s *Server) GetDevicesByIds(ctx context.Context, req GetDevicesByIdsRequestObject) (GetDevicesByIdsResponseObject, error) {
	list, err := s.devicesByIDs(ctx, req.Params.DeviceIds)
	return GetDevicesByIds200JSONResponse(list), err
}

// GetDevicesList answers GET /api/devices/list?deviceIds=.
func (s *Server) GetDevicesList(ctx context.Context, req GetDevicesListRequestObject) (GetDevicesListResponseObject, error) {
	list, err := s.devicesByIDs(ctx, req.Params.DeviceIds)
	return GetDevicesList200JSONResponse(list), err
}

// devicesByIDs returns those of the devices that the caller may read.
func (s *Server) devicesByIDs(ctx context.Context, list string) ([]Device, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	if err := require("deviceIds", list); err != nil {
		return nil, err
	}
	var ids []model.EntityID
	for text := range strings.SplitSeq(list, ",") {
		id, err := model.ParseID(text)
		if err != nil {
			return nil, err
		}
		e, err := s.device(ctx, auth.Read, id)
		switch {
		case err == nil:
			ids = append(ids, e.ID)
		case model.KindOf(err) != model.NotFound && model.KindOf(err) != model.Denied:
			return nil, err
		}
	}
	found, err := s.Registry.DevicesByID(ctx, p.Tenant, ids)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b model.Device) int {
		return slices.Index(ids, a.ID) - slices.Index(ids, b.ID)
	})
	return each(found, wireDevice), nil
}

// GetDeviceTypes answers GET /api/device/types.
func (s *Server) GetDeviceTypes(ctx context.Context, _ GetDeviceTypesRequestObject) (GetDeviceTypesResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	var names []string
	if p.Authority == model.TenantAdmin {
		names = s.Registry.DeviceTypes(p.Tenant)
	} else {
		for e := range s.Registry.Entities(p.Tenant, model.EntityDevice) {
			if e.Customer == p.Customer && e.Profile != "" {
				names = append(names, e.Profile)
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	return GetDeviceTypes200JSONResponse(each(names, func(name *string) EntitySubtype {
		return EntitySubtype{TenantID: tenantRef(p.Tenant), EntityType: EntityTypeDEVICE, Type: *name}
	})), nil
}
