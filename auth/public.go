package auth

import (
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// nobody is the user id of public sessions: the constant clients know for "none".
var nobody = model.UserID(model.NoCustomer)

// LoginPublic opens a session for whoever knows the id of a public customer (contract
// thingsboard 2.1). It shows what is assigned to that customer and changes nothing.
func (s *Service) LoginPublic(ctx context.Context, publicID string, c Client) (Pair, error) {
	u, err := s.publicUser(ctx, publicID)
	if model.KindOf(err) == model.NotFound || model.KindOf(err) == model.Invalid {
		return Pair{}, errCredentials()
	}
	if err != nil {
		return Pair{}, fmt.Errorf("auth: find public customer: %w", err)
	}
	return s.open(ctx, u, c)
}

// publicUser stands for everybody who looks at a public customer.
func (s *Service) publicUser(ctx context.Context, publicID string) (*model.User, error) {
	id, err := model.ParseID(publicID)
	if err != nil {
		return nil, err
	}
	customer, err := s.store.PublicCustomerByID(ctx, model.CustomerID(id))
	if err != nil {
		return nil, err
	}
	return PublicUser(customer.Tenant, customer.ID), nil
}

// PublicUser is who a public session belongs to: no record, but what clients show.
func PublicUser(t model.TenantID, c model.CustomerID) *model.User {
	return &model.User{ID: nobody, Tenant: t, Customer: c, Email: c.String(), Authority: model.CustomerUser,
		FirstName: "Public", LastName: "Public", Enabled: true}
}

func isPublic(u *model.User) bool { return u.ID == nobody }

// renewing returns whom a refresh token is for.
func (s *Service) renewing(ctx context.Context, c *claims, user model.UserID) (*model.User, error) {
	if c.IsPublic {
		return s.publicUser(ctx, c.Subject)
	}
	a, err := s.store.AccountByID(ctx, user)
	if err != nil {
		return nil, err
	}
	return &a.User, nil
}
