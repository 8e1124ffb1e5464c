package api

import (
	"cmp"
	"context"
	"io/fs"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
)

// Deps is what a Server works with. Fields without a comment on nil are required.
type Deps struct {
	Auth     *auth.Service
	Guard    *auth.Guard
	Registry Registry
	Store    Store
	Writer   Writer
	// Finder answers entity queries, those of the sockets too. Nil means one of its own.
	Finder *entityquery.Finder
	// Activity tells when devices were last heard. Nil means nobody ever was.
	Activity Activity

	// Quotas count requests and messages over time. Nil means that nothing is limited so.
	Quotas Quotas
	// Counted know more limits in force, for GET /api/limits.
	Counted []Counted

	// Backups writes backups. Nil means that there are none.
	Backups Backups
	Losses  Losses // what damage has taken
	// Mail carries messages to people.
	Mail Mail

	// Live answers the WebSocket routes. Nil means they do not exist.
	Live http.Handler
	// Events answers GET /api/live, or returns why it does not. Nil means there are none.
	Events func(http.ResponseWriter, *http.Request, model.Principal) error
	// Metrics answers GET /metrics. Nil means there are none.
	Metrics http.Handler
	// Ready says why the server does not take requests yet, or no longer. Nil means it does.
	Ready func() error
	// Assets is the built web app. Nil means there is none.
	Assets fs.FS

	// SetupToken opens POST /api/noauth/setup to its bearer, once. "" means the first run
	// is done.
	SetupToken string
	// PublicURL is the address clients reach the server under, for links it hands out. ""
	// means the one the request came to.
	PublicURL string
	// LocalURL is where links lead that somebody not known asked for, when PublicURL is "".
	LocalURL string
	// UserTokens lets administrators log in as the users below them, and make API keys of theirs.
	UserTokens bool
	// TrustedProxies are the networks whose X-Forwarded-For and X-Forwarded-Proto count.
	// None means that the peer is the client.
	TrustedProxies []netip.Prefix

	// CORSOrigins are the origins, in small letters, whose pages may call the API and open
	// sockets, beside the server's own. "*" is every one. None means none.
	CORSOrigins []string

	// KeepNumericStrings stores strings such as "42" as strings and refuses integers beyond 64
	// bits (contract thingsboard 4.2).
	KeepNumericStrings bool
	// Zone is the server's time zone: calendar buckets fall back to it. Nil means UTC.
	Zone   *time.Location
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means none
	Limits Limits
}

// Limits bounds what one request may cost. A zero field means its default.
type Limits struct {
	Body       int64         // bytes of a body of /api/**; zero means 16 MiB
	DeviceBody int64         // bytes of a body of /api/v1/**; zero means 50 MiB
	Keys       int           // keys of one message; zero means 10,000
	Points     int           // points of one message; zero means 2,000,000
	String     int           // characters of a string value; zero bounds nothing but Value
	Value      int64         // bytes of a value, as the store has it; zero means 1 MiB
	Header     int           // bytes of the header; zero means 64 KiB
	Buckets    int64         // buckets of one aggregate query; zero means 700
	Timeout    time.Duration // of a call into the server; zero means 30 s
	Drain      time.Duration // what Serve grants open requests when it ends; zero means 15 s
}

func (d Deps) withDefaults() Deps {
	d.Limits.Body = cmp.Or(d.Limits.Body, 16<<20)
	d.Limits.DeviceBody = cmp.Or(d.Limits.DeviceBody, 50<<20)
	d.Limits.Keys = cmp.Or(d.Limits.Keys, 10_000)
	d.Limits.Points = cmp.Or(d.Limits.Points, 2_000_000)
	d.Limits.Value = cmp.Or(d.Limits.Value, 1<<20)
	d.Limits.Header = cmp.Or(d.Limits.Header, 64<<10)
	d.Limits.Timeout = cmp.Or(d.Limits.Timeout, 30*time.Second)
	d.Limits.Drain = cmp.Or(d.Limits.Drain, 15*time.Second)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Quotas == nil {
		d.Quotas = unlimited{}
	}
	if d.Zone == nil {
		d.Zone = time.UTC
	}
	return d
}

