package api

import (
	"context"
	"encoding/json"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// profileData are the members of profileData (contract thingsboard 3.4).
func profileData(transport TransportType, provision ProvisionType) []member {
	return []member{
		ofType("configuration", "DEFAULT"), ofType("transportConfiguration", string(transport)),
		ofType("provisionConfiguration", string(provision), member{name: "provisionDeviceSecret", value: "null"}),
		{name: "alarms", value: "null"},
	}
}

// defaultProfileData stands for the profile data nobody set (contract thingsboard 3.4).
var defaultProfileData = json.RawMessage(`{"configuration":{"type":"DEFAULT"},"transportConfiguration":{"type":"DEFAULT"},` +
	`"provisionConfiguration":{"type":"DISABLED","provisionDeviceSecret":null},"alarms":null}`)

func wireProfile(p *model.DeviceProfile) DeviceProfile {
	w := DeviceProfile{
		ID: wireID(EntityTypeDEVICEPROFILE, p.ID), CreatedTime: p.Created, Version: p.Version,
		TenantID: tenantRef(p.Tenant), Name: p.Name, Description: orNull(p.Description),
		Type: "DEFAULT", TransportType: wireTransport(p.Transport), ProvisionType: ProvisionType(p.ProvisionType),
		ProvisionDeviceKey: orNull(p.ProvisionKey), DefaultDashboardID: refOrNull(EntityTypeDASHBOARD, p.Dashboard),
		DefaultQueueName: orNull(p.Queue), Image: orNull(p.Image),
		ProfileData: free(p.Data), Default: p.Default, AdditionalInfo: free(p.Info),
	}
	if w.ProfileData == nil {
		w.ProfileData = defaultProfileData
	}
	return w
}

// shownProfile is wireProfile without what lets a device into the tenant, unless the caller may
// change the profile: many who may read it, of public links even, are nobody's administrators.
func (s *Server) shownProfile(ctx context.Context, p *model.DeviceProfile) DeviceProfile {
	w := wireProfile(p)
	if _, err := s.guard.Allow(caller(ctx), auth.Write, model.EntityRef{Type: model.EntityDeviceProfile, ID: model.EntityID(p.ID)}); err != nil {
		w.ProvisionDeviceKey, w.ProfileData = nil, withoutSecret(w.ProfileData)
	}
	return w
}

// withoutSecret returns profile data whose provisionDeviceSecret is null.
func withoutSecret(data json.RawMessage) json.RawMessage {
	var all, provision map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil || json.Unmarshal(all["provisionConfiguration"], &provision) != nil {
		delete(all, "provisionConfiguration") // of another form: nobody knows what is in it
	} else if provision != nil {
		provision["provisionDeviceSecret"] = nil
		all["provisionConfiguration"], _ = json.Marshal(provision) // texts and what was read: it cannot fail
	}
	data, _ = json.Marshal(all)
	return data
}

func wireTransport(name string) TransportType {
	if name == "" {
		return TransportTypeDEFAULT
	}
	return TransportType(name)
}

func wireProfileInfo(p *model.DeviceProfile) DeviceProfileInfo {
	return DeviceProfileInfo{
		ID: wireID(EntityTypeDEVICEPROFILE, p.ID), TenantID: tenantRef(p.Tenant), Name: p.Name,
		Type: "DEFAULT", TransportType: wireTransport(p.Transport),
		Image: orNull(p.Image), DefaultDashboardID: refOrNull(EntityTypeDASHBOARD, p.Dashboard),
	}
}

// profile authorizes op on a device profile and returns the record.
func (s *Server) profile(ctx context.Context, op auth.Op, id model.ID) (*model.DeviceProfile, error) {
	e, err := s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityDeviceProfile, ID: model.EntityID(id)})
	if err != nil {
		return nil, err
	}
	return s.Registry.DeviceProfile(ctx, e.Tenant, model.ID(e.ID))
}

// SaveDeviceProfile answers POST /api/deviceProfile.
func (s *Server) SaveDeviceProfile(ctx context.Context, req SaveDeviceProfileRequestObject) (SaveDeviceProfileResponseObject, error) {
	p, b := caller(ctx), req.Body
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	d := &model.DeviceProfile{Tenant: p.Tenant}
	var err error
	if b.ID != nil {
		if d, err = s.profile(ctx, auth.Write, b.ID.ID); err != nil {
			return nil, err
		}
	}
	transport := TransportTypeDEFAULT
	if b.TransportType != nil {
		transport = *b.TransportType
	}
	if !transport.Valid() {
		return nil, model.Invalidf("Invalid transport type '%.64s'", transport)
	}
	d.Name, d.Description, d.Version = b.Name, orEmpty(b.Description), versionOf(b.Version)
	d.Transport = string(transport)
	provision := ProvisionTypeDISABLED
	if b.ProvisionType != nil {
		provision = *b.ProvisionType
	}
	if !provision.Valid() {
		return nil, model.Invalidf("Invalid provision type '%.64s'", provision)
	}
	d.ProvisionType, d.ProvisionKey = string(provision), orEmpty(b.ProvisionDeviceKey)
	d.Dashboard, d.Queue, d.Image = idOf[model.EntityID](b.DefaultDashboardID), orEmpty(b.DefaultQueueName), orEmpty(b.Image)
	if d.Data, err = withMembers("profileData", b.ProfileData, profileData(transport, provision)); err != nil {
		return nil, err
	}
	if d.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	if err := s.Registry.SaveDeviceProfile(ctx, d); err != nil {
		return nil, err
	}
	return SaveDeviceProfile200JSONResponse{DeviceProfileJSONResponse(wireProfile(d))}, nil
}

