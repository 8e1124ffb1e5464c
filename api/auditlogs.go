package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// maxActions bounds the actions one filter names.
const maxActions = 100

// GetAuditLogs answers GET /api/audit/logs.
func (s *Server) GetAuditLogs(ctx context.Context, req GetAuditLogsRequestObject) (GetAuditLogsResponseObject, error) {
	return s.auditLogs(ctx, req.Params, model.AuditFilter{})
}

// GetAuditLogsByCustomer answers GET /api/audit/logs/customer/{customerId}.
func (s *Server) GetAuditLogsByCustomer(ctx context.Context, req GetAuditLogsByCustomerRequestObject) (GetAuditLogsByCustomerResponseObject, error) {
	return s.auditLogs(ctx, GetAuditLogsParams(req.Params), model.AuditFilter{Customer: model.CustomerID(req.CustomerID)})
}

// GetAuditLogsByUser answers GET /api/audit/logs/user/{userId}.
func (s *Server) GetAuditLogsByUser(ctx context.Context, req GetAuditLogsByUserRequestObject) (GetAuditLogsByUserResponseObject, error) {
	return s.auditLogs(ctx, GetAuditLogsParams(req.Params), model.AuditFilter{User: model.UserID(req.UserID)})
}

// GetAuditLogsByEntity answers GET /api/audit/logs/entity/{entityType}/{entityId}.
func (s *Server) GetAuditLogsByEntity(ctx context.Context, req GetAuditLogsByEntityRequestObject) (GetAuditLogsByEntityResponseObject, error) {
	ref := model.EntityRef{Type: model.EntityType(req.EntityType), ID: model.EntityID(req.EntityID)}
	return s.auditLogs(ctx, GetAuditLogsParams(req.Params), model.AuditFilter{Entity: ref})
}

// auditLogs reads the parameters that all four have. Every filter is within the caller's
// tenant, so ids need no check: those of others find nothing, those of what is gone still do.
func (s *Server) auditLogs(ctx context.Context, q GetAuditLogsParams, f model.AuditFilter) (*auditAnswer, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin, model.SysAdmin); err != nil {
		return nil, err
	}
	f.Tenant = p.Tenant
	if q.StartTime != nil {
		f.From = *q.StartTime
	}
	if q.EndTime != nil {
		f.To = *q.EndTime
	}
	for action := range strings.SplitSeq(orEmpty(q.ActionTypes), ",") {
		if action = strings.TrimSpace(action); action != "" {
			f.Actions = append(f.Actions, action)
		}
	}
	if len(f.Actions) > maxActions {
		return nil, model.Invalidf("%d action types exceed the limit of %d", len(f.Actions), maxActions)
	}
	a := &auditAnswer{ctx: ctx, server: s, filter: f, kind: exportKind(orEmpty(q.Accept))}
	if a.kind != "" {
		a.filter.Search = orEmpty(q.TextSearch)
		return a, nil
	}
	for _, v := range []struct {
		name  string
		value *int
	}{{"pageSize", q.PageSize}, {"page", q.Page}} {
		if v.value == nil {
			return nil, model.Invalidf("Required request parameter '%s' is not present", v.name)
		}
	}
	link, err := linkOf(*q.PageSize, *q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	list, err := s.Registry.AuditLog(ctx, f, link)
	if err != nil {
		return nil, err
	}
	n := pageOf(list, link)
	a.page = &PageAuditLog{Data: each(list.Data, wireAudit), TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}
	return a, nil
}

const (
	kindCSV    = "text/csv"
	kindNDJSON = "application/x-ndjson"
)

// exportKind picks the first form of an export that the client names; "" is JSON.
func exportKind(accept string) string {
	if accept == "" || accept == "*/*" {
		return ""
	}
	for part := range strings.SplitSeq(accept, ",") {
		switch kind, _, _ := mime.ParseMediaType(part); kind {
		case kindCSV, kindNDJSON:
			return kind
		case "application/json", "*/*":
			return ""
		}
	}
	return ""
}

