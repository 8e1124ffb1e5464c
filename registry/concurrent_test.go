package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// Writers, lists, look-ups and the worker at once; in the end memory and disk agree.
func TestDirectoryAgreesWithTheDatabase(t *testing.T) {
	f := open(t)
	f.Start(&engine{})
	customers := []model.CustomerID{model.NoCustomer, f.addCustomer(t, "A"), f.addCustomer(t, "B")}
	shared := f.addDevice(t, "shared")
	var done sync.WaitGroup
	for w := range 4 {
		done.Go(func() {
			for i := range 15 {
				d := &model.Device{Tenant: f.tenant, Name: fmt.Sprintf("%d-%d", w, i), Profile: fmt.Sprint("p", i%3)}
				if err := f.CreateDevice(t.Context(), d, "token of "+d.Name); err != nil {
					t.Error(err)
					return
				}
				if e, ok := f.DeviceByToken("token of " + d.Name); !ok || e.Name != d.Name {
					t.Errorf("%s is not found after its creation", d.Name)
				}
				if _, err := f.AssignDevice(t.Context(), f.tenant, shared.ID, customers[(w+i)%3]); err != nil {
					t.Error(err)
				}
				if _, err := f.Devices(t.Context(), f.tenant, model.DeviceFilter{}, model.PageLink{Size: 5, Sort: "name"}); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					if err := f.DeleteDevice(t.Context(), f.tenant, d.ID); err != nil {
						t.Error(err)
					}
					if _, ok := f.DeviceByToken("token of " + d.Name); ok {
						t.Errorf("%s is found after its deletion", d.Name)
					}
				}
			}
		})
	}
	done.Wait()
	before := entities(f)
	f.reopen(t)
	after := entities(f)
	if len(before) != len(after) || len(after) != 1+4*7 {
		t.Errorf("%d devices in memory, %d on disk, want %d", len(before), len(after), 1+4*7)
	}
	for id, e := range after {
		if before[id] != e {
			t.Errorf("in memory %+v, on disk %+v", before[id], e)
		}
	}
}

func entities(f *fixture) map[model.EntityID]model.Entity {
	all := map[model.EntityID]model.Entity{}
	for e := range f.Entities(f.tenant, model.EntityDevice) {
		all[e.ID] = *e
	}
	return all
}

func TestOneNameGoesToOneOfMany(t *testing.T) {
	f := open(t)
	var mu sync.Mutex
	var won int
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			err := f.SaveDevice(t.Context(), &model.Device{Tenant: f.tenant, Name: "a", Profile: "pump"})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if model.KindOf(err) != model.Invalid {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if won != 1 {
		t.Errorf("%d devices got the name", won)
	}
}

func TestWriterGivesUpWithItsContext(t *testing.T) {
	f := open(t)
	<-f.turn // somebody writes
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.SaveTenant(ctx, &model.Tenant{Title: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	f.turn <- struct{}{}
	if err := f.SaveTenant(ctx, &model.Tenant{Title: "x"}); err == nil {
		t.Error("a canceled save succeeded")
	}
	check(t, f.SaveTenant(t.Context(), &model.Tenant{Title: "x"}))
}

func TestFailedTransactionLeavesNothing(t *testing.T) {
	f := open(t)
	broken := errors.New("broken")
	err := f.write(t.Context(), func(tx *tx) error {
		if err := f.insertDevice(tx, &model.Device{Tenant: f.tenant, Name: "a"}); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for e := range f.Entities(f.tenant, model.EntityDevice) {
		t.Errorf("the directory shows %+v", e)
	}
	f.addDevice(t, "a")
}

func TestClosedRegistryRefusesWrites(t *testing.T) {
	f := open(t)
	<-f.turn // somebody writes
	waiting, closed := make(chan error), make(chan error)
	go func() { waiting <- f.SaveTenant(context.Background(), &model.Tenant{Title: "x"}) }()
	go func() { closed <- f.Close() }()
	if err := <-waiting; !errors.Is(err, errClosed) {
		t.Errorf("who waited got %v", err)
	}
	f.turn <- struct{}{}
	check(t, <-closed)
	if err := f.SaveTenant(t.Context(), &model.Tenant{Title: "x"}); !errors.Is(err, errClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	check(t, f.Close()) // twice is once
}

func TestPanicInAWriteGivesTheTurnBack(t *testing.T) {
	f := open(t)
	func() {
		defer func() { _ = recover() }()
		_ = f.write(t.Context(), func(*tx) error { panic("a bug") })
	}()
	f.addDevice(t, "a")
}

// Open sockets are rechecked when somebody's rights change, and left alone otherwise.
func TestChangesOfRightsAreTold(t *testing.T) {
	f := open(t)
	told := 0
	f.opts.RightsChanged = func() { told++ }
	f.reopen(t)
	c, d := f.addCustomer(t, "Shop"), f.addDevice(t, "a")
	u := f.addUser(t, "u@example.org", c)
	board := &model.DashboardRecord{Tenant: f.tenant, Title: "x"}
	check(t, f.SaveDashboard(t.Context(), board))
	check(t, f.CreateSession(t.Context(), &model.Session{ID: model.ID{1}, User: u.ID, Expires: 1 << 60}))
	expect := func(what string, want bool, do func() error) {
		t.Helper()
		told = 0
		check(t, do())
		if told > 0 != want {
			t.Errorf("%s: told %d times", what, told)
		}
	}
	expect("a label", false, func() error { d.Label = "x"; return f.SaveDevice(t.Context(), d) })
	expect("an assignment", true, func() error { _, err := f.AssignDevice(t.Context(), f.tenant, d.ID, c); return err })
	expect("a dashboard", true, func() error {
		_, err := f.AssignDashboard(t.Context(), f.tenant, board.ID, c, true)
		return err
	})
	expect("a credential", true, func() error {
		v, err := f.Credentials(t.Context(), f.tenant, d.ID)
		check(t, err)
		v.Key = "fresh"
		return f.SaveCredentials(t.Context(), v)
	})
	expect("a logout", true, func() error { return f.EndSession(t.Context(), model.ID{1}) })
	expect("a deletion", true, func() error { return f.DeleteDevice(t.Context(), f.tenant, d.ID) })
	expect("a customer's end", true, func() error { return f.DeleteCustomer(t.Context(), f.tenant, c) })
}
