package tsdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
)

var (
	aTenant = model.TenantID{1}
	aDevice = model.EntityID{2}
)

// rows makes a set of n rows, step apart, of the keys, whose values count up from value.
func rows(from, step int64, n int, value int64, names ...string) *model.WriteSet {
	s := &model.WriteSet{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: names}
	for i := range n {
		s.Rows = append(s.Rows, model.Row{TS: from + int64(i)*step, Cells: len(names)})
		for k := range names {
			s.Cells = append(s.Cells, model.Cell{Key: k, Value: model.Int(value + int64(i))})
		}
	}
	return s
}

func openTest(t *testing.T, o Options) *DB {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	db, err := Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if db.enter() == nil {
			db.leave()
			if _, err := db.Check(context.Background()); err != nil {
				t.Errorf("check: %v", err)
			}
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func mustAppend(t *testing.T, db *DB, s *model.WriteSet) model.Position {
	t.Helper()
	p, err := db.Append(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASecondOpenNamesTheDirectory(t *testing.T) {
	for name, open := range map[string]func() (vfs.FS, string){
		"disk":   func() (vfs.FS, string) { return vfs.Default, t.TempDir() },
		"memory": func() (vfs.FS, string) { return vfs.NewMem(), "somewhere" },
	} {
		t.Run(name, func(t *testing.T) {
			fs, dir := open()
			db, err := Open(dir, Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			_, err = Open(dir, Options{FS: fs})
			if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestInputThatBreaksALimitIsRefused(t *testing.T) {
	db := openTest(t, Options{Limits: Limits{Keys: 3, Points: 10, KeyBytes: 8, TextBytes: 4}})
	f := func(want string, kind model.Kind, change func(*model.WriteSet)) {
		t.Helper()
		s := rows(1000, 1, 2, 1, "a", "b")
		change(s)
		_, err := db.Append(t.Context(), s)
		if model.KindOf(err) != kind || !strings.Contains(model.MessageOf(err, ""), want) {
			t.Errorf("got %v, want %v with %q", err, kind, want)
		}
	}
	f("null or empty", model.Invalid, func(s *model.WriteSet) { s.Keys[1] = "" })
	f("limit of 8", model.Invalid, func(s *model.WriteSet) { s.Keys[1] = "123456789" })
	f("limit of 3", model.TooLarge, func(s *model.WriteSet) { s.Keys = append(s.Keys, "c", "d") })
	f("stands twice", model.Invalid, func(s *model.WriteSet) { s.Keys[1] = "a" })
	f("limit of 10", model.TooLarge, func(s *model.WriteSet) { *s = *rows(1, 1, 11, 1, "a") })
	f("No points", model.Invalid, func(s *model.WriteSet) { s.Rows, s.Cells = nil, nil })
	f("limit of 4", model.TooLarge, func(s *model.WriteSet) { s.Cells[0].Value = model.JSON(`"long"`) })
	f("not a finite number", model.Invalid, func(s *model.WriteSet) { s.Cells[0].Value = model.Float(math.NaN()) })
	f("not a finite number", model.Invalid, func(s *model.WriteSet) { s.Cells[0].Value = model.Float(math.Inf(-1)) })
	f("has no type", model.Invalid, func(s *model.WriteSet) { s.Cells[0].Value = model.Value{} })
	f("unknown key", model.Invalid, func(s *model.WriteSet) { s.Cells[0].Key = 2 })
	f("Timestamp", model.Invalid, func(s *model.WriteSet) { s.Rows[0].TS = 1700000000000000 })
	f("Timestamp", model.Invalid, func(s *model.WriteSet) { s.Scope, s.Received = model.Server, math.MaxInt64 })
	f("Unknown scope", model.Invalid, func(s *model.WriteSet) { s.Scope = 9 })
	f("cells", model.Invalid, func(s *model.WriteSet) { s.Rows[0].Cells = 1 })
	if keys, err := db.Keys(t.Context(), aTenant, aDevice, model.Timeseries); err != nil || len(keys) > 0 {
		t.Errorf("keys %q, %v", keys, err)
	}
}

// A sink remembers what it was told.
type sink struct {
	mu      sync.Mutex
	wants   func(model.EntityID) bool
	changes []*model.Change
}

func (s *sink) Wants(_ model.TenantID, e model.EntityID) bool { return s.wants == nil || s.wants(e) }
func (s *sink) Publish(c *model.Change) {
	s.mu.Lock()
	s.changes = append(s.changes, c)
	s.mu.Unlock()
}

func TestChangesArriveInOrderAndLikeFollowTellsThem(t *testing.T) {
	var told sink
	db := openTest(t, Options{Changes: &told})
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for i := range 50 {
				s := rows(int64(1000+i), 1, 1, int64(i), "a", fmt.Sprint("b", w%3))
				s.Entity = model.EntityID{byte(w)}
				mustAppend(t, db, s)
				s.Cells[0].Value = model.Int(-1) // the set is ours again
			}
		})
	}
	wait.Wait()
	d := model.DeleteRange{Tenant: aTenant, Entity: model.EntityID{1}, Scope: model.Timeseries, Keys: []string{"a"}, From: 1040, To: 2000, RewriteLatest: true}
	if _, err := db.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var followed []*model.Change
	reached, err := db.Follow(t.Context(), 0, func(c *model.Change) error {
		followed = append(followed, c)
		return nil
	})
	if err != nil || reached != db.Position() {
		t.Fatalf("reached %d of %d: %v", reached, db.Position(), err)
	}
	if len(followed) != 401 || len(told.changes) != 401 {
		t.Fatalf("followed %d changes, told %d", len(followed), len(told.changes))
	}
	for i, c := range told.changes {
		if a, b := fmt.Sprintf("%#v", *c), fmt.Sprintf("%#v", *followed[i]); a != b {
			t.Fatalf("change %d:\ntold     %s\nfollowed %s", i, a, b)
		}
		if i > 0 && c.Position <= told.changes[i-1].Position {
			t.Fatalf("position %d after %d", c.Position, told.changes[i-1].Position)
		}
	}
	last := told.changes[400]
	if len(last.Deleted) != 1 || last.Deleted[0].Key != "a" || last.Deleted[0].TS != 1039 {
		t.Errorf("the delete told %+v", last.Deleted)
	}
}

func TestFollowSaysWhenTheLogIsGone(t *testing.T) {
	db := openTest(t, Options{LogBytes: 1, LogAge: -1})
	for i := range 10 {
		mustAppend(t, db, rows(int64(i), 1, 1, 1, "a"))
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.Follow(t.Context(), 1, func(*model.Change) error { return nil })
	var behind *BehindError
	if !errors.Is(err, ErrBehind) || !errors.As(err, &behind) {
		t.Fatalf("got %v", err)
	}
	if reached, err := db.Follow(t.Context(), model.Position(behind.First), func(*model.Change) error { return nil }); err != nil || reached != db.Position() {
		t.Errorf("from the first position left: reached %d, %v", reached, err)
	}
}

// A reader sees each point once, whole sets, and exactly those of the position it is told,
// whatever the flush does meanwhile.
func TestReadersSeeOnePositionBesideAFlush(t *testing.T) {
	db := openTest(t, Options{HeadBytes: 64 << 10, CatalogBytes: 1})
	const sets, perSet = 150, 7
	// The keys live in two groups, which a set spans.
	mustAppend(t, db, rows(0, 1, 1, 0, "first"))
	if _, err := db.Delete(t.Context(), model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, From: 0, To: 10}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	byPosition := map[model.Position]int{} // sets up to a position
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	type seen struct {
		position model.Position
		points   int
	}
	observed := make([][]seen, 3)
	started := make(chan struct{}) // a reader begins a read
	for r := range observed {
		readers.Go(func() {
			for ctx.Err() == nil {
				select {
				case started <- struct{}{}:
				case <-ctx.Done():
				default:
				}
				counts := map[string]int{}
				q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: []string{"first", "second"}, From: 0, To: 1 << 40}
				p, err := db.Raw(ctx, q, func(key string, points []model.Point) error {
					for _, point := range points {
						if point.Value.Int() != int64(counts[key]) {
							return fmt.Errorf("%s: point %d has value %d", key, counts[key], point.Value.Int())
						}
						counts[key]++
					}
					return nil
				})
				if ctx.Err() != nil {
					return
				}
				if err != nil || counts["first"] != counts["second"] {
					t.Errorf("position %d: %v, %v", p, counts, err)
					return
				}
				observed[r] = append(observed[r], seen{p, counts["first"]})
				snap, err := db.Latest(ctx, aTenant, aDevice, model.Timeseries, nil)
				if err == nil && len(snap.Points) > 0 {
					observed[r] = append(observed[r], seen{snap.Position, int(snap.Points[0].Value.Int()) + 1})
				}
			}
		})
	}
	readers.Go(func() {
		for ctx.Err() == nil {
			if err := db.Flush(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("flush: %v", err)
			}
		}
	})
	for i := range sets {
		p := mustAppend(t, db, rows(int64(i*perSet)*1000, 1000, perSet, int64(i*perSet), "first", "second"))
		mu.Lock()
		byPosition[p] = (i + 1) * perSet
		mu.Unlock()
		if i%10 == 9 { // so that reads meet many positions
			<-started
		}
	}
	<-started
	stop()
	readers.Wait()
	checked := 0
	for _, list := range observed {
		for i, s := range list {
			if want, ok := byPosition[s.position]; ok {
				checked++
				if want != s.points {
					t.Fatalf("at position %d: %d points, want %d", s.position, s.points, want)
				}
			}
			if i > 0 && s.points > 1 && s.position < list[i-1].position {
				t.Fatalf("position went back from %d to %d", list[i-1].position, s.position)
			}
		}
	}
	if checked == 0 {
		t.Error("no read met a position of a set")
	}
}

func TestAppendWaitsAsLongAsItsContextThenSaysOverload(t *testing.T) {
	db := openTest(t, Options{HeadBytes: 64 << 10})
	mustAppend(t, db, rows(0, 1, 1, 1, "a"))
	db.flusher.run.Lock() // a flush that does not get on
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	for i := range 1000 {
		if db.stats.head.Load() >= 64<<10 {
			cancel() // from here on, waiting is over at once
		}
		if _, err = db.Append(ctx, rows(int64(i*100), 1, 100, 1, "a")); err != nil {
			break
		}
	}
	cancel()
	db.flusher.run.Unlock()
	if model.KindOf(err) != model.Overload {
		t.Errorf("got %v", err)
	}
	mustAppend(t, db, rows(1<<30, 1, 1, 1, "a")) // and afterwards it goes on
}

func TestCallsAfterCloseSayClosed(t *testing.T) {
	db, err := Open("db", Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, appendErr := db.Append(t.Context(), rows(0, 1, 1, 1, "a"))
	_, latestErr := db.Latest(t.Context(), aTenant, aDevice, model.Timeseries, nil)
	for _, err := range []error{appendErr, latestErr, db.Flush(t.Context())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	if err := db.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// Pages stay true to their row groups through late points, corrections and deletes.
func TestPagesFollowTheirRowGroups(t *testing.T) {
	h := newHarness(t, Options{}, 77)
	const n, per = 70, 1100
	start := int64(1_699_920_000_000)
	set := func(from int64, count int) *model.WriteSet {
		s := rows(from, 1000, count, from%1000, "key00", "key01")
		s.Entity = model.EntityID{1}
		return s
	}
	for i := range n {
		h.append(set(start+int64(i*per)*1000, per))
		if err := h.db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r := h.check(); r.Pages == 0 {
		t.Fatalf("%d pages: the test tests nothing", r.Pages)
	}
	scope := twinScope{model.TenantID{1}, model.EntityID{1}, model.Timeseries}
	compare := func() {
		t.Helper()
		for _, key := range []string{"key00", "key01"} {
			h.script.now = start + int64(h.script.rng.IntN(n*per))*1000
			h.compareHistory(scope, key)
		}
	}
	for i := range 24 {
		at := start + int64(h.script.rng.IntN(n*per))*1000
		switch i % 3 {
		case 0:
			h.append(set(at+int64(h.script.rng.IntN(1000)), 1+h.script.rng.IntN(3000)))
		case 1:
			d := model.DeleteRange{Tenant: scope.tenant, Entity: scope.entity, Scope: scope.scope, Keys: []string{"key00"}, From: at, To: at + int64(h.script.rng.IntN(20*per))*1000 + 1}
			if i%2 == 0 {
				d.Keys = nil
			}
			if _, err := h.db.Delete(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			h.twin.delete(&d)
		case 2:
			h.append(set(start-int64(h.script.rng.IntN(50*per))*1000, 200))
		}
		compare()
		if i%4 == 0 {
			h.check()
			compare()
		}
	}
}
