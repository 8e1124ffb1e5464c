package registry

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidewire/tidewire/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock that ticks one millisecond a look, so that what is made later is newer.
type clock struct {
	mu sync.Mutex
	ms int64
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ms++
	return time.UnixMilli(c.ms)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ms += d.Milliseconds()
}

// A fixture is a registry with a tenant, and the means to open it again.
type fixture struct {
	*Registry
	opts   Options
	clock  *clock
	tenant model.TenantID
}

func open(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{ms: 1_700_000_000_000}}
	random := rand.NewChaCha8([32]byte{7})
	dir := t.TempDir()
	keys, err := OpenKeys(dir, random)
	check(t, err)
	f.opts = Options{Dir: dir, Keys: keys, Now: f.clock.now, Random: random}
	f.Registry, err = Open(t.Context(), f.opts)
	check(t, err)
	t.Cleanup(func() { check(t, f.Close()) })
	f.tenant = f.addTenant(t, "Acme")
	return f
}

// reopen is a restart.
func (f *fixture) reopen(t testing.TB) {
	t.Helper()
	check(t, f.Close())
	var err error
	f.Registry, err = Open(context.WithoutCancel(t.Context()), f.opts)
	check(t, err)
}

func (f *fixture) addTenant(t testing.TB, title string) model.TenantID {
	t.Helper()
	v := &model.Tenant{Title: title}
	check(t, f.SaveTenant(t.Context(), v))
	return v.ID
}

func (f *fixture) addCustomer(t testing.TB, title string) model.CustomerID {
	t.Helper()
	v := &model.Customer{Tenant: f.tenant, Title: title}
	check(t, f.SaveCustomer(t.Context(), v))
	return v.ID
}

func (f *fixture) addDevice(t testing.TB, name string) *model.Device {
	t.Helper()
	v := &model.Device{Tenant: f.tenant, Name: name}
	check(t, f.CreateDevice(t.Context(), v, "token of "+name))
	return v
}

func (f *fixture) addUser(t testing.TB, email string, c model.CustomerID) *model.User {
	t.Helper()
	v := &model.User{Tenant: f.tenant, Customer: c, Email: email, Authority: model.TenantAdmin, Enabled: true}
	if !isNobody(c) {
		v.Authority = model.CustomerUser
	}
	check(t, f.SaveUser(t.Context(), v))
	return v
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks what a client is told. Empty text: only the kind matters.
func wantError(t testing.TB, err error, kind model.Kind, text string) {
	t.Helper()
	if err == nil || model.KindOf(err) != kind || text != "" && model.MessageOf(err, "") != text {
		t.Errorf("error %v of kind %v, want kind %v saying %q", err, model.KindOf(err), kind, text)
	}
}
