package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions/internal/twin"
)

// beat is what things take that happen between others. The hub waits for the log a hundred
// times as long.
const beat = 10 * time.Microsecond

// A client subscribes, loses its connection wherever that breaks, comes back and goes on from
// the last place it was told. It is the sink of each of its subscriptions.
type client struct {
	spec Spec

	mu     sync.Mutex
	at     [model.State + 1]model.Position // where the first frame it took was read
	next   [model.State + 1]model.Position // and the one on its way
	text   strings.Builder                 // the updates it took since
	place  Place                           // the last one it was told; none means begin anew
	takes  int                             // lines until the connection breaks
	missed int                             // updates since it came back
	lost   bool                            // it was told so, on the connection there is
	broken chan struct{}
	bad    []string

	breaks, resumes, resyncs int
}

// connect makes a connection that takes so many lines.
func (c *client) connect(takes int) (Place, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes, c.missed, c.lost, c.broken = takes, 0, false, make(chan struct{})
	return c.place, c.broken
}

// cut breaks the connection.
func (c *client) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes = 0
}

func (c *client) sound() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.takes != 0 && !c.lost
}

func (c *client) take(frames []byte) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.Lines(string(frames)) {
		n++
		if c.takes == 0 || c.lost {
			select {
			case <-c.broken:
			default:
				close(c.broken)
			}
			continue
		}
		c.takes--
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		var place Place
		if fields[1] != "none" && !strings.HasSuffix(fields[1], "?") {
			if _, err := fmt.Sscanf(fields[1], "%d/%d", &place.Position, &place.Scope); err != nil {
				c.bad = append(c.bad, line)
			}
		}
		switch {
		case len(fields) == 3 && fields[2] == "first":
			c.text.Reset()
			c.at = c.next
			c.place = place
			continue
		case len(fields) == 3 && strings.HasPrefix(fields[2], "missed "):
			if fields[2] != "missed "+strconv.Itoa(c.missed) {
				c.bad = append(c.bad, fmt.Sprintf("%q after %d updates", line, c.missed))
			}
		case len(fields) == 3:
			c.text.WriteString(strings.Replace(line, "?", "", 1))
			c.missed++
		}
		if c.place != (Place{}) && place != c.place && // from the first on, there is always one
			!c.place.Before(place.Position, place.Scope) {
			c.bad = append(c.bad, fmt.Sprintf("from %v back to %q", c.place, line))
		}
		c.place = place
	}
	return n
}

func (c *client) Open(_ *Subscription, frames []byte) { c.take(frames) }

func (c *client) Update(_ *Subscription, frames []byte, updates []Update) {
	c.mu.Lock()
	if c.lost {
		c.bad = append(c.bad, "behind a loss came "+string(frames))
	}
	c.mu.Unlock()
	if n := c.take(frames); n != len(updates) {
		c.mu.Lock()
		c.bad = append(c.bad, fmt.Sprintf("%d frames for %d updates", n, len(updates)))
		c.mu.Unlock()
	}
}

func (c *client) Lost(*Subscription) {
	c.mu.Lock()
	c.lost = true
	c.mu.Unlock()
	c.take([]byte("lost\n"))
}

// subscribe begins anew.
func (c *client) subscribe(ctx context.Context, h *Hub) (*Subscription, error) {
	open := openLatest(c.spec, &c.next)
	return h.Subscribe(ctx, c.spec, c, func(ctx context.Context, r Snapshots, o *Opening) error {
		err := open(ctx, r, o)
		place := "none"
		if p := o.Place(); p != (Place{}) {
			place = fmt.Sprintf("%d/%d", p.Position, p.Scope)
		}
		o.Frame = fmt.Appendf(nil, "%d %s first\n", c.spec.ID, place)
		return err
	})
}

// live is the life of a client: some connections, and one that lasts until all is quiet.
func (c *client) live(ctx context.Context, hub *atomic.Pointer[Hub], rng *rand.Rand, pause func(), quiet chan struct{}) error {
	for lives := rng.IntN(5); ; lives-- {
		<-time.After(time.Duration(rng.IntN(40)) * beat)
		h, takes := hub.Load(), -1
		if lives > 0 && rng.IntN(2) == 0 {
			takes = rng.IntN(12)
		}
		from, broken := c.connect(takes)
		var sub *Subscription
		var err error
		if from == (Place{}) {
			sub, err = c.subscribe(ctx, h)
		} else {
			c.resumes++
			sub, err = h.Resume(ctx, c.spec, c, Resumption{
				From: from,
				Pace: func(context.Context) error { pause(); return nil },
				Done: func(at Place, n int) []byte {
					return fmt.Appendf(nil, "%d %d/%d missed %d\n", c.spec.ID, at.Position, at.Scope, n)
				},
			})
		}
		switch {
		case errors.Is(err, ErrBehind):
			c.resyncs++
			c.mu.Lock()
			c.place = Place{}
			c.mu.Unlock()
			continue
		case errors.Is(err, errBusy), errors.Is(err, errNotStarted):
			continue
		case err != nil:
			return err
		}
		var gone <-chan time.Time
		end := quiet
		if lives > 0 {
			gone, end = time.After(time.Duration(rng.IntN(60))*beat), nil
		}
		select {
		case <-broken:
		case <-gone:
		case <-h.ctx.Done():
		case <-end:
			if c.sound() && h.ctx.Err() == nil {
				return nil
			}
		}
		c.breaks++
		c.cut()
		h.Unsubscribe(sub)
	}
}

