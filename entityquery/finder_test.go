package entityquery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A world is a small tenant in plain maps: what a Finder is to see, and nothing clever.
type world struct {
	entities  []*model.Entity
	points    map[model.EntityID]map[model.ScopeKey]model.Point
	relations []model.Relation
	details   map[model.EntityID]map[string]string
	damage    model.DamageError // of what LatestColumns lacks
}

var (
	tenant   = model.TenantID{1}
	customer = model.CustomerID{2}
	admin    = model.Principal{Tenant: tenant, User: model.UserID{8}, Authority: model.TenantAdmin, Customer: model.NoCustomer}
	client   = model.Principal{Tenant: tenant, User: model.UserID{9}, Authority: model.CustomerUser, Customer: customer}
)

func (w *world) Entity(t model.TenantID, id model.EntityID) (*model.Entity, bool) {
	for _, e := range w.entities {
		if e.ID == id && e.Tenant == t {
			return e, true
		}
	}
	return nil, false
}

func (w *world) Entities(t model.TenantID, typ model.EntityType) iter.Seq[*model.Entity] {
	return func(yield func(*model.Entity) bool) {
		for _, e := range w.entities {
			if e.Tenant == t && e.Type == typ && !yield(e) {
				return
			}
		}
	}
}

func (w *world) Visible(p model.Principal, e *model.Entity) bool {
	return p.Authority == model.TenantAdmin || e.Customer == p.Customer
}

