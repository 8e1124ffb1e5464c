package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestDeviceComesBackAsSaved(t *testing.T) {
	f := open(t)
	c := f.addCustomer(t, "Shop")
	d := &model.Device{Tenant: f.tenant, Customer: c, Name: "Pump 7", Label: "Größe <3", Profile: "pump",
		Data: []byte(`{ "a":1.0 }`), Info: []byte(`{"gateway":false}`)}
	check(t, f.SaveDevice(t.Context(), d))
	for range 2 { // and after a restart
		got, err := f.Device(t.Context(), f.tenant, d.ID)
		check(t, err)
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		byName, err := f.DeviceByName(t.Context(), f.tenant, "Pump 7")
		if err != nil || byName.ID != d.ID {
			t.Errorf("by name: %v, %v", byName, err)
		}
		e, ok := f.Entity(f.tenant, d.ID)
		want := model.Entity{Tenant: f.tenant, ID: d.ID, Type: model.EntityDevice, Name: d.Name, Label: d.Label, Profile: "pump",
			ProfileID: d.ProfileID, Customer: c, Created: d.Created}
		if !ok || *e != want {
			t.Errorf("the directory says %+v, %v; want %+v", e, ok, want)
		}
		f.reopen(t)
	}
	if d.Version != 1 || d.Created == 0 || d.ProfileID.IsZero() {
		t.Errorf("not filled: %+v", d)
	}
}

func TestTypeSelectsOrCreatesTheProfile(t *testing.T) {
	f := open(t)
	fallback, err := f.DefaultDeviceProfile(t.Context(), f.tenant)
	check(t, err)
	neither := &model.Device{Tenant: f.tenant, Name: "a"}
	check(t, f.SaveDevice(t.Context(), neither))
	if neither.Profile != "default" || neither.ProfileID != fallback.ID {
		t.Errorf("neither given: %+v", neither)
	}
	byType := &model.Device{Tenant: f.tenant, Name: "b", Profile: "pump"}
	check(t, f.SaveDevice(t.Context(), byType))
	again := &model.Device{Tenant: f.tenant, Name: "c", Profile: "pump"}
	check(t, f.SaveDevice(t.Context(), again))
	byID := &model.Device{Tenant: f.tenant, Name: "d", ProfileID: byType.ProfileID}
	check(t, f.SaveDevice(t.Context(), byID))
	if again.ProfileID != byType.ProfileID || byID.Profile != "pump" {
		t.Errorf("one profile per name: %+v %+v", again, byID)
	}
	if got := f.DeviceTypes(f.tenant, model.NoCustomer); !slices.Equal(got, []string{"default", "pump"}) {
		t.Errorf("types %q", got)
	}
	other := f.addTenant(t, "Other")
	foreign, err := f.DefaultDeviceProfile(t.Context(), other)
	check(t, err)
	wantError(t, f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "e", ProfileID: foreign.ID}), model.Invalid,
		"Device is referencing to non-existent device profile!")
}

func TestDeviceNameIsUniquePerTenant(t *testing.T) {
	f := open(t)
	a, b := f.addDevice(t, "a"), f.addDevice(t, "b")
	const text = "Device with such name already exists!"
	wantError(t, f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "a"}), model.Invalid, text)
	b.Name = "a"
	wantError(t, f.SaveDevice(t.Context(), b), model.Invalid, text)
	if e, _ := f.Entity(f.tenant, b.ID); e.Name != "b" {
		t.Errorf("a refused save changed the directory: %+v", e)
	}
	check(t, f.SaveDevice(t.Context(), &model.Device{Tenant: f.addTenant(t, "Other"), Name: "a"}))
	check(t, f.DeleteDevice(t.Context(), f.tenant, a.ID))
	check(t, f.SaveDevice(t.Context(), b)) // the name is free at once
}

func TestOldVersionIsAConflict(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	old := *d
	d.Label = "x"
	check(t, f.SaveDevice(t.Context(), d))
	if d.Version != 2 || d.Created != old.Created {
		t.Errorf("after an update: %+v", d)
	}
	wantError(t, f.SaveDevice(t.Context(), &old), model.Conflict, "Device was already changed by someone else")
	old.Version = 0 // not checked
	check(t, f.SaveDevice(t.Context(), &old))
	if old.Version != 3 {
		t.Errorf("version %d after two updates", old.Version)
	}
}

func TestForeignDeviceIsNotFound(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	other := f.addTenant(t, "Other")
	_, err := f.Device(t.Context(), other, d.ID)
	wantError(t, err, model.NotFound, "Device with id ["+d.ID.String()+"] is not found")
	_, err = f.DeviceByName(t.Context(), other, "a")
	wantError(t, err, model.NotFound, "")
	_, err = f.Credentials(t.Context(), other, d.ID)
	wantError(t, err, model.NotFound, "")
	_, err = f.AssignDevice(t.Context(), other, d.ID, model.NoCustomer)
	wantError(t, err, model.NotFound, "")
	wantError(t, f.DeleteDevice(t.Context(), other, d.ID), model.NotFound, "")
	stolen := *d
	stolen.Tenant = other
	wantError(t, f.SaveDevice(t.Context(), &stolen), model.NotFound, "")
	if _, ok := f.Entity(other, d.ID); ok {
		t.Error("the directory shows a foreign entity")
	}
	got, err := f.DevicesByID(t.Context(), other, []model.EntityID{d.ID})
	if err != nil || len(got) != 0 {
		t.Errorf("by id: %v, %v", got, err)
	}
}

