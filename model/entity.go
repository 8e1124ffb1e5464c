package model

// An EntityType is the wire name of a kind of entity (contract thingsboard 1.3).
type EntityType string

// The entity types that may own series, and those that only appear in references.
const (
	EntityTenant        EntityType = "TENANT"
	EntityCustomer      EntityType = "CUSTOMER"
	EntityUser          EntityType = "USER"
	EntityDashboard     EntityType = "DASHBOARD"
	EntityAsset         EntityType = "ASSET"
	EntityDevice        EntityType = "DEVICE"
	EntityAlarm         EntityType = "ALARM"
	EntityEntityView    EntityType = "ENTITY_VIEW"
	EntityDeviceProfile EntityType = "DEVICE_PROFILE"
	EntityAssetProfile  EntityType = "ASSET_PROFILE"
	EntityTenantProfile EntityType = "TENANT_PROFILE"
)

// An EntityRef points at an entity of unknown existence, as clients send it.
type EntityRef struct {
	Type EntityType
	ID   EntityID
}

// An Entity is what the directory keeps in memory of everything that exists: enough to
// authorize, list, filter and sort without asking SQL.
type Entity struct {
	Tenant    TenantID
	ID        EntityID
	Type      EntityType
	Name      string
	Label     string
	Profile   string     // name of the device or asset profile; "type" on the wire
	ProfileID ID         // zero where the type has no profiles
	Customer  CustomerID // NoCustomer when unassigned
	Created   int64      // ms
}

// Ref returns the reference to e.
func (e *Entity) Ref() EntityRef { return EntityRef{Type: e.Type, ID: e.ID} }

// An Authority is what a user is allowed to be (contract thingsboard 2.4).
type Authority string

// The three authorities.
const (
	SysAdmin     Authority = "SYS_ADMIN"
	TenantAdmin  Authority = "TENANT_ADMIN"
	CustomerUser Authority = "CUSTOMER_USER"
)

// A Principal is who is asking, as a verified token says.
type Principal struct {
	User      UserID
	Tenant    TenantID   // zero for SysAdmin
	Customer  CustomerID // NoCustomer unless CustomerUser
	Authority Authority
	Public    bool  // nobody logged in: a public customer shows itself, and nothing may be changed
	Session   ID    // the login session; revoking it ends every token of it
	Expires   int64 // ms; when the token presented ends
	// Grant narrows what an API token may do, which has neither user nor session. Nil is a
	// person.
	Grant *Grant
	// Key is the API key that stands for the user; zero when none does. It has no session.
	Key ID
}
