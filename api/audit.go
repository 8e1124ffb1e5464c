package api

import (
	"cmp"
	"errors"
	"net/http"
	"reflect"

	"github.com/labstack/echo/v4"

	"github.com/tidewire/tidewire/model"
)

// unaudited are the operations that change something, or look as if they did, and leave no
// entry when they succeed: what devices and programs send all day, and questions that are asked
// with POST. A refusal of an administrator is noted all the same.
var unaudited = map[string]bool{
	"LoginPublic": true, "RefreshToken": true, "RequestPasswordReset": true,
	"PreviewRetention": true, "FindRelations": true, "FindRelationInfos": true,
	"FindEntities": true, "FindAlarms": true, "CountAlarms": true, "CountEntities": true, "FindEntityKeys": true, "QuerySeries": true,
	"SaveTimeseries": true, "SaveTimeseriesWithTTL": true, "PostDeviceTelemetry": true, "PostDeviceAttributes": true,
}

// actions are the names by which clients of the contract know what operations do. Of other
// operations that are audited, the method says it.
var actions = map[string]string{
	"Login": "LOGIN", "Logout": "LOGOUT", "GetUserToken": "LOGIN", "EndSession": "LOGOUT", "EndUserSessions": "LOGOUT",
	"ChangePassword": "CREDENTIALS_UPDATED", "ResetPassword": "CREDENTIALS_UPDATED", "ActivateUser": "ACTIVATED",
	"CompleteSetup": "ADDED", "SetUserCredentialsEnabled": "UPDATED", "GetActivationLink": "CREDENTIALS_READ",
	"SaveDeviceCredentials": "CREDENTIALS_UPDATED", "GetDeviceCredentials": "CREDENTIALS_READ",
	"CreateAPIToken": "ADDED", "RotateAPIToken": "CREDENTIALS_UPDATED",
	"CreateAPIKey": "CREDENTIALS_UPDATED", "DescribeAPIKey": "CREDENTIALS_UPDATED", "EnableAPIKey": "CREDENTIALS_UPDATED", "DeleteAPIKey": "CREDENTIALS_UPDATED",
	"AssignDeviceToCustomer": "ASSIGNED_TO_CUSTOMER", "AssignDeviceToPublicCustomer": "ASSIGNED_TO_CUSTOMER", "UnassignDeviceFromCustomer": "UNASSIGNED_FROM_CUSTOMER",
	"AssignAssetToCustomer": "ASSIGNED_TO_CUSTOMER", "AssignAssetToPublicCustomer": "ASSIGNED_TO_CUSTOMER", "UnassignAssetFromCustomer": "UNASSIGNED_FROM_CUSTOMER",
	"AssignEntityViewToCustomer": "ASSIGNED_TO_CUSTOMER", "AssignEntityViewToPublicCustomer": "ASSIGNED_TO_CUSTOMER", "UnassignEntityViewFromCustomer": "UNASSIGNED_FROM_CUSTOMER",
	"AssignDashboardToCustomer": "ASSIGNED_TO_CUSTOMER", "AssignDashboardToPublicCustomer": "ASSIGNED_TO_CUSTOMER",
	"UnassignDashboardFromCustomer": "UNASSIGNED_FROM_CUSTOMER", "UnassignDashboardFromPublicCustomer": "UNASSIGNED_FROM_CUSTOMER",
	"SaveRelation": "RELATION_ADD_OR_UPDATE", "DeleteRelation": "RELATION_DELETED",
	"DeleteTimeseries": "TIMESERIES_DELETED", "SaveTimeseries": "TIMESERIES_UPDATED", "SaveTimeseriesWithTTL": "TIMESERIES_UPDATED",
	"SaveDeviceAttributes": "ATTRIBUTES_UPDATED", "SaveEntityAttributes": "ATTRIBUTES_UPDATED", "SaveEntityAttributesV2": "ATTRIBUTES_UPDATED",
	"DeleteDeviceAttributes": "ATTRIBUTES_DELETED", "DeleteEntityAttributes": "ATTRIBUTES_DELETED",
}

