package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

var contact = model.Contact{Country: "DE", State: "B", City: "Berlin", Address: "A", Address2: "B", Zip: "1", Phone: "2", Email: "x@example.org"}

func TestTenantComesBackAsSaved(t *testing.T) {
	f := open(t)
	v := &model.Tenant{Title: "Big", Contact: contact, Info: []byte(`{"a": 1}`)}
	check(t, f.SaveTenant(t.Context(), v))
	v.Title = "Bigger"
	check(t, f.SaveTenant(t.Context(), v))
	old := *v
	old.Version = 1
	wantError(t, f.SaveTenant(t.Context(), &old), model.Conflict, "Tenant was already changed by someone else")
	for range 2 {
		got, err := f.Tenant(t.Context(), v.ID)
		check(t, err)
		if diff := cmp.Diff(v, got); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		p, err := f.DefaultDeviceProfile(t.Context(), v.ID)
		if err != nil || p.Name != "default" || !p.Default || p.Transport != "DEFAULT" {
			t.Errorf("default profile %+v, %v", p, err)
		}
		if e, ok := f.Entity(v.ID, model.EntityID(v.ID)); !ok || e.Name != "Bigger" || e.Type != model.EntityTenant {
			t.Errorf("the directory says %+v, %v", e, ok)
		}
		f.reopen(t)
	}
	_, err := f.Tenant(t.Context(), model.TenantID{9})
	wantError(t, err, model.NotFound, "")
	wantError(t, f.SaveTenant(t.Context(), &model.Tenant{}), model.Invalid, "Tenant title should be specified!")
	wantError(t, f.SaveTenant(t.Context(), &model.Tenant{Title: "x", Contact: model.Contact{City: "<b>"}}), model.Invalid,
		"Validation error: city is malformed")
	page, err := f.Tenants(t.Context(), model.TenantFilter{}, model.PageLink{Size: 1, Sort: "title", Descending: true})
	if err != nil || page.Total != 2 || len(page.Data) != 1 || page.Data[0].Title != "Bigger" {
		t.Errorf("page %+v, %v", page, err)
	}
}

func TestCustomerComesBackAsSaved(t *testing.T) {
	f := open(t)
	v := &model.Customer{Tenant: f.tenant, Title: "Shop", Contact: contact, Info: []byte(`{}`), Public: true}
	check(t, f.SaveCustomer(t.Context(), v))
	if v.Public {
		t.Error("a client made a public customer")
	}
	v.Title = "Shop 2"
	check(t, f.SaveCustomer(t.Context(), v))
	old := *v
	old.Version = 1
	wantError(t, f.SaveCustomer(t.Context(), &old), model.Conflict, "Customer was already changed by someone else")
	for range 2 {
		got, err := f.Customer(t.Context(), f.tenant, v.ID)
		check(t, err)
		if diff := cmp.Diff(v, got); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		byTitle, err := f.CustomerByTitle(t.Context(), f.tenant, "Shop 2")
		if err != nil || byTitle.ID != v.ID {
			t.Errorf("by title: %+v, %v", byTitle, err)
		}
		if e, ok := f.Entity(f.tenant, model.EntityID(v.ID)); !ok || e.Name != "Shop 2" {
			t.Errorf("the directory says %+v, %v", e, ok)
		}
		f.reopen(t)
	}
	wantError(t, f.SaveCustomer(t.Context(), &model.Customer{Tenant: f.tenant, Title: "Shop 2"}), model.Invalid,
		"Customer with such title already exists!")
	wantError(t, f.SaveCustomer(t.Context(), &model.Customer{Tenant: f.tenant}), model.Invalid, "Customer title should be specified!")
	wantError(t, f.SaveCustomer(t.Context(), &model.Customer{Tenant: model.TenantID{9}, Title: "x"}), model.NotFound, "")
	other := f.addTenant(t, "Other")
	_, err := f.Customer(t.Context(), other, v.ID)
	wantError(t, err, model.NotFound, "Customer with id ["+model.ID(v.ID).String()+"] is not found")
	_, err = f.CustomerByTitle(t.Context(), other, "Shop 2")
	wantError(t, err, model.NotFound, "")
	wantError(t, f.DeleteCustomer(t.Context(), other, v.ID), model.NotFound, "")
}

func TestPublicCustomerIsMadeOnce(t *testing.T) {
	f := open(t)
	a, err := f.PublicCustomer(t.Context(), f.tenant)
	check(t, err)
	b, err := f.PublicCustomer(t.Context(), f.tenant)
	check(t, err)
	if a.ID != b.ID || !b.Public || b.Title != "Public" {
		t.Errorf("%+v, then %+v", a, b)
	}
	a.Public, a.Title = false, "Everybody"
	check(t, f.SaveCustomer(t.Context(), a))
	if !a.Public {
		t.Error("a save changed whether the customer is public")
	}
}