// Store is what is read and deleted of series. Slices given to yield are reused, the text
// of their values is not.
type Store interface {
	Keys(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope) ([]string, error)
	Latest(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error)
	Raw(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.Position, error)
	Aggregate(ctx context.Context, q *model.RangeQuery, yield func(key string, buckets []model.Bucket) error) (model.Position, error)
	// RawPage is Raw for pages: what has more, and a cursor to go on.
	RawPage(ctx context.Context, q *model.RangeQuery, yield func(key string, points []model.Point) error) (model.RawPage, error)
	// RawMany and AggregateMany answer queries one after the other, AggregateGroups adds their
	// series up. The budget is that of the whole call.
	RawMany(ctx context.Context, b model.Budget, qs []model.RangeQuery, yield func(i int, key string, points []model.Point) error) ([]model.Position, error)
	AggregateMany(ctx context.Context, b model.Budget, qs []model.RangeQuery, yield func(i int, key string, buckets []model.Bucket) error) ([]model.Position, error)
	AggregateGroups(ctx context.Context, b model.Budget, over *model.RangeQuery, qs []model.RangeQuery, n int, group func(i, key int) int, yield func(group int, buckets []model.Bucket) error) ([]model.Position, error)
	// Buckets returns how many buckets a query has, with points or without, and their bounds.
	Buckets(q *model.RangeQuery) (n int64, bounds iter.Seq2[int64, int64], err error)
	// Revisions tells every value that instants had, of those of which originals are kept.
	Revisions(ctx context.Context, q *model.RangeQuery, yield func(key string, revisions []model.Revision) error) (model.Position, error)
	// StateAt is what Latest was at an instant, ms.
	StateAt(ctx context.Context, tenant model.TenantID, entity model.EntityID, scope model.Scope, keys []string, at int64) (model.Snapshot, error)
	Delete(ctx context.Context, d model.DeleteRange) (model.Position, error)
	LatestColumns(ctx context.Context, t model.TenantID, keys []model.ScopeKey) (model.LatestView, error)
	// Forecast tells what retention would delete now of the entities of a tenant.
	Forecast(ctx context.Context, tenant model.TenantID, retention model.Retention, fn func(model.EntityID, model.Forecast) error) error
}

