package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func (s *Server) sessions(ctx context.Context, user model.UserID) ([]Session, error) {
	list, err := s.Registry.Sessions(ctx, user)
	if err != nil {
		return nil, err
	}
	current := caller(ctx).Session
	out := make([]Session, len(list))
	for i, v := range list {
		out[i] = Session{ID: v.ID, CreatedTime: v.Created, Expires: v.Expires, Address: v.Address, Agent: v.Agent, Current: v.ID == current}
	}
	return out, nil
}

// GetSessions answers GET /api/auth/sessions.
func (s *Server) GetSessions(ctx context.Context, _ GetSessionsRequestObject) (GetSessionsResponseObject, error) {
	p := caller(ctx)
	if err := auth.RequirePerson(p); err != nil {
		return nil, err
	}
	list, err := s.sessions(ctx, p.User)
	if err != nil {
		return nil, err
	}
	return GetSessions200JSONResponse(list), nil
}

// EndSession answers DELETE /api/auth/sessions/{sessionId}.
func (s *Server) EndSession(ctx context.Context, req EndSessionRequestObject) (EndSessionResponseObject, error) {
	p := caller(ctx)
	if err := auth.RequirePerson(p); err != nil {
		return nil, err
	}
	if err := s.Registry.EndSessionOf(ctx, p.User, req.SessionID); err != nil {
		return nil, err
	}
	return EndSession200Response{}, nil
}

// GetUserSessions answers GET /api/user/{userId}/sessions.
func (s *Server) GetUserSessions(ctx context.Context, req GetUserSessionsRequestObject) (GetUserSessionsResponseObject, error) {
	u, err := s.userBelow(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	list, err := s.sessions(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	return GetUserSessions200JSONResponse(list), nil
}

// EndUserSessions answers DELETE /api/user/{userId}/sessions.
func (s *Server) EndUserSessions(ctx context.Context, req EndUserSessionsRequestObject) (EndUserSessionsResponseObject, error) {
	u, err := s.userBelow(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.EndSessions(ctx, u.ID); err != nil {
		return nil, err
	}
	return EndUserSessions200Response{}, nil
}
