package api_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Goroutines that libraries start when they are loaded are not ours.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
