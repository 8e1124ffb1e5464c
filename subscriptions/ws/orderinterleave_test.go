package ws

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/entityquery"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
	"github.com/tidewire/tidewire/subscriptions/internal/twin"
)

// beat is what things take that happen between others.
const beat = 10 * time.Microsecond

var errCut = errors.New("the connection was cut")

// A watcher is a client of one query: it keeps what it is told and comes back to where it was.
type watcher struct {
	parts string
	kinds []model.KeyKind // of latestCmd, all for keys a and t
	live  bool            // series of a and t
	mu    sync.Mutex
	page  []string // the entities of the last answer
	place string   // the position of the last frame
	from  *position
	heard []string // changes behind from
	once  map[string]int
	bad   []string

	resumes, resyncs, unsettled int
}

// take reports whether the connection is good for more.
func (w *watcher) take(t *testing.T, frame string) bool {
	f := parseChange(t, frame)
	w.mu.Lock()
	defer w.mu.Unlock()
	say := func(format string, args ...any) { w.bad = append(w.bad, fmt.Sprintf(format, args...)+": "+frame) }
	if f.Error == 1 && strings.Contains(*f.Message, "faster than it can be read") {
		return false
	}
	var at position
	if f.Position != "" {
		at, _ = parsePosition(f.Position)
		if last, _ := parsePosition(w.place); w.place != "" && f.Resync == "" && (f.Data == nil || f.Resumed != nil) &&
			at.at != last.at && !last.at.Before(at.at.Position, at.at.Scope) {
			say("back from %v", last.at)
		}
	} else if w.from != nil && f.Data == nil {
		say("no position")
	}
	switch {
	case f.Error != 0 || f.Coalesced != 0:
		say("error")
	case f.Data != nil && f.Resumed != nil:
		w.resumes++
	case f.Data != nil:
		if f.Resync != "" {
			w.resyncs++
		}
		w.page, w.from, w.heard, w.once = nil, nil, nil, make(map[string]int)
		for i := range f.Data.Data {
			w.page = append(w.page, f.Data.Data[i].Entity.ID)
			for key, points := range f.Data.Data[i].Timeseries {
				for _, p := range points {
					w.once[fmt.Sprintf("%.2s/%s=%d:%s", f.Data.Data[i].Entity.ID, key, p.TS, p.Value)]++
				}
			}
		}
	case len(f.Update) > 0:
		for _, point := range strings.Fields(f.text()) {
			if w.once[point]++; w.once[point] > 1 && !strings.HasSuffix(point, "=0:") && !strings.Contains(point, "AT.") {
				say("%s was told twice", point)
			}
		}
		if w.from != nil {
			w.heard = append(w.heard, f.text())
		} else {
			w.unsettled++
		}
	}
	if w.place = f.Position; w.place != "" && w.from == nil {
		w.from = &at
	}
	return true
}

