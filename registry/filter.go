package registry

import "github.com/tidewire/tidewire/model"

// The filters of lists are model's, so that who asks need not know who keeps.
type (
	TenantFilter        = model.TenantFilter
	CustomerFilter      = model.CustomerFilter
	UserFilter          = model.UserFilter
	DeviceProfileFilter = model.DeviceProfileFilter
	DeviceFilter        = model.DeviceFilter
	DashboardFilter     = model.DashboardFilter
)
