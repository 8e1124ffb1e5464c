package entityquery

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// fieldInDirectory reports whether a field needs no SQL.
func fieldInDirectory(name string) bool {
	switch name {
	case "createdTime", "entityType", "name", "type", "label", "displayName", "ownerName", "ownerType":
		return true
	}
	return false
}

// field returns a field of contract thingsboard 10.2. An empty text is no value.
func (f *Finder) field(who model.Principal, e *model.Entity, name string, d map[string]string) (model.Value, bool) {
	var text string
	switch name {
	case "createdTime":
		return model.Int(e.Created), true
	case "entityType":
		text = string(e.Type)
	case "name":
		text = e.Name
	case "type":
		text = e.Profile
	case "label":
		text = e.Label
	case "displayName":
		if text = e.Label; text == "" {
			text = e.Name
		}
	case "ownerName", "ownerType":
		owner, ok := f.Directory.Entity(who.Tenant, ownerOf(e))
		switch {
		case !ok:
		case name == "ownerType":
			text = string(owner.Type)
		default:
			text = owner.Name
		}
	default:
		text = d[name]
	}
	if text == "" {
		return model.Value{}, false
	}
	return model.String(text), true
}

// ownerOf returns the customer an entity belongs to, or its tenant.
func ownerOf(e *model.Entity) model.EntityID {
	if e.Customer == model.NoCustomer || e.Customer == (model.CustomerID{}) {
		return model.EntityID(e.Tenant)
	}
	return model.EntityID(e.Customer)
}

// details asks for the rare fields of entities of any types.
func (f *Finder) details(ctx context.Context, t model.TenantID, entities []*model.Entity) (map[model.EntityID]map[string]string, error) {
	byType := map[model.EntityType][]model.EntityID{}
	for _, e := range entities {
		byType[e.Type] = append(byType[e.Type], e.ID)
	}
	all := make(map[model.EntityID]map[string]string, len(entities))
	for typ, ids := range byType {
		some, err := f.Records.Details(ctx, t, typ, ids)
		if err != nil {
			return nil, err
		}
		for id, d := range some {
			all[id] = d
		}
	}
	return all, nil
}

// show reads what q shows of the entities of a page.
func (f *Finder) show(ctx context.Context, who model.Principal, q *model.FindQuery, entities []*model.Entity) ([]model.EntityData, error) {
	rare := slices.ContainsFunc(q.Fields, func(k model.EntityKey) bool { return !fieldInDirectory(k.Key) })
	var details map[model.EntityID]map[string]string
	if rare {
		var err error
		if details, err = f.details(ctx, who.Tenant, entities); err != nil {
			return nil, err
		}
	}
	data := make([]model.EntityData, len(entities))
	for i, e := range entities {
		data[i].Entity = e
		data[i].Fields = make([]model.Value, len(q.Fields))
		for k, key := range q.Fields {
			data[i].Fields[k], _ = f.field(who, e, key.Key, details[e.ID])
		}
		var err error
		if data[i].Latest, err = f.Latest(ctx, e, q.Latest); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Latest returns the latest points of keys of one entity, in their order; TypeNone where
// there is none.
func (f *Finder) Latest(ctx context.Context, e *model.Entity, keys []model.EntityKey) ([]model.Point, error) {
	points := make([]model.Point, len(keys))
	for _, scope := range [...]model.Scope{model.Timeseries, model.Client, model.Server, model.Shared} {
		var names []string
		for _, k := range keys {
			if slices.Contains(scopesOf(k.Kind), scope) {
				names = append(names, k.Key)
			}
		}
		if len(names) == 0 {
			continue
		}
		s, err := f.Store.Latest(ctx, e.Tenant, e.ID, scope, names)
		if err != nil {
			return nil, err
		}
		for _, p := range s.Points {
			for i, k := range keys {
				if k.Key == p.Key && slices.Contains(scopesOf(k.Kind), scope) && (points[i].Value.IsNone() || p.TS > points[i].TS) {
					points[i] = p.Point
				}
			}
		}
	}
	return points, nil
}