// Contract 1.4: whatever a list shows of an element as text or time, it sorts by.
func TestListsSortByWhatTheyShow(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	contacts := map[string]func(*model.Contact) *string{
		"country": func(c *model.Contact) *string { return &c.Country }, "state": func(c *model.Contact) *string { return &c.State },
		"city": func(c *model.Contact) *string { return &c.City }, "address": func(c *model.Contact) *string { return &c.Address },
		"address2": func(c *model.Contact) *string { return &c.Address2 }, "zip": func(c *model.Contact) *string { return &c.Zip },
		"phone": func(c *model.Contact) *string { return &c.Phone }, "email": func(c *model.Contact) *string { return &c.Email },
	}
	source := f.addDevice(t, "source")
	for i, name := range []string{"two", "three", "one"} { // in this order they are made
		c, ten := &model.Customer{Tenant: f.tenant, Title: name}, &model.Tenant{Title: name, Region: name}
		rank := []string{"2@example.org", "3@example.org", "1@example.org"}[i]
		for _, field := range contacts {
			*field(&c.Contact), *field(&ten.Contact) = rank, rank
		}
		ten.Region = rank
		check(t, f.SaveCustomer(ctx, c))
		check(t, f.SaveTenant(ctx, ten))
		check(t, f.SaveUser(ctx, &model.User{Tenant: f.tenant, Customer: c.ID, Authority: model.CustomerUser, Email: name + "@example.org", Phone: rank}))
		from := int64([]int{20, 30, 0}[i])
		check(t, f.SaveEntityView(ctx, &model.EntityView{Tenant: f.tenant, Name: name, Type: "v", Source: model.EntityRef{Type: model.EntityDevice, ID: source.ID}, From: from, To: 2 * from}))
	}
	want := func(property, got string, err error) {
		t.Helper()
		if got = strings.ReplaceAll(got, "@example.org", ""); got != "one,two,three" || err != nil {
			t.Errorf("by %s: %s, %v", property, got, err)
		}
	}
	for property := range contacts {
		l := model.PageLink{Size: 9, Sort: property}
		p, err := f.Customers(ctx, f.tenant, model.CustomerFilter{}, l)
		want("customers by "+property, join(p, func(v model.Customer) string { return v.Title }), err)
		tenants, err := f.Tenants(ctx, model.TenantFilter{}, l)
		want("tenants by "+property, strings.TrimPrefix(join(tenants, func(v model.Tenant) string { return v.Title }), "Acme,"), err)
	}
	tenants, err := f.Tenants(ctx, model.TenantFilter{}, model.PageLink{Size: 9, Sort: "region"})
	want("region", strings.TrimPrefix(join(tenants, func(v model.Tenant) string { return v.Title }), "Acme,"), err)
	users, err := f.Users(ctx, f.tenant, model.UserFilter{Authority: model.CustomerUser}, model.PageLink{Size: 9, Sort: "phone"})
	want("phone", join(users, func(v model.User) string { return v.Email }), err)
	for _, property := range []string{"startTimeMs", "endTimeMs"} {
		views, err := f.EntityViews(ctx, f.tenant, model.EntityViewFilter{}, model.PageLink{Size: 9, Sort: property})
		want(property, join(views, func(v model.EntityView) string { return v.Name }), err)
	}
}

