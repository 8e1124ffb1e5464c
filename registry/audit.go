package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

const (
	// maxAudit bounds the entries that wait to be written, about 2 MiB; more are dropped and
	// counted, since nobody waits for the log of what was done.
	maxAudit = 4096
	// auditLinger is how long entries gather before they share one commit.
	auditLinger = 250 * time.Millisecond
	// auditPage is how many entries one query of a walk reads.
	auditPage = 500
	dayMillis = 24 * 3600 * 1000
)

const auditColumns = `id, created, tenant_id, customer_id, user_id, user_name, entity_type, entity_id, entity_name,
	action, failure, address, agent, operation`

// auditSort are the columns by the properties clients sort by.
var auditSort = map[string]string{
	"createdTime": "created", "entityType": "entity_type", "entityName": "entity_name",
	"userName": "user_name", "actionType": "action", "actionStatus": "failure <> ''",
}

// An auditQueue is what waits to be written.
type auditQueue struct {
	wake    chan struct{} // capacity 1
	writing sync.Mutex    // whoever takes what waits writes it before the next one does
	mu      struct {
		sync.Mutex
		waiting []model.AuditEntry
		dropped uint64
		purged  int64 // ms; when old entries were last looked for
	}
}

// Audit notes an entry down; it becomes durable within a second and is seen by the next
// query. It never waits: when too many wait already, it is dropped and counted.
func (r *Registry) Audit(e model.AuditEntry) {
	q := &r.audits
	q.mu.Lock()
	if len(q.mu.waiting) >= maxAudit {
		q.mu.dropped++
		q.mu.Unlock()
		return
	}
	e.ID, e.Time = r.newID(), r.now()
	q.mu.waiting = append(q.mu.waiting, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// AuditDropped counts the entries that were never written.
func (r *Registry) AuditDropped() uint64 {
	r.audits.mu.Lock()
	defer r.audits.mu.Unlock()
	return r.audits.mu.dropped
}

// auditLoop writes entries down in batches until ctx ends; Close writes the last ones.
func (r *Registry) auditLoop(ctx context.Context) {
	linger := time.NewTimer(0)
	defer linger.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.audits.wake:
		}
		linger.Reset(auditLinger)
		select {
		case <-ctx.Done():
			return
		case <-linger.C:
		}
		_ = r.saveAudit(ctx) // what is not written waits for the next time, and drops are counted
	}
}

