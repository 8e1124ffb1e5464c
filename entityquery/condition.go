package entityquery

import (
	"context"
	"math"
	"strings"

	"github.com/tidewire/tidewire/model"
)

// A where is the conditions of a query, their operands resolved.
type where struct {
	conditions []condition
	any        bool
}

type condition struct {
	key model.EntityKey
	is  predicate
}

// A predicate is a model.Predicate whose operand is a value.
type predicate struct {
	op         model.PredicateOp
	parts      []predicate
	typ        model.Type
	ignoreCase bool
	number     float64
	text       string
	list       []string // of In and NotIn
	flag       bool
}

func (w *where) holds(v *values, e *model.Entity) bool {
	for i := range w.conditions {
		c := &w.conditions[i]
		p, ok := v.get(c.key, e)
		if (ok && c.is.holds(p.Value)) == w.any {
			return w.any
		}
	}
	return !w.any || len(w.conditions) == 0
}

func (p *predicate) holds(v model.Value) bool {
	switch p.op {
	case model.All:
		for i := range p.parts {
			if !p.parts[i].holds(v) {
				return false
			}
		}
		return true
	case model.Any:
		for i := range p.parts {
			if p.parts[i].holds(v) {
				return true
			}
		}
		return false
	}
	switch t := v.Type(); {
	case p.typ == model.TypeFloat && t.IsNumber():
		return p.ordered(compareNumber(v, p.number))
	case p.typ == model.TypeBool && t == model.TypeBool:
		return (v.Bool() == p.flag) == (p.op == model.Equal)
	case p.typ == model.TypeString && t.IsText():
		return p.textHolds(v.Text())
	}
	return false
}

func (p *predicate) ordered(c int) bool {
	switch p.op {
	case model.Equal:
		return c == 0
	case model.NotEqual:
		return c != 0
	case model.Greater:
		return c > 0
	case model.Less:
		return c < 0
	case model.GreaterOrEqual:
		return c >= 0
	case model.LessOrEqual:
		return c <= 0
	}
	return false
}

func (p *predicate) textHolds(s string) bool {
	if p.ignoreCase {
		s = strings.ToLower(s)
	}
	switch p.op {
	case model.Equal:
		return s == p.text
	case model.NotEqual:
		return s != p.text
	case model.StartsWith:
		return strings.HasPrefix(s, p.text)
	case model.EndsWith:
		return strings.HasSuffix(s, p.text)
	case model.Contains:
		return strings.Contains(s, p.text)
	case model.NotContains:
		return !strings.Contains(s, p.text)
	}
	in := false
	for _, one := range p.list {
		in = in || one == s
	}
	return in == (p.op == model.In)
}

// compareNumber compares a number exactly: not every int64 is a float64.
func compareNumber(v model.Value, f float64) int {
	if v.Type() == model.TypeInt && f >= -(1<<63) && f < 1<<63 && f == math.Trunc(f) {
		return compare(v.Int(), int64(f))
	}
	x, _ := v.Number()
	return compare(x, f)
}

func compare[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// resolve works out the operands of q for who asks.
func (f *Finder) resolve(ctx context.Context, who model.Principal, q *model.FindQuery) (*where, error) {
	w := &where{any: q.AnyCondition}
	for i := range q.Conditions {
		c := &q.Conditions[i]
		p, ok, err := f.predicate(ctx, who, &c.Is)
		if err != nil {
			return nil, err
		}
		if ok {
			w.conditions = append(w.conditions, condition{c.Key, p})
		}
	}
	return w, nil
}

// predicate resolves one; ok is false for a text predicate without a text, which asks for
// nothing.
func (f *Finder) predicate(ctx context.Context, who model.Principal, m *model.Predicate) (p predicate, ok bool, err error) {
	p = predicate{op: m.Op, typ: m.Type, ignoreCase: m.IgnoreCase}
	if m.Op == model.All || m.Op == model.Any {
		for i := range m.Parts {
			part, ok, err := f.predicate(ctx, who, &m.Parts[i])
			if err != nil {
				return p, false, err
			}
			if ok {
				p.parts = append(p.parts, part)
			}
		}
		return p, len(p.parts) > 0, nil
	}
	v, err := f.operand(ctx, who, &m.Value)
	if err != nil {
		return p, false, err
	}
	switch m.Type {
	case model.TypeFloat:
		if p.number, ok = v.Number(); !ok { // compared with nothing, nothing matches
			p.op, p.number = model.Equal, math.NaN()
		}
		return p, true, nil
	case model.TypeBool:
		p.flag = v.Type() == model.TypeBool && v.Bool()
		return p, true, nil
	}
	p.text = v.Text()
	if p.ignoreCase {
		p.text = strings.ToLower(p.text)
	}
	if p.op == model.In || p.op == model.NotIn {
		for one := range strings.SplitSeq(p.text, ",") {
			p.list = append(p.list, strings.TrimSpace(one))
		}
	}
	return p, p.text != "", nil
}

// operand returns what to compare with: the user's choice, else the attribute, else the
// default.
func (f *Finder) operand(ctx context.Context, who model.Principal, o *model.Operand) (model.Value, error) {
	if !o.Chosen.IsNone() {
		return o.Chosen, nil
	}
	source := o.Source
	for source != "" {
		id, parent := sourceOf(who, source)
		if id != (model.EntityID{}) {
			s, err := f.Store.Latest(ctx, who.Tenant, id, model.Server, []string{o.Attribute})
			if err != nil {
				return model.Value{}, err
			}
			if len(s.Points) > 0 {
				return s.Points[0].Value, nil
			}
		}
		if !o.Inherit {
			break
		}
		source = parent
	}
	return o.Default, nil
}

// sourceOf returns whose attributes a source of operands means, and who stands above it.
func sourceOf(who model.Principal, source model.EntityType) (id model.EntityID, parent model.EntityType) {
	switch source {
	case model.EntityUser:
		return model.EntityID(who.User), model.EntityCustomer
	case model.EntityCustomer:
		if who.Customer == model.NoCustomer {
			return id, model.EntityTenant
		}
		return model.EntityID(who.Customer), model.EntityTenant
	}
	return model.EntityID(who.Tenant), ""
}
