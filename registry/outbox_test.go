package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/model"
)

// An engine is an Eraser that may refuse.
type engine struct {
	mu      sync.Mutex
	refuse  func(model.EntityID) bool
	erased  []model.EntityID
	tenants []model.TenantID
	asked   int
	copied  []copied
}

func (e *engine) DeleteEntity(_ context.Context, _ model.TenantID, id model.EntityID) (model.Position, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if e.refuse != nil && e.refuse(id) {
		return 0, errors.New("engine is down")
	}
	e.erased = append(e.erased, id)
	return 1, nil
}

func (e *engine) CopyAttributes(_ context.Context, v *model.EntityView, dropped model.ViewKeys) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse != nil && e.refuse(v.ID) {
		return errors.New("engine is down")
	}
	e.copied = append(e.copied, copied{v.ID, v.Version, dropped})
	return nil
}

// copied is a copy that was asked for.
type copied struct {
	view    model.EntityID
	version int64
	dropped model.ViewKeys
}

func (e *engine) DeleteTenant(ctx context.Context, t model.TenantID) error {
	_, err := e.DeleteEntity(ctx, t, model.EntityID(t))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tenants = append(e.tenants, t)
	return err
}

func (e *engine) state() (erased map[model.EntityID]int, asked int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	erased = map[model.EntityID]int{}
	for _, id := range e.erased {
		erased[id]++
	}
	return erased, e.asked
}

