package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// oneOrPage is the answer of the lists whose shape depends on the parameters: one entity, or a
// page of them.
type oneOrPage struct{ body any }

// VisitGetTenantDevicesResponse implements GetTenantDevicesResponseObject.
func (a oneOrPage) VisitGetTenantDevicesResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitGetTenantAssetsResponse implements GetTenantAssetsResponseObject.
func (a oneOrPage) VisitGetTenantAssetsResponse(w http.ResponseWriter) error { return a.send(w) }

// VisitGetTenantEntityViewsResponse implements GetTenantEntityViewsResponseObject.
func (a oneOrPage) VisitGetTenantEntityViewsResponse(w http.ResponseWriter) error { return a.send(w) }

func (a oneOrPage) send(w http.ResponseWriter) error {
	b, err := json.Marshal(a.body)
	if err != nil {
		return err
	}
	return (&sender{w: w}).finish(b)
}

// byNameOrPage answers a list of the caller's tenant: with a name one entity, and without one a
// page, which then has to say its size and number.
func byNameOrPage[T, W any](ctx context.Context, name *string, byName func(context.Context, string) (*T, error), wire func(*T) W,
	size, number *int, page func(t model.TenantID, size, number int) (any, error),
) (oneOrPage, error) {
	if name != nil {
		e, err := byName(ctx, *name)
		if err != nil {
			return oneOrPage{}, err
		}
		return oneOrPage{wire(e)}, nil
	}
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return oneOrPage{}, err
	}
	switch {
	case size == nil:
		return oneOrPage{}, model.Invalidf("Required request parameter 'pageSize' is not present")
	case number == nil:
		return oneOrPage{}, model.Invalidf("Required request parameter 'page' is not present")
	}
	body, err := page(p.Tenant, *size, *number)
	return oneOrPage{body}, err
}

// inTenantByName finds the entity of the caller's tenant whose name a parameter gives.
func inTenantByName[T any](ctx context.Context, param, name string, find func(context.Context, model.TenantID, string) (*T, error)) (*T, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	if err := require(param, name); err != nil {
		return nil, err
	}
	return find(ctx, p.Tenant, name)
}

// listed reads the page of a tenant's entities that the parameters of a list describe.
func listed[T, F any](ctx context.Context, read func(context.Context, model.TenantID, F, model.PageLink) (model.Page[T], error),
	t model.TenantID, f F, size, number int, search, property, order *string,
) (list model.Page[T], link model.PageLink, err error) {
	if link, err = linkOf(size, number, search, property, order); err != nil {
		return list, link, err
	}
	list, err = read(ctx, t, f, link)
	return list, link, err
}

// infosOf renders entities with the titles of their customers, each of which is looked up once.
func infosOf[T, I any](ctx context.Context, list []T, wire func(context.Context, customers, *T) (I, error)) ([]I, error) {
	seen, out := customers{}, make([]I, len(list))
	for i := range list {
		var err error
		if out[i], err = wire(ctx, seen, &list[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
