package tsdb

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// VictoriaMetrics starts goroutines when it is imported.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
