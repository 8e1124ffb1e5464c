package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// A home is what stock clients keep in the additionalInfo of users, customers and tenants about
// the dashboard they open first.
type home struct {
	Dashboard model.ID `json:"homeDashboardId"`
	Hide      bool     `json:"homeDashboardHideToolbar"`
}

// homeIn reads an additionalInfo. What cannot be read names no dashboard: clients write it.
func homeIn(info []byte) (h home, ok bool) {
	h.Hide = true // what clients take for granted
	return h, len(info) > 0 && json.Unmarshal(info, &h) == nil && !h.Dashboard.IsZero()
}

func (h home) wire() HomeDashboardInfoJSONResponse {
	return HomeDashboardInfoJSONResponse{DashboardID: refOrNull(EntityTypeDASHBOARD, h.Dashboard), HideDashboardToolbar: h.Hide}
}

// homeOf returns where p begins: what its user says, its customer, its tenant; the first that
// names a dashboard which p may see.
func (s *Server) homeOf(ctx context.Context, p model.Principal) (home, error) {
	if p.Authority == model.SysAdmin {
		return home{}, nil
	}
	var infos [][]byte
	if !p.Public && p.Grant == nil {
		u, err := s.Registry.User(ctx, p.Tenant, p.User)
		if err != nil {
			return home{}, err
		}
		infos = append(infos, u.Info)
	}
	if p.Authority == model.CustomerUser {
		c, err := s.Registry.Customer(ctx, p.Tenant, p.Customer)
		if err != nil {
			return home{}, err
		}
		infos = append(infos, c.Info)
	}
	t, err := s.Registry.Tenant(ctx, p.Tenant)
	if err != nil {
		return home{}, err
	}
	for _, info := range append(infos, t.Info) {
		if h, ok := homeIn(info); ok {
			if _, err := s.dashboard(ctx, auth.Read, h.Dashboard); err == nil {
				return h, nil
			}
		}
	}
	return home{}, nil
}

// A homeAnswer is the dashboard where the caller begins, or nothing.
type homeAnswer struct {
	dashboardAnswer
	home home
}

// VisitGetHomeDashboardResponse implements GetHomeDashboardResponseObject.
func (a homeAnswer) VisitGetHomeDashboardResponse(w http.ResponseWriter) error {
	if a.home.Dashboard.IsZero() {
		return (&sender{w: w}).finish([]byte("null"))
	}
	body, err := a.body()
	if err != nil {
		return err
	}
	b := append(bytes.TrimSuffix(body, []byte("}")), `,"hideDashboardToolbar":`...)
	if a.home.Hide {
		b = append(b, "true}"...)
	} else {
		b = append(b, "false}"...)
	}
	return (&sender{w: w}).finish(b)
}

// GetHomeDashboard answers GET /api/dashboard/home.
func (s *Server) GetHomeDashboard(ctx context.Context, _ GetHomeDashboardRequestObject) (GetHomeDashboardResponseObject, error) {
	p := caller(ctx)
	h, err := s.homeOf(ctx, p)
	if err != nil || h.Dashboard.IsZero() {
		return homeAnswer{}, err
	}
	d, err := s.Registry.Dashboard(ctx, p.Tenant, model.EntityID(h.Dashboard))
	if err != nil {
		return nil, err
	}
	a, err := s.answerDashboard(ctx, d)
	return homeAnswer{a, h}, err
}

// GetHomeDashboardInfo answers GET /api/dashboard/home/info.
func (s *Server) GetHomeDashboardInfo(ctx context.Context, _ GetHomeDashboardInfoRequestObject) (GetHomeDashboardInfoResponseObject, error) {
	h, err := s.homeOf(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	return GetHomeDashboardInfo200JSONResponse{h.wire()}, nil
}

// GetTenantHomeDashboardInfo answers GET /api/tenant/dashboard/home/info.
func (s *Server) GetTenantHomeDashboardInfo(ctx context.Context, _ GetTenantHomeDashboardInfoRequestObject) (GetTenantHomeDashboardInfoResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	t, err := s.Registry.Tenant(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	h, ok := homeIn(t.Info)
	if !ok {
		h = home{}
	}
	return GetTenantHomeDashboardInfo200JSONResponse{h.wire()}, nil
}

// SetTenantHomeDashboardInfo answers POST /api/tenant/dashboard/home/info. It is all that a
// tenant's administrators may change of their tenant.
func (s *Server) SetTenantHomeDashboardInfo(ctx context.Context, req SetTenantHomeDashboardInfoRequestObject) (SetTenantHomeDashboardInfoResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	t, err := s.Registry.Tenant(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	info := map[string]json.RawMessage{}
	if len(t.Info) > 0 {
		if err := json.Unmarshal(t.Info, &info); err != nil {
			return nil, err
		}
	}
	delete(info, "homeDashboardId")
	delete(info, "homeDashboardHideToolbar")
	if ref := req.Body.DashboardID; ref != nil {
		e, err := s.dashboard(ctx, auth.Read, ref.ID)
		if err != nil {
			return nil, err
		}
		info["homeDashboardId"] = json.RawMessage(`"` + model.ID(e.ID).String() + `"`)
		info["homeDashboardHideToolbar"] = json.RawMessage("false")
		if req.Body.HideDashboardToolbar {
			info["homeDashboardHideToolbar"] = json.RawMessage("true")
		}
	}
	if t.Info, err = json.Marshal(info); err != nil {
		return nil, err
	}
	if err := s.Registry.SaveTenant(ctx, t); err != nil {
		return nil, err
	}
	return SetTenantHomeDashboardInfo200Response{}, nil
}
