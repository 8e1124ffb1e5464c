package thingsboard

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// A body that is refused for what it holds must not have taken many times its size first.
func TestReadingEndsAtTheLimits(t *testing.T) {
	many := func(element string, n int) string { return "[" + strings.Repeat(element+",", n-1) + element + "]" }
	keys := func(quote string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%[1]sk%[2]d%[1]s:1", quote, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	o := ParseOptions{MaxKeys: 100, MaxPoints: 1000}
	f := func(body string, kind model.Kind) {
		t.Helper()
		var p Parser
		set, err := p.Telemetry([]byte(body), 0, o)
		if got := model.KindOf(err); err != nil && got != kind || err == nil && kind != 0 {
			t.Errorf("%.20s…: %v", body, err)
		}
		if err != nil {
			if p.set.Cells != nil || p.set.Keys != nil {
				t.Errorf("%.20s…: what was refused is kept", body)
			}
		} else if len(set.Cells) > o.MaxPoints {
			t.Errorf("%.20s…: %d points", body, len(set.Cells))
		}
		if set, err := p.Telemetry([]byte(`{"a":1}`), 0, o); err != nil || len(set.Cells) != 1 {
			t.Errorf("%.20s…: the next body: %v", body, err)
		}
	}
	const refused = model.TooLarge
	f(many(`{"a":1}`, 1000), 0)
	f(many(`{'a':1}`, 1000), 0)
	f(many(`{"a":1}`, 100_000), refused)
	f(many(`{'a':1}`, 1001), refused)
	f(keys(`"`, 100), 0)
	f(keys(`'`, 100), 0)
	f(keys(`"`, 101), refused)
	f(keys(`'`, 101), refused)
	var p Parser
	if _, err := p.Attributes([]byte(keys(`"`, 101)), model.Client, 0, o); model.KindOf(err) != refused {
		t.Errorf("attributes: %v", err)
	}
	if n := testing.AllocsPerRun(1, func() {
		var p Parser
		_, _ = p.Telemetry([]byte(many(`{"a":1}`, 100_000)), 0, o)
	}); n > 100 {
		t.Errorf("%v allocations for a body that is refused", n)
	}
}
