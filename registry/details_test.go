package registry

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestDetailsAreTheFieldsTheDirectoryDoesNotKeep(t *testing.T) {
	f := open(t)
	details := func(typ model.EntityType, ids ...model.EntityID) map[model.EntityID]map[string]string {
		t.Helper()
		got, err := f.Details(t.Context(), f.tenant, typ, ids)
		check(t, err)
		return got
	}
	c := &model.Customer{Tenant: f.tenant, Title: "Acme", Contact: model.Contact{Email: "a@example.org", City: "Lund", Zip: "22100"}, Info: []byte(`{"a":1}`)}
	check(t, f.SaveCustomer(t.Context(), c))
	u := f.addUser(t, "ann@example.org", c.ID)
	u.FirstName, u.LastName = "Ann", "Lee"
	check(t, f.SaveUser(t.Context(), u))
	want := map[model.EntityID]map[string]string{model.EntityID(c.ID): {
		"additionalInfo": `{"a":1}`, "title": "Acme", "email": "a@example.org", "city": "Lund", "zip": "22100",
	}}
	if diff := cmp.Diff(want, details(model.EntityCustomer, model.EntityID(c.ID))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = map[model.EntityID]map[string]string{model.EntityID(u.ID): {"email": "ann@example.org", "firstName": "Ann", "lastName": "Lee"}}
	if diff := cmp.Diff(want, details(model.EntityUser, model.EntityID(u.ID))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := details(model.EntityTenant, model.EntityID(f.tenant)); got[model.EntityID(f.tenant)]["title"] != "Acme" {
		t.Errorf("%v", got)
	}

	var ids []model.EntityID // of more than one batch
	for i := range detailBatch + 1 {
		d := &model.Device{Tenant: f.tenant, Name: fmt.Sprint(i), Info: fmt.Appendf(nil, `{"n":%d}`, i)}
		check(t, f.CreateDevice(t.Context(), d, ""))
		ids = append(ids, d.ID)
	}
	got := details(model.EntityDevice, ids...)
	for i, id := range ids {
		if got[id]["additionalInfo"] != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("device %d: %v", i, got[id])
		}
	}
	other := f.addTenant(t, "Other")
	if foreign, err := f.Details(t.Context(), other, model.EntityDevice, ids[:1]); err != nil || len(foreign) != 0 {
		t.Errorf("another tenant sees %v, %v", foreign, err)
	}
	for typ := range detailQueries { // every statement is one
		details(typ, ids[0])
	}
}
