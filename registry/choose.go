package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// Lists choose their page from the directory, in memory; SQL is asked for the records of that
// page only.

// entityOrder is how entities of any type compare.
func entityOrder() order[model.Entity] {
	byName := func(a, b *model.Entity) int { return compareText(a.Name, b.Name) }
	return order[model.Entity]{
		"createdTime": func(a, b *model.Entity) int { return cmp.Compare(a.Created, b.Created) },
		"name":        byName,
		"title":       byName,
		"type":        func(a, b *model.Entity) int { return compareText(a.Profile, b.Profile) },
		"label":       func(a, b *model.Entity) int { return compareText(a.Label, b.Label) },
	}
}

// byCustomerTitle compares entities by the titles of their customers.
func (r *Registry) byCustomerTitle(t model.TenantID) func(a, b *model.Entity) int {
	titles := map[model.CustomerID]string{}
	for e := range r.Entities(t, model.EntityCustomer) {
		titles[model.CustomerID(e.ID)] = e.Name
	}
	return func(a, b *model.Entity) int { return compareText(titles[a.Customer], titles[b.Customer]) }
}

// choose returns the page of the entities of a type that are wanted; the search looks at
// name, label and type.
func (r *Registry) choose(t model.TenantID, typ model.EntityType, l model.PageLink, by order[model.Entity],
	want func(*model.Entity) bool,
) (ids model.Page[model.ID], err error) {
	if err := checkLink(l, by); err != nil {
		return ids, err
	}
	n := newNeedle(l.Search)
	var found []*model.Entity
	for e := range r.Entities(t, typ) {
		if want(e) && n.in(e.Name, e.Label, e.Profile) {
			found = append(found, e)
		}
	}
	slices.Reverse(found) // newest first, which is the order most lists end in
	page := paginate(found, l, by, func(a, b *model.Entity) int {
		return newestFirst(a.Created, b.Created, model.ID(a.ID), model.ID(b.ID))
	})
	ids = model.Page[model.ID]{Total: page.Total, Data: make([]model.ID, 0, len(page.Data))}
	for _, e := range page.Data {
		ids.Data = append(ids.Data, model.ID(e.ID))
	}
	return ids, nil
}

// idBatch bounds the parameters of one statement.
const idBatch = 500

// byIDs reads records by id, in the order of ids. query ends before the list of ids, in
// "… WHERE x.id IN"; ids without a record that keep wants are left out, doubles answered once.
func byIDs[T any](ctx context.Context, q queryer, scan func(scanner) (*T, error), query string, ids []model.ID,
	keep func(*T) (model.ID, bool),
) ([]T, error) {
	found := make(map[model.ID]*T, len(ids))
	for rest := ids; len(rest) > 0; {
		batch := rest[:min(len(rest), idBatch)]
		rest = rest[len(batch):]
		args := make([]any, 0, len(batch))
		for _, id := range batch {
			args = append(args, id.String())
		}
		records, err := collect(ctx, q, scan, query+" ("+placeholders(1, len(batch))+")", args...)
		if err != nil {
			return nil, fmt.Errorf("registry: read records by id: %w", err)
		}
		for _, v := range records {
			if id, ok := keep(v); ok {
				found[id] = v
			}
		}
	}
	out := make([]T, 0, len(found))
	for _, id := range ids {
		if v := found[id]; v != nil {
			out = append(out, *v)
			delete(found, id)
		}
	}
	return out, nil
}

// types returns the profile names that a tenant's entities of a type have, sorted. A customer
// counts those assigned to it only.
func (r *Registry) types(t model.TenantID, typ model.EntityType, c model.CustomerID) []string {
	seen := map[string]bool{}
	for e := range r.Entities(t, typ) {
		if e.Profile != "" && (isNobody(c) || e.Customer == c) {
			seen[e.Profile] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// plainIDs turns the ids of entities into ids.
func plainIDs(ids []model.EntityID) []model.ID {
	out := make([]model.ID, 0, len(ids))
	for _, id := range ids {
		out = append(out, model.ID(id))
	}
	return out
}
