package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireAsset(a *model.Asset) Asset {
	return Asset{
		ID: wireID(EntityTypeASSET, a.ID), CreatedTime: a.Created, Version: a.Version,
		TenantID: tenantRef(a.Tenant), CustomerID: customerRef(a.Customer),
		Name: a.Name, Type: a.Profile, Label: orNull(a.Label),
		AssetProfileID: wireID(EntityTypeASSETPROFILE, a.ProfileID), AdditionalInfo: free(a.Info),
	}
}

// asset authorizes op on an asset.
func (s *Server) asset(ctx context.Context, op auth.Op, id model.ID) (*model.Entity, error) {
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityAsset, ID: model.EntityID(id)})
}

// readAsset returns the record of an asset the caller may do op with.
func (s *Server) readAsset(ctx context.Context, op auth.Op, id model.ID) (*model.Asset, error) {
	e, err := s.asset(ctx, op, id)
	if err != nil {
		return nil, err
	}
	return s.Registry.Asset(ctx, e.Tenant, e.ID)
}

// SaveAsset answers POST /api/asset.
func (s *Server) SaveAsset(ctx context.Context, req SaveAssetRequestObject) (SaveAssetResponseObject, error) {
	b := req.Body
	a, err := s.assetToSave(ctx, b)
	if err != nil {
		return nil, err
	}
	customer, err := s.ownerWanted(ctx, b.CustomerID, a.Customer)
	if err != nil {
		return nil, err
	}
	if a.ProfileID, a.Profile, err = s.profileWanted(ctx, model.EntityAssetProfile, b.AssetProfileID, b.Type, a.ProfileID, a.Profile); err != nil {
		return nil, err
	}
	if a.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	a.Name, a.Label, a.Version = b.Name, orEmpty(b.Label), versionOf(b.Version)
	moved := b.ID != nil && a.Customer != customer
	if b.ID == nil {
		a.Customer = customer
	}
	if err := s.Registry.SaveAsset(ctx, a); err != nil {
		return nil, err
	}
	if moved {
		if a, err = s.Registry.AssignAsset(ctx, a.Tenant, a.ID, customer); err != nil {
			return nil, err
		}
	}
	return SaveAsset200JSONResponse{AssetJSONResponse(wireAsset(a))}, nil
}

// assetToSave returns the asset b names, or a new one.
func (s *Server) assetToSave(ctx context.Context, b *AssetRequest) (*model.Asset, error) {
	if b.ID != nil {
		return s.readAsset(ctx, auth.Write, b.ID.ID)
	}
	p := caller(ctx)
	return &model.Asset{Tenant: p.Tenant, Customer: model.NoCustomer}, auth.Require(p, model.TenantAdmin)
}

// GetAsset answers GET /api/asset/{assetId}.
func (s *Server) GetAsset(ctx context.Context, req GetAssetRequestObject) (GetAssetResponseObject, error) {
	a, err := s.readAsset(ctx, auth.Read, req.AssetID)
	if err != nil {
		return nil, err
	}
	return GetAsset200JSONResponse{AssetJSONResponse(wireAsset(a))}, nil
}

// DeleteAsset answers DELETE /api/asset/{assetId}.
func (s *Server) DeleteAsset(ctx context.Context, req DeleteAssetRequestObject) (DeleteAssetResponseObject, error) {
	e, err := s.asset(ctx, auth.Delete, req.AssetID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteAsset(ctx, e.Tenant, e.ID); err != nil {
		return nil, err
	}
	return DeleteAsset200Response{}, nil
}

// AssignAssetToCustomer answers POST /api/customer/{customerId}/asset/{assetId}.
func (s *Server) AssignAssetToCustomer(ctx context.Context, req AssignAssetToCustomerRequestObject) (AssignAssetToCustomerResponseObject, error) {
	e, err := s.asset(ctx, auth.Assign, req.AssetID)
	if err != nil {
		return nil, err
	}
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	a, err := s.Registry.AssignAsset(ctx, e.Tenant, e.ID, model.CustomerID(c.ID))
	if err != nil {
		return nil, err
	}
	return AssignAssetToCustomer200JSONResponse{AssetJSONResponse(wireAsset(a))}, nil
}

// UnassignAssetFromCustomer answers DELETE /api/customer/asset/{assetId}.
func (s *Server) UnassignAssetFromCustomer(ctx context.Context, req UnassignAssetFromCustomerRequestObject) (UnassignAssetFromCustomerResponseObject, error) {
	e, err := s.asset(ctx, auth.Assign, req.AssetID)
	if err != nil {
		return nil, err
	}
	if e.Customer == model.NoCustomer {
		return nil, model.Invalidf("Asset isn't assigned to any customer!")
	}
	a, err := s.Registry.AssignAsset(ctx, e.Tenant, e.ID, model.NoCustomer)
	if err != nil {
		return nil, err
	}
	return UnassignAssetFromCustomer200JSONResponse{AssetJSONResponse(wireAsset(a))}, nil
}

// AssignAssetToPublicCustomer answers POST /api/customer/public/asset/{assetId}.
func (s *Server) AssignAssetToPublicCustomer(ctx context.Context, req AssignAssetToPublicCustomerRequestObject) (AssignAssetToPublicCustomerResponseObject, error) {
	e, err := s.asset(ctx, auth.Assign, req.AssetID)
	if err != nil {
		return nil, err
	}
	c, err := s.Registry.PublicCustomer(ctx, e.Tenant)
	if err != nil {
		return nil, err
	}
	a, err := s.Registry.AssignAsset(ctx, e.Tenant, e.ID, c.ID)
	if err != nil {
		return nil, err
	}
	return AssignAssetToPublicCustomer200JSONResponse{AssetJSONResponse(wireAsset(a))}, nil
}
