package registry

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Options of Open.
type Options struct {
	Dir    string
	Keys   *Keys
	Now    func() time.Time
	Random io.Reader
}

// Keys are the secrets kept outside the database (file keys.json, mode 0600, in the data directory).
type Keys struct {
	Lookup [32]byte // HMAC-SHA-256 of device credentials
	Seal   [32]byte // AES-256-GCM of device credentials
	Tokens [64]byte // HS512 of access and refresh tokens
}

// OpenKeys loads dir/keys.json or creates it at the first run.
func OpenKeys(dir string, random io.Reader) (*Keys, error) { panic("registry: not yet") }

// Eraser removes what the engine holds of an entity. Idempotent.
type Eraser interface {
	DeleteEntity(ctx context.Context, tenant model.TenantID, entity model.EntityID) (model.Position, error)
}

type Registry struct{}

func Open(ctx context.Context, o Options) (*Registry, error) { panic("registry: not yet") }
func (r *Registry) Start(e Eraser)                           { panic("registry: not yet") } // starts the outbox worker
func (r *Registry) Close() error                             { panic("registry: not yet") }

// directory
func (r *Registry) Entity(t model.TenantID, id model.EntityID) (*model.Entity, bool) {
	panic("registry: not yet")
}
func (r *Registry) Lookup(id model.EntityID) (*model.Entity, bool)   { panic("registry: not yet") }
func (r *Registry) DeviceByToken(token string) (*model.Entity, bool) { panic("registry: not yet") }
func (r *Registry) Entities(t model.TenantID, typ model.EntityType) iter.Seq[*model.Entity] {
	panic("registry: not yet")
}
func (r *Registry) Assigned(dashboard model.EntityID, c model.CustomerID) bool {
	panic("registry: not yet")
}

// tenants
type TenantFilter struct{}

func (r *Registry) SaveTenant(ctx context.Context, t *model.Tenant) error { panic("registry: not yet") }
func (r *Registry) Tenant(ctx context.Context, id model.TenantID) (*model.Tenant, error) {
	panic("registry: not yet")
}
func (r *Registry) DeleteTenant(ctx context.Context, id model.TenantID) error {
	panic("registry: not yet")
}
func (r *Registry) Tenants(ctx context.Context, f TenantFilter, l model.PageLink) (model.Page[model.Tenant], error) {
	panic("registry: not yet")
}

// customers
type CustomerFilter struct{}

func (r *Registry) SaveCustomer(ctx context.Context, c *model.Customer) error {
	panic("registry: not yet")
}
func (r *Registry) Customer(ctx context.Context, t model.TenantID, id model.CustomerID) (*model.Customer, error) {
	panic("registry: not yet")
}
func (r *Registry) CustomerByTitle(ctx context.Context, t model.TenantID, title string) (*model.Customer, error) {
	panic("registry: not yet")
}
func (r *Registry) PublicCustomer(ctx context.Context, t model.TenantID) (*model.Customer, error) {
	panic("registry: not yet")
}
func (r *Registry) DeleteCustomer(ctx context.Context, t model.TenantID, id model.CustomerID) error {
	panic("registry: not yet")
}
func (r *Registry) Customers(ctx context.Context, t model.TenantID, f CustomerFilter, l model.PageLink) (model.Page[model.Customer], error) {
	panic("registry: not yet")
}

// users; the zero tenant is the one of system administrators
type UserFilter struct {
	Customer  model.CustomerID // zero: any
	Authority model.Authority  // "": any
}

func (r *Registry) SaveUser(ctx context.Context, u *model.User) error { panic("registry: not yet") }
func (r *Registry) User(ctx context.Context, t model.TenantID, id model.UserID) (*model.User, error) {
	panic("registry: not yet")
}
func (r *Registry) DeleteUser(ctx context.Context, t model.TenantID, id model.UserID) error {
	panic("registry: not yet")
}
func (r *Registry) Users(ctx context.Context, t model.TenantID, f UserFilter, l model.PageLink) (model.Page[model.User], error) {
	panic("registry: not yet")
}
func (r *Registry) UserCount(ctx context.Context) (int, error) { panic("registry: not yet") } // 0 at the first run

// device profiles
type DeviceProfileFilter struct{}

func (r *Registry) SaveDeviceProfile(ctx context.Context, p *model.DeviceProfile) error {
	panic("registry: not yet")
}
func (r *Registry) DeviceProfile(ctx context.Context, t model.TenantID, id model.ID) (*model.DeviceProfile, error) {
	panic("registry: not yet")
}
func (r *Registry) DefaultDeviceProfile(ctx context.Context, t model.TenantID) (*model.DeviceProfile, error) {
	panic("registry: not yet")
}
func (r *Registry) SetDefaultDeviceProfile(ctx context.Context, t model.TenantID, id model.ID) (*model.DeviceProfile, error) {
	panic("registry: not yet")
}
func (r *Registry) DeleteDeviceProfile(ctx context.Context, t model.TenantID, id model.ID) error {
	panic("registry: not yet")
}
func (r *Registry) DeviceProfiles(ctx context.Context, t model.TenantID, f DeviceProfileFilter, l model.PageLink) (model.Page[model.DeviceProfile], error) {
	panic("registry: not yet")
}

