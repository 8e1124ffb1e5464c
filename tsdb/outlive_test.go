package tsdb

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
)

// Points outlive their time by themselves, also those no flush has met, within a bounded time;
// latest values stay.
func TestPointsWithATimeToLiveGoByThemselves(t *testing.T) {
	for name, flush := range map[string]bool{"in the head": false, "in row groups": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := openTest(t, Options{})
				start := time.Now()
				s := keeps(start.UnixMilli(), start.UnixMilli(), 0, model.Int(1))
				s.TTL = (10 * time.Minute).Milliseconds()
				mustAppend(t, db, s)
				mustAppend(t, db, rows(start.UnixMilli()+1, 1, 1, 2, "b"))
				if flush {
					if err := db.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				for pointsOf(t, db) != "" {
					if took := time.Since(start); took > 3*time.Hour {
						t.Fatalf("still there after %v", took)
					}
					time.Sleep(time.Minute) // of the bubble
					synctest.Wait()
				}
				if took := time.Since(start); took < 10*time.Minute {
					t.Errorf("gone after %v", took)
				}
				if got := revisionsOf(t, db, 0, math.MaxInt64); got != "" {
					t.Errorf("revisions are left: %s", got)
				}
				latest, err := db.Latest(t.Context(), aTenant, aDevice, model.Timeseries, nil)
				if err != nil || len(latest.Points) != 2 {
					t.Errorf("latest is %v, %v", latest.Points, err)
				}
			})
		})
	}
}

// What is due is known after a start, whether it was flushed before or is in the log.
func TestATimeToLiveSurvivesAStart(t *testing.T) {
	for name, flush := range map[string]bool{"in the log": false, "in row groups": true} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			var now atomic.Int64
			now.Store(10_000)
			o := Options{FS: disk, Now: func() time.Time { return time.UnixMilli(now.Load()) }}
			db := openTest(t, o)
			s := keeps(1000, now.Load(), 0, model.Int(1))
			s.TTL = 5000
			mustAppend(t, db, s)
			if flush {
				if err := errors.Join(db.Flush(t.Context()), db.flushStore()); err != nil {
					t.Fatal(err)
				}
			}
			o.FS = disk.CrashClone(vfs.CrashCloneCfg{})
			again := openTest(t, o)
			for _, c := range []struct {
				now  int64
				want string
			}{{14_999, "1000:1"}, {15_000, ""}} {
				now.Store(c.now)
				if err := again.Reclaim(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := pointsOf(t, again); got != c.want {
					t.Errorf("at %d: %q, want %q", c.now, got, c.want)
				}
			}
		})
	}
}

func TestATimeToLiveBeyondTheLimitIsRefused(t *testing.T) {
	db := openTest(t, Options{Limits: Limits{TTL: 1000}})
	for _, ttl := range []int64{-1, 1001, math.MaxInt64} {
		s := rows(1000, 1, 1, 1, "a")
		s.Received, s.TTL = 1000, ttl
		if _, err := db.Append(t.Context(), s); model.KindOf(err) != model.Invalid {
			t.Errorf("time to live of %d: %v", ttl, err)
		}
	}
	if p := db.Position(); p != 0 {
		t.Errorf("something was written, up to %d", p)
	}
}
