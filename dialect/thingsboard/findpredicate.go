package thingsboard

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/tidewire/tidewire/model"
)

// wireCondition is a key filter (contract 10.3).
type wireCondition struct {
	Key       *wireKey       `json:"key"`
	ValueType string         `json:"valueType"`
	Predicate *wirePredicate `json:"predicate"`
}

type wirePredicate struct {
	Type       string          `json:"type"`
	Operation  string          `json:"operation"`
	IgnoreCase bool            `json:"ignoreCase"`
	Value      *wireOperand    `json:"value"`
	Predicates []wirePredicate `json:"predicates"`
}

type wireOperand struct {
	Default json.RawMessage `json:"defaultValue"`
	User    json.RawMessage `json:"userValue"`
	Dynamic *struct {
		Source    string `json:"sourceType"`
		Attribute string `json:"sourceAttribute"`
		Inherit   bool   `json:"inherit"`
	} `json:"dynamicValue"`
}

// parse returns a condition; ok false means that it asks for nothing.
func (w *wireCondition) parse(i int) (c model.Condition, ok bool, err error) {
	at := "keyFilters[" + strconv.Itoa(i) + "]"
	if w.Key == nil {
		return c, false, model.Invalidf("%s.key is missing", at)
	}
	if c.Key, err = w.Key.parse(at + ".key"); err != nil {
		return c, false, err
	}
	switch w.ValueType {
	case "", "STRING", "NUMERIC", "BOOLEAN", "DATE_TIME":
	default:
		return c, false, model.Invalidf("%s.valueType %.32q is unknown", at, w.ValueType)
	}
	if w.Predicate == nil {
		return c, false, model.Invalidf("%s.predicate is missing", at)
	}
	c.Is, ok, err = w.Predicate.parse(at+".predicate", 0)
	return c, ok, err
}

// maxPredicates bounds how deep predicates nest, and how many stand beside each other.
const (
	maxPredicateDepth = 16
	maxPredicates     = 1000
)

var (
	orderOps = map[string]model.PredicateOp{
		"EQUAL": model.Equal, "NOT_EQUAL": model.NotEqual, "GREATER": model.Greater, "LESS": model.Less,
		"GREATER_OR_EQUAL": model.GreaterOrEqual, "LESS_OR_EQUAL": model.LessOrEqual,
	}
	textOps = map[string]model.PredicateOp{
		"EQUAL": model.Equal, "NOT_EQUAL": model.NotEqual, "STARTS_WITH": model.StartsWith, "ENDS_WITH": model.EndsWith,
		"CONTAINS": model.Contains, "NOT_CONTAINS": model.NotContains, "IN": model.In, "NOT_IN": model.NotIn,
	}
	boolOps = map[string]model.PredicateOp{"EQUAL": model.Equal, "NOT_EQUAL": model.NotEqual}
	joinOps = map[string]model.PredicateOp{"AND": model.All, "OR": model.Any}
)

// parse returns a predicate; ok false means that it asks for nothing: a text predicate
// without a text, or a join of such.
func (w *wirePredicate) parse(at string, depth int) (p model.Predicate, ok bool, err error) {
	var ops map[string]model.PredicateOp
	switch w.Type {
	case "STRING":
		ops, p.Type = textOps, model.TypeString
	case "NUMERIC", "DATE_TIME":
		ops, p.Type = orderOps, model.TypeFloat
	case "BOOLEAN":
		ops, p.Type = boolOps, model.TypeBool
	case "COMPLEX":
		ops = joinOps
	default:
		return p, false, model.Invalidf("%s.type %.32q is unknown", at, w.Type)
	}
	var known bool
	if p.Op, known = ops[w.Operation]; !known {
		return p, false, model.Invalidf("%s.operation %.32q is unknown", at, w.Operation)
	}
	if w.Type != "COMPLEX" {
		p.IgnoreCase = w.IgnoreCase
		if w.Value == nil {
			return p, false, model.Invalidf("%s.value is missing", at)
		}
		if p.Value, err = w.Value.parse(at+".value", p.Type); err != nil {
			return p, false, err
		}
		empty := p.Type == model.TypeString && p.Value.Source == "" && p.Value.Chosen.Text() == "" && p.Value.Default.Text() == ""
		return p, !empty, nil
	}
	if depth == maxPredicateDepth {
		return p, false, model.Invalidf("%s.predicates nest deeper than %d", at, maxPredicateDepth)
	}
	if len(w.Predicates) > maxPredicates {
		return p, false, model.Invalidf("%d %s.predicates exceed the limit of %d", len(w.Predicates), at, maxPredicates)
	}
	for i := range w.Predicates {
		part, ok, err := w.Predicates[i].parse(at+".predicates", depth+1)
		if err != nil {
			return p, false, err
		}
		if ok {
			p.Parts = append(p.Parts, part)
		}
	}
	return p, len(p.Parts) > 0, nil
}

func (w *wireOperand) parse(at string, t model.Type) (o model.Operand, err error) {
	if o.Default, err = operandValue(w.Default, at+".defaultValue", t); err != nil {
		return o, err
	}
	if o.Chosen, err = operandValue(w.User, at+".userValue", t); err != nil {
		return o, err
	}
	if d := w.Dynamic; d != nil && d.Source != "" && d.Attribute != "" {
		switch d.Source {
		case "CURRENT_TENANT":
			o.Source = model.EntityTenant
		case "CURRENT_CUSTOMER":
			o.Source = model.EntityCustomer
		case "CURRENT_USER":
			o.Source = model.EntityUser
		default:
			return o, model.Invalidf("%s.dynamicValue.sourceType %.32q is unknown", at, d.Source)
		}
		o.Attribute, o.Inherit = d.Attribute, d.Inherit
	}
	return o, nil
}

// operandValue reads a constant of type t. Clients write numbers and booleans as texts too.
func operandValue(raw json.RawMessage, at string, t model.Type) (model.Value, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return model.Value{}, nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return model.Value{}, model.Invalidf("%s is no text", at)
		}
	}
	switch t {
	case model.TypeString:
		if raw[0] == '{' || raw[0] == '[' {
			return model.Value{}, model.Invalidf("%s must be a text", at)
		}
		return model.String(text), nil
	case model.TypeBool:
		if text == "true" || text == "false" {
			return model.Bool(text == "true"), nil
		}
		return model.Value{}, model.Invalidf("%s must be true or false", at)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f-f != 0 {
		return model.Value{}, model.Invalidf("%s must be a number", at)
	}
	return model.Float(f), nil
}
