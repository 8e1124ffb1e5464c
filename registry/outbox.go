package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// An Eraser removes everything the engine holds of an entity. It is asked again after a
// failure or a crash, so erasing what is gone must succeed.
type Eraser interface {
	DeleteEntity(context.Context, model.TenantID, model.EntityID) (model.Position, error)
	// DeleteTenant removes all entities of a tenant, which nobody writes for any more.
	DeleteTenant(context.Context, model.TenantID) error
}

// An Engine holds the series of what exists here.
type Engine interface {
	Eraser
	// CopyAttributes writes the attributes of v's source that v chooses to v itself, and
	// removes those of dropped that it chooses no longer. It may be asked again.
	CopyAttributes(ctx context.Context, v *model.EntityView, dropped model.ViewKeys) error
}

// Erasures the engine refused are tried again after eraseRetry, then twice as long, up to
// eraseRetryMax.
const (
	eraseRetry    = time.Second
	eraseRetryMax = time.Minute
)

// eraseBatch bounds the outbox rows in memory.
const eraseBatch = 256

// An outbox erases from the engine what is deleted here. It owns one goroutine, from
// Registry.Start until close returns.
type outbox struct {
	mu struct {
		sync.Mutex
		stop   context.CancelFunc // nil until Start
		closed bool
		wake   chan struct{} // capacity 1: a wake-up is never lost, never queued twice
		engine Engine        // nil until Start
	}
	done sync.WaitGroup
}

// Start begins to carry out the outbox with e, first what an earlier run left. It is called
// once; Close ends it.
func (r *Registry) Start(e Engine) {
	o := &r.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.closed || o.mu.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	wake := make(chan struct{}, 1)
	o.mu.stop, o.mu.wake, o.mu.engine = stop, wake, e
	o.done.Go(func() { r.eraseLoop(ctx, e, wake) })
	o.done.Go(func() { r.tokenUseLoop(ctx) })
	o.done.Go(func() { r.auditLoop(ctx) })
}

// engine returns what Start was given; nil before it and after close.
func (o *outbox) engine() Engine {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.closed {
		return nil
	}
	return o.mu.engine
}

// poke tells the worker that there is something to erase.
func (o *outbox) poke() {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.mu.wake <- struct{}{}:
	default: // it is awake, or not started
	}
}

// close interrupts the erasure in progress, which will be done again, and waits.
func (o *outbox) close() {
	o.mu.Lock()
	o.mu.closed = true
	if o.mu.stop != nil {
		o.mu.stop()
	}
	o.mu.Unlock()
	o.done.Wait()
}

func (r *Registry) eraseLoop(ctx context.Context, e Engine, wake <-chan struct{}) {
	retry := eraseRetry
	for {
		var again <-chan time.Time
		if left := r.sweep(ctx, e); r.sweepCopies(ctx, e) || left {
			again = time.After(retry)
			retry = min(2*retry, eraseRetryMax)
		} else {
			retry = eraseRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-again:
		}
	}
}

// An erasure is a row of the outbox.
type erasure struct {
	tenant model.TenantID
	entity model.EntityID
}

// sweep goes through the outbox once, past what fails, and reports whether anything is left
// to be tried again. Who deletes pokes when the entity is hidden.
func (r *Registry) sweep(ctx context.Context, e Eraser) (left bool) {
	after := ""
	for {
		batch, err := collect(ctx, r.reader, func(s scanner) (v erasure, err error) {
			return v, s.Scan(idText{(*model.ID)(&v.tenant)}, idText{(*model.ID)(&v.entity)})
		}, "SELECT tenant_id, entity_id FROM outbox WHERE entity_id > $1 ORDER BY entity_id LIMIT $2", after, eraseBatch)
		if err != nil {
			r.eraseFailed(ctx, model.EntityID{}, fmt.Errorf("registry: read outbox: %w", err))
			return true
		}
		if len(batch) == 0 {
			return left
		}
		after = batch[len(batch)-1].entity.String()
		var done []any
		for _, v := range batch {
			if _, ok := r.Lookup(v.entity); ok {
				continue // committed, not hidden yet: a write could still come after us
			}
			if err := r.eraseOne(ctx, e, v); err != nil {
				r.eraseFailed(ctx, v.entity, fmt.Errorf("registry: erase entity %s: %w", v.entity, err))
				left = true
				continue
			}
			done = append(done, v.entity.String())
		}
		if len(done) == 0 {
			continue
		}
		err = r.write(ctx, func(tx *tx) error {
			return tx.exec("DELETE FROM outbox WHERE entity_id IN ("+placeholders(1, len(done))+")", done...)
		})
		if err != nil {
			r.eraseFailed(ctx, model.EntityID{}, fmt.Errorf("registry: clear outbox: %w", err))
			left = true
		}
	}
}

// eraseOne erases an entity, or a tenant with all it owned.
func (r *Registry) eraseOne(ctx context.Context, e Eraser, v erasure) error {
	if v.entity == model.EntityID(v.tenant) {
		if err := r.purgeTenant(ctx, v.tenant); err != nil { // a crash may have left rows
			return err
		}
		return e.DeleteTenant(ctx, v.tenant)
	}
	_, err := e.DeleteEntity(ctx, v.tenant, v.entity)
	return err
}

// eraseFailed reports a failure, unless it is Close that interrupted.
func (r *Registry) eraseFailed(ctx context.Context, id model.EntityID, err error) {
	if ctx.Err() == nil {
		r.opts.EraseFailed(id, err)
	}
}

// erase puts an entity that goes into the outbox, and ends its relations.
func (r *Registry) erase(tx *tx, t model.TenantID, id model.EntityID) error {
	if err := r.unrelate(tx, id); err != nil {
		return err
	}
	err := tx.exec("INSERT INTO outbox (entity_id, tenant_id, created) VALUES ($1, $2, $3)", id.String(), t.String(), r.now())
	if err != nil {
		return fmt.Errorf("registry: put entity %s into the outbox: %w", id, err)
	}
	return nil
}

// hide takes an entity out of the directory when tx is committed.
func (r *Registry) hide(tx *tx, id model.EntityID) {
	tx.rights = true
	tx.then(func() { r.dir.remove(id) })
}
