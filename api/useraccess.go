package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// userBelow authorizes an administrator to decide over a user's access.
func (s *Server) userBelow(ctx context.Context, id model.ID) (*model.User, error) {
	if err := auth.RequirePerson(caller(ctx)); err != nil {
		return nil, err
	}
	if err := auth.Require(caller(ctx), model.SysAdmin, model.TenantAdmin); err != nil {
		return nil, err
	}
	return s.user(ctx, auth.Write, id)
}

// SetUserCredentialsEnabled answers POST /api/user/{userId}/userCredentialsEnabled.
func (s *Server) SetUserCredentialsEnabled(ctx context.Context, req SetUserCredentialsEnabledRequestObject) (SetUserCredentialsEnabledResponseObject, error) {
	u, err := s.userBelow(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	enabled := req.Params.UserCredentialsEnabled == nil || *req.Params.UserCredentialsEnabled
	if !enabled && u.ID == caller(ctx).User {
		return nil, model.Errorf(model.Denied, "Users are not allowed to disable themselves!")
	}
	if err := s.Registry.EnableUser(ctx, u.Tenant, u.ID, enabled); err != nil {
		return nil, err
	}
	return SetUserCredentialsEnabled200Response{}, nil
}

// GetUserToken answers GET /api/user/{userId}/token.
func (s *Server) GetUserToken(ctx context.Context, req GetUserTokenRequestObject) (GetUserTokenResponseObject, error) {
	u, err := s.userBelow(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	if !s.UserTokens {
		return nil, model.Errorf(model.Denied, "")
	}
	pair, err := s.auth.LoginAs(ctx, u.ID, requestOf(ctx).client())
	if err != nil {
		return nil, err
	}
	return GetUserToken200JSONResponse{pairOf(pair)}, nil
}