// named are the path parameters that say what an operation is about, the first that there is.
var named = []struct {
	param string
	kind  model.EntityType
}{
	{"deviceId", model.EntityDevice},
	{"assetId", model.EntityAsset},
	{"entityViewId", model.EntityEntityView},
	{"dashboardId", model.EntityDashboard},
	{"userId", model.EntityUser},
	{"deviceProfileId", model.EntityDeviceProfile},
	{"assetProfileId", model.EntityAssetProfile},
	{"tenantProfileId", model.EntityTenantProfile},
	{"customerId", model.EntityCustomer},
	{"tenantId", model.EntityTenant},
}

// audited wraps every operation of the generated layer: it notes down what was done, by whom,
// and how it ended.
func (s *Server) audited(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	action, listed := actions[operation]
	quiet := unaudited[operation]
	return func(c echo.Context, args any) (any, error) {
		method := c.Request().Method
		req := requestOf(c.Request().Context())
		if req == nil {
			return next(c, args)
		}
		noted := !quiet && (listed || method != http.MethodGet)
		admin := req.principal.Authority == model.TenantAdmin || req.principal.Authority == model.SysAdmin
		if !noted && !admin {
			return next(c, args)
		}
		e := model.AuditEntry{Operation: operation, Action: action}
		var owner model.TenantID // of what a system administrator works on
		var theirs string        // its name
		if noted {               // what is deleted has a name now, and none afterwards
			e.Entity = s.aboutOf(c, args)
			e.Name = s.entityName(req.principal.Tenant, e.Entity)
			owner = s.ownerOf(e.Entity)
			theirs = s.entityName(owner, e.Entity)
		}
		answer, err := next(c, args)
		kind := model.KindOf(err)
		if !noted && (err == nil || kind != model.Denied) ||
			err != nil && (kind == model.TooMany || kind == model.Overload) { // a flood must not flood the log too
			return answer, err
		}
		if !noted {
			e.Entity = s.aboutOf(c, args)
			e.Name = s.entityName(req.principal.Tenant, e.Entity)
		}
		if !listed {
			e.Action = byMethod[method]
		}
		s.describe(&e, req, args, answer, err)
		s.Registry.Audit(e)
		if req.principal.Authority == model.SysAdmin {
			s.auditFor(cmp.Or(owner, s.ownerOf(e.Entity)), theirs, e)
		}
		return answer, err
	}
}

// auditFor notes for a tenant what a system administrator did to it or to what it owns; it stands
// in the log of the system as well.
func (s *Server) auditFor(t model.TenantID, name string, e model.AuditEntry) {
	if t == (model.TenantID{}) {
		return
	}
	e.Tenant = t
	e.Name = cmp.Or(e.Name, name, s.entityName(t, e.Entity))
	s.Registry.Audit(e)
}

// ownerOf returns the tenant of an entity; zero for one that is none's or not there.
func (s *Server) ownerOf(ref model.EntityRef) model.TenantID {
	if e, ok := s.Registry.Lookup(ref.ID); ok && e.Type == ref.Type {
		return e.Tenant
	}
	return model.TenantID{}
}

// byMethod are the actions of operations that have no name of their own.
var byMethod = map[string]string{http.MethodGet: "READ", http.MethodPost: "UPDATED", http.MethodPut: "UPDATED", http.MethodDelete: "DELETED"}

// describe fills in who did it, to what, and how it ended.
func (s *Server) describe(e *model.AuditEntry, req *request, args, answer any, err error) {
	p := req.principal
	if err == nil {
		created := resultOf(answer)
		if pair, ok := created.(TokenPairJSONResponse); ok && p.Authority == "" {
			// Somebody becomes known by the operation: a login, a password that was set.
			if now, err := s.auth.Verify(pair.Token); err == nil {
				p = now
			}
		}
		if ref, name, ok := entityOf(created); ok {
			if e.Action == "UPDATED" && e.Entity == (model.EntityRef{}) && isNew(args) {
				e.Action = "ADDED"
			}
			e.Entity, e.Name = ref, name
		}
	}
	client := req.client()
	e.Address, e.Agent = client.Address, client.Agent
	e.Tenant, e.Customer, e.User = p.Tenant, p.Customer, p.User
	if p.Customer == (model.CustomerID{}) {
		e.Customer = model.NoCustomer
	}
	switch login, ok := args.(LoginRequestObject); {
	case p.Grant != nil:
		e.UserName = "API token " + model.Line(p.Grant.Name, 200) + " (" + p.Grant.Token.String() + ")"
	case p.User != (model.UserID{}):
		e.UserName = s.entityName(p.Tenant, model.EntityRef{Type: model.EntityUser, ID: model.EntityID(p.User)})
	case ok && login.Body != nil:
		e.UserName = model.Line(login.Body.Username, 255)
	}
	if err == nil {
		return
	}
	v := verdictOf(model.KindOf(clientError(err)))
	e.Failure = cmp.Or(model.MessageOf(err, v.fallback), v.fallback)
	if model.KindOf(err) == model.NotFound {
		e.Failure = v.fallback
	}
	if x, ok := s.Registry.Lookup(e.Entity.ID); !ok || x.Tenant != p.Tenant && p.Authority != model.SysAdmin {
		e.Entity, e.Name = model.EntityRef{}, "" // what belongs to others is not even repeated
	}
	if _, ok := errors.AsType[*model.Error](err); !ok {
		e.Failure = v.fallback
	}
}

