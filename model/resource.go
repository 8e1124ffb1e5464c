package model

// The resources of the registry. Each is a plain record: the wire forms belong to the
// dialects, the rules to the registry. Version starts at 1 and grows by one a change; a
// save that carries an older Version is a Conflict, one that carries zero is not checked.

// A Tenant owns everything but other tenants.
type Tenant struct {
	ID      TenantID
	Created int64 // ms
	Version int64
	Title   string
	Region  string
	Profile ID // its tenant profile
	Contact Contact
	// Info is the free JSON object of clients ("additionalInfo"); nil means null.
	Info []byte
}

// A Contact is where a tenant or a customer can be reached.
type Contact struct {
	Country, State, City, Address, Address2, Zip, Phone, Email string
}

// A Customer is a group of users inside a tenant, and the owner of entities.
type Customer struct {
	ID      CustomerID
	Tenant  TenantID
	Created int64 // ms
	Version int64
	Title   string
	Public  bool // the customer of links that need no login
	Contact Contact
	Info    []byte
}

// A User is a person who logs in by e-mail.
type User struct {
	ID        UserID
	Tenant    TenantID   // zero for SysAdmin
	Customer  CustomerID // NoCustomer unless CustomerUser
	Created   int64      // ms
	Version   int64
	Email     string
	Authority Authority
	FirstName string
	LastName  string
	Phone     string
	Enabled   bool
	// Activated says that the user has chosen a password. It changes by activation only.
	Activated bool
	Info      []byte
}

// A DeviceProfile groups devices of a kind; its name is a device's type.
type DeviceProfile struct {
	ID          ID
	Tenant      TenantID
	Created     int64 // ms
	Version     int64
	Name        string
	Description string
	Default     bool
	Transport   string // DEFAULT, MQTT, COAP, LWM2M, SNMP
	// ProvisionType says how devices may make themselves known, with ProvisionKey.
	ProvisionType string
	ProvisionKey  string   // unique among all tenants; "" is none
	Dashboard     EntityID // what a device of the profile opens; zero is none
	Queue         string
	Image         string
	// Data is the client's "profileData", kept as sent; nil means the default one.
	Data []byte
	Info []byte
}

// A Device is the record behind an entity of type DEVICE.
type Device struct {
	ID        EntityID
	Tenant    TenantID
	Customer  CustomerID
	Created   int64 // ms
	Version   int64
	Name      string
	Label     string
	Profile   string // name of the profile, "type" on the wire
	ProfileID ID
	// Data is the client's "deviceData", kept as sent; nil means the default one.
	Data []byte
	Info []byte
}

// A CredentialsType says how a device proves who it is (contract thingsboard 3.2).
type CredentialsType string

// The credential types.
const (
	AccessToken     CredentialsType = "ACCESS_TOKEN"
	X509Certificate CredentialsType = "X509_CERTIFICATE"
	MQTTBasic       CredentialsType = "MQTT_BASIC"
	LwM2M           CredentialsType = "LWM2M_CREDENTIALS"
)

// Credentials let one device in.
type Credentials struct {
	ID      ID
	Tenant  TenantID
	Device  EntityID
	Created int64 // ms
	Version int64
	Type    CredentialsType
	Key     string // "credentialsId": the token, the certificate's hash, the derived name, the endpoint
	Value   string // "credentialsValue": the PEM, the MQTT triple or the LwM2M keys as JSON; "" for tokens
}

// A DashboardRecord is a dashboard; its configuration belongs to the client and comes back
// byte for byte.
type DashboardRecord struct {
	ID            EntityID
	Tenant        TenantID
	Created       int64 // ms
	Version       int64
	Title         string
	Image         string
	MobileHide    bool
	MobileOrder   *int32 // nil is none
	Customers     []CustomerID
	Configuration []byte
}

// A PageLink asks for one page of a list (contract thingsboard 1.4).
type PageLink struct {
	Size, Page int // Page counts from 0
	Search     string
	Sort       string // property as on the wire; "" means newest first
	Descending bool
}

// A Page is one page of a list.
type Page[T any] struct {
	Data  []T
	Total int // elements of all pages
}

// Pages reports how many pages of size there are.
func (p Page[T]) Pages(size int) int {
	if size <= 0 {
		return 0
	}
	return (p.Total + size - 1) / size
}

// An Activity is when a device was last heard (contract thingsboard 3.6). Zero times mean
// never; times are ms.
type Activity struct {
	Active         bool
	LastActivity   int64
	LastConnect    int64
	LastDisconnect int64
	Inactivity     int64 // when it was last found silent
}
