package model

// The filters of the registry's lists. A zero field filters nothing.

// A TenantFilter narrows a list of tenants.
type TenantFilter struct{}

// A CustomerFilter narrows a list of customers.
type CustomerFilter struct{}

// A UserFilter narrows a list of users.
type UserFilter struct {
	Customer  CustomerID
	Authority Authority
}

// A DeviceProfileFilter narrows a list of device profiles.
type DeviceProfileFilter struct{}

// A DeviceFilter narrows a list of devices.
type DeviceFilter struct {
	Type     string // profile name
	Profile  ID
	Customer CustomerID
	// Active answers for WithActive and for the sort property "active". Nil means that
	// nobody is.
	Active     func(EntityID) bool
	WithActive *bool
}

// A DashboardFilter narrows a list of dashboards.
type DashboardFilter struct {
	Customer CustomerID
}
