package registry

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func (f *fixture) addView(t testing.TB, name string, of *model.Device) *model.EntityView {
	t.Helper()
	v := &model.EntityView{Tenant: f.tenant, Name: name, Source: model.EntityRef{Type: model.EntityDevice, ID: of.ID}}
	check(t, f.SaveEntityView(t.Context(), v))
	return v
}

func TestEntityViewComesBackAsSaved(t *testing.T) {
	f := open(t)
	c, d := f.addCustomer(t, "Shop"), f.addDevice(t, "a")
	v := &model.EntityView{Tenant: f.tenant, Customer: c, Name: "Guest", Type: "public", Source: model.EntityRef{Type: model.EntityDevice, ID: d.ID},
		Keys: model.ViewKeys{Timeseries: []string{"t", "h", "t"}, Server: []string{"s"}}, From: 5, To: 9, Info: []byte(`{"a": 1}`)}
	check(t, f.SaveEntityView(t.Context(), v))
	v.To = 10
	check(t, f.SaveEntityView(t.Context(), v))
	old := *v
	old.Version = 1
	wantError(t, f.SaveEntityView(t.Context(), &old), model.Conflict, "Entity view was already changed by someone else")
	for range 2 {
		got, err := f.EntityView(t.Context(), f.tenant, v.ID)
		check(t, err)
		if diff := cmp.Diff(v, got); diff != "" {
			t.Errorf("-saved +found:\n%s", diff)
		}
		if byName, err := f.EntityViewByName(t.Context(), f.tenant, "Guest"); err != nil || byName.ID != v.ID {
			t.Errorf("by name: %+v, %v", byName, err)
		}
		want := &model.Entity{Tenant: f.tenant, ID: v.ID, Type: model.EntityEntityView, Name: "Guest", Profile: "public", Customer: c, Created: v.Created}
		if e, _ := f.Entity(f.tenant, v.ID); !cmp.Equal(want, e) {
			t.Errorf("the directory says\n%s", cmp.Diff(want, e))
		}
		w, ok := f.Window(v.ID)
		if want := (&model.Window{Source: v.Source, Keys: []string{"h", "t"}, From: 5, To: 10}); !ok || !cmp.Equal(want, w) {
			t.Errorf("the window is %+v", w)
		}
		f.reopen(t)
	}
	if _, ok := f.Window(d.ID); ok {
		t.Error("a device has a window")
	}
	refuse := func(change func(*model.EntityView), kind model.Kind, text string) {
		t.Helper()
		x := model.EntityView{Tenant: f.tenant, Name: "x", Source: v.Source}
		change(&x)
		wantError(t, f.SaveEntityView(t.Context(), &x), kind, text)
	}
	refuse(func(x *model.EntityView) { x.Name = "Guest" }, model.Invalid, "Entity view with such name already exists!")
	refuse(func(x *model.EntityView) { x.Name = "" }, model.Invalid, "Entity view name should be specified!")
	refuse(func(x *model.EntityView) { x.From, x.To = 9, 5 }, model.Invalid, "Entity view end time can't be before its start time!")
	refuse(func(x *model.EntityView) { x.From = -1 }, model.Invalid, "Entity view start and end time can't be negative!")
	refuse(func(x *model.EntityView) { x.Keys.Shared = []string{""} }, model.Invalid, "")
	refuse(func(x *model.EntityView) { x.Keys.Timeseries = slices.Repeat([]string{"k"}, 10_001) }, model.Invalid, "Entity view can't have more than 10000 keys!")
	refuse(func(x *model.EntityView) { x.Source.ID = model.EntityID{9} }, model.Invalid, "Entity view is referencing to non-existent entity!")
	refuse(func(x *model.EntityView) { x.Source.Type = model.EntityAsset }, model.Invalid, "Entity view is referencing to non-existent entity!")
	refuse(func(x *model.EntityView) { x.Source = model.EntityRef{Type: model.EntityEntityView, ID: v.ID} }, model.Invalid,
		"Entity view can be assigned to a device or an asset only!")
	refuse(func(x *model.EntityView) { x.Customer = model.CustomerID{9} }, model.NotFound, "")
	other := f.addTenant(t, "Other")
	refuse(func(x *model.EntityView) { x.Tenant = other }, model.Invalid, "Entity view is referencing to non-existent entity!")
	_, err := f.EntityView(t.Context(), other, v.ID)
	wantError(t, err, model.NotFound, "Entity view with id ["+v.ID.String()+"] is not found")

	wantError(t, f.DeleteDevice(t.Context(), f.tenant, d.ID), model.Invalid, "Can't delete device that has entity views!")
	check(t, f.DeleteCustomer(t.Context(), f.tenant, c))
	if e, _ := f.Entity(f.tenant, v.ID); e.Customer != model.NoCustomer {
		t.Error("a deleted customer still owns the view")
	}
	check(t, f.DeleteEntityView(t.Context(), f.tenant, v.ID))
	if _, ok := f.Window(v.ID); ok {
		t.Error("a deleted view still shows something")
	}
	check(t, f.DeleteDevice(t.Context(), f.tenant, d.ID))
}