// Writer is the one way in. Sets are the caller's again when a method returns, which is when
// they are durable and visible.
type Writer interface {
	// Write takes what the entity says itself: a sign that a device lives.
	Write(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error
	// Save takes what somebody else says of it.
	Save(ctx context.Context, e *model.Entity, sets ...*model.WriteSet) error
}

// Mail makes and sends a message behind the caller's back; a nil message is none. Post never
// waits; it fails with Overload when too many wait.
type Mail interface {
	Post(job func(context.Context) (*model.Mail, error)) error
}

// Activity answers from memory when a device was last heard; false when it never was.
type Activity interface {
	Activity(device model.EntityID) (model.Activity, bool)
	// Heard notes a message of a device that the Writer does not see.
	Heard(device *model.Entity)
}

// Registry is what exists. Save creates where the id is zero, filling id, creation time and
// version in, and else updates with a version check; absent records are NotFound.
type Registry interface {
	Directory
	Tenants
	TenantProfiles
	Customers
	Users
	LoginSessions
	APITokens
	APIKeys
	Devices
	Credentials
	DeviceProfiles
	Assets
	AssetProfiles
	EntityViews
	Relations
	Dashboards
	Retentions
	Audits
	Allowances
}

// Audits are who did what. Audit never waits, and queries see all that was noted before.
type Audits interface {
	Audit(model.AuditEntry)
	AuditLog(context.Context, model.AuditFilter, model.PageLink) (model.Page[model.AuditEntry], error)
	WalkAudit(context.Context, model.AuditFilter, func(*model.AuditEntry) error) error
}

// Retentions are kept in the registry. Policies are shared and must not be changed.
type Retentions interface {
	Retention(model.TenantID) *model.RetentionPolicy
	SaveRetention(context.Context, model.TenantID, *model.RetentionPolicy) error
	KeepBy(*model.RetentionPolicy) model.Retention
}

// Directory answers from memory. Entities are shared and must not be changed.
type Directory interface {
	Entity(model.TenantID, model.EntityID) (*model.Entity, bool)
	// Lookup returns an entity whoever owns it.
	Lookup(model.EntityID) (*model.Entity, bool)
	Entities(model.TenantID, model.EntityType) iter.Seq[*model.Entity]
	DeviceByToken(token string) (*model.Entity, bool)
	// Details returns the fields that are not in memory; it is the one method here that asks SQL.
	Details(context.Context, model.TenantID, model.EntityType, []model.EntityID) (map[model.EntityID]map[string]string, error)
}

// Tenants are kept in the registry.
type Tenants interface {
	SaveTenant(context.Context, *model.Tenant) error
	Tenant(context.Context, model.TenantID) (*model.Tenant, error)
	DeleteTenant(context.Context, model.TenantID) error
	Tenants(context.Context, model.TenantFilter, model.PageLink) (model.Page[model.Tenant], error)
}

// TenantProfiles are kept in the registry.
type TenantProfiles interface {
	SaveTenantProfile(context.Context, *model.TenantProfile) error
	TenantProfile(context.Context, model.ID) (*model.TenantProfile, error)
	TenantProfiles(context.Context, model.PageLink) (model.Page[model.TenantProfile], error)
	DefaultTenantProfile(context.Context) (*model.TenantProfile, error)
	SetDefaultTenantProfile(context.Context, model.ID) (*model.TenantProfile, error)
	DeleteTenantProfile(context.Context, model.ID) error
}

// Customers are kept in the registry.
type Customers interface {
	SaveCustomer(context.Context, *model.Customer) error
	Customer(context.Context, model.TenantID, model.CustomerID) (*model.Customer, error)
	CustomerByTitle(context.Context, model.TenantID, string) (*model.Customer, error)
	PublicCustomer(context.Context, model.TenantID) (*model.Customer, error)
	DeleteCustomer(context.Context, model.TenantID, model.CustomerID) error
	Customers(context.Context, model.TenantID, model.CustomerFilter, model.PageLink) (model.Page[model.Customer], error)
}

// Users are kept in the registry; those of the zero tenant are system administrators.
type Users interface {
	SaveUser(context.Context, *model.User) error
	User(context.Context, model.TenantID, model.UserID) (*model.User, error)
	EnableUser(ctx context.Context, t model.TenantID, id model.UserID, enabled bool) error
	DeleteUser(context.Context, model.TenantID, model.UserID) error
	Users(context.Context, model.TenantID, model.UserFilter, model.PageLink) (model.Page[model.User], error)
}

// LoginSessions are the logins of people, newest first.
type LoginSessions interface {
	Sessions(context.Context, model.UserID) ([]*model.Session, error)
	EndSessionOf(ctx context.Context, user model.UserID, id model.ID) error
	EndSessions(context.Context, model.UserID) error
}

// APITokens are what programs log in with; auth makes them.
type APITokens interface {
	Token(context.Context, model.TenantID, model.ID) (*model.APIToken, error)
	Tokens(context.Context, model.TenantID, model.PageLink) (model.Page[model.APIToken], error)
	RevokeToken(context.Context, model.TenantID, model.ID) error
	RevokeTokens(context.Context, model.TenantID) (int, error)
}

// APIKeys are what programs log in with in place of users; auth makes them.
type APIKeys interface {
	Key(context.Context, model.ID) (*model.APIKey, error)
	Keys(context.Context, model.UserID, model.PageLink) (model.Page[model.APIKey], error)
	DescribeKey(ctx context.Context, id model.ID, description string) (*model.APIKey, error)
	EnableKey(ctx context.Context, id model.ID, enabled bool) (*model.APIKey, error)
	DeleteKey(context.Context, model.ID) error
	// KeyUser says from memory whose a key is.
	KeyUser(model.ID) (model.UserID, bool)
}

// Devices are kept in the registry. SaveDevice keeps the customer of a device that exists.
type Devices interface {
	SaveDevice(context.Context, *model.Device) error
	CreateDevice(ctx context.Context, d *model.Device, token string) error
	CreateDeviceWithCredentials(context.Context, *model.Device, *model.Credentials) error
	Device(context.Context, model.TenantID, model.EntityID) (*model.Device, error)
	DeviceByName(context.Context, model.TenantID, string) (*model.Device, error)
	DevicesByID(context.Context, model.TenantID, []model.EntityID) ([]model.Device, error)
	Devices(context.Context, model.TenantID, model.DeviceFilter, model.PageLink) (model.Page[model.Device], error)
	DeleteDevice(context.Context, model.TenantID, model.EntityID) error
	AssignDevice(context.Context, model.TenantID, model.EntityID, model.CustomerID) (*model.Device, error)
	// DeviceTypes returns the types in use; of the devices of one customer when c is one.
	DeviceTypes(t model.TenantID, c model.CustomerID) []string
}

// Credentials are kept in the registry.
type Credentials interface {
	Credentials(context.Context, model.TenantID, model.EntityID) (*model.Credentials, error)
	SaveCredentials(context.Context, *model.Credentials) error
}

// DeviceProfiles are kept in the registry.
type DeviceProfiles interface {
	SaveDeviceProfile(context.Context, *model.DeviceProfile) error
	DeviceProfile(context.Context, model.TenantID, model.ID) (*model.DeviceProfile, error)
	DeviceProfiles(context.Context, model.TenantID, model.DeviceProfileFilter, model.PageLink) (model.Page[model.DeviceProfile], error)
	DefaultDeviceProfile(context.Context, model.TenantID) (*model.DeviceProfile, error)
	SetDefaultDeviceProfile(context.Context, model.TenantID, model.ID) (*model.DeviceProfile, error)
	DeleteDeviceProfile(context.Context, model.TenantID, model.ID) error
}

// Assets are kept in the registry. SaveAsset keeps the customer of an asset that exists.
type Assets interface {
	SaveAsset(context.Context, *model.Asset) error
	Asset(context.Context, model.TenantID, model.EntityID) (*model.Asset, error)
	AssetByName(context.Context, model.TenantID, string) (*model.Asset, error)
	AssetsByID(context.Context, model.TenantID, []model.EntityID) ([]model.Asset, error)
	Assets(context.Context, model.TenantID, model.AssetFilter, model.PageLink) (model.Page[model.Asset], error)
	DeleteAsset(context.Context, model.TenantID, model.EntityID) error
	AssignAsset(context.Context, model.TenantID, model.EntityID, model.CustomerID) (*model.Asset, error)
	// AssetTypes returns the types in use; of the assets of one customer when c is one.
	AssetTypes(t model.TenantID, c model.CustomerID) []string
}

// AssetProfiles are kept in the registry.
type AssetProfiles interface {
	SaveAssetProfile(context.Context, *model.AssetProfile) error
	AssetProfile(context.Context, model.TenantID, model.ID) (*model.AssetProfile, error)
	AssetProfiles(context.Context, model.TenantID, model.PageLink) (model.Page[model.AssetProfile], error)
	DefaultAssetProfile(context.Context, model.TenantID) (*model.AssetProfile, error)
	SetDefaultAssetProfile(context.Context, model.TenantID, model.ID) (*model.AssetProfile, error)
	DeleteAssetProfile(context.Context, model.TenantID, model.ID) error
}

// EntityViews are kept in the registry. SaveEntityView keeps the customer of a view that
// exists, and copies attributes.
type EntityViews interface {
	SaveEntityView(context.Context, *model.EntityView) error
	EntityView(context.Context, model.TenantID, model.EntityID) (*model.EntityView, error)
	EntityViewByName(context.Context, model.TenantID, string) (*model.EntityView, error)
	// EntityViewsByID returns those that exist, in the order of ids.
	EntityViewsByID(context.Context, model.TenantID, []model.EntityID) ([]model.EntityView, error)
	EntityViews(context.Context, model.TenantID, model.EntityViewFilter, model.PageLink) (model.Page[model.EntityView], error)
	DeleteEntityView(context.Context, model.TenantID, model.EntityID) error
	AssignEntityView(context.Context, model.TenantID, model.EntityID, model.CustomerID) (*model.EntityView, error)
	// EntityViewTypes returns the types in use; of the views of one customer when c is one.
	EntityViewTypes(t model.TenantID, c model.CustomerID) []string
	// Window returns, from memory, what a view shows; false when id is no view's.
	Window(id model.EntityID) (*model.Window, bool)
}

// Relations are kept in the registry; they go with either of their ends.
type Relations interface {
	SaveRelation(context.Context, model.TenantID, *model.Relation) error
	DeleteRelation(context.Context, model.TenantID, *model.Relation) error
	Relations(context.Context, model.TenantID, model.RelationQuery) ([]model.Relation, error)
}

// Dashboards are kept in the registry; lists carry no configuration.
type Dashboards interface {
	SaveDashboard(context.Context, *model.DashboardRecord) error
	Dashboard(context.Context, model.TenantID, model.EntityID) (*model.DashboardRecord, error)
	DeleteDashboard(context.Context, model.TenantID, model.EntityID) error
	Dashboards(context.Context, model.TenantID, model.DashboardFilter, model.PageLink) (model.Page[model.DashboardRecord], error)
	AssignDashboard(ctx context.Context, t model.TenantID, id model.EntityID, c model.CustomerID, assigned bool) (*model.DashboardRecord, error)
}

// Losses knows what damage on disk has taken.
type Losses interface {
	// Losses lists it, oldest first.
	Losses() []model.Loss
}

// Backups writes copies of everything the server keeps.
type Backups interface {
	// Start begins a backup into a directory, or into the usual one when to is ""; Conflict
	// while one is running.
	Start(to string) error
	// Status says whether one is running, and what became of the last one.
	Status() model.BackupStatus
}
