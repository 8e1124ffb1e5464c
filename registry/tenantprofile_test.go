package registry

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestTenantProfileComesBackAsSaved(t *testing.T) {
	f := open(t)
	p := &model.TenantProfile{Name: "Small", Description: "d", Isolated: true,
		Data: []byte(`{"configuration":{"type":"DEFAULT","maxDevices":2,"defaultStorageTtlDays":30,"tenantServerRestLimitsConfiguration":"","customerServerRestLimitsConfiguration":null,"maxWsSessionsPerRegularUser":3,"transportDeviceMsgRateLimit":"10:1,100:60", "x":9007199254740993}}`)}
	check(t, f.SaveTenantProfile(t.Context(), p))
	tenant := &model.Tenant{Title: "Tiny", Region: "EU", Profile: p.ID}
	check(t, f.SaveTenant(t.Context(), tenant))
	for range 2 {
		got, err := f.TenantProfile(t.Context(), p.ID)
		check(t, err)
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		want := &model.TenantLimits{Devices: 2, StorageTTLDays: 30, HasRates: true, Sessions: model.SocketLimits{User: 3}}
		want.Rates[model.DeviceMessages] = []model.Rate{{Count: 10, Window: time.Second}, {Count: 100, Window: time.Minute}}
		if diff := cmp.Diff(want, f.TenantLimits(tenant.ID)); diff != "" {
			t.Errorf("limits: -wanted +found:\n%s", diff)
		}
		if diff := cmp.Diff(new(model.TenantLimits), f.TenantLimits(f.tenant)); diff != "" {
			t.Errorf("limits of the default profile: -wanted +found:\n%s", diff)
		}
		again, err := f.Tenant(t.Context(), tenant.ID)
		check(t, err)
		if diff := cmp.Diff(tenant, again); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		if e, ok := f.Lookup(model.EntityID(p.ID)); !ok || e.Type != model.EntityTenantProfile || e.Name != "Small" {
			t.Errorf("the directory says %+v", e)
		}
		f.reopen(t)
	}
	// A tenant that names no profile keeps the one it has, and may get another.
	tenant.Profile = model.ID{}
	check(t, f.SaveTenant(t.Context(), tenant))
	if tenant.Profile != p.ID {
		t.Error("a save changed the profile")
	}
	standard, err := f.DefaultTenantProfile(t.Context())
	check(t, err)
	tenant.Profile = standard.ID
	check(t, f.SaveTenant(t.Context(), tenant))
	if l := f.TenantLimits(tenant.ID); l.Devices != 0 {
		t.Errorf("limits %+v", l)
	}
}

func TestTenantProfileRules(t *testing.T) {
	f := open(t)
	p := &model.TenantProfile{Name: "Small"}
	check(t, f.SaveTenantProfile(t.Context(), p))
	refuse := func(v model.TenantProfile, kind model.Kind, text string) {
		t.Helper()
		wantError(t, f.SaveTenantProfile(t.Context(), &v), kind, text)
	}
	refuse(model.TenantProfile{Name: "Small"}, model.Invalid, "Tenant profile with such name already exists!")
	refuse(model.TenantProfile{}, model.Invalid, "Tenant profile name should be specified!")
	refuse(model.TenantProfile{Name: "x", Default: true}, model.Invalid, "Another default tenant profile is present!")
	refuse(model.TenantProfile{Name: "x", ID: p.ID, Version: 7}, model.Conflict, "Tenant profile was already changed by someone else")
	refuse(model.TenantProfile{Name: "x", ID: model.ID{9}}, model.NotFound, "")
	data := func(s string) model.TenantProfile {
		return model.TenantProfile{Name: "x", Data: []byte(`{"configuration":` + s + `}`)}
	}
	refuse(data(`{"maxDevices":-1}`), model.Invalid, "Tenant profile: 'maxDevices' can't be negative!")
	refuse(data(`{"maxDevices":1.5}`), model.Invalid, "Tenant profile data is malformed: limits are whole numbers!")
	refuse(data(`{"alarmsTtlDays":-1}`), model.Invalid, "Tenant profile: 'alarmsTtlDays' can't be negative!")
	refuse(data(`{"defaultStorageTtlDays":146001}`), model.Invalid, "Tenant profile: 'defaultStorageTtlDays' can't be more than 146000!")
	refuse(data(`{"type":"ODD"}`), model.Invalid, "Unsupported tenant profile configuration type 'ODD'!")
	for _, limit := range []string{"1", "1:", "a:1", "1:1,", "0:1", "1:1;2:2"} {
		refuse(data(`{"transportTenantMsgRateLimit":"`+limit+`"}`), model.Invalid,
			"Tenant profile: 'transportTenantMsgRateLimit' is not of the form count:seconds,count:seconds!")
	}
	refuse(data(`{"tenantServerRestLimitsConfiguration":"10"}`), model.Invalid,
		"Tenant profile: 'tenantServerRestLimitsConfiguration' is not of the form count:seconds,count:seconds!")
	refuse(data(`{"tenantServerRestLimitsConfiguration":10}`), model.Invalid, "Tenant profile: 'tenantServerRestLimitsConfiguration' is no text!")
	refuse(data(`{"transportGatewayMsgRateLimit":"1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1"}`), model.Invalid,
		"Tenant profile: 'transportGatewayMsgRateLimit' has more than 8 windows!")
	fine := data(`{"transportTenantMsgRateLimit":"100:1,2000:60","transportDeviceMsgRateLimit":""}`)
	check(t, f.SaveTenantProfile(t.Context(), &fine))

	first, err := f.DefaultTenantProfile(t.Context())
	check(t, err)
	wantError(t, f.DeleteTenantProfile(t.Context(), first.ID), model.Invalid, "Deletion of Default Tenant Profile is prohibited!")
	now, err := f.SetDefaultTenantProfile(t.Context(), p.ID)
	if err != nil || !now.Default || now.Version != 2 {
		t.Errorf("%+v, %v", now, err)
	}
	wantError(t, f.DeleteTenantProfile(t.Context(), first.ID), model.Invalid, "The tenant profile referenced by the tenants cannot be deleted!")
	check(t, f.DeleteTenantProfile(t.Context(), fine.ID))
	if _, ok := f.Lookup(model.EntityID(fine.ID)); ok {
		t.Error("the directory still shows it")
	}
	page, err := f.TenantProfiles(t.Context(), model.PageLink{Size: 9, Sort: "name"})
	if got := join(page, func(p model.TenantProfile) string { return p.Name }); err != nil || got != "Default,Small" {
		t.Errorf("%s, %v", got, err)
	}
	wantError(t, f.SaveTenant(t.Context(), &model.Tenant{Title: "x", Profile: model.ID{9}}), model.Invalid,
		"Tenant is referencing to non-existent tenant profile!")
}

