package tsdb

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// VictoriaMetrics starts goroutines when it is imported.
	// An Open of Pebble that fails leaves one of its own behind.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}