// An interleaving is one run of writers, clients and restarts.
func interleave(t *testing.T, seed uint64) (s Stats, resumes, resyncs, restarts int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	options := Options{
		Shards: 1 + rng.IntN(2), QueueChanges: 1 + rng.IntN(6), JoinChanges: 1 + rng.IntN(20), QueueBytes: 1 << 20,
		Page: 1 + rng.IntN(200), Pass: 1 + rng.IntN(400), Mark: time.Hour,
	}
	if rng.IntN(3) == 0 {
		options.Mark = 7 * beat
	}
	var hub atomic.Pointer[Hub]
	hub.Store(New(options))
	store := twin.New(hub.Load())
	var pauses sync.Mutex
	shuffle := rand.New(rand.NewPCG(seed, 1))
	pause := func() {
		pauses.Lock()
		d := max(0, shuffle.IntN(8)-4)
		pauses.Unlock()
		if d > 0 {
			<-time.After(time.Duration(d) * beat)
		}
	}
	store.Pause = pause
	hub.Load().Start(store)

	var work, clients sync.WaitGroup
	for w := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 10+w))
		work.Go(func() {
			for range 20 {
				switch rng.IntN(12) {
				case 0:
					store.Delete(tenant, entity(rng.IntN(2)), model.Timeseries, "a")
				case 1:
					store.DeleteEntity(tenant, entity(rng.IntN(2)))
				default:
					store.Append(randomSet(rng))
				}
				pause()
			}
		})
	}
	if rng.IntN(4) == 0 {
		work.Go(func() {
			<-time.After(time.Duration(rng.IntN(100)) * beat)
			store.Cut()
		})
	} else if rng.IntN(3) == 0 {
		restarts = 1
		work.Go(func() {
			<-time.After(time.Duration(rng.IntN(100)) * beat)
			store.Restart(func() twin.Sink {
				old := hub.Load()
				s = old.Stats()
				old.Close()
				h := New(options)
				h.Start(store)
				hub.Store(h)
				return h
			})
		})
	}
	quiet := make(chan struct{})
	all := make([]*client, 5)
	for i := range all {
		rng := rand.New(rand.NewPCG(seed, 100+uint64(i)))
		c := &client{spec: randomSpec(rng)}
		c.spec.Positions = true
		all[i] = c
		clients.Go(func() {
			if err := c.live(t.Context(), &hub, rng, pause, quiet); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
	work.Wait()
	<-time.After(20 * followPause) // a shard may still be pausing over the log, or meet its cut
	close(quiet)
	clients.Wait()
	<-time.After(20 * followPause)
	synctest.Wait()
	for _, c := range all {
		c.mu.Lock()
		text := c.text.String()
		c.mu.Unlock()
		if len(c.bad) > 0 {
			t.Errorf("seed %d: %q", seed, c.bad)
		}
		if diff := cmp.Diff(expected(store.Log(), c.spec, c.at), text); diff != "" {
			t.Errorf("seed %d, %+v from %v, %d times back, %d anew (-log +heard):\n%s", seed, c.spec, c.at, c.resumes, c.resyncs, diff)
		}
		resumes += c.resumes
		resyncs += c.resyncs
	}
	now := hub.Load().Stats()
	s.Overflows += now.Overflows
	s.Passes += now.Passes
	s.Lost += now.Lost
	hub.Load().Close()
	return s, resumes, resyncs, restarts
}

// Whatever happens at the same time, however short the queues are and wherever connections
// break, a client has heard exactly what came after its first frame, in order. TIDEWIRE_SEEDS
// says how many interleavings are tried; 10,000 without it, a tenth under the race detector.
func TestSnapshotStreamAndResumeMeetWithoutHoleOrRepeat(t *testing.T) {
	n, seeds := uint64(10_000), os.Getenv("TIDEWIRE_SEEDS")
	if twin.Race {
		n = 1000
	}
	if seeds != "" {
		var err error
		if n, err = strconv.ParseUint(seeds, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	var total Stats
	var resumes, resyncs, restarts int
	for seed := range n {
		synctest.Test(t, func(t *testing.T) {
			s, r, y, b := interleave(t, seed)
			total.Overflows += s.Overflows
			total.Passes += s.Passes
			total.Lost += s.Lost
			resumes, resyncs, restarts = resumes+r, resyncs+y, restarts+b
		})
		if t.Failed() {
			return
		}
	}
	if n > 100 && (resumes == 0 || resyncs == 0 || restarts == 0 || total.Overflows == 0 || total.Lost == 0) {
		t.Errorf("something never happened: %d resumes, %d resyncs, %d restarts, %+v", resumes, resyncs, restarts, total)
	}
	t.Logf("%d interleavings struck: %d resumes by %d readings of the log, %d resyncs, %d restarts, %d overflows, %d cuts met",
		n, resumes, total.Passes, resyncs, restarts, total.Overflows, total.Lost)
}
