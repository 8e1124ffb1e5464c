package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

func auditOf(t *testing.T, f *fixture, filter model.AuditFilter, l model.PageLink) model.Page[model.AuditEntry] {
	t.Helper()
	if l.Size == 0 {
		l.Size = 100
	}
	p, err := f.AuditLog(t.Context(), filter, l)
	check(t, err)
	return p
}

func TestAuditFiltersAndPages(t *testing.T) {
	f := open(t)
	entity := model.EntityRef{Type: model.EntityDevice, ID: model.EntityID(f.newID())}
	for i := range 10 {
		e := model.AuditEntry{Tenant: f.tenant, Action: "UPDATED", UserName: fmt.Sprintf("user-%d", i)}
		if i%2 == 0 {
			e.Action, e.Entity, e.Failure = "DELETED", entity, "no"
		}
		f.Audit(e)
	}
	f.Audit(model.AuditEntry{Tenant: f.addTenant(t, "Other"), Action: "DELETED", Entity: entity})
	all := auditOf(t, f, model.AuditFilter{Tenant: f.tenant}, model.PageLink{Size: 4, Page: 2})
	if all.Total != 10 || len(all.Data) != 2 || all.Data[1].UserName != "user-0" {
		t.Errorf("third page: %+v", all)
	}
	count := func(want int, filter model.AuditFilter, l model.PageLink) {
		t.Helper()
		filter.Tenant = f.tenant
		if got := auditOf(t, f, filter, l); got.Total != want {
			t.Errorf("%+v %+v: %d entries, want %d", filter, l, got.Total, want)
		}
	}
	count(5, model.AuditFilter{Actions: []string{"DELETED", "X"}}, model.PageLink{})
	count(5, model.AuditFilter{Entity: entity}, model.PageLink{})
	count(1, model.AuditFilter{}, model.PageLink{Search: "USER-3"})
	count(5, model.AuditFilter{}, model.PageLink{Search: "failure"})
	count(4, model.AuditFilter{From: all.Data[0].Time + 1}, model.PageLink{Size: 1, Search: "success", Page: 99})
	count(1, model.AuditFilter{To: all.Data[1].Time}, model.PageLink{})
	count(0, model.AuditFilter{User: model.UserID(f.newID())}, model.PageLink{})
	if got := auditOf(t, f, model.AuditFilter{Tenant: f.tenant}, model.PageLink{Sort: "userName"}); got.Data[0].UserName != "user-0" {
		t.Errorf("sorted by user: %+v", got.Data[0])
	}
	_, err := f.AuditLog(t.Context(), model.AuditFilter{}, model.PageLink{Size: 1, Sort: "id; DROP TABLE audit"})
	wantError(t, err, model.Invalid, "Invalid sort property")
}

func TestAuditSurvivesARestartAndEndsWithItsTime(t *testing.T) {
	f := open(t)
	f.opts.AuditDays = 30
	f.reopen(t)
	f.Audit(model.AuditEntry{Tenant: f.tenant, Action: "ADDED"})
	f.reopen(t)
	if got := auditOf(t, f, model.AuditFilter{Tenant: f.tenant}, model.PageLink{}); got.Total != 1 {
		t.Errorf("%d entries after a restart, want 1", got.Total)
	}
	f.clock.add(31 * 24 * time.Hour)
	f.Audit(model.AuditEntry{Tenant: f.tenant, Action: "DELETED"})
	if got := auditOf(t, f, model.AuditFilter{Tenant: f.tenant}, model.PageLink{}); got.Total != 1 || got.Data[0].Action != "DELETED" {
		t.Errorf("after 31 of 30 days: %+v, want the new entry alone", got)
	}
}

// Nobody waits for the log: what it cannot take is dropped and counted.
func TestAuditIsBounded(t *testing.T) {
	f := open(t)
	for range maxAudit + 3 {
		f.Audit(model.AuditEntry{Tenant: f.tenant, Action: "ADDED"})
	}
	if got := f.AuditDropped(); got != 3 {
		t.Errorf("%d entries dropped, want 3", got)
	}
	n := 0
	var last model.AuditEntry
	check(t, f.WalkAudit(t.Context(), model.AuditFilter{Tenant: f.tenant}, func(e *model.AuditEntry) error {
		if n > 0 && e.Time >= last.Time {
			t.Errorf("entry %d is not older than the one before", n)
		}
		n, last = n+1, *e
		return nil
	}))
	if n != maxAudit {
		t.Errorf("walked over %d entries, want %d", n, maxAudit)
	}
}

// The failed login of a name that exists is its tenant's affair, of any other nobody's.
func TestAuditFindsTheTenantOfAFailedLogin(t *testing.T) {
	f := open(t)
	u := f.addUser(t, "Ann@example.org", model.NoCustomer)
	f.Audit(model.AuditEntry{Action: "LOGIN", UserName: "ann@EXAMPLE.org", Failure: "no"})
	f.Audit(model.AuditEntry{Action: "LOGIN", UserName: "nobody@example.org", Failure: "no"})
	if got := auditOf(t, f, model.AuditFilter{Tenant: f.tenant}, model.PageLink{}); got.Total != 1 || got.Data[0].User != u.ID {
		t.Errorf("in the tenant: %+v", got)
	}
	if got := auditOf(t, f, model.AuditFilter{}, model.PageLink{}); got.Total != 1 || got.Data[0].UserName != "nobody@example.org" {
		t.Errorf("in none: %+v", got)
	}
}

func TestAuditKeepsOneLine(t *testing.T) {
	f := open(t)
	evil := "a\r\nb\x00\x1b[2J\u2028\u202ec\xff" + strings.Repeat("x", 5000)
	f.Audit(model.AuditEntry{Tenant: f.tenant, Action: "ADDED", UserName: evil, Name: evil, Failure: evil, Address: evil, Agent: evil})
	e := auditOf(t, f, model.AuditFilter{Tenant: f.tenant}, model.PageLink{}).Data[0]
	for _, s := range []string{e.UserName, e.Name, e.Failure, e.Address, e.Agent} {
		if len(s) > 1000 || strings.ContainsAny(s, "\r\n\x00\x1b\u2028\u202e") || !strings.HasPrefix(s, "a\ufffd\ufffdb") {
			t.Errorf("kept %q", s)
		}
	}
}