func TestEntityViewsAreListedAndAssigned(t *testing.T) {
	f := open(t)
	c, d := f.addCustomer(t, "Shop"), f.addDevice(t, "a")
	b := f.addView(t, "b", d)
	f.addView(t, "A", d)
	b.Type = "special"
	check(t, f.SaveEntityView(t.Context(), b))
	got, err := f.AssignEntityView(t.Context(), f.tenant, b.ID, c)
	if err != nil || got.Customer != c || got.Version != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	list := func(filter model.EntityViewFilter, l model.PageLink, want string) {
		t.Helper()
		l.Size = 10
		p, err := f.EntityViews(t.Context(), f.tenant, filter, l)
		if got := join(p, func(v model.EntityView) string { return v.Name }); err != nil || got != want {
			t.Errorf("%+v %+v: %q, %v; want %q", filter, l, got, err, want)
		}
	}
	list(model.EntityViewFilter{}, model.PageLink{}, "A,b")
	list(model.EntityViewFilter{}, model.PageLink{Sort: "name", Descending: true}, "b,A")
	list(model.EntityViewFilter{}, model.PageLink{Search: "SPEC"}, "b")
	list(model.EntityViewFilter{Type: "default"}, model.PageLink{}, "A")
	list(model.EntityViewFilter{Customer: c}, model.PageLink{Sort: "customerTitle"}, "b")
	if got := f.EntityViewTypes(f.tenant, model.NoCustomer); !slices.Equal(got, []string{"default", "special"}) {
		t.Errorf("types %q", got)
	}
	check(t, f.DeleteTenant(t.Context(), f.tenant))
	if _, ok := f.Lookup(b.ID); ok {
		t.Error("a deleted tenant's view is still there")
	}
}

// What a save of a view leaves to be copied survives the engine's failure and a restart, and
// knows what was copied before.
func TestAttributesAreCopiedInTheEnd(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	v := f.addView(t, "v", d) // nobody copies yet
	v.Keys.Server = []string{"one"}
	check(t, f.SaveEntityView(t.Context(), v))
	v.Keys.Server = []string{"two"}
	check(t, f.SaveEntityView(t.Context(), v))
	f.reopen(t) // the server ends before it copied
	e := &engine{refuse: func(model.EntityID) bool { return true }}
	if left := f.sweepCopies(t.Context(), e); !left {
		t.Error("a refused copy counts as done")
	}
	e.refuse = nil
	if left := f.sweepCopies(t.Context(), e); left {
		t.Error("something is left")
	}
	if want := []copied{{v.ID, 3, model.ViewKeys{Server: []string{"one"}}}}; !cmp.Equal(want, e.copied, cmp.AllowUnexported(copied{})) {
		t.Errorf("copied %+v, want %+v", e.copied, want)
	}
	if left := f.sweepCopies(t.Context(), e); left || len(e.copied) != 1 {
		t.Error("it was copied again")
	}

	// A copy that is older than the last save leaves the newer one to be made.
	check(t, f.SaveEntityView(t.Context(), v))
	check(t, f.copy(t.Context(), e, &viewCopy{view: v.ID, version: 3}))
	f.sweepCopies(t.Context(), e)
	if last := e.copied[len(e.copied)-1]; last.version != 4 {
		t.Errorf("the last copy is of version %d", last.version)
	}
	// A view that went while it was copied leaves nothing in the engine.
	gone := f.addView(t, "gone", d)
	f.dir.remove(gone.ID)
	check(t, f.copy(t.Context(), e, &viewCopy{view: gone.ID, version: 1}))
	if erased, _ := e.state(); erased[gone.ID] != 1 {
		t.Error("what was copied too late stays in the engine")
	}
}

// Once started, a save copies before it returns.
func TestASaveOfAViewCopies(t *testing.T) {
	f := open(t)
	e := &engine{}
	f.Start(e)
	v := f.addView(t, "v", f.addDevice(t, "a"))
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.copied) == 0 || e.copied[0].view != v.ID {
		t.Errorf("copied %+v", e.copied)
	}
}
