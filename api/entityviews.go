package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireView(v *model.EntityView) EntityView {
	list := func(keys []string) *[]string { return new(append([]string{}, keys...)) } // none is [] on the wire
	return EntityView{
		ID: wireID(EntityTypeENTITYVIEW, v.ID), CreatedTime: v.Created, Version: v.Version,
		TenantID: tenantRef(v.Tenant), CustomerID: customerRef(v.Customer),
		Name: v.Name, Type: v.Type, EntityID: wireID(EntityType(v.Source.Type), v.Source.ID),
		Keys: EntityViewKeys{
			Timeseries: list(v.Keys.Timeseries),
			Attributes: &EntityViewAttributes{Cs: list(v.Keys.Client), Ss: list(v.Keys.Server), Sh: list(v.Keys.Shared)},
		},
		StartTimeMs: v.From, EndTimeMs: v.To, AdditionalInfo: free(v.Info),
	}
}

// viewKeysOf reads the choice of keys, any part of which a client may leave out.
func viewKeysOf(k *EntityViewKeys) (out model.ViewKeys) {
	if k == nil {
		return out
	}
	out.Timeseries = listOf(k.Timeseries)
	if a := k.Attributes; a != nil {
		out.Client, out.Server, out.Shared = listOf(a.Cs), listOf(a.Ss), listOf(a.Sh)
	}
	return out
}

// view authorizes op on an entity view.
func (s *Server) view(ctx context.Context, op auth.Op, id model.ID) (*model.Entity, error) {
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityEntityView, ID: model.EntityID(id)})
}

// readView returns the record of an entity view the caller may do op with.
func (s *Server) readView(ctx context.Context, op auth.Op, id model.ID) (*model.EntityView, error) {
	e, err := s.view(ctx, op, id)
	if err != nil {
		return nil, err
	}
	return s.Registry.EntityView(ctx, e.Tenant, e.ID)
}

// SaveEntityView answers POST /api/entityView.
func (s *Server) SaveEntityView(ctx context.Context, req SaveEntityViewRequestObject) (SaveEntityViewResponseObject, error) {
	b := req.Body
	v, err := s.viewToSave(ctx, b)
	if err != nil {
		return nil, err
	}
	customer, err := s.ownerWanted(ctx, b.CustomerID, v.Customer)
	if err != nil {
		return nil, err
	}
	// Who changes a view that shows what they may not see themselves keeps what it shows.
	if source := (model.EntityRef{Type: model.EntityType(b.EntityID.EntityType), ID: model.EntityID(b.EntityID.ID)}); source != v.Source {
		e, err := s.guard.Allow(caller(ctx), auth.Read, source)
		if err != nil {
			return nil, err
		}
		v.Source = e.Ref()
	}
	if v.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	v.Name, v.Type, v.Version = b.Name, orEmpty(b.Type), versionOf(b.Version)
	v.Keys, v.From, v.To = viewKeysOf(b.Keys), valueOf(b.StartTimeMs), valueOf(b.EndTimeMs)
	moved := b.ID != nil && v.Customer != customer
	if b.ID == nil {
		v.Customer = customer
	}
	if err := s.Registry.SaveEntityView(ctx, v); err != nil {
		return nil, err
	}
	if moved {
		if v, err = s.Registry.AssignEntityView(ctx, v.Tenant, v.ID, customer); err != nil {
			return nil, err
		}
	}
	return SaveEntityView200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}

// viewToSave returns the entity view b names, or a new one.
func (s *Server) viewToSave(ctx context.Context, b *EntityViewRequest) (*model.EntityView, error) {
	if b.ID != nil {
		return s.readView(ctx, auth.Write, b.ID.ID)
	}
	p := caller(ctx)
	return &model.EntityView{Tenant: p.Tenant, Customer: model.NoCustomer}, auth.Require(p, model.TenantAdmin)
}

// GetEntityView answers GET /api/entityView/{entityViewId}.
func (s *Server) GetEntityView(ctx context.Context, req GetEntityViewRequestObject) (GetEntityViewResponseObject, error) {
	v, err := s.readView(ctx, auth.Read, req.EntityViewID)
	if err != nil {
		return nil, err
	}
	return GetEntityView200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}

// DeleteEntityView answers DELETE /api/entityView/{entityViewId}.
func (s *Server) DeleteEntityView(ctx context.Context, req DeleteEntityViewRequestObject) (DeleteEntityViewResponseObject, error) {
	e, err := s.view(ctx, auth.Delete, req.EntityViewID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteEntityView(ctx, e.Tenant, e.ID); err != nil {
		return nil, err
	}
	return DeleteEntityView200Response{}, nil
}

// AssignEntityViewToCustomer answers POST /api/customer/{customerId}/entityView/{entityViewId}.
func (s *Server) AssignEntityViewToCustomer(ctx context.Context, req AssignEntityViewToCustomerRequestObject) (AssignEntityViewToCustomerResponseObject, error) {
	e, err := s.view(ctx, auth.Assign, req.EntityViewID)
	if err != nil {
		return nil, err
	}
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	v, err := s.Registry.AssignEntityView(ctx, e.Tenant, e.ID, model.CustomerID(c.ID))
	if err != nil {
		return nil, err
	}
	return AssignEntityViewToCustomer200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}

// UnassignEntityViewFromCustomer answers DELETE /api/customer/entityView/{entityViewId}.
func (s *Server) UnassignEntityViewFromCustomer(ctx context.Context, req UnassignEntityViewFromCustomerRequestObject) (UnassignEntityViewFromCustomerResponseObject, error) {
	e, err := s.view(ctx, auth.Assign, req.EntityViewID)
	if err != nil {
		return nil, err
	}
	if e.Customer == model.NoCustomer {
		return nil, model.Invalidf("Entity view isn't assigned to any customer!")
	}
	v, err := s.Registry.AssignEntityView(ctx, e.Tenant, e.ID, model.NoCustomer)
	if err != nil {
		return nil, err
	}
	return UnassignEntityViewFromCustomer200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}

// AssignEntityViewToPublicCustomer answers POST /api/customer/public/entityView/{entityViewId}.
func (s *Server) AssignEntityViewToPublicCustomer(ctx context.Context, req AssignEntityViewToPublicCustomerRequestObject) (AssignEntityViewToPublicCustomerResponseObject, error) {
	e, err := s.view(ctx, auth.Assign, req.EntityViewID)
	if err != nil {
		return nil, err
	}
	c, err := s.Registry.PublicCustomer(ctx, e.Tenant)
	if err != nil {
		return nil, err
	}
	v, err := s.Registry.AssignEntityView(ctx, e.Tenant, e.ID, c.ID)
	if err != nil {
		return nil, err
	}
	return AssignEntityViewToPublicCustomer200JSONResponse{EntityViewJSONResponse(wireView(v))}, nil
}
