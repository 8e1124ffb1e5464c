package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// dashboard authorizes op on a dashboard.
func (s *Server) dashboard(ctx context.Context, op auth.Op, id model.ID) (*model.Entity, error) {
	return s.guard.Allow(caller(ctx), op, model.EntityRef{Type: model.EntityDashboard, ID: model.EntityID(id)})
}

func (s *Server) wireDashboardInfo(ctx context.Context, seen customers, d *model.DashboardRecord) (DashboardInfo, error) {
	info := DashboardInfo{
		ID: wireID(EntityTypeDASHBOARD, d.ID), CreatedTime: d.Created, Version: d.Version,
		TenantID: tenantRef(d.Tenant), Title: d.Title, Name: d.Title,
		Image: orNull(d.Image), MobileHide: d.MobileHide, AssignedCustomers: []AssignedCustomer{},
	}
	if d.MobileOrder != nil {
		info.MobileOrder = new(int(*d.MobileOrder))
	}
	for _, id := range d.Customers {
		if p := caller(ctx); p.Authority == model.CustomerUser && id != p.Customer {
			continue // who else sees it is not the customer's business
		}
		c, err := s.customerNamed(ctx, seen, d.Tenant, id)
		if err != nil {
			return info, err
		}
		if c != nil {
			info.AssignedCustomers = append(info.AssignedCustomers,
				AssignedCustomer{CustomerID: customerRef(id), Title: c.Title, Public: c.Public})
		}
	}
	return info, nil
}

// A dashboardAnswer is a dashboard whose configuration goes out as it came in: the generated
// encoder would compact and escape it.
type dashboardAnswer struct {
	info          DashboardInfo
	configuration []byte
}

func (s *Server) answerDashboard(ctx context.Context, d *model.DashboardRecord) (dashboardAnswer, error) {
	info, err := s.wireDashboardInfo(ctx, customers{}, d)
	return dashboardAnswer{info: info, configuration: d.Configuration}, err
}

func (a dashboardAnswer) write(w http.ResponseWriter) error {
	body, err := a.body()
	if err != nil {
		return err
	}
	return (&sender{w: w}).finish(body)
}

func (a dashboardAnswer) body() ([]byte, error) {
	head, err := json.Marshal(a.info)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(head, []byte("}")))
	b.WriteString(`,"configuration":`)
	if len(a.configuration) == 0 {
		b.WriteString("null")
	}
	b.Write(a.configuration)
	b.WriteByte('}')
	return b.Bytes(), nil
}

// VisitSaveDashboardResponse implements SaveDashboardResponseObject.
func (a dashboardAnswer) VisitSaveDashboardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetDashboardResponse implements GetDashboardResponseObject.
func (a dashboardAnswer) VisitGetDashboardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitAssignDashboardToCustomerResponse implements AssignDashboardToCustomerResponseObject.
func (a dashboardAnswer) VisitAssignDashboardToCustomerResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitAssignDashboardToPublicCustomerResponse implements AssignDashboardToPublicCustomerResponseObject.
func (a dashboardAnswer) VisitAssignDashboardToPublicCustomerResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitUnassignDashboardFromPublicCustomerResponse implements UnassignDashboardFromPublicCustomerResponseObject.
func (a dashboardAnswer) VisitUnassignDashboardFromPublicCustomerResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitUnassignDashboardFromCustomerResponse implements UnassignDashboardFromCustomerResponseObject.
func (a dashboardAnswer) VisitUnassignDashboardFromCustomerResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// SaveDashboard answers POST /api/dashboard.
func (s *Server) SaveDashboard(ctx context.Context, req SaveDashboardRequestObject) (SaveDashboardResponseObject, error) {
	p, b := caller(ctx), req.Body
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	d := &model.DashboardRecord{Tenant: p.Tenant}
	if b.ID != nil {
		e, err := s.dashboard(ctx, auth.Write, b.ID.ID)
		if err != nil {
			return nil, err
		}
		if d, err = s.Registry.Dashboard(ctx, e.Tenant, e.ID); err != nil {
			return nil, err
		}
	}
	var err error
	if d.Configuration, err = object("configuration", b.Configuration); err != nil {
		return nil, err
	}
	d.Title, d.Version = b.Title, versionOf(b.Version)
	d.Image, d.MobileHide, d.MobileOrder = orEmpty(b.Image), valueOf(b.MobileHide), b.MobileOrder
	if err := s.Registry.SaveDashboard(ctx, d); err != nil {
		return nil, err
	}
	return s.answerDashboard(ctx, d)
}

// readDashboard returns the record of a dashboard the caller may read.
func (s *Server) readDashboard(ctx context.Context, id model.ID) (*model.DashboardRecord, error) {
	e, err := s.dashboard(ctx, auth.Read, id)
	if err != nil {
		return nil, err
	}
	return s.Registry.Dashboard(ctx, e.Tenant, e.ID)
}

// GetDashboard answers GET /api/dashboard/{dashboardId}.
func (s *Server) GetDashboard(ctx context.Context, req GetDashboardRequestObject) (GetDashboardResponseObject, error) {
	d, err := s.readDashboard(ctx, req.DashboardID)
	if err != nil {
		return nil, err
	}
	return s.answerDashboard(ctx, d)
}

