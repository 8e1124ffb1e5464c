package api

import (
	"context"
	"encoding/json"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// deviceData are the members of deviceData (contract thingsboard 3.1).
var deviceData = []member{ofType("configuration", "DEFAULT"), ofType("transportConfiguration", "DEFAULT")}

// defaultDeviceData stands for the device data nobody set (contract thingsboard 3.1).
var defaultDeviceData = json.RawMessage(`{"configuration":{"type":"DEFAULT"},"transportConfiguration":{"type":"DEFAULT"}}`)

func wireDevice(d *model.Device) Device {
	w := Device{
		ID: wireID(EntityTypeDEVICE, d.ID), CreatedTime: d.Created, Version: d.Version,
		TenantID: tenantRef(d.Tenant), CustomerID: customerRef(d.Customer),
		Name: d.Name, Type: d.Profile, Label: orNull(d.Label),
		DeviceProfileID: wireID(EntityTypeDEVICEPROFILE, d.ProfileID),
		DeviceData:      free(d.Data), AdditionalInfo: free(d.Info),
	}
	if w.DeviceData == nil {
		w.DeviceData = defaultDeviceData
	}
	return w
}

// device authorizes op on a device.
func (s *Server) device(ctx context.Context, op auth.Op, id model.ID) (*model.Entity, error) {
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityDevice, ID: model.EntityID(id)})
}

// readDevice returns the record of a device the caller may do op with.
func (s *Server) readDevice(ctx context.Context, op auth.Op, id model.ID) (*model.Device, error) {
	e, err := s.device(ctx, op, id)
	if err != nil {
		return nil, err
	}
	return s.Registry.Device(ctx, e.Tenant, e.ID)
}

// SaveDevice answers POST /api/device.
func (s *Server) SaveDevice(ctx context.Context, req SaveDeviceRequestObject) (SaveDeviceResponseObject, error) {
	d, err := s.saveDevice(ctx, req.Body, func(d *model.Device) error {
		return s.Registry.CreateDevice(ctx, d, orEmpty(req.Params.AccessToken))
	})
	if err != nil {
		return nil, err
	}
	return SaveDevice200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}

// SaveDeviceWithCredentials answers POST /api/device-with-credentials.
func (s *Server) SaveDeviceWithCredentials(ctx context.Context, req SaveDeviceWithCredentialsRequestObject) (SaveDeviceWithCredentialsResponseObject, error) {
	b := req.Body
	if b.Device.ID != nil {
		// Both are authorized before either is written.
		if _, err := s.device(ctx, auth.WriteCredentials, b.Device.ID.ID); err != nil {
			return nil, err
		}
	}
	c, err := credentialsOf(&b.Credentials)
	if err != nil {
		return nil, err
	}
	d, err := s.saveDevice(ctx, &b.Device, func(d *model.Device) error {
		return s.Registry.CreateDeviceWithCredentials(ctx, d, c)
	})
	if err != nil {
		return nil, err
	}
	if b.Device.ID != nil {
		known, err := s.Registry.Credentials(ctx, d.Tenant, d.ID)
		if err != nil {
			return nil, err
		}
		c.ID, c.Tenant, c.Device, c.Created = known.ID, known.Tenant, known.Device, known.Created
		if err := s.Registry.SaveCredentials(ctx, c); err != nil {
			return nil, err
		}
	}
	return SaveDeviceWithCredentials200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}

// saveDevice updates the device b names, or makes a new one with create.
func (s *Server) saveDevice(ctx context.Context, b *DeviceRequest, create func(*model.Device) error) (*model.Device, error) {
	p := caller(ctx)
	var d *model.Device
	if b.ID == nil {
		if err := auth.Require(p, model.TenantAdmin); err != nil {
			return nil, err
		}
		d = &model.Device{Tenant: p.Tenant, Customer: model.NoCustomer}
	} else {
		var err error
		if d, err = s.readDevice(ctx, auth.Write, b.ID.ID); err != nil {
			return nil, err
		}
	}
	customer, err := s.ownerWanted(ctx, b.CustomerID, d.Customer)
	if err != nil {
		return nil, err
	}
	if d.ProfileID, d.Profile, err = s.profileWanted(ctx, model.EntityDeviceProfile, b.DeviceProfileID, b.Type, d.ProfileID, d.Profile); err != nil {
		return nil, err
	}
	d.Name, d.Label, d.Version = b.Name, orEmpty(b.Label), versionOf(b.Version)
	if d.Data, err = object("deviceData", b.DeviceData); err == nil && d.Data != nil {
		d.Data, err = withMembers("deviceData", d.Data, deviceData)
	}
	if err != nil {
		return nil, err
	}
	if d.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	if b.ID == nil {
		d.Customer = customer
		return d, create(d)
	}
	moved := d.Customer != customer
	if err := s.Registry.SaveDevice(ctx, d); err != nil || !moved {
		return d, err
	}
	return s.Registry.AssignDevice(ctx, d.Tenant, d.ID, customer)
}

