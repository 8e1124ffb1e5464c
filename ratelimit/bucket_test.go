package ratelimit

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidewire/tidewire/model"
)

var start = time.UnixMilli(1_700_000_000_000)

func rates(t testing.TB, text string) []model.Rate {
	t.Helper()
	r, err := model.ParseRates(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestABucketGivesItsCountAtOnceAndThenEvenly(t *testing.T) {
	r := rates(t, "3:60")
	var b Bucket
	for i := range 3 {
		if _, wait, ok := b.Take(r, start, 1); !ok {
			t.Fatalf("take %d waits %s", i, wait)
		}
	}
	short, wait, ok := b.Take(r, start, 1)
	if ok || short != r[0] || wait != 20*time.Second {
		t.Errorf("%v, %s, %v: want a wait of 20 s", short, wait, ok)
	}
	if _, wait, ok := b.Take(r, start.Add(20*time.Second-1), 1); ok || wait != 1 {
		t.Errorf("before its time: %s, %v", wait, ok)
	}
	if _, _, ok := b.Take(r, start.Add(20*time.Second), 1); !ok {
		t.Error("after the wait it is still refused")
	}
}

func TestWhatOneWindowRefusesTheOthersKeep(t *testing.T) {
	r := rates(t, "10:1,12:60")
	var b Bucket
	take := func(at time.Duration, n int64) (model.Rate, bool) {
		short, _, ok := b.Take(r, start.Add(at), n)
		return short, ok
	}
	if _, ok := take(0, 10); !ok {
		t.Fatal("the first ten")
	}
	if short, ok := take(0, 1); ok || short != r[0] {
		t.Errorf("the eleventh at once: %v, %v", short, ok)
	}
	if _, ok := take(time.Second, 2); !ok { // all twelve of the minute, but for what came back meanwhile
		t.Error("the refusal has taken from the minute")
	}
	if short, ok := take(2*time.Second, 3); ok || short != r[1] {
		t.Errorf("beyond the minute: %v, %v", short, ok)
	}
	for _, u := range b.standing(nil, model.DeviceMessages, r, start.Add(2*time.Second)) {
		if u.Window == time.Second && u.Used != 0 || u.Window == time.Minute && u.Used != 12 {
			t.Errorf("%+v", u)
		}
	}
}

func TestMoreThanTheCountNeverComesAtOnce(t *testing.T) {
	var b Bucket
	if _, wait, ok := b.Take(rates(t, "10:1"), start, 11); ok || wait >= 0 {
		t.Errorf("%s, %v", wait, ok)
	}
}

// A clock that is set back must not lock anybody out for longer than the window.
func TestAClockSetBackCostsAtMostOneWindow(t *testing.T) {
	r := rates(t, "1:60")
	var b Bucket
	b.Take(r, start, 1)
	if _, wait, ok := b.Take(r, start.Add(-24*time.Hour), 1); ok || wait != time.Minute {
		t.Errorf("%s, %v", wait, ok)
	}
}

func TestChangedRatesBeginAnew(t *testing.T) {
	var b Bucket
	b.Take(rates(t, "1:60"), start, 1)
	if _, _, ok := b.Take(rates(t, "1:60"), start, 1); ok {
		t.Error("equal rates have forgotten")
	}
	if _, _, ok := b.Take(rates(t, "2:60"), start, 2); !ok {
		t.Error("other rates have not")
	}
}

// The naive twin is a level that is refilled. Both must agree at every step, and in no span may
// more come through than the count and what came back in it.
func TestABucketAgreesWithALevelThatIsRefilled(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		r := model.Rate{Count: 1 + rng.Int64N(50), Window: time.Duration(1+rng.IntN(60)) * time.Second}
		var b Bucket
		now, level, passed := start, float64(r.Count), int64(0)
		perNano := float64(r.Count) / float64(r.Window)
		for range 400 {
			step := time.Duration(rng.Int64N(int64(r.Window) / r.Count * 2))
			now = now.Add(step)
			level = min(float64(r.Count), level+float64(step)*perNano)
			n := 1 + rng.Int64N(r.Count)
			if d := level - float64(n); d > -0.001 && d < 0.001 {
				continue // nanoseconds decide
			}
			_, wait, ok := b.Take([]model.Rate{r}, now, n)
			if want := level >= float64(n); ok != want {
				t.Fatalf("seed %d: %v asks for %d at level %.3f: %v", seed, r, n, level, ok)
			}
			if ok {
				level -= float64(n)
				passed += n
			} else if need := (float64(n) - level) / perNano; need-float64(wait) > 1000 || float64(wait)-need > 1000 {
				t.Fatalf("seed %d: waits %s, want %s", seed, wait, time.Duration(need))
			}
		}
		if most := float64(r.Count) + float64(now.Sub(start))*perNano + 1; float64(passed) > most {
			t.Errorf("seed %d: %d came through, of at most %.0f", seed, passed, most)
		}
	}
}

func TestGiantCountsAndWindowsDoNotOverflow(t *testing.T) {
	for _, text := range []string{"1000000000000:1", "1000000000000:316224000", "1:316224000"} {
		r := rates(t, text)
		var b Bucket
		if _, wait, ok := b.Take(r, start, r[0].Count); !ok {
			t.Errorf("%s: waits %s", text, wait)
		}
		if u := b.standing(nil, 0, r, start)[0]; u.Used < r[0].Count-1 || u.Used > r[0].Count || u.Reset < 0 {
			t.Errorf("%s: %+v", text, u)
		}
		b.Return(r[0].Count)
		if u := b.standing(nil, 0, r, start)[0]; u.Used != 0 {
			t.Errorf("%s, given back: %+v", text, u)
		}
	}
}

func TestRatesAreReadOrRefused(t *testing.T) {
	for _, text := range []string{"1", "1:", ":1", "a:1", "1:1,", ",1:1", "0:1", "1:0", "-1:1", "+1:1", " 1:1", "1:1;2:2", "1:1:1", "1000000000001:1", "1:99999999999"} {
		if r, err := model.ParseRates(text); err == nil {
			t.Errorf("%q gives %v", text, r)
		}
	}
	if r, err := model.ParseRates(""); r != nil || err != nil {
		t.Errorf("an empty text gives %v, %v", r, err)
	}
}

func BenchmarkTake(b *testing.B) {
	r := rates(b, "1000000000:1,1000000000:60")
	var x Bucket
	for b.Loop() {
		x.Take(r, start, 1)
	}
}