func TestTextsAreChecked(t *testing.T) {
	f := open(t)
	try := func(name, label, profile, text string) {
		t.Helper()
		err := f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: name, Label: label, Profile: profile})
		if text == "" {
			check(t, err)
		} else {
			wantError(t, err, model.Invalid, text)
		}
	}
	long := strings.Repeat("é", 255)
	try(long, "a < b > c", "", "")
	try(long+"e", "", "", "Validation error: name length must be equal or less than 255")
	try("x", long+"e", "", "Validation error: label length must be equal or less than 255")
	try("x", "", long+"e", "Validation error: type length must be equal or less than 255")
	try("", "", "", "Device name should be specified!")
	try(" \t", "", "", "Device name should be specified!")
	try("<b>x", "", "", "Validation error: name is malformed")
	try("x</i>", "", "", "Validation error: name is malformed")
	try("x", "1 << <script>", "", "Validation error: label is malformed")
	try("x", "", "<!--", "Validation error: type is malformed")
	try("x\x00y", "", "", "Validation error: name is malformed")
	try("x\xffy", "", "", "Validation error: name is malformed")
}

func TestAssignmentFollowsTheCustomer(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	c := f.addCustomer(t, "Shop")
	got, err := f.AssignDevice(t.Context(), f.tenant, d.ID, c)
	if err != nil || got.Customer != c || got.Version != 2 {
		t.Fatal(got, err)
	}
	if e, _ := f.Entity(f.tenant, d.ID); e.Customer != c {
		t.Errorf("the directory says %v", e.Customer)
	}
	d.Version, d.Customer = 0, model.NoCustomer
	check(t, f.SaveDevice(t.Context(), d))
	if d.Customer != c {
		t.Error("a save took the device away from its customer")
	}
	_, err = f.AssignDevice(t.Context(), f.tenant, d.ID, model.CustomerID{9})
	wantError(t, err, model.NotFound, "")
	got, err = f.AssignDevice(t.Context(), f.tenant, d.ID, model.CustomerID{})
	if err != nil || got.Customer != model.NoCustomer {
		t.Errorf("taken back: %+v, %v", got, err)
	}
	foreign := &model.Customer{Tenant: f.addTenant(t, "Other"), Title: "x"}
	check(t, f.SaveCustomer(t.Context(), foreign))
	_, err = f.AssignDevice(t.Context(), f.tenant, d.ID, foreign.ID)
	wantError(t, err, model.NotFound, "")
	wantError(t, f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "b", Customer: foreign.ID}), model.NotFound, "")
}