func TestListsSearchAndSort(t *testing.T) {
	f := open(t)
	for _, title := range []string{"b", "A", "ab"} {
		c := f.addCustomer(t, title)
		f.addUser(t, title+"@example.org", c)
		check(t, f.SaveDeviceProfile(t.Context(), &model.DeviceProfile{Tenant: f.tenant, Name: title}))
		check(t, f.SaveDashboard(t.Context(), &model.DashboardRecord{Tenant: f.tenant, Title: title, Configuration: []byte("{}")}))
	}
	f.addUser(t, "boss@acme.com", model.NoCustomer)
	lists := map[string]func(model.PageLink) (string, int, error){
		"customers": func(l model.PageLink) (string, int, error) {
			p, err := f.Customers(t.Context(), f.tenant, model.CustomerFilter{}, l)
			return join(p, func(v model.Customer) string { return v.Title }), p.Total, err
		},
		"users": func(l model.PageLink) (string, int, error) {
			p, err := f.Users(t.Context(), f.tenant, model.UserFilter{Authority: model.CustomerUser}, l)
			return strings.ReplaceAll(join(p, func(v model.User) string { return v.Email }), "@example.org", ""), p.Total, err
		},
		"profiles": func(l model.PageLink) (string, int, error) {
			p, err := f.DeviceProfiles(t.Context(), f.tenant, model.DeviceProfileFilter{}, l)
			return strings.Replace(join(p, func(v model.DeviceProfile) string { return v.Name }), ",default", "", 1), min(p.Total, 3), err
		},
		"dashboards": func(l model.PageLink) (string, int, error) {
			p, err := f.Dashboards(t.Context(), f.tenant, model.DashboardFilter{}, l)
			return join(p, func(v model.DashboardRecord) string { return v.Title + string(v.Configuration) }), p.Total, err
		},
	}
	for name, list := range lists {
		want := func(l model.PageLink, want string, total int) {
			t.Helper()
			l.Size = 10
			if got, n, err := list(l); got != want || n != total || err != nil {
				t.Errorf("%s %+v: %s of %d, %v; want %s of %d", name, l, got, n, err, want, total)
			}
		}
		want(model.PageLink{}, "ab,A,b", 3)
		want(model.PageLink{Sort: "name"}, "A,ab,b", 3)
		want(model.PageLink{Sort: "createdTime", Descending: true}, "ab,A,b", 3)
		if name != "users" { // there the domain holds every letter
			want(model.PageLink{Search: "B"}, "ab,b", 2)
		}
		_, _, err := list(model.PageLink{Size: 1, Sort: "nonsense"})
		wantError(t, err, model.Invalid, "Invalid sort property")
		_, _, err = list(model.PageLink{Size: 0})
		wantError(t, err, model.Invalid, "")
	}
}

func join[T any](p model.Page[T], name func(T) string) string {
	var names []string
	for _, v := range p.Data {
		names = append(names, name(v))
	}
	return strings.Join(names, ",")
}

func TestDeviceProfileRules(t *testing.T) {
	f := open(t)
	board := &model.DashboardRecord{Tenant: f.tenant, Title: "x"}
	check(t, f.SaveDashboard(t.Context(), board))
	p := &model.DeviceProfile{Tenant: f.tenant, Name: "pump", Description: "d", Data: []byte(`{"x":1}`), Info: []byte(`{}`), Transport: "SNMP",
		ProvisionType: "ALLOW_CREATE_NEW_DEVICES", ProvisionKey: "key", Dashboard: board.ID, Queue: "Main", Image: "data:"}
	check(t, f.SaveDeviceProfile(t.Context(), p))
	got, err := f.DeviceProfile(t.Context(), f.tenant, p.ID)
	check(t, err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("-saved +found:\n%s", diff)
	}
	check(t, f.DeleteDashboard(t.Context(), f.tenant, board.ID))
	if got, err = f.DeviceProfile(t.Context(), f.tenant, p.ID); err != nil || got.Dashboard != (model.EntityID{}) {
		t.Errorf("a deleted dashboard is still the profile's: %+v, %v", got, err)
	}
	refuse := func(v model.DeviceProfile, kind model.Kind, text string) {
		t.Helper()
		v.Tenant = f.tenant
		wantError(t, f.SaveDeviceProfile(t.Context(), &v), kind, text)
	}
	refuse(model.DeviceProfile{Name: "pump"}, model.Invalid, "Device profile with such name already exists!")
	refuse(model.DeviceProfile{}, model.Invalid, "Device profile name should be specified!")
	refuse(model.DeviceProfile{Name: "x", Transport: "PIGEON"}, model.Invalid, "Unsupported transport type 'PIGEON'!")
	refuse(model.DeviceProfile{Name: "x", ProvisionType: "MAGIC"}, model.Invalid, "Unsupported provision type 'MAGIC'!")
	refuse(model.DeviceProfile{Name: "x", Dashboard: model.EntityID{9}}, model.Invalid, "Device profile is referencing to non-existent dashboard!")
	refuse(model.DeviceProfile{Name: "x", ProvisionKey: "key"}, model.Invalid, "Device profile with such provision device key already exists!")
	refuse(model.DeviceProfile{Name: "x", Default: true}, model.Invalid, "Another default device profile is present in scope of current tenant!")
	refuse(model.DeviceProfile{Name: "x", ID: p.ID, Version: 7}, model.Conflict, "Device profile was already changed by someone else")
	refuse(model.DeviceProfile{Name: "x", ID: model.ID{9}}, model.NotFound, "")

	first, err := f.DefaultDeviceProfile(t.Context(), f.tenant)
	check(t, err)
	wantError(t, f.DeleteDeviceProfile(t.Context(), f.tenant, first.ID), model.Invalid, "Deletion of Default Device Profile is prohibited!")
	check(t, f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "a", ProfileID: p.ID}))
	wantError(t, f.DeleteDeviceProfile(t.Context(), f.tenant, p.ID), model.Invalid, "The device profile referenced by the devices cannot be deleted!")
	for range 2 { // the second changes nothing
		now, err := f.SetDefaultDeviceProfile(t.Context(), f.tenant, p.ID)
		if err != nil || !now.Default || now.Version != 2 {
			t.Errorf("set default: %+v, %v", now, err)
		}
	}
	if now, err := f.DefaultDeviceProfile(t.Context(), f.tenant); err != nil || now.ID != p.ID {
		t.Errorf("the default is %+v, %v", now, err)
	}
	check(t, f.DeleteDeviceProfile(t.Context(), f.tenant, first.ID))
	if _, ok := f.Lookup(model.EntityID(first.ID)); ok {
		t.Error("the directory still shows the profile")
	}
	other := f.addTenant(t, "Other")
	_, err = f.DeviceProfile(t.Context(), other, p.ID)
	wantError(t, err, model.NotFound, "")
	_, err = f.SetDefaultDeviceProfile(t.Context(), other, p.ID)
	wantError(t, err, model.NotFound, "")
	wantError(t, f.DeleteDeviceProfile(t.Context(), other, p.ID), model.NotFound, "")
}