func (w *world) Relations(_ context.Context, _ model.TenantID, q model.RelationQuery) (out []model.Relation, err error) {
	for _, r := range w.relations {
		if (q.From == (model.EntityRef{}) || q.From == r.From) && (q.To == (model.EntityRef{}) || q.To == r.To) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (w *world) Details(_ context.Context, _ model.TenantID, _ model.EntityType, ids []model.EntityID) (map[model.EntityID]map[string]string, error) {
	out := map[model.EntityID]map[string]string{}
	for _, id := range ids {
		out[id] = w.details[id]
	}
	return out, nil
}

func (w *world) Latest(_ context.Context, _ model.TenantID, e model.EntityID, s model.Scope, keys []string) (model.Snapshot, error) {
	var out model.Snapshot
	for _, k := range keys {
		if p, ok := w.points[e][model.ScopeKey{Scope: s, Key: k}]; ok {
			out.Points = append(out.Points, model.KeyPoint{Key: k, Point: p})
		}
	}
	return out, nil
}

func (w *world) Keys(_ context.Context, _ model.TenantID, e model.EntityID, s model.Scope) (names []string, err error) {
	for k := range w.points[e] {
		if k.Scope == s {
			names = append(names, k.Key)
		}
	}
	return names, nil
}

// LatestColumns shows every point of the world as columns.
func (w *world) LatestColumns(_ context.Context, _ model.TenantID, keys []model.ScopeKey) (model.LatestView, error) {
	if len(w.damage.Places) > 0 {
		return view{w: w, keys: keys}, &w.damage
	}
	return view{w: w, keys: keys}, nil
}

// A view has the entities of the world for rows. A Finder asks it for rows and points only.
type view struct {
	model.LatestView
	w    *world
	keys []model.ScopeKey
}

func (v view) Rows(entities []*model.Entity, rows []int32) {
	for i, e := range entities {
		rows[i] = int32(slices.IndexFunc(v.w.entities, func(x *model.Entity) bool { return x.ID == e.ID }))
	}
}

func (v view) Point(column int, row int32) model.Point {
	return v.w.points[v.w.entities[row].ID][v.keys[column]]
}

func (w *world) set(e model.EntityID, s model.Scope, key string, ts int64, v model.Value) {
	if w.points[e] == nil {
		w.points[e] = map[model.ScopeKey]model.Point{}
	}
	w.points[e][model.ScopeKey{Scope: s, Key: key}] = model.Point{TS: ts, Value: v}
}

func id(n byte) model.EntityID { return model.EntityID{n} }

// newWorld has five devices: the temperature of device n is 10n, but for device 4, whose is a
// text, and device 5, which has none. Devices 1 and 2 belong to the customer.
func newWorld() (*world, *Finder) {
	w := &world{points: map[model.EntityID]map[model.ScopeKey]model.Point{}, details: map[model.EntityID]map[string]string{}}
	w.entities = append(w.entities,
		&model.Entity{Tenant: tenant, ID: model.EntityID(tenant), Type: model.EntityTenant, Name: "Tenant"},
		&model.Entity{Tenant: tenant, ID: model.EntityID(customer), Type: model.EntityCustomer, Name: "Customer"},
		&model.Entity{Tenant: model.TenantID{7}, ID: id(77), Type: model.EntityDevice, Name: "Foreign"})
	for n := byte(11); n <= 15; n++ {
		e := &model.Entity{
			Tenant: tenant, ID: id(n), Type: model.EntityDevice, Customer: model.NoCustomer,
			Name: fmt.Sprintf("Pump %d", n-10), Profile: "default", Created: int64(n),
		}
		if n <= 12 {
			e.Customer, e.Profile, e.Label = customer, "pump", "Cellar"
		}
		w.entities = append(w.entities, e)
		w.details[e.ID] = map[string]string{"additionalInfo": fmt.Sprintf(`{"n":%d}`, n)}
		if n <= 13 {
			w.set(e.ID, model.Timeseries, "temperature", 1000, model.Int(int64(n-10)*10))
		}
	}
	w.set(id(14), model.Timeseries, "temperature", 1000, model.String("broken"))
	f := New(Options{
		Directory: w, Guard: w, Relations: w, Records: w, Store: w, Now: func() time.Time { return time.UnixMilli(5000) },
		Text: func(dst []byte, v model.Value) []byte {
			if v.Type().IsText() {
				return append(dst, v.Text()...)
			}
			return fmt.Appendf(dst, "%#v", v)
		},
	})
	return w, f
}

var devices = model.EntityFilter{Kind: model.FilterType, Type: model.EntityDevice}

func temperature(op model.PredicateOp, v model.Value) model.Condition {
	typ := v.Type()
	if typ.IsNumber() {
		typ = model.TypeFloat
	}
	return model.Condition{
		Key: model.EntityKey{Kind: model.SeriesKey, Key: "temperature"},
		Is:  model.Predicate{Op: op, Type: typ, Value: model.Operand{Default: v}},
	}
}

// numbers returns the last digits of the devices found, in order.
func numbers(t *testing.T, f *Finder, who model.Principal, q model.FindQuery) []int {
	t.Helper()
	if q.Size == 0 {
		q.Size = 100
	}
	page, err := f.Find(t.Context(), who, &q)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Count(t.Context(), who, &q); err != nil || n != page.Total {
		t.Errorf("count %d (%v), %d in all pages", n, err, page.Total)
	}
	out := []int{}
	for _, d := range page.Data {
		out = append(out, int(d.Entity.ID[0])-10)
	}
	return out
}

func TestFiltersChoose(t *testing.T) {
	_, f := newWorld()
	check := func(name string, who model.Principal, filter model.EntityFilter, want ...int) {
		t.Helper()
		if got := numbers(t, f, who, model.FindQuery{Filter: filter}); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	device := func(n byte) model.EntityRef { return model.EntityRef{Type: model.EntityDevice, ID: id(n)} }
	named := func(name string) model.EntityFilter {
		return model.EntityFilter{Kind: model.FilterType, Type: model.EntityDevice, Name: name}
	}
	check("all, newest first", admin, devices, 5, 4, 3, 2, 1)
	check("a customer's", client, devices, 2, 1)
	check("profile", admin, model.EntityFilter{Kind: model.FilterType, Type: model.EntityDevice, Profiles: []string{"pump"}}, 2, 1)
	check("prefix", admin, named("pUMP"), 5, 4, 3, 2, 1)
	check("not a prefix", admin, named("ump"))
	check("whole pattern", admin, named("%MP _"), 5, 4, 3, 2, 1)
	check("whole pattern to the end", admin, named("%3"), 3)
	check("list, each once, of this tenant", admin,
		model.EntityFilter{Kind: model.FilterEntities, Refs: []model.EntityRef{device(13), device(11), device(13), device(77)}}, 3, 1)
	check("list of a customer", client, model.EntityFilter{Kind: model.FilterEntities, Refs: []model.EntityRef{device(13), device(11)}}, 1)
	check("wrong type", admin, model.EntityFilter{Kind: model.FilterEntities, Refs: []model.EntityRef{{Type: model.EntityAsset, ID: id(11)}}})
	check("what there never is", admin, model.EntityFilter{Kind: model.FilterNothing})
}

func TestRelationsAreWalked(t *testing.T) {
	w, f := newWorld()
	device := func(n byte) model.EntityRef { return model.EntityRef{Type: model.EntityDevice, ID: id(n)} }
	for _, r := range [][2]byte{{11, 12}, {12, 13}, {13, 11}, {11, 14}} { // a circle, and one aside
		w.relations = append(w.relations, model.Relation{From: device(r[0]), To: device(r[1]), Type: "Contains"})
	}
	w.relations = append(w.relations, model.Relation{From: device(11), To: device(15), Type: "Manages"})
	check := func(name string, s model.RelationSearch, want ...int) {
		t.Helper()
		if s.Roots == nil {
			s.Roots = []model.EntityRef{device(11)}
		}
		got := numbers(t, f, admin, model.FindQuery{Filter: model.EntityFilter{Kind: model.FilterRelations, Relations: &s}})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	contains := []model.RelationFilter{{Relation: "Contains"}}
	check("everything", model.RelationSearch{}, 5, 4, 3, 2)
	check("one kind", model.RelationSearch{Filters: contains}, 4, 3, 2)
	check("one level", model.RelationSearch{Filters: contains, MaxLevel: 1}, 4, 2)
	check("last level", model.RelationSearch{Filters: contains, MaxLevel: 2, LastLevelOnly: true}, 4, 3)
	check("to the root", model.RelationSearch{Roots: []model.EntityRef{device(14)}, ToRoots: true, MaxLevel: 1}, 1)
	check("other types", model.RelationSearch{Filters: []model.RelationFilter{{Types: []model.EntityType{model.EntityAsset}}}})
	check("a foreign root", model.RelationSearch{Roots: []model.EntityRef{device(77)}})
}

func TestConditionsAreMet(t *testing.T) {
	w, f := newWorld()
	check := func(name string, want []int, conditions ...model.Condition) {
		t.Helper()
		if got := numbers(t, f, admin, model.FindQuery{Filter: devices, Conditions: conditions}); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	check("greater", []int{3, 2}, temperature(model.Greater, model.Float(10)))
	check("equal", []int{2}, temperature(model.Equal, model.Float(20)))
	check("not equal passes over texts and what is missing", []int{3, 1}, temperature(model.NotEqual, model.Float(20)))
	check("both", []int{2}, temperature(model.GreaterOrEqual, model.Float(20)), temperature(model.LessOrEqual, model.Float(20)))
	check("text", []int{4}, temperature(model.StartsWith, model.String("bro")))
	check("text never matches numbers", []int{4}, temperature(model.NotContains, model.String("x")))
	check("boolean never matches numbers", []int{}, temperature(model.Equal, model.Bool(true)))
	name := func(op model.PredicateOp, s string, ignore bool) model.Condition {
		return model.Condition{Key: model.EntityKey{Kind: model.EntityField, Key: "name"},
			Is: model.Predicate{Op: op, Type: model.TypeString, IgnoreCase: ignore, Value: model.Operand{Default: model.String(s)}}}
	}
	check("in", []int{3, 1}, name(model.In, "Pump 1, Pump 3", false))
	check("not in", []int{5, 4, 2}, name(model.NotIn, "Pump 1,Pump 3", false))
	check("case counts", []int{}, name(model.EndsWith, "PUMP 1", false))
	check("case does not", []int{1}, name(model.Contains, "PUMP 1", true))
	check("an empty text asks for nothing", []int{5, 4, 3, 2, 1}, name(model.Equal, "", false))
	join := temperature(model.Equal, model.Float(10))
	join.Is = model.Predicate{Op: model.Any, Parts: []model.Predicate{join.Is, temperature(model.Equal, model.String("broken")).Is}}
	check("any of", []int{4, 1}, join)
	if got := numbers(t, f, admin, model.FindQuery{Filter: devices, AnyCondition: true, Conditions: []model.Condition{
		temperature(model.Equal, model.Float(10)), name(model.Equal, "Pump 5", false),
	}}); !slices.Equal(got, []int{5, 1}) {
		t.Errorf("one condition or the other: %v", got)
	}

	w.set(id(11), model.Timeseries, "temperature", 1000, model.Int(1<<53+1))
	check("ints compare exactly", []int{1}, temperature(model.Greater, model.Float(1<<53)))
}

// A query over an entity whose values are damaged says so; one that is not about it answers,
// and what nobody can tell whose it was concerns every query.
func TestDamageIsToldToQueriesItConcerns(t *testing.T) {
	w, f := newWorld()
	hot := []model.Condition{temperature(model.Greater, model.Float(10))}
	find := func(who model.Principal) error {
		_, err := f.Find(t.Context(), who, &model.FindQuery{Filter: devices, Conditions: hot, Size: 10})
		return err
	}
	w.damage.Places = []model.Damage{{Tenant: tenant, Entity: id(13), Scope: model.Timeseries, Keys: []string{"temperature"}}}
	if err := find(admin); model.KindOf(err) != model.Damaged {
		t.Errorf("who sees it is told %v", err)
	}
	if err := find(client); err != nil { // who does not see device 3
		t.Errorf("who does not is told %v", err)
	}
	w.damage.Places = append(w.damage.Places, model.Damage{Tenant: tenant})
	told, ok := errors.AsType[*model.DamageError](find(client))
	if !ok || len(told.Places) != 1 || told.Places[0].Entity != (model.EntityID{}) {
		t.Errorf("of what is nobody's: %v", told)
	}
}

// The operand is the user's choice, else the attribute of the source, else the default.
func TestOperandsAreResolved(t *testing.T) {
	w, f := newWorld()
	c := temperature(model.Equal, model.Float(30))
	ask := func(who model.Principal, want ...int) {
		t.Helper()
		if got := numbers(t, f, who, model.FindQuery{Filter: devices, Conditions: []model.Condition{c}}); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	ask(admin, 3)
	c.Is.Value.Source, c.Is.Value.Attribute = model.EntityUser, "limit"
	ask(client)
	w.set(model.EntityID(tenant), model.Server, "limit", 1, model.Int(10))
	ask(client)
	c.Is.Value.Inherit = true
	ask(client, 1)
	w.set(model.EntityID(customer), model.Server, "limit", 1, model.Int(20))
	ask(client, 2)
	ask(admin, 1)
	c.Is.Value.Chosen = model.Float(30)
	ask(admin, 3)
}

func TestOrderAndPages(t *testing.T) {
	w, f := newWorld()
	by := func(kind model.KeyKind, key string, descending bool) model.FindQuery {
		return model.FindQuery{Filter: devices, Sort: model.EntityKey{Kind: kind, Key: key}, Descending: descending}
	}
	check := func(q model.FindQuery, want ...int) {
		t.Helper()
		if got := numbers(t, f, admin, q); !slices.Equal(got, want) {
			t.Errorf("by %v, descending %v: %v, want %v", q.Sort, q.Descending, got, want)
		}
	}
	check(by(model.SeriesKey, "temperature", false), 1, 2, 3, 4, 5)
	check(by(model.SeriesKey, "temperature", true), 5, 4, 3, 2, 1)
	check(by(model.EntityField, "label", false), 1, 2, 3, 4, 5)
	check(by(model.EntityField, "createdTime", true), 5, 4, 3, 2, 1)
	w.set(id(15), model.Server, "on", 1, model.Bool(true))
	w.set(id(13), model.Client, "on", 2, model.Int(3))
	w.set(id(13), model.Server, "on", 1, model.Int(0))
	check(by(model.AttributeKey, "on", false), 5, 3, 1, 2, 4)
	check(by(model.ServerKey, "on", false), 3, 5, 1, 2, 4)
	q := by(model.EntityField, "name", false)
	q.Size, q.Page = 2, 1
	check(q, 3, 4)
	q.Page = 2
	check(q, 5)
	q.Page = 1 << 62
	check(q)
}

func TestSearchLooksAtWhatIsShown(t *testing.T) {
	w, f := newWorld()
	q := model.FindQuery{
		Filter: devices, Search: "CELL",
		Fields: []model.EntityKey{{Kind: model.EntityField, Key: "name"}},
		Latest: []model.EntityKey{{Kind: model.SeriesKey, Key: "temperature"}},
	}
	check := func(want ...int) {
		t.Helper()
		if got := numbers(t, f, admin, q); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", q.Search, got, want)
		}
	}
	check()
	q.Fields = append(q.Fields, model.EntityKey{Kind: model.EntityField, Key: "label"})
	check(2, 1)
	q.Search = "20"
	check(2)
	w.set(id(13), model.Timeseries, "temperature", 9, model.Float(-1.5e+30))
	for _, q.Search = range []string{"-1", "1.5", "E+30", "e+3"} {
		check(3)
	}
	w.set(id(13), model.Timeseries, "temperature", 10, model.Float(0))
	q.Search = "BROKEN"
	check(4)
	q.Search, q.Fields = `"n":15`, []model.EntityKey{{Kind: model.EntityField, Key: "additionalInfo"}}
	check(5)
}

func TestAPageShowsFieldsAndLatest(t *testing.T) {
	w, f := newWorld()
	w.set(id(11), model.Shared, "mode", 7, model.String("auto"))
	w.set(id(11), model.Client, "mode", 9, model.String("hand"))
	page, err := f.Find(t.Context(), client, &model.FindQuery{
		Filter: model.EntityFilter{Kind: model.FilterEntities, Refs: []model.EntityRef{{Type: model.EntityDevice, ID: id(11)}}},
		Fields: []model.EntityKey{
			{Kind: model.EntityField, Key: "name"}, {Kind: model.EntityField, Key: "ownerName"}, {Kind: model.EntityField, Key: "ownerType"},
			{Kind: model.EntityField, Key: "additionalInfo"}, {Kind: model.EntityField, Key: "email"},
		},
		Latest: []model.EntityKey{
			{Kind: model.AttributeKey, Key: "mode"}, {Kind: model.SharedKey, Key: "mode"},
			{Kind: model.SeriesKey, Key: "temperature"}, {Kind: model.SeriesKey, Key: "mode"},
		},
		Size: 10,
	})
	if err != nil || len(page.Data) != 1 {
		t.Fatalf("%d entities, %v", len(page.Data), err)
	}
	d := page.Data[0]
	for i, want := range []model.Value{
		model.String("Pump 1"), model.String("Customer"), model.String("CUSTOMER"), model.String(`{"n":11}`), {},
	} {
		if d.Fields[i] != want {
			t.Errorf("field %d is %#v, want %#v", i, d.Fields[i], want)
		}
	}
	for i, want := range []model.Point{
		{TS: 9, Value: model.String("hand")}, {TS: 7, Value: model.String("auto")}, {TS: 1000, Value: model.Int(10)}, {},
	} {
		if d.Latest[i] != want {
			t.Errorf("latest %d is %#v, want %#v", i, d.Latest[i], want)
		}
	}
}

func TestPatternsMatchWhateverTheCase(t *testing.T) {
	check := func(p, s string, want bool) {
		t.Helper()
		if newPattern(p).matches(s) != want {
			t.Errorf("%q matches %q: %v", p, s, !want)
		}
	}
	check("", "anything", true)
	check("ab", "ABc", true)
	check("b", "abc", false)
	check("%b", "ab", true)
	check("%b", "abc", false)
	check("%b%", "abc", true)
	check("a_c", "aéc", true)
	check("%a%b%c%", "xaybzc", true)
	check("%aab", "aaab", true)
	check("_", "", false)
	check("%", "", true)
	check("%ä_", "ÄX", true)
}

func TestKeysOfAPageAreListed(t *testing.T) {
	w, f := newWorld()
	w.set(id(11), model.Shared, "mode", 7, model.String("auto"))
	w.set(id(12), model.Client, "mode", 9, model.String("hand"))
	w.set(id(12), model.Server, "active", 9, model.Bool(true))
	q := &model.FindQuery{Filter: devices, Size: 10}
	k, err := f.Keys(t.Context(), client, q, []model.Scope{model.Timeseries, model.Client, model.Shared, model.Server})
	if err != nil || !slices.Equal(k.Series, []string{"temperature"}) || !slices.Equal(k.Attributes, []string{"active", "mode"}) ||
		!slices.Equal(k.Types, []model.EntityType{model.EntityDevice}) {
		t.Errorf("%+v, %v", k, err)
	}
	k, err = f.Keys(t.Context(), client, q, []model.Scope{model.Server})
	if err != nil || len(k.Series) != 0 || !slices.Equal(k.Attributes, []string{"active"}) {
		t.Errorf("%+v, %v", k, err)
	}
}
