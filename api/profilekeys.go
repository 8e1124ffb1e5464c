package api

import (
	"context"
	"maps"
	"slices"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// GetDeviceProfileTimeseriesKeys answers GET /api/deviceProfile/devices/keys/timeseries.
func (s *Server) GetDeviceProfileTimeseriesKeys(ctx context.Context, req GetDeviceProfileTimeseriesKeysRequestObject) (GetDeviceProfileTimeseriesKeysResponseObject, error) {
	keys, err := s.profileKeys(ctx, req.Params.DeviceProfileID, model.Timeseries)
	if err != nil {
		return nil, err
	}
	return GetDeviceProfileTimeseriesKeys200JSONResponse(keys), nil
}

// GetDeviceProfileAttributeKeys answers GET /api/deviceProfile/devices/keys/attributes.
func (s *Server) GetDeviceProfileAttributeKeys(ctx context.Context, req GetDeviceProfileAttributeKeysRequestObject) (GetDeviceProfileAttributeKeysResponseObject, error) {
	keys, err := s.profileKeys(ctx, req.Params.DeviceProfileID, model.AttributeScopes[:]...)
	if err != nil {
		return nil, err
	}
	return GetDeviceProfileAttributeKeys200JSONResponse(keys), nil
}

// profileKeys returns the keys that any device of a profile has in any of the scopes.
func (s *Server) profileKeys(ctx context.Context, profile *model.ID, scopes ...model.Scope) ([]string, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	if profile != nil {
		if _, err := s.profile(ctx, auth.Read, *profile); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for e := range s.Registry.Entities(p.Tenant, model.EntityDevice) {
		if profile != nil && e.ProfileID != *profile {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, scope := range scopes {
			keys, err := s.Store.Keys(ctx, e.Tenant, e.ID, scope)
			if err != nil {
				return nil, err
			}
			for _, k := range keys {
				seen[k] = true
			}
		}
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(seen)))), nil
}
