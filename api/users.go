package api

import (
	"cmp"
	"context"
	"errors"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func wireUser(u *model.User) User {
	return User{
		ID: wireID(EntityTypeUSER, u.ID), CreatedTime: u.Created, Version: u.Version,
		TenantID: tenantRef(u.Tenant), CustomerID: customerRef(u.Customer),
		Email: u.Email, Name: u.Email, Authority: Authority(u.Authority),
		FirstName: orNull(u.FirstName), LastName: orNull(u.LastName), Phone: orNull(u.Phone),
		AdditionalInfo: free(u.Info),
	}
}

// user authorizes op on a user and returns the record.
func (s *Server) user(ctx context.Context, op auth.Op, id model.ID) (*model.User, error) {
	e, err := s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityUser, ID: model.EntityID(id)})
	if err != nil {
		return nil, err
	}
	return s.Registry.User(ctx, e.Tenant, model.UserID(e.ID))
}

// SaveUser answers POST /api/user.
func (s *Server) SaveUser(ctx context.Context, req SaveUserRequestObject) (SaveUserResponseObject, error) {
	b := req.Body
	if !b.Authority.Valid() {
		return nil, model.Invalidf("Invalid authority '%.64s'", b.Authority)
	}
	var u *model.User
	var err error
	if b.ID == nil {
		u, err = s.newUser(ctx, b)
	} else {
		u, err = s.knownUser(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	if u.Info, err = object("additionalInfo", b.AdditionalInfo); err != nil {
		return nil, err
	}
	u.Email, u.Version = b.Email, versionOf(b.Version)
	u.FirstName, u.LastName, u.Phone = orEmpty(b.FirstName), orEmpty(b.LastName), orEmpty(b.Phone)
	if err := s.Registry.SaveUser(ctx, u); err != nil {
		return nil, err
	}
	if b.ID == nil && (req.Params.SendActivationMail == nil || *req.Params.SendActivationMail) {
		if err := s.sendActivation(ctx, u); err != nil { // as if it had not been asked for
			return nil, errors.Join(err, s.Registry.DeleteUser(context.WithoutCancel(ctx), u.Tenant, u.ID))
		}
	}
	return SaveUser200JSONResponse{UserJSONResponse(wireUser(u))}, nil
}

// newUser decides where a new user belongs. Whoever makes one chooses only within what they
// administer themselves.
func (s *Server) newUser(ctx context.Context, b *UserRequest) (*model.User, error) {
	p := caller(ctx)
	if err := auth.RequirePerson(p); err != nil {
		return nil, err
	}
	if err := auth.Require(p, model.SysAdmin, model.TenantAdmin); err != nil {
		return nil, err
	}
	u := &model.User{Tenant: p.Tenant, Customer: model.NoCustomer, Authority: model.Authority(b.Authority)}
	switch {
	case u.Authority == model.SysAdmin:
		return u, auth.Require(p, model.SysAdmin)
	case u.Authority == model.TenantAdmin && p.Authority == model.TenantAdmin:
		return u, nil
	case u.Authority == model.TenantAdmin:
		if b.TenantID == nil {
			return nil, require("tenantId", "")
		}
		t, err := s.tenant(ctx, auth.Read, b.TenantID.ID)
		u.Tenant = t
		return u, err
	}
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	if b.CustomerID == nil {
		return nil, require("customerId", "")
	}
	c, err := s.customer(ctx, auth.Write, b.CustomerID.ID)
	if err != nil {
		return nil, err
	}
	u.Customer = model.CustomerID(c.ID)
	return u, nil
}

// knownUser returns the user to change. What they may do and where they belong stays.
func (s *Server) knownUser(ctx context.Context, b *UserRequest) (*model.User, error) {
	u, err := s.user(ctx, auth.Write, b.ID.ID)
	if err != nil {
		return nil, err
	}
	if u.Authority != model.Authority(b.Authority) {
		return nil, model.Invalidf("The authority of a user can't be changed")
	}
	return u, nil
}

// GetUser answers GET /api/user/{userId}.
func (s *Server) GetUser(ctx context.Context, req GetUserRequestObject) (GetUserResponseObject, error) {
	u, err := s.user(ctx, auth.Read, req.UserID)
	if err != nil {
		return nil, err
	}
	return GetUser200JSONResponse{UserJSONResponse(wireUser(u))}, nil
}

// DeleteUser answers DELETE /api/user/{userId}.
func (s *Server) DeleteUser(ctx context.Context, req DeleteUserRequestObject) (DeleteUserResponseObject, error) {
	u, err := s.user(ctx, auth.Delete, req.UserID)
	if err != nil {
		return nil, err
	}
	if u.ID == caller(ctx).User {
		return nil, model.Errorf(model.Denied, "Users are not allowed to delete themselves!")
	}
	if err := s.Registry.DeleteUser(ctx, u.Tenant, u.ID); err != nil {
		return nil, err
	}
	return DeleteUser200Response{}, nil
}

// GetActivationLink answers GET /api/user/{userId}/activationLink. Each call makes a new
// link; an earlier one no longer works.
func (s *Server) GetActivationLink(ctx context.Context, req GetActivationLinkRequestObject) (GetActivationLinkResponseObject, error) {
	u, err := s.userBelow(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	if u.Activated {
		return nil, model.Invalidf("User is already activated!")
	}
	l, err := s.activationLink(ctx, cmp.Or(s.PublicURL, requestOf(ctx).origin()), u)
	if err != nil {
		return nil, err
	}
	return textAnswer(l), nil
}

// GetUsers answers GET /api/users.
func (s *Server) GetUsers(ctx context.Context, req GetUsersRequestObject) (GetUsersResponseObject, error) {
	p, q := caller(ctx), req.Params
	if p.Public {
		return nil, model.Errorf(model.Denied, "")
	}
	if err := auth.Require(p, model.SysAdmin, model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err // a token that may not list shows nobody's address
	}
	var filter model.UserFilter
	if p.Authority == model.CustomerUser {
		filter.Customer = p.Customer
	}
	list, err := s.users(ctx, p.Tenant, filter, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetUsers200JSONResponse{list}, nil
}

// GetCustomerUsers answers GET /api/customer/{customerId}/users.
func (s *Server) GetCustomerUsers(ctx context.Context, req GetCustomerUsersRequestObject) (GetCustomerUsersResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	if caller(ctx).Public {
		return nil, model.Errorf(model.Denied, "")
	}
	if err := auth.Require(caller(ctx), model.TenantAdmin, model.CustomerUser); err != nil {
		return nil, err
	}
	q := req.Params
	list, err := s.users(ctx, c.Tenant, model.UserFilter{Customer: model.CustomerID(c.ID)},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerUsers200JSONResponse{list}, nil
}

// GetTenantUsers answers GET /api/tenant/{tenantId}/users.
func (s *Server) GetTenantUsers(ctx context.Context, req GetTenantUsersRequestObject) (GetTenantUsersResponseObject, error) {
	t, err := s.tenant(ctx, auth.Read, req.TenantID)
	if err != nil {
		return nil, err
	}
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return nil, err
	}
	q := req.Params
	list, err := s.users(ctx, t, model.UserFilter{Authority: model.TenantAdmin},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetTenantUsers200JSONResponse{list}, nil
}

func (s *Server) users(ctx context.Context, t model.TenantID, f model.UserFilter,
	size, number int, search, property, order *string,
) (PageUserJSONResponse, error) {
	link, err := linkOf(size, number, search, property, order)
	if err != nil {
		return PageUserJSONResponse{}, err
	}
	list, err := s.Registry.Users(ctx, t, f, link)
	if err != nil {
		return PageUserJSONResponse{}, err
	}
	n := pageOf(list, link)
	return PageUserJSONResponse{Data: each(list.Data, wireUser), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}
