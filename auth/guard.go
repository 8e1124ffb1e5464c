package auth

import (
	"github.com/tidewire/tidewire/model"
)

// An Op is what a principal wants to do with an entity.
type Op uint8

// The operations.
const (
	Read Op = iota + 1 // the record itself
	Write
	Delete
	ReadCredentials
	WriteCredentials
	Assign // give to a customer or take back
	ReadAttributes
	WriteAttributes
	ReadTelemetry
	WriteTelemetry
	Call // RPC to a device
)

// reads reports whether op changes nothing and shows no secret.
func (op Op) reads() bool { return op == Read || op == ReadAttributes || op == ReadTelemetry }

// telemetry reports whether op belongs to the endpoints that answer in plain text
// (contract thingsboard 1.5).
func (op Op) telemetry() bool { return op >= ReadAttributes }

// granted reports whether a token for what gs says may do op.
func (op Op) granted(gs model.Grants) bool {
	if gs&model.GrantAdmin != 0 {
		return true
	}
	switch op {
	case Read, ReadAttributes, ReadTelemetry:
		return gs&model.GrantReadTelemetry != 0
	case WriteAttributes, WriteTelemetry:
		return gs&model.GrantWriteTelemetry != 0
	case Call:
		return gs&model.GrantRPC != 0
	}
	return false
}

// A Directory answers what exists, from memory.
type Directory interface {
	Entity(model.TenantID, model.EntityID) (*model.Entity, bool)
	Lookup(model.EntityID) (*model.Entity, bool)
	// Assigned reports whether a dashboard, which may have many customers, has this one.
	Assigned(dashboard model.EntityID, customer model.CustomerID) bool
}

// A Guard decides who may do what (contract thingsboard 2.4). It is the one place of tenant
// isolation: whoever touches an entity for a client asks here first.
type Guard struct{ directory Directory }

// NewGuard returns a Guard over what d knows.
func NewGuard(d Directory) *Guard { return &Guard{directory: d} }

// Allow returns the entity ref names when p may do op with it. What does not exist and what
// belongs to another tenant are NotFound alike; what p may not do is Denied. The entity is
// shared with the directory and must not be changed.
func (g *Guard) Allow(p model.Principal, op Op, ref model.EntityRef) (*model.Entity, error) {
	if p.Grant != nil && (!op.granted(p.Grant.Grants) || !p.Grant.Covers(ref.ID) || ref.Type == model.EntityUser && (!op.reads() || !knowsUsers(p))) {
		return nil, denied()
	}
	if p.Key != (model.ID{}) && ref.Type == model.EntityUser && !op.reads() {
		return nil, denied() // an address that is changed receives the next password
	}
	switch p.Authority {
	case model.SysAdmin:
		return g.allowSysAdmin(op, ref)
	case model.TenantAdmin:
		e, ok := g.directory.Entity(p.Tenant, ref.ID)
		if !ok || e.Type != ref.Type {
			return nil, missing(op, ref)
		}
		if e.Type == model.EntityTenant && !op.reads() {
			return nil, denied()
		}
		return e, nil
	case model.CustomerUser:
		e, ok := g.directory.Entity(p.Tenant, ref.ID)
		if !ok || e.Type != ref.Type {
			return nil, missing(op, ref)
		}
		if !g.customerMay(p, op, e) {
			return nil, denied()
		}
		return e, nil
	}
	return nil, denied()
}

// knowsUsers reports whether p may learn who there is. A token for telemetry may not: users are
// names and addresses of people.
func knowsUsers(p model.Principal) bool {
	return p.Grant == nil || p.Grant.Grants&model.GrantAdmin != 0
}

// allowSysAdmin lets system administrators manage tenants and their administrators, and
// keeps them out of what tenants own. The refusal comes before the look-up: it must not tell
// what exists.
func (g *Guard) allowSysAdmin(op Op, ref model.EntityRef) (*model.Entity, error) {
	switch ref.Type {
	case model.EntityTenant, model.EntityTenantProfile, model.EntityUser:
	default:
		if op.telemetry() {
			return nil, model.Errorf(model.Denied, "System administrator is not allowed to perform this operation!")
		}
		return nil, denied()
	}
	e, ok := g.directory.Lookup(ref.ID)
	if !ok || e.Type != ref.Type {
		return nil, missing(op, ref)
	}
	if e.Type == model.EntityUser && e.Customer != model.NoCustomer {
		return nil, denied() // the users of customers are their tenant's affair
	}
	return e, nil
}

