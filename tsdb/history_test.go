package tsdb

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	twins "github.com/tidewire/tidewire/tsdb/internal/twin"
)

// A failedHistory is what harness.Fatalf panics with in a history.
type failedHistory struct{ message string }

// A history is a random script under given options: one number makes all of it.
type history struct {
	options Options
	seed    uint64
	steps   []int // the numbers of those that are done, ascending
}

// stepsOf returns the numbers of n steps, or those TIDEWIRE_STEPS names: what is left of a
// history that was shortened.
func stepsOf(t *testing.T, n int) []int {
	var steps []int
	if s := os.Getenv("TIDEWIRE_STEPS"); s != "" {
		for field := range strings.SplitSeq(s, ",") {
			i, err := strconv.Atoi(field)
			if err != nil {
				t.Fatalf("TIDEWIRE_STEPS=%q is no list of steps", s)
			}
			steps = append(steps, i)
		}
		return steps
	}
	for i := range n {
		steps = append(steps, i)
	}
	return steps
}

// comparing is the number of the step in which everything is compared.
const comparing = 1 << 20

// run runs the history and returns what was wrong and after how many steps.
func (y history) run(t *testing.T, trace *strings.Builder) (failed *failedHistory, done int) {
	h := emptyHarness(t, y.options)
	h.scripted, h.trace = true, trace
	defer func() {
		switch wrong := recover().(type) {
		case nil:
		case *failedHistory:
			failed = wrong
			if h.db != nil {
				_ = h.db.Close()
			}
		default:
			panic(wrong)
		}
	}()
	h.open()
	for _, step := range y.steps {
		done++
		h.seed(y.seed, uint64(step))
		o := operations.pick(h.rng.IntN)
		h.step = fmt.Sprintf("%4d %s", step, o.name)
		o.do(h)
	}
	for i, compare := range comparisons {
		h.seed(y.seed, comparing+uint64(i))
		h.step = fmt.Sprint("comparison ", i)
		compare(h)
	}
	h.check()
	h.close()
	return nil, done
}

// shorten leaves out steps as long as the history fails, at most so many times.
func (y history) shorten(t *testing.T, tries int) history {
	for size := len(y.steps) / 2; size > 0; {
		shorter := false
		for at := 0; at+size <= len(y.steps) && tries > 0; tries-- {
			try := y
			try.steps = slices.Concat(y.steps[:at], y.steps[at+size:])
			if failed, done := try.run(t, nil); failed != nil {
				y.steps, shorter = try.steps[:done], true
			} else {
				at += size
			}
		}
		if !shorter || size > len(y.steps)/2 {
			size = min(size/2, max(len(y.steps)/2, 1))
		}
		if tries == 0 {
			break
		}
	}
	return y
}

// explain fails the test with the shortest script that fails, and says how to run it again.
func (y history) explain(t *testing.T, failed *failedHistory, done int) {
	t.Helper()
	first := failed
	y.steps = slices.Clone(y.steps[:done])
	y = y.shorten(t, 150)
	var trace strings.Builder
	if failed, _ = y.run(t, &trace); failed == nil {
		failed = first
		trace.WriteString("... and this time all was well: it depends on how goroutines met\n")
	}
	numbers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(y.steps)), ","), "[]")
	t.Errorf("%s\n\nthe shortest script found, of %d steps:\n%s\nrun it again: TIDEWIRE_STEPS=%s go test ./tsdb -run '^%s$'",
		failed.message, len(y.steps), trace.String(), numbers, t.Name())
}

func TestEveryHistoryGivesTheAnswersOfAMap(t *testing.T) {
	first, seeds := seedRange(2)
	for _, name := range slices.Sorted(maps.Keys(optionSets)) {
		for seed := first; seed < first+seeds; seed++ {
			t.Run(fmt.Sprintf("%s/seed=%d", strings.ReplaceAll(name, " ", "_"), seed), func(t *testing.T) {
				y := history{options: optionSets[name], seed: seed, steps: stepsOf(t, 250/twins.Thin(4))}
				if failed, done := y.run(t, nil); failed != nil {
					y.explain(t, failed, done)
				}
			})
		}
	}
	t.Logf("%d histories of %d steps struck, under %d settings, of %d operations", seeds*uint64(len(optionSets)), 250/twins.Thin(4), len(optionSets), len(*operations.list))
	if len(optionSets) < 12 {
		t.Error("fewer than 12 settings")
	}
}

// seedRange returns the first seed and how many: TIDEWIRE_FIRST_SEED moves them.
func seedRange(few uint64) (first, n uint64) {
	if s := os.Getenv("TIDEWIRE_FIRST_SEED"); s != "" {
		var err error
		if first, err = strconv.ParseUint(s, 10, 64); err != nil {
			panic(fmt.Sprintf("TIDEWIRE_FIRST_SEED=%q is not a number", s))
		}
	}
	return first, twins.Seeds(few)
}

// A history that fails is shortened to what makes it fail.
func TestAFailingHistoryIsShortened(t *testing.T) {
	y := history{seed: 3, steps: stepsOf(t, 60)}
	y.options.Limits.Keys = 3 // the set with all keys is refused, and so are others
	failed, done := y.run(t, nil)
	if failed == nil {
		t.Fatal("nothing failed")
	}
	y.steps = y.steps[:done]
	short := y.shorten(t, 100)
	if len(short.steps) != 1 {
		t.Errorf("%d steps are left of %d, one is enough", len(short.steps), done)
	}
	var trace strings.Builder
	if failed, _ := short.run(t, &trace); failed == nil || !strings.Contains(trace.String(), "append to") {
		t.Errorf("the shortened history: %v\n%s", failed, trace.String())
	}
}

// A power cut may take anything that was not acknowledged, and nothing that was.
func TestPowerCutKeepsAcknowledgedSets(t *testing.T) {
	seeds := twins.Seeds(30)
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			h := newHarness(t, Options{HeadBytes: 64 << 10, LogBytes: 1, LogAge: -1}, 1000+seed)
			for range 1 + h.rng.IntN(60) {
				h.append(h.script.set())
				if h.rng.IntN(8) == 0 {
					h.flush()
				}
			}
			h.crash()
			h.compareAll()
			h.check()
		})
	}
	t.Logf("%d power cuts struck", seeds)
}
