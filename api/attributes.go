package api

import (
	"context"
	"io"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// GetAttributeKeys answers GET …/keys/attributes.
func (s *Server) GetAttributeKeys(ctx context.Context, req GetAttributeKeysRequestObject) (GetAttributeKeysResponseObject, error) {
	return s.attributeKeys(ctx, req.EntityType, req.EntityID, model.AttributeScopes[:]...)
}

// GetAttributeKeysByScope answers GET …/keys/attributes/{scope}.
func (s *Server) GetAttributeKeysByScope(ctx context.Context, req GetAttributeKeysByScopeRequestObject) (GetAttributeKeysByScopeResponseObject, error) {
	scope, err := thingsboard.ParseScope(string(req.Scope))
	if err != nil {
		return nil, err
	}
	return s.attributeKeys(ctx, req.EntityType, req.EntityID, scope)
}

func (s *Server) attributeKeys(ctx context.Context, t EntityType, id model.ID, scopes ...model.Scope) (hotAnswer, error) {
	e, err := s.series(ctx, auth.ReadAttributes, t, id)
	if err != nil {
		return hotAnswer{}, err
	}
	keys := make([][]string, len(scopes))
	for i, scope := range scopes {
		if keys[i], err = s.Store.Keys(ctx, e.Tenant, e.ID, scope); err != nil {
			return hotAnswer{}, err
		}
	}
	b := borrow()
	b.out = thingsboard.AppendKeys(b.out[:0], keys...)
	return hotAnswer{request: requestOf(ctx), scratch: b}, nil
}

// GetAttributes answers GET …/values/attributes.
func (s *Server) GetAttributes(ctx context.Context, req GetAttributesRequestObject) (GetAttributesResponseObject, error) {
	keys := thingsboard.ParseKeys(req.Params.Keys, listOf(req.Params.Key))
	return s.attributes(ctx, req.EntityType, req.EntityID, keys, req.Params.At, model.AttributeScopes[:]...)
}

// GetAttributesByScope answers GET …/values/attributes/{scope}.
func (s *Server) GetAttributesByScope(ctx context.Context, req GetAttributesByScopeRequestObject) (GetAttributesByScopeResponseObject, error) {
	scope, err := thingsboard.ParseScope(string(req.Scope))
	if err != nil {
		return nil, err
	}
	keys := thingsboard.ParseKeys(req.Params.Keys, listOf(req.Params.Key))
	return s.attributes(ctx, req.EntityType, req.EntityID, keys, req.Params.At, scope)
}

func (s *Server) attributes(ctx context.Context, t EntityType, id model.ID, keys []string, at *int64, scopes ...model.Scope) (hotAnswer, error) {
	e, err := s.series(ctx, auth.ReadAttributes, t, id)
	if err != nil {
		return hotAnswer{}, err
	}
	var damage model.DamageError
	points := make([][]model.KeyPoint, len(scopes))
	for i, scope := range scopes {
		latest, err := s.latest(ctx, e, scope, keys, at, &damage)
		if err != nil {
			return hotAnswer{}, err
		}
		points[i] = latest.Points
	}
	b := borrow()
	b.out = thingsboard.AppendAttributes(b.out[:0], points...)
	return hotAnswer{request: requestOf(ctx), scratch: b, damage: damage}, nil
}

// SaveDeviceAttributes answers POST …/{deviceId}/{scope}.
func (s *Server) SaveDeviceAttributes(ctx context.Context, req SaveDeviceAttributesRequestObject) (SaveDeviceAttributesResponseObject, error) {
	if err := s.saveAttributes(ctx, EntityTypeDEVICE, req.DeviceID, req.Scope, req.Body); err != nil {
		return nil, err
	}
	return SaveDeviceAttributes200Response{}, nil
}

// SaveEntityAttributes answers POST …/{entityType}/{entityId}/{scope}.
func (s *Server) SaveEntityAttributes(ctx context.Context, req SaveEntityAttributesRequestObject) (SaveEntityAttributesResponseObject, error) {
	if err := s.saveAttributes(ctx, req.EntityType, req.EntityID, req.Scope, req.Body); err != nil {
		return nil, err
	}
	return SaveEntityAttributes200Response{}, nil
}

// SaveEntityAttributesV2 answers POST …/{entityType}/{entityId}/attributes/{scope}.
func (s *Server) SaveEntityAttributesV2(ctx context.Context, req SaveEntityAttributesV2RequestObject) (SaveEntityAttributesV2ResponseObject, error) {
	if err := s.saveAttributes(ctx, req.EntityType, req.EntityID, req.Scope, req.Body); err != nil {
		return nil, err
	}
	return SaveEntityAttributesV2200Response{}, nil
}

func (s *Server) saveAttributes(ctx context.Context, t EntityType, id model.ID, name AttributeScope, body io.Reader) error {
	e, err := s.series(ctx, auth.WriteAttributes, t, id)
	if err != nil {
		return err
	}
	scope, err := thingsboard.ParseSaveScope(string(name))
	if err != nil {
		return err
	}
	return s.write(ctx, e, body, func(p *thingsboard.Parser, raw []byte) (*model.WriteSet, error) {
		return p.Attributes(raw, scope, s.Now().UnixMilli(), s.parseOptions(true))
	}, s.Writer.Save)
}

// DeleteDeviceAttributes answers DELETE …/{deviceId}/{scope}.
func (s *Server) DeleteDeviceAttributes(ctx context.Context, req DeleteDeviceAttributesRequestObject) (DeleteDeviceAttributesResponseObject, error) {
	keys := thingsboard.ParseKeys(req.Params.Keys, listOf(req.Params.Key))
	if err := s.deleteAttributes(ctx, EntityTypeDEVICE, req.DeviceID, req.Scope, keys); err != nil {
		return nil, err
	}
	return DeleteDeviceAttributes200Response{}, nil
}

// DeleteEntityAttributes answers DELETE …/{entityType}/{entityId}/{scope}.
func (s *Server) DeleteEntityAttributes(ctx context.Context, req DeleteEntityAttributesRequestObject) (DeleteEntityAttributesResponseObject, error) {
	keys := thingsboard.ParseKeys(req.Params.Keys, listOf(req.Params.Key))
	if err := s.deleteAttributes(ctx, req.EntityType, req.EntityID, req.Scope, keys); err != nil {
		return nil, err
	}
	return DeleteEntityAttributes200Response{}, nil
}

// deleteAttributes writes a null for each key: an attribute's past can still be read.
func (s *Server) deleteAttributes(ctx context.Context, t EntityType, id model.ID, name AttributeScope, keys []string) error {
	e, err := s.series(ctx, auth.WriteAttributes, t, id)
	if err != nil {
		return err
	}
	scope, err := thingsboard.ParseScope(string(name))
	if err != nil {
		return err
	}
	set, err := thingsboard.RemoveAttributes(scope, keys, s.Now().UnixMilli())
	if err != nil {
		return err
	}
	return s.Writer.Save(ctx, e, set)
}
