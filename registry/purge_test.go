package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// doomed fills a tenant with something in every table of tenants.
func doomed(t *testing.T, f *fixture) *model.User {
	t.Helper()
	f.tenant = f.addTenant(t, "Doomed")
	c := f.addCustomer(t, "Shop")
	u := f.addUser(t, "u@example.org", c)
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{1}, User: u.ID, Expires: 1 << 60}))
	for i := range 3 {
		d := f.addDevice(t, fmt.Sprint(i))
		check(t, f.SaveEntityView(t.Context(), &model.EntityView{Tenant: f.tenant, Name: fmt.Sprint(i), Source: model.EntityRef{Type: model.EntityDevice, ID: d.ID}}))
		check(t, f.SaveRelation(t.Context(), f.tenant, &model.Relation{From: model.EntityRef{Type: model.EntityDevice, ID: d.ID},
			To: model.EntityRef{Type: model.EntityCustomer, ID: model.EntityID(c)}, Type: "Manages"}))
	}
	check(t, f.SaveDashboard(t.Context(), &model.DashboardRecord{Tenant: f.tenant, Title: "x"}))
	check(t, f.SaveAsset(t.Context(), &model.Asset{Tenant: f.tenant, Customer: c, Name: "a"}))
	return u
}

// rowsOf counts what the database holds of a tenant.
func rowsOf(t *testing.T, r *Registry, id model.TenantID) (n int) {
	t.Helper()
	for _, table := range tenantTables {
		var m int
		check(t, r.reader.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM "+table.name+" WHERE tenant_id = $1", id.String()).Scan(&m))
		n += m
	}
	var own int
	check(t, r.reader.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM tenants WHERE id = $1", id.String()).Scan(&own))
	return n + own
}

// isGone holds that nobody finds anything of a tenant, whatever rows are left.
func isGone(t *testing.T, r *Registry, id model.TenantID, u *model.User) {
	t.Helper()
	for _, typ := range []model.EntityType{model.EntityTenant, model.EntityDevice, model.EntityCustomer, model.EntityUser, model.EntityDashboard, model.EntityAsset, model.EntityEntityView} {
		for e := range r.Entities(id, typ) {
			t.Errorf("still there: %+v", e)
		}
	}
	if _, ok := r.DeviceByToken("token of 1"); ok || r.SessionAlive(model.ID{1}) {
		t.Error("a token or a session still works")
	}
	_, err := r.Account(t.Context(), "u@example.org")
	wantError(t, err, model.NotFound, "")
	wantError(t, r.CreateSession(t.Context(), &model.Session{ID: model.ID{2}, User: u.ID, Expires: 1 << 60}), model.NotFound, "")
	wantError(t, r.CreateDevice(t.Context(), &model.Device{Tenant: id, Name: "late"}, "late"), model.NotFound, "")
	wantError(t, r.DeleteTenant(t.Context(), id), model.NotFound, "")
	page, err := r.Tenants(t.Context(), model.TenantFilter{}, model.PageLink{Size: 9, Sort: "title"})
	check(t, err)
	for _, v := range page.Data {
		if v.ID == id {
			t.Error("the list of tenants shows it")
		}
	}
}

// The rows of a tenant go in many transactions. Whichever the process dies between, the tenant
// is gone from the first on, and the next start removes what is left.
func TestATenantIsGoneWhereverItsDeletionIsCut(t *testing.T) {
	f := open(t)
	kept := f.addDevice(t, "kept")
	u := doomed(t, f)
	ctx, cut := context.WithCancel(t.Context())
	f.opts.RightsChanged = cut // after the first transaction
	f.reopen(t)
	check(t, f.DeleteTenant(ctx, f.tenant))
	if ctx.Err() == nil {
		t.Fatal("the deletion was not cut")
	}
	full := rowsOf(t, f.Registry, f.tenant)
	cuts := 0
	for more, last := true, full+1; more; cuts++ {
		isGone(t, f.Registry, f.tenant, u)
		n := rowsOf(t, f.Registry, f.tenant)
		if n != last-1 {
			t.Errorf("after %d transactions of one row %d rows are left, want %d", cuts, n, last-1)
		}
		last = n

		left := f.opts
		left.Dir, left.RightsChanged = t.TempDir(), func() {}
		for _, file := range []string{databaseFile, databaseFile + "-wal"} {
			b, err := os.ReadFile(filepath.Join(f.opts.Dir, file))
			check(t, err)
			check(t, os.WriteFile(filepath.Join(left.Dir, file), b, 0o600))
		}
		r, err := Open(t.Context(), left)
		check(t, err)
		isGone(t, r, f.tenant, u)
		e := &engine{}
		r.sweep(t.Context(), e)
		if !slices.Equal(e.tenants, []model.TenantID{f.tenant}) || outboxRows(t, r) != 0 || rowsOf(t, r, f.tenant) != 0 {
			t.Errorf("after a restart: erased %v, %d rows of the tenant, %d of the outbox", e.tenants, rowsOf(t, r, f.tenant), outboxRows(t, r))
		}
		if _, ok := r.Lookup(kept.ID); !ok {
			t.Error("another tenant's device is gone")
		}
		check(t, r.Close())
		more, err = f.purgeSome(t.Context(), f.tenant, 1)
		check(t, err)
	}
	if cuts < 15 {
		t.Errorf("the deletion was cut at %d places only", cuts)
	}
	if n := rowsOf(t, f.Registry, f.tenant); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// Between two transactions others write.
func TestOthersWriteWhileATenantIsRemoved(t *testing.T) {
	f := open(t)
	other := f.tenant
	doomed(t, f)
	gone := f.tenant
	ctx, cut := context.WithCancel(t.Context())
	f.opts.RightsChanged = cut
	f.reopen(t)
	check(t, f.DeleteTenant(ctx, gone))
	f.opts.RightsChanged = func() {}
	f.tenant = other
	for i := range 3 {
		if _, err := f.purgeSome(t.Context(), gone, 2); err != nil {
			t.Fatal(err)
		}
		f.addDevice(t, fmt.Sprintf("new %d", i))
	}
	u := f.addUser(t, "other@example.org", model.NoCustomer)
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{3}, User: u.ID, Expires: 1 << 60}))
}