// GetDeviceProfile answers GET /api/deviceProfile/{deviceProfileId}.
func (s *Server) GetDeviceProfile(ctx context.Context, req GetDeviceProfileRequestObject) (GetDeviceProfileResponseObject, error) {
	d, err := s.profile(ctx, auth.Read, req.DeviceProfileID)
	if err != nil {
		return nil, err
	}
	return GetDeviceProfile200JSONResponse{DeviceProfileJSONResponse(s.shownProfile(ctx, d))}, nil
}

// GetDeviceProfiles answers GET /api/deviceProfiles.
func (s *Server) GetDeviceProfiles(ctx context.Context, req GetDeviceProfilesRequestObject) (GetDeviceProfilesResponseObject, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin); err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := s.profiles(ctx, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetDeviceProfiles200JSONResponse{Data: each(list.Data, wireProfile), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// GetDeviceProfileInfos answers GET /api/deviceProfileInfos.
func (s *Server) GetDeviceProfileInfos(ctx context.Context, req GetDeviceProfileInfosRequestObject) (GetDeviceProfileInfosResponseObject, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	q := req.Params
	list, link, err := s.profiles(ctx, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetDeviceProfileInfos200JSONResponse{Data: each(list.Data, wireProfileInfo), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

func (s *Server) profiles(ctx context.Context, size, number int, search, property, order *string,
) (list model.Page[model.DeviceProfile], link model.PageLink, err error) {
	if link, err = linkOf(size, number, search, property, order); err != nil {
		return list, link, err
	}
	list, err = s.Registry.DeviceProfiles(ctx, caller(ctx).Tenant, model.DeviceProfileFilter{}, link)
	return list, link, err
}

// DeleteDeviceProfile answers DELETE /api/deviceProfile/{deviceProfileId}.
func (s *Server) DeleteDeviceProfile(ctx context.Context, req DeleteDeviceProfileRequestObject) (DeleteDeviceProfileResponseObject, error) {
	p, err := s.profile(ctx, auth.Delete, req.DeviceProfileID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteDeviceProfile(ctx, p.Tenant, p.ID); err != nil {
		return nil, err
	}
	return DeleteDeviceProfile200Response{}, nil
}

// SetDefaultDeviceProfile answers POST /api/deviceProfile/{deviceProfileId}/default.
func (s *Server) SetDefaultDeviceProfile(ctx context.Context, req SetDefaultDeviceProfileRequestObject) (SetDefaultDeviceProfileResponseObject, error) {
	p, err := s.profile(ctx, auth.Write, req.DeviceProfileID)
	if err != nil {
		return nil, err
	}
	if p, err = s.Registry.SetDefaultDeviceProfile(ctx, p.Tenant, p.ID); err != nil {
		return nil, err
	}
	return SetDefaultDeviceProfile200JSONResponse{DeviceProfileJSONResponse(wireProfile(p))}, nil
}

// GetDeviceProfileInfo answers GET /api/deviceProfileInfo/{deviceProfileId}.
func (s *Server) GetDeviceProfileInfo(ctx context.Context, req GetDeviceProfileInfoRequestObject) (GetDeviceProfileInfoResponseObject, error) {
	p, err := s.profile(ctx, auth.Read, req.DeviceProfileID)
	if err != nil {
		return nil, err
	}
	return GetDeviceProfileInfo200JSONResponse(wireProfileInfo(p)), nil
}

// GetDefaultDeviceProfileInfo answers GET /api/deviceProfileInfo/default.
func (s *Server) GetDefaultDeviceProfileInfo(ctx context.Context, _ GetDefaultDeviceProfileInfoRequestObject) (GetDefaultDeviceProfileInfoResponseObject, error) {
	if err := auth.Require(caller(ctx), model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	p, err := s.Registry.DefaultDeviceProfile(ctx, caller(ctx).Tenant)
	if err != nil {
		return nil, err
	}
	return GetDefaultDeviceProfileInfo200JSONResponse(wireProfileInfo(p)), nil
}
