package api

import (
	"context"
	"time"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// tokenScopes are the wire names of grants, in the order in which they are shown.
var tokenScopes = []struct {
	name  APITokenScope
	grant model.Grants
}{
	{APITokenScopeReadTelemetry, model.GrantReadTelemetry},
	{APITokenScopeWriteTelemetry, model.GrantWriteTelemetry},
	{APITokenScopeRPC, model.GrantRPC},
	{APITokenScopeAdmin, model.GrantAdmin},
}

func wireAPIToken(t *model.APIToken) APIToken {
	w := APIToken{
		ID: t.ID, CreatedTime: t.Created, Version: t.Version, Name: t.Name, Scopes: []APITokenScope{},
		Entities: make([]model.ID, len(t.Entities)), Prefix: t.Prefix, CreatorID: model.ID(t.Creator),
		Expires: orNone(t.Expires), LastUsed: orNone(t.LastUsed), OldTextUntil: orNone(t.Overlap),
	}
	for _, s := range tokenScopes {
		if t.Grants&s.grant != 0 {
			w.Scopes = append(w.Scopes, s.name)
		}
	}
	for i, id := range t.Entities {
		w.Entities[i] = model.ID(id)
	}
	return w
}

// orNone is null for an instant that is none.
func orNone(ms int64) *int64 {
	if ms == 0 {
		return nil
	}
	return &ms
}

// apiTokenOf reads what a client may choose of a token.
func apiTokenOf(b *APITokenRequest) (*model.APIToken, error) {
	t := &model.APIToken{Name: b.Name}
	for _, name := range b.Scopes {
		if !name.Valid() {
			return nil, model.Invalidf("Unknown scope '%.64s'", name)
		}
		for _, s := range tokenScopes {
			if s.name == name {
				t.Grants |= s.grant
			}
		}
	}
	if b.Entities != nil {
		for _, id := range *b.Entities {
			t.Entities = append(t.Entities, model.EntityID(id))
		}
	}
	if b.Expires != nil {
		if t.Expires = *b.Expires; t.Expires <= 0 {
			return nil, model.Invalidf("Token expiry must lie in the future")
		}
	}
	return t, nil
}

// tokenKeeper authorizes a person who manages the tokens of a tenant.
func tokenKeeper(ctx context.Context) (model.Principal, error) {
	p := caller(ctx)
	if err := auth.RequirePerson(p); err != nil {
		return p, err
	}
	return p, auth.Require(p, model.TenantAdmin)
}

// GetAPITokens answers GET /api/tokens.
func (s *Server) GetAPITokens(ctx context.Context, req GetAPITokensRequestObject) (GetAPITokensResponseObject, error) {
	p, err := tokenKeeper(ctx)
	if err != nil {
		return nil, err
	}
	q := req.Params
	link, err := linkOf(q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	list, err := s.Registry.Tokens(ctx, p.Tenant, link)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetAPITokens200JSONResponse{Data: each(list.Data, wireAPIToken), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// CreateAPIToken answers POST /api/tokens.
func (s *Server) CreateAPIToken(ctx context.Context, req CreateAPITokenRequestObject) (CreateAPITokenResponseObject, error) {
	p, err := tokenKeeper(ctx)
	if err != nil {
		return nil, err
	}
	t, err := apiTokenOf(req.Body)
	if err != nil {
		return nil, err
	}
	text, err := s.auth.CreateToken(ctx, p, t)
	if err != nil {
		return nil, err
	}
	return CreateAPIToken200JSONResponse{APITokenSecretJSONResponse{Token: text, Info: wireAPIToken(t)}}, nil
}

// RevokeAPITokens answers DELETE /api/tokens.
func (s *Server) RevokeAPITokens(ctx context.Context, _ RevokeAPITokensRequestObject) (RevokeAPITokensResponseObject, error) {
	p, err := tokenKeeper(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.Registry.RevokeTokens(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	return RevokeAPITokens200JSONResponse{Revoked: n}, nil
}

// GetAPIToken answers GET /api/tokens/{tokenId}.
func (s *Server) GetAPIToken(ctx context.Context, req GetAPITokenRequestObject) (GetAPITokenResponseObject, error) {
	p, err := tokenKeeper(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.Registry.Token(ctx, p.Tenant, req.TokenID)
	if err != nil {
		return nil, err
	}
	return GetAPIToken200JSONResponse(wireAPIToken(t)), nil
}

// RevokeAPIToken answers DELETE /api/tokens/{tokenId}.
func (s *Server) RevokeAPIToken(ctx context.Context, req RevokeAPITokenRequestObject) (RevokeAPITokenResponseObject, error) {
	p, err := tokenKeeper(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.RevokeToken(ctx, p.Tenant, req.TokenID); err != nil {
		return nil, err
	}
	return RevokeAPIToken200Response{}, nil
}

// defaultOverlap is how long the text before a rotation works when nobody says.
const defaultOverlap = time.Hour

// RotateAPIToken answers POST /api/tokens/{tokenId}/rotate.
func (s *Server) RotateAPIToken(ctx context.Context, req RotateAPITokenRequestObject) (RotateAPITokenResponseObject, error) {
	p, err := tokenKeeper(ctx)
	if err != nil {
		return nil, err
	}
	overlap := defaultOverlap
	if v := req.Params.OverlapSeconds; v != nil {
		const most = int64(1<<63-1) / int64(time.Second)
		overlap = time.Duration(max(-1, min(*v, most))) * time.Second
	}
	t, text, err := s.auth.RotateToken(ctx, p, req.TokenID, overlap)
	if err != nil {
		return nil, err
	}
	return RotateAPIToken200JSONResponse{APITokenSecretJSONResponse{Token: text, Info: wireAPIToken(t)}}, nil
}
