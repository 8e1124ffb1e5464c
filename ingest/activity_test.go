package ingest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidewire/tidewire/model"
)

// start runs f in a bubble whose clock begins at 2000-01-01, with a started pipeline.
func start(t *testing.T, o Options, known iter.Seq[*model.Entity], f func(t *testing.T, p *Pipeline)) {
	synctest.Test(t, func(t *testing.T) {
		p := New(o)
		p.Start(known)
		f(t, p)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// after lets d pass and the sweeper work.
func after(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

const y2k = 946684800000 // when a bubble's clock begins, ms

func write(t *testing.T, p *Pipeline, e *model.Entity, s *model.WriteSet) {
	t.Helper()
	if err := p.Write(t.Context(), e, s); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestActivityIsWrittenAtChangesAndOnceAMinute(t *testing.T) {
	r := newRecorder()
	start(t, Options{Store: r}, nil, func(t *testing.T, p *Pipeline) {
		e := device1()
		after(500 * time.Millisecond)
		write(t, p, e, telemetry())
		first := int64(y2k + 500)
		expect(t, r.taken(), "1 timeseries t=1", fmt.Sprintf("1 server active=true lastActivityTime=%d", first))
		if a, ok := p.Activity(e.ID); !ok || a != (model.Activity{Active: true, LastActivity: first}) {
			t.Errorf("%v %+v", ok, a)
		}
		// messages each second: one write a minute
		for range 150 {
			after(time.Second)
			write(t, p, e, telemetry())
		}
		writes := slices.DeleteFunc(r.taken(), func(s string) bool { return s == "1 timeseries t=1" })
		if len(writes) != 2 {
			t.Errorf("%d writes in 150 s: %q", len(writes), writes)
		}
		last := first + 150_000
		// silence
		after(590 * time.Second)
		if a, _ := p.Activity(e.ID); !a.Active || a.LastActivity != last {
			t.Errorf("before the timeout: %+v", a)
		}
		r.taken()
		after(12 * time.Second)
		a, _ := p.Activity(e.ID)
		if a.Active || a.LastActivity != last || a.Inactivity < last+600_000 || a.Inactivity > last+602_000 {
			t.Errorf("after the timeout: %+v", a)
		}
		expect(t, r.taken(), fmt.Sprintf("1 server active=false inactivityAlarmTime=%d", a.Inactivity))
		after(time.Hour)
		expect(t, r.taken())
		// and back
		write(t, p, e, telemetry())
		back := time.Now().UnixMilli()
		expect(t, r.taken(), "1 timeseries t=1", fmt.Sprintf("1 server active=true lastActivityTime=%d", back))
	})
}

func TestInactivityTimeoutAttribute(t *testing.T) {
	r := newRecorder()
	start(t, Options{Store: r}, nil, func(t *testing.T, p *Pipeline) {
		e := device1()
		active := func(want bool) {
			t.Helper()
			if a, _ := p.Activity(e.ID); a.Active != want {
				t.Errorf("%v after the start: %+v", time.Now().UnixMilli()-y2k, a)
			}
		}
		write(t, p, e, telemetry())
		after(30 * time.Second)
		write(t, p, e, set(model.Server, "inactivityTimeout", model.Int(20_000)))
		active(false) // silent for 30 s already
		write(t, p, e, telemetry())
		after(18 * time.Second)
		active(true)
		after(4 * time.Second)
		active(false)
		// removed: the default again
		write(t, p, e, set(model.Server, "inactivityTimeout", model.Null()))
		write(t, p, e, telemetry())
		after(590 * time.Second)
		active(true)
		after(12 * time.Second)
		active(false)
	})
}

func TestActivitySurvivesARestart(t *testing.T) {
	r := newRecorder()
	e, silent := device1(), device1()
	silent.ID = model.EntityID{2}
	start(t, Options{Store: r}, nil, func(t *testing.T, p *Pipeline) {
		write(t, p, e, telemetry())
		write(t, p, e, set(model.Server, "inactivityTimeout", model.String("no number")))
		write(t, p, silent, set(model.Server, "inactivityTimeout", model.Int(60_000)))
		write(t, p, silent, telemetry())
		p.Connected(e)
		after(10 * time.Second)
		p.Disconnected(e)
		r.taken()
	})
	expect(t, r.taken(), fmt.Sprintf("1 server lastActivityTime=%d lastConnectTime=%d lastDisconnectTime=%d", y2k+10_000, y2k, y2k+10_000))

	// The clock of the second bubble begins at the same instant: 2 s later nobody is silent.
	known := slices.Values([]*model.Entity{e, silent, {ID: model.EntityID{3}, Type: model.EntityAsset}})
	start(t, Options{Store: r}, known, func(t *testing.T, p *Pipeline) {
		after(2 * time.Second)
		expect(t, r.taken())
		want := model.Activity{Active: true, LastActivity: y2k + 10_000, LastConnect: y2k, LastDisconnect: y2k + 10_000}
		if a, ok := p.Activity(e.ID); !ok || a != want {
			t.Errorf("loaded %v %+v", ok, a)
		}
		if _, ok := p.Activity(model.EntityID{3}); ok {
			t.Error("an asset has activity")
		}
		after(60 * time.Second)
		a, _ := p.Activity(silent.ID)
		expect(t, r.taken(), fmt.Sprintf("2 server active=false inactivityAlarmTime=%d", a.Inactivity))
		if a.Active {
			t.Errorf("%+v", a)
		}
		// still active in the store: hearing it is no change
		write(t, p, e, telemetry())
		after(61 * time.Second)
		expect(t, r.taken(), "1 timeseries t=1", fmt.Sprintf("1 server lastActivityTime=%d", y2k+62_000))
	})
}

func TestFailedActivityWritesAreRepeated(t *testing.T) {
	r := newRecorder()
	var failures []error
	var mu sync.Mutex
	disk := errors.New("disk")
	o := Options{Store: r, OnError: func(err error) { mu.Lock(); failures = append(failures, err); mu.Unlock() }}
	start(t, o, nil, func(t *testing.T, p *Pipeline) {
		e := device1()
		if err := p.Write(t.Context(), e, telemetry()); err != nil {
			t.Fatal(err)
		}
		r.failWith(disk) // before the sweeper ran, or after: it reads and writes again
		after(601 * time.Second)
		r.failWith(nil)
		after(61 * time.Second)
		if got := r.mu.latest[seriesKey{e.ID, model.Server, "active"}].Value; got != model.Bool(false) {
			t.Errorf("active is %#v", got)
		}
	})
	if len(failures) == 0 || !errors.Is(failures[0], disk) {
		t.Errorf("failures: %v", failures)
	}
}

func TestDeletedDevicesAreForgotten(t *testing.T) {
	r := newRecorder()
	e, gone := device1(), device1()
	gone.ID = model.EntityID{2}
	exists := true
	o := Options{Store: r, Lookup: func(id model.EntityID) (*model.Entity, bool) { return nil, id == e.ID || exists }}
	start(t, o, nil, func(t *testing.T, p *Pipeline) {
		write(t, p, e, telemetry())
		write(t, p, gone, telemetry())
		exists = false
		p.Forget(e.ID)
		r.taken()
		after(time.Hour)
		expect(t, r.taken())
		for _, id := range []model.EntityID{e.ID, gone.ID} {
			if _, ok := p.Activity(id); ok {
				t.Errorf("device %d is known", id[0])
			}
		}
		if n := p.Stats().Devices; n != 0 {
			t.Errorf("%d devices in memory", n)
		}
	})
}

func TestManyDevicesAtOnce(t *testing.T) {
	r := newRecorder()
	const n = 3000
	start(t, Options{Store: r, InactivityTimeout: 5 * time.Second}, nil, func(t *testing.T, p *Pipeline) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range n {
					e := device1()
					e.ID = model.EntityID{byte(j), byte(j >> 8)}
					if err := p.Write(t.Context(), e, telemetry()); err != nil {
						t.Error(i, err)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if s := p.Stats(); s.Devices != n || s.ActivityWrites != n || s.Sets != 8*n {
			t.Errorf("stats %+v", s)
		}
		after(7 * time.Second)
		if s := p.Stats(); s.ActivityWrites != 2*n {
			t.Errorf("stats %+v", s)
		}
	})
}

// The clock may jump by days, when a laptop wakes up.
func TestClockJumps(t *testing.T) {
	r := newRecorder()
	var jump time.Duration
	var mu sync.Mutex
	o := Options{Store: r, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(jump) }}
	start(t, o, nil, func(t *testing.T, p *Pipeline) {
		e := device1()
		write(t, p, e, telemetry())
		mu.Lock()
		jump = 72 * time.Hour
		mu.Unlock()
		after(2 * time.Second)
		if a, _ := p.Activity(e.ID); a.Active {
			t.Errorf("active after three days: %+v", a)
		}
		mu.Lock()
		jump = 0
		mu.Unlock()
		write(t, p, e, telemetry())
		if a, _ := p.Activity(e.ID); !a.Active {
			t.Errorf("inactive although it was just heard: %+v", a)
		}
	})
}

// A device that was never heard is inactive from its timeout on, whenever it was made.
func TestADeviceNobodyHeardIsSaidToBeInactive(t *testing.T) {
	r := newRecorder()
	made := func(id byte, created int64) *model.Entity {
		e := device1()
		e.ID, e.Created = model.EntityID{id}, created
		return e
	}
	var mu sync.Mutex
	list := []*model.Entity{made(1, y2k-3_600_000), made(2, y2k-300_000)} // long ago; five minutes ago
	known := func(yield func(*model.Entity) bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range list {
			if !yield(e) {
				return
			}
		}
	}
	inactive := func(id, seconds int) string {
		return fmt.Sprintf("%d server active=false inactivityAlarmTime=%d", id, y2k+1000*seconds)
	}
	start(t, Options{Store: r}, known, func(t *testing.T, p *Pipeline) {
		synctest.Wait()
		expect(t, r.taken(), inactive(1, 0))
		after(100 * time.Second)
		mu.Lock()
		list = append(list, made(3, y2k+100_000), made(4, y2k+100_000))
		mu.Unlock()
		after(199 * time.Second)
		expect(t, r.taken())
		after(2 * time.Second)
		expect(t, r.taken(), inactive(2, 300))
		if err := p.Save(t.Context(), list[3], set(model.Server, "inactivityTimeout", model.Int(250_000))); err != nil {
			t.Fatal(err)
		}
		r.taken()
		after(50 * time.Second)
		expect(t, r.taken(), inactive(4, 350))
		after(348 * time.Second)
		expect(t, r.taken())
		after(2 * time.Second)
		expect(t, r.taken(), inactive(3, 700))
		if a, ok := p.Activity(list[2].ID); !ok || a != (model.Activity{Inactivity: y2k + 700_000}) {
			t.Errorf("%v %+v", ok, a)
		}
		after(time.Hour)
		expect(t, r.taken())
		write(t, p, list[0], telemetry())
		expect(t, r.taken(), "1 timeseries t=1", fmt.Sprintf("1 server active=true lastActivityTime=%d", time.Now().UnixMilli()))
	})
	r.taken()
	start(t, Options{Store: r}, known, func(t *testing.T, _ *Pipeline) { // who was told is not told again
		after(time.Second)
		expect(t, r.taken())
	})
}

// What somebody saves as active is what the server says, too, until it knows better.
func TestWhatSomebodySaysOfActiveCounts(t *testing.T) {
	r := newRecorder()
	e := device1()
	e.Created = y2k
	start(t, Options{Store: r}, nil, func(t *testing.T, p *Pipeline) {
		says := func(v model.Value) {
			t.Helper()
			if err := p.Save(t.Context(), e, set(model.Server, "active", v)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		agree := func(want bool) {
			t.Helper()
			a, _ := p.Activity(e.ID)
			r.mu.Lock()
			stored := r.mu.latest[seriesKey{e.ID, model.Server, "active"}].Value
			r.mu.Unlock()
			if a.Active != want || stored != model.Bool(want) {
				t.Errorf("%v after the start: %+v, stored %#v", time.Now().UnixMilli()-y2k, a, stored)
			}
		}
		after(500 * time.Second)
		says(model.Bool(true))
		agree(true)
		after(598 * time.Second)
		agree(true)
		after(4 * time.Second) // and it was not heard
		agree(false)
		says(model.Bool(true))
		says(model.Bool(false))
		agree(false)
		write(t, p, e, telemetry())
		agree(true)
		says(model.Bool(false))
		agree(false)
		write(t, p, e, telemetry())
		agree(true)
		says(model.Null()) // removed: the server says it again
		agree(true)
	})
}
