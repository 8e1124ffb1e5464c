package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
)

// VisitFindEntitiesResponse implements FindEntitiesResponseObject.
func (a hotAnswer) VisitFindEntitiesResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitCountEntitiesResponse implements CountEntitiesResponseObject.
func (a hotAnswer) VisitCountEntitiesResponse(w http.ResponseWriter) error { return a.write(w) }

// NewFinder returns what answers the entity queries of REST and of the sockets: over r and
// store, in which entity views have the series they show. A nil now means time.Now.
func NewFinder(r Registry, g *auth.Guard, store Store, now func() time.Time) *entityquery.Finder {
	return entityquery.New(entityquery.Options{
		Directory: r, Guard: g, Relations: r, Records: r, Store: viewStore{store, r}, Text: thingsboard.AppendText, Now: now,
	})
}

// FindEntities answers POST /api/entitiesQuery/find.
func (s *Server) FindEntities(ctx context.Context, req FindEntitiesRequestObject) (FindEntitiesResponseObject, error) {
	b := borrow()
	q, err := s.entityQuery(ctx, b, req.Body, thingsboard.ParseFind)
	if err != nil {
		b.giveBack()
		return nil, err
	}
	page, err := s.Finder.Find(ctx, caller(ctx), q)
	if err != nil {
		b.giveBack()
		return nil, err
	}
	b.out = thingsboard.AppendFound(b.out[:0], q, page, s.Now().UnixMilli())
	return hotAnswer{request: requestOf(ctx), scratch: b}, nil
}

// CountEntities answers POST /api/entitiesQuery/count.
func (s *Server) CountEntities(ctx context.Context, req CountEntitiesRequestObject) (CountEntitiesResponseObject, error) {
	b := borrow()
	q, err := s.entityQuery(ctx, b, req.Body, thingsboard.ParseFindCount)
	if err != nil {
		b.giveBack()
		return nil, err
	}
	n, err := s.Finder.Count(ctx, caller(ctx), q)
	if err != nil {
		b.giveBack()
		return nil, err
	}
	b.out = strconv.AppendInt(b.out[:0], int64(n), 10)
	return hotAnswer{request: requestOf(ctx), scratch: b}, nil
}

// FindEntityKeys answers POST /api/entitiesQuery/find/keys.
func (s *Server) FindEntityKeys(ctx context.Context, req FindEntityKeysRequestObject) (FindEntityKeysResponseObject, error) {
	b := borrow()
	defer b.giveBack()
	q, err := s.entityQuery(ctx, b, req.Body, thingsboard.ParseFind)
	if err != nil {
		return nil, err
	}
	var scopes []model.Scope
	if req.Params.Timeseries == nil || *req.Params.Timeseries {
		scopes = append(scopes, model.Timeseries)
	}
	if req.Params.Attributes == nil || *req.Params.Attributes {
		if req.Params.Scope == nil {
			scopes = append(scopes, model.AttributeScopes[:]...)
		} else {
			scope, err := thingsboard.ParseScope(string(*req.Params.Scope))
			if err != nil {
				return nil, err
			}
			scopes = append(scopes, scope)
		}
	}
	found, err := s.Finder.Keys(ctx, caller(ctx), q, scopes)
	if err != nil {
		return nil, err
	}
	types := make([]EntityType, len(found.Types))
	for i, t := range found.Types {
		types[i] = EntityType(t)
	}
	return FindEntityKeys200JSONResponse{Timeseries: found.Series, Attribute: found.Attributes, EntityTypes: types}, nil
}

// entityQuery reads the body of a query. What it returns keeps nothing of b.
func (s *Server) entityQuery(ctx context.Context, b *scratch, body io.Reader,
	parse func([]byte, model.Principal) (*model.FindQuery, error),
) (*model.FindQuery, error) {
	raw, err := b.read(body)
	if err != nil {
		return nil, err
	}
	return parse(raw, caller(ctx))
}
