package app

import (
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// A seriesCount tells how many keys a tenant has of those it may have.
type seriesCount struct{ db *tsdb.DB }

// Use implements api.Counted. How much a tenant has is its administrators' affair.
func (c seriesCount) Use(p model.Principal, _ *model.Entity) []model.LimitUse {
	all := []model.LimitUse{{Name: "maxDeviceSeries", Scope: model.LimitOfDevice, Unit: "keys", Limit: c.db.DeviceSeries(), Used: -1}}
	if p.Authority == model.TenantAdmin {
		have, most := c.db.TenantSeries(p.Tenant)
		all = append(all, model.LimitUse{Name: "maxTenantSeries", Scope: model.LimitOfTenant, Unit: "keys", Limit: most, Used: have})
	}
	return all
}
