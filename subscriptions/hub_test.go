package subscriptions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions/internal/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// lines is an encoder whose frames are lines of text: id position/scope key=ts:value …
type lines struct{}

func (lines) Body(dst []byte, u *Update) []byte {
	dst = fmt.Appendf(dst, " %d/%d", u.Position, u.Scope)
	if u.Place() == (Place{}) {
		dst = append(dst, '?')
	}
	for _, p := range u.Points {
		dst = fmt.Appendf(dst, " %s=%d:%#v", p.Key, p.TS, p.Value)
	}
	return append(dst, '\n')
}

func (lines) Frame(dst []byte, id int64, body []byte) []byte {
	return append(strconv.AppendInt(dst, id, 10), body...)
}

// A listener is a sink that writes down what it hears.
type listener struct {
	mu    sync.Mutex
	first string
	text  strings.Builder
	bad   []string
	lost  int
}

func (l *listener) Open(_ *Subscription, frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first != "" || l.text.Len() > 0 {
		l.bad = append(l.bad, "the first frame came twice or late")
	}
	l.first = string(frame)
}

func (l *listener) Update(_ *Subscription, frames []byte, updates []Update) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.bad = append(l.bad, "an update came before the first frame")
	}
	if n := strings.Count(string(frames), "\n"); n != len(updates) {
		l.bad = append(l.bad, fmt.Sprintf("%d frames for %d updates", n, len(updates)))
	}
	l.text.Write(frames)
}

func (l *listener) Lost(*Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost++
}

var tenant = model.TenantID{1}

func entity(n int) model.EntityID { return model.EntityID{8: byte(n), 15: 1} }

// openLatest reads a first frame the way the socket does: each scope at its own position.
func openLatest(spec Spec, at *[model.State + 1]model.Position) Opener {
	return func(ctx context.Context, r Snapshots, o *Opening) error {
		o.Frame = []byte("first\n")
		for scope := model.Timeseries; scope <= model.State; scope++ {
			if !spec.Scopes.Has(scope) {
				continue
			}
			snap, err := r.Latest(ctx, spec.Tenant, spec.Entity, scope, spec.Keys)
			if err != nil {
				return err
			}
			o.Read(scope, snap.Position)
		}
		*at = o.after
		return nil
	}
}

// expected is what a listener must have heard: everything in the log after its first frame.
func expected(log []*model.Change, spec Spec, at [model.State + 1]model.Position) string {
	var text []byte
	for _, c := range log {
		if c.Tenant != spec.Tenant || c.Entity != spec.Entity || !spec.Scopes.Has(c.Scope) ||
			c.Position <= at[c.Scope] {
			continue
		}
		u := Update{Position: c.Position, Scope: c.Scope, Points: filter(nil, appendPoints(nil, c), spec.Keys, spec.NewestOnly, spec.Window)}
		if len(u.Points) > 0 {
			text = lines{}.Frame(text, spec.ID, lines{}.Body(nil, &u))
		}
	}
	return string(text)
}

func randomSet(rng *rand.Rand) *model.WriteSet {
	w := &model.WriteSet{Tenant: tenant, Entity: entity(rng.IntN(2)), Scope: model.Timeseries + model.Scope(rng.IntN(3))}
	for _, k := range rng.Perm(3)[:1+rng.IntN(3)] {
		w.Keys = append(w.Keys, string(rune('a'+k)))
	}
	for range 1 + rng.IntN(2) {
		w.Rows = append(w.Rows, model.Row{TS: rng.Int64N(20), Cells: len(w.Keys)})
		for k := range w.Keys {
			v := model.Int(rng.Int64N(100))
			if rng.IntN(10) == 0 {
				v = model.Null()
			}
			w.Cells = append(w.Cells, model.Cell{Key: k, Value: v})
		}
	}
	return w
}

func randomSpec(rng *rand.Rand) Spec {
	spec := Spec{
		Tenant: tenant, Entity: entity(rng.IntN(2)), ID: rng.Int64N(3), Encoder: lines{}, NewestOnly: rng.IntN(3) == 0,
		Scopes: []Scopes{ScopesOf(model.Timeseries), ScopesOf(model.Client), ScopesOf(model.Timeseries, model.Client, model.Server)}[rng.IntN(3)],
	}
	if rng.IntN(2) == 0 {
		spec.Keys = []string{"a", "c"}
	}
	return spec
}