// words are those of a line in order.
func words(line string) string {
	list := strings.Fields(line)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// expected is what a client should have heard behind a place of the changes of a log.
func (w *watcher) expected(log []*model.Change) (all []string) {
	type held struct {
		entity model.EntityID
		key    string
	}
	attributes := make(map[held]map[model.Scope]model.Point)
	newest := func(h held) (best model.Point) {
		for _, p := range attributes[h] {
			if best.Value.IsNone() || p.TS > best.TS { // no two are of one instant
				best = p
			}
		}
		return best
	}
	for _, c := range log {
		id := model.ID(c.Entity).String()
		latest, series := make(map[string]string), make(map[string]string)
		n := 0
		for _, row := range c.Rows { // of which the later ones are newer
			for range row.Cells {
				key, shown := c.Keys[c.Cells[n].Key], fmt.Sprintf("=%d:%d", row.TS, c.Cells[n].Value.Int())
				if c.Newest[n] {
					latest[key] = shown
					if h := (held{c.Entity, key}); c.Scope != model.Timeseries {
						if attributes[h] == nil {
							attributes[h] = make(map[model.Scope]model.Point)
						}
						attributes[h][c.Scope] = model.Point{TS: row.TS, Value: c.Cells[n].Value}
					}
				}
				series[key+shown] = ""
				n++
			}
		}
		uncovered := make(map[string]string)
		for _, d := range c.Deleted {
			latest[d.Key] = "=0:"
			h := held{c.Entity, d.Key}
			before := newest(h)
			delete(attributes[h], c.Scope)
			uncovered[d.Key] = ""
			if now := newest(h); now != before && now.Value.IsNone() {
				uncovered[d.Key] = "=0:"
			} else if now != before {
				uncovered[d.Key] = fmt.Sprintf("=%d:%d", now.TS, now.Value.Int())
			}
		}
		if !w.from.at.Before(c.Position, c.Scope) || !slices.Contains(w.page, id) {
			continue
		}
		var told []string
		for key, shown := range latest {
			for _, kind := range w.kinds {
				if slices.Contains(scopesOf(kind), c.Scope) && (key == "a" || key == "t") {
					if of, removed := uncovered[key]; kind == model.AttributeKey && removed {
						if shown = of; shown == "" {
							continue
						}
					}
					told = append(told, fmt.Sprintf("%.2s/%.2s.%s%s", id, thingsboard.KeyKindName(kind), key, shown))
				}
			}
		}
		for point := range series {
			if w.live && c.Scope == model.Timeseries && (point[0] == 'a' || point[0] == 't') {
				told = append(told, fmt.Sprintf("%.2s/%s", id, point))
			}
		}
		if len(told) > 0 {
			all = append(all, words(strings.Join(told, " ")))
		}
	}
	return all
}

// A stage is the server of one moment; a restart brings another one.
type stage struct {
	hub    *subscriptions.Hub
	server *Server
}

// newStage starts a server over a store.
func newStage(store *twin.Store, found *directory, o subscriptions.Options) *stage {
	s := &stage{hub: subscriptions.New(o)}
	s.hub.Start(store)
	s.server = New(Deps{
		Hub:   s.hub,
		Allow: func(p model.Principal, _ Access, ref model.EntityRef) (*model.Entity, error) { return nil, nil },
		Entities: entityquery.New(entityquery.Options{
			Directory: found, Guard: found, Relations: found, Records: found, Store: columnless{store},
			Text: thingsboard.AppendText, Now: func() time.Time { return time.UnixMilli(now) },
		}),
		Limits: Limits{OutboxBytes: 16 << 20},
	})
	return s
}

func (s *stage) end(t *testing.T) {
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	s.hub.Close()
}

// connect opens a session over l.
func (s *stage) connect(l *line) (x *session, leave func(), ok bool) {
	if !s.server.reserve() {
		return nil, nil, false
	}
	x = newSession(s.server)
	x.heardAt.Store(1 << 60) // it needs no pings
	if err := s.server.admit(x, model.Principal{Tenant: tenant, User: model.UserID{1}}); err != nil {
		s.server.leave(x)
		return nil, nil, false
	}
	x.attach(l)
	s.server.enter(x)
	return x, func() {
		x.close(codeRestart, "")
		x.end()
		_ = x.conn.cut()
		s.server.leave(x)
	}, true
}

// life is some connections, and one that lasts until all is quiet.
func (w *watcher) life(t *testing.T, at *atomic.Pointer[stage], rng *rand.Rand, quiet chan struct{}) {
	w.once = make(map[string]int)
	for lives := rng.IntN(5); ; lives-- {
		<-time.After(time.Duration(rng.IntN(40)) * beat)
		l := &line{takes: -1, take: func(frame string) bool { return w.take(t, frame) }, broken: make(chan struct{})}
		if lives > 0 && rng.IntN(2) == 0 {
			l.takes = rng.IntN(12)
		}
		s := at.Load()
		x, leave, ok := s.connect(l)
		if !ok { // it is about to restart
			continue
		}
		resume := `"positions":true`
		if w.mu.Lock(); w.place != "" {
			resume = `"resume":"` + w.place + `"`
		}
		w.mu.Unlock()
		m, err := thingsboard.ParseWS(fmt.Appendf(nil, `{"cmds":[{"type":"ENTITY_DATA","cmdId":1,%s,%s%s}]}`, pumps, w.parts, resume))
		if err != nil || m.Commands[0].Err != nil {
			t.Fatal(err, m.Commands[0].Err)
		}
		x.command(&m.Commands[0])
		var gone <-chan time.Time
		end := quiet
		if lives > 0 {
			gone, end = time.After(time.Duration(rng.IntN(60))*beat), nil
		}
		done := false
		select {
		case <-l.broken:
		case <-gone:
		case <-s.server.ctx.Done():
		case <-end:
			<-time.After(20 * time.Millisecond)
			done = x.verdict.Load() == nil && l.sound()
		}
		l.Close()
		leave()
		if done {
			return
		}
	}
}

// A struck counts what interleavings met.
type struck struct{ heard, resumes, resyncs, unsettled, restarts, overflows, passes, lost int64 }

func interleaveQueries(t *testing.T, seed uint64, total *struck) {
	rng := rand.New(rand.NewPCG(seed, 0))
	options := subscriptions.Options{
		Shards: 1 + rng.IntN(2), QueueChanges: 1 + rng.IntN(6), JoinChanges: 1 + rng.IntN(20), QueueBytes: 1 << 20,
		Page: 1 + rng.IntN(400), Pass: 1 + rng.IntN(800), Mark: time.Hour,
	}
	if rng.IntN(3) == 0 {
		options.Mark = 7 * beat
	}
	ids := []model.EntityID{{0x10, 8: 1}, {0x20, 8: 2}, {0x30, 8: 3}, {0x40, 8: 4}}
	found := &directory{m: make(map[model.EntityID]*model.Entity)}
	for i, id := range ids[:3] {
		found.add(id, strconv.Itoa(i))
	}
	store := twin.New(nil)
	var at atomic.Pointer[stage]
	at.Store(newStage(store, found, options))
	store.Sink = at.Load().hub
	var pauses sync.Mutex
	shuffle := rand.New(rand.NewPCG(seed, 1))
	store.Pause = func() {
		pauses.Lock()
		d := max(0, shuffle.IntN(8)-4)
		pauses.Unlock()
		if d > 0 {
			<-time.After(time.Duration(d) * beat)
		}
	}
	var work, clients sync.WaitGroup
	var unique atomic.Int64
	instant, inOrder := int64(0), make(chan struct{}, 1) // of attributes, which come in the order of their times
	for i := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 10+i))
		work.Go(func() {
			for range 20 {
				scope, id := model.Timeseries, ids[rng.IntN(4)]
				if rng.IntN(3) == 0 {
					scope = model.AttributeScopes[rng.IntN(3)]
				}
				switch rng.IntN(14) {
				case 0:
					store.Delete(tenant, id, scope, "a")
				case 1:
					store.DeleteEntity(tenant, id)
				default:
					set := &model.WriteSet{Tenant: tenant, Entity: id, Scope: scope, Keys: []string{"a", "t", "other"}}
					rows := 1 + rng.IntN(2)
					if scope != model.Timeseries {
						rows = 0
						inOrder <- struct{}{}
						instant++
						set.Rows = append(set.Rows, model.Row{TS: instant, Cells: 1})
						set.Cells = append(set.Cells, model.Cell{Key: rng.IntN(3), Value: model.Int(unique.Add(1))})
					}
					for row := range rows {
						set.Rows = append(set.Rows, model.Row{TS: int64(1 + rng.IntN(10) + 20*row), Cells: 1})
						set.Cells = append(set.Cells, model.Cell{Key: rng.IntN(3), Value: model.Int(unique.Add(1))})
					}
					store.Append(set)
					if scope != model.Timeseries {
						<-inOrder
					}
				}
				store.Pause()
			}
		})
	}
	switch rng.IntN(5) {
	case 0:
		work.Go(func() {
			<-time.After(time.Duration(rng.IntN(100)) * beat)
			store.Cut()
		})
	case 1, 2:
		total.restarts++
		work.Go(func() {
			<-time.After(time.Duration(rng.IntN(100)) * beat)
			store.Restart(func() twin.Sink {
				old := at.Load()
				old.end(t)
				total.count(old)
				s := newStage(store, found, options)
				at.Store(s)
				return s.hub
			})
		})
	case 3:
		work.Go(func() {
			<-time.After(time.Duration(rng.IntN(100)) * beat)
			found.add(ids[3], "3")
		})
	}
	quiet := make(chan struct{})
	all := make([]*watcher, 4)
	for i := range all {
		rng := rand.New(rand.NewPCG(seed, 100+uint64(i)))
		w := &watcher{}
		var keys []string
		for kind := model.SeriesKey; kind <= model.AttributeKey; kind++ {
			if rng.IntN(2) == 0 {
				w.kinds = append(w.kinds, kind)
				for _, key := range []string{"a", "t"} {
					keys = append(keys, fmt.Sprintf(`{"type":%q,"key":%q}`, thingsboard.KeyKindName(kind), key))
				}
			}
		}
		w.parts = `"latestCmd":{"keys":[` + strings.Join(keys, ",") + `]},`
		if w.live = rng.IntN(2) == 0; w.live {
			w.parts += `"tsCmd":{"keys":["a","t"],"startTs":1,"timeWindow":1000,"limit":1000},`
		}
		all[i] = w
		clients.Go(func() { w.life(t, &at, rng, quiet) })
	}
	work.Wait()
	<-time.After(20 * time.Millisecond)
	close(quiet)
	clients.Wait()
	synctest.Wait()
	for _, w := range all {
		if len(w.bad) > 0 {
			t.Errorf("seed %d: %s", seed, strings.Join(w.bad, "\n"))
		}
		if w.from != nil {
			var heard []string
			for _, line := range w.heard {
				heard = append(heard, words(line))
			}
			total.heard += int64(len(heard))
			if diff := cmp.Diff(w.expected(store.Log()), heard); diff != "" {
				t.Errorf("seed %d, %s from %+v (-log +heard):\n%s", seed, w.parts, w.from, diff)
			}
		}
		total.resumes += int64(w.resumes)
		total.resyncs += int64(w.resyncs)
		total.unsettled += int64(w.unsettled)
	}
	total.count(at.Load())
	at.Load().end(t)
}

func (x *struck) count(s *stage) {
	stats := s.hub.Stats()
	x.overflows += stats.Overflows
	x.passes += stats.Passes
	x.lost += stats.Lost
}

// Whatever happens at the same time, wherever connections break and servers restart, the client of
// a query hears every change to the entities of its page behind its first position, in the order of
// the log, and none twice. TIDEWIRE_SEEDS says how many interleavings are tried.
func TestQueriesAndTheirResumptionMeetWithoutHoleOrRepeat(t *testing.T) {
	n, seeds := uint64(300), os.Getenv("TIDEWIRE_SEEDS")
	if twin.Race {
		n = 60
	}
	if seeds != "" {
		var err error
		if n, err = strconv.ParseUint(seeds, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	var total struck
	for seed := range n {
		synctest.Test(t, func(t *testing.T) { interleaveQueries(t, seed, &total) })
		if t.Failed() {
			return
		}
	}
	if total.resumes == 0 || total.resyncs == 0 || total.unsettled == 0 || total.restarts == 0 || total.overflows == 0 || total.lost == 0 {
		t.Errorf("something never happened: %+v", total)
	}
	t.Logf("%d interleavings struck %+v", n, total)
}