func TestATenantGrowsToItsLimits(t *testing.T) {
	f := open(t)
	p := &model.TenantProfile{Name: "Small", Data: []byte(`{"configuration":{"maxDevices":1,"maxAssets":1,"maxCustomers":1,"maxUsers":1,"maxDashboards":1}}`)}
	check(t, f.SaveTenantProfile(t.Context(), p))
	check(t, f.SaveTenant(t.Context(), &model.Tenant{ID: f.tenant, Title: "Acme", Profile: p.ID}))
	if _, ok := errors.AsType[*model.LimitError](f.CreateDevices(t.Context(), []NewDevice{
		{&model.Device{Tenant: f.tenant, Name: "a"}, &model.Credentials{Type: model.AccessToken}},
		{&model.Device{Tenant: f.tenant, Name: "b"}, &model.Credentials{Type: model.AccessToken}},
	})); !ok {
		t.Error("two at once were one too many, and were made")
	}
	for name, add := range map[model.EntityType]func(string) error{
		model.EntityDevice:   func(s string) error { return f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: s}) },
		model.EntityAsset:    func(s string) error { return f.SaveAsset(t.Context(), &model.Asset{Tenant: f.tenant, Name: s}) },
		model.EntityCustomer: func(s string) error { return f.SaveCustomer(t.Context(), &model.Customer{Tenant: f.tenant, Title: s}) },
		model.EntityDashboard: func(s string) error {
			return f.SaveDashboard(t.Context(), &model.DashboardRecord{Tenant: f.tenant, Title: s})
		},
		model.EntityUser: func(s string) error {
			return f.SaveUser(t.Context(), &model.User{Tenant: f.tenant, Email: s + "@x.org", Authority: model.TenantAdmin})
		},
	} {
		check(t, add("first"))
		err := add("second")
		limit, ok := errors.AsType[*model.LimitError](err)
		if !ok || limit.Type != name || limit.Limit != 1 || model.KindOf(err) != model.Quota {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Tenants of a version that knew no profiles get the default one.
func TestTenantsOfEarlierVersionsGetTheDefaultProfile(t *testing.T) {
	f := open(t)
	check(t, f.write(t.Context(), func(tx *tx) error {
		if err := tx.exec("UPDATE tenants SET profile_id = NULL"); err != nil {
			return err
		}
		return tx.exec("DELETE FROM tenant_profiles")
	}))
	f.reopen(t)
	p, err := f.DefaultTenantProfile(t.Context())
	check(t, err)
	if v, err := f.Tenant(t.Context(), f.tenant); err != nil || v.Profile != p.ID {
		t.Errorf("%+v, %v", v, err)
	}
	if _, ok := f.Entity(f.tenant, model.EntityID(f.tenant)); !ok {
		t.Error("the tenant is not in the directory")
	}
}

// What a tenant keeps is its own to say, then its profile's, then the server's.
func TestTheTenantProfileSaysHowLongTelemetryIsKept(t *testing.T) {
	f := open(t)
	f.opts.KeepTimeseries = model.Keep{Time: 7, Versions: 3}
	f.reopen(t)
	const day = 24 * 3600 * 1000
	keep := func(s model.Scope, want model.Keep) {
		t.Helper()
		if got := f.Keep(f.tenant, model.EntityID{1}, s, "t"); got != want {
			t.Errorf("scope %v: %+v, want %+v", s, got, want)
		}
	}
	keep(model.Timeseries, model.Keep{Time: 7, Versions: 3})
	p := &model.TenantProfile{Name: "Month", Data: []byte(`{"configuration":{"defaultStorageTtlDays":30}}`)}
	check(t, f.SaveTenantProfile(t.Context(), p))
	check(t, f.SaveTenant(t.Context(), &model.Tenant{ID: f.tenant, Title: "Acme", Profile: p.ID}))
	keep(model.Timeseries, model.Keep{Time: 30 * day, Versions: 3})
	keep(model.Server, model.Keep{})
	check(t, f.SaveRetention(t.Context(), f.tenant, &model.RetentionPolicy{Timeseries: model.RetentionRule{Days: new(5)}}))
	keep(model.Timeseries, model.Keep{Time: 5 * day, Versions: 3})
}
