package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func pairOf(p auth.Pair) TokenPairJSONResponse {
	return TokenPairJSONResponse{Token: p.Token, RefreshToken: p.RefreshToken}
}

// Login answers POST /api/auth/login.
func (s *Server) Login(ctx context.Context, req LoginRequestObject) (LoginResponseObject, error) {
	if req.Body.Username == "" || req.Body.Password == "" {
		return nil, model.Errorf(model.Unauthenticated, "Authentication failed")
	}
	pair, err := s.auth.Login(ctx, req.Body.Username, req.Body.Password, requestOf(ctx).client())
	if err != nil {
		return nil, err
	}
	return Login200JSONResponse{pairOf(pair)}, nil
}

// LoginPublic answers POST /api/auth/login/public.
func (s *Server) LoginPublic(ctx context.Context, req LoginPublicRequestObject) (LoginPublicResponseObject, error) {
	pair, err := s.auth.LoginPublic(ctx, req.Body.PublicID, requestOf(ctx).client())
	if err != nil {
		return nil, err
	}
	return LoginPublic200JSONResponse{pairOf(pair)}, nil
}

// RefreshToken answers POST /api/auth/token.
func (s *Server) RefreshToken(ctx context.Context, req RefreshTokenRequestObject) (RefreshTokenResponseObject, error) {
	if req.Body.RefreshToken == "" {
		return nil, model.Errorf(model.Unauthenticated, "Authentication failed")
	}
	pair, err := s.auth.Refresh(ctx, req.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	return RefreshToken200JSONResponse{pairOf(pair)}, nil
}

// Logout answers POST /api/auth/logout.
func (s *Server) Logout(ctx context.Context, _ LogoutRequestObject) (LogoutResponseObject, error) {
	if err := s.auth.Logout(ctx, caller(ctx)); err != nil {
		return nil, err
	}
	return Logout200Response{}, nil
}

// GetCurrentUser answers GET /api/auth/user.
func (s *Server) GetCurrentUser(ctx context.Context, _ GetCurrentUserRequestObject) (GetCurrentUserResponseObject, error) {
	p := caller(ctx)
	if p.Public {
		return GetCurrentUser200JSONResponse(wireUser(auth.PublicUser(p.Tenant, p.Customer))), nil
	}
	u, err := s.Registry.User(ctx, p.Tenant, p.User)
	if err != nil {
		return nil, err
	}
	return GetCurrentUser200JSONResponse(wireUser(u)), nil
}

// ChangePassword answers POST /api/auth/changePassword.
func (s *Server) ChangePassword(ctx context.Context, req ChangePasswordRequestObject) (ChangePasswordResponseObject, error) {
	if err := require("newPassword", req.Body.NewPassword); err != nil {
		return nil, err
	}
	r := requestOf(ctx)
	if err := auth.RequirePerson(r.principal); err != nil {
		return nil, err
	}
	pair, err := s.auth.ChangePassword(ctx, r.principal, req.Body.CurrentPassword, req.Body.NewPassword, r.client())
	if err != nil {
		return nil, err
	}
	return ChangePassword200JSONResponse{pairOf(pair)}, nil
}

// ActivateUser answers POST /api/noauth/activate.
func (s *Server) ActivateUser(ctx context.Context, req ActivateUserRequestObject) (ActivateUserResponseObject, error) {
	if err := require("activateToken", req.Body.ActivateToken); err != nil {
		return nil, err
	}
	if err := require("password", req.Body.Password); err != nil {
		return nil, err
	}
	pair, err := s.auth.Activate(ctx, req.Body.ActivateToken, req.Body.Password, requestOf(ctx).client())
	if err != nil {
		return nil, err
	}
	if req.Params.SendActivationMail == nil || *req.Params.SendActivationMail {
		if p, err := s.auth.Verify(pair.Token); err == nil {
			if u, err := s.Registry.User(ctx, p.Tenant, p.User); err == nil {
				s.tell(u.Email, "Your account is active", "Your account at Tidewire is active.")
			}
		}
	}
	return ActivateUser200JSONResponse{pairOf(pair)}, nil
}
