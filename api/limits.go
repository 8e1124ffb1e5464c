package api

import (
	"cmp"
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
)

// Allowances are what tenants may have, and have.
type Allowances interface {
	// TenantLimits returns, from memory, what a tenant's profile allows. It must not be changed.
	TenantLimits(model.TenantID) *model.TenantLimits
	// Count returns, from memory, how many entities of a type a tenant has.
	Count(model.TenantID, model.EntityType) int64
}

// GetLimits answers GET /api/limits.
func (s *Server) GetLimits(ctx context.Context, req GetLimitsRequestObject) (GetLimitsResponseObject, error) {
	p := caller(ctx)
	var device *model.Entity
	if id := req.Params.DeviceID; id != nil {
		e, err := s.guard.Allow(p, auth.Read, model.EntityRef{Type: model.EntityDevice, ID: model.EntityID(*id)})
		if err != nil {
			return nil, err
		}
		device = e
	}
	all := s.quotas(p)
	for _, c := range append([]Counted{s.Quotas}, s.Counted...) {
		all = append(all, c.Use(p, device)...)
	}
	all = append(all, s.ownLimits()...)
	return GetLimits200JSONResponse{Limits: each(all, wireLimit)}, nil
}

// quotas are how many entities of each type the tenant may have. Only its administrators learn
// how many there are.
func (s *Server) quotas(p model.Principal) []model.LimitUse {
	if p.Authority != model.TenantAdmin {
		return nil
	}
	limits := s.Registry.TenantLimits(p.Tenant)
	var all []model.LimitUse
	for _, q := range []struct {
		name string
		kind model.EntityType
	}{
		{"maxDevices", model.EntityDevice}, {"maxAssets", model.EntityAsset}, {"maxCustomers", model.EntityCustomer},
		{"maxUsers", model.EntityUser}, {"maxDashboards", model.EntityDashboard},
	} {
		if most := limits.Of(q.kind); most > 0 {
			all = append(all, model.LimitUse{Name: q.name, Scope: model.LimitOfTenant, Unit: "entities",
				Limit: most, Used: s.Registry.Count(p.Tenant, q.kind)})
		}
	}
	return all
}

// ownLimits are those of each single request.
func (s *Server) ownLimits() []model.LimitUse {
	own := func(name, unit string, most int64) model.LimitUse {
		return model.LimitUse{Name: name, Scope: model.LimitOfServer, Unit: unit, Limit: most, Used: -1}
	}
	l := &s.Limits
	all := []model.LimitUse{
		own("maxBodyBytes", "bytes", l.Body), own("maxDeviceBodyBytes", "bytes", l.DeviceBody),
		own("maxPublicBodyBytes", "bytes", min(l.Body, publicBody)), own("maxHeaderBytes", "bytes", int64(l.Header)),
		own("maxMessageKeys", "keys", int64(l.Keys)), own("maxMessagePoints", "points", int64(l.Points)),
		own("maxValueBytes", "bytes", l.Value), own("maxTimeToLive", "seconds", maxTTL),
		own("maxKeyLength", "characters", thingsboard.MaxKeyLength), own("maxBuckets", "buckets", cmp.Or(l.Buckets, thingsboard.DefaultMaxBuckets)),
		own("maxDatapointsLimit", "points", maxDatapoints), own("maxSecondsToAnswer", "seconds", seconds(l.Timeout)),
		own("maxQueryEntities", "entities", thingsboard.MaxSeriesEntities), own("maxQuerySeries", "series", maxSeries),
		own("maxQueryRows", "rows", thingsboard.MaxSeriesPage), own("maxExportsOfTenant", "exports", maxExports),
	}
	if l.String > 0 {
		all = append(all, own("maxStringLength", "characters", int64(l.String)))
	}
	return all
}

func wireLimit(l *model.LimitUse) LimitUse {
	w := LimitUse{Name: l.Name, Scope: LimitUseScope(l.Scope), Unit: l.Unit, Limit: l.Limit}
	if l.Used >= 0 {
		w.Used, w.Remaining = new(l.Used), new(l.Remaining())
	}
	if l.Window > 0 {
		w.Window = new(seconds(l.Window))
	}
	if l.Window > 0 && l.Used >= 0 {
		w.Reset = new(seconds(l.Reset))
	}
	return w
}
