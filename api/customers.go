package api

import (
	"context"
	"encoding/json"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireCustomer(c *model.Customer) Customer {
	a := &c.Contact
	w := Customer{
		ID: wireID(EntityTypeCUSTOMER, c.ID), CreatedTime: c.Created, Version: c.Version,
		TenantID: tenantRef(c.Tenant), Title: c.Title, Name: c.Title,
		Country: orNull(a.Country), State: orNull(a.State), City: orNull(a.City),
		Address: orNull(a.Address), Address2: orNull(a.Address2), Zip: orNull(a.Zip),
		Phone: orNull(a.Phone), Email: orNull(a.Email),
		AdditionalInfo: free(c.Info),
	}
	if c.Public && w.AdditionalInfo == nil { // by which clients know it
		w.AdditionalInfo = json.RawMessage(`{"isPublic":true}`)
	}
	return w
}

// customer authorizes op on a customer.
func (s *Server) customer(ctx context.Context, op auth.Op, id model.ID) (*model.Entity, error) {
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityCustomer, ID: model.EntityID(id)})
}

// readCustomer returns the record of a customer the caller may read.
func (s *Server) readCustomer(ctx context.Context, id model.ID) (*model.Customer, error) {
	e, err := s.customer(ctx, auth.Read, id)
	if err != nil {
		return nil, err
	}
	return s.Registry.Customer(ctx, e.Tenant, model.CustomerID(e.ID))
}

// SaveCustomer answers POST /api/customer.
func (s *Server) SaveCustomer(ctx context.Context, req SaveCustomerRequestObject) (SaveCustomerResponseObject, error) {
	p, b := caller(ctx), req.Body
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	c := &model.Customer{Tenant: p.Tenant}
	if b.ID != nil {
		e, err := s.customer(ctx, auth.Write, b.ID.ID)
		if err != nil {
			return nil, err
		}
		if c, err = s.Registry.Customer(ctx, e.Tenant, model.CustomerID(e.ID)); err != nil {
			return nil, err
		}
	}
	var err error
	if c.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	c.Title, c.Version = b.Title, versionOf(b.Version)
	c.Contact = contactOf(b.Country, b.State, b.City, b.Address, b.Address2, b.Zip, b.Phone, b.Email)
	if err := s.Registry.SaveCustomer(ctx, c); err != nil {
		return nil, err
	}
	return SaveCustomer200JSONResponse{CustomerJSONResponse(wireCustomer(c))}, nil
}

// GetCustomer answers GET /api/customer/{customerId}.
func (s *Server) GetCustomer(ctx context.Context, req GetCustomerRequestObject) (GetCustomerResponseObject, error) {
	c, err := s.readCustomer(ctx, req.CustomerID)
	if err != nil {
		return nil, err
	}
	return GetCustomer200JSONResponse{CustomerJSONResponse(wireCustomer(c))}, nil
}

// GetCustomerShortInfo answers GET /api/customer/{customerId}/shortInfo.
func (s *Server) GetCustomerShortInfo(ctx context.Context, req GetCustomerShortInfoRequestObject) (GetCustomerShortInfoResponseObject, error) {
	c, err := s.readCustomer(ctx, req.CustomerID)
	if err != nil {
		return nil, err
	}
	return GetCustomerShortInfo200JSONResponse{Title: c.Title, IsPublic: c.Public}, nil
}

// GetCustomerTitle answers GET /api/customer/{customerId}/title.
func (s *Server) GetCustomerTitle(ctx context.Context, req GetCustomerTitleRequestObject) (GetCustomerTitleResponseObject, error) {
	c, err := s.readCustomer(ctx, req.CustomerID)
	if err != nil {
		return nil, err
	}
	return textAnswer(c.Title), nil
}

// DeleteCustomer answers DELETE /api/customer/{customerId}.
func (s *Server) DeleteCustomer(ctx context.Context, req DeleteCustomerRequestObject) (DeleteCustomerResponseObject, error) {
	e, err := s.customer(ctx, auth.Delete, req.CustomerID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteCustomer(ctx, e.Tenant, model.CustomerID(e.ID)); err != nil {
		return nil, err
	}
	return DeleteCustomer200Response{}, nil
}

// GetCustomers answers GET /api/customers.
func (s *Server) GetCustomers(ctx context.Context, req GetCustomersRequestObject) (GetCustomersResponseObject, error) {
	p, q := caller(ctx), req.Params
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	link, err := linkOf(q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	list, err := s.Registry.Customers(ctx, p.Tenant, model.CustomerFilter{}, link)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetCustomers200JSONResponse{Data: each(list.Data, wireCustomer), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// GetTenantCustomer answers GET /api/tenant/customers?customerTitle=.
func (s *Server) GetTenantCustomer(ctx context.Context, req GetTenantCustomerRequestObject) (GetTenantCustomerResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	if err := require("customerTitle", req.Params.CustomerTitle); err != nil {
		return nil, err
	}
	c, err := s.Registry.CustomerByTitle(ctx, p.Tenant, req.Params.CustomerTitle)
	if err != nil {
		return nil, err
	}
	return GetTenantCustomer200JSONResponse{CustomerJSONResponse(wireCustomer(c))}, nil
}