// saveAudit writes what waits.
func (r *Registry) saveAudit(ctx context.Context) error {
	q := &r.audits
	q.writing.Lock()
	defer q.writing.Unlock()
	q.mu.Lock()
	batch := q.mu.waiting
	q.mu.waiting = nil
	q.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := r.write(ctx, func(tx *tx) error {
		if err := r.purgeAudit(tx); err != nil {
			return err
		}
		for i := range batch {
			if err := insertAudit(tx, &batch[i]); err != nil {
				return fmt.Errorf("registry: write the audit log: %w", err)
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.waiting = append(batch, q.mu.waiting...)
	if over := len(q.mu.waiting) - maxAudit; over > 0 {
		q.mu.waiting = q.mu.waiting[:maxAudit]
		q.mu.dropped += uint64(over)
	}
	return err
}

func insertAudit(tx *tx, e *model.AuditEntry) error {
	if e.User == (model.UserID{}) && e.Tenant == (model.TenantID{}) && e.UserName != "" {
		// A failed login says a name only: whose administrators read of it is found here,
		// where no answer's time tells whether the name exists.
		var t model.ID
		switch err := tx.row("SELECT id, tenant_id FROM users WHERE email_key = $1", emailKey(e.UserName)).
			Scan(idText{(*model.ID)(&e.User)}, idText{&t}); {
		case err == nil:
			e.Tenant = model.TenantID(t)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
	}
	ids := [...]string{model.ID(e.Tenant).String(), model.ID(e.Customer).String(), model.ID(e.User).String(), model.ID(e.Entity.ID).String()}
	e.UserName, e.Name = model.Line(e.UserName, 255), model.Line(e.Name, 255)
	e.Failure, e.Agent, e.Address = model.Line(e.Failure, 1000), model.Line(e.Agent, 255), model.Line(e.Address, 64)
	search := strings.ToLower(strings.Join([]string{e.UserName, e.Name, string(e.Entity.Type), e.Action, e.Address, auditStatus(e)}, "\n"))
	return tx.exec("INSERT INTO audit ("+auditColumns+", search) VALUES ("+placeholders(1, 15)+")", e.ID.String(), e.Time,
		ids[0], ids[1], ids[2], e.UserName, string(e.Entity.Type), ids[3], e.Name, e.Action, e.Failure, e.Address, e.Agent, e.Operation, search)
}

func auditStatus(e *model.AuditEntry) string {
	if e.Failure == "" {
		return "SUCCESS"
	}
	return "FAILURE"
}

// purgeAudit drops what is older than it is kept for, now and then.
func (r *Registry) purgeAudit(tx *tx) error {
	now, q := r.now(), &r.audits
	q.mu.Lock()
	due := r.opts.AuditDays > 0 && now >= q.mu.purged+purgeEvery
	if due {
		q.mu.purged = now
	}
	q.mu.Unlock()
	if !due {
		return nil
	}
	if err := tx.exec("DELETE FROM audit WHERE created < $1", now-int64(r.opts.AuditDays)*dayMillis); err != nil {
		return fmt.Errorf("registry: drop old entries of the audit log: %w", err)
	}
	return nil
}

// auditWhere is the condition of a filter, with its arguments.
func auditWhere(f *model.AuditFilter) (where string, args []any) {
	var b strings.Builder
	and := func(condition string, arg any) {
		if b.Len() > 0 {
			b.WriteString(" AND ")
		}
		args = append(args, arg)
		fmt.Fprintf(&b, condition, len(args))
	}
	and("tenant_id = $%d", model.ID(f.Tenant).String())
	if f.Customer != (model.CustomerID{}) {
		and("customer_id = $%d", model.ID(f.Customer).String())
	}
	if f.User != (model.UserID{}) {
		and("user_id = $%d", model.ID(f.User).String())
	}
	if f.Entity != (model.EntityRef{}) {
		and("entity_type = $%d", string(f.Entity.Type))
		and("entity_id = $%d", model.ID(f.Entity.ID).String())
	}
	if f.From != 0 {
		and("created >= $%d", f.From)
	}
	if f.To != 0 {
		and("created <= $%d", f.To)
	}
	if len(f.Actions) > 0 {
		from := len(args) + 1
		for _, a := range f.Actions {
			args = append(args, a)
		}
		b.WriteString(" AND action IN (" + placeholders(from, len(f.Actions)) + ")")
	}
	if f.Search != "" {
		and("instr(search, $%d) > 0", strings.ToLower(f.Search))
	}
	return b.String(), args
}

// An auditRow is an entry with its place among those of the same millisecond.
type auditRow struct {
	model.AuditEntry
	seq int64
}

func scanAudit(s scanner) (*auditRow, error) {
	var e auditRow
	return &e, s.Scan(idText{&e.ID}, &e.Time, idText{(*model.ID)(&e.Tenant)}, idText{(*model.ID)(&e.Customer)}, idText{(*model.ID)(&e.User)},
		&e.UserName, &e.Entity.Type, idText{(*model.ID)(&e.Entity.ID)}, &e.Name, &e.Action, &e.Failure, &e.Address, &e.Agent, &e.Operation, &e.seq)
}

// AuditLog lists entries, the newest first unless l says otherwise.
func (r *Registry) AuditLog(ctx context.Context, f model.AuditFilter, l model.PageLink) (model.Page[model.AuditEntry], error) {
	var page model.Page[model.AuditEntry]
	f.Search = l.Search
	by, ok := auditSort[l.Sort]
	if !ok && l.Sort != "" {
		return page, model.Invalidf("Invalid sort property")
	}
	direction := " ASC"
	if l.Descending {
		direction = " DESC"
	}
	if l.Sort == "" {
		by, direction = "created", " DESC"
	}
	if err := r.saveAudit(ctx); err != nil {
		return page, err
	}
	where, args := auditWhere(&f)
	if err := r.reader.QueryRowContext(ctx, "SELECT COUNT(*) FROM audit WHERE "+where, args...).Scan(&page.Total); err != nil {
		return page, fmt.Errorf("registry: count the audit log: %w", err)
	}
	page.Data = []model.AuditEntry{}
	if l.Page > page.Total/l.Size {
		return page, nil
	}
	n := len(args)
	rows, err := collect(ctx, r.reader, scanAudit, fmt.Sprintf("SELECT %s, seq FROM audit WHERE %s ORDER BY %s%s, seq%s LIMIT $%d OFFSET $%d",
		auditColumns, where, by, direction, direction, n+1, n+2), append(args, min(l.Size, page.Total), l.Page*l.Size)...)
	if err != nil {
		return page, fmt.Errorf("registry: read the audit log: %w", err)
	}
	for _, e := range rows {
		page.Data = append(page.Data, e.AuditEntry)
	}
	return page, nil
}

// WalkAudit gives every entry to fn, the newest first. No query is open while fn runs: a slow
// reader of an export keeps nobody from the database.
func (r *Registry) WalkAudit(ctx context.Context, f model.AuditFilter, fn func(*model.AuditEntry) error) error {
	if err := r.saveAudit(ctx); err != nil {
		return err
	}
	where, args := auditWhere(&f)
	n := len(args)
	query := fmt.Sprintf("SELECT %s, seq FROM audit WHERE %s AND (created < $%d OR created = $%d AND seq < $%d) ORDER BY created DESC, seq DESC LIMIT %d",
		auditColumns, where, n+1, n+1, n+2, auditPage)
	last := &auditRow{AuditEntry: model.AuditEntry{Time: math.MaxInt64}}
	for {
		rows, err := collect(ctx, r.reader, scanAudit, query, append(args[:n:n], last.Time, last.seq)...)
		if err != nil {
			return fmt.Errorf("registry: read the audit log: %w", err)
		}
		for _, e := range rows {
			if err := fn(&e.AuditEntry); err != nil {
				return err
			}
		}
		if len(rows) < auditPage {
			return nil
		}
		last = rows[len(rows)-1]
	}
}