func TestDashboardComesBackByteForByte(t *testing.T) {
	f := open(t)
	c := f.addCustomer(t, "Shop")
	d := &model.DashboardRecord{Tenant: f.tenant, Title: "x", Configuration: []byte("{ \"b\":1.0,\n \"a\":\"<b>\\u00e9é\"}"), Customers: []model.CustomerID{c}}
	check(t, f.SaveDashboard(t.Context(), d))
	if len(d.Customers) != 0 {
		t.Error("a save assigned the dashboard")
	}
	got, err := f.AssignDashboard(t.Context(), f.tenant, d.ID, c, true)
	if err != nil || len(got.Customers) != 1 || got.Customers[0] != c || got.Version != 2 {
		t.Fatalf("assigned %+v, %v", got, err)
	}
	for range 2 {
		now, err := f.Dashboard(t.Context(), f.tenant, d.ID)
		check(t, err)
		if diff := cmp.Diff(got, now); diff != "" || string(now.Configuration) != string(d.Configuration) {
			t.Errorf("-saved +found:\n%s", diff)
		}
		page, err := f.Dashboards(t.Context(), f.tenant, model.DashboardFilter{Customer: c}, model.PageLink{Size: 5})
		if err != nil || page.Total != 1 || len(page.Data[0].Customers) != 1 || !f.Assigned(d.ID, c) {
			t.Errorf("of the customer: %+v, %v", page, err)
		}
		f.reopen(t)
	}
	wantError(t, f.SaveDashboard(t.Context(), d), model.Conflict, "Dashboard was already changed by someone else")
	d.Version, d.Title = 2, "y"
	check(t, f.SaveDashboard(t.Context(), d))
	if len(d.Customers) != 1 || d.Version != 3 {
		t.Errorf("after an update: %+v", d)
	}
	got, err = f.AssignDashboard(t.Context(), f.tenant, d.ID, c, false)
	if err != nil || len(got.Customers) != 0 || f.Assigned(d.ID, c) {
		t.Errorf("taken away: %+v, %v", got, err)
	}
	_, err = f.AssignDashboard(t.Context(), f.tenant, d.ID, model.CustomerID{9}, true)
	wantError(t, err, model.NotFound, "")
	other := f.addTenant(t, "Other")
	_, err = f.Dashboard(t.Context(), other, d.ID)
	wantError(t, err, model.NotFound, "Dashboard with id ["+d.ID.String()+"] is not found")
	wantError(t, f.DeleteDashboard(t.Context(), other, d.ID), model.NotFound, "")
	wantError(t, f.SaveDashboard(t.Context(), &model.DashboardRecord{Tenant: f.tenant}), model.Invalid, "Dashboard title should be specified!")
	check(t, f.DeleteDashboard(t.Context(), f.tenant, d.ID))
	_, err = f.Dashboard(t.Context(), f.tenant, d.ID)
	wantError(t, err, model.NotFound, "")
}

func TestAllDevicesOfAllTenants(t *testing.T) {
	f := open(t)
	f.addDevice(t, "a")
	gone := f.addDevice(t, "gone")
	f.addTenantDevice(t)
	check(t, f.DeleteDevice(t.Context(), f.tenant, gone.ID))
	names := map[string]bool{}
	for e := range f.AllDevices() {
		names[e.Name] = true
	}
	if len(names) != 2 || !names["a"] || !names["foreign pump"] {
		t.Errorf("walked %v", names)
	}
	for range f.AllDevices() {
		break
	}
}
