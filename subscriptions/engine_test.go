package subscriptions

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb"
)

// A recorder writes down what the engine publishes on its way to the hub.
type recorder struct {
	*Hub
	mu  sync.Mutex
	log []*model.Change
}

func (r *recorder) Wants(model.TenantID, model.EntityID) bool { return true }

func (r *recorder) Publish(c *model.Change) {
	r.mu.Lock()
	r.log = append(r.log, c)
	r.mu.Unlock()
	if r.Hub.Wants(c.Tenant, c.Entity) {
		r.Hub.Publish(c)
	}
}

// A bell is a listener that says when it heard something.
type bell struct {
	listener
	rings chan struct{}
}

func newBell() *bell { return &bell{rings: make(chan struct{}, 1)} }

func (b *bell) ring() {
	select {
	case b.rings <- struct{}{}:
	default:
	}
}

func (b *bell) Update(s *Subscription, frames []byte, updates []Update) {
	b.listener.Update(s, frames, updates)
	b.ring()
}

func (b *bell) Lost(s *Subscription) {
	b.listener.Lost(s)
	b.ring()
}

// until waits until the text heard ends so, or something is lost, and returns the text.
func (b *bell) until(end string) string {
	for {
		b.mu.Lock()
		text, lost := b.text.String(), b.lost
		b.mu.Unlock()
		if strings.HasSuffix(text, end) || lost > 0 {
			return text
		}
		<-b.rings
	}
}

// A live is the real engine with a hub of short queues on it.
type live struct {
	*testing.T
	db   *tsdb.DB
	hub  *Hub
	told *recorder
}

func goLive(t *testing.T, o tsdb.Options) *live {
	l := &live{T: t, hub: New(Options{Shards: 1, QueueChanges: 2})}
	l.told = &recorder{Hub: l.hub}
	o.FS, o.Changes = vfs.NewMem(), l.told
	db, err := tsdb.Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	l.db = db
	l.hub.Start(db)
	t.Cleanup(func() {
		l.hub.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *live) subscribe(spec Spec, b *bell) (at [model.State + 1]model.Position) {
	l.Helper()
	if _, err := l.hub.Subscribe(l.Context(), spec, b, openLatest(spec, &at)); err != nil {
		l.Fatal(err)
	}
	return at
}

func (l *live) append(s *model.WriteSet) {
	l.Helper()
	if _, err := l.db.Append(l.Context(), s); err != nil {
		l.Fatal(err)
	}
}

// one appends a point of key a of entity 0.
func (l *live) one(n int64, v model.Value) {
	l.Helper()
	l.append(&model.WriteSet{Tenant: tenant, Entity: entity(0), Scope: model.Timeseries, Keys: []string{"a"},
		Rows: []model.Row{{TS: n, Cells: 1}}, Cells: []model.Cell{{Value: v}}})
}

// hold keeps the shard from delivering to entity 0 until the function returned is called.
func (l *live) hold() (release func()) {
	t := l.hub.shards[0].topic(tenant, entity(0))
	t.members.Lock()
	return t.members.Unlock
}

// entityZero is all of entity 0.
func entityZero() Spec {
	return Spec{Tenant: tenant, Entity: entity(0), Scopes: ScopesOf(model.Timeseries, model.Client, model.Server), Encoder: lines{}}
}

// A queue of two overflows all the time, and what is heard is what the engine published.
func TestTheLogOfTheEngineFillsTheHoleOfAnOverflow(t *testing.T) {
	for seed := range uint64(20) {
		l, b := goLive(t, tsdb.Options{}), newBell()
		at := l.subscribe(entityZero(), b)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 10 {
			release := l.hold()
			for range rng.IntN(12) {
				l.append(randomSet(rng))
				if rng.IntN(6) == 0 {
					d := model.DeleteRange{Tenant: tenant, Entity: entity(0), Scope: model.Timeseries, Keys: []string{"a"},
						From: 0, To: math.MaxInt64, RewriteLatest: rng.IntN(2) == 0}
					if _, err := l.db.Delete(t.Context(), d); err != nil {
						t.Fatal(err)
					}
				}
			}
			release()
		}
		l.one(1000, model.Int(7))
		want := expected(l.told.log, entityZero(), at)
		got := b.until(fmt.Sprintf("a=1000:%#v\n", model.Int(7)))
		if diff := cmp.Diff(want, got); diff != "" || b.lost > 0 || len(b.bad) > 0 {
			t.Fatalf("seed %d, lost %d, %q (-published +heard):\n%s", seed, b.lost, b.bad, diff)
		}
		if l.hub.Stats().Overflows == 0 {
			t.Errorf("seed %d: no queue overflowed", seed)
		}
	}
}

// The log is read after the entity is gone, and with it the names of its keys.
func TestAnErasureIsHeardAfterAnOverflow(t *testing.T) {
	l, b := goLive(t, tsdb.Options{}), newBell()
	at := l.subscribe(entityZero(), b)
	release := l.hold()
	for n := range int64(10) {
		l.one(n, model.Int(n))
		l.append(&model.WriteSet{Tenant: tenant, Entity: entity(0), Scope: model.Server, Received: 1, Keys: []string{"name", "none"},
			Rows: []model.Row{{Cells: 2}}, Cells: []model.Cell{{Value: model.String("x")}, {Key: 1, Value: model.Null()}}})
	}
	if _, err := l.db.DeleteEntity(t.Context(), tenant, entity(0)); err != nil {
		t.Fatal(err)
	}
	l.one(1000, model.Int(7)) // there again, with one key
	release()
	got := b.until(fmt.Sprintf("a=1000:%#v\n", model.Int(7)))

	all := strings.SplitAfter(expected(l.told.log, entityZero(), at), "\n")
	sets, end := all[:20], strings.Join(all[20:], "")
	if len(all) != 24 || !strings.HasSuffix(got, end) { // the erasure of two scopes, the point, nothing
		t.Fatalf("heard\n%swhich does not end with\n%s", got, end)
	}
	if before := strings.TrimSuffix(got, end); !strings.HasPrefix(strings.Join(sets, ""), before) {
		t.Errorf("before the erasure\n%swas heard", before)
	}
	if b.lost > 0 || l.hub.Stats().Overflows == 0 {
		t.Errorf("lost %d, %+v", b.lost, l.hub.Stats())
	}
}

// When the log is cut before the hub has read it, those who listened are told and begin again.
func TestWhoTheLogOfTheEngineLeftBehindBeginsAgain(t *testing.T) {
	l, b := goLive(t, tsdb.Options{LogMax: 64 << 10, LogBytes: 1 << 10}), newBell()
	l.subscribe(entityZero(), b)
	release := l.hold()
	for n := range int64(300) {
		l.one(n, model.String(strings.Repeat("x", 1000)))
	}
	if err := l.db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
	b.until("told otherwise\n")
	if s := l.hub.Stats(); b.lost != 1 || s.Lost != 1 || s.Overflows == 0 {
		t.Fatalf("told %d times, %+v", b.lost, s)
	}
	again := newBell()
	at := l.subscribe(entityZero(), again)
	l.one(1000, model.Int(7))
	if got, want := again.until(fmt.Sprintf("a=1000:%#v\n", model.Int(7))), expected(l.told.log, entityZero(), at); got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}
