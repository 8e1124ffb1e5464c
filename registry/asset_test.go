package registry

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestAssetComesBackAsSaved(t *testing.T) {
	f := open(t)
	c := f.addCustomer(t, "Shop")
	a := &model.Asset{Tenant: f.tenant, Customer: c, Name: "Hall", Label: "north", Profile: "building", Info: []byte(`{"a": 1}`)}
	check(t, f.SaveAsset(t.Context(), a))
	a.Label = "south"
	check(t, f.SaveAsset(t.Context(), a))
	old := *a
	old.Version = 1
	wantError(t, f.SaveAsset(t.Context(), &old), model.Conflict, "Asset was already changed by someone else")
	for range 2 {
		got, err := f.Asset(t.Context(), f.tenant, a.ID)
		check(t, err)
		if diff := cmp.Diff(a, got); diff != "" || got.Customer != c {
			t.Errorf("-saved +found:\n%s", diff)
		}
		if byName, err := f.AssetByName(t.Context(), f.tenant, "Hall"); err != nil || byName.ID != a.ID {
			t.Errorf("by name: %+v, %v", byName, err)
		}
		want := &model.Entity{Tenant: f.tenant, ID: a.ID, Type: model.EntityAsset, Name: "Hall", Label: "south", Profile: "building",
			ProfileID: a.ProfileID, Customer: c, Created: a.Created}
		if e, _ := f.Entity(f.tenant, a.ID); !cmp.Equal(want, e) {
			t.Errorf("the directory says\n%s", cmp.Diff(want, e))
		}
		if e, ok := f.Entity(f.tenant, model.EntityID(a.ProfileID)); !ok || e.Type != model.EntityAssetProfile {
			t.Errorf("the directory says of the profile %+v", e)
		}
		f.reopen(t)
	}
	refuse := func(v model.Asset, kind model.Kind, text string) {
		t.Helper()
		v.Tenant = f.tenant
		wantError(t, f.SaveAsset(t.Context(), &v), kind, text)
	}
	refuse(model.Asset{Name: "Hall"}, model.Invalid, "Asset with such name already exists!")
	refuse(model.Asset{}, model.Invalid, "Asset name should be specified!")
	refuse(model.Asset{Name: "x", Label: "<b>"}, model.Invalid, "Validation error: label is malformed")
	refuse(model.Asset{Name: "x", ProfileID: model.ID{9}}, model.Invalid, "Asset is referencing to non-existent asset profile!")
	refuse(model.Asset{Name: "x", Customer: model.CustomerID{9}}, model.NotFound, "")
	refuse(model.Asset{Name: "x", ID: model.EntityID{9}}, model.NotFound, "")
	other := f.addTenant(t, "Other")
	_, err := f.Asset(t.Context(), other, a.ID)
	wantError(t, err, model.NotFound, "Asset with id ["+a.ID.String()+"] is not found")
	_, err = f.AssetByName(t.Context(), other, "Hall")
	wantError(t, err, model.NotFound, "")
	_, err = f.AssignAsset(t.Context(), other, a.ID, model.NoCustomer)
	wantError(t, err, model.NotFound, "")
	wantError(t, f.DeleteAsset(t.Context(), other, a.ID), model.NotFound, "")

	check(t, f.DeleteCustomer(t.Context(), f.tenant, c))
	if e, _ := f.Entity(f.tenant, a.ID); e.Customer != model.NoCustomer {
		t.Error("a deleted customer still owns the asset")
	}
	check(t, f.DeleteAsset(t.Context(), f.tenant, a.ID))
	if _, ok := f.Lookup(a.ID); ok {
		t.Error("the directory still shows it")
	}
	_, err = f.Asset(t.Context(), f.tenant, a.ID)
	wantError(t, err, model.NotFound, "")
}

