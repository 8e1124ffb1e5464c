package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidewire/tidewire/model"
)

// Libraries below the engine start goroutines before main.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// A recorder is a store that keeps the latest values and a line per set.
type recorder struct {
	mu struct {
		sync.Mutex
		log    []string
		latest map[seriesKey]model.Point
		fail   error
	}
}

type seriesKey struct {
	entity model.EntityID
	scope  model.Scope
	key    string
}

func newRecorder() *recorder {
	r := &recorder{}
	r.mu.latest = make(map[seriesKey]model.Point)
	return r
}

func (r *recorder) Append(ctx context.Context, s *model.WriteSet) (model.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.fail != nil {
		return 0, r.mu.fail
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %v", s.Entity[0], s.Scope)
	cells := s.Cells
	for _, row := range s.Rows {
		for _, c := range cells[:row.Cells] {
			fmt.Fprintf(&b, " %s=%#v", s.Keys[c.Key], c.Value)
			r.mu.latest[seriesKey{s.Entity, s.Scope, s.Keys[c.Key]}] = model.Point{TS: row.TS, Value: c.Value}
		}
		cells = cells[row.Cells:]
	}
	r.mu.log = append(r.mu.log, b.String())
	return model.Position(len(r.mu.log)), nil
}

func (r *recorder) Latest(ctx context.Context, _ model.TenantID, e model.EntityID, scope model.Scope, keys []string) (model.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.fail != nil {
		return model.Snapshot{}, r.mu.fail
	}
	var s model.Snapshot
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if p, ok := r.mu.latest[seriesKey{e, scope, key}]; ok {
			s.Points = append(s.Points, model.KeyPoint{Key: key, Point: p})
		}
	}
	return s, ctx.Err()
}

// taken returns the lines since the last call.
func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.mu.log
	r.mu.log = nil
	return log
}

func (r *recorder) failWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.fail = err
}

func device1() *model.Entity {
	return &model.Entity{Tenant: model.TenantID{9}, ID: model.EntityID{1}, Type: model.EntityDevice, Name: "Pump 7"}
}

func set(scope model.Scope, key string, v model.Value) *model.WriteSet {
	return &model.WriteSet{Scope: scope, Keys: []string{key}, Rows: []model.Row{{TS: 5, Cells: 1}}, Cells: []model.Cell{{Value: v}}}
}

func telemetry() *model.WriteSet { return set(model.Timeseries, "t", model.Int(1)) }

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestWriteFillsInWhoseAndWhen(t *testing.T) {
	r := newRecorder()
	p := New(Options{Store: r})
	one, two := telemetry(), set(model.Client, "fw", model.String("1.2"))
	two.Received = 77
	if err := p.Write(t.Context(), device1(), one, two, &model.WriteSet{Scope: model.Timeseries}); err != nil {
		t.Fatal(err)
	}
	expect(t, r.taken(), "1 timeseries t=1", `1 client fw="1.2"`) // an empty set is no entry
	if one.Tenant != device1().Tenant || one.Received == 0 || two.Received != 77 {
		t.Errorf("%+v, %+v", one, two)
	}
	s := p.Stats()
	if s.Sets != 2 || s.Points != 2 || s.Bytes != 16+1+16+2+3 || s.Devices != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestLimitsAreNamed(t *testing.T) {
	r := newRecorder()
	p := New(Options{Store: r, Limits: Limits{Keys: 2, Points: 3, Bytes: 100}})
	f := func(s *model.WriteSet, want string) {
		t.Helper()
		err := p.Write(t.Context(), device1(), telemetry(), s)
		if model.KindOf(err) != model.TooLarge || model.MessageOf(err, "") != want {
			t.Errorf("got %v, want %s", err, want)
		}
		expect(t, r.taken()) // none of the message was written
	}
	f(&model.WriteSet{Keys: []string{"a", "b", "c"}}, "A message may have at most 2 keys, got 3")
	f(&model.WriteSet{Keys: []string{"a"}, Cells: make([]model.Cell, 4)}, "A message may have at most 3 points, got 4")
	f(set(model.Timeseries, "a", model.String(strings.Repeat("x", 100))), "A message may have at most 100 bytes of data, got 117")
	if s := p.Stats(); s.Refused != 3 || s.Sets != 0 {
		t.Errorf("stats %+v", s)
	}
	if _, known := p.Activity(device1().ID); known {
		t.Error("a refused message counts as activity")
	}
}

func TestStoreErrorsKeepTheirKind(t *testing.T) {
	r := newRecorder()
	p := New(Options{Store: r})
	f := func(fail error, want model.Kind) {
		t.Helper()
		r.failWith(fail)
		err := p.Write(t.Context(), device1(), telemetry())
		if model.KindOf(err) != want || !errors.Is(err, fail) {
			t.Errorf("%v became %v of kind %v", fail, err, model.KindOf(err))
		}
	}
	f(errors.New("disk"), model.Internal)
	f(model.Errorf(model.NoSpace, "full"), model.NoSpace)
	f(model.Errorf(model.Overload, "busy"), model.Overload)
	f(fmt.Errorf("wait: %w", context.DeadlineExceeded), model.Overload)
	if s := p.Stats(); s.Failed != 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestOnlyDevicesAndTheirOwnScopesAreActivity(t *testing.T) {
	f := func(kind model.EntityType, scope model.Scope, want bool) {
		t.Helper()
		p := New(Options{Store: newRecorder()})
		e := device1()
		e.Type = kind
		if err := p.Write(t.Context(), e, set(scope, "k", model.Int(1))); err != nil {
			t.Fatal(err)
		}
		if a, known := p.Activity(e.ID); known != want || a.Active != want {
			t.Errorf("%s %v: %v, %+v", kind, scope, known, a)
		}
	}
	f(model.EntityDevice, model.Timeseries, true)
	f(model.EntityDevice, model.Client, true)
	f(model.EntityDevice, model.Server, false)
	f(model.EntityDevice, model.Shared, false)
	f(model.EntityAsset, model.Timeseries, false)
}

func TestWhatOthersSaveIsNoActivity(t *testing.T) {
	r := newRecorder()
	p := New(Options{Store: r})
	if err := p.Save(t.Context(), device1(), telemetry()); err != nil {
		t.Fatal(err)
	}
	expect(t, r.taken(), "1 timeseries t=1")
	if _, known := p.Activity(device1().ID); known {
		t.Error("an import counts as activity")
	}
}
