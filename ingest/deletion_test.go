package ingest

import (
	"context"
	"errors"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// A vanishing is a store whose entity is deleted, and erased, while an append is on its way.
type vanishing struct {
	*recorder
	appends, vanishAt int // the append before which the deletion is done; 0 means never
	failAt            int
}

func (v *vanishing) Append(ctx context.Context, s *model.WriteSet) (model.Position, error) {
	if v.appends++; v.appends == v.failAt {
		return 0, errors.New("out of order")
	}
	return v.recorder.Append(ctx, s)
}

func TestAWriteThatMeetsTheDeletionOfItsEntityLeavesNothing(t *testing.T) {
	f := func(vanishAt, failAt, erasures int, failed bool) {
		t.Helper()
		store := &vanishing{recorder: newRecorder(), vanishAt: vanishAt, failAt: failAt}
		e, erased := device1(), 0
		p := New(Options{
			Store: store,
			Lookup: func(model.EntityID) (*model.Entity, bool) {
				return e, store.vanishAt == 0 || store.appends < store.vanishAt
			},
			Erase: func(ctx context.Context, tenant model.TenantID, id model.EntityID) error {
				if tenant != e.Tenant || id != e.ID || ctx.Err() != nil {
					t.Errorf("erase %s of %s, %v", id, tenant, ctx.Err())
				}
				erased++
				return nil
			},
		})
		err := p.Write(t.Context(), e, telemetry(), telemetry(), telemetry())
		if (err != nil) != failed || erased != erasures {
			t.Errorf("deleted at append %d, failed at %d: %v, erased %d times, want %d", vanishAt, failAt, err, erased, erasures)
		}
		if _, known := p.Activity(e.ID); known && vanishAt != 0 {
			t.Error("a deleted device is remembered as active")
		}
	}
	f(0, 0, 0, false)
	f(1, 0, 1, false)
	f(3, 0, 1, false)
	f(2, 3, 1, true) // the first two are written
	f(0, 2, 0, true)
}
