package api

import (
	"cmp"
	"context"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireCredentials(c *model.Credentials) DeviceCredentialsJSONResponse {
	return DeviceCredentialsJSONResponse{
		ID: CredentialsID{ID: c.ID}, CreatedTime: c.Created, Version: c.Version,
		DeviceID:        wireID(EntityTypeDEVICE, c.Device),
		CredentialsType: CredentialsType(c.Type), CredentialsID: c.Key, CredentialsValue: orNull(c.Value),
	}
}

// credentialsOf reads what a client may choose of credentials.
func credentialsOf(b *DeviceCredentialsRequest) (*model.Credentials, error) {
	if !b.CredentialsType.Valid() {
		return nil, model.Invalidf("Invalid credentials type '%.64s'", b.CredentialsType)
	}
	return &model.Credentials{
		Version: versionOf(b.Version), Type: model.CredentialsType(b.CredentialsType),
		Key: orEmpty(b.CredentialsID), Value: orEmpty(b.CredentialsValue),
	}, nil
}

// GetDeviceCredentials answers GET /api/device/{deviceId}/credentials.
func (s *Server) GetDeviceCredentials(ctx context.Context, req GetDeviceCredentialsRequestObject) (GetDeviceCredentialsResponseObject, error) {
	e, err := s.device(ctx, auth.ReadCredentials, req.DeviceID)
	if err != nil {
		return nil, err
	}
	c, err := s.Registry.Credentials(ctx, e.Tenant, e.ID)
	if err != nil {
		return nil, err
	}
	return GetDeviceCredentials200JSONResponse{wireCredentials(c)}, nil
}

// SaveDeviceCredentials answers POST /api/device/credentials.
func (s *Server) SaveDeviceCredentials(ctx context.Context, req SaveDeviceCredentialsRequestObject) (SaveDeviceCredentialsResponseObject, error) {
	b := req.Body
	if b.DeviceID == nil {
		return nil, require("deviceId", "")
	}
	e, err := s.device(ctx, auth.WriteCredentials, b.DeviceID.ID)
	if err != nil {
		return nil, err
	}
	c, err := credentialsOf(b)
	if err != nil {
		return nil, err
	}
	known, err := s.Registry.Credentials(ctx, e.Tenant, e.ID)
	if err != nil {
		return nil, err
	}
	if b.ID == nil || b.ID.ID != known.ID {
		return nil, model.Invalidf("Unable to update non-existent device credentials!")
	}
	c.ID, c.Tenant, c.Device, c.Created = known.ID, known.Tenant, known.Device, known.Created
	if err := s.Registry.SaveCredentials(ctx, c); err != nil {
		return nil, err
	}
	return SaveDeviceCredentials200JSONResponse{wireCredentials(c)}, nil
}

// GetDeviceConnectivity answers GET /api/device-connectivity/{deviceId}.
func (s *Server) GetDeviceConnectivity(ctx context.Context, req GetDeviceConnectivityRequestObject) (GetDeviceConnectivityResponseObject, error) {
	e, err := s.device(ctx, auth.ReadCredentials, req.DeviceID)
	if err != nil {
		return nil, err
	}
	c, err := s.Registry.Credentials(ctx, e.Tenant, e.ID)
	if err != nil {
		return nil, err
	}
	commands := GetDeviceConnectivity200JSONResponse{}
	if c.Type == model.AccessToken {
		base := strings.TrimSuffix(cmp.Or(s.PublicURL, requestOf(ctx).origin()), "/")
		scheme, _, _ := strings.Cut(base, ":")
		commands["http"] = map[string]string{
			scheme: "curl -v -X POST " + shellQuote(base+"/api/v1/"+c.Key+"/telemetry") +
				` --header Content-Type:application/json --data '{"temperature":25}'`,
		}
	}
	return commands, nil
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
