package api

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// GetSetup answers GET /api/noauth/setup.
func (s *Server) GetSetup(context.Context, GetSetupRequestObject) (GetSetupResponseObject, error) {
	s.setup.Lock()
	defer s.setup.Unlock()
	return GetSetup200JSONResponse{Open: s.setup.token != ""}, nil
}

// CompleteSetup answers POST /api/noauth/setup. The lock is held throughout, so that of two
// who hold the link one wins; the token is spent only when everything is made.
func (s *Server) CompleteSetup(ctx context.Context, req CompleteSetupRequestObject) (CompleteSetupResponseObject, error) {
	s.setup.Lock()
	defer s.setup.Unlock()
	if s.setup.token == "" || subtle.ConstantTimeCompare([]byte(s.setup.token), []byte(req.Body.Token)) != 1 {
		return nil, model.Errorf(model.Unauthenticated, "The setup link is not valid, or was used already")
	}
	if err := s.found(ctx, req.Body); err != nil {
		return nil, err
	}
	s.setup.token = ""
	pair, err := s.auth.Login(ctx, req.Body.Admin.Email, req.Body.Admin.Password, requestOf(ctx).client())
	if err != nil {
		return nil, fmt.Errorf("log in after the setup: %w", err)
	}
	return CompleteSetup200JSONResponse{pairOf(pair)}, nil
}

// found makes the first tenant and the first users. On failure nothing of it stays.
func (s *Server) found(ctx context.Context, b *SetupRequest) (err error) {
	if err := require("admin.password", b.Admin.Password); err != nil {
		return err
	}
	if b.SystemAdmin != nil && b.SystemAdmin.Email == b.Admin.Email {
		return model.Invalidf("The administrators of the tenant and of the system need different e-mail addresses")
	}
	tenant := &model.Tenant{Title: cmp.Or(orEmpty(b.TenantTitle), "Tenant")}
	if err := s.Registry.SaveTenant(ctx, tenant); err != nil {
		return err
	}
	undo := context.WithoutCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Registry.DeleteTenant(undo, tenant.ID))
		}
	}()
	if b.SystemAdmin != nil {
		system, err := s.firstUser(ctx, b.SystemAdmin, model.User{Authority: model.SysAdmin, Customer: model.NoCustomer})
		if err != nil {
			return err
		}
		if _, err := s.firstUser(ctx, &b.Admin, model.User{Tenant: tenant.ID, Authority: model.TenantAdmin, Customer: model.NoCustomer}); err != nil {
			return errors.Join(err, s.Registry.DeleteUser(undo, model.TenantID{}, system))
		}
		return nil
	}
	_, err = s.firstUser(ctx, &b.Admin, model.User{Tenant: tenant.ID, Authority: model.TenantAdmin, Customer: model.NoCustomer})
	return err
}

// firstUser makes a user who can log in. On failure no user stays.
func (s *Server) firstUser(ctx context.Context, a *SetupAccount, u model.User) (model.UserID, error) {
	if err := require("password", a.Password); err != nil {
		return u.ID, err
	}
	u.Email, u.FirstName, u.LastName, u.Enabled = a.Email, orEmpty(a.FirstName), orEmpty(a.LastName), true
	if err := s.Registry.SaveUser(ctx, &u); err != nil {
		return u.ID, err
	}
	if err := s.auth.SetPassword(ctx, u.ID, a.Password); err != nil {
		return u.ID, errors.Join(err, s.Registry.DeleteUser(context.WithoutCancel(ctx), u.Tenant, u.ID))
	}
	return u.ID, nil
}
