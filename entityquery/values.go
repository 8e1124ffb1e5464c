package entityquery

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidewire/tidewire/model"
)

// values reads what conditions, search and order need, of any candidate.
type values struct {
	f       *Finder
	who     model.Principal
	series  []model.ScopeKey
	view    model.LatestView                     // nil where no series is needed
	details map[model.EntityID]map[string]string // where a rare field is needed
	search  string
	numbers bool              // whether a number may have what is searched for
	fields  []model.EntityKey // to search
	latest  []model.EntityKey
	text    []byte
	now     int64
	row     int32 // in view, of the entity that is asked about; -1 where it has none
}

// attributes are the scopes an AttributeKey may come from. At one instant the first one counts.
var attributes = model.AttributeScopes

// scopesOf returns where the value of a key of a kind may stand.
func scopesOf(k model.KeyKind) []model.Scope {
	switch k {
	case model.SeriesKey:
		return []model.Scope{model.Timeseries}
	case model.ClientKey:
		return attributes[0:1]
	case model.SharedKey:
		return attributes[2:3]
	case model.ServerKey:
		return attributes[1:2]
	case model.AttributeKey:
		return attributes[:]
	}
	return nil
}

func (f *Finder) values(ctx context.Context, who model.Principal, q *model.FindQuery, candidates []*model.Entity) (*values, error) {
	v := &values{f: f, who: who, search: strings.ToLower(q.Search), now: f.Now().UnixMilli()}
	v.numbers = strings.Trim(v.search, "0123456789+-.e") == ""
	needed := make([]model.EntityKey, 0, len(q.Conditions)+1)
	for i := range q.Conditions {
		needed = append(needed, q.Conditions[i].Key)
	}
	if q.Size > 0 {
		needed = append(needed, q.Sort)
	}
	if v.search != "" {
		v.fields, v.latest = q.Fields, q.Latest
		needed = slices.Concat(needed, q.Fields, q.Latest)
	}
	rare := false
	for _, k := range needed {
		rare = rare || k.Kind == model.EntityField && !fieldInDirectory(k.Key)
		for _, s := range scopesOf(k.Kind) {
			if key := (model.ScopeKey{Scope: s, Key: k.Key}); !slices.Contains(v.series, key) {
				v.series = append(v.series, key)
			}
		}
	}
	if rare {
		var err error
		if v.details, err = f.details(ctx, who.Tenant, candidates); err != nil {
			return nil, err
		}
	}
	if len(v.series) > 0 {
		var err error
		v.view, err = f.Store.LatestColumns(ctx, who.Tenant, v.series)
		if damage, ok := errors.AsType[*model.DamageError](err); ok && v.view != nil {
			ids := make(map[model.EntityID]bool, len(candidates))
			for _, e := range candidates {
				ids[e.ID] = true
			}
			err = damage.Of(func(id model.EntityID) bool { return ids[id] }) // what is damaged of others is none of q's
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// get returns the value of a key of an entity; of an attribute the newest over its scopes.
func (v *values) get(k model.EntityKey, e *model.Entity) (best model.Point, found bool) {
	if k.Kind == model.EntityField {
		value, ok := v.f.field(v.who, e, k.Key, v.details[e.ID])
		return model.Point{TS: v.now, Value: value}, ok
	}
	if v.view == nil || v.row < 0 {
		return best, false
	}
	for i, s := range v.series {
		if s.Key != k.Key || !slices.Contains(scopesOf(k.Kind), s.Scope) {
			continue
		}
		if p := v.view.Point(i, v.row); p.Value.Type() > model.TypeNull && (!found || p.TS > best.TS) {
			best, found = p, true
		}
	}
	return best, found
}

// found reports whether the search, if there is one, finds an entity.
func (v *values) found(e *model.Entity) bool {
	if v.search == "" {
		return true
	}
	for _, keys := range [...][]model.EntityKey{v.fields, v.latest} {
		for _, k := range keys {
			if p, ok := v.get(k, e); ok && (v.numbers || !p.Value.Type().IsNumber()) { // their text takes the most time
				if v.text = v.f.Text(v.text[:0], p.Value); v.contains() {
					return true
				}
			}
		}
	}
	return false
}

// contains reports whether text has what is searched for, in upper or lower case. It may change
// text.
func (v *values) contains() bool {
	for i, c := range v.text {
		switch {
		case c >= utf8.RuneSelf:
			return strings.Contains(strings.ToLower(string(v.text)), v.search)
		case 'A' <= c && c <= 'Z':
			v.text[i] = c | 0x20
		}
	}
	return bytes.Contains(v.text, []byte(v.search))
}

// A ranked is an entity with the value that places it in the order.
type ranked struct {
	e     *model.Entity
	value model.Value
}

// order returns how q orders entities: by id where that says nothing. Without an order it is
// by creation, newest first.
func order(q *model.FindQuery) func(a, b ranked) int {
	if q.Sort.Kind == 0 {
		return func(a, b ranked) int {
			if c := compare(b.e.Created, a.e.Created); c != 0 {
				return c
			}
			return compareID(a.e.ID, b.e.ID)
		}
	}
	direction := 1
	if q.Descending {
		direction = -1
	}
	return func(a, b ranked) int {
		if c := compareValues(a.value, b.value); c != 0 {
			return c * direction
		}
		return compareID(a.e.ID, b.e.ID)
	}
}

// first brings the first n of list to its front, in order. Pages are short and lists long:
// most of a list is only compared with the last of the page.
func first(list []ranked, n int, by func(a, b ranked) int) []ranked {
	if n == 0 {
		return nil
	}
	if n >= len(list)/4 {
		slices.SortFunc(list, by)
		return list[:min(n, len(list))]
	}
	// page grows to twice its size before what does not belong to it is dropped again.
	page := make([]ranked, 0, 2*n)
	for _, r := range list {
		if len(page) >= n && by(r, page[n-1]) > 0 {
			continue
		}
		if page = append(page, r); len(page) == cap(page) || len(page) == n {
			slices.SortFunc(page, by)
			page = page[:n]
		}
	}
	slices.SortFunc(page, by)
	return page[:n]
}

// rank puts numbers, booleans among them, before texts before what is missing.
func rank(v model.Value) int {
	switch t := v.Type(); {
	case t.IsNumber() || t == model.TypeBool:
		return 0
	case t.IsText():
		return 1
	}
	return 2
}

func compareValues(a, b model.Value) int {
	ra, rb := rank(a), rank(b)
	if ra != rb {
		return compare(int64(ra), int64(rb))
	}
	switch ra {
	case 0:
		if a.Type() == model.TypeFloat || b.Type() == model.TypeFloat {
			return compare(number(a), number(b))
		}
		return compare(int64(a.Bits()), int64(b.Bits())) // ints, or 0 and 1
	case 1:
		return strings.Compare(a.Text(), b.Text())
	}
	return 0
}

func number(v model.Value) float64 {
	if v.Type() == model.TypeBool {
		return float64(v.Bits())
	}
	f, _ := v.Number()
	return f
}

func compareID(a, b model.EntityID) int { return strings.Compare(string(a[:]), string(b[:])) }
