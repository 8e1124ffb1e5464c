package api

import (
	"context"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// GetTenantDevices answers GET /api/tenant/devices: a page, or one device by name.
func (s *Server) GetTenantDevices(ctx context.Context, req GetTenantDevicesRequestObject) (GetTenantDevicesResponseObject, error) {
	q := req.Params
	return byNameOrPage(ctx, q.DeviceName, s.deviceByName, wireDevice, q.PageSize, q.Page, func(t model.TenantID, size, number int) (any, error) {
		return s.devices(ctx, t, model.DeviceFilter{Type: orEmpty(q.Type)}, size, number, q.TextSearch, q.SortProperty, q.SortOrder)
	})
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
	return inTenantByName(ctx, "deviceName", name, s.Registry.DeviceByName)
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
	f.Active = s.isActive
	list, link, err := listed(ctx, s.Registry.Devices, t, f, size, number, search, property, order)
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
	ids, err := idsOf("deviceIds", list)
	if err != nil {
		return nil, err
	}
	if ids, err = s.readable(ctx, model.EntityDevice, ids); err != nil {
		return nil, err
	}
	found, err := s.Registry.DevicesByID(ctx, caller(ctx).Tenant, ids)
	if err != nil {
		return nil, err
	}
	return each(found, wireDevice), nil
}

// GetDeviceTypes answers GET /api/device/types.
func (s *Server) GetDeviceTypes(ctx context.Context, _ GetDeviceTypesRequestObject) (GetDeviceTypesResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	return GetDeviceTypes200JSONResponse(wireTypes(p, EntityTypeDEVICE, s.Registry.DeviceTypes(p.Tenant, p.Customer))), nil
}

// wireTypes returns the names of types as clients see them.
func wireTypes(p model.Principal, t EntityType, names []string) []EntitySubtype {
	return each(names, func(name *string) EntitySubtype {
		return EntitySubtype{TenantID: tenantRef(p.Tenant), EntityType: t, Type: *name}
	})
}

// idsOf reads ids separated by commas.
func idsOf(name, list string) ([]model.EntityID, error) {
	if err := require(name, list); err != nil {
		return nil, err
	}
	var ids []model.EntityID
	for text := range strings.SplitSeq(list, ",") {
		id, err := model.ParseID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, model.EntityID(id))
	}
	return ids, nil
}

// readable keeps of ids those of entities of a type that the caller may read.
func (s *Server) readable(ctx context.Context, t model.EntityType, ids []model.EntityID) ([]model.EntityID, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	var out []model.EntityID
	for _, id := range ids {
		e, err := s.guard.Allow(caller(ctx), auth.Read, model.EntityRef{Type: t, ID: id})
		switch {
		case err == nil:
			out = append(out, e.ID)
		case model.KindOf(err) != model.NotFound && model.KindOf(err) != model.Denied:
			return nil, err
		}
	}
	return out, nil
}
