package tsdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/blocks"
	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A stage lets goroutines take steps in an order that a seed decides. Each parks wherever it
// could meet another one; when all are parked, the stage lets one of them go on.
type stage struct {
	rng    *rand.Rand
	parked []stageTurn
	arrive chan stageTurn
}

// A stageTurn is taken by whom its channel is closed for.
type stageTurn struct {
	who  role
	take chan struct{}
}

// A role says whom who parks holds up.
type role int

const (
	reader role = iota // nobody
	writer             // would wait for a holder's lock, which the stage could not see
	holder             // parks with the engine's commit lock
)

// park waits to be let on.
func (s *stage) park(who role) {
	t := stageTurn{who, make(chan struct{})}
	s.arrive <- t
	<-t.take
}

// holds lists the moments that are passed with the commit lock held.
var holds = []Moment{AtAppend, AtSync, AtApply, AtDelete, AtErase, AtFreeze, AtCursor, AtLogCut}

// play lets everybody take steps until nobody parks any more, and returns how many it took.
// It must run in the bubble of those who park.
func (s *stage) play() (steps int) {
	for {
		synctest.Wait()
		for more := true; more; {
			select {
			case turn := <-s.arrive:
				s.parked = append(s.parked, turn)
				synctest.Wait()
			default:
				more = false
			}
		}
		if len(s.parked) == 0 {
			return steps
		}
		held := slices.ContainsFunc(s.parked, func(t stageTurn) bool { return t.who == holder })
		i := s.rng.IntN(len(s.parked))
		for held && s.parked[i].who == writer {
			i = (i + 1) % len(s.parked)
		}
		take := s.parked[i].take
		s.parked = slices.Delete(s.parked, i, i+1)
		close(take)
		steps++
	}
}

// An observation is what a reader saw, and of which position it says it is.
type observation struct {
	position model.Position
	what     string
}

// actors are what the one writer of the stage may do, besides appending.
// Each changes the DB and the twin.
var actors = []func(s *script, db *DB, t *twin) (model.Position, error){
	func(s *script, db *DB, t *twin) (model.Position, error) { // a delete
		d := model.DeleteRange{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, RewriteLatest: s.rng.IntN(2) == 0}
		d.From = int64(s.rng.IntN(3000)) * 1000
		d.To = d.From + int64(1+s.rng.IntN(600))*1000
		if s.rng.IntN(2) == 0 {
			d.Keys = []string{"a"}
		}
		t.delete(&d)
		return db.Delete(context.Background(), d)
	},
}

// keepers are what the other one may do, who keeps the house.
var keepers = []func(db *DB) error{
	func(db *DB) error { return db.Flush(context.Background()) },
	func(db *DB) error { return db.Flush(context.Background()) },
	func(db *DB) error { return db.Reclaim(context.Background()) },
}

// Whatever a flush, a join, a delete or a commit group is doing while a reader is between two
// of its steps, the reader sees every point exactly once, and just those of the position it
// is told. The engine parks at every moment it names, readers whenever they are handed
// something.
func TestReadersSeeEveryPointOnceWhateverMeetsThem(t *testing.T) {
	var steps, reads int
	seeds := twins.Seeds(12)
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			s, r := interleave(t, seed)
			steps, reads = steps+s, reads+r
		})
	}
	t.Logf("%d interleavings struck: %d steps, %d reads", seeds, steps, reads)
	if steps == 0 || reads == 0 {
		t.Error("nobody met")
	}
}

