package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidewire/tidewire/model"
)

// detailQueries read, for each type of entity, the fields the directory does not keep: in
// this order additionalInfo, title, email, phone, country, state, city, address, address2,
// zip, firstName, lastName.
var detailQueries = map[model.EntityType]string{
	model.EntityDevice:     `SELECT id, info, '', '', '', '', '', '', '', '', '', '', '' FROM devices`,
	model.EntityAsset:      `SELECT id, info, '', '', '', '', '', '', '', '', '', '', '' FROM assets`,
	model.EntityEntityView: `SELECT id, info, '', '', '', '', '', '', '', '', '', '', '' FROM entity_views`,
	model.EntityDashboard:  `SELECT id, NULL, title, '', '', '', '', '', '', '', '', '', '' FROM dashboards`,
	model.EntityUser:       `SELECT id, info, '', email, phone, '', '', '', '', '', '', first_name, last_name FROM users`,
	model.EntityCustomer:   `SELECT id, info, title, email, phone, country, state, city, address, address2, zip, '', '' FROM customers`,
	model.EntityTenant:     `SELECT id, info, title, email, phone, country, state, city, address, address2, zip, '', '' FROM tenants`,
}

var detailNames = [...]string{"additionalInfo", "title", "email", "phone", "country", "state", "city", "address", "address2",
	"zip", "firstName", "lastName"}

// detailBatch bounds the parameters of one statement.
const detailBatch = 500

// Details returns the fields of entities of one type that only SQL has, by their names of
// contract thingsboard 10.2. What is gone, of another tenant or of a type that has none is
// left out, as are empty fields.
func (r *Registry) Details(ctx context.Context, t model.TenantID, typ model.EntityType, ids []model.EntityID) (map[model.EntityID]map[string]string, error) {
	query, ok := detailQueries[typ]
	if !ok {
		return nil, nil
	}
	column := "tenant_id"
	if typ == model.EntityTenant {
		column = "id"
	}
	all := make(map[model.EntityID]map[string]string, len(ids))
	for batch := range slices.Chunk(ids, detailBatch) {
		args := []any{t.String()}
		for _, id := range batch {
			args = append(args, id.String())
		}
		_, err := collect(ctx, r.reader, func(s scanner) (struct{}, error) {
			var id model.ID
			var info []byte
			var texts [len(detailNames) - 1]string
			targets := []any{idText{&id}, jsonText{&info}}
			for i := range texts {
				targets = append(targets, &texts[i])
			}
			if err := s.Scan(targets...); err != nil {
				return struct{}{}, err
			}
			d := map[string]string{}
			if len(info) > 0 {
				d[detailNames[0]] = string(info)
			}
			for i, text := range texts {
				if text != "" {
					d[detailNames[i+1]] = text
				}
			}
			all[model.EntityID(id)] = d
			return struct{}{}, nil
		}, query+" WHERE "+column+" = $1 AND id IN ("+placeholders(2, len(batch))+")", args...)
		if err != nil {
			return nil, fmt.Errorf("registry: read details of %d entities: %w", len(batch), err)
		}
	}
	return all, nil
}
