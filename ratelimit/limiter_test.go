package ratelimit

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A fixture is a Limiter over the limits of one profile, with a clock that a test moves.
type fixture struct {
	*Limiter
	now    time.Time
	limits model.TenantLimits
}

func newFixture(t testing.TB, set map[model.RateLimit]string) *fixture {
	t.Helper()
	f := &fixture{now: start}
	for limit, text := range set {
		f.limits.Rates[limit], f.limits.HasRates = rates(t, text), true
	}
	f.Limiter = New(Options{Limits: func(model.TenantID) *model.TenantLimits { return &f.limits }, Now: func() time.Time { return f.now }})
	return f
}

var (
	tenant = model.TenantID{1, 15: 1}
	admin  = model.Principal{Tenant: tenant, Authority: model.TenantAdmin, User: model.UserID{2, 15: 2}}
	user   = model.Principal{Tenant: tenant, Authority: model.CustomerUser, User: model.UserID{3, 15: 3}, Customer: model.CustomerID{4, 15: 4}}
)

func device(n byte) *model.Entity {
	return &model.Entity{Tenant: tenant, ID: model.EntityID{9, 15: n}, Type: model.EntityDevice}
}

// met fails the test unless err says that a limit was met.
func met(t *testing.T, err error, limit model.RateLimit, text string) *model.RateError {
	t.Helper()
	e, ok := errors.AsType[*model.RateError](err)
	if !ok || e.Limit != limit || model.KindOf(err) != model.TooMany || model.MessageOf(err, "") != text {
		t.Fatalf("%v (%q), want %v %q", err, model.MessageOf(err, ""), limit, text)
	}
	return e
}

func TestRequestsCountForUserCustomerAndTenant(t *testing.T) {
	f := newFixture(t, map[model.RateLimit]string{model.TenantRequests: "5:60", model.CustomerRequests: "2:60", model.UserRequests: "3:60"})
	request := func(p model.Principal) error { _, err := f.Request(p); return err }
	for range 2 {
		if err := request(user); err != nil {
			t.Fatal(err)
		}
	}
	e := met(t, request(user), model.CustomerRequests, "Too many requests for current customer!")
	if e.After != 30*time.Second || len(e.Standing) != 1 || e.Standing[0].Remaining() != 0 {
		t.Errorf("%+v", e)
	}
	other := user
	other.User, other.Customer = model.UserID{5, 15: 3}, model.CustomerID{6, 15: 4}
	for range 2 {
		if err := request(other); err != nil {
			t.Fatalf("another customer: %v", err)
		}
	}
	standing, err := f.Request(admin)
	if err != nil || len(standing) != 2 {
		t.Fatalf("the tenant has paid for what its customer was refused: %v", err)
	}
	met(t, request(admin), model.TenantRequests, "Too many requests for current tenant!")
	// What the tenant refused was given back to the user.
	for _, u := range f.Use(admin, nil) {
		if u.Name == "userServerRestLimitsConfiguration" && u.Used != 1 {
			t.Errorf("%+v", u)
		}
	}
	if err := request(model.Principal{Authority: model.SysAdmin}); err != nil {
		t.Errorf("a system administrator: %v", err)
	}
	token := admin
	token.Grant = &model.Grant{Token: model.ID{7, 15: 7}}
	met(t, request(token), model.TenantRequests, "Too many requests for current tenant!")
	if n := f.Refused()["tenantServerRestLimitsConfiguration"]; n != 2 {
		t.Errorf("%d refusals are counted", n)
	}
}

// A device over its limit costs itself only.
func TestADeviceOverItsLimitCostsItselfOnly(t *testing.T) {
	f := newFixture(t, map[model.RateLimit]string{model.DeviceTelemetry: "2:60", model.TenantTelemetry: "5:60"})
	for range 2 {
		if err := f.Message(device(1), 3); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		met(t, f.Message(device(1), 3), model.DeviceTelemetry, "Too many messages for current device!")
		met(t, f.Busy(device(1), true), model.DeviceTelemetry, "Too many messages for current device!")
	}
	for i := range 2 {
		if err := f.Message(device(2), 3); err != nil {
			t.Fatalf("message %d of another device: %v", i, err)
		}
	}
	if err := f.Message(device(3), 3); err != nil {
		t.Fatal(err)
	}
	met(t, f.Message(device(3), 3), model.TenantTelemetry, "Too many messages for current tenant!")
	f.now = f.now.Add(12 * time.Second) // one of the tenant's comes back: the refusal took none of the device's
	if err := f.Message(device(3), 3); err != nil {
		t.Error(err)
	}
}

func TestTelemetryCountsForItsOwnLimitOrElseForThatOfMessages(t *testing.T) {
	f := newFixture(t, map[model.RateLimit]string{model.DeviceMessages: "1:60", model.DevicePoints: "10:60"})
	if err := f.Message(device(1), 4); err != nil {
		t.Fatal(err)
	}
	met(t, f.Message(device(1), 4), model.DeviceMessages, "Too many messages for current device!")
	met(t, f.Message(device(1), 0), model.DeviceMessages, "Too many messages for current device!")

	f = newFixture(t, map[model.RateLimit]string{model.DeviceMessages: "1:60", model.DeviceTelemetry: "3:60", model.DevicePoints: "10:60"})
	for range 2 {
		if err := f.Message(device(1), 4); err != nil {
			t.Fatal(err)
		}
	}
	met(t, f.Message(device(1), 4), model.DevicePoints, "Too many points for current device!")
	if err := f.Message(device(1), 2); err != nil { // the third: refused points took no message
		t.Error(err)
	}
	if err := f.Message(device(1), 0); err != nil {
		t.Errorf("telemetry took from other messages: %v", err)
	}
	err := f.Message(device(2), 11)
	if model.KindOf(err) != model.TooLarge {
		t.Errorf("more points than ever come at once: %v", err)
	}
}

func TestFullBucketsAreForgotten(t *testing.T) {
	f := newFixture(t, map[model.RateLimit]string{model.DeviceMessages: "10:1"})
	count := func() (n int) {
		for i := range f.shards {
			n += len(f.shards[i].m)
		}
		return n
	}
	for round := range 20 {
		f.now = f.now.Add(time.Minute)
		for i := range 10_000 {
			e := device(byte(i))
			e.ID[1], e.ID[2], e.ID[3] = byte(round), byte(i>>8), 1
			if err := f.Message(e, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := count(); n > 2*10_000+sweepFrom*shardCount {
		t.Errorf("%d buckets are kept of 10,000 in use", n)
	}
}

// Of many who take at once, exactly as many get through as there are.
func TestManyAtOnceGetExactlyTheCount(t *testing.T) {
	f := newFixture(t, map[model.RateLimit]string{model.TenantMessages: "500:60"})
	var passed [8]int
	var all sync.WaitGroup
	for i := range passed {
		all.Go(func() {
			for range 200 {
				if f.Message(device(byte(i)), 0) == nil {
					passed[i]++
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range passed {
		sum += n
	}
	if sum != 500 {
		t.Errorf("%d came through, want 500", sum)
	}
}

func BenchmarkMessage(b *testing.B) {
	for name, set := range map[string]map[model.RateLimit]string{
		"none":    nil,
		"limited": {model.DeviceTelemetry: "1000000000:1", model.DevicePoints: "1000000000:1", model.TenantTelemetry: "1000000000:1"},
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b, set)
			e := device(1)
			b.ReportAllocs()
			for b.Loop() {
				if err := f.Message(e, 10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
