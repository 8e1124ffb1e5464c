package registry

import (
	"context"
	"fmt"

	"github.com/tidewire/tidewire/model"
)

// The attributes of a view are copies in the engine: a save of the view that spans SQL and
// the engine. What is still to be copied is a row of the same SQL transaction, carried out
// right after it, and by the outbox's worker when that did not succeed.

// askCopy notes that v's attributes are to be copied, and that those of dropped were before.
func (r *Registry) askCopy(tx *tx, v *model.EntityView, dropped model.ViewKeys) error {
	old, err := first(tx.ctx, tx.sql, func(s scanner) (*model.ViewKeys, error) {
		var k model.ViewKeys
		return &k, s.Scan(keysText{&k})
	}, "SELECT dropped FROM view_copies WHERE view_id = $1", v.ID.String())
	if err != nil {
		return fmt.Errorf("registry: read what is to be copied to view %s: %w", v.ID, err)
	}
	if old != nil {
		dropped = union(*old, dropped)
	}
	keys, err := keysArg(union(dropped, model.ViewKeys{}))
	if err != nil {
		return err
	}
	if err := tx.exec("DELETE FROM view_copies WHERE view_id = $1", v.ID.String()); err != nil {
		return fmt.Errorf("registry: note the copy for view %s: %w", v.ID, err)
	}
	if err := tx.exec("INSERT INTO view_copies (view_id, version, dropped) VALUES ($1, $2, $3)", v.ID.String(), v.Version, keys); err != nil {
		return fmt.Errorf("registry: note the copy for view %s: %w", v.ID, err)
	}
	return nil
}

// A viewCopy is a row of view_copies.
type viewCopy struct {
	view    model.EntityID
	version int64
	dropped model.ViewKeys
}

func scanViewCopy(s scanner) (*viewCopy, error) {
	var c viewCopy
	return &c, s.Scan(idText{(*model.ID)(&c.view)}, &c.version, keysText{&c.dropped})
}

// copyNow copies what was noted for a view. What fails is the worker's to try again.
func (r *Registry) copyNow(ctx context.Context, view model.EntityID) {
	e := r.outbox.engine()
	if e == nil {
		return // not started: the worker begins with it
	}
	c, err := first(ctx, r.reader, scanViewCopy, "SELECT view_id, version, dropped FROM view_copies WHERE view_id = $1", view.String())
	if err == nil && c != nil {
		err = r.copy(ctx, e, c)
	}
	if err != nil {
		r.eraseFailed(ctx, view, err)
		r.outbox.poke()
	}
}

// copy carries out one row and removes it, unless a later save replaced it meanwhile.
func (r *Registry) copy(ctx context.Context, e Engine, c *viewCopy) error {
	v, err := viewWhere(ctx, r.reader, "id = $1", c.view.String())
	if err != nil || v == nil { // a deleted view takes its row along
		return err
	}
	if err := e.CopyAttributes(ctx, v, c.dropped); err != nil {
		return fmt.Errorf("registry: copy attributes to view %s: %w", c.view, err)
	}
	if _, ok := r.Lookup(c.view); !ok { // deleted, and erased perhaps, while we wrote
		if _, err := e.DeleteEntity(ctx, v.Tenant, v.ID); err != nil {
			return fmt.Errorf("registry: erase view %s: %w", c.view, err)
		}
	}
	return r.write(ctx, func(tx *tx) error {
		return tx.exec("DELETE FROM view_copies WHERE view_id = $1 AND version = $2", c.view.String(), c.version)
	})
}

// sweepCopies carries out every row and reports whether any is left.
func (r *Registry) sweepCopies(ctx context.Context, e Engine) (left bool) {
	rows, err := collect(ctx, r.reader, scanViewCopy, "SELECT view_id, version, dropped FROM view_copies ORDER BY view_id")
	if err != nil {
		r.eraseFailed(ctx, model.EntityID{}, fmt.Errorf("registry: read copies to be made: %w", err))
		return true
	}
	for _, c := range rows {
		if err := r.copy(ctx, e, c); err != nil {
			r.eraseFailed(ctx, c.view, err)
			left = true
		}
	}
	return left
}