func interleave(t *testing.T, seed uint64) (steps, reads int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	st := &stage{rng: rng, arrive: make(chan stageTurn)}
	on := false // moments park; changed only while everybody waits
	o := Options{
		FS: vfs.NewMem(), HeadBytes: 1 << 30, CatalogBytes: int64(seed%2)<<20 + 1,
		Events: Events{Passing: func(m Moment) {
			switch {
			case !on:
			case slices.Contains(holds, m):
				st.park(holder)
			default:
				st.park(writer)
			}
		}},
	}
	if seed%3 > 0 {
		o.tuning.rules = blocks.Rules{JoinCount: 3, JoinRows: 300, MergeRows: 64, SealRows: 200, PageCount: 2}
	}
	db, err := Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	twin := newTwin()
	states := map[model.Position]string{0: contentsOnStage(twin)}
	script := &script{rng: rand.New(rand.NewPCG(seed, 8))}
	next := int64(0)
	act := func() {
		var p model.Position
		var err error
		if n := script.rng.IntN(2 * len(actors)); n < len(actors) {
			p, err = actors[n](script, db, twin)
		} else {
			ts := next
			switch script.rng.IntN(4) {
			case 0:
				ts = int64(script.rng.IntN(3000)) * 1000 // a correction, or late
			default:
				next += 400_000
			}
			set := rows(ts, 1000, 400, script.rng.Int64N(1000), "a", "b")
			if script.rng.IntN(5) == 0 {
				set.Keys[1] = "c"
			}
			twin.append(set)
			p, err = db.Append(context.Background(), set)
		}
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if p > 0 {
			states[p] = contentsOnStage(twin)
		}
	}
	for range 6 {
		act()
	}
	if err := db.Flush(context.Background()); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	on = true
	var seen []observation // appended by the goroutine whose turn it is
	go func() {
		for range 12 {
			st.park(writer)
			act()
		}
	}()
	go func() {
		for i := range 12 {
			st.park(writer)
			if err := keepers[i%len(keepers)](db); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}()
	for range 3 {
		go func() {
			for range 10 {
				st.park(reader)
				o, err := observe(db, func() { st.park(reader) })
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
				seen = append(seen, o)
			}
		}()
	}
	steps = st.play()
	on = false
	for _, o := range seen {
		at := model.Position(0)
		for p := range states {
			if p <= o.position {
				at = max(at, p)
			}
		}
		if states[at] != o.what {
			t.Errorf("seed %d, position %d: %s", seed, o.position, firstLine(o.what, states[at]))
		}
	}
	if _, err := db.Check(context.Background()); err != nil {
		t.Errorf("seed %d: check: %v", seed, err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("seed %d: close: %v", seed, err)
	}
	return steps, len(seen)
}

var stageKeys = []string{"a", "b", "c"}

// observe reads everything of the stage, parking between the pieces it is handed. The
// aggregate must be of the position of the raw points when nothing came between.
func observe(db *DB, park func()) (o observation, err error) {
	ctx := context.Background()
	points := map[string][]model.Point{}
	q := &model.RangeQuery{Tenant: aTenant, Entity: aDevice, Scope: model.Timeseries, Keys: stageKeys, From: 0, To: 1 << 40}
	o.position, err = db.Raw(ctx, q, func(key string, p []model.Point) error {
		points[key] = append(points[key], p...)
		park()
		return nil
	})
	if err != nil {
		return o, err
	}
	o.what = describeStage(func(key string) []model.Point { return points[key] })
	q.Aggregates, q.Every = model.Count|model.Sum, model.Interval{Width: 1 << 40}
	counted := map[string]string{}
	position, err := db.Aggregate(ctx, q, func(key string, b []model.Bucket) error {
		counted[key] = fmt.Sprint(b[0].Count, b[0].Sum)
		park()
		return nil
	})
	for _, key := range stageKeys {
		var sum, n int64
		for _, p := range points[key] {
			n, sum = n+1, sum+p.Value.Int()
		}
		if want := fmt.Sprint(n, model.Int(sum)); err == nil && n > 0 && position == o.position && counted[key] != want {
			err = fmt.Errorf("at position %d %q has %s by its points and %s by aggregate", position, key, want, counted[key])
		}
	}
	return o, err
}

func contentsOnStage(t *twin) string {
	return describeStage(func(key string) []model.Point {
		return t.raw(twinScope{aTenant, aDevice, model.Timeseries}, key, 0, 1<<40, 0, false)
	})
}

func describeStage(points func(key string) []model.Point) string {
	var b strings.Builder
	for _, key := range stageKeys {
		for _, p := range points(key) {
			fmt.Fprintf(&b, "%s %d %v\n", key, p.TS, p.Value)
		}
	}
	return b.String()
}

// firstLine tells the first line that differs.
func firstLine(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d of %d is %q, want %q of %d", i, len(g), g[i], w[i], len(w))
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
