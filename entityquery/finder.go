package entityquery

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A Directory knows what exists, in memory.
type Directory interface {
	Entity(model.TenantID, model.EntityID) (*model.Entity, bool)
	Entities(model.TenantID, model.EntityType) iter.Seq[*model.Entity]
}

// A Guard says what of a tenant somebody of that tenant may see.
type Guard interface {
	Visible(model.Principal, *model.Entity) bool
}

// Relations lists relations by either of their ends.
type Relations interface {
	Relations(context.Context, model.TenantID, model.RelationQuery) ([]model.Relation, error)
}

// Records has the fields the directory does not keep.
type Records interface {
	// Details returns those of some entities of one type by their names in contract
	// thingsboard 10.2; an entity that is gone is left out.
	Details(ctx context.Context, t model.TenantID, typ model.EntityType, ids []model.EntityID) (map[model.EntityID]map[string]string, error)
}

// A Store has the latest values.
type Store interface {
	Keys(ctx context.Context, t model.TenantID, e model.EntityID, s model.Scope) ([]string, error)
	// Latest returns the latest of some keys of one entity.
	Latest(ctx context.Context, t model.TenantID, e model.EntityID, s model.Scope, keys []string) (model.Snapshot, error)
	// LatestColumns returns the latest of each key over all entities of a tenant, of one moment.
	// With a *model.DamageError and a view, the view lacks the places the error names.
	LatestColumns(ctx context.Context, t model.TenantID, keys []model.ScopeKey) (model.LatestView, error)
}

// Options are what a Finder works with. All but Now are required.
type Options struct {
	Directory Directory
	Guard     Guard
	Relations Relations
	Records   Records
	Store     Store
	// Text adds the text of a value, in which a search looks.
	Text func(dst []byte, v model.Value) []byte
	Now  func() time.Time // the instant entity fields carry; nil means time.Now
}

// A Finder answers queries.
type Finder struct{ Options }

// New returns a Finder.
func New(o Options) *Finder {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Finder{o}
}

// Find returns one page of the entities q asks for, with their fields and latest values.
func (f *Finder) Find(ctx context.Context, who model.Principal, q *model.FindQuery) (model.Page[model.EntityData], error) {
	r, err := f.run(ctx, who, q)
	if err != nil {
		return model.Page[model.EntityData]{}, err
	}
	page := model.Page[model.EntityData]{Total: r.total}
	if page.Data, err = f.show(ctx, who, q, r.page); err != nil {
		return model.Page[model.EntityData]{}, err
	}
	return page, nil
}

// Count returns how many entities q asks for.
func (f *Finder) Count(ctx context.Context, who model.Principal, q *model.FindQuery) (int, error) {
	r, err := f.run(ctx, who, q)
	return r.total, err
}

// Entities returns every entity that q asks for, whatever its page, in the order of q. They
// are shared with the directory and must not be changed.
func (f *Finder) Entities(ctx context.Context, who model.Principal, q *model.FindQuery) ([]*model.Entity, error) {
	all := *q
	all.Size, all.Page = math.MaxInt, 0
	r, err := f.run(ctx, who, &all)
	return r.page, err
}

// A result is how many entities passed, and those of the page asked for, in order.
type result struct {
	total int
	page  []*model.Entity
}

func (f *Finder) run(ctx context.Context, who model.Principal, q *model.FindQuery) (r result, err error) {
	candidates, err := f.candidates(ctx, who, &q.Filter)
	if err != nil {
		return r, err
	}
	v, err := f.values(ctx, who, q, candidates)
	if err != nil {
		return r, err
	}
	where, err := f.resolve(ctx, who, q)
	if err != nil {
		return r, err
	}
	passed, total, err := sift(ctx, q, where, v, candidates)
	if err != nil {
		return r, err
	}
	r.total = total
	if q.Size == 0 || q.Page > len(passed)/q.Size {
		return r, nil
	}
	from := min(q.Page*q.Size, len(passed))
	for _, p := range first(passed, min(from+q.Size, len(passed)), order(q))[from:] {
		r.page = append(r.page, p.e)
	}
	return r, nil
}