func (s *Server) entityName(t model.TenantID, ref model.EntityRef) string {
	if e, ok := s.Registry.Entity(t, ref.ID); ok {
		return e.Name
	}
	return ""
}

// aboutOf finds in the parameters what an operation is about. What has no type there is, which
// a client may send where it likes, is nothing.
func (s *Server) aboutOf(c echo.Context, args any) model.EntityRef {
	if ref := s.namedIn(c, args); EntityType(ref.Type).Valid() {
		return ref
	}
	return model.EntityRef{}
}

func (s *Server) namedIn(c echo.Context, args any) model.EntityRef {
	switch args := args.(type) {
	case SaveRelationRequestObject:
		return refOf(args.Body.From)
	case DeleteRelationRequestObject:
		return model.EntityRef{Type: model.EntityType(args.Params.FromType), ID: model.EntityID(args.Params.FromID)}
	case CreateAPIKeyRequestObject:
		return refOf(args.Body.UserID)
	}
	if id, err := model.ParseID(c.Param("entityId")); err == nil {
		return model.EntityRef{Type: model.EntityType(c.Param("entityType")), ID: model.EntityID(id)}
	}
	if id, err := model.ParseID(c.Param("apiKeyId")); err == nil { // it is its user's credentials
		user, _ := s.Registry.KeyUser(id)
		return model.EntityRef{Type: model.EntityUser, ID: model.EntityID(user)}
	}
	for _, n := range named {
		if id, err := model.ParseID(c.Param(n.param)); err == nil {
			return model.EntityRef{Type: n.kind, ID: model.EntityID(id)}
		}
	}
	return model.EntityRef{}
}

func refOf(id EntityID) model.EntityRef {
	return model.EntityRef{Type: model.EntityType(id.EntityType), ID: model.EntityID(id.ID)}
}

// resultOf unwraps the one body that generated answers carry.
func resultOf(answer any) any {
	v := reflect.ValueOf(answer)
	if v.Kind() == reflect.Struct && v.NumField() == 1 && v.Type().Field(0).Anonymous {
		return v.Field(0).Interface()
	}
	return answer
}

// entityOf reads the reference and the name that every entity has on the wire.
func entityOf(answer any) (ref model.EntityRef, name string, ok bool) {
	v := reflect.ValueOf(answer)
	if v.Kind() != reflect.Struct {
		return ref, "", false
	}
	id := v.FieldByName("ID")
	if id.Kind() == reflect.Pointer {
		id = id.Elem()
	}
	if !id.IsValid() {
		return ref, "", false
	}
	wire, ok := id.Interface().(EntityID)
	if !ok {
		return ref, "", false
	}
	for _, field := range []string{"Email", "Title", "Name"} {
		f := v.FieldByName(field)
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if f.Kind() == reflect.String && f.String() != "" {
			name = f.String()
			break
		}
	}
	return refOf(wire), name, true
}

// isNew reports whether the body of a save names no entity that exists.
func isNew(args any) bool {
	body := reflect.Indirect(reflect.Indirect(reflect.ValueOf(args)).FieldByName("Body"))
	if body.Kind() != reflect.Struct {
		return true
	}
	id := body.FieldByName("ID")
	return !id.IsValid() || id.IsZero()
}
