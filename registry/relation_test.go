package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
)

func TestRelationsComeBackAsSaved(t *testing.T) {
	f := open(t)
	a, b, c := f.addDevice(t, "a"), f.addDevice(t, "b"), f.addDevice(t, "c")
	ref := func(d *model.Device) model.EntityRef { return model.EntityRef{Type: model.EntityDevice, ID: d.ID} }
	save := func(from, to *model.Device, typ, info string) model.Relation {
		t.Helper()
		r := model.Relation{From: ref(from), To: ref(to), Type: typ, Info: []byte(info)}
		check(t, f.SaveRelation(t.Context(), f.tenant, &r))
		return r
	}
	save(a, b, "Contains", `{"x": 1}`)
	ac, bc := save(a, c, "Contains", "{}"), save(b, c, "Manages", "{}")
	ab := save(a, b, "Contains", `{"x":2}`) // replaces
	list := func(q model.RelationQuery, want ...model.Relation) {
		t.Helper()
		got, err := f.Relations(t.Context(), f.tenant, q)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v -want +got\n%s", q, err, diff)
		}
	}
	list(model.RelationQuery{From: ref(a)}, ab, ac)
	f.reopen(t)
	list(model.RelationQuery{To: ref(c)}, ac, bc)
	list(model.RelationQuery{To: ref(c), Type: "Manages"}, bc)
	list(model.RelationQuery{From: ref(a), Group: "EDGE"})
	list(model.RelationQuery{From: model.EntityRef{Type: model.EntityAsset, ID: a.ID}})

	refuse := func(r model.Relation, kind model.Kind, text string) {
		t.Helper()
		wantError(t, f.SaveRelation(t.Context(), f.tenant, &r), kind, text)
	}
	refuse(model.Relation{From: ref(a), To: ref(b)}, model.Invalid, "Relation type should be specified!")
	refuse(model.Relation{From: ref(a), To: ref(b), Type: "x", Group: "MINE"}, model.Invalid, "Unsupported relation type group 'MINE'!")
	refuse(model.Relation{From: ref(a), To: model.EntityRef{Type: model.EntityDevice, ID: model.EntityID{9}}, Type: "x"}, model.NotFound, "")
	other := f.addTenant(t, "Other")
	if got, err := f.Relations(t.Context(), other, model.RelationQuery{From: ref(a)}); err != nil || len(got) != 0 {
		t.Errorf("another tenant sees %+v, %v", got, err)
	}
	wantError(t, f.DeleteRelation(t.Context(), other, &ab), model.NotFound, "Requested item wasn't found!")
	check(t, f.DeleteRelation(t.Context(), f.tenant, &ab))
	wantError(t, f.DeleteRelation(t.Context(), f.tenant, &ab), model.NotFound, "Requested item wasn't found!")

	// Relations go with either end, and with the tenant.
	check(t, f.DeleteDevice(t.Context(), f.tenant, c.ID))
	list(model.RelationQuery{})
	save(a, b, "Contains", "{}")
	check(t, f.DeleteTenant(t.Context(), f.tenant))
	list(model.RelationQuery{})
}