// ownerWanted returns the customer an entity shall belong to. Clients send back whole
// entities, so naming the present one is no wish; another one is for those who may assign.
func (s *Server) ownerWanted(ctx context.Context, asked *EntityID, now model.CustomerID) (model.CustomerID, error) {
	if asked == nil {
		return now, nil
	}
	wanted := model.CustomerID(asked.ID)
	if wanted == now {
		return wanted, nil
	}
	if err := auth.Require(caller(ctx), model.TenantAdmin); err != nil {
		return wanted, err
	}
	if wanted == model.NoCustomer {
		return wanted, nil
	}
	_, err := s.customer(ctx, auth.Read, model.ID(wanted))
	return wanted, err
}

// profileWanted lets the profile's id decide, else the type; neither keeps what is there,
// which for something new is the default one.
func (s *Server) profileWanted(ctx context.Context, t model.EntityType, asked *EntityID, typ *string, id model.ID, name string) (model.ID, string, error) {
	switch {
	case asked != nil:
		e, err := s.guard.Allow(caller(ctx), auth.Read, model.EntityRef{Type: t, ID: model.EntityID(asked.ID)})
		if err != nil {
			return id, name, err
		}
		return model.ID(e.ID), e.Name, nil
	case typ != nil && *typ != "" && *typ != name:
		return model.ID{}, *typ, nil
	}
	return id, name, nil
}

// GetDevice answers GET /api/device/{deviceId}.
func (s *Server) GetDevice(ctx context.Context, req GetDeviceRequestObject) (GetDeviceResponseObject, error) {
	d, err := s.readDevice(ctx, auth.Read, req.DeviceID)
	if err != nil {
		return nil, err
	}
	return GetDevice200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}

// DeleteDevice answers DELETE /api/device/{deviceId}.
func (s *Server) DeleteDevice(ctx context.Context, req DeleteDeviceRequestObject) (DeleteDeviceResponseObject, error) {
	e, err := s.device(ctx, auth.Delete, req.DeviceID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteDevice(ctx, e.Tenant, e.ID); err != nil {
		return nil, err
	}
	return DeleteDevice200Response{}, nil
}

// AssignDeviceToCustomer answers POST /api/customer/{customerId}/device/{deviceId}.
func (s *Server) AssignDeviceToCustomer(ctx context.Context, req AssignDeviceToCustomerRequestObject) (AssignDeviceToCustomerResponseObject, error) {
	e, err := s.device(ctx, auth.Assign, req.DeviceID)
	if err != nil {
		return nil, err
	}
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	d, err := s.Registry.AssignDevice(ctx, e.Tenant, e.ID, model.CustomerID(c.ID))
	if err != nil {
		return nil, err
	}
	return AssignDeviceToCustomer200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}

// UnassignDeviceFromCustomer answers DELETE /api/customer/device/{deviceId}.
func (s *Server) UnassignDeviceFromCustomer(ctx context.Context, req UnassignDeviceFromCustomerRequestObject) (UnassignDeviceFromCustomerResponseObject, error) {
	e, err := s.device(ctx, auth.Assign, req.DeviceID)
	if err != nil {
		return nil, err
	}
	if e.Customer == model.NoCustomer {
		return nil, model.Invalidf("Device isn't assigned to any customer!")
	}
	d, err := s.Registry.AssignDevice(ctx, e.Tenant, e.ID, model.NoCustomer)
	if err != nil {
		return nil, err
	}
	return UnassignDeviceFromCustomer200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}

// AssignDeviceToPublicCustomer answers POST /api/customer/public/device/{deviceId}.
func (s *Server) AssignDeviceToPublicCustomer(ctx context.Context, req AssignDeviceToPublicCustomerRequestObject) (AssignDeviceToPublicCustomerResponseObject, error) {
	e, err := s.device(ctx, auth.Assign, req.DeviceID)
	if err != nil {
		return nil, err
	}
	c, err := s.Registry.PublicCustomer(ctx, e.Tenant)
	if err != nil {
		return nil, err
	}
	d, err := s.Registry.AssignDevice(ctx, e.Tenant, e.ID, c.ID)
	if err != nil {
		return nil, err
	}
	return AssignDeviceToPublicCustomer200JSONResponse{DeviceJSONResponse(wireDevice(d))}, nil
}