// customerMay is the row CUSTOMER_USER of contract thingsboard 2.4.
func (g *Guard) customerMay(p model.Principal, op Op, e *model.Entity) bool {
	if p.Customer == model.NoCustomer || p.Customer == (model.CustomerID{}) {
		return false // never match what is assigned to nobody
	}
	if p.Public && (!op.reads() || e.Type == model.EntityUser) {
		return false // a link that anybody may hold shows things, and nobody's address
	}
	switch e.Type {
	case model.EntityDevice, model.EntityAsset, model.EntityEntityView, model.EntityAlarm:
		return e.Customer == p.Customer && op != Delete && op != WriteCredentials && op != Assign
	case model.EntityDashboard:
		return op.reads() && g.directory.Assigned(e.ID, p.Customer)
	case model.EntityDeviceProfile, model.EntityAssetProfile:
		return op == Read
	case model.EntityCustomer:
		return op.reads() && e.ID == model.EntityID(p.Customer)
	case model.EntityUser:
		if e.ID == model.EntityID(p.User) {
			return op.reads() || op == Write || op == WriteAttributes || op == WriteTelemetry
		}
		return op.reads() && e.Customer == p.Customer
	}
	return false
}

// Visible reports whether p may read e, which the caller found in the directory of p's
// tenant. It is for lists and queries, which ask for every entity there is.
func (g *Guard) Visible(p model.Principal, e *model.Entity) bool {
	if p.Grant != nil && (!Read.granted(p.Grant.Grants) || !p.Grant.Covers(e.ID) || e.Type == model.EntityUser && !knowsUsers(p)) || e.Tenant != p.Tenant {
		return false
	}
	return p.Authority == model.TenantAdmin || p.Authority == model.CustomerUser && g.customerMay(p, Read, e)
}

// Require returns Denied unless p has one of the authorities. It guards what is not about
// one entity: creating and listing. Of tokens, only those of an administrator come through,
// and none that is for some entities only: a list would show the others.
func Require(p model.Principal, authorities ...model.Authority) error {
	if p.Grant != nil && (p.Grant.Grants&model.GrantAdmin == 0 || p.Grant.Entities != nil) {
		return denied()
	}
	for _, a := range authorities {
		if p.Authority == a {
			return nil
		}
	}
	return denied()
}

// RequirePerson returns Denied for a token or key: who holds one must not make more of them or
// new users, nor touch passwords and sessions. Nor must who followed a public link, who is nobody.
func RequirePerson(p model.Principal) error {
	if p.Grant != nil || p.Key != (model.ID{}) || p.Public {
		return denied()
	}
	return nil
}

func denied() error {
	return model.Errorf(model.Denied, "You don't have permission to perform this operation!")
}

// missing words an absent entity as the endpoint in question does (contract thingsboard 1.5).
func missing(op Op, ref model.EntityRef) error {
	if op.telemetry() {
		return model.NotFoundf("%s with requested id wasn't found!", typeName(ref.Type))
	}
	return model.NotFoundf("%s with id [%s] is not found", typeName(ref.Type), ref.ID)
}

// typeName is how messages call a type.
func typeName(t model.EntityType) string {
	switch t {
	case model.EntityTenant:
		return "Tenant"
	case model.EntityCustomer:
		return "Customer"
	case model.EntityUser:
		return "User"
	case model.EntityDashboard:
		return "Dashboard"
	case model.EntityAsset:
		return "Asset"
	case model.EntityDevice:
		return "Device"
	case model.EntityAlarm:
		return "Alarm"
	case model.EntityEntityView:
		return "Entity-view"
	case model.EntityDeviceProfile:
		return "Device profile"
	case model.EntityAssetProfile:
		return "Asset profile"
	case model.EntityTenantProfile:
		return "Tenant profile"
	}
	return "Entity"
}