func TestDeviceListFiltersSortsAndPages(t *testing.T) {
	f := open(t)
	shop := f.addCustomer(t, "Shop")
	for i, name := range []string{"pump B", "Pump a", "valve", "lamp"} {
		d := &model.Device{Tenant: f.tenant, Name: name, Label: fmt.Sprint(9 - i), Profile: strings.Fields(name)[0]}
		if i < 2 {
			d.Customer, d.Profile = shop, "pump"
		}
		check(t, f.SaveDevice(t.Context(), d))
	}
	f.addTenantDevice(t)
	isValve := func(id model.EntityID) bool {
		e, _ := f.Lookup(id)
		return e.Name == "valve"
	}
	list := func(want string, total int, filter model.DeviceFilter, l model.PageLink) {
		t.Helper()
		if l.Size == 0 {
			l.Size = 10
		}
		got, err := f.Devices(t.Context(), f.tenant, filter, l)
		check(t, err)
		var names []string
		for _, d := range got.Data {
			names = append(names, d.Name)
		}
		if strings.Join(names, ",") != want || got.Total != total {
			t.Errorf("%+v %+v: %q of %d, want %q of %d", filter, l, names, got.Total, want, total)
		}
	}
	all, none := model.DeviceFilter{}, model.DeviceFilter{Type: "x"}
	list("lamp,valve,Pump a,pump B", 4, all, model.PageLink{})
	list("", 0, none, model.PageLink{})
	list("lamp,Pump a,pump B,valve", 4, all, model.PageLink{Sort: "name"})
	list("valve,pump B,Pump a,lamp", 4, all, model.PageLink{Sort: "name", Descending: true})
	list("pump B,Pump a,valve,lamp", 4, all, model.PageLink{Sort: "createdTime"})
	list("lamp,valve,Pump a,pump B", 4, all, model.PageLink{Sort: "label"})
	list("lamp,Pump a,pump B,valve", 4, all, model.PageLink{Sort: "type"})
	list("lamp,Pump a,pump B,valve", 4, all, model.PageLink{Sort: "deviceProfileName"})
	list("Pump a,pump B,lamp,valve", 4, all, model.PageLink{Sort: "customerTitle", Descending: true})
	list("valve,lamp,Pump a,pump B", 4, model.DeviceFilter{Active: isValve}, model.PageLink{Sort: "active", Descending: true})
	list("lamp,valve", 4, all, model.PageLink{Size: 2})
	list("Pump a,pump B", 4, all, model.PageLink{Size: 2, Page: 1})
	list("", 4, all, model.PageLink{Size: 2, Page: 2})
	list("", 4, all, model.PageLink{Size: 1 << 62, Page: 1 << 62})
	list("Pump a,pump B", 2, all, model.PageLink{Search: "PUMP"})
	list("lamp", 1, all, model.PageLink{Search: "6"})
	list("Pump a,pump B", 2, model.DeviceFilter{Customer: shop}, model.PageLink{})
	list("lamp,valve", 2, model.DeviceFilter{Customer: model.NoCustomer}, model.PageLink{})
	list("Pump a,pump B", 2, model.DeviceFilter{Type: "pump"}, model.PageLink{})
	list("valve", 1, model.DeviceFilter{Active: isValve, WithActive: new(true)}, model.PageLink{})
	list("lamp,Pump a,pump B", 3, model.DeviceFilter{Active: isValve, WithActive: new(false)}, model.PageLink{})
	list("", 0, model.DeviceFilter{WithActive: new(true)}, model.PageLink{})

	_, err := f.Devices(t.Context(), f.tenant, all, model.PageLink{Size: 1, Sort: "password"})
	wantError(t, err, model.Invalid, "Invalid sort property")
	_, err = f.Devices(t.Context(), f.tenant, all, model.PageLink{})
	wantError(t, err, model.Invalid, "Incorrect page link page size '0'. Page size must be greater than zero.")
	_, err = f.Devices(t.Context(), f.tenant, all, model.PageLink{Size: 1, Page: -1})
	wantError(t, err, model.Invalid, "Incorrect page link page '-1'. Page must be positive integer.")
}

// addTenantDevice adds a device that no list of f.tenant may show.
func (f *fixture) addTenantDevice(t testing.TB) {
	t.Helper()
	check(t, f.SaveDevice(t.Context(), &model.Device{Tenant: f.addTenant(t, "Other"), Name: "foreign pump"}))
}

func TestDevicesByIDKeepsTheOrderAsked(t *testing.T) {
	f := open(t)
	var ids []model.EntityID
	for i := range 7 {
		ids = append(ids, f.addDevice(t, fmt.Sprint(i)).ID)
	}
	slices.Reverse(ids)
	ids = append(ids, ids[0], model.EntityID{9})
	got, err := f.DevicesByID(t.Context(), f.tenant, ids)
	check(t, err)
	var names string
	for _, d := range got {
		names += d.Name
	}
	if names != "6543210" {
		t.Errorf("got %s", names)
	}
}

func TestRenamedProfileRenamesTheType(t *testing.T) {
	f := open(t)
	d := &model.Device{Tenant: f.tenant, Name: "a", Profile: "pump"}
	check(t, f.SaveDevice(t.Context(), d))
	p, err := f.DeviceProfile(t.Context(), f.tenant, d.ProfileID)
	check(t, err)
	p.Name = "big pump"
	check(t, f.SaveDeviceProfile(t.Context(), p))
	got, err := f.Device(t.Context(), f.tenant, d.ID)
	if err != nil || got.Profile != "big pump" {
		t.Errorf("SQL says %+v, %v", got, err)
	}
	if e, _ := f.Entity(f.tenant, d.ID); e.Profile != "big pump" {
		t.Errorf("the directory says %+v", e)
	}
}

func TestDevicesOfOneCommitAreMadeAllOrNone(t *testing.T) {
	f := open(t)
	list := func(names ...string) (all []NewDevice) {
		for _, n := range names {
			all = append(all, NewDevice{&model.Device{Tenant: f.tenant, Name: n}, &model.Credentials{Type: model.AccessToken, Key: "token of " + n}})
		}
		return all
	}
	made := list("a", "b", "c")
	check(t, f.CreateDevices(t.Context(), made))
	for _, n := range made {
		e, ok := f.DeviceByToken("token of " + n.Device.Name)
		if !ok || e.ID != n.Device.ID || n.Credentials.Device != n.Device.ID {
			t.Errorf("%s: found %+v, want %+v", n.Device.Name, e, n)
		}
	}
	if err := f.CreateDevices(t.Context(), list("d", "a")); err == nil {
		t.Error("a name was given twice")
	}
	if _, ok := f.DeviceByToken("token of d"); ok {
		t.Error("a device was made although the other one could not be")
	}
	check(t, f.CreateDevices(t.Context(), nil))
}
