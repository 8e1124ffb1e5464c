package registry

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/model"
)

const relationColumns = `from_id, from_type, to_id, to_type, type, type_group, info`

func scanRelation(s scanner) (model.Relation, error) {
	var r model.Relation
	err := s.Scan(idText{(*model.ID)(&r.From.ID)}, &r.From.Type, idText{(*model.ID)(&r.To.ID)}, &r.To.Type, &r.Type, &r.Group, jsonText{&r.Info})
	return r, err
}

// relationGroups are those clients know.
var relationGroups = []string{model.CommonRelations, "DASHBOARD", "RULE_CHAIN", "RULE_NODE", "EDGE", "EDGE_AUTO_ASSIGN_RULE_CHAIN"}

// SaveRelation creates a relation between two entities of a tenant, or replaces the Info of
// the one there is. An empty Group means COMMON, and is filled in.
func (r *Registry) SaveRelation(ctx context.Context, t model.TenantID, v *model.Relation) error {
	v.Group = cmp.Or(v.Group, model.CommonRelations)
	if err := checkRelation(v); err != nil {
		return err
	}
	return r.write(ctx, func(tx *tx) error {
		for _, end := range []model.EntityRef{v.From, v.To} {
			if e, ok := r.Entity(t, end.ID); !ok || e.Type != end.Type { // deleted since it was authorized
				return missing("Entity", model.ID(end.ID))
			}
		}
		if err := tx.exec("DELETE FROM relations WHERE "+relationKey, relationArgs(v)...); err != nil {
			return fmt.Errorf("registry: replace relation: %w", err)
		}
		err := tx.exec("INSERT INTO relations (tenant_id, "+relationColumns+") VALUES ("+placeholders(1, 8)+")", t.String(), v.From.ID.String(),
			v.From.Type, v.To.ID.String(), v.To.Type, v.Type, v.Group, jsonArg(v.Info))
		if err != nil {
			return fmt.Errorf("registry: save relation: %w", err)
		}
		return nil
	})
}

func checkRelation(v *model.Relation) error {
	if err := required("Relation", field{"type", v.Type}); err != nil {
		return err
	}
	for _, g := range relationGroups {
		if g == v.Group {
			return nil
		}
	}
	return model.Invalidf("Unsupported relation type group '%.64s'!", v.Group)
}

// relationKey finds one relation by relationArgs.
const relationKey = "from_id = $1 AND to_id = $2 AND type_group = $3 AND type = $4"

func relationArgs(v *model.Relation) []any {
	return []any{v.From.ID.String(), v.To.ID.String(), v.Group, v.Type}
}

// DeleteRelation removes a relation of a tenant. An empty Group means COMMON.
func (r *Registry) DeleteRelation(ctx context.Context, t model.TenantID, v *model.Relation) error {
	v.Group = cmp.Or(v.Group, model.CommonRelations)
	return r.write(ctx, func(tx *tx) error {
		found, err := tx.exists("SELECT type FROM relations WHERE "+relationKey+" AND tenant_id = $5", append(relationArgs(v), t.String())...)
		if err != nil {
			return fmt.Errorf("registry: look for a relation: %w", err)
		}
		if !found {
			return model.NotFoundf("Requested item wasn't found!")
		}
		if err := tx.execOne("DELETE FROM relations WHERE "+relationKey, relationArgs(v)...); err != nil {
			return fmt.Errorf("registry: delete relation: %w", err)
		}
		return nil
	})
}

// Relations returns relations of a tenant, in an order that stays.
func (r *Registry) Relations(ctx context.Context, t model.TenantID, q model.RelationQuery) ([]model.Relation, error) {
	where, args := []string{"tenant_id = $1"}, []any{t.String()}
	add := func(column string, v string) {
		if v != "" {
			args = append(args, v)
			where = append(where, fmt.Sprintf("%s = $%d", column, len(args)))
		}
	}
	if q.From != (model.EntityRef{}) {
		add("from_id", q.From.ID.String())
		add("from_type", string(q.From.Type))
	}
	if q.To != (model.EntityRef{}) {
		add("to_id", q.To.ID.String())
		add("to_type", string(q.To.Type))
	}
	add("type", q.Type)
	add("type_group", q.Group)
	found, err := collect(ctx, r.reader, scanRelation, "SELECT "+relationColumns+" FROM relations WHERE "+strings.Join(where, " AND ")+
		" ORDER BY from_id, to_id, type, type_group", args...)
	if err != nil {
		return nil, fmt.Errorf("registry: read relations: %w", err)
	}
	return found, nil
}

// unrelate removes the relations of an entity that goes.
func (r *Registry) unrelate(tx *tx, id model.EntityID) error {
	for _, column := range []string{"from_id", "to_id"} {
		if err := tx.exec("DELETE FROM relations WHERE "+column+" = $1", id.String()); err != nil {
			return fmt.Errorf("registry: delete relations of entity %s: %w", id, err)
		}
	}
	return nil
}