// GetDashboardInfo answers GET /api/dashboard/info/{dashboardId}.
func (s *Server) GetDashboardInfo(ctx context.Context, req GetDashboardInfoRequestObject) (GetDashboardInfoResponseObject, error) {
	d, err := s.readDashboard(ctx, req.DashboardID)
	if err != nil {
		return nil, err
	}
	info, err := s.wireDashboardInfo(ctx, customers{}, d)
	if err != nil {
		return nil, err
	}
	return GetDashboardInfo200JSONResponse(info), nil
}

// DeleteDashboard answers DELETE /api/dashboard/{dashboardId}.
func (s *Server) DeleteDashboard(ctx context.Context, req DeleteDashboardRequestObject) (DeleteDashboardResponseObject, error) {
	e, err := s.dashboard(ctx, auth.Delete, req.DashboardID)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DeleteDashboard(ctx, e.Tenant, e.ID); err != nil {
		return nil, err
	}
	return DeleteDashboard200Response{}, nil
}

// GetTenantDashboards answers GET /api/tenant/dashboards.
func (s *Server) GetTenantDashboards(ctx context.Context, req GetTenantDashboardsRequestObject) (GetTenantDashboardsResponseObject, error) {
	p, q := caller(ctx), req.Params
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	list, err := s.dashboards(ctx, p.Tenant, model.DashboardFilter{}, q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetTenantDashboards200JSONResponse{list}, nil
}

// GetCustomerDashboards answers GET /api/customer/{customerId}/dashboards.
func (s *Server) GetCustomerDashboards(ctx context.Context, req GetCustomerDashboardsRequestObject) (GetCustomerDashboardsResponseObject, error) {
	c, err := s.customer(ctx, auth.Read, req.CustomerID)
	if err != nil {
		return nil, err
	}
	q := req.Params
	list, err := s.dashboards(ctx, c.Tenant, model.DashboardFilter{Customer: model.CustomerID(c.ID)},
		q.PageSize, q.Page, q.TextSearch, q.SortProperty, q.SortOrder)
	if err != nil {
		return nil, err
	}
	return GetCustomerDashboards200JSONResponse{list}, nil
}

func (s *Server) dashboards(ctx context.Context, t model.TenantID, f model.DashboardFilter,
	size, number int, search, property, order *string,
) (PageDashboardInfoJSONResponse, error) {
	link, err := linkOf(size, number, search, property, order)
	if err != nil {
		return PageDashboardInfoJSONResponse{}, err
	}
	list, err := s.Registry.Dashboards(ctx, t, f, link)
	if err != nil {
		return PageDashboardInfoJSONResponse{}, err
	}
	seen := customers{}
	data := make([]DashboardInfo, len(list.Data))
	for i := range list.Data {
		if data[i], err = s.wireDashboardInfo(ctx, seen, &list.Data[i]); err != nil {
			return PageDashboardInfoJSONResponse{}, err
		}
	}
	n := pageOf(list, link)
	return PageDashboardInfoJSONResponse{Data: data, TotalPages: n.pages, TotalElements: n.total, HasNext: n.hasNext}, nil
}

// AssignDashboardToCustomer answers POST /api/customer/{customerId}/dashboard/{dashboardId}.
func (s *Server) AssignDashboardToCustomer(ctx context.Context, req AssignDashboardToCustomerRequestObject) (AssignDashboardToCustomerResponseObject, error) {
	return s.assignDashboard(ctx, req.CustomerID, req.DashboardID, true)
}

// UnassignDashboardFromCustomer answers DELETE /api/customer/{customerId}/dashboard/{dashboardId}.
func (s *Server) UnassignDashboardFromCustomer(ctx context.Context, req UnassignDashboardFromCustomerRequestObject) (UnassignDashboardFromCustomerResponseObject, error) {
	return s.assignDashboard(ctx, req.CustomerID, req.DashboardID, false)
}

// AssignDashboardToPublicCustomer answers POST /api/customer/public/dashboard/{dashboardId}.
func (s *Server) AssignDashboardToPublicCustomer(ctx context.Context, req AssignDashboardToPublicCustomerRequestObject) (AssignDashboardToPublicCustomerResponseObject, error) {
	return s.publishDashboard(ctx, req.DashboardID, true)
}

// UnassignDashboardFromPublicCustomer answers DELETE /api/customer/public/dashboard/{dashboardId}.
func (s *Server) UnassignDashboardFromPublicCustomer(ctx context.Context, req UnassignDashboardFromPublicCustomerRequestObject) (UnassignDashboardFromPublicCustomerResponseObject, error) {
	return s.publishDashboard(ctx, req.DashboardID, false)
}

func (s *Server) publishDashboard(ctx context.Context, dashboard model.ID, shown bool) (dashboardAnswer, error) {
	e, err := s.dashboard(ctx, auth.Assign, dashboard)
	if err != nil {
		return dashboardAnswer{}, err
	}
	c, err := s.Registry.PublicCustomer(ctx, e.Tenant)
	if err != nil {
		return dashboardAnswer{}, err
	}
	return s.assignDashboard(ctx, model.ID(c.ID), dashboard, shown)
}

func (s *Server) assignDashboard(ctx context.Context, customer, dashboard model.ID, assigned bool) (dashboardAnswer, error) {
	e, err := s.dashboard(ctx, auth.Assign, dashboard)
	if err != nil {
		return dashboardAnswer{}, err
	}
	c, err := s.customer(ctx, auth.Read, customer)
	if err != nil {
		return dashboardAnswer{}, err
	}
	d, err := s.Registry.AssignDashboard(ctx, e.Tenant, e.ID, model.CustomerID(c.ID), assigned)
	if err != nil {
		return dashboardAnswer{}, err
	}
	return s.answerDashboard(ctx, d)
}