// When the log no longer holds what a queue had no room for, nobody is left believing that
// nothing happened.
func TestListenersAreToldWhenTheLogIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Shards: 1, QueueChanges: 2})
		store := twin.New(h)
		var l listener
		h.Start(store)
		defer h.Close()
		spec := Spec{Tenant: tenant, Entity: entity(0), Scopes: ScopesOf(model.Timeseries), Encoder: lines{}}
		var at [model.State + 1]model.Position
		if _, err := h.Subscribe(t.Context(), spec, &l, openLatest(spec, &at)); err != nil {
			t.Fatal(err)
		}
		h.shards[0].topic(tenant, entity(0)).members.Lock() // the shard is held up
		set := &model.WriteSet{Tenant: tenant, Entity: entity(0), Scope: model.Timeseries, Keys: []string{"a"},
			Rows: []model.Row{{TS: 1, Cells: 1}}, Cells: []model.Cell{{Value: model.Int(1)}}}
		for range 10 {
			store.Append(set)
		}
		store.Cut()
		h.shards[0].topic(tenant, entity(0)).members.Unlock()
		synctest.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lost != 1 || h.Stats().Lost != 1 || h.Stats().Overflows == 0 {
			t.Errorf("told %d times, stats %+v", l.lost, h.Stats())
		}
	})
}

func TestAnEntityNobodyListensToIsNotWanted(t *testing.T) {
	h := New(Options{})
	store := twin.New(h)
	h.Start(store)
	defer h.Close()
	spec := Spec{Tenant: tenant, Entity: entity(0), Scopes: ScopesOf(model.Timeseries), Encoder: lines{}}
	var at [model.State + 1]model.Position
	var l listener
	if h.Wants(tenant, entity(0)) {
		t.Error("wanted before anybody listened")
	}
	sub, err := h.Subscribe(t.Context(), spec, &l, openLatest(spec, &at))
	if err != nil {
		t.Fatal(err)
	}
	if !h.Wants(tenant, entity(0)) || h.Wants(model.TenantID{2}, entity(0)) || h.Wants(tenant, entity(1)) {
		t.Error("wants something else than the entity of the tenant")
	}
	h.Unsubscribe(sub)
	h.Unsubscribe(sub)
	if h.Wants(tenant, entity(0)) || h.Stats().Subscriptions != 0 || h.Stats().Topics != 0 {
		t.Errorf("still wanted: %+v", h.Stats())
	}
}

func TestAFirstFrameThatFailsLeavesNothingBehind(t *testing.T) {
	h := New(Options{})
	spec := Spec{Tenant: tenant, Entity: entity(0), Scopes: ScopesOf(model.Timeseries), Encoder: lines{}}
	var l listener
	fail := func(context.Context, Snapshots, *Opening) error { return model.Invalidf("no") }
	if _, err := h.Subscribe(t.Context(), spec, &l, fail); model.KindOf(err) != model.Overload {
		t.Errorf("before Start: %v", err)
	}
	h.Start(twin.New(h))
	defer h.Close()
	if _, err := h.Subscribe(t.Context(), spec, &l, fail); model.KindOf(err) != model.Invalid {
		t.Errorf("got %v", err)
	}
	if h.Wants(tenant, entity(0)) || h.Stats().Subscriptions != 0 {
		t.Error("the subscription is still there")
	}
}

// A key may hold any character, also the one that others would be joined by.
func TestSubscriptionsToOtherKeysShareNothing(t *testing.T) {
	one, two := &Spec{Keys: []string{"a\x00b"}}, &Spec{Keys: []string{"a", "b"}}
	if one.viewKey() == two.viewKey() {
		t.Error("the keys a NUL b, and a and b, are taken for the same")
	}
	if again := (&Spec{Keys: []string{"a", "b"}}); again.viewKey() != two.viewKey() {
		t.Error("the same keys are not")
	}
}

func TestPointsOfAChangeAreSortedAndTheLaterRowWins(t *testing.T) {
	c := &model.Change{
		Keys:    []string{"b", "a"},
		Rows:    []model.Row{{TS: 5, Cells: 2}, {TS: 3, Cells: 1}, {TS: 5, Cells: 1}},
		Cells:   []model.Cell{{Key: 0, Value: model.Int(1)}, {Key: 1, Value: model.Int(2)}, {Key: 1, Value: model.Int(3)}, {Key: 1, Value: model.Int(4)}},
		Newest:  []bool{true, true, false, true},
		Deleted: []model.KeyPoint{{Key: "c"}, {Key: "d", Point: model.Point{TS: 1, Value: model.Int(9)}}},
	}
	want := []Point{
		{Key: "a", TS: 3, Value: model.Int(3), Late: true}, {Key: "a", TS: 5, Value: model.Int(4)},
		{Key: "b", TS: 5, Value: model.Int(1)}, {Key: "c"}, {Key: "d", TS: 1, Value: model.Int(9)},
	}
	values := cmp.Comparer(func(a, b model.Value) bool { return a == b })
	if diff := cmp.Diff(want, appendPoints(nil, c), values); diff != "" {
		t.Error(diff)
	}
	if got := filter(nil, want, []string{"0", "a", "d"}, true, nil); len(got) != 2 || got[0].TS != 5 || got[1].Key != "d" {
		t.Errorf("filtered to %+v", got)
	}
}