func outboxRows(t testing.TB, r *Registry) (n int) {
	t.Helper()
	check(t, r.reader.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM outbox").Scan(&n))
	return n
}

func TestDeletedDeviceIsGoneAtOnce(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	check(t, f.DeleteDevice(t.Context(), f.tenant, d.ID))
	for range 2 { // and after a restart
		if _, ok := f.Entity(f.tenant, d.ID); ok {
			t.Error("the directory still shows it")
		}
		if _, ok := f.DeviceByToken("token of a"); ok {
			t.Error("its token still works")
		}
		if _, err := f.Device(t.Context(), f.tenant, d.ID); model.KindOf(err) != model.NotFound {
			t.Errorf("SQL still has it: %v", err)
		}
		for e := range f.Entities(f.tenant, model.EntityDevice) {
			t.Errorf("the list still shows %v", e)
		}
		if n := outboxRows(t, f.Registry); n != 1 {
			t.Errorf("%d rows in the outbox, want 1", n)
		}
		f.reopen(t)
	}
	wantError(t, f.DeleteDevice(t.Context(), f.tenant, d.ID), model.NotFound, "")
}

// The engine fails, the server restarts, the engine fails again: what was deleted is erased
// in the end, and what fails stands in nobody's way.
func TestErasureSurvivesFailureAndRestart(t *testing.T) {
	f := open(t)
	a, b := f.addDevice(t, "a"), f.addDevice(t, "b")
	check(t, f.DeleteDevice(t.Context(), f.tenant, a.ID))
	check(t, f.DeleteDevice(t.Context(), f.tenant, b.ID))
	var failed []model.EntityID
	f.opts.EraseFailed = func(id model.EntityID, err error) { failed = append(failed, id) }
	f.reopen(t)
	e := &engine{refuse: func(id model.EntityID) bool { return id == a.ID }}
	if left := f.sweep(t.Context(), e); !left {
		t.Error("a refused erasure counts as done")
	}
	if erased, _ := e.state(); erased[b.ID] != 1 || len(failed) != 1 || failed[0] != a.ID {
		t.Errorf("erased %v, failed %v", erased, failed)
	}
	f.reopen(t)
	e.refuse = nil
	if left := f.sweep(t.Context(), e); left {
		t.Error("something is left")
	}
	if erased, _ := e.state(); erased[a.ID] != 1 || erased[b.ID] != 1 || outboxRows(t, f.Registry) != 0 {
		t.Errorf("erased %v, %d rows left", erased, outboxRows(t, f.Registry))
	}
}

// The engine erased, then the server died before the row went: it is asked again.
func TestErasureIsRepeatedWhenItsRowSurvived(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	check(t, f.DeleteDevice(t.Context(), f.tenant, d.ID))
	ctx, dies := context.WithCancel(t.Context())
	e := &engine{refuse: func(model.EntityID) bool { dies(); return false }}
	if left := f.sweep(ctx, e); !left {
		t.Error("nothing is left although the row could not be removed")
	}
	f.reopen(t)
	if left := f.sweep(t.Context(), e); left {
		t.Error("something is left")
	}
	if erased, _ := e.state(); erased[d.ID] != 2 {
		t.Errorf("erased %d times, want 2", erased[d.ID])
	}
}

// Between the commit of a deletion and the moment the entity is hidden, writes still find it:
// an erasure then would be too early for them.
func TestNothingIsErasedBeforeItIsHidden(t *testing.T) {
	f := open(t)
	d := f.addDevice(t, "a")
	check(t, f.write(t.Context(), func(tx *tx) error { return f.erase(tx, f.tenant, d.ID) }))
	e := &engine{}
	f.sweep(t.Context(), e)
	if _, asked := e.state(); asked != 0 || outboxRows(t, f.Registry) != 1 {
		t.Errorf("asked %d times, %d rows left", asked, outboxRows(t, f.Registry))
	}
	f.dir.remove(d.ID)
	f.sweep(t.Context(), e)
	if erased, _ := e.state(); erased[d.ID] != 1 || outboxRows(t, f.Registry) != 0 {
		t.Errorf("erased %v, %d rows left", erased, outboxRows(t, f.Registry))
	}
}

func TestSweepGoesPastABatchThatFails(t *testing.T) {
	f := open(t)
	check(t, f.write(t.Context(), func(tx *tx) error {
		for i := range 2*eraseBatch + 3 {
			if err := f.erase(tx, f.tenant, model.EntityID{byte(i), byte(i >> 8)}); err != nil {
				return err
			}
		}
		return nil
	}))
	e := &engine{refuse: func(id model.EntityID) bool { return id[0]%2 == 0 }}
	if left := f.sweep(t.Context(), e); !left {
		t.Error("nothing is left")
	}
	if _, asked := e.state(); asked != 2*eraseBatch+3 {
		t.Errorf("asked %d times", asked)
	}
	e.refuse = nil
	if left := f.sweep(t.Context(), e); left || outboxRows(t, f.Registry) != 0 {
		t.Errorf("left: %v, %d rows", left, outboxRows(t, f.Registry))
	}
}

func TestWorkerErasesAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{}
		keys, err := OpenKeys(t.TempDir(), nil)
		check(t, err)
		f.Registry, err = Open(t.Context(), Options{Dir: t.TempDir(), Keys: keys})
		check(t, err)
		f.tenant = f.addTenant(t, "Acme")
		a := f.addDevice(t, "a")
		down := true
		e := &engine{refuse: func(model.EntityID) bool { return down }}
		f.Start(e)
		check(t, f.DeleteDevice(t.Context(), f.tenant, a.ID))
		synctest.Wait()
		if _, asked := e.state(); asked == 0 {
			t.Error("a delete does not wake the worker")
		}
		e.mu.Lock()
		down = false
		e.mu.Unlock()
		<-time.After(2 * eraseRetryMax)
		synctest.Wait()
		if erased, _ := e.state(); erased[a.ID] != 1 || outboxRows(t, f.Registry) != 0 {
			t.Errorf("erased %v, %d rows left", erased, outboxRows(t, f.Registry))
		}
		check(t, f.Close())
	})
}