// devices; SaveDevice keeps the stored Customer on update (AssignDevice changes it)
type DeviceFilter struct {
	Type       string                    // profile name; "": any
	Profile    model.ID                  // zero: any
	Customer   model.CustomerID          // zero: any
	Active     func(model.EntityID) bool // answers for WithActive and for sort property "active"; nil: nobody is
	WithActive *bool                     // nil: any
}

func (r *Registry) SaveDevice(ctx context.Context, d *model.Device) error { panic("registry: not yet") } // creates with a random token
func (r *Registry) CreateDevice(ctx context.Context, d *model.Device, token string) error {
	panic("registry: not yet")
}
func (r *Registry) CreateDeviceWithCredentials(ctx context.Context, d *model.Device, c *model.Credentials) error {
	panic("registry: not yet")
}
func (r *Registry) Device(ctx context.Context, t model.TenantID, id model.EntityID) (*model.Device, error) {
	panic("registry: not yet")
}
func (r *Registry) DeviceByName(ctx context.Context, t model.TenantID, name string) (*model.Device, error) {
	panic("registry: not yet")
}
func (r *Registry) DevicesByID(ctx context.Context, t model.TenantID, ids []model.EntityID) ([]model.Device, error) {
	panic("registry: not yet")
}
func (r *Registry) Devices(ctx context.Context, t model.TenantID, f DeviceFilter, l model.PageLink) (model.Page[model.Device], error) {
	panic("registry: not yet")
}
func (r *Registry) DeleteDevice(ctx context.Context, t model.TenantID, id model.EntityID) error {
	panic("registry: not yet")
}

// AssignDevice gives the device to a customer; NoCustomer takes it back.
func (r *Registry) AssignDevice(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID) (*model.Device, error) {
	panic("registry: not yet")
}
func (r *Registry) DeviceTypes(t model.TenantID) []string { panic("registry: not yet") } // sorted
func (r *Registry) Credentials(ctx context.Context, t model.TenantID, device model.EntityID) (*model.Credentials, error) {
	panic("registry: not yet")
}
func (r *Registry) SaveCredentials(ctx context.Context, c *model.Credentials) error {
	panic("registry: not yet")
}

// dashboards; lists carry no Configuration
type DashboardFilter struct {
	Customer model.CustomerID // zero: any
}

func (r *Registry) SaveDashboard(ctx context.Context, d *model.DashboardRecord) error {
	panic("registry: not yet")
}
func (r *Registry) Dashboard(ctx context.Context, t model.TenantID, id model.EntityID) (*model.DashboardRecord, error) {
	panic("registry: not yet")
}
func (r *Registry) DeleteDashboard(ctx context.Context, t model.TenantID, id model.EntityID) error {
	panic("registry: not yet")
}
func (r *Registry) Dashboards(ctx context.Context, t model.TenantID, f DashboardFilter, l model.PageLink) (model.Page[model.DashboardRecord], error) {
	panic("registry: not yet")
}
func (r *Registry) AssignDashboard(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID, assigned bool) (*model.DashboardRecord, error) {
	panic("registry: not yet")
}

// auth.Store
func (r *Registry) Account(ctx context.Context, email string) (*model.Account, error) {
	panic("registry: not yet")
}
func (r *Registry) AccountByID(ctx context.Context, id model.UserID) (*model.Account, error) {
	panic("registry: not yet")
}
func (r *Registry) SetPassword(ctx context.Context, id model.UserID, hash string) error {
	panic("registry: not yet")
}
func (r *Registry) CreateSession(ctx context.Context, s *model.Session) error {
	panic("registry: not yet")
}
func (r *Registry) RotateSession(ctx context.Context, id model.ID, from, to [32]byte, expires int64) error {
	panic("registry: not yet")
}
func (r *Registry) EndSession(ctx context.Context, id model.ID) error { panic("registry: not yet") }
func (r *Registry) EndSessions(ctx context.Context, user model.UserID) error {
	panic("registry: not yet")
}
func (r *Registry) SessionAlive(id model.ID) bool { panic("registry: not yet") }
func (r *Registry) SaveSetupLink(ctx context.Context, l *model.SetupLink) error {
	panic("registry: not yet")
}
func (r *Registry) RedeemSetupLink(ctx context.Context, hash [32]byte, password string) (*model.Account, error) {
	panic("registry: not yet")
}
