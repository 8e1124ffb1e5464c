package api

import (
	"context"
	"io"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// What devices themselves call (contract thingsboard 5). Their token is all the right they
// need, and it reaches nothing but their own entity.

// deviceOf returns the device a token belongs to.
func (s *Server) deviceOf(token string) (*model.Entity, error) {
	e, ok := s.Registry.DeviceByToken(token)
	if !ok {
		return nil, model.Errorf(model.Unauthenticated, "Unknown device token")
	}
	return e, nil
}

// PostDeviceTelemetry answers POST /api/v1/{deviceToken}/telemetry.
func (s *Server) PostDeviceTelemetry(ctx context.Context, req PostDeviceTelemetryRequestObject) (PostDeviceTelemetryResponseObject, error) {
	if err := s.post(ctx, req.DeviceToken, req.Body, s.deviceTelemetry); err != nil {
		return nil, err
	}
	return PostDeviceTelemetry200Response{}, nil
}

// deviceTelemetry is the parser of what devices send.
func (s *Server) deviceTelemetry(p *thingsboard.Parser, raw []byte) (*model.WriteSet, error) {
	return p.Telemetry(raw, s.Now().UnixMilli(), s.parseOptions(false))
}

// PostDeviceAttributes answers POST /api/v1/{deviceToken}/attributes.
func (s *Server) PostDeviceAttributes(ctx context.Context, req PostDeviceAttributesRequestObject) (PostDeviceAttributesResponseObject, error) {
	err := s.post(ctx, req.DeviceToken, req.Body, func(p *thingsboard.Parser, raw []byte) (*model.WriteSet, error) {
		return p.Attributes(raw, model.Client, s.Now().UnixMilli(), s.parseOptions(false))
	})
	if err != nil {
		return nil, err
	}
	return PostDeviceAttributes200Response{}, nil
}

func (s *Server) post(ctx context.Context, token string, body io.Reader, parse parseBody) error {
	e, err := s.deviceOf(token)
	if err != nil {
		return err
	}
	if err := s.Quotas.Busy(e, true); err != nil { // before the body is read
		return err
	}
	return s.write(ctx, e, body, parse, s.Writer.Write)
}

// GetDeviceAttributes answers GET /api/v1/{deviceToken}/attributes.
func (s *Server) GetDeviceAttributes(ctx context.Context, req GetDeviceAttributesRequestObject) (GetDeviceAttributesResponseObject, error) {
	e, err := s.deviceOf(req.DeviceToken)
	if err != nil {
		return nil, err
	}
	if err := s.Quotas.Message(e, 0); err != nil {
		return nil, err
	}
	if s.Activity != nil {
		s.Activity.Heard(e)
	}
	client, shared := thingsboard.SelectDeviceAttributes(req.Params.ClientKeys, req.Params.SharedKeys)
	own, err := s.selected(ctx, e, model.Client, client)
	if err != nil {
		return nil, err
	}
	told, err := s.selected(ctx, e, model.Shared, shared)
	if err != nil {
		return nil, err
	}
	b := borrow()
	b.out = thingsboard.AppendDeviceAttributes(b.out[:0], own, told)
	return hotAnswer{request: requestOf(ctx), scratch: b}, nil
}

// selected reads what a device asks of one scope.
func (s *Server) selected(ctx context.Context, e *model.Entity, scope model.Scope, sel thingsboard.Selection) ([]model.KeyPoint, error) {
	if !sel.Wanted {
		return nil, nil
	}
	latest, err := s.Store.Latest(ctx, e.Tenant, e.ID, scope, sel.Keys)
	return latest.Points, err
}