func TestMergedUpdatesKeepTheNewestAndCountTheRest(t *testing.T) {
	var u Update
	u.Merge(&Update{Position: 1, Points: []Point{{Key: "b", TS: 5, Value: model.Int(5)}, {Key: "c", TS: 1, Value: model.Int(1), Late: true}}})
	u.Merge(&Update{Position: 2, Points: []Point{{Key: "a", TS: 1, Value: model.Int(1)}, {Key: "b", TS: 3, Value: model.Int(3), Late: true}}})
	u.Merge(&Update{Position: 3, Points: []Point{{Key: "a"}, {Key: "b", TS: 6, Value: model.Int(6)}, {Key: "c", TS: 2, Value: model.Int(2), Late: true}}})
	want := Update{Position: 3, Coalesced: 4, Points: []Point{
		{Key: "a"}, {Key: "b", TS: 6, Value: model.Int(6)}, {Key: "c", TS: 2, Value: model.Int(2), Late: true},
	}}
	if diff := cmp.Diff(want, u, cmp.Comparer(func(a, b model.Value) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSortedFunc(u.Points, comparePoints) {
		t.Error("points are not sorted")
	}
}

// After an outage everybody comes back at once. The log is read for all who wait together.
func TestThoseWhoComeBackTogetherShareTheReadingOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{})
		store := twin.New(h)
		h.Start(store)
		defer h.Close()
		rng := rand.New(rand.NewPCG(1, 0))
		for range 200 {
			store.Append(randomSet(rng))
		}
		store.Pause = func() { <-time.After(time.Millisecond) }
		const clients = 1000
		var done sync.WaitGroup
		for i := range clients {
			c := &client{spec: randomSpec(rng)}
			c.spec.ID, c.spec.Positions = int64(i), true
			var from [model.State + 1]model.Position
			for scope := range from {
				from[scope] = model.Position(i % 100)
			}
			done.Go(func() {
				c.connect(-1)
				_, err := h.Resume(t.Context(), c.spec, c, Resumption{
					From: through(model.Position(i % 100)),
					Pace: func(context.Context) error { return nil },
					Done: func(at Place, n int) []byte {
						return fmt.Appendf(nil, "%d %d/%d missed %d\n", i, at.Position, at.Scope, n)
					},
				})
				if want := expected(store.Log(), c.spec, from); err != nil || c.text.String() != want || len(c.bad) > 0 {
					t.Errorf("client %d: %v, %q, heard\n%s, want\n%s", i, err, c.bad, &c.text, want)
				}
			})
		}
		done.Wait()
		if s := h.Stats(); s.Resumed != clients || s.Passes > 2 {
			t.Errorf("%+v", s)
		}
	})
}

// Who waits long for a change would be left behind by the log: where a subscription is, is told
// every minute.
func TestWhoHearsNothingIsToldWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{})
		store := twin.New(h)
		h.Start(store)
		defer h.Close()
		all := make([]*client, 3)
		for i := range all {
			c := &client{spec: Spec{Tenant: tenant, Entity: entity(i % 2), Scopes: ScopesOf(model.Timeseries), Encoder: lines{}, Positions: i < 2}}
			c.connect(-1)
			if _, err := c.subscribe(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			all[i] = c
		}
		set := randomSet(rand.New(rand.NewPCG(1, 0)))
		set.Entity, set.Scope = entity(1), model.Timeseries
		for range 2 { // as one who joins, and as one of a view
			store.Append(set)
			<-time.After(time.Minute + time.Second)
			for i, c := range all {
				c.mu.Lock()
				if told := c.place == through(store.Position()); told != (i < 2) {
					t.Errorf("client %d is at %v, the log at %d", i, c.place, store.Position())
				}
				c.mu.Unlock()
			}
			set.Entity = entity(0)
		}
	})
}