func TestDeletedCustomerLeavesItsDevicesAndTakesItsUsers(t *testing.T) {
	f := open(t)
	c := f.addCustomer(t, "Shop")
	d := f.addDevice(t, "a")
	_, err := f.AssignDevice(t.Context(), f.tenant, d.ID, c)
	check(t, err)
	u := f.addUser(t, "u@example.org", c)
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{1}, User: u.ID, Expires: 1 << 60}))
	board := &model.DashboardRecord{Tenant: f.tenant, Title: "x"}
	check(t, f.SaveDashboard(t.Context(), board))
	_, err = f.AssignDashboard(t.Context(), f.tenant, board.ID, c, true)
	check(t, err)
	check(t, f.DeleteCustomer(t.Context(), f.tenant, c))
	for range 2 {
		got, err := f.Device(t.Context(), f.tenant, d.ID)
		if err != nil || got.Customer != model.NoCustomer || got.Version != 3 {
			t.Errorf("the device: %+v, %v", got, err)
		}
		if e, ok := f.Entity(f.tenant, d.ID); !ok || e.Customer != model.NoCustomer {
			t.Errorf("the directory: %+v, %v", e, ok)
		}
		for _, id := range []model.EntityID{model.EntityID(u.ID), model.EntityID(c)} {
			if e, ok := f.Lookup(id); ok {
				t.Errorf("still there: %+v", e)
			}
		}
		if f.SessionAlive(model.ID{1}) {
			t.Error("the session of a deleted user lives")
		}
		b, err := f.Dashboard(t.Context(), f.tenant, board.ID)
		if err != nil || len(b.Customers) != 0 || f.Assigned(board.ID, c) {
			t.Errorf("the dashboard: %+v, %v", b, err)
		}
		f.reopen(t)
	}
	if n := outboxRows(t, f.Registry); n != 2 {
		t.Errorf("%d rows in the outbox, want customer and user", n)
	}
}

func TestDeletedTenantTakesEverything(t *testing.T) {
	f := open(t)
	other := f.tenant
	kept := f.addDevice(t, "kept")
	f.tenant = f.addTenant(t, "Doomed")
	c := f.addCustomer(t, "Shop")
	u := f.addUser(t, "u@example.org", c)
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{1}, User: u.ID, Expires: 1 << 60}))
	for i := range 20 {
		d := f.addDevice(t, fmt.Sprint(i))
		_, err := f.AssignDevice(t.Context(), f.tenant, d.ID, c)
		check(t, err)
	}
	board := &model.DashboardRecord{Tenant: f.tenant, Title: "x"}
	check(t, f.SaveDashboard(t.Context(), board))
	asset := &model.Asset{Tenant: f.tenant, Customer: c, Name: "a"}
	check(t, f.SaveAsset(t.Context(), asset))
	check(t, f.DeleteTenant(t.Context(), f.tenant))
	for range 2 {
		for _, typ := range []model.EntityType{model.EntityTenant, model.EntityDevice, model.EntityCustomer, model.EntityUser, model.EntityDashboard, model.EntityDeviceProfile, model.EntityAsset, model.EntityAssetProfile} {
			for e := range f.Entities(f.tenant, typ) {
				t.Errorf("still there: %+v", e)
			}
		}
		if _, ok := f.DeviceByToken("token of 3"); ok || f.SessionAlive(model.ID{1}) {
			t.Error("a token or session of the tenant still works")
		}
		if _, ok := f.DeviceByToken("token of kept"); !ok {
			t.Error("another tenant's token does not work")
		}
		if _, ok := f.Entity(other, kept.ID); !ok {
			t.Error("another tenant's device is gone")
		}
		f.reopen(t)
	}
	e := &engine{}
	f.sweep(t.Context(), e)
	if !slices.Equal(e.tenants, []model.TenantID{f.tenant}) || outboxRows(t, f.Registry) != 0 {
		t.Errorf("erased tenants %v", e.tenants)
	}
	wantError(t, f.DeleteTenant(t.Context(), f.tenant), model.NotFound, "")
}
