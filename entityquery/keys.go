package entityquery

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// keysOf bounds the entities whose keys are listed.
const keysOf = 100

// Keys are the names the entities of a query have values under.
type Keys struct {
	Types              []model.EntityType
	Series, Attributes []string // sorted, without repeats, never nil
}

// Keys lists the keys of the first hundred entities of the page q asks for, in some scopes.
func (f *Finder) Keys(ctx context.Context, who model.Principal, q *model.FindQuery, scopes []model.Scope) (Keys, error) {
	k := Keys{Types: []model.EntityType{}, Series: []string{}, Attributes: []string{}}
	r, err := f.run(ctx, who, q)
	if err != nil {
		return k, err
	}
	page := r.page
	for _, e := range page[:min(len(page), keysOf)] {
		if !slices.Contains(k.Types, e.Type) {
			k.Types = append(k.Types, e.Type)
		}
		for _, scope := range scopes {
			names, err := f.Store.Keys(ctx, e.Tenant, e.ID, scope)
			if err != nil {
				return k, err
			}
			if scope == model.Timeseries {
				k.Series = append(k.Series, names...)
			} else {
				k.Attributes = append(k.Attributes, names...)
			}
		}
	}
	for _, list := range []*[]string{&k.Series, &k.Attributes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return k, nil
}
