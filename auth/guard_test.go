package auth

import (
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// A world is a Directory of a few entities.
type world struct {
	entities map[model.EntityID]*model.Entity
	assigned map[model.EntityID]model.CustomerID
}

func (w *world) Lookup(id model.EntityID) (*model.Entity, bool) {
	e, ok := w.entities[id]
	return e, ok
}

func (w *world) Entity(t model.TenantID, id model.EntityID) (*model.Entity, bool) {
	e, ok := w.entities[id]
	return e, ok && e.Tenant == t
}

func (w *world) Assigned(d model.EntityID, c model.CustomerID) bool { return w.assigned[d] == c }

// opNames spell a set of operations: each letter one, as the table below reads.
var opNames = map[Op]string{Read: "r", Write: "w", Delete: "d", ReadCredentials: "c", WriteCredentials: "C", Assign: "s",
	ReadAttributes: "a", WriteAttributes: "A", ReadTelemetry: "t", WriteTelemetry: "T", Call: "x"}

const allOps, readOps = "rwdcCsaAtTx", "rat"

func TestGuardIsTheTableOfTheContract(t *testing.T) {
	own, foreign := model.TenantID{1}, model.TenantID{2}
	mine, theirs := model.CustomerID{0xa}, model.CustomerID{0xb}
	me, colleague := model.UserID{0x1a}, model.UserID{0x1b}
	w := &world{entities: map[model.EntityID]*model.Entity{}, assigned: map[model.EntityID]model.CustomerID{}}
	add := func(tenant model.TenantID, typ model.EntityType, id byte, c model.CustomerID) model.EntityRef {
		e := &model.Entity{Tenant: tenant, ID: model.EntityID{id}, Type: typ, Customer: c}
		w.entities[e.ID] = e
		return e.Ref()
	}
	refs := map[string]model.EntityRef{
		"own tenant":            add(own, model.EntityTenant, 1, model.NoCustomer),
		"foreign tenant":        add(foreign, model.EntityTenant, 2, model.NoCustomer),
		"my customer":           add(own, model.EntityCustomer, 0xa, model.NoCustomer),
		"other customer":        add(own, model.EntityCustomer, 0xb, model.NoCustomer),
		"foreign customer":      add(foreign, model.EntityCustomer, 0xc, model.NoCustomer),
		"my device":             add(own, model.EntityDevice, 0x10, mine),
		"other device":          add(own, model.EntityDevice, 0x11, theirs),
		"unassigned device":     add(own, model.EntityDevice, 0x12, model.NoCustomer),
		"foreign device":        add(foreign, model.EntityDevice, 0x13, model.NoCustomer),
		"foreign device, mine?": add(foreign, model.EntityDevice, 0x14, mine),
		"my asset":              add(own, model.EntityAsset, 0x15, mine),
		"me":                    add(own, model.EntityUser, 0x1a, mine),
		"colleague":             add(own, model.EntityUser, 0x1b, mine),
		"other user":            add(own, model.EntityUser, 0x1c, theirs),
		"tenant admin":          add(own, model.EntityUser, 0x1d, model.NoCustomer),
		"foreign user":          add(foreign, model.EntityUser, 0x1e, model.NoCustomer),
		"profile":               add(own, model.EntityDeviceProfile, 0x20, model.NoCustomer),
		"foreign profile":       add(foreign, model.EntityDeviceProfile, 0x21, model.NoCustomer),
		"my dashboard":          add(own, model.EntityDashboard, 0x30, model.NoCustomer),
		"other dashboard":       add(own, model.EntityDashboard, 0x31, model.NoCustomer),
		"foreign dashboard":     add(foreign, model.EntityDashboard, 0x32, model.NoCustomer),
		"unknown device":        {Type: model.EntityDevice, ID: model.EntityID{0xff}},
		"unknown tenant":        {Type: model.EntityTenant, ID: model.EntityID{0xff}},
		"asset id as device":    {Type: model.EntityDevice, ID: model.EntityID{0x15}},
	}
	w.assigned[refs["my dashboard"].ID] = mine
	w.assigned[refs["other dashboard"].ID] = theirs

	root := model.Principal{Authority: model.SysAdmin, Customer: model.NoCustomer}
	admin := model.Principal{Authority: model.TenantAdmin, Tenant: own, Customer: model.NoCustomer}
	customer := model.Principal{Authority: model.CustomerUser, Tenant: own, Customer: mine, User: me}
	lost := model.Principal{Authority: model.CustomerUser, Tenant: own, Customer: model.NoCustomer, User: colleague}
	nobody := model.Principal{Tenant: own, Customer: model.NoCustomer}
	const denied, absent = model.Denied, model.NotFound
	for _, c := range []struct {
		who     string
		p       model.Principal
		ref     string
		allowed string     // these operations
		rest    model.Kind // what the others answer
	}{
		{"root", root, "own tenant", allOps, 0},
		{"root", root, "foreign tenant", allOps, 0},
		{"root", root, "unknown tenant", "", absent},
		{"root", root, "tenant admin", allOps, 0},
		{"root", root, "me", "", denied},
		{"root", root, "my device", "", denied},
		{"root", root, "unknown device", "", denied},
		{"root", root, "my asset", "", denied},
		{"root", root, "my customer", "", denied},
		{"root", root, "profile", "", denied},
		{"root", root, "my dashboard", "", denied},

		{"admin", admin, "own tenant", readOps, denied},
		{"admin", admin, "foreign tenant", "", absent},
		{"admin", admin, "unknown tenant", "", absent},
		{"admin", admin, "my customer", allOps, 0},
		{"admin", admin, "other customer", allOps, 0},
		{"admin", admin, "foreign customer", "", absent},
		{"admin", admin, "my device", allOps, 0},
		{"admin", admin, "unassigned device", allOps, 0},
		{"admin", admin, "foreign device", "", absent},
		{"admin", admin, "unknown device", "", absent},
		{"admin", admin, "asset id as device", "", absent},
		{"admin", admin, "me", allOps, 0},
		{"admin", admin, "foreign user", "", absent},
		{"admin", admin, "profile", allOps, 0},
		{"admin", admin, "foreign profile", "", absent},
		{"admin", admin, "other dashboard", allOps, 0},
		{"admin", admin, "foreign dashboard", "", absent},

		{"customer", customer, "own tenant", "", denied},
		{"customer", customer, "foreign tenant", "", absent},
		{"customer", customer, "my customer", readOps, denied},
		{"customer", customer, "other customer", "", denied},
		{"customer", customer, "foreign customer", "", absent},
		{"customer", customer, "my device", "rwcaAtTx", denied},
		{"customer", customer, "my asset", "rwcaAtTx", denied},
		{"customer", customer, "other device", "", denied},
		{"customer", customer, "unassigned device", "", denied},
		{"customer", customer, "foreign device", "", absent},
		{"customer", customer, "foreign device, mine?", "", absent},
		{"customer", customer, "unknown device", "", absent},
		{"customer", customer, "asset id as device", "", absent},
		{"customer", customer, "me", "rwaAtT", denied},
		{"customer", customer, "colleague", readOps, denied},
		{"customer", customer, "other user", "", denied},
		{"customer", customer, "tenant admin", "", denied},
		{"customer", customer, "foreign user", "", absent},
		{"customer", customer, "profile", "r", denied},
		{"customer", customer, "foreign profile", "", absent},
		{"customer", customer, "my dashboard", readOps, denied},
		{"customer", customer, "other dashboard", "", denied},
		{"customer", customer, "foreign dashboard", "", absent},

		{"customer of nobody", lost, "unassigned device", "", denied},
		{"customer of nobody", lost, "tenant admin", "", denied},
		{"no authority", nobody, "my device", "", denied},
		{"no authority", nobody, "foreign device", "", denied},
	} {
		for op, letter := range opNames {
			e, err := NewGuard(w).Allow(c.p, op, refs[c.ref])
			if strings.Contains(c.allowed, letter) {
				if err != nil || e == nil || e.Ref() != refs[c.ref] {
					t.Errorf("%s, %s on %s: %v, %v; want it allowed", c.who, letter, c.ref, e, err)
				}
				continue
			}
			if c.rest == 0 {
				t.Errorf("the table does not say what %s of %s on %s answers", letter, c.who, c.ref)
			}
			if e != nil || err == nil || model.KindOf(err) != c.rest {
				t.Errorf("%s, %s on %s: %v, %v; want kind %v", c.who, letter, c.ref, e, err, c.rest)
			}
		}
	}
}

func TestGuardSpeaksTheTextsOfTheContract(t *testing.T) {
	own := model.TenantID{1}
	device := &model.Entity{Tenant: own, ID: model.EntityID{1}, Type: model.EntityDevice, Customer: model.NoCustomer}
	g := NewGuard(&world{entities: map[model.EntityID]*model.Entity{device.ID: device}})
	admin := model.Principal{Authority: model.TenantAdmin, Tenant: own}
	stranger := model.Principal{Authority: model.TenantAdmin, Tenant: model.TenantID{2}}
	customer := model.Principal{Authority: model.CustomerUser, Tenant: own, Customer: model.CustomerID{3}}
	root := model.Principal{Authority: model.SysAdmin}
	says := func(p model.Principal, op Op, ref model.EntityRef, text string) {
		t.Helper()
		_, err := g.Allow(p, op, ref)
		if got := model.MessageOf(err, ""); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	says(stranger, ReadTelemetry, device.Ref(), "Device with requested id wasn't found!")
	says(stranger, WriteAttributes, device.Ref(), "Device with requested id wasn't found!")
	says(stranger, Read, device.Ref(), "Device with id [01000000-0000-0000-0000-000000000000] is not found")
	says(customer, ReadTelemetry, device.Ref(), "You don't have permission to perform this operation!")
	says(customer, Write, device.Ref(), "You don't have permission to perform this operation!")
	says(root, ReadTelemetry, device.Ref(), "System administrator is not allowed to perform this operation!")
	says(root, Read, device.Ref(), "You don't have permission to perform this operation!")
	for typ, name := range map[model.EntityType]string{model.EntityTenant: "Tenant", model.EntityCustomer: "Customer",
		model.EntityUser: "User", model.EntityDashboard: "Dashboard", model.EntityAsset: "Asset", model.EntityAlarm: "Alarm",
		model.EntityEntityView: "Entity-view", model.EntityDeviceProfile: "Device profile",
		model.EntityAssetProfile: "Asset profile", model.EntityTenantProfile: "Tenant profile", "X": "Entity"} {
		says(admin, ReadTelemetry, model.EntityRef{Type: typ, ID: model.EntityID{9}}, name+" with requested id wasn't found!")
	}
}

func TestRequireComparesTheAuthority(t *testing.T) {
	p := model.Principal{Authority: model.TenantAdmin}
	if err := Require(p, model.SysAdmin, model.TenantAdmin); err != nil {
		t.Error(err)
	}
	if err := Require(p, model.SysAdmin); model.KindOf(err) != model.Denied {
		t.Error(err)
	}
	if err := Require(p); model.KindOf(err) != model.Denied {
		t.Error(err)
	}
}

func TestBearerTokenPrefersTheOwnHeader(t *testing.T) {
	f := func(x, a, token string) {
		t.Helper()
		got, err := BearerToken(x, a)
		if got != token || (err == nil) != (token != "") || err != nil && model.KindOf(err) != model.Unauthenticated {
			t.Errorf("%q, %q: %q, %v", x, a, got, err)
		}
	}
	f("Bearer a", "Bearer b", "a")
	f("", "Bearer b", "b")
	f("", "bearer  b ", "b")
	f("ApiKey a", "Bearer b", "")
	f("", "", "")
	f("", "Bearer", "")
	f("", "Bearer ", "")
	f("Basic a", "", "")
}
