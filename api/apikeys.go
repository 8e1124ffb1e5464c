package api

import (
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

func (s *Server) wireAPIKey(k *model.APIKey) APIKeyInfo {
	return APIKeyInfo{
		ID: APIKeyRef{EntityType: APIKeyRefEntityTypeAPIKEY, ID: k.ID}, CreatedTime: k.Created, TenantID: tenantRef(k.Tenant),
		UserID: wireID(EntityTypeUSER, k.User), Description: k.Description, ExpirationTime: k.Expires, Enabled: k.Enabled,
		Expired: k.Expires != 0 && k.Expires <= s.Now().UnixMilli(), LastUsed: orNone(k.LastUsed),
	}
}

// keyOwner authorizes a person to decide over the API keys of a user: its own, or those of a
// user it administers.
func (s *Server) keyOwner(ctx context.Context, user model.ID) (*model.User, error) {
	if err := auth.RequirePerson(caller(ctx)); err != nil {
		return nil, err
	}
	return s.user(ctx, auth.Write, user)
}

// mayDecideOverKey authorizes a person to change an API key. A key of a user who does not exist
// for the caller does not exist either.
func (s *Server) mayDecideOverKey(ctx context.Context, id model.ID) error {
	if err := auth.RequirePerson(caller(ctx)); err != nil {
		return err
	}
	k, err := s.Registry.Key(ctx, id)
	if err != nil {
		return err
	}
	_, err = s.user(ctx, auth.Write, model.ID(k.User))
	if model.KindOf(err) == model.NotFound {
		return model.NotFoundf("API key with id [%s] is not found", id)
	}
	return err
}

// CreateAPIKey answers POST /api/apiKey.
func (s *Server) CreateAPIKey(ctx context.Context, req CreateAPIKeyRequestObject) (CreateAPIKeyResponseObject, error) {
	b := req.Body
	if b.UserID.EntityType != EntityTypeUSER {
		return nil, model.Invalidf("userId must name a USER")
	}
	u, err := s.keyOwner(ctx, b.UserID.ID)
	if err != nil {
		return nil, err
	}
	// Who holds a key of somebody logs in as them.
	if u.ID != caller(ctx).User && !s.UserTokens {
		return nil, model.Errorf(model.Denied, "")
	}
	if b.ID != nil {
		return nil, model.Invalidf("An API key with an id can't be saved; use PUT /api/apiKey/{id}/description or /enabled/{enabled}")
	}
	k := &model.APIKey{Tenant: u.Tenant, User: u.ID, Description: b.Description, Enabled: b.Enabled == nil || *b.Enabled}
	if b.ExpirationTime != nil {
		k.Expires = *b.ExpirationTime
	}
	text, err := s.auth.CreateKey(ctx, caller(ctx), k)
	if err != nil {
		return nil, err
	}
	v := s.wireAPIKey(k)
	return CreateAPIKey200JSONResponse{
		ID: v.ID, CreatedTime: v.CreatedTime, TenantID: v.TenantID, UserID: v.UserID, Description: v.Description,
		ExpirationTime: v.ExpirationTime, Enabled: v.Enabled, Expired: v.Expired, LastUsed: v.LastUsed, Value: text,
	}, nil
}

// GetUserAPIKeys answers GET /api/apiKeys/{userId}.
func (s *Server) GetUserAPIKeys(ctx context.Context, req GetUserAPIKeysRequestObject) (GetUserAPIKeysResponseObject, error) {
	u, err := s.keyOwner(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	link, err := linkOf(q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	list, err := s.Registry.Keys(ctx, u.ID, link)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	return GetUserAPIKeys200JSONResponse{Data: each(list.Data, s.wireAPIKey), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// DescribeAPIKey answers PUT /api/apiKey/{apiKeyId}/description. Clients send the bare text, with
// whatever Content-Type, or a JSON string.
func (s *Server) DescribeAPIKey(ctx context.Context, req DescribeAPIKeyRequestObject) (DescribeAPIKeyResponseObject, error) {
	if err := s.mayDecideOverKey(ctx, req.APIKeyID); err != nil {
		return nil, err
	}
	b := borrow()
	defer b.giveBack()
	body, err := b.read(req.Body)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(body) {
		return nil, model.Invalidf("Validation error: description is malformed")
	}
	var text string
	if json.Unmarshal(body, &text) != nil {
		text = string(body)
	}
	k, err := s.Registry.DescribeKey(ctx, req.APIKeyID, text)
	if err != nil {
		return nil, err
	}
	return DescribeAPIKey200JSONResponse{APIKeyInfoJSONResponse(s.wireAPIKey(k))}, nil
}

// EnableAPIKey answers PUT /api/apiKey/{apiKeyId}/enabled/{enabled}.
func (s *Server) EnableAPIKey(ctx context.Context, req EnableAPIKeyRequestObject) (EnableAPIKeyResponseObject, error) {
	if err := s.mayDecideOverKey(ctx, req.APIKeyID); err != nil {
		return nil, err
	}
	k, err := s.Registry.EnableKey(ctx, req.APIKeyID, req.Enabled)
	if err != nil {
		return nil, err
	}
	return EnableAPIKey200JSONResponse{APIKeyInfoJSONResponse(s.wireAPIKey(k))}, nil
}

// DeleteAPIKey answers DELETE /api/apiKey/{apiKeyId}.
func (s *Server) DeleteAPIKey(ctx context.Context, req DeleteAPIKeyRequestObject) (DeleteAPIKeyResponseObject, error) {
	if err := s.mayDecideOverKey(ctx, req.APIKeyID); err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteKey(ctx, req.APIKeyID); err != nil {
		return nil, err
	}
	return DeleteAPIKey200Response{}, nil
}