func wireAudit(e *model.AuditEntry) AuditLog {
	w := AuditLog{
		CreatedTime: e.Time, TenantID: tenantRef(e.Tenant), CustomerID: customerRef(e.Customer),
		EntityID: refOrNull(EntityType(e.Entity.Type), e.Entity.ID), EntityName: e.Name,
		UserID: refOrNull(EntityTypeUSER, e.User), UserName: e.UserName,
		ActionType: e.Action, ActionStatus: AuditLogActionStatusSUCCESS, ActionFailureDetails: e.Failure,
	}
	w.ID.ID = e.ID
	w.ActionData.ClientAddress, w.ActionData.UserAgent, w.ActionData.Operation = e.Address, e.Agent, e.Operation
	if e.Failure != "" {
		w.ActionStatus = AuditLogActionStatusFAILURE
	}
	return w
}

// An auditAnswer is a page, or an export that is read while it is sent.
type auditAnswer struct {
	ctx    context.Context //nolint:containedctx // the answer is written within the request
	server *Server
	filter model.AuditFilter
	kind   string        // of the export; "" for a page
	page   *PageAuditLog // nil for an export
}

// VisitGetAuditLogsResponse implements GetAuditLogsResponseObject.
func (a *auditAnswer) VisitGetAuditLogsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAuditLogsByCustomerResponse implements GetAuditLogsByCustomerResponseObject.
func (a *auditAnswer) VisitGetAuditLogsByCustomerResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitGetAuditLogsByUserResponse implements GetAuditLogsByUserResponseObject.
func (a *auditAnswer) VisitGetAuditLogsByUserResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetAuditLogsByEntityResponse implements GetAuditLogsByEntityResponseObject.
func (a *auditAnswer) VisitGetAuditLogsByEntityResponse(w http.ResponseWriter) error {
	return a.write(w)
}

func (a *auditAnswer) write(w http.ResponseWriter) error {
	out := sender{w: w, request: requestOf(a.ctx), kind: a.kind}
	if a.page != nil {
		b, err := json.Marshal(a.page)
		if err != nil {
			return err
		}
		return out.finish(b)
	}
	var b strings.Builder
	table := csv.NewWriter(&b)
	if a.kind == kindCSV {
		_ = table.Write(auditHeader) // into memory
	}
	full := func() error {
		if b.Len() < chunk {
			return nil
		}
		err := out.send([]byte(b.String()))
		b.Reset()
		return err
	}
	err := a.server.Registry.WalkAudit(a.ctx, a.filter, func(e *model.AuditEntry) error {
		if a.kind == kindCSV {
			_ = table.Write(auditRow(e))
			table.Flush()
			return full()
		}
		line, err := json.Marshal(wireAudit(e))
		if err != nil {
			return err
		}
		b.Write(line)
		b.WriteByte('\n')
		return full()
	})
	if err != nil {
		return out.fail(err)
	}
	table.Flush()
	return out.finish([]byte(b.String()))
}

var auditHeader = []string{"time", "user", "userId", "action", "status", "entityType", "entityId", "entityName", "failure", "address", "agent", "operation", "id"}

func auditRow(e *model.AuditEntry) []string {
	w := wireAudit(e)
	user, entity := "", ""
	if w.UserID != nil {
		user = w.UserID.ID.String()
	}
	if w.EntityID != nil {
		entity = w.EntityID.ID.String()
	}
	row := []string{time.UnixMilli(e.Time).UTC().Format("2006-01-02T15:04:05.000Z07:00"), w.UserName, user, w.ActionType, string(w.ActionStatus),
		string(e.Entity.Type), entity, w.EntityName, w.ActionFailureDetails, e.Address, e.Agent, e.Operation, e.ID.String()}
	for i, cell := range row {
		row[i] = inert(cell)
	}
	return row
}

// inert keeps a table calculator from taking a text for a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
