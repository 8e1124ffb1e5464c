package model

import "fmt"

// A TenantProfile says what tenants may take. System administrators own it.
type TenantProfile struct {
	ID          ID
	Created     int64 // ms
	Version     int64
	Name        string
	Description string
	Default     bool // the profile of tenants that name none
	Isolated    bool // a wish about rule engines that clients keep here
	// Data is the client's "profileData", kept as sent; nil means the default one. What is
	// read of it is TenantLimits.
	Data []byte
}

// TenantLimits is what a tenant's profile allows. Zero means no limit (contract thingsboard 17).
type TenantLimits struct {
	Devices, Assets, Customers, Users, Dashboards int64
	// StorageTTLDays is how long telemetry is kept that does not say it itself.
	StorageTTLDays int64
	// Sessions and Subscriptions bound open sockets and what is subscribed to over them.
	Sessions, Subscriptions SocketLimits
	// Rates are the limits over time; HasRates says that there is any.
	Rates    [RateLimitCount][]Rate
	HasRates bool
}

// SocketLimits bound what a tenant, each customer, each user and all who hold the same public
// link may have at once over sockets. Zero means no limit.
type SocketLimits struct{ Tenant, Customer, User, Public int64 }

// Of returns the limit of a type of entity.
func (l *TenantLimits) Of(t EntityType) int64 {
	switch t {
	case EntityDevice:
		return l.Devices
	case EntityAsset:
		return l.Assets
	case EntityCustomer:
		return l.Customers
	case EntityUser:
		return l.Users
	case EntityDashboard:
		return l.Dashboards
	}
	return 0
}

// A LimitError says that a tenant has as many entities of a type as its profile allows.
type LimitError struct {
	Type  EntityType
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("limit of %d %s entities reached", e.Limit, e.Type)
}

// Unwrap gives the error its kind and its words for clients.
func (e *LimitError) Unwrap() error { return Errorf(Quota, "%s limit reached", e.Type) }