func TestAssetsAreListedAssignedAndTyped(t *testing.T) {
	f := open(t)
	c := f.addCustomer(t, "Shop")
	for _, v := range []struct{ name, typ string }{{"b", "hall"}, {"A", "room"}, {"ab", "hall"}} {
		check(t, f.SaveAsset(t.Context(), &model.Asset{Tenant: f.tenant, Name: v.name, Profile: v.typ}))
	}
	list := func(filter model.AssetFilter, l model.PageLink, want string) {
		t.Helper()
		l.Size = 10
		p, err := f.Assets(t.Context(), f.tenant, filter, l)
		if got := join(p, func(a model.Asset) string { return a.Name }); err != nil || got != want {
			t.Errorf("%+v %+v: %q, %v; want %q", filter, l, got, err, want)
		}
	}
	list(model.AssetFilter{}, model.PageLink{}, "ab,A,b")
	list(model.AssetFilter{}, model.PageLink{Sort: "name"}, "A,ab,b")
	list(model.AssetFilter{}, model.PageLink{Sort: "type", Descending: true}, "A,ab,b")
	list(model.AssetFilter{}, model.PageLink{Search: "ROOM"}, "A")
	list(model.AssetFilter{Type: "hall"}, model.PageLink{Sort: "name", Descending: true}, "b,ab")
	a, err := f.AssetByName(t.Context(), f.tenant, "A")
	check(t, err)
	if a, err = f.AssignAsset(t.Context(), f.tenant, a.ID, c); err != nil || a.Customer != c || a.Version != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	list(model.AssetFilter{Customer: c}, model.PageLink{}, "A")
	list(model.AssetFilter{}, model.PageLink{Sort: "customerTitle", Descending: true}, "A,ab,b")
	list(model.AssetFilter{Profile: a.ProfileID}, model.PageLink{}, "A")
	if got := f.AssetTypes(f.tenant, model.NoCustomer); !slices.Equal(got, []string{"hall", "room"}) {
		t.Errorf("types %q", got)
	}
	if got := f.AssetTypes(f.tenant, c); !slices.Equal(got, []string{"room"}) {
		t.Errorf("types of the customer %q", got)
	}
	_, err = f.Assets(t.Context(), f.tenant, model.AssetFilter{}, model.PageLink{Size: 1, Sort: "title"})
	wantError(t, err, model.Invalid, "Invalid sort property")

	// Renaming the profile renames the type.
	p, err := f.AssetProfile(t.Context(), f.tenant, a.ProfileID)
	check(t, err)
	p.Name = "chamber"
	check(t, f.SaveAssetProfile(t.Context(), p))
	list(model.AssetFilter{Type: "chamber"}, model.PageLink{}, "A")
}

func TestAssetProfileRules(t *testing.T) {
	f := open(t)
	board := &model.DashboardRecord{Tenant: f.tenant, Title: "x"}
	check(t, f.SaveDashboard(t.Context(), board))
	p := &model.AssetProfile{Tenant: f.tenant, Name: "hall", Description: "d", Dashboard: board.ID, Queue: "Main", Image: "i"}
	check(t, f.SaveAssetProfile(t.Context(), p))
	got, err := f.AssetProfile(t.Context(), f.tenant, p.ID)
	check(t, err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("-saved +found:\n%s", diff)
	}
	refuse := func(v model.AssetProfile, kind model.Kind, text string) {
		t.Helper()
		v.Tenant = f.tenant
		wantError(t, f.SaveAssetProfile(t.Context(), &v), kind, text)
	}
	refuse(model.AssetProfile{Name: "hall"}, model.Invalid, "Asset profile with such name already exists!")
	refuse(model.AssetProfile{}, model.Invalid, "Asset profile name should be specified!")
	refuse(model.AssetProfile{Name: "x", Default: true}, model.Invalid, "Another default asset profile is present in scope of current tenant!")
	refuse(model.AssetProfile{Name: "x", Dashboard: model.EntityID{9}}, model.Invalid, "Asset profile is referencing to non-existent dashboard!")
	refuse(model.AssetProfile{Name: "x", ID: p.ID, Version: 7}, model.Conflict, "Asset profile was already changed by someone else")

	first, err := f.DefaultAssetProfile(t.Context(), f.tenant)
	check(t, err)
	wantError(t, f.DeleteAssetProfile(t.Context(), f.tenant, first.ID), model.Invalid, "Deletion of Default Asset Profile is prohibited!")
	check(t, f.SaveAsset(t.Context(), &model.Asset{Tenant: f.tenant, Name: "a", ProfileID: p.ID}))
	wantError(t, f.DeleteAssetProfile(t.Context(), f.tenant, p.ID), model.Invalid, "The asset profile referenced by the assets cannot be deleted!")
	now, err := f.SetDefaultAssetProfile(t.Context(), f.tenant, p.ID)
	if err != nil || !now.Default {
		t.Errorf("set default: %+v, %v", now, err)
	}
	check(t, f.DeleteAssetProfile(t.Context(), f.tenant, first.ID))
	page, err := f.AssetProfiles(t.Context(), f.tenant, model.PageLink{Size: 5, Sort: "name"})
	if err != nil || page.Total != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	other := f.addTenant(t, "Other")
	_, err = f.AssetProfile(t.Context(), other, p.ID)
	wantError(t, err, model.NotFound, "")
	check(t, f.DeleteTenant(t.Context(), f.tenant))
	if _, ok := f.Lookup(model.EntityID(p.ID)); ok {
		t.Error("a deleted tenant's asset profile is still there")
	}
}

// A tenant of an earlier version has no asset profile until it is asked for one.
func TestTheDefaultAssetProfileIsMadeWhenMissing(t *testing.T) {
	f := open(t)
	check(t, f.write(t.Context(), func(tx *tx) error { return tx.exec("DELETE FROM asset_profiles") }))
	f.reopen(t)
	check(t, f.SaveAsset(t.Context(), &model.Asset{Tenant: f.tenant, Name: "a"}))
	p, err := f.DefaultAssetProfile(t.Context(), f.tenant)
	if err != nil || p.Name != "default" || !p.Default {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = f.DefaultAssetProfile(t.Context(), model.TenantID{9})
	wantError(t, err, model.NotFound, "")
}
