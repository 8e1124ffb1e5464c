package api

import (
	"context"
	"io"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// What clients ask for and the server has none of answers like an empty set, by the rules of a
// full one (contract thingsboard 3.5, 10, 13).

// GetEvents answers GET /api/events/{entityType}/{entityId}/{eventType}.
func (s *Server) GetEvents(ctx context.Context, req GetEventsRequestObject) (GetEventsResponseObject, error) {
	if !req.EventType.Valid() {
		return nil, model.Invalidf("Unsupported event type: %s", clip(string(req.EventType)))
	}
	q := req.Params
	if _, err := linkOf(q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder); err != nil {
		return nil, err
	}
	e, err := s.guard.Allow(caller(ctx), auth.Read, model.EntityRef{Type: model.EntityType(req.EntityType), ID: model.EntityID(req.EntityID)})
	if err != nil {
		return nil, err
	}
	if q.TenantID != nil && model.TenantID(*q.TenantID) != e.Tenant && e.Type != model.EntityTenantProfile {
		return nil, model.NotFoundf("Requested item wasn't found!")
	}
	return GetEvents200JSONResponse{Data: []*FreeObject{}}, nil
}

// GetQueues answers GET /api/queues.
func (s *Server) GetQueues(ctx context.Context, req GetQueuesRequestObject) (GetQueuesResponseObject, error) {
	if err := auth.Require(caller(ctx), model.SysAdmin, model.TenantAdmin); err != nil {
		return nil, err
	}
	q := req.Params
	if !q.ServiceType.Valid() {
		return nil, model.Invalidf("Unsupported service type: %s", clip(string(q.ServiceType)))
	}
	if _, err := linkOf(q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder); err != nil {
		return nil, err
	}
	return GetQueues200JSONResponse{Data: []*FreeObject{}}, nil
}

// FindAlarms answers POST /api/alarmsQuery/find.
func (s *Server) FindAlarms(ctx context.Context, req FindAlarmsRequestObject) (FindAlarmsResponseObject, error) {
	if err := checkAlarms(ctx, req.Body, thingsboard.CheckFindAlarms); err != nil {
		return nil, err
	}
	return FindAlarms200JSONResponse{Data: []*FreeObject{}}, nil
}

// CountAlarms answers POST /api/alarmsQuery/count.
func (s *Server) CountAlarms(ctx context.Context, req CountAlarmsRequestObject) (CountAlarmsResponseObject, error) {
	if err := checkAlarms(ctx, req.Body, thingsboard.CheckCountAlarms); err != nil {
		return nil, err
	}
	return CountAlarms200JSONResponse(0), nil
}

// checkAlarms reads the body of a query about alarms, which belong to tenants.
func checkAlarms(ctx context.Context, body io.Reader, check func([]byte, model.Principal) error) error {
	p := caller(ctx)
	if p.Authority == model.SysAdmin {
		return model.Errorf(model.Denied, "")
	}
	b := borrow()
	defer b.giveBack()
	raw, err := b.read(body)
	if err != nil {
		return err
	}
	return check(raw, p)
}
